//! Who calls the Library: one way of authentication for each request, and the one that the client is registered for.
//!
//! Whatever is signed is good once: its `jti` is spent before its challenge is judged, as strict servers do, so a
//! second try needs a new signature.

use axum::http::{HeaderMap, header};

use super::clients::{ClientMethod, is_secret};
use super::jws::{Jws, PublicKey};
use super::once::{Seen, Turning};
use super::refusal::Refusal;
use super::{ISSUER, State};
use crate::http::form::{Form, field};
use crate::http::token::basic;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_SECONDS: i64 = 300;
const PROOF_SECONDS: i64 = 300;

/// A client that proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authenticated {
    pub(super) client_id: String,
    /// Thumbprint of the attested key.
    pub(super) instance: Option<String>,
}

/// What is remembered about credentials.
#[derive(Debug)]
pub(super) struct Credentials {
    challenge: Turning,
    seen: Seen,
}

impl Credentials {
    pub(super) fn new(now: i64) -> Self {
        Self {
            challenge: Turning::new(now),
            seen: Seen::default(),
        }
    }

    /// For the challenge endpoint and its header.
    pub(super) fn newest_challenge(&mut self, now: i64) -> String {
        self.challenge.newest(now).to_owned()
    }
}

/// The one credential of a request.
enum Presented {
    Secret(String, String),
    Assertion(String),
    Attestation(String, Option<String>),
}

/// Judges the credential of a request; `proven` is the key of its DPoP proof.
pub(super) fn authenticate(
    state: &mut State,
    (headers, form): (&HeaderMap, &Form),
    proven: Option<&PublicKey>,
    now: i64,
) -> Result<Authenticated, Refusal> {
    match presented(headers, form)? {
        Presented::Secret(client_id, secret) => by_secret(state, client_id, &secret),
        Presented::Assertion(assertion) => by_assertion(state, &assertion, form, now),
        Presented::Attestation(attestation, pop) => {
            let client_id = field(form, "client_id");
            let key = attested_key(state, &attestation, client_id, now)?;
            match (pop, proven) {
                (Some(pop), _) => check_pop(state, &pop, (&key, client_id), now)?,
                (None, Some(proven)) if *proven == key => {}
                (None, Some(_)) => {
                    return Err(Refusal::client(
                        "The DPoP proof is by another key than the attested one.",
                    ));
                }
                (None, None) => {
                    return Err(Refusal::client("There is no proof of possession."));
                }
            }
            Ok(Authenticated {
                client_id: client_id.to_owned(),
                instance: Some(key.thumbprint),
            })
        }
    }
}

fn presented(headers: &HeaderMap, form: &Form) -> Result<Presented, Refusal> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let mut all = Vec::new();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let pair = value.to_str().ok().and_then(basic);
        let (id, secret) = pair.ok_or(Refusal::client("Unreadable credentials."))?;
        all.push(Presented::Secret(id, secret));
    }
    if let Some(secret) = form.get("client_secret") {
        let id = field(form, "client_id").to_owned();
        all.push(Presented::Secret(id, secret.clone()));
    }
    if let Some(assertion) = form.get("client_assertion") {
        all.push(Presented::Assertion(assertion.clone()));
    }
    if let Some(attestation) = text("oauth-client-attestation") {
        let pop = text("oauth-client-attestation-pop");
        all.push(Presented::Attestation(attestation, pop));
    }
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Refusal::bad(
            "invalid_request",
            "The client authenticates in more than one way.",
        )),
        (None, _) => Err(Refusal::client("The client does not authenticate.")),
    }
}

fn by_secret(state: &State, client_id: String, secret: &str) -> Result<Authenticated, Refusal> {
    match state.clients.find(&client_id).map(|client| &client.method) {
        Some(ClientMethod::Secret(registered)) if is_secret(registered, secret) => {
            Ok(Authenticated {
                client_id,
                instance: None,
            })
        }
        _ => Err(Refusal::client("Unknown client, or another secret.")),
    }
}

fn by_assertion(
    state: &mut State,
    text: &str,
    form: &Form,
    now: i64,
) -> Result<Authenticated, Refusal> {
    let refuse = |text| Err(Refusal::client(text));
    let Some(jws) =
        Jws::read(text).filter(|_| field(form, "client_assertion_type") == ASSERTION_TYPE)
    else {
        return refuse("The client assertion is no JWT, or of an unknown type.");
    };
    let client_id = jws.text("sub").to_owned();
    let said = form.get("client_id").is_none_or(|said| *said == client_id);
    if client_id.is_empty() || jws.text("iss") != client_id || !said {
        return refuse("The client assertion does not speak for this client.");
    }
    let signed = match state.clients.find(&client_id).map(|client| &client.method) {
        Some(ClientMethod::PrivateKeyJwt(keys)) => {
            jws.says("ES256") && jws.is_signed_by_one_of(&keys.keys())
        }
        Some(ClientMethod::SecretJwt(secret)) => {
            jws.says("HS256") && jws.is_authenticated_by(secret.expose().as_bytes())
        }
        _ => false,
    };
    if !signed {
        return refuse("Unknown client, or the assertion is not signed by its key.");
    }
    let audience = &jws.claims["aud"];
    if audience != ISSUER && *audience != serde_json::json!([ISSUER]) {
        return refuse("The client assertion is for another audience than the issuer.");
    }
    let expires = jws.claims["exp"].as_i64().unwrap_or_default();
    if expires <= now || expires > now.saturating_add(ASSERTION_SECONDS) {
        return refuse("The client assertion has expired, or lives too long.");
    }
    let jti = format!("assertion {client_id} {}", jws.text("jti"));
    if jws.text("jti").is_empty() || !state.credentials.seen.admit(jti, now, expires) {
        return refuse("The client assertion was used before.");
    }
    Ok(Authenticated {
        client_id,
        instance: None,
    })
}

/// The key that a trusted attester says is an instance of this client.
fn attested_key(
    state: &State,
    text: &str,
    client_id: &str,
    now: i64,
) -> Result<PublicKey, Refusal> {
    let refuse = |text| Err(Refusal::client(text));
    let registered = state.clients.find(client_id).map(|client| &client.method);
    if !matches!(registered, Some(ClientMethod::Attested)) {
        return refuse("Unknown client, or one that authenticates in another way.");
    }
    let jws = Jws::read(text).filter(|jws| jws.is_es256("oauth-client-attestation+jwt"));
    let Some(jws) = jws.filter(|jws| jws.is_signed_by_one_of(&state.attesters.keys())) else {
        return refuse("The attestation is not by a trusted attester.");
    };
    if jws.text("sub") != client_id {
        return refuse("The attestation is for another client.");
    }
    let issued = jws.claims["iat"].as_i64();
    let expires = jws.claims["exp"].as_i64().unwrap_or_default();
    if expires <= now || issued.is_none_or(|issued| issued > now.saturating_add(60)) {
        return refuse("The attestation has expired, or is from the future.");
    }
    match PublicKey::from_jwk(&jws.claims["cnf"]["jwk"]) {
        Some(key) => Ok(key),
        None => refuse("The attestation confirms no public key."),
    }
}

fn check_pop(
    state: &mut State,
    text: &str,
    (key, client_id): (&PublicKey, &str),
    now: i64,
) -> Result<(), Refusal> {
    let refuse = |text| Err(Refusal::client(text));
    let jws = Jws::read(text).filter(|jws| jws.is_es256("oauth-client-attestation-pop+jwt"));
    let Some(jws) = jws.filter(|jws| jws.is_signed_by(key)) else {
        return refuse("The proof of possession is not by the attested key.");
    };
    if jws.claims["aud"] != ISSUER {
        return refuse("The proof of possession is for another server.");
    }
    if !jws.is_recent("iat", now, PROOF_SECONDS) {
        return refuse("The proof of possession is too old or too new.");
    }
    let jti = format!("pop {client_id} {}", jws.text("jti"));
    let until = now.saturating_add(2 * PROOF_SECONDS);
    if jws.text("jti").is_empty() || !state.credentials.seen.admit(jti, now, until) {
        return refuse("The proof of possession was used before.");
    }
    if state
        .credentials
        .challenge
        .knows(jws.text("challenge"), now)
    {
        Ok(())
    } else {
        Err(Refusal::bad(
            "use_attestation_challenge",
            "The proof of possession lacks the newest challenge.",
        ))
    }
}

#[cfg(test)]
#[path = "authenticate_tests.rs"]
mod tests;
