//! Proof of being the app, for authorization servers: client attestations (rung 1) and client assertions (rung 4).
//!
//! Decides which upstream, issuer, client id, audience, life and algorithm a proof has; a device chooses none of them.
//! Every proof needs a Grant and is in the audit log before it is signed; when that cannot be written, it is withheld.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use bonafide_evidence::Grant;
use bonafide_wire::admin::AssertionAudience;
use bonafide_wire::device::Withheld;
use bonafide_wire::ids::{AccountId, AppId, DeviceId, UpstreamName};
use bonafide_wire::secret::SecretText;
use bonafide_wire::token::Jwk;
use bonafide_wire::upstream::{
    ClientAuthenticationOutcome, ClientAuthenticationWish, InstanceKey, instance_key_bytes,
};
use serde::Serialize;

use super::admin::upstreams::LEAST_HMAC_SECRET;
use super::snapshot::AccountView;
use super::{AppError, Service};
use crate::config::{ClientAuthentication, Upstream};
use crate::keys::Keys;
use crate::keys::client::authenticate_with_secret;
use crate::store::{Actor, AuditEntry};

/// Life of a client attestation, seconds: a revoked device can use one for no longer.
const ATTESTATION_LIFE: i64 = 300;
/// Life of a client assertion, seconds.
const ASSERTION_LIFE: i64 = 60;
/// `typ` of a client attestation (ABCA).
const ATTESTATION_TYPE: &str = "oauth-client-attestation+jwt";

/// An allowed instance at the moment of its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance<'a> {
    pub(super) account: AccountView<'a>,
    pub(super) device: &'a DeviceId,
    /// Uncompressed point of the enrolled key.
    pub(super) enrolled: &'a [u8],
    pub(super) app: &'a AppId,
    pub(super) challenge: &'a [u8],
    pub(super) now: i64,
}

/// Claims of a client attestation, in the shape that every draft of ABCA since -07 takes.
#[derive(Debug, Serialize)]
struct AttestationClaims<'a> {
    iss: String,
    sub: &'a str,
    iat: i64,
    exp: i64,
    cnf: Cnf,
}

#[derive(Debug, Serialize)]
struct Cnf {
    jwk: PublicJwk,
}

/// A public key and nothing else: some servers refuse `use` and `alg` here.
#[derive(Debug, Serialize)]
struct PublicJwk {
    kty: String,
    crv: String,
    x: bonafide_wire::bytes::Base64Url,
    y: bonafide_wire::bytes::Base64Url,
}

/// Claims of a client assertion (RFC 7523 §3).
#[derive(Debug, Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// One outcome per wish, in their order.
pub(super) async fn all(
    service: &Service,
    instance: &Instance<'_>,
    grant: &Grant,
    wishes: &[ClientAuthenticationWish],
) -> Result<Vec<ClientAuthenticationOutcome>, AppError> {
    let mut decided: Vec<_> = wishes
        .iter()
        .map(|wish| (wish, decide(instance, wish, wishes)))
        .collect();
    let entries: Vec<AuditEntry> = decided
        .iter()
        .filter_map(|(wish, upstream)| {
            let upstream = upstream.as_ref().ok()?;
            Some(audit_entry(instance, wish, upstream))
        })
        .collect();
    if !entries.is_empty()
        && let Err(error) = service.store().append_audit(entries).await
    {
        tracing::error!(%error, "client authentications are withheld: they cannot be logged");
        for (_, upstream) in &mut decided {
            *upstream = upstream.and(Err(Withheld::StoreUnavailable));
        }
    }
    decided
        .into_iter()
        .map(|(wish, upstream)| {
            let name = wish.upstream().clone();
            let issued = match upstream {
                Ok(upstream) => issue(service, instance, grant, (wish, upstream))?,
                Err(reason) => Err(reason),
            };
            Ok(match issued {
                Ok((value, expires_at)) => ClientAuthenticationOutcome::Issued {
                    upstream: name,
                    value: bonafide_wire::device::SecretJson(value),
                    expires_at,
                },
                Err(reason) => ClientAuthenticationOutcome::Withheld {
                    upstream: name,
                    reason,
                },
            })
        })
        .collect()
}

/// An upstream as this app may use it.
pub(super) fn upstream_for<'a>(
    account: &AccountView<'a>,
    name: &UpstreamName,
    app: &AppId,
) -> Option<&'a Upstream> {
    let upstream = account.config.upstreams.get(name)?;
    (upstream.apps.is_empty() || upstream.apps.contains(app)).then_some(upstream)
}

fn decide<'a>(
    instance: &Instance<'a>,
    wish: &ClientAuthenticationWish,
    wishes: &[ClientAuthenticationWish],
) -> Result<&'a Upstream, Withheld> {
    let upstream = upstream_for(&instance.account, wish.upstream(), instance.app)
        .ok_or(Withheld::UnknownUpstream)?;
    if !upstream.allows(wish.rung()) {
        return Err(Withheld::RungNotAllowed);
    }
    if let ClientAuthenticationWish::AttestedClient { upstream: at, key } = wish {
        let proven = possesses(
            (instance.account.id, instance.device, at),
            (instance.enrolled, instance.challenge),
            key,
        );
        if !proven || serves_another(wish, key, wishes) {
            return Err(Withheld::InstanceKeyInvalid);
        }
    }
    can_issue(instance, wish, upstream)?;
    Ok(upstream)
}

/// Whether the account has what the proof is made with; so that nothing is on record that was not issued.
fn can_issue(
    instance: &Instance<'_>,
    wish: &ClientAuthenticationWish,
    upstream: &Upstream,
) -> Result<(), Withheld> {
    let account = instance.account;
    let can = match (wish, &upstream.authentication) {
        (ClientAuthenticationWish::AttestedClient { .. }, _) => account.attester().is_some(),
        (_, Some(ClientAuthentication::PrivateKeyJwt { .. })) => {
            account.client_signer(wish.upstream()).is_some()
        }
        (_, Some(ClientAuthentication::ClientSecretJwt { secret })) => {
            let secret = account.config.secrets.get(secret);
            secret.is_some_and(|secret| Keys::secret_length(secret) >= LEAST_HMAC_SECRET)
        }
        _ => false,
    };
    if !can {
        tracing::error!(upstream = %wish.upstream(), "the account lacks what this proof is made with");
        return Err(Withheld::NotConfigured);
    }
    Ok(())
}

/// Whether the instance has that key, and it is not the enrolled one: a key that two servers know is a name by which
/// they recognise the same user.
pub(super) fn possesses(
    (account, device, upstream): (&AccountId, &DeviceId, &UpstreamName),
    (enrolled, challenge): (&[u8], &[u8]),
    key: &InstanceKey,
) -> bool {
    let point = key.public_key.as_slice();
    let message = instance_key_bytes(account, device, upstream, challenge);
    point.len() == 65
        && point != enrolled
        && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(&message, key.proof.as_slice())
            .is_ok()
}

/// Whether the same key is wished for at two servers at once.
fn serves_another(
    wish: &ClientAuthenticationWish,
    key: &InstanceKey,
    wishes: &[ClientAuthenticationWish],
) -> bool {
    wishes.iter().any(|other| match other {
        ClientAuthenticationWish::AttestedClient {
            upstream,
            key: other,
        } => upstream != wish.upstream() && other.public_key == key.public_key,
        ClientAuthenticationWish::ClientAssertion { .. } => false,
    })
}

fn audit_entry(
    instance: &Instance<'_>,
    wish: &ClientAuthenticationWish,
    upstream: &Upstream,
) -> AuditEntry {
    AuditEntry {
        at: instance.now,
        account: Some(instance.account.id.clone()),
        actor: Actor(instance.device.to_string()),
        action: match wish {
            ClientAuthenticationWish::AttestedClient { .. } => "client-attestation.issued",
            ClientAuthenticationWish::ClientAssertion { .. } => "client-assertion.minted",
        },
        object: wish.upstream().to_string(),
        details: serde_json::json!({
            "issuer": upstream.issuer, "client_id": upstream.client_id, "app": instance.app,
        }),
    }
}

type Issued = Result<(SecretText, i64), Withheld>;

fn issue(
    service: &Service,
    instance: &Instance<'_>,
    grant: &Grant,
    (wish, upstream): (&ClientAuthenticationWish, &Upstream),
) -> Result<Issued, AppError> {
    match wish {
        ClientAuthenticationWish::AttestedClient { key, .. } => {
            attestation(service, instance, grant, (upstream, key))
        }
        ClientAuthenticationWish::ClientAssertion { upstream: name } => {
            let minted = assertion(service, instance, grant, (name, upstream))?;
            let expires_at = instance.now.saturating_add(ASSERTION_LIFE);
            Ok(minted.map(|value| (value, expires_at)))
        }
    }
}

fn attestation(
    service: &Service,
    instance: &Instance<'_>,
    grant: &Grant,
    (upstream, key): (&Upstream, &InstanceKey),
) -> Result<Issued, AppError> {
    let Some(signer) = instance.account.attester() else {
        return Ok(Err(Withheld::NotConfigured));
    };
    let Some(jwk) = public_jwk(key.public_key.as_slice()) else {
        return Ok(Err(Withheld::InstanceKeyInvalid));
    };
    let exp = instance.now.saturating_add(ATTESTATION_LIFE);
    let claims = AttestationClaims {
        iss: service.settings().issuer(instance.account.id),
        sub: &upstream.client_id,
        iat: instance.now,
        exp,
        cnf: Cnf { jwk },
    };
    Ok(Ok((signer.sign(grant, ATTESTATION_TYPE, &claims)?, exp)))
}

/// A point as the smallest JWK.
fn public_jwk(point: &[u8]) -> Option<PublicJwk> {
    let Jwk { kty, crv, x, y, .. } = Jwk::from_point(point)?;
    Some(PublicJwk { kty, crv, x, y })
}

/// A client assertion for an upstream: minted for a device, or used by the relay itself.
pub(super) fn assertion(
    service: &Service,
    instance: &Instance<'_>,
    grant: &Grant,
    (name, upstream): (&UpstreamName, &Upstream),
) -> Result<Result<SecretText, Withheld>, AppError> {
    let aud = match &upstream.audience {
        AssertionAudience::Issuer => upstream.issuer.as_str(),
        AssertionAudience::TokenEndpoint => upstream.endpoints.token.as_str(),
        AssertionAudience::Explicit { value } => value,
    };
    let claims = AssertionClaims {
        iss: &upstream.client_id,
        sub: &upstream.client_id,
        aud,
        iat: instance.now,
        exp: instance.now.saturating_add(ASSERTION_LIFE),
        jti: super::release::random_id()?,
    };
    match &upstream.authentication {
        Some(ClientAuthentication::PrivateKeyJwt { .. }) => {
            let Some(signer) = instance.account.client_signer(name) else {
                return Ok(Err(Withheld::NotConfigured));
            };
            Ok(Ok(signer.sign(grant, "JWT", &claims)?))
        }
        Some(ClientAuthentication::ClientSecretJwt { secret: named }) => {
            let account = instance.account;
            let Some(secret) = account.config.secrets.get(named) else {
                return Ok(Err(Withheld::NotConfigured));
            };
            if Keys::secret_length(secret) < LEAST_HMAC_SECRET {
                return Ok(Err(Withheld::NotConfigured));
            }
            let value = service
                .keys()
                .open_secret(grant, account.id, named, secret)?;
            Ok(Ok(authenticate_with_secret(grant, &value, &claims)?))
        }
        _ => Ok(Err(Withheld::NotConfigured)),
    }
}
