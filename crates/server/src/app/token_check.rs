//! Checking attestation tokens for gateways and back ends without a JWT library (W-13).
//!
//! An inactive token is an answer, not an error (RFC 7662 §2.2).

use bonafide_wire::device::{TokenCheckReply, TokenCheckRequest};
use bonafide_wire::envelope::verifies;
use bonafide_wire::ids::AccountId;
use bonafide_wire::token::{Claims, PROFILE, UnverifiedToken};

use super::snapshot::AccountView;
use super::{AppError, Service};
use crate::store::Consumption;

/// Why a token is not active. The codes are API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inactive {
    TokenInvalid,
    TokenExpired,
    TokenNotYetValid,
    AudienceMismatch,
    BindingMismatch,
    TokenConsumed,
}

impl Inactive {
    fn code(self) -> &'static str {
        match self {
            Self::TokenInvalid => "token-invalid",
            Self::TokenExpired => "token-expired",
            Self::TokenNotYetValid => "token-not-yet-valid",
            Self::AudienceMismatch => "audience-mismatch",
            Self::BindingMismatch => "binding-mismatch",
            Self::TokenConsumed => "token-consumed",
        }
    }
}

/// Whether a token is good for that audience now.
pub fn verify(
    service: &Service,
    account: &AccountId,
    request: &TokenCheckRequest,
) -> Result<TokenCheckReply, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    Ok(reply(check(service, &account, request)))
}

/// The same, and active once only for each `jti`.
pub async fn consume(
    service: &Service,
    account: &AccountId,
    request: &TokenCheckRequest,
) -> Result<TokenCheckReply, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    let claims = match check(service, &account, request) {
        Ok(claims) => claims,
        Err(inactive) => return Ok(reply(Err(inactive))),
    };
    let consumed = service
        .store()
        .consume_token(account.id, &claims.jti, claims.exp)
        .await?;
    Ok(reply(match consumed {
        Consumption::First => Ok(claims),
        Consumption::Already => Err(Inactive::TokenConsumed),
    }))
}

fn check(
    service: &Service,
    account: &AccountView<'_>,
    request: &TokenCheckRequest,
) -> Result<Claims, Inactive> {
    let token =
        UnverifiedToken::parse(request.token.expose()).map_err(|_| Inactive::TokenInvalid)?;
    let key = account
        .config
        .signing_keys
        .get(&token.header.kid)
        .ok_or(Inactive::TokenInvalid)?;
    let input = token.signing_input.as_bytes();
    if !verifies(key.public_key.as_slice(), input, &token.signature) {
        return Err(Inactive::TokenInvalid);
    }
    let claims = token.claims().map_err(|_| Inactive::TokenInvalid)?;
    let now = service.now();
    if claims.iss != service.settings().issuer(account.id) || claims.eat_profile != PROFILE {
        Err(Inactive::TokenInvalid)
    } else if now >= claims.exp {
        Err(Inactive::TokenExpired)
    } else if now < claims.nbf {
        Err(Inactive::TokenNotYetValid)
    } else if claims.aud != request.audience.as_str() {
        Err(Inactive::AudienceMismatch)
    } else if claims.bind != request.binding {
        // A token that carries no binding is not good for a request that demands one, and the other way round.
        Err(Inactive::BindingMismatch)
    } else {
        Ok(claims)
    }
}

fn reply(outcome: Result<Claims, Inactive>) -> TokenCheckReply {
    match outcome {
        Ok(claims) => TokenCheckReply {
            active: true,
            code: None,
            claims: Some(claims),
        },
        Err(inactive) => TokenCheckReply {
            active: false,
            code: Some(inactive.code().to_owned()),
            claims: None,
        },
    }
}
