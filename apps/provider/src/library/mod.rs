//! The Library: a second authorization server and API beside the Google-like one, as modern servers are.
//!
//! Speaks PAR, DPoP with nonces, `private_key_jwt`, `client_secret_jwt`, attested clients, dynamic registration with a
//! software statement, and rotates refresh tokens. Each client has exactly one way to authenticate. Who attests and
//! who signs statements is configured; why they do, the Library does not know.

mod api;
mod authenticate;
mod authorize;
mod clients;
mod discovery;
mod jws;
mod once;
mod proof;
mod refusal;
mod register;
#[cfg(test)]
mod testing;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{delete, get, post};

pub use clients::{ClientMethod, KeySource, LibraryClient};

use crate::clock;
use crate::grants::Interaction;
use crate::http::form::{self, Form};
use crate::http::{MOST_BODY_BYTES, consent, userinfo};
use crate::running::Shared;
use crate::secret::ClientSecret;
use authenticate::{Authenticated, Credentials, authenticate};
use clients::Clients;
use jws::PublicKey;
use proof::{Proofs, Target};
use refusal::Refusal;

/// The hosts of the Library, by the `Host` header: authorization server and API.
pub const HOSTS: [&str; 2] = ["login.library.example", "api.library.example"];

/// The issuer that the Library speaks for.
pub const ISSUER: &str = "https://login.library.example";

/// What the Library is started with.
#[derive(Debug, Clone)]
pub struct LibraryOptions {
    /// Its clients.
    pub clients: Vec<LibraryClient>,
    /// Whose attestations of clients count.
    pub attesters: KeySource,
    /// Whose software statements count.
    pub statements: KeySource,
}

impl LibraryOptions {
    /// Books, once for each way to authenticate: `books-attested`, `books-keys` (`private_key_jwt`), `books-shared`
    /// (`client_secret_jwt`) and `books-secret`. Nobody attests and nobody signs until somebody is trusted to.
    pub fn demo(secret: &ClientSecret) -> Self {
        let none = KeySource::none;
        Self {
            clients: vec![
                LibraryClient::books("books-attested", ClientMethod::Attested),
                LibraryClient::books("books-keys", ClientMethod::PrivateKeyJwt(none())),
                LibraryClient::books("books-shared", ClientMethod::SecretJwt(secret.clone())),
                LibraryClient::books("books-secret", ClientMethod::Secret(secret.clone())),
            ],
            attesters: none(),
            statements: none(),
        }
    }
}

/// The Library, running.
pub(crate) struct Library(Mutex<State>);

#[derive(Debug)]
struct State {
    clients: Clients,
    attesters: KeySource,
    statements: KeySource,
    credentials: Credentials,
    proofs: Proofs,
    resource_proofs: Proofs,
    pushed: BTreeMap<String, Pushed>,
}

/// An authorization request that waits for its browser.
#[derive(Debug)]
struct Pushed {
    interaction: Interaction,
    until: i64,
}

impl Library {
    pub(crate) fn new(options: LibraryOptions) -> Self {
        let now = clock::now();
        Self(Mutex::new(State {
            clients: Clients::of(options.clients),
            attesters: options.attesters,
            statements: options.statements,
            credentials: Credentials::new(now),
            proofs: Proofs::new(now),
            resource_proofs: Proofs::new(now),
            pushed: BTreeMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trust_attesters(&self, keys: KeySource) {
        self.lock().attesters = keys;
    }

    pub(crate) fn trust_statements(&self, keys: KeySource) {
        self.lock().statements = keys;
    }

    pub(crate) fn replace_method(&self, client_id: &str, method: ClientMethod) -> bool {
        self.lock().clients.replace_method(client_id, method)
    }

    pub(crate) fn has_client(&self, client_id: &str) -> bool {
        self.lock().clients.find(client_id).is_some()
    }
}

/// The routes of the authorization server.
pub(crate) fn login_routes(shared: &Arc<Shared>) -> Router {
    pages()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::document),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::document),
        )
        .route("/jwks", get(discovery::keys))
        .route("/par", post(authorize::push))
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .route("/challenge", post(discovery::challenge))
        .route("/register", post(register::register))
        .route("/register/{id}", delete(register::remove))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(Arc::clone(shared))
}

/// The routes of its API.
pub(crate) fn api_routes(shared: &Arc<Shared>) -> Router {
    let guard = axum::middleware::from_fn_with_state(Arc::clone(shared), api::guard);
    crate::http::books::routes()
        .route("/userinfo", get(userinfo::answer).post(userinfo::answer))
        .layer(guard)
        .with_state(Arc::clone(shared))
}

/// The pages that a person sees.
pub(crate) fn pages() -> Router<Arc<Shared>> {
    consent::forms().route("/authorize", get(authorize::show))
}

/// A call by a client that proved itself.
struct Call {
    form: Form,
    /// The key of its DPoP proof.
    proven: Option<PublicKey>,
    who: Authenticated,
    now: i64,
}

impl Call {
    fn dpop(&self) -> Option<&str> {
        self.proven.as_ref().map(|key| key.thumbprint.as_str())
    }
}

/// Judges the proof, then the client. Every endpoint that clients call begins so.
fn open(
    state: &mut State,
    path: &str,
    (headers, body): (&HeaderMap, &Bytes),
) -> Result<Call, Refusal> {
    let form = form::read(body)
        .map_err(|_| Refusal::bad("invalid_request", "A parameter is repeated."))?;
    let now = clock::now();
    let url = format!("{ISSUER}{path}");
    let target = Target {
        method: "POST",
        url: &url,
        access_token: None,
        now,
    };
    let proven = state.proofs.check(headers, target)?;
    let who = authenticate(state, (headers, &form), proven.as_ref(), now)?;
    Ok(Call {
        form,
        proven,
        who,
        now,
    })
}

/// Every answer to a client brings the newest nonce and challenge, so that its next call needs no second try.
fn freshen(state: &mut State, response: &mut Response) {
    let now = clock::now();
    for (name, value) in [
        ("dpop-nonce", state.proofs.newest_nonce(now)),
        (
            "oauth-client-attestation-challenge",
            state.credentials.newest_challenge(now),
        ),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}
