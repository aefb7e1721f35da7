//! An order as the call that carries it: the app's client id, its authentication, the upstream's own endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_wire::ids::SecretName;
use bonafide_wire::secret::SecretText;
use bonafide_wire::upstream::RelayOrder;
use zeroize::Zeroizing;

use super::form::{Form, encoded};
use super::{AppError, Relaying};
use crate::app::client_auth;
use crate::app::snapshot::AccountView;
use crate::config::{ClientAuthentication, Upstream};
use crate::upstream::Call;

/// Largest answer, bytes: tokens are far smaller.
const MOST_ANSWER: usize = 64 * 1024;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A call, and what of it must never come back.
pub(super) struct Authenticated {
    pub(super) call: Call,
    pub(super) secrets: Vec<SecretText>,
}

pub(super) fn call(
    relaying: &Relaying,
    account: &AccountView<'_>,
    (upstream, opened): (&Upstream, Option<&SecretText>),
) -> Result<Authenticated, AppError> {
    let mut secrets = Vec::new();
    let order = &relaying.payload.request;
    let endpoint = match order {
        RelayOrder::Revoke { .. } => upstream
            .endpoints
            .revocation
            .as_ref()
            .ok_or(AppError::NotFound("revocation endpoint"))?,
        _ => &upstream.endpoints.token,
    };
    let mut form = ordered(order, opened);
    let mut basic = None;
    let authentication = upstream
        .authentication
        .as_ref()
        .ok_or_else(|| not_configured("no client authentication"))?;
    match authentication {
        ClientAuthentication::ClientSecretBasic { secret } => {
            let value = open(relaying, account, secret)?;
            let credentials = basic_credentials(&upstream.client_id, &value);
            secrets.push(SecretText::new(credentials.to_string()));
            basic = Some(credentials);
            secrets.push(value);
        }
        ClientAuthentication::ClientSecretPost { secret } => {
            let value = open(relaying, account, secret)?;
            form = form
                .field("client_id", &upstream.client_id)
                .field("client_secret", value.expose());
            secrets.push(value);
        }
        ClientAuthentication::ClientSecretJwt { .. }
        | ClientAuthentication::PrivateKeyJwt { .. } => {
            let named = (&relaying.payload.upstream, upstream);
            let instance = relaying.instance(*account);
            let minted =
                client_auth::assertion(&relaying.service, &instance, &relaying.grant, named)?;
            let assertion = minted.map_err(|reason| not_configured(reason.as_str()))?;
            form = form
                .field("client_id", &upstream.client_id)
                .field("client_assertion_type", JWT_BEARER)
                .field("client_assertion", assertion.expose());
            secrets.push(assertion);
        }
    }
    let mut call = Call::post_form(endpoint.as_str(), form.into_bytes()).at_most(MOST_ANSWER);
    if let Some(credentials) = basic {
        call = call.header("authorization", format!("Basic {}", *credentials));
    }
    if let Some(dpop) = &relaying.payload.dpop {
        call = call.header("dpop", dpop.clone());
    }
    Ok(Authenticated { call, secrets })
}

fn ordered(order: &RelayOrder, opened: Option<&SecretText>) -> Form {
    match order {
        RelayOrder::AuthorizationCode {
            code,
            redirect_uri,
            code_verifier,
        } => Form::new()
            .field("grant_type", "authorization_code")
            .field("code", code.0.expose())
            .field("redirect_uri", redirect_uri)
            .field("code_verifier", code_verifier.0.expose()),
        RelayOrder::RefreshToken {
            refresh_token,
            scope,
        } => {
            let token = opened.unwrap_or(&refresh_token.0);
            let form = Form::new()
                .field("grant_type", "refresh_token")
                .field("refresh_token", token.expose());
            match scope {
                Some(scope) => form.field("scope", scope),
                None => form,
            }
        }
        RelayOrder::Revoke {
            token,
            token_type_hint,
        } => Form::new()
            .field("token", opened.unwrap_or(&token.0).expose())
            .field("token_type_hint", token_type_hint.as_str()),
        RelayOrder::Register { .. } => Form::new(),
    }
}

/// Form-encoded before Base64 (RFC 6749 §2.3.1).
fn basic_credentials(client_id: &str, secret: &SecretText) -> Zeroizing<String> {
    let mut pair = encoded(client_id);
    pair.push(b':');
    let pair = Zeroizing::new([pair.as_slice(), &encoded(secret.expose())].concat());
    Zeroizing::new(STANDARD.encode(&*pair))
}

/// A runtime secret of the upstream, for this one call.
pub(super) fn open(
    relaying: &Relaying,
    account: &AccountView<'_>,
    name: &SecretName,
) -> Result<SecretText, AppError> {
    let secret = account.config.secrets.get(name);
    let secret = secret.ok_or_else(|| not_configured("its secret is gone"))?;
    let keys = relaying.service.keys();
    Ok(keys.open_secret(&relaying.grant, account.id, name, secret)?)
}

/// The operator's fault, and nobody else's business.
fn not_configured(what: &str) -> AppError {
    AppError::Internal(format!("an upstream cannot be spoken to: {what}"))
}
