//! Registrations: the builds and certificates that count as an app (reference values, RFC 9334).

use bonafide_wire::admin::{NewRegistration, Page, Reference, RegistrationView};
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

/// Adds one. Without an app, the app of the package is taken, or made.
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
        let (app, made) = app_for(account, &new, now)?;
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
        if let Some(made) = made {
            let key = ObjectKey::of(&scope.account, ObjectKind::App, app.as_str());
            step = step.write(Write::put(key, Expectation::Absent, &made)?);
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
    }
    rules.held()
}

/// The app it belongs to, and that app where it has to be made.
fn app_for(
    account: &AccountConfig,
    new: &NewRegistration,
    now: i64,
) -> Result<(AppId, Option<App>), AppError> {
    let package = new.reference.package();
    let owner = apps::of_package(account, package).map(|(id, _)| id.clone());
    let Some(wanted) = &new.app else {
        return owner.map_or_else(|| made_for(account, new, now), |owner| Ok((owner, None)));
    };
    if !account.apps.contains_key(wanted) {
        return Err(AppError::invalid("/app", "there is no such app"));
    }
    match owner {
        Some(owner) if owner == *wanted => Ok((owner, None)),
        Some(owner) => {
            let message = format!("{package} belongs to the app {owner}");
            Err(AppError::invalid("/reference/package", message))
        }
        None => Err(AppError::invalid(
            "/reference/package",
            format!("the app {wanted} has another package, or none"),
        )),
    }
}

/// An app named after the package: `com.example.books` becomes `books`, or `com-example-books` if that is taken.
fn made_for(
    account: &AccountConfig,
    new: &NewRegistration,
    now: i64,
) -> Result<(AppId, Option<App>), AppError> {
    let package = new.reference.package();
    let whole = package
        .as_str()
        .to_ascii_lowercase()
        .replace(['.', '_'], "-");
    let last = whole.rsplit('-').next().unwrap_or_default().to_owned();
    let numbered = (2..100).map(|n| format!("{last}-{n}"));
    let free = [last.clone(), whole]
        .into_iter()
        .chain(numbered)
        .filter_map(|id| AppId::parse(id).ok())
        .find(|id| !account.apps.contains_key(id))
        .ok_or_else(|| AppError::invalid("/app", "no free name for its app; name one"))?;
    let app = App {
        name: package.to_string(),
        android_package: Some(package.clone()),
        created_at: now,
    };
    Ok((free, Some(app)))
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
