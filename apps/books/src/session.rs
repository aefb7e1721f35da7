//! The login between two starts of the app: one file, readable by its owner only, replaced as a whole.
//!
//! Holds tokens, never a client secret: the record has no place for one.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bonafide_oauth::Tokens;
use bonafide_oauth::seal::Record as _;
use zeroize::Zeroizing;

/// Where the tokens are.
#[derive(Debug, Clone)]
pub(crate) struct SessionFile(PathBuf);

impl SessionFile {
    pub(crate) fn in_directory(state: &Path) -> Self {
        Self(state.join("session.json"))
    }

    /// The tokens of the last login; a file that cannot be read is no login.
    pub(crate) fn load(&self) -> Option<Tokens> {
        let bytes = Zeroizing::new(std::fs::read(&self.0).ok()?);
        Tokens::from_record(&bytes).ok()
    }

    pub(crate) fn save(&self, tokens: &Tokens) -> io::Result<()> {
        write_private(&self.0, &tokens.to_record())
    }

    pub(crate) fn erase(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file that its owner alone can read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

/// A directory that its owner alone can enter.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reads_the_session_and_damage_is_no_login() {
        let directory = tempfile::tempdir().unwrap();
        let file = SessionFile::in_directory(directory.path());
        assert!(file.load().is_none());
        write_private(&file.0, b"{}").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file.0).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(file.load().is_none());
        file.erase().unwrap();
        file.erase().unwrap();
        assert!(!file.0.exists());
    }
}
