//! Readers: a few connections that cannot write, each used by one read at a time, off the async threads.
//!
//! A read sees everything that was acknowledged before it began (WAL snapshots), and never waits for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::schema;
use crate::store::{StoreError, StoreFuture};

/// Reads at the same time, and so connections kept.
const READERS: usize = 4;

/// The pool.
pub(super) struct Readers {
    path: PathBuf,
    turns: Semaphore,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Connections are opened when first needed.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            turns: Semaphore::new(READERS),
            idle: Arc::default(),
        }
    }

    /// Runs the read in one transaction, so that all it sees is of one moment.
    pub(super) fn read<T, F>(&self, work: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(async move {
            let turn = self.turns.acquire().await;
            let turn = turn.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
            let read = tokio::task::spawn_blocking(move || read_one(&path, &idle, work)).await;
            drop(turn);
            read.map_err(|e| StoreError::Unavailable(e.to_string()))?
        })
    }
}

fn read_one<T, F>(path: &Path, idle: &Mutex<Vec<Connection>>, work: F) -> Result<T, StoreError>
where
    F: FnOnce(&Connection) -> Result<T, StoreError>,
{
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut connection = match kept {
        Some(connection) => connection,
        None => schema::connect_reader(path)?,
    };
    let transaction = connection.transaction()?;
    let outcome = work(&transaction);
    transaction.finish()?;
    idle.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(connection);
    outcome
}
