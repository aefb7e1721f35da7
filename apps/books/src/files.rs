//! Files and directories of the app that its owner alone can read.

use std::io::{self, Write as _};
use std::path::Path;

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
    fn only_the_owner_reads_what_is_written_and_it_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        create_private_directory(&inner).unwrap();
        let path = inner.join("file");
        for content in [b"one".as_slice(), b"two"] {
            write_private(&path, content).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
        #[cfg(unix)]
        for (path, mode) in [(&path, 0o600), (&inner, 0o700)] {
            use std::os::unix::fs::PermissionsExt as _;
            let found = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
    }
}
