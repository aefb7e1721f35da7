//! The routes, by host as Google has them, and a short memory of what arrived.

pub(crate) mod books;
pub(crate) mod consent;
mod discovery;
pub(crate) mod form;
pub(crate) mod google_error;
pub(crate) mod page;
pub(crate) use page::escape;
pub(crate) mod token;
pub(crate) mod userinfo;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower::ServiceExt as _;

use crate::library;
use crate::running::Shared;

pub(crate) const MOST_BODY_BYTES: usize = 16 * 1024;
const MOST_SEEN: usize = 256;

/// One request that arrived. Never a query, body or header value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which of the hosts.
    pub host: String,
    /// GET or POST.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What was answered.
    pub status: u16,
}

#[derive(Clone)]
struct ByHost {
    shared: Arc<Shared>,
    routers: Arc<BTreeMap<&'static str, Router>>,
}

/// Everything, each host with its own routes.
pub(crate) fn by_host(shared: &Arc<Shared>) -> Router {
    let mut routers = BTreeMap::from([
        ("accounts.google.com", accounts(shared)),
        ("oauth2.googleapis.com", oauth2(shared)),
        ("www.googleapis.com", www(shared)),
        ("books.google.com", covers(shared)),
    ]);
    if shared.library.is_some() {
        let [login, api] = library::HOSTS;
        routers.insert(login, library::login_routes(shared));
        routers.insert(api, library::api_routes(shared));
    }
    let state = ByHost {
        shared: Arc::clone(shared),
        routers: Arc::new(routers),
    };
    Router::new().fallback(dispatch).with_state(state)
}

/// The pages alone, whatever the host is called: for a person's browser on loopback.
pub(crate) fn pages_only(shared: &Arc<Shared>) -> Router {
    let pages = if shared.library.is_some() {
        library::pages().route("/o/oauth2/v2/auth", get(consent::authorize))
    } else {
        consent::routes()
    };
    pages
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(Arc::clone(shared))
}

fn accounts(shared: &Arc<Shared>) -> Router {
    consent::routes()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::document),
        )
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(Arc::clone(shared))
}

fn oauth2(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(Arc::clone(shared))
}

fn www(shared: &Arc<Shared>) -> Router {
    books::routes()
        .route("/oauth2/v3/certs", get(discovery::keys))
        .route(
            "/oauth2/v3/userinfo",
            get(userinfo::answer).post(userinfo::answer),
        )
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(shared),
            userinfo::bearer,
        ))
        .with_state(Arc::clone(shared))
}

fn covers(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/books/content", get(books::cover))
        .with_state(Arc::clone(shared))
}

async fn dispatch(State(state): State<ByHost>, request: Request) -> Response {
    let host = host_of(&request).unwrap_or_default();
    let mut seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        host,
        status: 0,
    };
    let response = match state.routers.get(seen.host.as_str()) {
        Some(router) => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => StatusCode::MISDIRECTED_REQUEST.into_response(),
    };
    seen.status = response.status().as_u16();
    let mut memory = state.shared.seen();
    if memory.len() >= MOST_SEEN {
        memory.pop_front();
    }
    memory.push_back(seen);
    drop(memory);
    response
}

/// The host that was addressed, without its port.
fn host_of(request: &Request) -> Option<String> {
    let authority = match request.uri().host() {
        Some(host) => host,
        None => request.headers().get(header::HOST)?.to_str().ok()?,
    };
    let host = authority.split(':').next().unwrap_or_default();
    Some(host.to_ascii_lowercase())
}
