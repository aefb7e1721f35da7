//! Runtime secrets, write-only: a value comes in, is sealed, and only a Grant opens it again.

use bonafide_wire::admin::{Page, PutSecret, SecretView};
use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::{AppId, SecretName};

use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, change, upstreams};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, RetiredSecret, RuntimeSecret};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

const MOST_BYTES: usize = 8 * 1024;
const MOST_HOSTS: usize = 16;
const MOST_LIFE_SECONDS: u32 = 3600;
const USUAL_LIFE_SECONDS: u32 = 300;
const USUAL_USES: [SecretUse; 3] = [SecretUse::Header, SecretUse::Form, SecretUse::Oauth];

/// Makes the secret, or replaces its value (a rotation). `unchanged` is the version it must still have.
pub async fn put(
    service: &Service,
    scope: &Scope,
    name: &SecretName,
    (put, unchanged): (PutSecret, Option<u64>),
) -> Result<SecretView, AppError> {
    check(&put)?;
    let now = service.now();
    change(service, scope, |account| {
        let before = account.secrets.get(name);
        if unchanged.is_some() && unchanged != before.map(|before| before.version) {
            return Err(AppError::PreconditionFailed);
        }
        let apps = put.apps.as_deref().unwrap_or_default();
        known_apps(account, apps)?;
        let short = put.value.expose().len() < upstreams::LEAST_HMAC_SECRET;
        if short && upstreams::authenticates_jwts(account, name) {
            return Err(AppError::invalid("/value", upstreams::WEAK));
        }
        let retired = account.retired_secrets.get(name);
        let last = before.map(|before| before.version);
        let last = last.max(retired.map(|retired| retired.version));
        let version = last.unwrap_or(0).saturating_add(1);
        let hosts = put
            .hosts
            .clone()
            .or_else(|| before.map(|b| b.hosts.clone()));
        let secret = RuntimeSecret {
            hosts: hosts.ok_or_else(|| AppError::invalid("/hosts", "a new secret needs hosts"))?,
            uses: put
                .uses
                .clone()
                .or_else(|| before.map(|b| b.uses.clone()))
                .unwrap_or_else(|| USUAL_USES.to_vec()),
            apps: put
                .apps
                .clone()
                .or_else(|| before.map(|b| b.apps.clone()))
                .unwrap_or_default(),
            life_seconds: put
                .life_seconds
                .or_else(|| before.map(|b| b.life_seconds))
                .unwrap_or(USUAL_LIFE_SECONDS),
            version,
            sealed: service
                .keys()
                .seal_secret(&scope.account, name, version, &put.value)?,
            updated_at: now,
        };
        let key = ObjectKey::of(&scope.account, ObjectKind::Secret, name.as_str());
        let action = before.map_or("secret.added", |_| "secret.rotated");
        let details = serde_json::json!({
            "version": version, "hosts": secret.hosts, "uses": secret.uses, "apps": secret.apps,
            "life_seconds": secret.life_seconds,
        });
        Ok(Step::new(action, name, view(name, &secret))
            .write(Write::put(key, Expectation::Any, &secret)?)
            .details(details))
    })
    .await
}

fn check(put: &PutSecret) -> Result<(), AppError> {
    let mut rules = Rules::new();
    let value = put.value.expose();
    if value.is_empty() || value.len() > MOST_BYTES {
        rules.broken("/value", format!("must have 1 to {MOST_BYTES} bytes"));
    }
    if value.chars().any(char::is_control) {
        rules.broken(
            "/value",
            "must not have control characters (a line end at its end?)",
        );
    }
    if let Some(hosts) = &put.hosts {
        rules.list("/hosts", hosts, 1..=MOST_HOSTS);
    }
    if let Some(uses) = &put.uses {
        rules.list("/uses", uses, 1..=4);
    }
    if let Some(apps) = &put.apps {
        rules.list("/apps", apps, 0..=100);
    }
    if let Some(life) = put.life_seconds {
        rules.within("/life_seconds", life, 1..=MOST_LIFE_SECONDS);
    }
    rules.held()
}

fn known_apps(account: &AccountConfig, apps: &[AppId]) -> Result<(), AppError> {
    let mut rules = Rules::new();
    for (at, app) in apps.iter().enumerate() {
        if !account.apps.contains_key(app) {
            rules.broken(format!("/apps/{at}"), "there is no such app");
        }
    }
    rules.held()
}

/// All of them, without their values.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<SecretView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.secrets, view)
}

/// One, without its value.
pub fn read(service: &Service, scope: &Scope, name: &SecretName) -> Result<SecretView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let secret = account.config.secrets.get(name);
    secret
        .map(|secret| view(name, secret))
        .ok_or(AppError::NotFound("secret"))
}

/// Removes one; apps that need it stop working when what they hold expires.
pub async fn remove(
    service: &Service,
    scope: &Scope,
    name: &SecretName,
    unchanged: Option<u64>,
) -> Result<(), AppError> {
    change(service, scope, |account| {
        let secret = account
            .secrets
            .get(name)
            .ok_or(AppError::NotFound("secret"))?;
        if unchanged.is_some_and(|version| version != secret.version) {
            return Err(AppError::PreconditionFailed);
        }
        let users = upstreams::users_of_secret(account, name);
        if !users.is_empty() {
            let why = format!("upstream {} needs it; change that first", users.join(", "));
            return Err(AppError::Conflict(why));
        }
        let key = |kind| ObjectKey::of(&scope.account, kind, name.as_str());
        // Instances compare versions: a secret made again must not look older than what they hold.
        let retired = RetiredSecret {
            version: secret.version,
        };
        let remembered = key(ObjectKind::RetiredSecret);
        Ok(Step::new("secret.removed", name, ())
            .write(Write::delete(key(ObjectKind::Secret), Expectation::Present))
            .write(Write::put(remembered, Expectation::Any, &retired)?)
            .details(serde_json::json!({ "version": secret.version })))
    })
    .await
}

fn view(name: &SecretName, secret: &RuntimeSecret) -> SecretView {
    SecretView {
        name: name.clone(),
        hosts: secret.hosts.clone(),
        uses: secret.uses.clone(),
        apps: secret.apps.clone(),
        life_seconds: secret.life_seconds,
        version: secret.version,
        updated_at: secret.updated_at,
    }
}
