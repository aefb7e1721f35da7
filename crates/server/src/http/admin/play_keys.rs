//! Routes of the keys that open Play Integrity verdicts.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use bonafide_wire::admin::Page;
use bonafide_wire::ids::AppId;
use bonafide_wire::platform::{PlayKeyView, PutPlayKey};

use super::super::State;
use super::super::body::Fresh;
use super::extract::{Json, Named, PageQuery, Paged, Removed, Reply};
use crate::app::admin::{Scope, play_keys};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/play-keys",
    operation_id = "list_play_keys",
    tag = "play-keys",
    summary = "List the apps whose Play Integrity verdicts can be read",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<PlayKeyView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<PlayKeyView>> {
    Ok(Fresh(play_keys::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/play-keys/{app}",
    operation_id = "put_play_key",
    tag = "play-keys",
    summary = "Set or replace the keys that open an app's Play Integrity verdicts",
    request_body = PutPlayKey,
    responses((status = 200, description = "In force", body = PlayKeyView))
)]
pub(super) async fn put(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(app): Named<AppId>,
    Json(put): Json<PutPlayKey>,
) -> Reply<PlayKeyView> {
    Ok(Fresh(play_keys::put(&service, &scope, &app, put).await?))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/play-keys/{app}",
    operation_id = "remove_play_key",
    tag = "play-keys",
    summary = "Remove the keys: the app's Play Integrity verdicts are refused from then on",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(app): Named<AppId>,
) -> Removed {
    play_keys::remove(&service, &scope, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}
