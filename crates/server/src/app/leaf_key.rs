//! The key that evidence *claims* to attest, read before anything is authenticated.
//!
//! The proof of possession is checked first because it is cheap; the same key is compared again with the
//! facts once the evidence is authentic, so nothing is believed here.

use bonafide_evidence::Reject;
use bonafide_evidence::android::MAX_CERTIFICATE_BYTES;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The uncompressed P-256 point in the first certificate.
pub(super) fn p256_point(chain: &[Vec<u8>]) -> Result<Vec<u8>, Reject> {
    let leaf = chain.first().ok_or(Reject::ChainTooShort)?;
    if leaf.len() > MAX_CERTIFICATE_BYTES {
        return Err(Reject::CertificateTooLarge { position: 0 });
    }
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| Reject::CertificateMalformed {
            position: 0,
            reason: "not an X.509 certificate",
        })?;
    let point = &certificate.public_key().subject_public_key.data;
    // Another curve with a point of this length does not verify the proof.
    if point.len() == 65 && point.first() == Some(&4) {
        Ok(point.to_vec())
    } else {
        Err(Reject::KeyAlgorithmUnsupported)
    }
}
