//! Apps: the products of an account; at most one per Android package and per iOS app id.

use bonafide_wire::admin::{AppView, NewApp, Page, PlatformName};
use bonafide_wire::ids::AppId;

use super::once::Once;
use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, change, change_once};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, App};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Makes one.
pub async fn create(
    service: &Service,
    scope: &Scope,
    new: NewApp,
    once: Option<Once>,
) -> Result<AppView, AppError> {
    let mut rules = Rules::new();
    rules.text("/name", &new.name, 100);
    rules.held()?;
    let app = App {
        name: new.name,
        android_package: new.android_package,
        apple_app_id: new.apple_app_id,
        created_at: service.now(),
    };
    change_once(service, scope, once.as_ref(), |account| {
        if account.apps.contains_key(&new.id) {
            return Err(AppError::Conflict(format!("there is an app {}", new.id)));
        }
        for name in names(&app) {
            if let Some((other, _)) = named(account, name) {
                let message = format!("{name} belongs to the app {other}");
                return Err(AppError::Conflict(message));
            }
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::App, new.id.as_str());
        let details = serde_json::json!({
            "android_package": app.android_package, "apple_app_id": app.apple_app_id
        });
        Ok(Step::new("app.added", &new.id, view(&new.id, &app))
            .write(Write::put(key, Expectation::Absent, &app)?)
            .details(details))
    })
    .await
}

/// All of them.
pub fn list(service: &Service, scope: &Scope, wanted: &Wanted) -> Result<Page<AppView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.apps, view)
}

/// One.
pub fn read(service: &Service, scope: &Scope, id: &AppId) -> Result<AppView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let app = account.config.apps.get(id);
    app.map(|app| view(id, app))
        .ok_or(AppError::NotFound("app"))
}

/// Removes one that nothing refers to.
pub async fn remove(service: &Service, scope: &Scope, id: &AppId) -> Result<(), AppError> {
    change(service, scope, |account| {
        if !account.apps.contains_key(id) {
            return Err(AppError::NotFound("app"));
        }
        if account
            .registrations
            .values()
            .any(|registration| registration.app == *id)
        {
            return Err(AppError::Conflict(
                "it has registrations; remove them first".to_owned(),
            ));
        }
        if account
            .secrets
            .values()
            .any(|secret| secret.apps.contains(id))
        {
            return Err(AppError::Conflict(
                "a secret names it; change that first".to_owned(),
            ));
        }
        if super::upstreams::names_app(account, id) {
            return Err(AppError::Conflict(
                "an upstream names it; change that first".to_owned(),
            ));
        }
        if account.play_keys.contains_key(id) {
            return Err(AppError::Conflict(
                "it has Play keys; remove them first".to_owned(),
            ));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::App, id.as_str());
        Ok(Step::new("app.removed", id, ()).write(Write::delete(key, Expectation::Present)))
    })
    .await
}

/// The app that has this name on its platform.
pub(super) fn named<'a>(
    account: &'a AccountConfig,
    name: PlatformName<'_>,
) -> Option<(&'a AppId, &'a App)> {
    let mut apps = account.apps.iter();
    apps.find(|(_, app)| names(app).any(|own| own == name))
}

fn names(app: &App) -> impl Iterator<Item = PlatformName<'_>> {
    let android = app.android_package.as_ref().map(PlatformName::Android);
    let apple = app.apple_app_id.as_ref().map(PlatformName::Apple);
    android.into_iter().chain(apple)
}

fn view(id: &AppId, app: &App) -> AppView {
    AppView {
        id: id.clone(),
        name: app.name.clone(),
        android_package: app.android_package.clone(),
        apple_app_id: app.apple_app_id.clone(),
        created_at: app.created_at,
    }
}
