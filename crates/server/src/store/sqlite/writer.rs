//! The one writer: a thread that puts all waiting verbs into one transaction and one fsync (group commit).
//!
//! Each verb has a savepoint of its own, so one verb's conflict undoes that verb only. Callers hear back after
//! the commit; where the commit fails, every verb of the group hears `Unavailable` and none of it is there.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::{StoreError, StoreFuture};

/// Most verbs of one transaction: bounds how long the first one waits for the last.
const GROUP: usize = 512;
/// Most verbs that wait: with a disk that hangs, more are refused at once instead of filling memory.
const MOST_WAITING: usize = 8 * GROUP;

/// The way to the writer thread. Dropping it lets the thread finish what waits, and waits for that.
pub(super) struct Writer {
    verbs: Option<SyncSender<Box<dyn Verb>>>,
    thread: Option<JoinHandle<()>>,
}

/// One verb on its way through a transaction.
trait Verb: Send {
    fn run(&mut self, connection: &Connection) -> Ran;
    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a verb's work did to its savepoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Keep,
    Undo,
}

struct Waiting<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Verb for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) -> Ran {
        let outcome = self.work.take().map(|work| work(connection));
        let ran = if matches!(outcome, Some(Ok(_))) {
            Ran::Keep
        } else {
            Ran::Undo
        };
        self.outcome = outcome;
        ran
    }

    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) | (Err(_), Some(outcome @ Err(_))) => outcome,
            (Ok(()), None) => Err(StoreError::Unavailable("the verb did not run".to_owned())),
            (Err(error), _) => Err(error),
        };
        // A caller that went away is told nothing; what was committed stays.
        drop(self.caller.send(outcome));
    }
}

impl Writer {
    /// Starts the thread on this connection.
    pub(super) fn start(mut connection: Connection) -> Result<Self, StoreError> {
        let (verbs, waiting) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_groups(&mut connection, &waiting))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self {
            verbs: Some(verbs),
            thread: Some(thread),
        })
    }

    /// Runs the work in the next group; resolves once it is durable.
    pub(super) fn write<T, F>(&self, work: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let verb = Box::new(Waiting {
            work: Some(work),
            outcome: None,
            caller,
        });
        let sent = self.verbs.as_ref().map(|verbs| verbs.try_send(verb));
        Box::pin(async move {
            match sent {
                Some(Ok(())) => answer.await.unwrap_or_else(|_| Err(stopped())),
                Some(Err(TrySendError::Full(_))) => Err(StoreError::Unavailable(
                    "too many writes are waiting".to_owned(),
                )),
                _ => Err(stopped()),
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.verbs.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store has been closed".to_owned())
}

fn write_groups(connection: &mut Connection, waiting: &Receiver<Box<dyn Verb>>) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(GROUP - 1));
        let committed = commit_group(connection, &mut group);
        if committed.is_err() && !connection.is_autocommit() {
            // Where even this fails the next BEGIN says so, and again nothing is acknowledged.
            drop(connection.execute_batch("ROLLBACK"));
        }
        for verb in group {
            verb.acknowledge(committed.clone());
        }
    }
}

fn commit_group(connection: &Connection, group: &mut [Box<dyn Verb>]) -> Result<(), StoreError> {
    let execute = |sql: &str| -> Result<(), StoreError> {
        connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    execute("BEGIN IMMEDIATE")?;
    for verb in group.iter_mut() {
        execute("SAVEPOINT verb")?;
        if verb.run(connection) == Ran::Undo {
            if connection.is_autocommit() {
                // SQLite gave up the whole transaction (disk full, I/O error): no verb of the group is there.
                return Err(StoreError::Unavailable(
                    "the transaction was rolled back".to_owned(),
                ));
            }
            execute("ROLLBACK TO verb")?;
        }
        execute("RELEASE verb")?;
    }
    execute("COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_the_queue_is_refused_and_what_waits_is_written() {
        let writer = Writer::start(Connection::open_in_memory().unwrap()).unwrap();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (began, beginning) = std::sync::mpsc::channel();
        let stuck = writer.write(move |_| {
            began.send(()).unwrap();
            gate.recv().ok();
            Ok(())
        });
        beginning.recv().unwrap();
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|_| writer.write(|_| Ok(())))
            .collect();
        let refused = writer.write(|_| Ok(())).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        drop(go);
        stuck.await.unwrap();
        for written in waiting {
            written.await.unwrap();
        }
    }
}
