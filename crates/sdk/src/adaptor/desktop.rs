//! Hosts for a desktop: the system's clocks, and a directory as vault. They decide nothing.

use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::host::{BoxFuture, Clock, Record, Vault, VaultError};

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// Its monotonic time begins now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a host is where the wall clock is read"
    )]
    fn wall(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

/// A vault of one file per record, readable by its owner only, replaced as a whole.
#[derive(Debug, Clone)]
pub struct DirectoryVault(PathBuf);

impl DirectoryVault {
    /// A vault in this directory, which is made where it is missing.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    fn path(&self, record: Record) -> PathBuf {
        self.0.join(format!("{}.json", record.name()))
    }

    fn read(&self, record: Record) -> Result<Option<Vec<u8>>, VaultError> {
        match fs::read(self.path(record)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(VaultError),
        }
    }

    fn replace(&self, record: Record, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let path = self.path(record);
        match bytes {
            None => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Some(bytes) => {
                let next = path.with_extension("next");
                write_privately(&next, &bytes)?;
                fs::rename(next, path)
            }
        }
    }
}

#[cfg(unix)]
fn write_privately(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_privately(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)
}

impl Vault for DirectoryVault {
    fn load(&self, record: Record) -> BoxFuture<'_, Result<Option<Vec<u8>>, VaultError>> {
        Box::pin(core::future::ready(self.read(record)))
    }

    fn store(
        &self,
        record: Record,
        bytes: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>> {
        let done = self.replace(record, bytes).map_err(|_| VaultError);
        Box::pin(core::future::ready(done))
    }
}
