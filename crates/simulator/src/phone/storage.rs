//! The phone's flash: one file that its owner alone can read, so that two processes can be the same phone.
//!
//! The file holds private keys, as a phone's storage does in wrapped form. Nothing else reads it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{AppUid, Installed, KeyAlias, Phone, State, Traits};
use crate::SimulatorError;
use crate::certificate::Name;
use crate::factory::AttestationKey;
use crate::key::{PrivateKey, SavedKey};

const FILE: &str = "phone.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPhone {
    traits: Traits,
    attestation: SavedAttestationKey,
    apps: Vec<(AppUid, Installed)>,
    keys: Vec<(AppUid, KeyAlias, SavedKey)>,
    next_uid: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedAttestationKey {
    subject: String,
    key: SavedKey,
    chain: Vec<String>,
}

impl Phone {
    /// Lets the phone live in a directory from now on: every change is saved there.
    pub fn keep_in(&self, directory: &Path) -> Result<(), SimulatorError> {
        create_private_dir(directory)?;
        self.change(|state| {
            state.home = Some(directory.to_owned());
            Ok(())
        })
    }

    /// The phone that lives in a directory.
    pub fn load(directory: &Path) -> Result<Self, SimulatorError> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path).map_err(|source| failed("read", &path, source))?;
        let saved: SavedPhone =
            serde_json::from_str(&text).map_err(|_| SimulatorError::Unreadable("phone"))?;
        let mut state = saved.into_state()?;
        state.home = Some(directory.to_owned());
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Whether a phone lives in a directory.
    pub fn lives_in(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }
}

impl State {
    pub(super) fn save(&self) -> Result<(), SimulatorError> {
        let Some(home) = &self.home else {
            return Ok(());
        };
        let text = serde_json::to_vec_pretty(&SavedPhone::of(self))
            .map_err(|_| SimulatorError::Unreadable("phone"))?;
        write_private(&home.join(FILE), &text)
    }
}

impl SavedPhone {
    fn of(state: &State) -> Self {
        Self {
            traits: state.traits.clone(),
            attestation: SavedAttestationKey {
                subject: STANDARD.encode(state.attestation.subject.as_der()),
                key: state.attestation.key.to_saved(),
                chain: state
                    .attestation
                    .chain
                    .iter()
                    .map(|c| STANDARD.encode(c))
                    .collect(),
            },
            apps: state
                .apps
                .iter()
                .map(|(uid, app)| (*uid, app.clone()))
                .collect(),
            keys: state
                .keys
                .iter()
                .map(|((uid, alias), key)| (*uid, alias.clone(), key.to_saved()))
                .collect(),
            next_uid: state.next_uid,
        }
    }

    fn into_state(self) -> Result<State, SimulatorError> {
        let decode = |text: &String| {
            STANDARD
                .decode(text)
                .map_err(|_| SimulatorError::Unreadable("phone"))
        };
        let chain: Result<Vec<_>, _> = self.attestation.chain.iter().map(decode).collect();
        let keys: Result<_, SimulatorError> = self
            .keys
            .iter()
            .map(|(uid, alias, key)| Ok(((*uid, alias.clone()), PrivateKey::from_saved(key)?)))
            .collect();
        Ok(State {
            traits: self.traits,
            attestation: AttestationKey {
                subject: Name::from_der(decode(&self.attestation.subject)?),
                key: PrivateKey::from_saved(&self.attestation.key)?,
                chain: chain?,
            },
            apps: self.apps.into_iter().collect(),
            keys: keys?,
            next_uid: self.next_uid,
            home: None,
        })
    }
}

fn create_private_dir(directory: &Path) -> Result<(), SimulatorError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(directory)
        .map_err(|source| failed("write", directory, source))
}

/// Writes a file that its owner alone can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), SimulatorError> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(&beside)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| failed("write", path, source))
}

pub(crate) fn failed(
    doing: &'static str,
    path: impl Into<PathBuf>,
    source: std::io::Error,
) -> SimulatorError {
    SimulatorError::Storage {
        doing,
        path: path.into(),
        source,
    }
}
