//! Management credentials: made, listed, ended. The secret is shown once; its SHA-256 is kept.

use bonafide_wire::admin::{CreatedCredential, CredentialView, NewCredential, Page, Role};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, CredentialId};

use super::once::Once;
use super::page::Wanted;
use super::rules::Rules;
use super::{Caller, random, sessions, sha256};
use crate::app::commit::Plan;
use crate::app::{AppError, Service, new_account};
use crate::config::{Configuration, Credential};
use crate::store::{Actor, AuditEntry, Expectation, ObjectKey, ObjectKind, Write};

/// Where credentials are good, and so which of them are listed and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere; all credentials are listed.
    Service,
    /// In one account.
    Account(AccountId),
}

impl Reach {
    fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Service => None,
            Self::Account(account) => Some(account),
        }
    }

    fn sees(&self, credential: &Credential) -> bool {
        *self == Self::Service || credential.account.as_ref() == self.account()
    }
}

/// Makes one.
pub async fn create(
    service: &Service,
    caller: &Caller,
    reach: &Reach,
    (new, once): (NewCredential, Option<Once>),
) -> Result<CreatedCredential, AppError> {
    let mut rules = Rules::new();
    rules.text("/name", &new.name, 100);
    rules.held()?;
    let now = service.now();
    let fresh = Fresh::generate(&new, reach.account(), now)?;
    service
        .commit(|_| {
            let details = serde_json::json!({ "name": new.name, "role": new.role });
            let audit = AuditEntry {
                account: reach.account().cloned(),
                ..caller.entry(now, "credential.added", fresh.id.as_str(), details)
            };
            let answer = fresh.created();
            let reply = once.as_ref().map(|once| once.reply(service, &answer));
            Ok(Plan {
                writes: vec![fresh.write()?],
                audit,
                reply: reply.transpose()?,
                answer,
            })
        })
        .await
}

/// Those in reach.
pub fn list(
    service: &Service,
    reach: &Reach,
    wanted: &Wanted,
) -> Result<Page<CredentialView>, AppError> {
    let snapshot = service.snapshot();
    let seen = snapshot
        .configuration
        .credentials
        .iter()
        .filter(|(_, credential)| reach.sees(credential))
        .map(|(id, credential)| (id.clone(), credential))
        .collect();
    wanted.of_map(&seen, |id, credential| view(id, credential))
}

/// Ends one and its sessions. The last way in as service-wide admin stays.
pub async fn remove(
    service: &Service,
    caller: &Caller,
    reach: &Reach,
    id: &CredentialId,
) -> Result<(), AppError> {
    let now = service.now();
    service
        .commit(|configuration| {
            let credential = configuration
                .credentials
                .get(id)
                .filter(|credential| reach.sees(credential))
                .ok_or(AppError::NotFound("credential"))?;
            if is_last_root(configuration, id) {
                let why = "it is the last service-wide admin credential; add another one first";
                return Err(AppError::Conflict(why.to_owned()));
            }
            let details = serde_json::json!({ "name": credential.name });
            let key = ObjectKey::service(ObjectKind::Credential, id.as_str());
            Ok(Plan {
                writes: vec![Write::delete(key, Expectation::Present)],
                audit: AuditEntry {
                    account: credential.account.clone(),
                    ..caller.entry(now, "credential.removed", id.as_str(), details)
                },
                reply: None,
                answer: (),
            })
        })
        .await
}

fn is_last_root(configuration: &Configuration, id: &CredentialId) -> bool {
    let mut roots = configuration
        .credentials
        .iter()
        .filter(|(_, credential)| credential.role == Role::Admin && credential.account.is_none());
    roots.clone().any(|(root, _)| root == id) && roots.all(|(root, _)| root == id)
}

/// The very first start of a service: an account and a way in. Gives nothing where there is a way in already.
pub async fn first_start(
    service: &Service,
    account: &AccountId,
) -> Result<Option<CreatedCredential>, AppError> {
    let configuration = &service.snapshot().configuration;
    // Credentials that cannot be read are no invitation to make new ones.
    if !configuration.credentials.is_empty() || !configuration.damaged.is_empty() {
        return Ok(None);
    }
    let now = service.now();
    let new = NewCredential {
        name: "root".to_owned(),
        role: Role::Admin,
    };
    let fresh = Fresh::generate(&new, None, now)?;
    service
        .commit(|configuration| {
            if !configuration.credentials.is_empty() {
                return Err(AppError::Conflict(
                    "the service has been started before".to_owned(),
                ));
            }
            let order = new_account::NewAccountOrder {
                id: account,
                name: account.as_str(),
                author: "service",
                now,
            };
            let mut writes = vec![fresh.write()?];
            if !configuration.accounts.contains_key(account) {
                writes.extend(new_account::writes_for(service.keys(), &order)?);
            }
            Ok(Plan {
                writes,
                audit: AuditEntry {
                    at: now,
                    account: None,
                    actor: Actor("service".to_owned()),
                    action: "service.started-first",
                    object: fresh.id.to_string(),
                    details: serde_json::json!({ "account": account, "name": new.name }),
                },
                reply: None,
                answer: Some(fresh.created()),
            })
        })
        .await
}

/// A credential that is about to be written.
struct Fresh {
    id: CredentialId,
    credential: Credential,
    secret: zeroize::Zeroizing<[u8; 32]>,
}

impl Fresh {
    fn generate(
        new: &NewCredential,
        account: Option<&AccountId>,
        now: i64,
    ) -> Result<Self, AppError> {
        let id = format!("cred_{}", hex::encode(random::<8>()?));
        let id = CredentialId::parse(id).map_err(|e| AppError::Internal(e.to_string()))?;
        let secret = zeroize::Zeroizing::new(random::<32>()?);
        let credential = Credential {
            name: new.name.clone(),
            role: new.role,
            account: account.cloned(),
            secret_sha256: Base64Url(sha256(&*secret).to_vec()),
            created_at: now,
        };
        Ok(Self {
            id,
            credential,
            secret,
        })
    }

    fn write(&self) -> Result<Write, AppError> {
        let key = ObjectKey::service(ObjectKind::Credential, self.id.as_str());
        Ok(Write::put(key, Expectation::Absent, &self.credential)?)
    }

    fn created(&self) -> CreatedCredential {
        CreatedCredential {
            credential: view(&self.id, &self.credential),
            secret: sessions::credential_text(&self.id, &self.secret),
        }
    }
}

fn view(id: &CredentialId, credential: &Credential) -> CredentialView {
    CredentialView {
        id: id.clone(),
        name: credential.name.clone(),
        role: credential.role,
        account: credential.account.clone(),
        created_at: credential.created_at,
    }
}
