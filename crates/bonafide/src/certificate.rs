//! One X.509 certificate from a file, PEM or DER, as a person wants to see it named.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::Failure;

/// A certificate that was given in a file.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// Lower-case hex SHA-256 of its DER bytes.
    pub(crate) sha256: String,
    /// Its subject, for people.
    pub(crate) subject: String,
}

impl Certificate {
    /// Reads exactly one certificate.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
        let der = if bytes.starts_with(b"-----") || bytes.windows(11).any(|w| w == b"-----BEGIN ") {
            one_of_pem(path, &bytes)?
        } else {
            bytes
        };
        let (rest, parsed) = x509_parser::parse_x509_certificate(&der)
            .map_err(|_| Failure::usage(format!("{}: no X.509 certificate", path.display())))?;
        if !rest.is_empty() {
            return Err(Failure::usage(format!(
                "{}: {} bytes behind the certificate",
                path.display(),
                rest.len()
            )));
        }
        Ok(Self {
            subject: parsed.subject().to_string(),
            sha256: sha256_hex(&der),
        })
    }
}

fn one_of_pem(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut certificates = CertificateDer::pem_slice_iter(bytes);
    match (certificates.next(), certificates.next()) {
        (Some(Ok(certificate)), None) => Ok(certificate.to_vec()),
        (Some(Ok(_)), Some(_)) => Err(Failure::usage(format!(
            "{}: more than one certificate",
            path.display()
        ))
        .hint("the signing certificate alone is meant")),
        _ => Err(Failure::usage(format!(
            "{}: no PEM certificate",
            path.display()
        ))),
    }
}

/// Lower-case hex SHA-256.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}
