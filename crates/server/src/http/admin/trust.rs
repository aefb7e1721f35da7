//! Routes of trust: managed roots, the account's own roots, anchors of evidence, signing keys, the config string.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{
    AnchorView, ManagedRootsView, Page, PutAnchor, PutTrustRoot, RotateSigningKey, SdkConfigView,
    SigningKeyView, TrustRootView,
};
use bonafide_wire::ids::AnchorName;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{
    IdempotencyHeader, Json, Named, PageQuery, Paged, Post, Removed, Reply, created,
};
use crate::app::admin::{Scope, anchors as evidence_anchors, signing_keys as keys, trust};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/managed-roots",
    operation_id = "read_managed_roots",
    tag = "trust",
    summary = "Whether managed trust roots are on",
    responses((status = 200, description = "The switch", body = ManagedRootsView))
)]
pub(super) async fn managed_roots(
    Shared(service): Shared<State>,
    scope: Scope,
) -> Reply<ManagedRootsView> {
    Ok(Fresh(trust::managed_roots(&service, &scope)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/managed-roots",
    operation_id = "put_managed_roots",
    tag = "trust",
    summary = "Turn managed trust roots on or off",
    request_body = ManagedRootsView,
    responses((status = 200, description = "In the trust bundle", body = ManagedRootsView))
)]
pub(super) async fn put_managed_roots(
    Shared(service): Shared<State>,
    scope: Scope,
    Json(put): Json<ManagedRootsView>,
) -> Reply<ManagedRootsView> {
    let switch = trust::put_managed_roots(&service, &scope, put).await?;
    Ok(Fresh(switch))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/trust-roots",
    operation_id = "list_trust_roots",
    tag = "trust",
    summary = "List the account's own trust roots",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<TrustRootView>))
)]
pub(super) async fn roots(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<TrustRootView>> {
    Ok(Fresh(trust::roots(&service, &scope, &wanted)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/trust-roots/{name}",
    operation_id = "put_trust_root",
    tag = "trust",
    summary = "Add or replace a trust root",
    request_body = PutTrustRoot,
    responses((status = 200, description = "In the trust bundle", body = TrustRootView))
)]
pub(super) async fn put_root(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<AnchorName>,
    Json(put): Json<PutTrustRoot>,
) -> Reply<TrustRootView> {
    let root = trust::put_root(&service, &scope, &name, &put).await?;
    Ok(Fresh(root))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/trust-roots/{name}",
    operation_id = "remove_trust_root",
    tag = "trust",
    summary = "Withdraw a trust root",
    responses((status = 204, description = "Withdrawn"))
)]
pub(super) async fn remove_root(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<AnchorName>,
) -> Removed {
    trust::remove_root(&service, &scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/anchors",
    operation_id = "list_anchors",
    tag = "anchors",
    summary = "List the development anchors of evidence",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AnchorView>))
)]
pub(super) async fn anchors(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<AnchorView>> {
    Ok(Fresh(evidence_anchors::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/anchors/{name}",
    operation_id = "put_anchor",
    tag = "anchors",
    summary = "Add or replace a development anchor",
    request_body = PutAnchor,
    responses((status = 200, description = "In force", body = AnchorView))
)]
pub(super) async fn put_anchor(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<AnchorName>,
    Json(put): Json<PutAnchor>,
) -> Reply<AnchorView> {
    let anchor = evidence_anchors::put(&service, &scope, &name, &put).await?;
    Ok(Fresh(anchor))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/anchors/{name}",
    operation_id = "remove_anchor",
    tag = "anchors",
    summary = "Remove a development anchor",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove_anchor(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<AnchorName>,
) -> Removed {
    evidence_anchors::remove(&service, &scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/signing-keys",
    operation_id = "list_signing_keys",
    tag = "signing-keys",
    summary = "List the keys that sign attestation tokens",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<SigningKeyView>))
)]
pub(super) async fn signing_keys(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<SigningKeyView>> {
    Ok(Fresh(keys::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/signing-keys",
    operation_id = "rotate_signing_key",
    tag = "signing-keys",
    summary = "Begin a rotation: publish a key, which signs once caches know it",
    request_body = RotateSigningKey,
    params(IdempotencyHeader),
    responses((status = 201, description = "The published key", body = SigningKeyView))
)]
pub(super) async fn rotate_signing_key(
    Shared(service): Shared<State>,
    scope: Scope,
    Post { value, once }: Post<RotateSigningKey>,
) -> Result<Response, Failure> {
    let RotateSigningKey {} = value;
    let rotating = keys::rotate(&service, &scope, once.clone());
    created(&service, once, rotating).await
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/sdk-config",
    operation_id = "read_sdk_config",
    tag = "sdk",
    summary = "What an app compiles in",
    responses((status = 200, description = "The config string", body = SdkConfigView))
)]
pub(super) async fn sdk_config(
    Shared(service): Shared<State>,
    scope: Scope,
) -> Reply<SdkConfigView> {
    Ok(Fresh(trust::sdk_config(&service, &scope)?))
}
