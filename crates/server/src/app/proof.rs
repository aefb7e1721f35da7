//! Proof of possession (W-5): whether the hardware key signed exactly this.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use bonafide_evidence::Reject;
use bonafide_evidence::apple::{Assertion, AssertionFacts, verify_assertion};
use bonafide_wire::ids::AccountId;
use bonafide_wire::proof::{Proof, Purpose, sha256, signed_bytes};

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

/// The key that must have signed, and how its platform lets it sign. Each has one kind of proof.
#[derive(Debug, Clone, Copy)]
pub enum Holder<'a> {
    /// It signs bytes.
    Signing {
        /// Uncompressed P-256.
        point: &'a [u8],
    },
    /// It asserts, as App Attest's keys do.
    Asserting {
        /// Uncompressed P-256.
        point: &'a [u8],
        /// `TEAMID.bundle.identifier`.
        app_id: &'a str,
        /// The counter of its last assertion.
        counter: u32,
    },
}

/// What a good proof says beside that it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// Nothing.
    Signed,
    /// The assertion's counter, and how the app was released.
    Asserted(AssertionFacts),
}

/// Checks a proof.
pub fn verify(signed: &Signed<'_>, proof: &Proof, holder: &Holder<'_>) -> Result<Proven, AppError> {
    let message = signed_bytes(
        signed.purpose,
        signed.account,
        signed.attachment,
        signed.payload,
    );
    match (proof, holder) {
        (Proof::EcdsaP256Sha256 { signature }, Holder::Signing { point }) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(&message, signature.as_slice())
                .map_err(|_| AppError::ProofInvalid)?;
            Ok(Proven::Signed)
        }
        (
            Proof::AppAttestAssertion { assertion },
            Holder::Asserting {
                point,
                app_id,
                counter,
            },
        ) => {
            let asserted = verify_assertion(&Assertion {
                object: assertion.as_slice(),
                app_id,
                client_data_hash: &sha256(&message),
                public_key: point,
                previous_counter: *counter,
            });
            asserted
                .map(Proven::Asserted)
                .map_err(|reject| match reject {
                    Reject::CounterNotGreater => AppError::CounterNotGreater,
                    _ => AppError::ProofInvalid,
                })
        }
        (Proof::EcdsaP256Sha256 { .. }, Holder::Asserting { .. })
        | (Proof::AppAttestAssertion { .. }, Holder::Signing { .. }) => Err(AppError::ProofInvalid),
    }
}
