//! HTTP: parses, authenticates, renders. It decides nothing; `app` does.
//!
//! Two routers, one per listener, behind the same [`frame`]. Every failure, ours or theirs, leaves as a
//! problem document (RFC 9457) with a stable code.

pub mod admin;
pub mod body;
pub mod device;
pub mod frame;
pub mod health;
pub mod metrics;
pub mod openapi;
pub mod problem;

use std::sync::Arc;

use axum::Router;

use crate::app::Service;
use frame::Frame;

/// What handlers share.
pub type State = Arc<Service>;

/// The device listener's router.
pub fn device_router(service: &State, frame: &Frame) -> Router {
    let (routes, _) = device::routes().split_for_parts();
    frame.around(routes.merge(health::device_routes()), Arc::clone(service))
}

/// The admin listener's router.
pub fn admin_router(service: &State, frame: &Frame) -> Router {
    let (routes, _) = admin::routes(service).split_for_parts();
    let routes = routes
        .merge(health::admin_routes())
        .merge(metrics::routes())
        .merge(openapi::routes());
    frame.around(routes, Arc::clone(service))
}
