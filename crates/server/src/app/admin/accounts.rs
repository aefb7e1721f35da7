//! Accounts: made whole (keys, policy, trust metadata), listed as far as the caller may see them.

use bonafide_wire::admin::{AccountView, NewAccount, Page};
use bonafide_wire::ids::AccountId;

use super::once::Once;
use super::page::Wanted;
use super::rules::Rules;
use super::{Caller, Scope};
use crate::app::commit::Plan;
use crate::app::{AppError, Service, new_account};
use crate::config::AccountConfig;
use crate::store::AuditEntry;

/// Makes one.
pub async fn create(
    service: &Service,
    caller: &Caller,
    new: NewAccount,
    once: Option<Once>,
) -> Result<AccountView, AppError> {
    let mut rules = Rules::new();
    rules.text("/name", &new.name, 100);
    rules.held()?;
    let (now, author) = (service.now(), caller.signature());
    service
        .commit(|configuration| {
            if configuration.accounts.contains_key(&new.id) {
                return Err(AppError::Conflict(format!(
                    "there is an account {}",
                    new.id
                )));
            }
            let order = new_account::NewAccountOrder {
                id: &new.id,
                name: &new.name,
                author: &author,
                now,
            };
            let answer = AccountView {
                id: new.id.clone(),
                name: new.name.clone(),
                created_at: now,
            };
            let reply = once.as_ref().map(|once| once.reply(service, &answer));
            let details = serde_json::json!({ "name": new.name });
            Ok(Plan {
                writes: new_account::writes_for(service.keys(), &order)?,
                audit: AuditEntry {
                    account: Some(new.id.clone()),
                    ..caller.entry(now, "account.added", new.id.as_str(), details)
                },
                reply: reply.transpose()?,
                answer,
            })
        })
        .await
}

/// Those that the caller may see.
pub fn list(
    service: &Service,
    caller: &Caller,
    wanted: &Wanted,
) -> Result<Page<AccountView>, AppError> {
    let snapshot = service.snapshot();
    let seen = snapshot
        .configuration
        .accounts
        .iter()
        .filter(|(id, _)| caller.account.as_ref().is_none_or(|own| own == *id))
        .map(|(id, account)| (id.clone(), account))
        .collect();
    wanted.of_map(&seen, |id, account| view(id, account))
}

/// The one that the scope is in.
pub fn read(service: &Service, scope: &Scope) -> Result<AccountView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    Ok(view(account.id, account.config))
}

fn view(id: &AccountId, account: &AccountConfig) -> AccountView {
    AccountView {
        id: id.clone(),
        name: account.name.clone(),
        created_at: account.created_at,
    }
}
