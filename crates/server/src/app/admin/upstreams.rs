//! Upstreams: the authorization servers that the account's apps log in at, and how the service speaks for the app there.
//!
//! Decides what a consistent upstream is: endpoints that the server itself names, a secret that exists and is strong
//! enough, rungs that can work with what was given. A change is in the trust bundle that is signed with it.

use bonafide_wire::admin::{
    AssertionAudience, ClientAuthenticationView, Page, PutClientAuthentication, PutUpstream,
    UpstreamEndpoints, UpstreamView,
};
use bonafide_wire::ids::{AppId, SecretName, UpstreamName};
use bonafide_wire::upstream::Rung;

use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, change};
use crate::app::discovered::{self, DiscoveryFailure};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, ClientAuthentication, ClientKey, Upstream};
use crate::keys::Keys;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

const MOST_CLIENT_ID: usize = 256;
const MOST_REDIRECT_URIS: usize = 16;
const MOST_URI: usize = 512;
const MOST_AUDIENCE: usize = 512;
/// RFC 7518 §3.2: a key for HS256 has at least the size of the hash.
pub(in crate::app) const LEAST_HMAC_SECRET: usize = 32;

/// Makes the upstream, or replaces it. `unchanged` is the version it must still have.
pub async fn put(
    service: &Service,
    scope: &Scope,
    name: &UpstreamName,
    (put, unchanged): (PutUpstream, Option<u64>),
) -> Result<UpstreamView, AppError> {
    check(&put)?;
    let endpoints = endpoints(service, &put).await?;
    check_endpoints(&put, &endpoints)?;
    let imported = imported_key(service, scope, name, &put)?;
    let now = service.now();
    change(service, scope, |account| {
        let before = account.upstreams.get(name);
        if unchanged.is_some() && unchanged != before.map(|before| before.version) {
            return Err(AppError::PreconditionFailed);
        }
        known(account, &put)?;
        let authentication = match &put.authentication {
            None => None,
            Some(given) => Some(authentication(
                service,
                scope,
                (name, before),
                given,
                imported.as_ref(),
            )?),
        };
        let upstream = Upstream {
            issuer: put.issuer.clone(),
            client_id: put.client_id.clone(),
            rungs: sorted(&put.rungs),
            endpoints: endpoints.clone(),
            authentication,
            audience: put.audience.clone().unwrap_or(AssertionAudience::Issuer),
            apps: put.apps.clone().unwrap_or_default(),
            redirect_uris: put.redirect_uris.clone().unwrap_or_default(),
            keep_refresh_tokens: put.keep_refresh_tokens.unwrap_or(false),
            registration_secret: put.registration_secret.clone(),
            version: before.map_or(0, |before| before.version).saturating_add(1),
            updated_at: now,
        };
        step(service, scope, account, (name, upstream))
    })
    .await
}

fn step(
    service: &Service,
    scope: &Scope,
    account: &AccountConfig,
    (name, upstream): (&UpstreamName, Upstream),
) -> Result<Step<UpstreamView>, AppError> {
    let action = match account.upstreams.get(name) {
        None => "upstream.added",
        Some(_) => "upstream.changed",
    };
    let details = serde_json::json!({
        "issuer": upstream.issuer, "client_id": upstream.client_id, "rungs": upstream.rungs,
        "token_endpoint": upstream.endpoints.token, "version": upstream.version,
        "authentication": upstream.authentication.as_ref().map(ClientAuthentication::method),
        "secret": upstream.authentication.as_ref().and_then(ClientAuthentication::secret),
        "redirect_uris": upstream.redirect_uris, "apps": upstream.apps,
        "keep_refresh_tokens": upstream.keep_refresh_tokens,
    });
    let key = ObjectKey::of(&scope.account, ObjectKind::Upstream, name.as_str());
    let mut step = Step::new(action, name, view(name, &upstream))
        .write(Write::put(key, Expectation::Any, &upstream)?)
        .details(details);
    let attests = upstream.allows(Rung::AttestedClient) || upstream.allows(Rung::OwnRegistration);
    if attests && account.attester_keys.is_empty() {
        let (kid, key) = service
            .keys()
            .generate_attester_key(&scope.account, upstream.updated_at)?;
        let at = ObjectKey::of(&scope.account, ObjectKind::AttesterKey, kid);
        step = step.write(Write::put(at, Expectation::Any, &key)?);
    }
    let mut after = account.clone();
    after.upstreams.insert(name.clone(), upstream);
    Ok(step.trust(after))
}

fn sorted(rungs: &[Rung]) -> Vec<Rung> {
    let mut rungs = rungs.to_vec();
    rungs.sort_unstable();
    rungs
}

fn check(put: &PutUpstream) -> Result<(), AppError> {
    let mut rules = Rules::new();
    let printable = |text: &str| text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if !(1..=MOST_CLIENT_ID).contains(&put.client_id.len()) || !printable(&put.client_id) {
        rules.broken(
            "/client_id",
            "must have 1 to 256 printable ASCII characters",
        );
    }
    rules.list("/rungs", &put.rungs, 1..=Rung::ALL.len());
    rules.list("/apps", put.apps.as_deref().unwrap_or_default(), 0..=100);
    let redirects = put.redirect_uris.as_deref().unwrap_or_default();
    rules.list("/redirect_uris", redirects, 0..=MOST_REDIRECT_URIS);
    for (at, uri) in redirects.iter().enumerate() {
        let fits = (3..=MOST_URI).contains(&uri.len())
            && uri.bytes().all(|b| b.is_ascii_graphic())
            && uri.contains(':')
            && !uri.contains('#');
        if !fits {
            let message = "must be an absolute URI without fragment, at most 512 bytes";
            rules.broken(format!("/redirect_uris/{at}"), message);
        }
    }
    if let Some(AssertionAudience::Explicit { value }) = &put.audience
        && (!(1..=MOST_AUDIENCE).contains(&value.len()) || !printable(value))
    {
        rules.broken(
            "/audience/value",
            "must have 1 to 512 printable ASCII characters",
        );
    }
    rungs_have_what_they_need(put, &mut rules);
    rules.held()
}

fn rungs_have_what_they_need(put: &PutUpstream, rules: &mut Rules) {
    use PutClientAuthentication as Given;
    for (at, rung) in put.rungs.iter().enumerate() {
        let lacks = match (rung, &put.authentication) {
            (Rung::AttestedClient | Rung::OwnRegistration, _)
            | (Rung::Relay, Some(_))
            | (
                Rung::MintedAssertion,
                Some(Given::ClientSecretJwt { .. } | Given::PrivateKeyJwt { .. }),
            )
            | (
                Rung::DeliveredSecret,
                Some(Given::ClientSecretBasic { .. } | Given::ClientSecretPost { .. }),
            ) => None,
            (Rung::Relay, None) => Some("needs a client authentication"),
            (Rung::MintedAssertion, _) => {
                Some("needs the authentication private_key_jwt or client_secret_jwt")
            }
            (Rung::DeliveredSecret, _) => {
                Some("needs the authentication client_secret_basic or client_secret_post")
            }
        };
        let redirects = put.redirect_uris.as_deref().unwrap_or_default();
        let lacks = lacks.or_else(|| {
            let wants = matches!(rung, Rung::Relay | Rung::OwnRegistration);
            (wants && redirects.is_empty()).then_some("needs redirect URIs")
        });
        if let Some(what) = lacks {
            rules.broken(format!("/rungs/{at}"), format!("{rung} {what}"));
        }
    }
}

/// Endpoints come from the server's own metadata, or from the operator.
async fn endpoints(service: &Service, put: &PutUpstream) -> Result<UpstreamEndpoints, AppError> {
    if let Some(given) = &put.endpoints {
        return Ok(given.clone());
    }
    match discovered::discover(service.outbound(), &put.issuer).await {
        Ok(found) => Ok(found.endpoints),
        Err(failure) => Err(not_discovered(failure)),
    }
}

/// What an operator is told when a server cannot be discovered.
pub(super) fn not_discovered(failure: DiscoveryFailure) -> AppError {
    match failure {
        DiscoveryFailure::Upstream(error) => AppError::from(error),
        other => AppError::invalid("/issuer", other.to_string()),
    }
}

fn check_endpoints(put: &PutUpstream, endpoints: &UpstreamEndpoints) -> Result<(), AppError> {
    let mut rules = Rules::new();
    if put.rungs.contains(&Rung::OwnRegistration) && endpoints.registration.is_none() {
        rules.broken(
            "/rungs",
            "own-registration needs a server with a registration endpoint",
        );
    }
    rules.held()
}

/// A key that came with the request, read before anything is planned.
fn imported_key(
    service: &Service,
    scope: &Scope,
    name: &UpstreamName,
    put: &PutUpstream,
) -> Result<Option<ClientKey>, AppError> {
    let Some(PutClientAuthentication::PrivateKeyJwt {
        private_key_pem: Some(pem),
    }) = &put.authentication
    else {
        return Ok(None);
    };
    let key = service.keys().client_key(&scope.account, name, Some(pem))?;
    key.map(Some)
        .map_err(|reject| AppError::invalid("/authentication/private_key_pem", reject.to_string()))
}

/// The authentication as it is kept. A key that is there stays, unless another one is given.
fn authentication(
    service: &Service,
    scope: &Scope,
    (name, before): (&UpstreamName, Option<&Upstream>),
    given: &PutClientAuthentication,
    imported: Option<&ClientKey>,
) -> Result<ClientAuthentication, AppError> {
    use ClientAuthentication as Kept;
    use PutClientAuthentication as Given;
    Ok(match given {
        Given::ClientSecretBasic { secret } => Kept::ClientSecretBasic {
            secret: secret.clone(),
        },
        Given::ClientSecretPost { secret } => Kept::ClientSecretPost {
            secret: secret.clone(),
        },
        Given::ClientSecretJwt { secret } => Kept::ClientSecretJwt {
            secret: secret.clone(),
        },
        Given::PrivateKeyJwt { .. } => {
            let held = before.and_then(|before| match &before.authentication {
                Some(Kept::PrivateKeyJwt { key }) => Some(key.clone()),
                _ => None,
            });
            let key = match imported.cloned().or(held) {
                Some(key) => key,
                None => service
                    .keys()
                    .client_key(&scope.account, name, None)?
                    .map_err(|reject| AppError::Internal(reject.to_string()))?,
            };
            Kept::PrivateKeyJwt { key }
        }
    })
}

/// Whether the account has what the upstream names.
fn known(account: &AccountConfig, put: &PutUpstream) -> Result<(), AppError> {
    use PutClientAuthentication as Given;
    let mut rules = Rules::new();
    for (at, app) in put.apps.iter().flatten().enumerate() {
        if !account.apps.contains_key(app) {
            rules.broken(format!("/apps/{at}"), "there is no such app");
        }
    }
    let absent = |name: &SecretName| !account.secrets.contains_key(name);
    match &put.authentication {
        Some(
            Given::ClientSecretBasic { secret }
            | Given::ClientSecretPost { secret }
            | Given::ClientSecretJwt { secret },
        ) if absent(secret) => {
            let message = "there is no such secret; `bonafide secret add` first";
            rules.broken("/authentication/secret", message);
        }
        Some(Given::ClientSecretJwt { secret }) if is_weak(account, secret) => {
            rules.broken("/authentication/secret", WEAK);
        }
        _ => {}
    }
    if put.registration_secret.as_ref().is_some_and(absent) {
        rules.broken("/registration_secret", "there is no such secret");
    }
    rules.held()
}

/// What is wrong with a short secret.
pub(super) const WEAK: &str =
    "client_secret_jwt needs a secret of at least 32 bytes (RFC 7518 section 3.2)";

fn is_weak(account: &AccountConfig, name: &SecretName) -> bool {
    let secret = account.secrets.get(name);
    secret.is_some_and(|secret| Keys::secret_length(secret) < LEAST_HMAC_SECRET)
}

/// The upstreams that a secret serves, as an operator reads them.
pub(super) fn users_of_secret(account: &AccountConfig, name: &SecretName) -> Vec<String> {
    let users = account.upstreams.iter();
    users
        .filter(|(_, upstream)| upstream.uses_secret(name))
        .map(|(upstream, _)| upstream.to_string())
        .collect()
}

/// Whether a secret must be long enough for HS256.
pub(super) fn authenticates_jwts(account: &AccountConfig, name: &SecretName) -> bool {
    account.upstreams.values().any(|upstream| {
        matches!(&upstream.authentication, Some(ClientAuthentication::ClientSecretJwt { secret }) if secret == name)
    })
}

/// Whether an upstream names an app.
pub(super) fn names_app(account: &AccountConfig, app: &AppId) -> bool {
    account
        .upstreams
        .values()
        .any(|upstream| upstream.apps.contains(app))
}

/// All of them.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<UpstreamView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.upstreams, view)
}

/// One.
pub fn read(
    service: &Service,
    scope: &Scope,
    name: &UpstreamName,
) -> Result<UpstreamView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let upstream = account.config.upstreams.get(name);
    upstream
        .map(|upstream| view(name, upstream))
        .ok_or(AppError::NotFound("upstream"))
}

/// Removes one: its client key is gone for good, its kept refresh tokens mean nothing any more.
pub async fn remove(
    service: &Service,
    scope: &Scope,
    name: &UpstreamName,
    unchanged: Option<u64>,
) -> Result<(), AppError> {
    change(service, scope, |account| {
        let mut after = account.clone();
        let upstream = after
            .upstreams
            .remove(name)
            .ok_or(AppError::NotFound("upstream"))?;
        if unchanged.is_some_and(|version| version != upstream.version) {
            return Err(AppError::PreconditionFailed);
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::Upstream, name.as_str());
        Ok(Step::new("upstream.removed", name, ())
            .write(Write::delete(key, Expectation::Present))
            .details(serde_json::json!({ "version": upstream.version, "issuer": upstream.issuer }))
            .trust(after))
    })
    .await
}

fn view(name: &UpstreamName, upstream: &Upstream) -> UpstreamView {
    use ClientAuthentication as Kept;
    use ClientAuthenticationView as View;
    let authentication = upstream.authentication.clone().map(|kept| match kept {
        Kept::ClientSecretBasic { secret } => View::ClientSecretBasic { secret },
        Kept::ClientSecretPost { secret } => View::ClientSecretPost { secret },
        Kept::ClientSecretJwt { secret } => View::ClientSecretJwt { secret },
        Kept::PrivateKeyJwt { key } => View::PrivateKeyJwt { jwk: key.jwk },
    });
    UpstreamView {
        name: name.clone(),
        issuer: upstream.issuer.clone(),
        client_id: upstream.client_id.clone(),
        rungs: upstream.rungs.clone(),
        endpoints: upstream.endpoints.clone(),
        authentication,
        audience: upstream.audience.clone(),
        apps: upstream.apps.clone(),
        redirect_uris: upstream.redirect_uris.clone(),
        keep_refresh_tokens: upstream.keep_refresh_tokens,
        registration_secret: upstream.registration_secret.clone(),
        version: upstream.version,
        updated_at: upstream.updated_at,
    }
}
