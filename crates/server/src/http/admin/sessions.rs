//! Routes of role sessions.

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bonafide_wire::admin::{NewSession, SessionView, WhoAmI};

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{Json, Removed, Reply};
use super::gate;
use crate::app::admin::{Caller, sessions};

#[utoipa::path(
    post,
    path = "/admin/v1/sessions",
    operation_id = "open_session",
    tag = "sessions",
    summary = "Open a role session",
    request_body = NewSession,
    responses((status = 201, description = "Opened; it ends after an hour", body = SessionView))
)]
pub(super) async fn open(
    Shared(service): Shared<State>,
    headers: HeaderMap,
    Json(new): Json<NewSession>,
) -> Result<Response, Failure> {
    let credential = gate::bearer(&headers)?;
    let session = sessions::open(&service, &credential, new.role).await?;
    Ok((StatusCode::CREATED, Fresh(session)).into_response())
}

#[utoipa::path(
    delete,
    path = "/admin/v1/sessions/current",
    operation_id = "close_session",
    tag = "sessions",
    summary = "End this session",
    responses((status = 204, description = "Ended"))
)]
pub(super) async fn close(Shared(service): Shared<State>, caller: Caller) -> Removed {
    sessions::close(&service, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/whoami",
    operation_id = "whoami",
    tag = "sessions",
    summary = "Who this session is",
    responses((status = 200, description = "The session", body = WhoAmI))
)]
pub(super) async fn whoami(caller: Caller) -> Reply<WhoAmI> {
    Ok(Fresh(sessions::whoami(&caller)))
}
