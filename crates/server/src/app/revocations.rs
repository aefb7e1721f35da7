//! The revocation list in force: which one, since when it is known to be the newest, and how keeping it fresh goes.
//!
//! Decides which list replaces which: an empty list, or one that lost more than half of its entries, is taken for a
//! fault of whoever sent it. It refuses to know where lists come from; [`crate::revocation_source`] does. A list
//! that stops coming is not forgotten: it ages, and the policy judges its age.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bonafide_evidence::UnixTime;
use bonafide_evidence::android::{ListAge, RevocationList};
use bonafide_wire::admin::RevocationListView;
use tokio::sync::{Notify, watch};

use super::admin::sha256;

/// Longest that somebody waits who asked for a fresh list.
const PATIENCE: Duration = Duration::from_secs(12);

/// A list and its age, which go together.
#[derive(Debug)]
pub struct InForce {
    /// The list; empty where there is none.
    pub list: Arc<RevocationList>,
    /// When it was known to be the newest.
    pub age: ListAge,
    /// SHA-256 of the list as it was read: another list is another digest.
    pub digest: [u8; 32],
}

/// Why a list does not replace the one in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListReject {
    /// It cannot be read whole.
    #[error(transparent)]
    Malformed(#[from] bonafide_evidence::android::RevocationListError),
    /// Google lists hundreds of keys; none is a fault.
    #[error("it is empty")]
    Empty,
    /// Keys come off the list one by one.
    #[error("it has {now} entries, the one in force has {before}")]
    Shrunk {
        /// Entries in force.
        before: usize,
        /// Entries offered.
        now: usize,
    },
}

/// Who offers a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// The operator's file: its word counts, empty or not.
    Operator,
    /// A server, which may be wrong.
    Server,
}

/// How keeping it fresh goes.
#[derive(Debug, Default)]
struct Progress {
    source: Option<String>,
    last_attempt_at: Option<i64>,
    last_failure: Option<String>,
}

/// The list in force and its upkeep.
#[derive(Debug)]
pub struct Revocations {
    in_force: ArcSwap<InForce>,
    progress: Mutex<Progress>,
    failures: AtomicU64,
    wanted: Notify,
    attempts: watch::Sender<u64>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            in_force: ArcSwap::from_pointee(InForce {
                list: Arc::new(RevocationList::empty()),
                age: ListAge::Missing,
                digest: [0; 32],
            }),
            progress: Mutex::default(),
            failures: AtomicU64::new(0),
            wanted: Notify::new(),
            attempts: watch::Sender::new(0),
        }
    }
}

impl Revocations {
    /// The list and its age.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Takes a list that was known to be the newest then, if it is one.
    pub fn offer(&self, json: &[u8], giver: Giver, confirmed_at: i64) -> Result<(), ListReject> {
        let list = RevocationList::parse(json)?;
        if giver == Giver::Server {
            let (before, now) = (self.in_force.load().list.len(), list.len());
            if now == 0 {
                return Err(ListReject::Empty);
            }
            if now < before.div_ceil(2) {
                return Err(ListReject::Shrunk { before, now });
            }
        }
        self.in_force.store(Arc::new(InForce {
            list: Arc::new(list),
            age: ListAge::ConfirmedAt(UnixTime(confirmed_at)),
            digest: sha256(json),
        }));
        Ok(())
    }

    /// The list in force is still the newest.
    pub fn confirm(&self, confirmed_at: i64) {
        let present = self.in_force.load();
        self.in_force.store(Arc::new(InForce {
            list: Arc::clone(&present.list),
            age: ListAge::ConfirmedAt(UnixTime(confirmed_at)),
            digest: present.digest,
        }));
    }

    /// Where lists come from from now on.
    pub fn comes_from(&self, source: String) {
        self.progress().source = Some(source);
    }

    /// An attempt to get a newer one has ended.
    pub fn attempted(&self, now: i64, outcome: &Result<(), String>) {
        {
            let mut progress = self.progress();
            progress.last_attempt_at = Some(now);
            progress.last_failure = outcome.as_ref().err().cloned();
        }
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.attempts
            .send_modify(|attempts| *attempts = attempts.saturating_add(1));
    }

    /// How many attempts failed since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Resolves when somebody wants a fresh list now.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Asks for a fresh list and waits for the outcome, but not for long. `false` where lists come from nowhere.
    pub async fn refresh(&self) -> bool {
        if self.progress().source.is_none() {
            return false;
        }
        let mut attempts = self.attempts.subscribe();
        let before = *attempts.borrow_and_update();
        self.wanted.notify_one();
        let attempted = attempts.wait_for(|now| *now > before);
        tokio::time::timeout(PATIENCE, attempted)
            .await
            .map(|_| ())
            .unwrap_or_default();
        true
    }

    /// What an operator reads.
    pub fn view(&self, now: i64) -> RevocationListView {
        let in_force = self.in_force();
        let confirmed_at = match in_force.age {
            ListAge::ConfirmedAt(UnixTime(at)) => Some(at),
            ListAge::Missing => None,
        };
        let progress = self.progress();
        RevocationListView {
            source: progress.source.clone(),
            entries: u64::try_from(in_force.list.len()).unwrap_or(u64::MAX),
            confirmed_at,
            age_seconds: confirmed_at.map(|at| now.saturating_sub(at).max(0)),
            last_attempt_at: progress.last_attempt_at,
            last_failure: progress.last_failure.clone(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: usize) -> Vec<u8> {
        let entries: Vec<_> = (1..=entries)
            .map(|n| format!(r#""{n:x}":{{"status":"REVOKED"}}"#))
            .collect();
        format!(r#"{{"entries":{{{}}}}}"#, entries.join(",")).into_bytes()
    }

    #[test]
    fn a_server_may_not_empty_or_halve_the_list_and_an_operator_may() {
        let revocations = Revocations::default();
        assert_eq!(
            revocations.offer(&list(0), Giver::Server, 1),
            Err(ListReject::Empty)
        );
        for (entries, giver, taken) in [
            (100, Giver::Server, true),
            (49, Giver::Server, false),
            (50, Giver::Server, true),
            (24, Giver::Server, false),
            (1, Giver::Operator, true),
            (0, Giver::Operator, true),
        ] {
            let before = revocations.in_force().list.len();
            assert_eq!(
                revocations.offer(&list(entries), giver, 2).is_ok(),
                taken,
                "{before} to {entries}"
            );
            let expected = if taken { entries } else { before };
            assert_eq!(revocations.in_force().list.len(), expected);
        }
    }

    #[test]
    fn a_list_that_is_refused_changes_neither_list_nor_age() {
        let revocations = Revocations::default();
        revocations.offer(&list(3), Giver::Server, 10).unwrap();
        for bad in [b"<html>".to_vec(), list(1), list(0)] {
            assert!(revocations.offer(&bad, Giver::Server, 20).is_err());
        }
        assert_eq!(
            (
                revocations.view(30).entries,
                revocations.view(30).age_seconds
            ),
            (3, Some(20))
        );
        revocations.confirm(25);
        assert_eq!(
            (
                revocations.view(30).entries,
                revocations.view(30).age_seconds
            ),
            (3, Some(5))
        );
    }
}
