//! Authorization requests: pushed by an authenticated client (RFC 9126), or in the browser's address.
//!
//! PKCE with S256 is demanded from everybody. A code obeys the key that pushed for it, or the one that `dpop_jkt` names.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Shares};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Call, ISSUER, Pushed, State, freshen, open};
use crate::clock;
use crate::grants::{Asker, Challenge, Interaction, Offline};
use crate::http::form::{self, Form, field};
use crate::http::{consent, google_error, page};
use crate::running::Shared;
use crate::secret::random_text;

const REQUEST_SECONDS: i64 = 60;
const MOST_PUSHED: usize = 1_000;
const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// A request that cannot be shown to the user.
enum Unfit {
    /// Nobody knows where to send the error.
    Page(&'static str),
    /// The client may know.
    Client(Box<Interaction>, &'static str, &'static str),
}

/// `POST /par`.
pub(super) async fn push(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut state = library.lock();
    let answer =
        open(&mut state, "/par", (&headers, &body)).and_then(|call| keep(&mut state, &call));
    let mut response = match answer {
        Ok(body) => google_error::json(StatusCode::CREATED, &body),
        Err(refusal) => refusal.render(),
    };
    freshen(&mut state, &mut response);
    response
}

fn keep(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let said = call.form.get("client_id");
    if said.is_some_and(|said| *said != call.who.client_id) || call.form.contains_key("request_uri")
    {
        return Err(Refusal::bad(
            "invalid_request",
            "Another client, or a reference inside.",
        ));
    }
    let mut interaction = match parse(state, &call.who.client_id, &call.form) {
        Ok(interaction) => interaction,
        Err(Unfit::Page(text)) => return Err(Refusal::bad("invalid_request", text)),
        Err(Unfit::Client(_, error, text)) => return Err(Refusal::bad(error, text)),
    };
    let key = call.dpop().or(call.who.instance.as_deref());
    match (&interaction.bound_to, key) {
        (Some(named), Some(key)) if named != key => {
            return Err(Refusal::bad(
                "invalid_dpop_proof",
                "dpop_jkt names another key.",
            ));
        }
        (None, Some(key)) => interaction.bound_to = Some(key.to_owned()),
        _ => {}
    }
    let now = call.now;
    state.pushed.retain(|_, pushed| now < pushed.until);
    if state.pushed.len() >= MOST_PUSHED {
        return Err(Refusal::bad(
            "temporarily_unavailable",
            "Too many requests wait.",
        ));
    }
    let uri = format!("{URN}{}", random_text());
    let until = now.saturating_add(REQUEST_SECONDS);
    state
        .pushed
        .insert(uri.clone(), Pushed { interaction, until });
    Ok(json!({"request_uri": uri, "expires_in": REQUEST_SECONDS}))
}

/// `GET /authorize`.
pub(super) async fn show(
    Shares(shared): Shares<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = {
        let mut state = library.lock();
        asked(&mut state, query.as_deref().unwrap_or_default())
    };
    match asked {
        Ok(interaction) => consent::begin(&shared, interaction, &headers),
        Err(Unfit::Page(text)) => page::refusal(StatusCode::BAD_REQUEST, "invalid_request", text),
        Err(Unfit::Client(interaction, error, text)) => consent::redirect(
            &interaction,
            &[("error", error), ("error_description", text)],
        ),
    }
}

fn asked(state: &mut State, query: &str) -> Result<Interaction, Unfit> {
    let form = form::read(query.as_bytes()).map_err(|_| Unfit::Page("A parameter is repeated."))?;
    let client_id = field(&form, "client_id");
    let Some(uri) = form.get("request_uri") else {
        return parse(state, client_id, &form);
    };
    // Good once, for the client that pushed it.
    state
        .pushed
        .remove(uri)
        .filter(|pushed| clock::now() < pushed.until)
        .filter(|pushed| pushed.interaction.asker.client_id == client_id)
        .map(|pushed| pushed.interaction)
        .ok_or(Unfit::Page("The pushed request is not known (any more)."))
}

fn parse(state: &State, client_id: &str, form: &Form) -> Result<Interaction, Unfit> {
    let client = state.clients.find(client_id);
    let client = client.ok_or(Unfit::Page("The client is not registered."))?;
    let redirect_uri = field(form, "redirect_uri");
    if !state.clients.owns(client_id, redirect_uri) {
        return Err(Unfit::Page(
            "The redirect URI is not registered for this client.",
        ));
    }
    let scope: Vec<_> = field(form, "scope")
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    let known =
        |scope: &String| scope == "offline_access" || consent::SCOPES.contains(&scope.as_str());
    let interaction = Interaction {
        asker: Asker {
            issuer: ISSUER,
            client_id: client_id.to_owned(),
            name: client.name.clone(),
        },
        bound_to: form.get("dpop_jkt").cloned(),
        redirect_uri: redirect_uri.to_owned(),
        state: form.get("state").cloned(),
        nonce: form.get("nonce").cloned(),
        challenge: form.get("code_challenge").cloned().map(Challenge::S256),
        offline: match field(form, "access_type") {
            "offline" => Offline::Yes,
            _ if scope.iter().any(|scope| scope == "offline_access") => Offline::Yes,
            _ => Offline::No,
        },
        scope,
    };
    let challenged =
        field(form, "code_challenge").len() == 43 && field(form, "code_challenge_method") == "S256";
    let refusal = if interaction.scope.is_empty() || !interaction.scope.iter().all(known) {
        (
            "invalid_scope",
            "Some requested scopes are invalid or missing.",
        )
    } else if field(form, "response_type") != "code" {
        (
            "unsupported_response_type",
            "Only the code flow is supported.",
        )
    } else if !challenged {
        ("invalid_request", "A code challenge with S256 is required.")
    } else if field(form, "prompt") == "none" {
        ("interaction_required", "The user must sign in.")
    } else {
        return Ok(interaction);
    };
    Err(Unfit::Client(Box::new(interaction), refusal.0, refusal.1))
}
