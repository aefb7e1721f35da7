//! Routes of devices, their overrides and recorded verdicts.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use bonafide_wire::admin::{
    DeviceView, OverrideView, Page, PutOverride, RefusedDevice, VerdictView,
};
use bonafide_wire::ids::{DeviceId, MalformedId, SupportId};
use bonafide_wire::problem::{Problem, ProblemCode};

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{Json, Named, PageQuery, Paged, Removed, Reply};
use crate::app::admin::overrides::Whose;
use crate::app::admin::page::Wanted;
use crate::app::admin::{Scope, devices, overrides as device_overrides, verdicts as recorded};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/devices",
    operation_id = "list_devices",
    tag = "devices",
    summary = "List the enrolled devices, newest first",
    params(DeviceQuery),
    responses((status = 200, description = "A page", body = Page<DeviceView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    query: Result<Query<DeviceQuery>, QueryRejection>,
) -> Reply<Page<DeviceView>> {
    let Query(query) = query.map_err(|error| {
        Failure::from(Problem::new(ProblemCode::MalformedRequest).with_detail(error.body_text()))
    })?;
    let wanted = Wanted::new(query.page_size, query.page_token.as_deref())?;
    let which = (&wanted, query.finding.as_deref());
    Ok(Fresh(devices::list(&service, &scope, which).await?))
}

/// `?page_size=…&page_token=…&finding=…`
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeviceQuery {
    /// 1 to 500; 50 where absent.
    #[param(minimum = 1, maximum = 500)]
    page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    page_token: Option<String>,
    /// Only devices whose last judgement has a finding with this code.
    finding: Option<String>,
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/devices/{id}",
    operation_id = "read_device",
    tag = "devices",
    summary = "Read an enrolled device",
    responses((status = 200, description = "The device", body = DeviceView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<DeviceId>,
) -> Reply<DeviceView> {
    Ok(Fresh(devices::read(&service, &scope, &id).await?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/devices/{device}/revocation",
    operation_id = "revoke_device",
    tag = "devices",
    summary = "Revoke a device",
    responses((status = 200, description = "Revoked", body = DeviceView))
)]
pub(super) async fn revoke(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<DeviceId>,
) -> Reply<DeviceView> {
    Ok(Fresh(devices::revoke(&service, &scope, &id).await?))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/devices/{device}/revocation",
    operation_id = "reinstate_device",
    tag = "devices",
    summary = "Take a revocation back",
    responses((status = 204, description = "Taken back"))
)]
pub(super) async fn reinstate(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<DeviceId>,
) -> Removed {
    devices::reinstate(&service, &scope, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/overrides",
    operation_id = "list_overrides",
    tag = "overrides",
    summary = "List the device overrides",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<OverrideView>))
)]
pub(super) async fn overrides(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<OverrideView>> {
    Ok(Fresh(device_overrides::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/overrides/{device}",
    operation_id = "read_override",
    tag = "overrides",
    summary = "Read a device override",
    responses((status = 200, description = "The override", body = OverrideView))
)]
pub(super) async fn read_override(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(device): Named<DeviceId>,
) -> Reply<OverrideView> {
    Ok(Fresh(device_overrides::read(&service, &scope, &device)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/overrides/{device}",
    operation_id = "put_override",
    tag = "overrides",
    summary = "Set a device override; in place of the device a support id, or `latest`, the only one refused lately",
    request_body = PutOverride,
    responses((status = 200, description = "In force", body = OverrideView))
)]
pub(super) async fn put_override(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(whose): Named<Whose>,
    Json(put): Json<PutOverride>,
) -> Reply<OverrideView> {
    let set = device_overrides::put(&service, &scope, whose, put).await?;
    Ok(Fresh(set))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/refused-devices",
    operation_id = "list_refused_devices",
    tag = "devices",
    summary = "List the devices that policy refused within the last hour, newest first",
    responses((status = 200, description = "All of them, at most 100", body = Page<RefusedDevice>))
)]
pub(super) async fn refused(
    Shared(service): Shared<State>,
    scope: Scope,
) -> Reply<Page<RefusedDevice>> {
    Ok(Fresh(Page {
        items: device_overrides::refused_lately(&service, &scope).await?,
        next_page_token: None,
    }))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/overrides/{device}",
    operation_id = "remove_override",
    tag = "overrides",
    summary = "Remove a device override",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove_override(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(device): Named<DeviceId>,
) -> Removed {
    device_overrides::remove(&service, &scope, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/verdicts",
    operation_id = "list_verdicts",
    tag = "verdicts",
    summary = "List the recorded verdicts, newest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<VerdictView>))
)]
pub(super) async fn verdicts(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<VerdictView>> {
    Ok(Fresh(recorded::list(&service, &scope, &wanted).await?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/verdicts/{support_id}",
    operation_id = "read_verdict",
    tag = "verdicts",
    summary = "Read the verdict of a support id",
    responses((status = 200, description = "The verdict with all findings", body = VerdictView))
)]
pub(super) async fn read_verdict(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(support_id): Named<SupportId>,
) -> Reply<VerdictView> {
    let verdict = recorded::read(&service, &scope, &support_id).await?;
    Ok(Fresh(verdict))
}

impl core::str::FromStr for Whose {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        match text {
            "latest" => Ok(Self::Latest),
            id => SupportId::parse(id)
                .map(Self::Verdict)
                .or_else(|_| DeviceId::parse(id).map(Self::Device)),
        }
    }
}
