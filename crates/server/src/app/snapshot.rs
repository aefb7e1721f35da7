//! The configuration in force and what is derived from it once instead of at every request.

use std::collections::BTreeMap;
use std::sync::Arc;

use bonafide_wire::ids::AccountId;

use crate::config::{AccountConfig, Configuration, SigningKeyState};
use crate::keys::Keys;
use crate::keys::signing::TokenSigner;

use super::AppError;

/// An immutable configuration with its indices.
#[derive(Debug)]
pub struct Snapshot {
    /// As stored.
    pub configuration: Configuration,
    derived: BTreeMap<AccountId, AccountIndex>,
}

/// What is derived for one account.
#[derive(Debug)]
struct AccountIndex {
    signer: Option<Arc<TokenSigner>>,
}

/// One account of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct AccountView<'a> {
    /// Its id.
    pub id: &'a AccountId,
    /// As stored.
    pub config: &'a AccountConfig,
    index: &'a AccountIndex,
}

impl Snapshot {
    /// Derives the indices. Opened keys are taken over from the snapshot before.
    pub fn build(
        configuration: Configuration,
        keys: &Keys,
        before: Option<&Self>,
    ) -> Result<Self, AppError> {
        let mut derived = BTreeMap::new();
        for (id, account) in &configuration.accounts {
            let old = before.and_then(|before| before.derived.get(id));
            derived.insert(id.clone(), AccountIndex::build(id, account, keys, old)?);
        }
        Ok(Self {
            configuration,
            derived,
        })
    }

    /// The configuration's version.
    pub fn version(&self) -> u64 {
        self.configuration.version
    }

    /// An account of it.
    pub fn account(&self, id: &AccountId) -> Result<AccountView<'_>, AppError> {
        let (id, config) = self
            .configuration
            .accounts
            .get_key_value(id)
            .ok_or(AppError::UnknownAccount)?;
        let index = self.derived.get(id).ok_or(AppError::UnknownAccount)?;
        Ok(AccountView { id, config, index })
    }
}

impl AccountIndex {
    fn build(
        id: &AccountId,
        account: &AccountConfig,
        keys: &Keys,
        old: Option<&Self>,
    ) -> Result<Self, AppError> {
        let active = account
            .signing_keys
            .iter()
            .find(|(_, key)| key.state == SigningKeyState::Active);
        let signer = match active {
            Some((kid, key)) => Some(
                old.and_then(|old| old.signer.clone())
                    .filter(|signer| signer.kid() == kid)
                    .map_or_else(|| keys.open_signing_key(id, kid, key).map(Arc::new), Ok)?,
            ),
            None => None,
        };
        Ok(Self { signer })
    }
}

impl AccountView<'_> {
    /// The key that signs now; absent only where an operator withdrew every key.
    pub fn signer(&self) -> Option<&TokenSigner> {
        self.index.signer.as_deref()
    }
}
