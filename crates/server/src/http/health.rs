//! `/livez` and `/readyz` for orchestrators: whether to restart, whether to send requests.

use axum::Extension;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::State;
use super::frame::Frame;

/// On the device listener: no detail.
pub fn device_routes() -> Router<State> {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
}

/// On the admin listener: with the checks.
pub fn admin_routes() -> Router<State> {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready_in_detail))
}

async fn live() -> Response {
    answer(StatusCode::OK, &serde_json::json!({ "status": "ok" }))
}

async fn ready(Shared(service): Shared<State>, Extension(frame): Extension<Frame>) -> Response {
    let store = service.store().version().await;
    let status = status_of(&frame, store.is_ok().then_some(()));
    answer(status, &serde_json::json!({ "status": word(status) }))
}

async fn ready_in_detail(
    Shared(service): Shared<State>,
    Extension(frame): Extension<Frame>,
) -> Response {
    let store = service.store().version().await;
    let status = status_of(&frame, store.as_ref().ok().map(|_| ()));
    let checks = serde_json::json!({
        "draining": frame.is_draining(),
        "store": store.map_or_else(|error| error.to_string(), |_| "ok".to_owned()),
        "configuration_version": service.snapshot().version(),
        "revocation_list": service.revocation_list().view(service.now()),
        "damaged": service.snapshot().damaged(),
        "clock_ahead_seconds": service.clock().ahead(),
    });
    answer(
        status,
        &serde_json::json!({ "status": word(status), "checks": checks }),
    )
}

fn status_of(frame: &Frame, store: Option<()>) -> StatusCode {
    match store {
        Some(()) if !frame.is_draining() => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn word(status: StatusCode) -> &'static str {
    if status == StatusCode::OK {
        "ready"
    } else {
        "not-ready"
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, axum::Json(body)).into_response()
}
