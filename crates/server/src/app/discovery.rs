//! What a JWT library must know of an issuer (OpenID Connect Discovery 1.0, RFC 8414).
//!
//! Several gateways refuse to start without these names although no login ever happens here.

use bonafide_wire::ids::AccountId;
use serde::Serialize;

use super::{AppError, Service};

/// The discovery document.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Discovery {
    /// The account's URL, byte for byte `iss`.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// `ES256` only.
    pub id_token_signing_alg_values_supported: [&'static str; 1],
    /// Nobody logs in here; the member is compulsory.
    pub response_types_supported: [&'static str; 1],
    /// Device ids differ per account.
    pub subject_types_supported: [&'static str; 1],
    /// Where instances attest; the member is compulsory in some gateways.
    pub token_endpoint: String,
}

/// An account's discovery document.
pub fn discovery(service: &Service, account: &AccountId) -> Result<Discovery, AppError> {
    service.snapshot().account(account)?;
    let issuer = service.settings().issuer(account);
    Ok(Discovery {
        jwks_uri: format!("{issuer}/jwks.json"),
        token_endpoint: format!("{issuer}/attestations"),
        issuer,
        id_token_signing_alg_values_supported: ["ES256"],
        response_types_supported: ["id_token"],
        subject_types_supported: ["pairwise"],
    })
}
