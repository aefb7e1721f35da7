//! Protected APIs: the hosts the app talks to. A change is in the trust bundle that is signed with it.

use bonafide_wire::admin::{ApiView, Page, PutApi};
use bonafide_wire::ids::Host;

use super::page::Wanted;
use super::{Scope, Step, change};
use crate::app::{AppError, Service};
use crate::config::Api;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Adds or changes one; saying the same again changes nothing.
pub async fn put(
    service: &Service,
    scope: &Scope,
    host: &Host,
    put: &PutApi,
) -> Result<ApiView, AppError> {
    let snapshot = service.snapshot();
    if let Some(api) = snapshot.account(&scope.account)?.config.apis.get(host)
        && api.token == put.token
    {
        return Ok(view(host, api));
    }
    let now = service.now();
    change(service, scope, |account| {
        let before = account.apis.get(host);
        let api = Api {
            token: put.token,
            added_at: before.map_or(now, |before| before.added_at),
        };
        let action = before.map_or("api.added", |_| "api.changed");
        let key = ObjectKey::of(&scope.account, ObjectKind::Api, host.as_str());
        let write = Write::put(key, Expectation::Any, &api)?;
        let answer = view(host, &api);
        let mut after = account.clone();
        after.apis.insert(host.clone(), api);
        Ok(Step::new(action, host, answer)
            .write(write)
            .details(serde_json::json!({ "token": put.token }))
            .trust(after))
    })
    .await
}

/// All of them.
pub fn list(service: &Service, scope: &Scope, wanted: &Wanted) -> Result<Page<ApiView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.apis, view)
}

/// One.
pub fn read(service: &Service, scope: &Scope, host: &Host) -> Result<ApiView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let api = account.config.apis.get(host);
    api.map(|api| view(host, api))
        .ok_or(AppError::NotFound("API"))
}

/// Removes one: it gets no tokens, and its connections are no longer ours to decide.
pub async fn remove(service: &Service, scope: &Scope, host: &Host) -> Result<(), AppError> {
    change(service, scope, |account| {
        let mut after = account.clone();
        if after.apis.remove(host).is_none() {
            return Err(AppError::NotFound("API"));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::Api, host.as_str());
        Ok(Step::new("api.removed", host, ())
            .write(Write::delete(key, Expectation::Present))
            .trust(after))
    })
    .await
}

fn view(host: &Host, api: &Api) -> ApiView {
    ApiView {
        host: host.clone(),
        token: api.token,
        added_at: api.added_at,
    }
}
