//! The token endpoint: who calls is settled first, then what for. The client secret is demanded even with PKCE.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::form::{self, Form, field};
use super::google_error::{self, TokenRefusal};
use crate::ISSUER;
use crate::clock;
use crate::grants::{ACCESS_SECONDS, Bearer, GrantReject, Issued, Redemption, Rotation};
use crate::options::User;
use crate::running::Shared;
use crate::secret::{base64url, sha256};

/// `POST /token`.
pub(super) async fn exchange(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer(&shared, &headers, &body) {
        Ok(body) => google_error::json(StatusCode::OK, &body),
        Err(refusal) => refusal.render(),
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Value, TokenRefusal> {
    let form = form::read(body)
        .map_err(|_| TokenRefusal::bad("invalid_request", "A parameter is repeated."))?;
    let now = clock::now();
    let presented = credentials(headers, &form)?;
    authenticate(shared, &presented, now)?;
    let bearer = Bearer::client(&presented.client_id);
    let issued = match field(&form, "grant_type") {
        "authorization_code" => {
            let redemption = Redemption {
                code: field(&form, "code"),
                redirect_uri: field(&form, "redirect_uri"),
                verifier: form.get("code_verifier").map(String::as_str),
                bearer,
            };
            shared.grants().redeem(redemption, now)
        }
        "refresh_token" => {
            let token = (field(&form, "refresh_token"), Rotation::None);
            shared.grants().refresh(token, bearer, now)
        }
        _ => {
            return Err(TokenRefusal::bad(
                "unsupported_grant_type",
                "Invalid grant_type.",
            ));
        }
    };
    tokens(shared, issued.map_err(refusal)?, now)
}

struct Credentials {
    client_id: String,
    client_secret: Option<String>,
}

/// In the header or in the body, not in both (RFC 6749 §2.3).
fn credentials(headers: &HeaderMap, form: &Form) -> Result<Credentials, TokenRefusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Credentials {
            client_id: field(form, "client_id").to_owned(),
            client_secret: form.get("client_secret").cloned(),
        });
    };
    if form.contains_key("client_secret") {
        return Err(TokenRefusal::bad(
            "invalid_request",
            "The client authenticates in more than one way.",
        ));
    }
    value
        .to_str()
        .ok()
        .and_then(basic)
        .map(|(client_id, secret)| Credentials {
            client_id,
            client_secret: Some(secret),
        })
        .ok_or_else(|| TokenRefusal::client("Unauthorized"))
}

/// Id and secret of an `Authorization: Basic` value (RFC 6749 §2.3.1).
pub(crate) fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("v={text}");
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    Some(value.into_owned())
}

fn authenticate(shared: &Shared, presented: &Credentials, now: i64) -> Result<(), TokenRefusal> {
    let client = shared.client();
    if presented.client_id.is_empty() {
        return Err(TokenRefusal::bad(
            "invalid_request",
            "Could not determine client ID from request.",
        ));
    }
    if presented.client_id != client.id {
        return Err(TokenRefusal::client("The OAuth client was not found."));
    }
    match &presented.client_secret {
        None => Err(TokenRefusal::bad(
            "invalid_request",
            "client_secret is missing.",
        )),
        Some(secret) if client.accepts(secret, now) => Ok(()),
        Some(_) => Err(TokenRefusal::client(
            "The provided client secret is invalid.",
        )),
    }
}

fn refusal(reject: GrantReject) -> TokenRefusal {
    match reject {
        GrantReject::MalformedCode => TokenRefusal::bad("invalid_grant", "Malformed auth code."),
        GrantReject::Spent | GrantReject::HolderMismatch => {
            TokenRefusal::bad("invalid_grant", "Bad Request")
        }
        GrantReject::RedirectMismatch => TokenRefusal::bad("redirect_uri_mismatch", "Bad Request"),
        GrantReject::VerifierMissing => {
            TokenRefusal::bad("invalid_grant", "Missing code verifier.")
        }
        GrantReject::VerifierWrong => TokenRefusal::bad("invalid_grant", "Invalid code verifier."),
        GrantReject::RefreshRevoked => {
            TokenRefusal::bad("invalid_grant", "Token has been expired or revoked.")
        }
    }
}

fn tokens(shared: &Shared, issued: Issued, now: i64) -> Result<Value, TokenRefusal> {
    let client_id = shared.client().id.clone();
    let failed = TokenRefusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: "server_error",
        description: "Internal Server Error".to_owned(),
    };
    token_body(shared, issued, (ISSUER, &client_id), now).ok_or(failed)
}

/// The answer of a token endpoint; `None` if nothing could be signed.
pub(crate) fn token_body(
    shared: &Shared,
    issued: Issued,
    (server, client_id): (&str, &str),
    now: i64,
) -> Option<Value> {
    let token_type = issued.bound_to.as_ref().map_or("Bearer", |_| "DPoP");
    let mut body = json!({
        "access_token": issued.access_token,
        "expires_in": ACCESS_SECONDS,
        "scope": issued.scope.join(" "),
        "token_type": token_type,
    });
    if issued.scope.iter().any(|scope| scope == "openid") {
        let claims = id_token_claims(&shared.user, &issued, (server, client_id), now);
        body["id_token"] = json!(shared.signing.sign(&claims)?);
    }
    if let Some(refresh_token) = issued.refresh_token {
        body["refresh_token"] = json!(refresh_token);
    }
    Some(body)
}

fn id_token_claims(
    user: &User,
    issued: &Issued,
    (server, client_id): (&str, &str),
    now: i64,
) -> Value {
    let hash = sha256(issued.access_token.as_bytes());
    let mut claims = json!({
        "iss": server, "azp": client_id, "aud": client_id, "sub": user.subject,
        "at_hash": base64url(hash.get(..16).unwrap_or_default()),
        "iat": now, "exp": now.saturating_add(3600),
    });
    let has = |name: &str| issued.scope.iter().any(|scope| scope == name);
    if has("email") {
        claims["email"] = json!(user.email);
        claims["email_verified"] = json!(true);
    }
    if has("profile") {
        claims["name"] = json!(user.name);
        claims["given_name"] = json!(user.given_name);
    }
    if let Some(nonce) = &issued.nonce {
        claims["nonce"] = json!(nonce);
    }
    claims
}

/// `POST /revoke`: Google wants no client authentication here, and says so when the token is unknown.
pub(super) async fn revoke(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let token = form::read(&body)
        .ok()
        .and_then(|form| form.get("token").cloned())
        .unwrap_or_default();
    if shared.grants().revoke(&token) {
        google_error::json(StatusCode::OK, &json!({}))
    } else {
        TokenRefusal::bad("invalid_token", "Token expired or revoked").render()
    }
}
