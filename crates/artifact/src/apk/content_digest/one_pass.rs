//! One pass over the file: every byte is read once, whatever is computed of it.
//!
//! Decides only the order of work. A file's own SHA-256 goes byte after byte and is the longest path, so it goes first
//! wherever its next piece is there; digests of chunks fill the other processors, and whoever has nothing else to do reads
//! ahead. Pieces live in a few buffers that are used again, so that memory does not grow with the file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256, Sha512};

use super::{APK_SALT, ContentDigest, Cover, Piece, chunk_digest, hash_pages, joined, threads};
use crate::inspection::Sha256Digest;
use crate::source::Source;

/// Buffers beyond one for each thread, so that nobody waits for a buffer while there is work.
const SPARE_BUFFERS: usize = 2;

/// What came of the pass.
pub(super) struct Passed {
    pub(super) file: Sha256Digest,
    pieces: BTreeMap<usize, BTreeMap<ContentDigest, Vec<u8>>>,
}

impl Passed {
    /// This digest of every piece that it covers, in order.
    pub(super) fn of(&self, digest: ContentDigest) -> Vec<&[u8]> {
        let pieces = self.pieces.values();
        pieces
            .filter_map(|piece| piece.get(&digest))
            .map(Vec::as_slice)
            .collect()
    }
}

/// Reads all pieces, which are the file in order.
pub(super) fn run(
    source: &dyn Source,
    pieces: &[Piece],
    wanted: &BTreeSet<ContentDigest>,
) -> io::Result<Passed> {
    let threads = threads().min(pieces.len().saturating_add(1));
    let pass = Pass {
        source,
        pieces,
        wanted,
        state: Mutex::new(State {
            file: Some(Sha256::new()),
            buffers: vec![Vec::new(); threads.saturating_add(SPARE_BUFFERS)],
            ..State::default()
        }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| -> io::Result<()> {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| pass.work())).collect();
        let mut result = pass.work();
        for other in others {
            result = result.and(joined(other.join()));
        }
        result
    })?;
    let state = pass
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let file = state
        .file
        .ok_or_else(|| io::Error::other("a hashing thread failed"))?;
    Ok(Passed {
        file: Sha256Digest(file.finalize().into()),
        pieces: state.digests,
    })
}

struct Pass<'a> {
    source: &'a dyn Source,
    pieces: &'a [Piece],
    wanted: &'a BTreeSet<ContentDigest>,
    state: Mutex<State>,
    changed: Condvar,
}

type Buffer = Arc<Vec<u8>>;

#[derive(Default)]
struct State {
    /// The running digest of the file; absent while somebody feeds it.
    file: Option<Sha256>,
    /// How many pieces the file's digest has been fed, and how many have been given out to be read.
    fed: usize,
    given: usize,
    /// Pieces read that the file's digest has not been fed.
    unfed: BTreeMap<usize, Buffer>,
    /// Pieces read of which digests are wanted.
    undigested: VecDeque<(usize, Buffer)>,
    digesting: usize,
    buffers: Vec<Vec<u8>>,
    digests: BTreeMap<usize, BTreeMap<ContentDigest, Vec<u8>>>,
    /// Somebody could not go on: the others need not either.
    failed: bool,
}

enum Task {
    Feed(Sha256, Buffer),
    Digest(usize, Buffer),
    Read(usize, Vec<u8>),
}

impl State {
    fn next(&mut self, count: usize) -> Option<Task> {
        if let Some(buffer) = self.unfed.remove(&self.fed) {
            match self.file.take() {
                Some(file) => return Some(Task::Feed(file, buffer)),
                None => drop(self.unfed.insert(self.fed, buffer)),
            }
        }
        if let Some((index, buffer)) = self.undigested.pop_front() {
            self.digesting = self.digesting.saturating_add(1);
            return Some(Task::Digest(index, buffer));
        }
        if self.given < count {
            let buffer = self.buffers.pop()?;
            self.given = self.given.saturating_add(1);
            return Some(Task::Read(self.given.saturating_sub(1), buffer));
        }
        None
    }

    fn is_done(&self, count: usize) -> bool {
        self.failed || self.fed == count && self.undigested.is_empty() && self.digesting == 0
    }

    /// Whoever is the last to use a buffer puts it back. Both uses end under the lock, so one of them is the last.
    fn put_back(&mut self, buffer: Buffer) {
        if let Ok(buffer) = Arc::try_unwrap(buffer) {
            self.buffers.push(buffer);
        }
    }
}

impl Pass<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> io::Result<()> {
        let _guard = EndsForAll(self);
        let mut state = self.lock();
        while !state.is_done(self.pieces.len()) {
            let Some(task) = state.next(self.pieces.len()) else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            state = self.perform(task)?;
            self.changed.notify_all();
        }
        Ok(())
    }

    fn perform(&self, task: Task) -> io::Result<MutexGuard<'_, State>> {
        match task {
            Task::Feed(mut file, buffer) => {
                file.update(buffer.as_slice());
                let mut state = self.lock();
                state.file = Some(file);
                state.fed = state.fed.saturating_add(1);
                state.put_back(buffer);
                Ok(state)
            }
            Task::Digest(index, buffer) => {
                let digests = self.digests(index, &buffer);
                let mut state = self.lock();
                state.digests.insert(index, digests);
                state.digesting = state.digesting.saturating_sub(1);
                state.put_back(buffer);
                Ok(state)
            }
            Task::Read(index, mut buffer) => {
                let piece = self.pieces.get(index).ok_or(io::ErrorKind::InvalidInput)?;
                buffer.resize(piece.length, 0);
                self.source.read_at(piece.offset, &mut buffer)?;
                let buffer = Arc::new(buffer);
                let mut state = self.lock();
                if piece.cover != Cover::Outside && !self.wanted.is_empty() {
                    state.undigested.push_back((index, Arc::clone(&buffer)));
                }
                state.unfed.insert(index, buffer);
                Ok(state)
            }
        }
    }

    fn digests(&self, index: usize, data: &[u8]) -> BTreeMap<ContentDigest, Vec<u8>> {
        let cover = self.pieces.get(index).map(|piece| piece.cover);
        let mut digests = BTreeMap::new();
        for digest in self.wanted {
            let value = match digest {
                ContentDigest::Sha256 => chunk_digest::<Sha256>(data),
                ContentDigest::Sha512 => chunk_digest::<Sha512>(data),
                // The directory's pages go on into the end record; they are hashed together afterwards.
                ContentDigest::Verity if cover == Some(Cover::Entries) => {
                    let mut leaves = Vec::new();
                    hash_pages(data, &APK_SALT, &mut leaves);
                    leaves
                }
                ContentDigest::Verity => continue,
            };
            digests.insert(*digest, value);
        }
        digests
    }
}

/// However a worker ends, by an error or by a panic in somebody's `Source`, nobody waits for it.
struct EndsForAll<'a, 'b>(&'a Pass<'b>);

impl Drop for EndsForAll<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.is_done(self.0.pieces.len()) {
            state.failed = true;
        }
        drop(state);
        self.0.changed.notify_all();
    }
}
