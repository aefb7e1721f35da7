//! APK signatures v2 and v3, and the developer's key that makes them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::sha256;
use super::zip::Archive;
use crate::SimulatorError;
use crate::certificate::{Attribute, Certificate, Name, Validity};
use crate::key::{KeyKind, PrivateKey, SavedKey, random};
use crate::phone::storage;

const MAGIC: &[u8; 16] = b"APK Sig Block 42";
const V2: u32 = 0x7109_871a;
const V3: u32 = 0xf053_68c0;
/// In a v2 signature: "a v3 signature must be there too".
const STRIPPING_PROTECTION: u32 = 0xbeef_f00d;
const V3_FROM_SDK: u32 = 28;
const V3_TO_SDK: u32 = 0x7fff_ffff;
const CHUNK: usize = 1 << 20;
const THIRTY_YEARS: i64 = 30 * 365 * 86_400;

/// A developer's signing key with its self-signed certificate.
#[derive(Debug)]
pub struct SigningKey {
    key: PrivateKey,
    certificate: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedSigningKey {
    key: SavedKey,
    certificate: String,
}

impl SigningKey {
    /// A new key; `now` in seconds since 1970.
    pub fn generate(kind: KeyKind, common_name: &str, now: i64) -> Result<Self, SimulatorError> {
        let key = PrivateKey::generate(kind)?;
        let name = Name::new(&[(Attribute::CommonName, common_name)]);
        let certificate = Certificate {
            serial: random::<8>()?.to_vec(),
            issuer: name.clone(),
            subject: name,
            validity: Validity {
                not_before: now,
                not_after: now.saturating_add(THIRTY_YEARS),
            },
            spki: key.spki()?,
            extensions: vec![crate::certificate::signing_key_usage()],
        }
        .sign(&key)?;
        Ok(Self { key, certificate })
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of the certificate: what stands for the developer everywhere.
    pub fn certificate_sha256(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// Writes the key to a file that its owner alone can read.
    pub fn save(&self, path: &Path) -> Result<(), SimulatorError> {
        let saved = SavedSigningKey {
            key: self.key.to_saved(),
            certificate: STANDARD.encode(&self.certificate),
        };
        let text = serde_json::to_vec_pretty(&saved)
            .map_err(|_| SimulatorError::Unreadable("signing key"))?;
        storage::write_private(path, &text)
    }

    /// Reads a key that [`Self::save`] wrote.
    pub fn load(path: &Path) -> Result<Self, SimulatorError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| storage::failed("read", path, source))?;
        let unreadable = || SimulatorError::Unreadable("signing key");
        let saved: SavedSigningKey = serde_json::from_str(&text).map_err(|_| unreadable())?;
        Ok(Self {
            key: PrivateKey::from_saved(&saved.key)?,
            certificate: STANDARD
                .decode(&saved.certificate)
                .map_err(|_| unreadable())?,
        })
    }

    /// The APK signature algorithm id; both content digests are chunked SHA-256.
    fn algorithm(&self) -> Result<u32, SimulatorError> {
        match self.key.kind() {
            KeyKind::EcP256 => Ok(0x0201),
            KeyKind::Rsa2048 => Ok(0x0103),
            KeyKind::EcP384 => Err(SimulatorError::Cryptography(
                "APKs are signed with EC P-256 or RSA here",
            )),
        }
    }
}

/// The signed APK.
pub(super) fn sign(archive: &Archive, key: &SigningKey) -> Result<Vec<u8>, SimulatorError> {
    let block_at = archive.entries.len();
    let end_as_if_unsigned = archive.end_record(block_at)?;
    let digest = content_digest(&[
        &archive.entries,
        &archive.central_directory,
        &end_as_if_unsigned,
    ])?;
    let block = signing_block(&[
        (V2, v2_signers(key, &digest)?),
        (V3, v3_signers(key, &digest)?),
    ])?;
    let end = archive.end_record(block_at + block.len())?;
    Ok([
        archive.entries.as_slice(),
        &block,
        &archive.central_directory,
        &end,
    ]
    .concat())
}

fn signing_block(pairs: &[(u32, Vec<u8>)]) -> Result<Vec<u8>, SimulatorError> {
    let mut body = Vec::new();
    for (id, value) in pairs {
        body.extend_from_slice(&u64_length(value.len() + 4)?);
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(value);
    }
    let size = u64_length(body.len() + 8 + MAGIC.len())?;
    Ok([size.as_slice(), &body, &size, MAGIC].concat())
}

fn v2_signers(key: &SigningKey, digest: &[u8; 32]) -> Result<Vec<u8>, SimulatorError> {
    let protection = [STRIPPING_PROTECTION.to_le_bytes(), 3_u32.to_le_bytes()].concat();
    let signed_data = [
        digests(key, digest)?,
        certificates(key)?,
        prefixed(&prefixed(&protection)?)?,
    ]
    .concat();
    let signer = [
        prefixed(&signed_data)?,
        signatures(key, &signed_data)?,
        prefixed(&key.key.spki()?)?,
    ]
    .concat();
    prefixed(&prefixed(&signer)?)
}

fn v3_signers(key: &SigningKey, digest: &[u8; 32]) -> Result<Vec<u8>, SimulatorError> {
    let range = [V3_FROM_SDK.to_le_bytes(), V3_TO_SDK.to_le_bytes()].concat();
    let signed_data = [
        digests(key, digest)?,
        certificates(key)?,
        range.clone(),
        prefixed(&[])?,
    ]
    .concat();
    let signer = [
        prefixed(&signed_data)?,
        range,
        signatures(key, &signed_data)?,
        prefixed(&key.key.spki()?)?,
    ]
    .concat();
    prefixed(&prefixed(&signer)?)
}

fn digests(key: &SigningKey, digest: &[u8; 32]) -> Result<Vec<u8>, SimulatorError> {
    prefixed(&prefixed(&tagged(key, digest)?)?)
}

fn signatures(key: &SigningKey, signed_data: &[u8]) -> Result<Vec<u8>, SimulatorError> {
    let signature = key.key.sign(signed_data)?;
    prefixed(&prefixed(&tagged(key, &signature)?)?)
}

fn certificates(key: &SigningKey) -> Result<Vec<u8>, SimulatorError> {
    prefixed(&prefixed(&key.certificate)?)
}

/// The algorithm id and a length-prefixed value.
fn tagged(key: &SigningKey, value: &[u8]) -> Result<Vec<u8>, SimulatorError> {
    Ok([key.algorithm()?.to_le_bytes().to_vec(), prefixed(value)?].concat())
}

fn prefixed(value: &[u8]) -> Result<Vec<u8>, SimulatorError> {
    Ok([&u32_length(value.len())?, value].concat())
}

/// The chunked SHA-256 over the three parts: every chunk of a mebibyte hashed, then the hashes.
fn content_digest(parts: &[&[u8]; 3]) -> Result<[u8; 32], SimulatorError> {
    let mut count: u32 = 0;
    let mut hashes = Vec::new();
    for part in parts {
        for chunk in part.chunks(CHUNK) {
            let header = u32_length(chunk.len())?;
            hashes.extend_from_slice(&sha256(&[&[0xa5], header.as_slice(), chunk].concat()));
            count = count.saturating_add(1);
        }
    }
    let top = [&[0x5a], count.to_le_bytes().as_slice(), &hashes].concat();
    Ok(sha256(&top))
}

fn u32_length(length: usize) -> Result<[u8; 4], SimulatorError> {
    u32::try_from(length)
        .map(u32::to_le_bytes)
        .map_err(|_| SimulatorError::TooLarge("the signing block"))
}

fn u64_length(length: usize) -> Result<[u8; 8], SimulatorError> {
    u64::try_from(length)
        .map(u64::to_le_bytes)
        .map_err(|_| SimulatorError::TooLarge("the signing block"))
}
