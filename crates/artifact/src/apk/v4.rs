//! APK Signature Scheme v4: the `.idsig` file beside an APK, made for installing while it still streams in.
//!
//! Decides whether the `.idsig` belongs to this APK: its Merkle root is the file's, its signature holds, and it names the
//! signer and content digest of the v2 or v3 signature inside. It adds no identity of its own.

use std::io;

use crate::apk::Apk;
use crate::apk::algorithm::Algorithm;
use crate::apk::content_digest::file_merkle_root;
use crate::apk::signer::Signer;
use crate::apk::signing_block::ID_V31;
use crate::certificate::Certificate;
use crate::cursor::Cursor;
use crate::finding::{Check, Code, Finding, OrBroken, broken, settle};
use crate::inspection::Scheme;
use crate::public_key::PublicKey;
use crate::source::Source;

const VERSION: u32 = 2;
const HASH_SHA256: u32 = 1;
const LOG2_BLOCK: u8 = 12;
const MAX_SALT: usize = 32;

struct IdSig<'a> {
    /// Algorithm, block size, salt and root, as they are signed.
    hashing: &'a [u8],
    salt: &'a [u8],
    root: &'a [u8],
    own: SigningInfo<'a>,
    /// Of v3.1, if there is one.
    rotated: Option<SigningInfo<'a>>,
}

#[derive(Clone, Copy)]
struct SigningInfo<'a> {
    apk_digest: &'a [u8],
    certificate: &'a [u8],
    additional: &'a [u8],
    public_key: &'a [u8],
    algorithm: u32,
    signature: &'a [u8],
}

/// Verifies an `.idsig` file. Findings, or none if it holds.
pub(crate) fn verify(source: &dyn Source, idsig: &[u8], apk: &Apk) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    settle(check(source, idsig, apk), &mut findings)?;
    Ok(findings)
}

fn check(source: &dyn Source, idsig: &[u8], apk: &Apk) -> Check<()> {
    let parsed = IdSig::parse(idsig).or_broken(Code::V4Malformed, "")?;
    if parsed.salt.len() > MAX_SALT {
        return broken(Code::V4Malformed, "salt too long");
    }
    if file_merkle_root(source, parsed.salt)? != parsed.root {
        return broken(Code::V4RootWrong, "");
    }
    verify_info(source.size(), &parsed, parsed.own)?;
    let (older, newer) = (signers(apk, Scheme::V3), signers(apk, Scheme::V31));
    let older = if older.is_empty() {
        signers(apk, Scheme::V2)
    } else {
        older
    };
    compare(parsed.own, older)?;
    match (parsed.rotated, newer) {
        (None, []) => Ok(()),
        (Some(rotated), newer @ [_, ..]) => {
            verify_info(source.size(), &parsed, rotated)?;
            compare(rotated, newer)
        }
        _ => broken(
            Code::V4SignerDiffers,
            "v3.1 and its part of the .idsig must come together",
        ),
    }
}

fn signers(apk: &Apk, scheme: Scheme) -> &[Signer] {
    apk.schemes
        .get(&scheme)
        .map_or(&[], |outcome| &outcome.signers)
}

/// The signature over the file's size, root and digests, with the certificate's own key.
fn verify_info(size: u64, idsig: &IdSig<'_>, info: SigningInfo<'_>) -> Check<()> {
    let certificate =
        Certificate::parse(info.certificate).or_broken(Code::CertificateMalformed, "v4")?;
    if certificate.public_key_info != info.public_key {
        return broken(Code::CertificateKeyDiffers, "v4");
    }
    let algorithm = Algorithm::by_id(info.algorithm)
        .or_broken(Code::SignatureMissing, "v4: none by a known algorithm")?;
    let key = PublicKey::parse(info.public_key).or_broken(Code::PublicKeyUnusable, "v4")?;
    let message = signed_data(size, idsig, info).or_broken(Code::V4Malformed, "too long")?;
    if key.verify(algorithm.padding, algorithm.hash, &message, info.signature) {
        Ok(())
    } else {
        broken(Code::SignatureWrong, "v4")
    }
}

fn signed_data(size: u64, idsig: &IdSig<'_>, info: SigningInfo<'_>) -> Option<Vec<u8>> {
    let mut body = size.to_le_bytes().to_vec();
    body.extend_from_slice(idsig.hashing);
    for part in [info.apk_digest, info.certificate, info.additional] {
        body.extend_from_slice(&u32::try_from(part.len()).ok()?.to_le_bytes());
        body.extend_from_slice(part);
    }
    let whole = u32::try_from(body.len()).ok()?.checked_add(4)?;
    Some([&whole.to_le_bytes()[..], &body].concat())
}

/// The `.idsig` must name the only signer of the scheme inside and its strongest content digest.
fn compare(info: SigningInfo<'_>, signers: &[Signer]) -> Check<()> {
    let [signer] = signers else {
        return broken(
            Code::V4SignerDiffers,
            format!("{} signers inside", signers.len()),
        );
    };
    if signer
        .certificate()
        .is_none_or(|certificate| certificate.der != info.certificate)
    {
        return broken(Code::V4SignerDiffers, signer.scheme.as_str());
    }
    let known = signer
        .digests
        .iter()
        .filter_map(|(id, digest)| Some((Algorithm::by_id(*id)?, digest)));
    let strongest = known
        .max_by_key(|(algorithm, _)| algorithm.strength())
        .map(|(_, digest)| digest);
    if strongest.is_none_or(|digest| digest != info.apk_digest) {
        return broken(Code::V4DigestDiffers, signer.scheme.as_str());
    }
    Ok(())
}

impl<'a> IdSig<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        if cursor.u32()? != VERSION {
            return None;
        }
        let hashing = cursor.prefixed()?;
        let mut fields = Cursor::new(hashing);
        if (fields.u32()?, fields.u8()?) != (HASH_SHA256, LOG2_BLOCK) {
            return None;
        }
        let (salt, root) = (fields.prefixed()?, fields.prefixed()?);
        let mut infos = Cursor::new(cursor.prefixed()?);
        let own = SigningInfo::parse(&mut infos)?;
        let mut rotated = None;
        while !infos.is_empty() {
            let id = infos.u32()?;
            let mut block = Cursor::new(infos.prefixed()?);
            // Another block is of a scheme that this verifier does not know.
            if id != ID_V31 || rotated.is_some() {
                return None;
            }
            rotated = Some(SigningInfo::parse(&mut block)?);
        }
        fields.is_empty().then_some(Self {
            hashing,
            salt,
            root,
            own,
            rotated,
        })
    }
}

impl<'a> SigningInfo<'a> {
    fn parse(cursor: &mut Cursor<'a>) -> Option<Self> {
        Some(Self {
            apk_digest: cursor.prefixed()?,
            certificate: cursor.prefixed()?,
            additional: cursor.prefixed()?,
            public_key: cursor.prefixed()?,
            algorithm: cursor.u32()?,
            signature: cursor.prefixed()?,
        })
    }
}
