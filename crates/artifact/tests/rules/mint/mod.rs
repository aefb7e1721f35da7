//! Mints small APKs: a zip, a binary manifest, and v2, v3 and v3.1 signatures by P-256 keys made from a byte.
//!
//! A blueprint describes a good APK; a test changes one thing in it and expects one finding.

pub(crate) mod cms;
pub(crate) mod idsig;
pub(crate) mod ios;
pub(crate) mod jar;
pub(crate) mod keys;
pub(crate) mod manifest;
pub(crate) mod rsa_keys;

use sha2::{Digest, Sha256, Sha512};

pub(crate) use keys::{certificate, public_key_info, sign};
pub(crate) use manifest::{ManifestPlan, manifest};

pub(crate) const ID_V2: u32 = 0x7109_871a;
pub(crate) const ID_V3: u32 = 0xf053_68c0;
pub(crate) const ID_V31: u32 = 0x1b93_ad61;
pub(crate) const ATTRIBUTE_STRIPPING: u32 = 0xbeef_f00d;
pub(crate) const ID_V32: u32 = 0x70e1_c89f;
pub(crate) const ECDSA_SHA256: u32 = 0x0201;
pub(crate) const ECDSA_SHA512: u32 = 0x0202;
pub(crate) const ML_DSA: u32 = 0x0501;
const RSA_SHA256: u32 = 0x0103;
pub(crate) const LATEST: u32 = 0x7fff_ffff;

/// One entry, with what its headers claim about it.
#[derive(Clone)]
pub(crate) struct EntryPlan {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) data: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) claimed_size: Option<u32>,
    pub(crate) local_size: Option<u32>,
    pub(crate) local_method: Option<u16>,
    /// As the directory has it: where symbolic links show.
    pub(crate) unix_mode: u16,
    /// Where the directory says that it is, if not where it is.
    pub(crate) claimed_offset: Option<u32>,
    pub(crate) claimed_crc: Option<u32>,
    /// In both headers.
    pub(crate) claimed_compressed: Option<u32>,
}

impl EntryPlan {
    pub(crate) fn new(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            local_name: None,
            data: data.to_vec(),
            flags: 0,
            method: 0,
            claimed_size: None,
            local_size: None,
            local_method: None,
            unix_mode: 0,
            claimed_offset: None,
            claimed_crc: None,
            claimed_compressed: None,
        }
    }
}

impl EntryPlan {
    /// The data packed, under headers that say so.
    pub(crate) fn deflated(name: &str, data: &[u8]) -> Self {
        use std::io::Write as _;
        let mut packer =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(data).unwrap();
        Self {
            data: packer.finish().unwrap(),
            method: 8,
            claimed_size: Some(u32::try_from(data.len()).unwrap()),
            claimed_crc: Some(crc32(data)),
            ..Self::new(name, data)
        }
    }
}

/// One signer of a scheme.
#[derive(Clone)]
pub(crate) struct SignerPlan {
    pub(crate) key: u8,
    /// Whose certificate is shown, if not the key's own.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) sdk: Option<(u32, u32)>,
    pub(crate) sdk_outside: Option<(u32, u32)>,
    pub(crate) attributes: Vec<(u32, Vec<u8>)>,
    /// Algorithm ids of the signed digests and of the signatures.
    pub(crate) digest_ids: Vec<u32>,
    pub(crate) signature_ids: Vec<u32>,
    pub(crate) content_digest: Option<Vec<u8>>,
    /// The digest under this one algorithm.
    pub(crate) other_digest: Option<(u32, Vec<u8>)>,
    /// Signs in place of the key.
    pub(crate) rsa: Option<rsa_keys::RsaPlan>,
    pub(crate) spoil_signature: bool,
    pub(crate) no_certificate: bool,
    pub(crate) public_key: Option<Vec<u8>>,
}

impl SignerPlan {
    pub(crate) fn new(key: u8) -> Self {
        Self {
            key,
            certificate: None,
            sdk: None,
            sdk_outside: None,
            attributes: Vec::new(),
            digest_ids: vec![ECDSA_SHA256],
            signature_ids: vec![ECDSA_SHA256],
            content_digest: None,
            other_digest: None,
            rsa: None,
            spoil_signature: false,
            no_certificate: false,
            public_key: None,
        }
    }

    /// With the attribute that says that a v3 signature was made too.
    pub(crate) fn naming_v3(key: u8) -> Self {
        Self {
            attributes: vec![(ATTRIBUTE_STRIPPING, 3_u32.to_le_bytes().to_vec())],
            ..Self::new(key)
        }
    }

    pub(crate) fn on(key: u8, from: u32, to: u32) -> Self {
        Self {
            sdk: Some((from, to)),
            ..Self::new(key)
        }
    }

    /// A signer by ML-DSA.
    pub(crate) fn post_quantum(key: u8, from: u32, to: u32) -> Self {
        Self {
            digest_ids: vec![ML_DSA],
            signature_ids: vec![ML_DSA],
            ..Self::on(key, from, to)
        }
    }

    pub(crate) fn with(mut self, id: u32, value: &[u8]) -> Self {
        self.attributes.push((id, value.to_vec()));
        self
    }
}

/// A scheme's pair: its signers, or raw bytes.
#[derive(Clone)]
pub(crate) enum PairPlan {
    Signers(u32, Vec<SignerPlan>, Vec<u8>),
    Raw(u32, Vec<u8>),
    /// With nothing in it, and this length.
    Long(u32, u64),
}

/// A whole APK.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) prefix: Vec<u8>,
    pub(crate) entries: Vec<EntryPlan>,
    pub(crate) pairs: Vec<PairPlan>,
    /// The size that the block's footer claims, if not its own.
    pub(crate) footer_size: Option<u64>,
    pub(crate) gap_before_end: Vec<u8>,
    pub(crate) claimed_count: Option<u16>,
    pub(crate) comment: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
    pub(crate) disk: u16,
}

impl Blueprint {
    /// A good APK: v2 for all, v3 for 28 and later, one key.
    pub(crate) fn good() -> Self {
        Self {
            prefix: Vec::new(),
            entries: vec![
                EntryPlan::new("AndroidManifest.xml", &manifest(&ManifestPlan::default())),
                EntryPlan::new("classes.dex", b"dex\n035\0 not really code"),
            ],
            pairs: vec![
                PairPlan::Signers(ID_V2, vec![SignerPlan::naming_v3(1)], Vec::new()),
                PairPlan::Signers(ID_V3, vec![SignerPlan::on(1, 28, LATEST)], Vec::new()),
            ],
            footer_size: None,
            gap_before_end: Vec::new(),
            claimed_count: None,
            comment: Vec::new(),
            trailing: Vec::new(),
            disk: 0,
        }
    }

    pub(crate) fn with_manifest(mut self, plan: &ManifestPlan) -> Self {
        self.entries[0].data = manifest(plan);
        self
    }

    /// The signers of the `index`th pair.
    pub(crate) fn signers(&mut self, index: usize) -> &mut Vec<SignerPlan> {
        match &mut self.pairs[index] {
            PairPlan::Signers(_, signers, _) => signers,
            PairPlan::Raw(..) | PairPlan::Long(..) => panic!("a raw pair has no signers"),
        }
    }

    /// The chunked SHA-256 that the schemes sign.
    pub(crate) fn sha256_digest(&self) -> Vec<u8> {
        self.parts().2.sha256
    }

    /// The entries, the directory and the digests of both.
    fn parts(&self) -> (Vec<u8>, Vec<u8>, ContentDigests) {
        let mut file = self.prefix.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            let offset = u32::try_from(file.len()).unwrap();
            file.extend(local_header(entry));
            file.extend(&entry.data);
            directory.extend(directory_record(entry, offset));
        }
        let block_offset = u32::try_from(file.len()).unwrap();
        let patched = self.end_record(&directory, block_offset);
        let digests = ContentDigests::of([&file, &directory, &patched]);
        (file, directory, digests)
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let (file, directory, digests) = self.parts();
        let block = self.block(&digests);
        let directory_offset = u32::try_from(file.len() + block.len()).unwrap();
        let end = self.end_record(&directory, directory_offset);
        [
            file,
            block,
            directory,
            self.gap_before_end.clone(),
            end,
            self.trailing.clone(),
        ]
        .concat()
    }

    fn end_record(&self, directory: &[u8], offset: u32) -> Vec<u8> {
        let count = self
            .claimed_count
            .unwrap_or(u16::try_from(self.entries.len()).unwrap());
        let mut record = b"PK\x05\x06".to_vec();
        for short in [self.disk, self.disk, count, count] {
            record.extend(short.to_le_bytes());
        }
        record.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
        record.extend(offset.to_le_bytes());
        record.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        record.extend(&self.comment);
        record
    }

    fn block(&self, digests: &ContentDigests) -> Vec<u8> {
        if self.pairs.is_empty() {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for pair in &self.pairs {
            let (id, value) = match pair {
                PairPlan::Long(id, length) => {
                    pairs.extend(length.to_le_bytes());
                    pairs.extend(id.to_le_bytes());
                    continue;
                }
                PairPlan::Raw(id, value) => (*id, value.clone()),
                PairPlan::Signers(id, signers, trailing) => {
                    let signers: Vec<u8> = signers
                        .iter()
                        .flat_map(|plan| prefixed(&signer(plan, digests)))
                        .collect();
                    (*id, [prefixed(&signers), trailing.clone()].concat())
                }
            };
            pairs.extend((value.len() as u64 + 4).to_le_bytes());
            pairs.extend(id.to_le_bytes());
            pairs.extend(value);
        }
        let size = pairs.len() as u64 + 24;
        let mut block = size.to_le_bytes().to_vec();
        block.extend(pairs);
        block.extend(self.footer_size.unwrap_or(size).to_le_bytes());
        block.extend(b"APK Sig Block 42");
        block
    }
}

/// A local header by itself.
pub(crate) fn local_header_of(entry: &EntryPlan) -> Vec<u8> {
    local_header(entry)
}

/// Where the next entry starts.
pub(crate) fn end_of(entries: &[EntryPlan]) -> u32 {
    let size = |entry: &EntryPlan| local_header(entry).len() + entry.data.len();
    u32::try_from(entries.iter().map(size).sum::<usize>()).unwrap()
}

fn local_header(entry: &EntryPlan) -> Vec<u8> {
    let name = entry.local_name.as_ref().unwrap_or(&entry.name);
    let size = u32::try_from(entry.data.len()).unwrap();
    let local_size = entry.local_size.or(entry.claimed_size).unwrap_or(size);
    let mut header = b"PK\x03\x04\x14\0".to_vec();
    header.extend(entry.flags.to_le_bytes());
    header.extend(entry.local_method.unwrap_or(entry.method).to_le_bytes());
    header.extend([0; 4]);
    let crc = entry.claimed_crc.unwrap_or_else(|| crc32(&entry.data));
    let packed = entry.claimed_compressed.unwrap_or(size);
    for word in [crc, packed, local_size] {
        header.extend(word.to_le_bytes());
    }
    header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    header.extend([0; 2]);
    header.extend(name);
    header
}

fn directory_record(entry: &EntryPlan, offset: u32) -> Vec<u8> {
    let size = u32::try_from(entry.data.len()).unwrap();
    let mut record = b"PK\x01\x02\x14\0\x14\0".to_vec();
    record.extend(entry.flags.to_le_bytes());
    record.extend(entry.method.to_le_bytes());
    record.extend([0; 4]);
    let crc = entry.claimed_crc.unwrap_or_else(|| crc32(&entry.data));
    let packed = entry.claimed_compressed.unwrap_or(size);
    for word in [crc, packed, entry.claimed_size.unwrap_or(size)] {
        record.extend(word.to_le_bytes());
    }
    record.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
    record.extend([0; 10]);
    record.extend(entry.unix_mode.to_le_bytes());
    record.extend(entry.claimed_offset.unwrap_or(offset).to_le_bytes());
    record.extend(&entry.name);
    record
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

/// The digests over chunks of what is covered.
struct ContentDigests {
    sha256: Vec<u8>,
    sha512: Vec<u8>,
}

impl ContentDigests {
    fn of(sections: [&[u8]; 3]) -> Self {
        Self {
            sha256: chunked::<Sha256>(sections),
            sha512: chunked::<Sha512>(sections),
        }
    }

    fn for_algorithm(&self, id: u32) -> &[u8] {
        if matches!(id, 0x0102 | 0x0104 | ECDSA_SHA512 | ML_DSA) {
            &self.sha512
        } else {
            &self.sha256
        }
    }
}

fn chunked<H: Digest>(sections: [&[u8]; 3]) -> Vec<u8> {
    let chunks: Vec<Vec<u8>> = sections
        .iter()
        .flat_map(|section| section.chunks(1 << 20))
        .map(|chunk| {
            let length = u32::try_from(chunk.len()).unwrap().to_le_bytes();
            H::digest([&[0xa5], &length[..], chunk].concat()).to_vec()
        })
        .collect();
    let count = u32::try_from(chunks.len()).unwrap().to_le_bytes();
    H::digest([&[0x5a], &count[..], &chunks.concat()].concat()).to_vec()
}

fn signer(plan: &SignerPlan, actual: &ContentDigests) -> Vec<u8> {
    let rsa = plan.rsa.as_ref();
    let ids = |own: &[u32]| rsa.map_or_else(|| own.to_vec(), |_| vec![RSA_SHA256]);
    let (digest_ids, signature_ids) = (ids(&plan.digest_ids), ids(&plan.signature_ids));
    let digests: Vec<u8> = digest_ids
        .iter()
        .flat_map(|id| {
            let digest = plan.content_digest.as_deref();
            let digest = digest.unwrap_or_else(|| actual.for_algorithm(*id));
            let other = plan.other_digest.as_ref().filter(|(other, _)| other == id);
            let digest = other.map_or(digest, |(_, digest)| digest);
            prefixed(&[&id.to_le_bytes()[..], &prefixed(digest)].concat())
        })
        .collect();
    let certificate = plan.certificate.clone().unwrap_or_else(|| {
        rsa.map_or_else(|| certificate(plan.key), rsa_keys::RsaPlan::certificate)
    });
    let certificates = if plan.no_certificate {
        Vec::new()
    } else {
        prefixed(&certificate)
    };
    let attributes: Vec<u8> = plan
        .attributes
        .iter()
        .flat_map(|(id, value)| prefixed(&[&id.to_le_bytes()[..], value].concat()))
        .collect();
    let range = |sdk: Option<(u32, u32)>| -> Vec<u8> {
        sdk.map(|(from, to)| [from.to_le_bytes(), to.to_le_bytes()].concat())
            .unwrap_or_default()
    };
    let signed = [
        prefixed(&digests),
        prefixed(&certificates),
        range(plan.sdk),
        prefixed(&attributes),
    ]
    .concat();
    let mut signature = rsa.map_or_else(|| sign(plan.key, &signed), |key| key.sign(&signed));
    if plan.spoil_signature {
        let last = signature.len() - 1;
        signature[last] ^= 1;
    }
    let signatures: Vec<u8> = signature_ids
        .iter()
        .flat_map(|id| prefixed(&[&id.to_le_bytes()[..], &prefixed(&signature)].concat()))
        .collect();
    let public_key = plan
        .public_key
        .clone()
        .unwrap_or_else(|| rsa.map_or_else(|| public_key_info(plan.key), rsa_keys::RsaPlan::info));
    [
        prefixed(&signed),
        range(plan.sdk_outside.or(plan.sdk)),
        prefixed(&signatures),
        prefixed(&public_key),
    ]
    .concat()
}

/// The attribute that proves a rotation through these keys.
pub(crate) fn lineage(keys: &[u8]) -> Vec<u8> {
    lineage_with(keys, 23)
}

/// The same with other rights for every key in it.
pub(crate) fn lineage_with(keys: &[u8], capabilities: u32) -> Vec<u8> {
    let mut value = 1_u32.to_le_bytes().to_vec();
    for (index, key) in keys.iter().enumerate() {
        let parent = index.checked_sub(1).map(|at| keys[at]);
        let algorithm = if parent.is_some() { ECDSA_SHA256 } else { 0 };
        let signed = [&prefixed(&certificate(*key))[..], &algorithm.to_le_bytes()].concat();
        let signature = parent
            .map(|parent| sign(parent, &signed))
            .unwrap_or_default();
        let node = [
            &prefixed(&signed)[..],
            &capabilities.to_le_bytes(),
            &ECDSA_SHA256.to_le_bytes(),
            &prefixed(&signature),
        ]
        .concat();
        value.extend(prefixed(&node));
    }
    value
}

/// The same with a wrong signature in its last step, which ends the value.
pub(crate) fn spoiled_lineage(keys: &[u8]) -> Vec<u8> {
    let mut value = lineage(keys);
    let last = value.len() - 1;
    value[last] ^= 1;
    value
}

pub(crate) fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(bytes.len()).unwrap().to_le_bytes()[..],
        bytes,
    ]
    .concat()
}
