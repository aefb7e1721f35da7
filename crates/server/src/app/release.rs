//! What an allowed instance gets: tokens and secrets, each wish with its own outcome (W-12).
//!
//! The releases of secrets are in the audit log before any value is opened; when that cannot be written,
//! secrets are withheld and tokens go on.

use bonafide_evidence::Grant;
use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes;
use bonafide_wire::device::{SecretOutcome, SecretWish, TokenOutcome, TokenWish, Withheld};
use bonafide_wire::ids::AppId;
use bonafide_wire::token::{Claims, Confirmation, EarStatus, Jwk, PROFILE};
use bonafide_wire::upstream::ClientAuthenticationOutcome;

use super::attest::Asking;
use super::client_auth::{self, Instance};
use super::{AppError, Service, enrol};
use crate::config::RuntimeSecret;
use crate::keys::KeyError;
use crate::store::{Actor, AuditEntry};

/// Life of an attestation token, seconds (W-13).
const TOKEN_LIFE: i64 = 300;
/// A verifier's clock may be this much behind, seconds.
const CLOCK_SKEW: i64 = 5;

/// One outcome per wish, in the order of the wishes.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) tokens: Vec<TokenOutcome>,
    pub(super) secrets: Vec<SecretOutcome>,
    pub(super) client_authentications: Vec<ClientAuthenticationOutcome>,
}

/// Signs tokens and opens secrets for a granted request.
pub(super) async fn all(
    service: &Service,
    asking: &Asking<'_>,
    grant: &Grant,
    app: Option<AppId>,
) -> Result<Released, AppError> {
    let secrets = secrets(service, asking, grant, app.as_ref()).await?;
    let app = app.map_or_else(enrol::unregistered, Ok)?;
    let wishes = &asking.payload.tokens;
    let tokens = wishes
        .iter()
        .map(|wish| token(service, asking, grant, (&app, wish)))
        .collect::<Result<_, AppError>>()?;
    let instance = Instance {
        account: asking.account,
        device: &asking.device,
        enrolled: asking.ticket.point()?,
        app: &app,
        challenge: asking.payload.challenge.as_slice(),
        now: asking.now,
    };
    let wishes = &asking.payload.client_authentications;
    let client_authentications = client_auth::all(service, &instance, grant, wishes).await?;
    Ok(Released {
        tokens,
        secrets,
        client_authentications,
    })
}

fn token(
    service: &Service,
    asking: &Asking<'_>,
    grant: &Grant,
    (app, wish): (&AppId, &TokenWish),
) -> Result<TokenOutcome, AppError> {
    let audience = wish.audience.clone();
    let reason = match asking
        .account
        .config
        .apis
        .get(&audience)
        .map(|api| api.token)
    {
        None => Withheld::UnknownApi,
        Some(TokenMode::NoToken) => Withheld::NoTokenApi,
        Some(TokenMode::Token) => return issue(service, asking, grant, (app, wish)),
    };
    Ok(TokenOutcome::Withheld { audience, reason })
}

fn issue(
    service: &Service,
    asking: &Asking<'_>,
    grant: &Grant,
    (app, wish): (&AppId, &TokenWish),
) -> Result<TokenOutcome, AppError> {
    let signer = asking
        .account
        .signer()
        .ok_or_else(|| AppError::Internal("the account has no active signing key".to_owned()))?;
    let point = asking.ticket.point()?;
    let now = asking.now;
    let expires_at = now.saturating_add(TOKEN_LIFE);
    let claims = Claims {
        iss: service.settings().issuer(asking.account.id),
        aud: wish.audience.to_string(),
        sub: asking.device.to_string(),
        iat: now,
        nbf: now.saturating_sub(CLOCK_SKEW),
        exp: expires_at,
        jti: random_id()?,
        app: app.to_string(),
        eat_profile: PROFILE.to_owned(),
        // The signer writes what the grant says.
        ear_status: EarStatus::Warning,
        development: false,
        degraded: service.store_health().is_degraded(),
        bind: wish.binding.clone(),
        cnf: Jwk::from_point(point).map(|jwk| Confirmation { jkt: jwk.kid }),
    };
    Ok(TokenOutcome::Issued {
        audience: wish.audience.clone(),
        token: signer.sign_token(grant, claims)?.into(),
        expires_at,
    })
}

pub(super) fn random_id() -> Result<String, AppError> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| KeyError::Library)?;
    Ok(bytes::encode(random))
}

async fn secrets(
    service: &Service,
    asking: &Asking<'_>,
    grant: &Grant,
    app: Option<&AppId>,
) -> Result<Vec<SecretOutcome>, AppError> {
    let wishes = &asking.payload.secrets;
    let mut decided: Vec<_> = wishes
        .iter()
        .map(|wish| (wish, releasable(asking, wish, app)))
        .collect();
    let entries: Vec<AuditEntry> = decided
        .iter()
        .filter_map(|(wish, secret)| {
            let secret = secret.as_ref().ok()?;
            Some(audit_entry(asking, wish, secret, app))
        })
        .collect();
    if !entries.is_empty()
        && let Err(error) = service.store().append_audit(entries).await
    {
        tracing::error!(%error, "secrets are withheld: their release cannot be logged");
        for (_, secret) in &mut decided {
            *secret = secret.and(Err(Withheld::StoreUnavailable));
        }
    }
    decided
        .into_iter()
        .map(|(wish, secret)| outcome(service, asking, grant, (wish, secret)))
        .collect()
}

/// Whether a secret may go to this app and host.
fn releasable<'a>(
    asking: &Asking<'a>,
    wish: &SecretWish,
    app: Option<&AppId>,
) -> Result<&'a RuntimeSecret, Withheld> {
    let secret = asking
        .account
        .config
        .secrets
        .get(&wish.name)
        .filter(|secret| secret.apps.is_empty() || app.is_some_and(|app| secret.apps.contains(app)))
        .ok_or(Withheld::UnknownSecret)?;
    if asking.account.config.withholds_secret(&wish.name) {
        return Err(Withheld::RungNotAllowed);
    }
    if secret.hosts.contains(&wish.host) {
        Ok(secret)
    } else {
        Err(Withheld::HostNotAllowed)
    }
}

fn audit_entry(
    asking: &Asking<'_>,
    wish: &SecretWish,
    secret: &RuntimeSecret,
    app: Option<&AppId>,
) -> AuditEntry {
    AuditEntry {
        at: asking.now,
        account: Some(asking.account.id.clone()),
        actor: Actor(asking.device.to_string()),
        action: "secret.released",
        object: wish.name.to_string(),
        details: serde_json::json!({
            "host": wish.host,
            "version": secret.version,
            "app": app,
        }),
    }
}

fn outcome(
    service: &Service,
    asking: &Asking<'_>,
    grant: &Grant,
    (wish, secret): (&SecretWish, Result<&RuntimeSecret, Withheld>),
) -> Result<SecretOutcome, AppError> {
    let (name, host) = (wish.name.clone(), wish.host.clone());
    let secret = match secret {
        Ok(secret) => secret,
        Err(reason) => return Ok(SecretOutcome::Withheld { name, host, reason }),
    };
    let value = service
        .keys()
        .open_secret(grant, asking.account.id, &name, secret)?;
    Ok(SecretOutcome::Released {
        name,
        host,
        uses: secret.uses.clone(),
        value: bonafide_wire::device::SecretJson(value),
        version: secret.version,
        expires_at: asking.now.saturating_add(i64::from(secret.life_seconds)),
    })
}
