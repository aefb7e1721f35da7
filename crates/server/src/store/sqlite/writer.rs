//! The one writer: a thread that puts all waiting verbs into one transaction and one fsync (group commit).
//!
//! Verbs that can all be kept, nearly always, run one after the other. Where one must be undone (a conflict, a
//! fault), the group is rolled back and run again with a savepoint for each verb, so that one verb's conflict undoes
//! that verb only. Callers hear back after the commit; where the commit fails, every verb of the group hears
//! `Unavailable` and none of it is there. A verb that panics is undone like any other: the writer goes on.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::audit;
use super::group::Group;
use crate::store::{StoreError, StoreFuture};

/// Most verbs of one transaction: bounds how long the first one waits for the last.
const GROUP: usize = 512;
/// Most verbs that wait: with a disk that hangs, more are refused at once instead of filling memory.
const MOST_WAITING: usize = 8 * GROUP;
/// How long a group waits to become as large as the one before: callers that have just heard back are on their way
/// with their next verb, and a sync for half of them costs as much as one for all. A lone writer never waits.
const GATHER: Duration = Duration::from_micros(200);

/// The way to the writer thread. Dropping it lets the thread finish what waits, and waits for that.
pub(super) struct Writer {
    verbs: Option<SyncSender<Box<dyn Verb>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// One verb on its way through a transaction. It may run twice; only what its last run did can be kept.
trait Verb: Send {
    fn run(&mut self, group: &Group<'_>) -> Ran;
    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a verb's work asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Keep,
    Undo,
}

/// How a group runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Every verb will be kept.
    Straight,
    /// Some will not.
    WithSavepoints,
}

struct Waiting<T, F> {
    work: F,
    outcome: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Verb for Waiting<T, F>
where
    T: Send,
    F: Fn(&Group<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, group: &Group<'_>) -> Ran {
        // What a panic leaves half done is rolled back with the verb.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(group)));
        let outcome = outcome.unwrap_or_else(|_| {
            tracing::error!("a verb of the store panicked and is undone");
            Err(StoreError::Damaged("a verb panicked".to_owned()))
        });
        let ran = if outcome.is_ok() {
            Ran::Keep
        } else {
            Ran::Undo
        };
        self.outcome = Some(outcome);
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
        let (verbs, queue) = sync_channel(MOST_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_groups(&mut connection, &queue, &counted))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self {
            verbs: Some(verbs),
            waiting,
            thread: Some(thread),
        })
    }

    /// Whether the thread is there: without it nothing is written any more.
    pub(super) fn is_alive(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// How many verbs wait for their commit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs the work in the next group; resolves once it is durable. The work may run twice.
    pub(super) fn write<T, F>(&self, work: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: Fn(&Group<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let verb = Box::new(Waiting {
            work,
            outcome: None,
            caller,
        });
        let sent = self.verbs.as_ref().map(|verbs| {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let sent = verbs.try_send(verb);
            if sent.is_err() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            sent
        });
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

pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable("the store's writer has stopped".to_owned())
}

fn write_groups(
    connection: &mut Connection,
    queue: &Receiver<Box<dyn Verb>>,
    waiting: &AtomicUsize,
) {
    let mut before = 1;
    while let Ok(first) = queue.recv() {
        let mut verbs = vec![first];
        let committed = commit_group(connection, &mut verbs, (queue, before));
        if committed.is_err() && !connection.is_autocommit() {
            // Where even this fails the next BEGIN says so, and again nothing is acknowledged.
            drop(connection.execute_batch("ROLLBACK"));
        }
        before = verbs.len();
        waiting.fetch_sub(before, Ordering::Relaxed);
        for verb in verbs {
            verb.acknowledge(committed.clone());
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Runs the first verb and whatever else comes meanwhile, and commits.
fn commit_group(
    connection: &Connection,
    verbs: &mut Vec<Box<dyn Verb>>,
    (queue, before): (&Receiver<Box<dyn Verb>>, usize),
) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let group = Group::new(connection);
    let mut way = Way::Straight;
    let until = Instant::now() + GATHER;
    let mut ran = 0;
    loop {
        if let (Way::Straight, Some(verb)) = (way, verbs.get_mut(ran))
            && verb.run(&group) == Ran::Undo
        {
            way = Way::WithSavepoints;
        }
        ran = ran.saturating_add(1);
        if ran >= GROUP {
            break;
        }
        match next(queue, (ran < before).then_some(until)) {
            Some(verb) => verbs.push(verb),
            None => break,
        }
    }
    if way == Way::WithSavepoints {
        return commit_with_savepoints(connection, verbs);
    }
    audit::store_head(&group)?;
    execute(connection, "COMMIT")
}

/// The next verb; where the group may still grow, one that comes until then.
fn next(queue: &Receiver<Box<dyn Verb>>, until: Option<Instant>) -> Option<Box<dyn Verb>> {
    let Some(until) = until else {
        return queue.try_recv().ok();
    };
    let patience = until.saturating_duration_since(Instant::now());
    queue.recv_timeout(patience).ok()
}

/// The whole group once more, each verb undone on its own where it must be.
fn commit_with_savepoints(
    connection: &Connection,
    verbs: &mut [Box<dyn Verb>],
) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        // SQLite gave up the whole transaction (disk full, I/O error): no verb of the group is there.
        return Err(StoreError::Unavailable(
            "the transaction was rolled back".to_owned(),
        ));
    }
    execute(connection, "ROLLBACK")?;
    execute(connection, "BEGIN IMMEDIATE")?;
    let group = Group::new(connection);
    for verb in verbs.iter_mut() {
        execute(connection, "SAVEPOINT verb")?;
        let head = group.head();
        if verb.run(&group) == Ran::Undo {
            if connection.is_autocommit() {
                return Err(StoreError::Unavailable(
                    "the transaction was rolled back".to_owned(),
                ));
            }
            execute(connection, "ROLLBACK TO verb")?;
            group.back_to(head);
        }
        execute(connection, "RELEASE verb")?;
    }
    audit::store_head(&group)?;
    execute(connection, "COMMIT")
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
        assert_eq!(writer.waiting(), 0);
    }

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let tables =
            "CREATE TABLE t (n INTEGER PRIMARY KEY); CREATE TABLE audit_head (sequence, hash)";
        connection.execute_batch(tables).unwrap();
        connection
    }

    fn insert(group: &Group<'_>, number: i64) -> Result<(), StoreError> {
        group.execute("INSERT INTO t VALUES (?1)", [number])?;
        Ok(())
    }

    /// Alone, and in one group with others.
    #[tokio::test]
    async fn a_verb_that_panics_or_fails_is_undone_and_the_writer_goes_on() {
        let writer = Writer::start(table()).unwrap();
        let panics = || {
            writer.write(|group| -> Result<(), StoreError> {
                insert(group, 1)?;
                panic!("a fault in a verb");
            })
        };
        assert!(matches!(panics().await, Err(StoreError::Damaged(_))));
        assert!(writer.is_alive());
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let stuck = writer.write(move |_| {
            gate.lock().unwrap().recv().ok();
            Ok(())
        });
        let group = [
            writer.write(|group| insert(group, 2)),
            panics(),
            writer.write(|group| insert(group, 2)),
            writer.write(|group| insert(group, 3)),
        ];
        drop(go);
        stuck.await.unwrap();
        let mut outcomes = Vec::new();
        for verb in group {
            outcomes.push(verb.await);
        }
        let [first, panicked, repeated, last] = outcomes.try_into().unwrap();
        assert_eq!((first, last), (Ok(()), Ok(())));
        assert!(matches!(panicked, Err(StoreError::Damaged(_))));
        assert!(matches!(repeated, Err(StoreError::Conflict(_))));
        let there = writer.write(|group| {
            let sum = group.query_row("SELECT sum(n) FROM t", [], |row| row.get::<_, i64>(0))?;
            Ok(sum)
        });
        assert_eq!(there.await, Ok(5));
    }
}
