//! Certificates that operators add, read strictly: one PEM block, DER to the last byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::sha256;
use crate::app::AppError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const MOST_BYTES: usize = 16 * 1024;
const POINTER: &str = "/certificate_pem";

/// What is known of a certificate that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    /// DER.
    pub(super) der: Vec<u8>,
    /// Its subject, for people.
    pub(super) subject: String,
    /// SHA-256 of its key, lower-case hex.
    pub(super) spki_sha256: String,
}

/// Reads one PEM certificate.
pub(super) fn read(pem: &str) -> Result<Read, AppError> {
    let der = der_of(pem).ok_or_else(|| {
        AppError::invalid(
            POINTER,
            format!("must be one PEM certificate ({BEGIN} … {END})"),
        )
    })?;
    describe(der)
}

/// Describes a certificate that was read before.
pub(super) fn describe(der: Vec<u8>) -> Result<Read, AppError> {
    let certificate = parse(&der)?;
    let subject = certificate.subject().to_string();
    let spki_sha256 = hex::encode(sha256(certificate.public_key().raw));
    Ok(Read {
        der,
        subject,
        spki_sha256,
    })
}

/// Reads one PEM certificate of an authority: one that may sign others, and is in force.
pub(super) fn read_authority(pem: &str, now: i64) -> Result<Read, AppError> {
    let read = read(pem)?;
    let certificate = parse(&read.der)?;
    let basic = certificate.basic_constraints().ok().flatten();
    if !basic.is_some_and(|basic| basic.value.ca) {
        return Err(AppError::invalid(
            POINTER,
            "is not of an authority (basicConstraints CA)",
        ));
    }
    let usage = certificate.key_usage().map_err(|_| damaged())?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(AppError::invalid(
            POINTER,
            "may not sign certificates (keyUsage)",
        ));
    }
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
        return Err(AppError::invalid(POINTER, "is not in force now (validity)"));
    }
    Ok(read)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, AppError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(damaged()),
    }
}

fn damaged() -> AppError {
    AppError::invalid(POINTER, "is not one X.509 certificate in DER")
}

fn der_of(pem: &str) -> Option<Vec<u8>> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let text: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(text).ok()?;
    (!der.is_empty() && der.len() <= MOST_BYTES).then_some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_block_and_nothing_else_is_pem() {
        let block = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode([1, 2, 3]));
        assert_eq!(der_of(&block), Some(vec![1, 2, 3]));
        let bad = [
            String::new(),
            format!("{block}{block}"),
            format!("hello\n{block}"),
            block.replace("CERTIFICATE", "PRIVATE KEY"),
            format!("{BEGIN}\n{END}"),
            format!("{BEGIN}\n!!!\n{END}"),
            format!(
                "{BEGIN}\n{}\n{END}",
                STANDARD.encode(vec![0; MOST_BYTES + 1])
            ),
        ];
        for pem in bad {
            assert_eq!(der_of(&pem), None, "{pem:.60}");
        }
        assert!(read(&block).is_err(), "three bytes are no certificate");
    }
}
