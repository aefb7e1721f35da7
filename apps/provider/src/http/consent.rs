//! The pages that a person sees: authorize, sign in, agree. Errors about the client never redirect.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use url::Url;

use super::form::{self, Form, field};
use super::page::{self, Attempt};
use crate::ISSUER;
use crate::clock;
use crate::grants::{Answer, Asker, Challenge, Interaction, Offline, Stale};
use crate::running::Shared;
use crate::secret::random_text;

const COOKIE: &str = "provider_browser";
pub(crate) const SCOPES: [&str; 5] = [
    "openid",
    "email",
    "profile",
    "https://www.googleapis.com/auth/books",
    "https://www.googleapis.com/auth/userinfo.email",
];

/// For `accounts.google.com` and for the plain listener on loopback.
pub(super) fn routes() -> Router<Arc<Shared>> {
    forms().route("/o/oauth2/v2/auth", get(authorize))
}

/// What comes after the request: the same pages for both servers.
pub(crate) fn forms() -> Router<Arc<Shared>> {
    Router::new()
        .route("/o/oauth2/v2/sign-in", post(sign_in))
        .route("/o/oauth2/v2/consent", get(show_consent).post(decide))
}

/// A request that cannot go on: on a page, or back to a client whose redirect URI is known to be its own.
enum Refusal {
    Page(StatusCode, &'static str, &'static str),
    Redirect(Box<Interaction>, &'static str, &'static str),
}

impl Refusal {
    fn render(self) -> Response {
        match self {
            Self::Page(status, title, text) => page::refusal(status, title, text),
            Self::Redirect(interaction, error, description) => redirect(
                &interaction,
                &[("error", error), ("error_description", description)],
            ),
        }
    }
}

pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let interaction = match parse(&shared, query.as_deref().unwrap_or_default(), &headers) {
        Ok(interaction) => interaction,
        Err(refusal) => return refusal.render(),
    };
    begin(&shared, interaction, &headers)
}

/// The sign-in page for a request that was judged.
pub(crate) fn begin(shared: &Shared, interaction: Interaction, headers: &HeaderMap) -> Response {
    let browser = browser_of(headers).unwrap_or_else(random_text);
    let ticket = shared.grants().begin(interaction, &browser, clock::now());
    let mut response = page::sign_in(&ticket, &shared.user, Attempt::First);
    let cookie = format!("{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Judges an authorization request in Google's order: user agent, client, redirect URI; then what may redirect.
fn parse(shared: &Shared, query: &str, headers: &HeaderMap) -> Result<Interaction, Refusal> {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    let form = form::read(query.as_bytes())
        .map_err(|_| Refusal::Page(BAD, "invalid_request", "A parameter is repeated."))?;
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    if agent.is_some_and(|agent| agent.contains("; wv)")) {
        return Err(Refusal::Page(
            StatusCode::FORBIDDEN,
            "disallowed_useragent",
            "Sign-in is not possible inside a web view of an app.",
        ));
    }
    let client = shared.client();
    if field(&form, "client_id") != client.id {
        return Err(Refusal::Page(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "The OAuth client was not found.",
        ));
    }
    if !client.owns(field(&form, "redirect_uri")) {
        return Err(Refusal::Page(
            BAD,
            "redirect_uri_mismatch",
            "The redirect URI in the request is not registered for this client.",
        ));
    }
    let asker = Asker {
        issuer: ISSUER,
        client_id: client.id.clone(),
        name: client.name.clone(),
    };
    drop(client);
    let scope: Vec<_> = field(&form, "scope")
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    if scope.is_empty() || !scope.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return Err(Refusal::Page(
            BAD,
            "invalid_scope",
            "Some requested scopes are invalid or missing.",
        ));
    }
    let interaction = Interaction {
        asker,
        bound_to: None,
        redirect_uri: field(&form, "redirect_uri").to_owned(),
        scope,
        state: form.get("state").cloned(),
        nonce: form.get("nonce").cloned(),
        challenge: None,
        offline: if field(&form, "access_type") == "offline" {
            Offline::Yes
        } else {
            Offline::No
        },
    };
    finish(&form, interaction)
}

/// The part whose faults go back to the client.
fn finish(form: &Form, mut interaction: Interaction) -> Result<Interaction, Refusal> {
    let refuse = |interaction: Interaction, error, description| {
        Err(Refusal::Redirect(Box::new(interaction), error, description))
    };
    if field(form, "response_type") != "code" {
        return refuse(
            interaction,
            "unsupported_response_type",
            "Only the code flow is supported.",
        );
    }
    if field(form, "prompt") == "none" {
        return refuse(
            interaction,
            "interaction_required",
            "The user must sign in.",
        );
    }
    let challenge = form.get("code_challenge").cloned();
    interaction.challenge = match (challenge, field(form, "code_challenge_method")) {
        (None, "") => None,
        (Some(challenge), "S256") if challenge.len() == 43 => Some(Challenge::S256(challenge)),
        (Some(challenge), "plain" | "") if (43..=128).contains(&challenge.len()) => {
            Some(Challenge::Plain(challenge))
        }
        _ => return refuse(interaction, "invalid_request", "Invalid code challenge."),
    };
    Ok(interaction)
}

async fn sign_in(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = form::read(&body).unwrap_or_default();
    let browser = browser_of(&headers).unwrap_or_default();
    let answer = answer(&form, &browser);
    let user = &shared.user;
    let right = field(&form, "email").eq_ignore_ascii_case(&user.email)
        && field(&form, "password") == user.password;
    let now = clock::now();
    if !right {
        let ticket = shared.grants().wrong_password(answer, now);
        return ticket.map_or_else(stale, |ticket| page::sign_in(&ticket, user, Attempt::Wrong));
    }
    let ticket = shared.grants().sign_in(answer, now);
    ticket.map_or_else(stale, |ticket| {
        let target = format!("/o/oauth2/v2/consent?interaction={}", ticket.id);
        (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response()
    })
}

async fn show_consent(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let form = form::read(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let browser = browser_of(&headers).unwrap_or_default();
    let ticket = shared
        .grants()
        .look(field(&form, "interaction"), &browser, clock::now());
    match ticket {
        Ok(ticket) if ticket.signed_in => page::consent(&ticket, &shared.user),
        _ => stale(Stale),
    }
}

async fn decide(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = form::read(&body).unwrap_or_default();
    let browser = browser_of(&headers).unwrap_or_default();
    let now = clock::now();
    let mut grants = shared.grants();
    let interaction = match grants.decide(answer(&form, &browser), now) {
        Ok(interaction) => interaction,
        Err(stale_form) => return stale(stale_form),
    };
    if field(&form, "decision") != "allow" {
        return redirect(&interaction, &[("error", "access_denied")]);
    }
    let code = grants.agree(interaction.clone(), now);
    let scope = interaction.scope.join(" ");
    redirect(
        &interaction,
        &[
            ("code", code.as_str()),
            ("scope", &scope),
            ("authuser", "0"),
            ("prompt", "consent"),
        ],
    )
}

fn answer<'a>(form: &'a Form, browser: &'a str) -> Answer<'a> {
    Answer {
        id: field(form, "interaction"),
        csrf: field(form, "csrf"),
        browser,
    }
}

fn stale(_: Stale) -> Response {
    page::refusal(
        StatusCode::BAD_REQUEST,
        "invalid_request",
        "This page is no longer valid. Go back to the app and begin again.",
    )
}

/// Back to the client, with `state` and `iss`, on refusals too.
pub(crate) fn redirect(interaction: &Interaction, parameters: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(&interaction.redirect_uri) else {
        return stale(Stale);
    };
    let mut query = url.query_pairs_mut();
    if let Some(state) = &interaction.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", interaction.asker.issuer);
    query.extend_pairs(parameters);
    drop(query);
    let headers = [
        (header::LOCATION, url.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (StatusCode::FOUND, headers).into_response()
}

fn browser_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && value.len() == 32)
        .map(|(_, value)| value.to_owned())
}
