//! The configuration file: named profiles, each a service, an account and a management credential.
//!
//! It holds credentials, so it is written with mode 0600 and refused when others may read it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bonafide_wire::device::SecretJson;
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// The profile that is meant when none is named.
pub(crate) const UNNAMED: &str = "default";

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// By name.
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// One service as one user sees it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Admin URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// PEM file with the authority that signed the admin listener's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Management credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<SecretJson>,
}

impl Profiles {
    /// Reads the file; none is an empty one.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Failure::file(path, &error)),
        };
        refuse_if_others_read(path)?;
        toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{}: {}", path.display(), error.message())))
    }

    /// Replaces the file, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string_pretty(self)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        write_private(path, text.as_bytes())
    }
}

/// Writes a file that its owner alone may read: whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory).map_err(failed)?;
    // A temporary file is made with mode 0600, and stays so.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(unix)]
fn refuse_if_others_read(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)
        .map_err(|error| Failure::file(path, &error))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "{} holds credentials and others may read it (mode {:o})",
            path.display(),
            mode & 0o777
        ))
        .hint(format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_others_read(_path: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Profiles {
        let profile = Profile {
            url: Some("http://127.0.0.1:8701".to_owned()),
            credential: Some(SecretJson::from("canary".to_owned())),
            ..Profile::default()
        };
        Profiles {
            profiles: BTreeMap::from([("local".to_owned(), profile)]),
        }
    }

    #[test]
    fn reads_back_what_it_wrote_and_hides_it_from_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/config.toml");
        sample().save(&path).unwrap();
        let read = Profiles::load(&path).unwrap();
        let local = &read.profiles["local"];
        assert_eq!(local.url.as_deref(), Some("http://127.0.0.1:8701"));
        assert_eq!(local.credential.as_ref().unwrap().0.expose(), "canary");
        assert!(!format!("{read:?}").contains("canary"));
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_may_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        sample().save(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Profiles::load(&path).is_err());
    }

    #[test]
    fn no_file_is_no_profile() {
        let directory = tempfile::tempdir().unwrap();
        let read = Profiles::load(&directory.path().join("none")).unwrap();
        assert!(read.profiles.is_empty());
    }
}
