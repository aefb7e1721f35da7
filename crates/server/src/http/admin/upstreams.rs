//! Routes of upstreams, and of the question what a server supports.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{CheckUpstream, Page, PutUpstream, UpstreamReport, UpstreamView};
use bonafide_wire::ids::UpstreamName;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{
    IfMatch, IfMatchHeader, Json, Named, PageQuery, Paged, Removed, Reply, tagged,
};
use crate::app::admin::{Scope, upstream_check, upstreams};
use crate::app::{AppError, Service};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/upstreams",
    operation_id = "list_upstreams",
    tag = "upstreams",
    summary = "List the authorization servers",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<UpstreamView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<UpstreamView>> {
    Ok(Fresh(upstreams::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/upstreams/{name}",
    operation_id = "read_upstream",
    tag = "upstreams",
    summary = "Read an authorization server, with the public half of its client key",
    responses((status = 200, description = "The upstream; its version is the ETag", body = UpstreamView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<UpstreamName>,
) -> Result<Response, Failure> {
    let upstream = upstreams::read(&service, &scope, &name)?;
    Ok(tagged(upstream.version, upstream))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/upstreams/{name}",
    operation_id = "put_upstream",
    tag = "upstreams",
    summary = "Add an authorization server, or replace it; its endpoints are discovered now",
    request_body = PutUpstream,
    params(IfMatchHeader),
    responses((status = 200, description = "In force", body = UpstreamView))
)]
pub(super) async fn put(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<UpstreamName>,
    if_match: IfMatch,
    Json(put): Json<PutUpstream>,
) -> Result<Response, Failure> {
    let unchanged = seen(&service, &scope, &name, if_match)?;
    let upstream = upstreams::put(&service, &scope, &name, (put, unchanged)).await?;
    Ok(tagged(upstream.version, upstream))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/upstreams/{name}",
    operation_id = "remove_upstream",
    tag = "upstreams",
    summary = "Remove an authorization server and its client key",
    params(IfMatchHeader),
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<UpstreamName>,
    if_match: IfMatch,
) -> Removed {
    let unchanged = seen(&service, &scope, &name, if_match)?;
    upstreams::remove(&service, &scope, &name, unchanged).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/upstream-checks",
    operation_id = "check_upstream",
    tag = "upstreams",
    summary = "Ask an authorization server what it supports; nothing is changed",
    request_body = CheckUpstream,
    responses((status = 200, description = "What it supports and which rung is best", body = UpstreamReport))
)]
pub(super) async fn check(
    Shared(service): Shared<State>,
    scope: Scope,
    Json(wanted): Json<CheckUpstream>,
) -> Reply<UpstreamReport> {
    let report = upstream_check::check(&service, &scope, &wanted).await?;
    Ok(Fresh(report))
}

/// The version that must not have changed; `*` demands that there is one.
fn seen(
    service: &Service,
    scope: &Scope,
    name: &UpstreamName,
    if_match: IfMatch,
) -> Result<Option<u64>, AppError> {
    match if_match {
        IfMatch::Absent => Ok(None),
        IfMatch::Version(version) => Ok(Some(version)),
        IfMatch::Any => upstreams::read(service, scope, name)
            .map(|_| None)
            .map_err(|_| AppError::PreconditionFailed),
    }
}
