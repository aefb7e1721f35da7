//! What ages and must be renewed: trust metadata before they expire, signing keys on their way from
//! published to active to retiring to gone.

use bonafide_wire::ids::AccountId;

use super::commit::{Plan, account_of};
use super::{AppError, Service, publish_trust};
use crate::config::{AccountConfig, SigningKey, SigningKeyState};
use crate::store::{Actor, AuditEntry, Expectation, ObjectKey, ObjectKind, Write};

const DAY: i64 = 24 * 60 * 60;
/// How old an active key may get before its successor is published.
const ROTATION: i64 = 30 * DAY;
/// How long a key is published before it signs: every cache has seen it by then.
const PUBLISHED: i64 = DAY;
/// How long a key stays in the JWKS after it signed last: token life and the longest cache.
const RETIRING: i64 = 2 * DAY;
/// Verdicts older than this are forgotten.
const VERDICTS: i64 = 90 * DAY;
/// What expired is kept so much longer: a clock that ran ahead and was set right must find what was used up.
const AFTER_EXPIRY: i64 = 60 * 60;
/// A service whose time is further ahead of the system's clock says so, seconds.
const MOST_AHEAD: i64 = 60;

/// The next step of something that ages.
struct Step {
    action: &'static str,
    object: String,
    writes: Vec<Write>,
}

/// Takes every step that is due.
pub async fn once(service: &Service) -> Result<(), AppError> {
    let now = service.now();
    let ahead = service.clock().ahead();
    if ahead > MOST_AHEAD {
        tracing::error!(
            ahead,
            "the system's clock was set back; a restart takes its time"
        );
    }
    let due: Vec<AccountId> = service
        .snapshot()
        .configuration
        .accounts
        .iter()
        .filter(|(_, account)| is_due(account, now))
        .map(|(id, _)| id.clone())
        .collect();
    let mut first_failure = Ok(());
    for id in due {
        let step = service
            .commit(|configuration| {
                let account = account_of(configuration, &id)?;
                let step = next_step(service, &id, account, now)?;
                Ok(Plan {
                    writes: step.writes,
                    audit: AuditEntry {
                        at: now,
                        account: Some(id.clone()),
                        actor: Actor("service".to_owned()),
                        action: step.action,
                        object: step.object,
                        details: serde_json::Value::Null,
                    },
                    reply: None,
                    answer: (),
                })
            })
            .await;
        // One account's trouble must not let other accounts' metadata expire.
        if let Err(error) = &step {
            tracing::error!(account = %id, %error, "upkeep of an account failed");
        }
        first_failure = first_failure.and(step);
    }
    first_failure
}

/// Ends what revoked devices have elsewhere: their own clients at authorization servers.
pub async fn end_revoked(service: &Service) -> Result<(), AppError> {
    super::relay::end_revoked(service).await
}

/// Forgets what has expired.
pub async fn prune(service: &Service) -> Result<(), AppError> {
    let now = service.now();
    let expired = now.saturating_sub(AFTER_EXPIRY);
    Ok(service
        .store()
        .prune(expired, now.saturating_sub(VERDICTS))
        .await?)
}

fn is_due(account: &AccountConfig, now: i64) -> bool {
    account.trust.refresh_at <= now || due_key(account, now).is_some()
}

/// A step of the key life cycle.
enum KeyStep<'a> {
    Publish,
    Activate(&'a str, &'a SigningKey),
    Remove(&'a str),
}

fn due_key(account: &AccountConfig, now: i64) -> Option<KeyStep<'_>> {
    let age = |key: &SigningKey| now.saturating_sub(key.since);
    let in_state = |state| {
        account
            .signing_keys
            .iter()
            .find(move |(_, key)| key.state == state)
    };
    if let Some((kid, key)) = in_state(SigningKeyState::Published) {
        return (age(key) >= PUBLISHED).then_some(KeyStep::Activate(kid, key));
    }
    if let Some((kid, _)) = account
        .signing_keys
        .iter()
        .find(|(_, key)| key.state == SigningKeyState::Retiring && age(key) >= RETIRING)
    {
        return Some(KeyStep::Remove(kid));
    }
    let (_, active) = in_state(SigningKeyState::Active)?;
    (age(active) >= ROTATION).then_some(KeyStep::Publish)
}

fn next_step(
    service: &Service,
    id: &AccountId,
    account: &AccountConfig,
    now: i64,
) -> Result<Step, AppError> {
    if account.trust.refresh_at <= now {
        return Ok(Step {
            action: "trust.refreshed",
            object: account.trust.version.saturating_add(1).to_string(),
            writes: publish_trust::writes_for(service.keys(), id, account, now)?,
        });
    }
    let at = |kid: &str| ObjectKey::of(id, ObjectKind::SigningKey, kid);
    match due_key(account, now) {
        Some(KeyStep::Publish) => {
            let state = SigningKeyState::Published;
            let (kid, key) = service.keys().generate_signing_key(id, state, now)?;
            Ok(Step {
                action: "signing-key.published",
                writes: vec![Write::put(at(&kid), Expectation::Any, &key)?],
                object: kid,
            })
        }
        Some(KeyStep::Activate(kid, key)) => {
            let mut writes = Vec::new();
            for (old, active) in &account.signing_keys {
                if active.state == SigningKeyState::Active {
                    let retiring = active.moved_to(SigningKeyState::Retiring, now);
                    writes.push(Write::put(at(old), Expectation::Any, &retiring)?);
                }
            }
            let active = key.moved_to(SigningKeyState::Active, now);
            writes.push(Write::put(at(kid), Expectation::Any, &active)?);
            Ok(Step {
                action: "signing-key.activated",
                object: kid.to_owned(),
                writes,
            })
        }
        Some(KeyStep::Remove(kid)) => Ok(Step {
            action: "signing-key.removed",
            object: kid.to_owned(),
            writes: vec![Write::delete(at(kid), Expectation::Any)],
        }),
        // Another node took the step in the meantime.
        None => Err(AppError::Conflict("nothing is due any more".to_owned())),
    }
}
