//! Which builds count as the app (reference values, RFC 9334 section 8.3).
//!
//! Decides whether an attested application is one that somebody registered. It refuses to know
//! where registrations are kept or for how long they count: the caller hands in those in force.

use serde::{Deserialize, Serialize};

use crate::Sha256Digest;
use crate::apple::Environment;

/// One registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReferenceValue {
    /// One build.
    Build {
        /// Android package.
        package: String,
        /// 64-bit version code.
        version_code: u64,
        /// Signing certificates. All of a rotated lineage: which of them Android reports depends on
        /// its version, so each attested signer must be one of these.
        signers: Vec<Sha256Digest>,
        /// The file.
        artifact_sha256: Sha256Digest,
    },
    /// Every build that these certificates signed: an explicit, wider choice.
    Certificate {
        /// Android package.
        package: String,
        /// Each attested signer must be one of these.
        signers: Vec<Sha256Digest>,
    },
    /// Every build of an iOS app. Apple signs it, so there is no certificate of ours to name.
    Apple {
        /// `TEAMID.bundle.identifier`.
        app_id: String,
    },
    /// One build of an iOS app.
    AppleBuild {
        /// `TEAMID.bundle.identifier`.
        app_id: String,
        /// `CFBundleVersion`.
        bundle_version: String,
        /// Where keys of this build are attested: a developer's sandbox must not pass for the store's build.
        environment: Environment,
    },
}

impl ReferenceValue {
    /// The app's name on its platform: the package, or the app id.
    pub fn package(&self) -> &str {
        match self {
            Self::Build { package, .. } | Self::Certificate { package, .. } => package,
            Self::Apple { app_id } | Self::AppleBuild { app_id, .. } => app_id,
        }
    }

    /// Certificates of ours that may have signed it.
    pub fn signers(&self) -> &[Sha256Digest] {
        match self {
            Self::Build { signers, .. } | Self::Certificate { signers, .. } => signers,
            Self::Apple { .. } | Self::AppleBuild { .. } => &[],
        }
    }
}
