//! Registrations: the builds and certificates that count as an app (reference values, RFC 9334).

use bonafide_wire::admin::{NewRegistration, Page, PlatformName, Reference, RegistrationView};
use bonafide_wire::ids::{AppId, RegistrationId};

use super::once::Once;
use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, apps, change, change_once};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, App, Registration};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Most signing certificates of one build.
const MOST_SIGNERS: usize = 16;
/// Most characters of an iOS version or build; Apple allows 18.
const MOST_VERSION: usize = 64;

/// What a registration does to its app.
enum AppChange {
    None,
    Made(App),
    /// It has the platform's name from now on.
    Named(App),
}

/// Adds one. Without an app, the app of that name on its platform is taken, or made; a named app that has
/// none there gets it.
pub async fn create(
    service: &Service,
    scope: &Scope,
    new: NewRegistration,
    once: Option<Once>,
) -> Result<RegistrationView, AppError> {
    let now = service.now();
    check(&new, now)?;
    let id = format!("reg_{}", uuid::Uuid::now_v7().simple());
    let id = RegistrationId::parse(id).map_err(|e| AppError::Internal(e.to_string()))?;
    change_once(service, scope, once.as_ref(), |account| {
        let known = account.registrations.iter();
        let mut known = known.filter(|(_, other)| other.reference == new.reference);
        if let Some((other, _)) = known.find(|(_, other)| in_force(other, now)) {
            return Err(AppError::Conflict(format!(
                "it is registered already, as {other}"
            )));
        }
        let (app, change) = app_for(account, &new, now)?;
        let registration = Registration {
            app: app.clone(),
            reference: new.reference.clone(),
            label: new.label.clone(),
            added_by: scope.caller.signature(),
            added_at: now,
            expires_at: new.expires_at,
        };
        let key = ObjectKey::of(&scope.account, ObjectKind::Registration, id.as_str());
        let mut step = Step::new("registration.added", &id, view(&id, &registration))
            .write(Write::put(key, Expectation::Absent, &registration)?)
            .details(serde_json::json!({ "app": app, "reference": new.reference }));
        let key = ObjectKey::of(&scope.account, ObjectKind::App, app.as_str());
        match change {
            AppChange::None => {}
            AppChange::Made(made) => {
                step = step.write(Write::put(key, Expectation::Absent, &made)?);
            }
            AppChange::Named(named) => {
                step = step.write(Write::put(key, Expectation::Present, &named)?);
            }
        }
        Ok(step)
    })
    .await
}

fn in_force(registration: &Registration, now: i64) -> bool {
    registration.expires_at.is_none_or(|end| end > now)
}

fn check(new: &NewRegistration, now: i64) -> Result<(), AppError> {
    let mut rules = Rules::new();
    rules.label("/label", &new.label, 200);
    rules.future("/expires_at", new.expires_at, now);
    match &new.reference {
        Reference::Build {
            signers,
            artifact_sha256,
            ..
        } => {
            rules.list("/reference/signers", signers, 1..=MOST_SIGNERS);
            for (at, signer) in signers.iter().enumerate() {
                rules.digest(&format!("/reference/signers/{at}"), signer);
            }
            rules.digest("/reference/artifact_sha256", artifact_sha256);
        }
        Reference::Certificate { signer, .. } => rules.digest("/reference/signer", signer),
        Reference::AppleBuild { version, build, .. } => {
            rules.text("/reference/version", version, MOST_VERSION);
            rules.text("/reference/build", build, MOST_VERSION);
        }
        Reference::AppleApp { .. } => {}
    }
    rules.held()
}

/// The app it belongs to, and what becomes of it.
fn app_for(
    account: &AccountConfig,
    new: &NewRegistration,
    now: i64,
) -> Result<(AppId, AppChange), AppError> {
    let name = new.reference.names();
    let owner = apps::named(account, name).map(|(id, _)| id.clone());
    let Some(wanted) = &new.app else {
        return match owner {
            Some(owner) => Ok((owner, AppChange::None)),
            None => made_for(account, name, now),
        };
    };
    let Some(app) = account.apps.get(wanted) else {
        return Err(AppError::invalid("/app", "there is no such app"));
    };
    let (pointer, named) = with_name(app, name);
    match (owner, named) {
        (Some(owner), _) if owner == *wanted => Ok((owner, AppChange::None)),
        (Some(owner), _) => {
            let message = format!("{name} belongs to the app {owner}");
            Err(AppError::invalid(pointer, message))
        }
        (None, Some(named)) => Ok((wanted.clone(), AppChange::Named(named))),
        (None, None) => {
            let message = format!("the app {wanted} has another name on this platform");
            Err(AppError::invalid(pointer, message))
        }
    }
}

/// Where the name stands in a request, and the app with it, unless it has one on that platform.
fn with_name(app: &App, name: PlatformName<'_>) -> (&'static str, Option<App>) {
    let mut named = app.clone();
    match name {
        PlatformName::Android(package) => {
            named.android_package = Some(package.clone());
            let free = app.android_package.is_none();
            ("/reference/package", free.then_some(named))
        }
        PlatformName::Apple(app_id) => {
            named.apple_app_id = Some(app_id.clone());
            let free = app.apple_app_id.is_none();
            ("/reference/app_id", free.then_some(named))
        }
    }
}

/// An app named after the package: `com.example.books` becomes `books`, or `com-example-books` if that is taken.
fn made_for(
    account: &AccountConfig,
    name: PlatformName<'_>,
    now: i64,
) -> Result<(AppId, AppChange), AppError> {
    let text = match name {
        PlatformName::Android(package) => package.as_str(),
        PlatformName::Apple(app_id) => {
            let bundle = app_id.as_str().split_once('.');
            bundle.map_or(app_id.as_str(), |(_, bundle)| bundle)
        }
    };
    let slug = |text: &str| text.to_ascii_lowercase().replace(['.', '_'], "-");
    let (whole, last) = (
        slug(text),
        slug(text.rsplit('.').next().unwrap_or_default()),
    );
    let numbered = (2..100).map(|n| format!("{last}-{n}"));
    let free = [last.clone(), whole]
        .into_iter()
        .chain(numbered)
        .filter_map(|id| AppId::parse(id).ok())
        .find(|id| !account.apps.contains_key(id))
        .ok_or_else(|| AppError::invalid("/app", "no free name for its app; name one"))?;
    let blank = App {
        name: text.to_owned(),
        android_package: None,
        apple_app_id: None,
        created_at: now,
    };
    let (_, named) = with_name(&blank, name);
    Ok((free, AppChange::Made(named.unwrap_or(blank))))
}

/// All of them, oldest first.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<RegistrationView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.registrations, view)
}

/// One.
pub fn read(
    service: &Service,
    scope: &Scope,
    id: &RegistrationId,
) -> Result<RegistrationView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let registration = account.config.registrations.get(id);
    registration
        .map(|registration| view(id, registration))
        .ok_or(AppError::NotFound("registration"))
}

/// Removes one: instances of that build are refused from now on.
pub async fn remove(service: &Service, scope: &Scope, id: &RegistrationId) -> Result<(), AppError> {
    change(service, scope, |account| {
        let registration = account.registrations.get(id);
        let registration = registration.ok_or(AppError::NotFound("registration"))?;
        let key = ObjectKey::of(&scope.account, ObjectKind::Registration, id.as_str());
        let details =
            serde_json::json!({ "app": registration.app, "reference": registration.reference });
        Ok(Step::new("registration.removed", id, ())
            .write(Write::delete(key, Expectation::Present))
            .details(details))
    })
    .await
}

fn view(id: &RegistrationId, registration: &Registration) -> RegistrationView {
    RegistrationView {
        id: id.clone(),
        app: registration.app.clone(),
        reference: registration.reference.clone(),
        label: registration.label.clone(),
        added_by: registration.added_by.clone(),
        added_at: registration.added_at,
        expires_at: registration.expires_at,
    }
}
