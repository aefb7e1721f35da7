//! Apple's code signature of one slice: code directories, what they seal, and who signed them.
//!
//! Decides whether every page of code and every sealed part is what was signed, and by which certificate. The structures
//! are in `cs_blobs.h` of Apple's kernel; all numbers in them are big-endian.

use crate::certificate::Certificate;
use crate::der::Value;
use crate::finding::{Check, Code, Finding, OrBroken, broken};
use crate::ios::macho::Slice;
use crate::pkcs7::{self, SignedData, SignerInfo};
use crate::plist::Plist;
use crate::public_key::Hash;

const MAGIC_SUPER_BLOB: u32 = 0xfade_0cc0;
const MAGIC_CODE_DIRECTORY: u32 = 0xfade_0c02;
const SLOT_CODE_DIRECTORY: u32 = 0;
const SLOT_REQUIREMENTS: u32 = 2;
const SLOT_ENTITLEMENTS: u32 = 5;
const SLOT_ENTITLEMENTS_DER: u32 = 7;
const SLOTS_ALTERNATE: std::ops::RangeInclusive<u32> = 0x1000..=0x1005;
const SLOT_CMS: u32 = 0x1_0000;
const MAX_BLOBS: usize = 64;
const CDHASH_LENGTH: usize = 20;
const OID_CDHASHES: &str = "1.2.840.113635.100.9.1";

/// What of the bundle around it a code directory seals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sealed<'a> {
    pub(crate) info_plist: Option<&'a [u8]>,
    pub(crate) code_resources: Option<&'a [u8]>,
}

/// A verified code signature.
#[derive(Debug)]
pub(crate) struct CodeSignature {
    pub(crate) identifier: String,
    pub(crate) team_id: Option<String>,
    /// Of each code directory: its hash cut to 20 bytes.
    pub(crate) cdhashes: Vec<[u8; CDHASH_LENGTH]>,
    pub(crate) signer: Certificate,
    /// All certificates that came along, for building the chain.
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) entitlements: Option<Plist>,
}

/// Verifies the signature of one slice.
pub(crate) fn verify(
    slice: &Slice<'_>,
    sealed: Option<Sealed<'_>>,
    findings: &mut Vec<Finding>,
) -> Check<CodeSignature> {
    let (offset, size) = slice
        .signature
        .or_broken(Code::AppleUnsigned, &slice.arch)?;
    let blob = offset
        .checked_add(size)
        .and_then(|end| slice.bytes.get(offset..end))
        .or_broken(Code::AppleSignatureMalformed, "outside of the slice")?;
    let blobs = SuperBlob::parse(blob).or_broken(Code::AppleSignatureMalformed, "super blob")?;
    let directories = blobs.directories()?;
    let primary = directories
        .first()
        .or_broken(Code::AppleSignatureMalformed, "no code directory")?;
    let mut agreed: Option<&CodeDirectory<'_>> = None;
    for directory in &directories {
        directory.check_pages(slice, offset)?;
        directory.check_seals(&blobs, sealed)?;
        let first = agreed.get_or_insert(directory);
        if (first.identifier, first.team_id) != (directory.identifier, directory.team_id) {
            return broken(
                Code::AppleSignatureMalformed,
                "code directories name different apps",
            );
        }
    }
    if directories.iter().all(|directory| directory.hash.is_weak()) {
        findings.push(Finding::new(
            Code::WeakDigest,
            format!("code directory of {}", slice.arch),
        ));
    }
    let cdhashes: Vec<_> = directories.iter().map(CodeDirectory::cdhash).collect();
    let (signer, certificates) = verify_cms(&blobs, primary, &cdhashes)?;
    let entitlements = match blobs.find(SLOT_ENTITLEMENTS) {
        Some(blob) => {
            let list = blob.get(8..).and_then(Plist::parse);
            Some(list.or_broken(Code::AppleSignatureMalformed, "entitlements")?)
        }
        None => None,
    };
    Ok(CodeSignature {
        identifier: primary.identifier.to_owned(),
        team_id: primary.team_id.map(str::to_owned),
        cdhashes,
        signer,
        certificates,
        entitlements,
    })
}

/// The CMS is over the first code directory; the others are bound by their hashes in a signed attribute.
fn verify_cms(
    blobs: &SuperBlob<'_>,
    primary: &CodeDirectory<'_>,
    cdhashes: &[[u8; CDHASH_LENGTH]],
) -> Check<(Certificate, Vec<Certificate>)> {
    let cms = blobs
        .find(SLOT_CMS)
        .and_then(|blob| blob.get(8..))
        .unwrap_or_default();
    if cms.is_empty() {
        return broken(Code::AppleAdHoc, "");
    }
    let data = SignedData::parse(cms).or_broken(Code::AppleCmsMalformed, "")?;
    let [info] = data.signers.as_slice() else {
        return broken(
            Code::AppleCmsMalformed,
            format!("{} signers", data.signers.len()),
        );
    };
    let certificate = data
        .certificate_of(info)
        .or_broken(Code::CertificateMissing, "code signature")?;
    if !message_matches(info, primary.bytes) || !info.verifies(certificate, primary.bytes) {
        return broken(Code::SignatureWrong, "code signature");
    }
    check_bound(info, cdhashes)?;
    Ok((certificate.clone(), data.certificates.clone()))
}

fn message_matches(info: &SignerInfo, message: &[u8]) -> bool {
    if !info.has_attributes() {
        return true;
    }
    let digest = info.attributes().as_deref().and_then(pkcs7::message_digest);
    let hash = pkcs7::hash_by_oid(&info.digest_algorithm);
    matches!((digest, hash), (Some(digest), Some(hash)) if hash.digest(message) == digest)
}

fn check_bound(info: &SignerInfo, cdhashes: &[[u8; CDHASH_LENGTH]]) -> Check<()> {
    let attributes = info.attributes().unwrap_or_default();
    let Some(attribute) = attributes
        .iter()
        .find(|attribute| attribute.oid == OID_CDHASHES)
    else {
        // One code directory is bound by the message digest alone; a second one would hang in the air.
        return if cdhashes.len() == 1 {
            Ok(())
        } else {
            broken(
                Code::AppleCdHashesDiffer,
                "nothing binds the further code directories",
            )
        };
    };
    let list = attribute
        .single()
        .and_then(Value::octets)
        .as_deref()
        .and_then(Plist::parse);
    let signed: Option<Vec<Vec<u8>>> =
        list.as_ref()
            .and_then(|list| list.array("cdhashes"))
            .map(|items| {
                items
                    .iter()
                    .filter_map(|item| {
                        if let Plist::Data(data) = item {
                            Some(data.clone())
                        } else {
                            None
                        }
                    })
                    .collect()
            });
    let same = signed.is_some_and(|signed| {
        signed.len() == cdhashes.len()
            && cdhashes.iter().all(|hash| signed.iter().any(|s| s == hash))
    });
    if same {
        Ok(())
    } else {
        broken(Code::AppleCdHashesDiffer, "")
    }
}

struct SuperBlob<'a> {
    blobs: Vec<(u32, &'a [u8])>,
}

impl<'a> SuperBlob<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::try_from(word(bytes, 4)?).ok()?;
        let bytes = bytes.get(..length)?;
        let count = usize::try_from(word(bytes, 8)?)
            .ok()
            .filter(|count| *count <= MAX_BLOBS)?;
        if word(bytes, 0)? != MAGIC_SUPER_BLOB {
            return None;
        }
        let mut blobs: Vec<(u32, &[u8])> = Vec::new();
        for index in 0..count {
            let at = 12_usize.checked_add(index.checked_mul(8)?)?;
            let slot = word(bytes, at)?;
            let offset = usize::try_from(word(bytes, at.checked_add(4)?)?).ok()?;
            let blob = bytes.get(offset..)?;
            let length = usize::try_from(word(blob, 4)?)
                .ok()
                .filter(|length| *length >= 8)?;
            // Two blobs for one slot: which one counts?
            if blobs.iter().any(|(known, _)| *known == slot) {
                return None;
            }
            blobs.push((slot, blob.get(..length)?));
        }
        Some(Self { blobs })
    }

    fn find(&self, slot: u32) -> Option<&'a [u8]> {
        self.blobs
            .iter()
            .find(|(known, _)| *known == slot)
            .map(|(_, blob)| *blob)
    }

    fn directories(&self) -> Check<Vec<CodeDirectory<'a>>> {
        let slots = std::iter::once(SLOT_CODE_DIRECTORY).chain(SLOTS_ALTERNATE);
        let mut directories = Vec::new();
        for blob in slots.filter_map(|slot| self.find(slot)) {
            let parsed = CodeDirectory::parse(blob);
            directories.push(parsed.or_broken(Code::AppleSignatureMalformed, "code directory")?);
        }
        Ok(directories)
    }
}

struct CodeDirectory<'a> {
    bytes: &'a [u8],
    identifier: &'a str,
    team_id: Option<&'a str>,
    hash: Hash,
    hash_size: usize,
    hash_offset: usize,
    special_slots: usize,
    code_slots: usize,
    code_limit: u64,
    page_size: usize,
}

impl<'a> CodeDirectory<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let number = |at| usize::try_from(word(bytes, at)?).ok();
        if word(bytes, 0)? != MAGIC_CODE_DIRECTORY {
            return None;
        }
        let version = word(bytes, 8)?;
        let (hash, hash_size) = hash_kind(*bytes.get(37)?, *bytes.get(36)?)?;
        // A scatter vector would leave holes in what is covered.
        if version >= 0x2_0100 && word(bytes, 44)? != 0 {
            return None;
        }
        let team = if version >= 0x2_0200 { number(48)? } else { 0 };
        let limit_64 = if version >= 0x2_0300 {
            u64::from_be_bytes(*bytes.get(56..)?.first_chunk()?)
        } else {
            0
        };
        Some(Self {
            bytes,
            identifier: zero_ended(bytes, number(20)?)?,
            team_id: if team == 0 {
                None
            } else {
                Some(zero_ended(bytes, team)?)
            },
            hash,
            hash_size,
            hash_offset: number(16)?,
            special_slots: number(24)?,
            code_slots: number(28)?,
            code_limit: if limit_64 == 0 {
                u64::from(word(bytes, 32)?)
            } else {
                limit_64
            },
            page_size: page_size(*bytes.get(39)?)?,
        })
    }

    fn cdhash(&self) -> [u8; CDHASH_LENGTH] {
        let digest = self.hash.digest(self.bytes);
        digest.first_chunk().copied().unwrap_or_default()
    }

    fn slot(&self, index: usize) -> Option<&'a [u8]> {
        let start = self
            .hash_offset
            .checked_add(index.checked_mul(self.hash_size)?)?;
        self.bytes.get(start..start.checked_add(self.hash_size)?)
    }

    /// The sealed hash of a special slot; zeros mean that nothing is sealed.
    fn special(&self, number: usize) -> Option<&'a [u8]> {
        if number > self.special_slots {
            return None;
        }
        let start = self
            .hash_offset
            .checked_sub(number.checked_mul(self.hash_size)?)?;
        let hash = self.bytes.get(start..start.checked_add(self.hash_size)?)?;
        hash.iter().any(|byte| *byte != 0).then_some(hash)
    }

    fn matches(&self, expected: &[u8], data: &[u8]) -> bool {
        self.hash.digest(data).get(..self.hash_size) == Some(expected)
    }

    /// Every page up to the signature must be covered, and be what was signed.
    fn check_pages(&self, slice: &Slice<'_>, signature_offset: usize) -> Check<()> {
        let limit = usize::try_from(self.code_limit).unwrap_or(usize::MAX);
        if limit != signature_offset {
            return broken(
                Code::AppleCodeUncovered,
                format!("{}: {limit} of {signature_offset} bytes", slice.arch),
            );
        }
        let code = slice
            .bytes
            .get(..limit)
            .or_broken(Code::AppleSignatureMalformed, "code limit")?;
        let pages = code.chunks(self.page_size.min(code.len().max(1)));
        if pages.len() != self.code_slots {
            return broken(
                Code::AppleCodeUncovered,
                format!("{}: {} pages", slice.arch, self.code_slots),
            );
        }
        // What FairPlay has encrypted was signed in clear: the pages cannot match, and nobody but a device can tell.
        if slice.encrypted {
            return Ok(());
        }
        for (index, page) in pages.enumerate() {
            let expected = self
                .slot(index)
                .or_broken(Code::AppleSignatureMalformed, "code slots")?;
            if !self.matches(expected, page) {
                return broken(
                    Code::AppleCodeModified,
                    format!("{}: page {index}", slice.arch),
                );
            }
        }
        Ok(())
    }

    fn check_seals(&self, blobs: &SuperBlob<'_>, sealed: Option<Sealed<'_>>) -> Check<()> {
        let mut seals = Vec::new();
        // Code outside of a bundle has no such files; what it carries inside of itself is covered by its pages.
        if let Some(bundle) = sealed {
            seals.push((1, "Info.plist", bundle.info_plist));
            seals.push((3, "CodeResources", bundle.code_resources));
        }
        seals.extend([
            (2, "requirements", blobs.find(SLOT_REQUIREMENTS)),
            (5, "entitlements", blobs.find(SLOT_ENTITLEMENTS)),
            (7, "DER entitlements", blobs.find(SLOT_ENTITLEMENTS_DER)),
        ]);
        for (number, name, part) in seals {
            let held = match (self.special(number), part) {
                (Some(expected), Some(part)) => self.matches(expected, part),
                (None, None) => true,
                // Sealed but gone, or there but not sealed: both change what the app is without a trace.
                (Some(_), None) | (None, Some(_)) => false,
            };
            if !held {
                return broken(Code::AppleSealBroken, name);
            }
        }
        Ok(())
    }
}

/// No power of two means one page for all.
fn page_size(log2: u8) -> Option<usize> {
    match log2 {
        0 => Some(usize::MAX),
        log2 => 1_usize
            .checked_shl(u32::from(log2))
            .filter(|size| *size <= 1 << 16),
    }
}

fn hash_kind(kind: u8, size: u8) -> Option<(Hash, usize)> {
    Some(match (kind, size) {
        (1, 20) => (Hash::Sha1, 20),
        (2, 32) => (Hash::Sha256, 32),
        (3, 20) => (Hash::Sha256, 20),
        (4, 48) => (Hash::Sha384, 48),
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn zero_ended(bytes: &[u8], at: usize) -> Option<&str> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}
