//! The master keys: where they come from and what a file must look like to be believed.
//!
//! A text file, one key per line, 32 bytes in base64url, the newest first. The first key seals; all of
//! them open, so a rotation prepends a line and drops the last one when nothing is sealed under it any
//! more. A file that others can read is refused: a key that leaked is worse than a service that does not start.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::{hkdf, rand};
use bonafide_wire::bytes;
use zeroize::Zeroizing;

use super::KeyError;

/// Most keys in a file.
const MOST_KEYS: usize = 4;

/// What to do when there is no master key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// A first start: make one.
    Create,
    /// There is data sealed under it: refuse to start.
    Refuse,
}

/// One master key.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// The master keys, newest first; never empty.
pub struct MasterKeys(Vec<MasterKey>);

impl core::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterKeys([redacted])")
    }
}

impl core::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

impl MasterKeys {
    /// One fresh key, kept nowhere.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut *key).map_err(|_| KeyError::Library)?;
        Ok(Self(vec![MasterKey(key)]))
    }

    /// Reads the file, or makes it.
    pub fn load(path: &Path, missing: WhenMissing) -> Result<Self, KeyError> {
        match (fs::symlink_metadata(path), missing) {
            (Ok(_), _) => Self::read(path),
            (Err(error), WhenMissing::Create) if error.kind() == std::io::ErrorKind::NotFound => {
                let keys = Self::generate()?;
                keys.write_new(path)?;
                Ok(keys)
            }
            (Err(error), _) => Err(refuse(
                path,
                format!("{error}; without it nothing stored can be opened, restore it"),
            )),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        check_permissions(path)?;
        let text = fs::read_to_string(path).map_err(|error| refuse(path, error.to_string()))?;
        Self::parse(&Zeroizing::new(text)).map_err(|problem| refuse(path, problem))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let keys = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                let key = Zeroizing::new(
                    bytes::decode(line.trim()).map_err(|_| "a line is not base64url")?,
                );
                let key = <[u8; 32]>::try_from(key.as_slice())
                    .map_err(|_| "a key does not have 32 bytes")?;
                Ok(MasterKey(Zeroizing::new(key)))
            })
            .collect::<Result<Vec<_>, &str>>()?;
        match keys.len() {
            0 => Err("it holds no key".to_owned()),
            1..=MOST_KEYS => Ok(Self(keys)),
            _ => Err(format!("it holds more than {MOST_KEYS} keys")),
        }
    }

    fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let write = || -> std::io::Result<()> {
            let mut file = options.open(path)?;
            for key in &self.0 {
                let line = Zeroizing::new(format!("{}\n", bytes::encode(*key.0)));
                file.write_all(line.as_bytes())?;
            }
            file.sync_all()?;
            sync_directory_of(path)
        };
        write().map_err(|error| refuse(path, error.to_string()))
    }

    /// The keys, newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        self.0.iter()
    }
}

impl MasterKey {
    /// A working key for one use: HKDF-SHA256 (RFC 5869) with the use as `info`.
    pub(super) fn derive(&self, usage: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"bonafide-v1")
            .extract(&*self.0)
            .expand(&[usage], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *key))
            .map_err(|_| KeyError::Library)?;
        Ok(key)
    }

    /// Four public bytes by which an envelope names the key that sealed it.
    pub(super) fn id(&self) -> Result<[u8; 4], KeyError> {
        let derived = self.derive(b"bonafide-v1-key-id")?;
        let mut id = [0; 4];
        for (to, from) in id.iter_mut().zip(derived.iter()) {
            *to = *from;
        }
        Ok(id)
    }
}

fn refuse(path: &Path, problem: String) -> KeyError {
    KeyError::MasterKeyFile {
        path: PathBuf::from(path),
        problem,
    }
}

#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)
        .map_err(|error| refuse(path, error.to_string()))?
        .permissions()
        .mode();
    if mode.trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(refuse(
            path,
            format!("mode {:04o} lets others read it; chmod 600", mode & 0o7777),
        ))
    }
}

#[cfg(not(unix))]
fn check_permissions(_path: &Path) -> Result<(), KeyError> {
    Ok(())
}

fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) if cfg!(unix) && !directory.as_os_str().is_empty() => {
            fs::File::open(directory)?.sync_all()
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(keys: &MasterKeys) -> Vec<[u8; 4]> {
        keys.iter().map(|key| key.id().unwrap()).collect()
    }

    #[test]
    fn the_file_made_at_first_start_is_read_at_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = MasterKeys::load(&path, WhenMissing::Create).unwrap();
        let read = MasterKeys::load(&path, WhenMissing::Refuse).unwrap();
        assert_eq!(ids(&made), ids(&read));
    }

    #[test]
    fn a_missing_key_beside_data_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert!(MasterKeys::load(&path, WhenMissing::Refuse).is_err());
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKeys::load(&path, WhenMissing::Create).unwrap();
        for (mode, usable) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = MasterKeys::load(&path, WhenMissing::Refuse);
            assert_eq!(read.is_ok(), usable, "{mode:o}");
        }
    }

    #[test]
    fn malformed_files_are_refused() {
        let line = bytes::encode([7; 32]);
        for text in [
            String::new(),
            "\n".to_owned(),
            format!("{line}="),
            bytes::encode([7; 31]),
            format!("{line}\n").repeat(5),
        ] {
            assert!(MasterKeys::parse(&text).is_err(), "{text:?}");
        }
        assert_eq!(
            MasterKeys::parse(&format!("{line}\n{line}\n"))
                .unwrap()
                .0
                .len(),
            2
        );
    }
}
