//! What operators do: one file per noun. Every change is one commit with its audit row, in force when answered.
//!
//! Decides what a valid configuration is and which changes follow from one another (a changed API re-signs the
//! trust bundle). Who may do what is decided before, by the gate in `http::admin`; nothing here knows a route.

pub mod accounts;
pub mod anchors;
pub mod apis;
pub mod apps;
pub mod audit;
mod certificate;
pub mod credentials;
pub mod devices;
pub mod once;
pub mod overrides;
pub mod page;
pub mod play_keys;
pub mod policy;
pub mod registrations;
pub mod revocation_list;
pub mod rules;
pub mod secrets;
pub mod sessions;
pub mod signing_keys;
pub mod trust;
pub mod upstream_check;
pub mod upstreams;
pub mod verdicts;

use bonafide_wire::admin::Role;
use bonafide_wire::ids::{AccountId, CredentialId};
use serde::Serialize;
use serde_json::Value;

use super::commit::{Plan, account_of};
use super::{AppError, Service, publish_trust};
use crate::config::AccountConfig;
use crate::store::{Actor, AuditEntry, Write};
use once::Once;

/// Who asks, as an open session proved it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The credential that opened the session.
    pub credential: CredentialId,
    /// Its name.
    pub name: String,
    /// What the session may do.
    pub role: Role,
    /// The only account it may do it in.
    pub account: Option<AccountId>,
    /// When the session ends, seconds since 1970.
    pub expires_at: i64,
    /// SHA-256 of the session's bearer value.
    pub bearer_sha256: [u8; 32],
}

impl Caller {
    /// Who it was, as audit rows and objects remember it. Names are chosen by people and may repeat; the id at the
    /// end is the service's and does not.
    pub(super) fn signature(&self) -> String {
        format!("{} ({})", self.name, self.credential)
    }

    /// Something this caller did to the service itself.
    fn entry(&self, now: i64, action: &'static str, object: &str, details: Value) -> AuditEntry {
        AuditEntry {
            at: now,
            account: None,
            actor: Actor(self.signature()),
            action,
            object: object.to_owned(),
            details,
        }
    }
}

/// Who asks, and in which account: proof that the caller may see it.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub account: AccountId,
}

impl Scope {
    /// Lets the caller into an account. A foreign one looks just like one that does not exist.
    pub fn enter(service: &Service, caller: Caller, account: AccountId) -> Result<Self, AppError> {
        let own = caller.account.as_ref().is_none_or(|own| *own == account);
        if !own {
            return Err(AppError::UnknownAccount);
        }
        service.snapshot().account(&account)?;
        Ok(Self { caller, account })
    }
}

/// A change of one account, planned on its present state.
#[derive(Debug)]
struct Step<T> {
    writes: Vec<Write>,
    /// The account after the change, where the change shows in its trust metadata.
    trust: Option<AccountConfig>,
    action: &'static str,
    object: String,
    details: Value,
    answer: T,
}

impl<T> Step<T> {
    fn new(action: &'static str, object: impl core::fmt::Display, answer: T) -> Self {
        Self {
            writes: Vec::new(),
            trust: None,
            action,
            object: object.to_string(),
            details: Value::Object(serde_json::Map::new()),
            answer,
        }
    }

    fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    fn trust(mut self, after: AccountConfig) -> Self {
        self.trust = Some(after);
        self
    }
}

/// Commits a change of one account.
async fn change<T, F>(service: &Service, scope: &Scope, plan: F) -> Result<T, AppError>
where
    T: Serialize + Send,
    F: Fn(&AccountConfig) -> Result<Step<T>, AppError> + Send + Sync,
{
    change_once(service, scope, None, plan).await
}

/// The same for a request that may have come before.
async fn change_once<T, F>(
    service: &Service,
    scope: &Scope,
    once: Option<&Once>,
    plan: F,
) -> Result<T, AppError>
where
    T: Serialize + Send,
    F: Fn(&AccountConfig) -> Result<Step<T>, AppError> + Send + Sync,
{
    let now = service.now();
    service
        .commit(|configuration| {
            let step = plan(account_of(configuration, &scope.account)?)?;
            let mut writes = step.writes;
            if let Some(after) = &step.trust {
                let keys = service.keys();
                writes.extend(publish_trust::writes_for(keys, &scope.account, after, now)?);
            }
            let audit = AuditEntry {
                account: Some(scope.account.clone()),
                ..scope
                    .caller
                    .entry(now, step.action, &step.object, step.details)
            };
            let reply = once
                .map(|once| once.reply(service, &step.answer))
                .transpose()?;
            Ok(Plan {
                writes,
                audit,
                reply,
                answer: step.answer,
            })
        })
        .await
}

/// Bytes for a new name or secret.
fn random<const N: usize>() -> Result<[u8; N], AppError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| crate::keys::KeyError::Library)?;
    Ok(bytes)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
