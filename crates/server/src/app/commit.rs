//! Changing the configuration: planned on a snapshot, committed only if that snapshot is still the latest,
//! in force on this node before the caller is answered.

use bonafide_wire::ids::AccountId;

use super::{AppError, Service, Snapshot};
use crate::config::Configuration;
use crate::store::assemble::preview;
use crate::store::{AuditEntry, Change, Expectation, RecordedReply, StoreError, Write};

/// How often a plan is made anew because another node was faster.
const MOST_ATTEMPTS: u32 = 16;

/// What shall be written, and what the caller wants to know afterwards.
#[derive(Debug)]
pub struct Plan<T> {
    /// In order; their expectations are set by [`Service::commit`].
    pub writes: Vec<Write>,
    /// What the log shall say.
    pub audit: AuditEntry,
    /// The reply to be kept for an `Idempotency-Key`.
    pub reply: Option<RecordedReply>,
    /// Handed back once the change is in force.
    pub answer: T,
}

impl Service {
    /// Plans on the configuration in force, commits by compare and set, reloads and swaps. The plan is made
    /// again when somebody else's change came first, so it must depend on its argument only.
    pub async fn commit<T, F>(&self, plan: F) -> Result<T, AppError>
    where
        F: Fn(&Configuration) -> Result<Plan<T>, AppError> + Send + Sync,
        T: Send,
    {
        let _turn = self.committing.lock().await;
        let mut lost = String::new();
        for _ in 0..MOST_ATTEMPTS {
            let snapshot = self.snapshot.load_full();
            let Plan {
                mut writes,
                audit,
                reply,
                answer,
            } = plan(&snapshot.configuration)?;
            for write in &mut writes {
                write.expect = Expectation::Version(snapshot.version());
            }
            // What could not be read back tomorrow is not written today.
            for (id, account) in preview(&snapshot.configuration, &writes)? {
                snapshot.check(&id, &account, &self.keys)?;
            }
            let change = Change {
                writes,
                audit,
                reply,
            };
            match self.store.commit(change).await {
                Ok(_) => {
                    self.load_and_swap().await?;
                    return Ok(answer);
                }
                Err(StoreError::Conflict(why)) => {
                    self.load_and_swap().await?;
                    if self.snapshot.load().version() == snapshot.version() {
                        // Nobody was faster: the change itself is in conflict.
                        return Err(AppError::Conflict(why));
                    }
                    lost = why;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Conflict(format!(
            "other changes came first {MOST_ATTEMPTS} times: {lost}"
        )))
    }

    /// Takes over what other nodes committed; cheap when nothing changed. Gives the version in force.
    pub async fn refresh(&self) -> Result<u64, AppError> {
        if self.store.version().await? != self.snapshot.load().version() {
            let _turn = self.committing.lock().await;
            self.load_and_swap().await?;
        }
        Ok(self.snapshot.load().version())
    }

    /// Only to be called with `committing` held, so that an older load cannot replace a newer one.
    async fn load_and_swap(&self) -> Result<(), AppError> {
        let configuration = self.store.load().await?;
        let before = self.snapshot.load_full();
        let snapshot = Snapshot::build(configuration, &self.keys, Some(&before));
        self.snapshot.store(std::sync::Arc::new(snapshot));
        Ok(())
    }
}

/// The configuration of an account, for plans.
pub fn account_of<'a>(
    configuration: &'a Configuration,
    id: &AccountId,
) -> Result<&'a crate::config::AccountConfig, AppError> {
    configuration
        .accounts
        .get(id)
        .ok_or(AppError::UnknownAccount)
}
