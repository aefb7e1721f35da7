//! Proof of possession (W-5): whether the hardware key signed exactly this.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use bonafide_wire::ids::AccountId;
use bonafide_wire::proof::{Proof, Purpose, signed_bytes};

use super::AppError;

/// What must have been signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// For which route.
    pub purpose: Purpose,
    /// For which tenant.
    pub account: &'a AccountId,
    /// The ticket, or nothing.
    pub attachment: &'a [u8],
    /// The exact payload.
    pub payload: &'a [u8],
}

/// Checks the proof under an uncompressed P-256 point.
pub fn verify(signed: &Signed<'_>, proof: &Proof, point: &[u8]) -> Result<(), AppError> {
    let message = signed_bytes(
        signed.purpose,
        signed.account,
        signed.attachment,
        signed.payload,
    );
    match proof {
        Proof::EcdsaP256Sha256 { signature } => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(&message, signature.as_slice())
                .map_err(|_| AppError::ProofInvalid)
        }
        Proof::AppAttestAssertion { .. } => Err(AppError::ProofInvalid),
    }
}
