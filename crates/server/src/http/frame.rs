//! What stands around every route: request id, access log, time limit, shedding, panics, problem documents.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use bonafide_wire::problem::{Problem, ProblemCode};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use super::problem::{Failure, finish};
use crate::metrics::{Metrics, Route};

/// Answered whatever the load.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Limits of one listener.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests worked on at the same time; more are told to come again.
    pub concurrency: usize,
    /// Longest time for one request.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 1024,
            time: Duration::from_secs(15),
        }
    }
}

/// The frame of one listener.
#[derive(Debug, Clone)]
pub struct Frame(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    listener: &'static str,
    places: Semaphore,
    time: Duration,
    draining: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Frame {
    /// A frame for the listener of that name.
    pub fn new(listener: &'static str, limits: &Limits) -> Self {
        Self(Arc::new(Shared {
            listener,
            places: Semaphore::new(limits.concurrency),
            time: limits.time,
            draining: AtomicBool::new(false),
            metrics: Arc::default(),
        }))
    }

    /// The same, counting into these; for a frame that stands around nothing yet.
    #[must_use]
    pub fn counted_in(self, metrics: &Arc<Metrics>) -> Self {
        let shared = &*self.0;
        Self(Arc::new(Shared {
            listener: shared.listener,
            places: Semaphore::new(shared.places.available_permits()),
            time: shared.time,
            draining: AtomicBool::new(false),
            metrics: Arc::clone(metrics),
        }))
    }

    /// Readiness goes off; requests are still answered.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the service is on its way out.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Puts the frame around a router.
    pub fn around<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>, state: S) -> Router {
        routes
            .fallback(|| async { Failure::new(ProblemCode::NotFound) })
            .method_not_allowed_fallback(|| async { Failure::new(ProblemCode::MethodNotAllowed) })
            .with_state(state)
            .layer(axum::Extension(self.clone()))
            .layer(from_fn_with_state(self.clone(), framed))
    }
}

async fn framed(State(frame): State<Frame>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id();
    let method = request.method().clone();
    // The route, not the path: a path may hold anything, and an id in it is nobody's business in a log.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let answered = AssertUnwindSafe(limited(&frame, request, next))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            tracing::error!(request_id = %id, "a handler panicked");
            Failure::new(ProblemCode::Internal).into_response()
        });
    let mut response = finish(answered, &id);
    let took = started.elapsed();
    frame.0.metrics.request(
        &Route {
            listener: frame.0.listener,
            method: method.as_str().to_owned(),
            route: route.as_ref().map_or("-", MatchedPath::as_str).to_owned(),
        },
        response.status().as_u16(),
        took,
    );
    tracing::info!(
        target: "bonafide::access",
        listener = frame.0.listener,
        request_id = %id,
        method = %method,
        route = route.as_ref().map_or("-", MatchedPath::as_str),
        status = response.status().as_u16(),
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    );
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn limited(frame: &Frame, request: Request, next: Next) -> Response {
    // Probes take no place: an orchestrator that restarts a busy node helps whoever made it busy.
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_place) = frame.0.places.try_acquire() else {
        return overloaded("too many requests at the same time").into_response();
    };
    tokio::time::timeout(frame.0.time, next.run(request))
        .await
        .unwrap_or_else(|_| overloaded("the request took too long").into_response())
}

fn overloaded(why: &str) -> Failure {
    Failure::from(Problem {
        retry_after: Some(1),
        ..Problem::new(ProblemCode::Unavailable).with_detail(why)
    })
}

fn request_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn probes_are_answered_when_every_place_is_taken() {
        let full = Limits {
            concurrency: 0,
            ..Limits::default()
        };
        let routes = Router::new()
            .route("/livez", get(|| async {}))
            .route("/readyz", get(|| async {}))
            .route("/other", get(|| async {}));
        let app = Frame::new("test", &full).around(routes, ());
        for (path, status) in [
            ("/livez", StatusCode::OK),
            ("/readyz", StatusCode::OK),
            ("/other", StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
        }
    }
}
