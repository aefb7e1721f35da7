//! Files that `evidence verify` reads: chains, roots, revocation lists, policies.
//!
//! Decides what counts as readable at all (else exit code 2). Whatever is readable and wrong is a refusal
//! (exit code 1), so a chain's own faults pass through here untouched.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bonafide_evidence::android::{Anchors, RevocationList};
use bonafide_evidence::{Octets, Policy, Sha256Digest};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use crate::error::Failure;

/// Nothing that is read here is larger, revocation lists included.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Reads a file, up to a limit. `-` is stdin.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limited = |source: &mut dyn std::io::Read, bytes: &mut Vec<u8>| {
        source.take(MOST_BYTES + 1).read_to_end(bytes)
    };
    let outcome = if path == Path::new("-") {
        limited(&mut std::io::stdin().lock(), &mut bytes)
    } else {
        File::open(path).and_then(|mut file| limited(&mut file, &mut bytes))
    };
    outcome.map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "{}: larger than 32 MiB",
            path.display()
        )));
    }
    Ok(bytes)
}

/// A certificate chain, leaf first: PEM, or DER certificates one after the other. An empty file is an
/// empty chain, which is readable and genuine nowhere.
pub(super) fn chain(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = read(path)?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    if is_pem(&bytes) {
        return CertificateDer::pem_slice_iter(&bytes)
            .map(|certificate| certificate.map(|der| der.to_vec()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())));
    }
    if bytes.first() != Some(&0x30) {
        let message = format!("{}: neither PEM nor DER certificates", path.display());
        return Err(Failure::usage(message).hint(
            "the chain as PEM, leaf first, or the certificates' DER bytes one after the other",
        ));
    }
    Ok(split_der(&bytes))
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Cuts concatenated DER where each certificate says it ends. What cannot be cut stays in one piece, for
/// the verifier to refuse by name.
fn split_der(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        let (certificate, behind) = rest.split_at(der_length(rest).unwrap_or(rest.len()));
        certificates.push(certificate.to_vec());
        rest = behind;
    }
    certificates
}

/// Bytes of the SEQUENCE at the start, if it is whole.
fn der_length(bytes: &[u8]) -> Option<usize> {
    let (0x30, header) = bytes.split_first().map(|(tag, rest)| (*tag, rest))? else {
        return None;
    };
    let (lead, digits) = header.split_first()?;
    let (content, header_length) = match *lead {
        short @ 0..=0x7F => (usize::from(short), 2),
        long @ 0x81..=0x84 => {
            let count = usize::from(long - 0x80);
            let digits = digits.get(..count)?;
            (
                digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit)),
                2 + count,
            )
        }
        _ => return None,
    };
    let length = content.checked_add(header_length)?;
    (length <= bytes.len()).then_some(length)
}

/// A binary object, raw or in base64. No object of ours starts like base64 text and ends like it.
pub(super) fn object(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes)
        .ok()
        .filter(|text| !text.is_empty());
    Ok(text
        .and_then(|text| base64(text).ok())
        .map_or(bytes.clone(), |octets| octets.0))
}

/// The built-in anchors, or exactly those of the file.
pub(super) fn anchors(
    path: Option<&Path>,
    built_in: impl FnOnce() -> Anchors,
) -> Result<Anchors, Failure> {
    let Some(path) = path else {
        return Ok(built_in());
    };
    let bytes = read(path)?;
    let unreadable = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .map(|root| root.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>();
    let keys = SubjectPublicKeyInfoDer::pem_slice_iter(&bytes)
        .map(|root| root.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>();
    let (mut roots, keys) = certificates
        .and_then(|certificates| Ok((certificates, keys?)))
        .map_err(|error| unreadable(error.to_string()))?;
    roots.extend(keys);
    if roots.is_empty() {
        return Err(unreadable("no PEM certificate or public key".to_owned()));
    }
    roots.iter().try_fold(Anchors::none(), |anchors, root| {
        anchors
            .with_operator(root)
            .map_err(|error| unreadable(error.to_string()))
    })
}

/// The list of the file.
pub(super) fn revocations(path: &Path) -> Result<RevocationList, Failure> {
    RevocationList::parse(&read(path)?)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// The policy of the file.
pub(super) fn policy(path: &Path) -> Result<Policy, Failure> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// For clap: bytes in hexadecimal.
pub(super) fn octets(text: &str) -> Result<Octets, String> {
    text.parse()
        .map_err(|error: bonafide_evidence::HexError| error.to_string())
}

/// For clap: bytes in base64, either alphabet, padded or not.
pub(super) fn base64(text: &str) -> Result<Octets, String> {
    let text: String = text.split_whitespace().collect();
    let plain = text
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    let decoded = STANDARD_NO_PAD
        .decode(plain)
        .map_err(|error| error.to_string())?;
    Ok(Octets(decoded))
}

/// For clap: a SHA-256 digest in hexadecimal, with or without colons as `keytool` writes it.
pub(super) fn sha256(text: &str) -> Result<Sha256Digest, String> {
    let digits = text.replace(':', "");
    digits
        .parse()
        .map_err(|_| "expected 64 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_concatenated_der_and_leaves_rubbish_in_one_piece() {
        let small: &[u8] = &[0x30, 0x01, 0xAA];
        let long: &[u8] = &[&[0x30, 0x81, 0x80][..], &[0; 0x80]].concat();
        assert_eq!(
            split_der(&[small, long, small].concat()),
            [small, long, small]
        );
        assert_eq!(
            split_der(&[small, &[0x00, 0x01]].concat()),
            [small, &[0x00, 0x01]]
        );
        let truncated: &[u8] = &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x00];
        assert_eq!(split_der(truncated), [truncated]);
        let indefinite: &[u8] = &[0x30, 0x80, 0x00, 0x00];
        assert_eq!(split_der(indefinite), [indefinite]);
    }
}
