//! What may count as an app: reference values as people register them.
//!
//! Decides their shape. It refuses to know what evidence is compared with them, and how.

use serde::{Deserialize, Serialize};

use crate::ids::{AppleAppId, PackageName};

/// What counts as the app (a reference value, RFC 9334 §8.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reference {
    /// One build.
    Build {
        /// Android package.
        package: PackageName,
        /// 64-bit version code.
        version_code: u64,
        /// Lower-case hex SHA-256 of the signing certificates that Key Attestation reports; all of them.
        signers: Vec<String>,
        /// Lower-case hex SHA-256 of the file.
        artifact_sha256: String,
    },
    /// Every build that a certificate signed: an explicit, wider choice.
    Certificate {
        /// Android package.
        package: PackageName,
        /// Lower-case hex SHA-256 of the certificate.
        signer: String,
    },
    /// One build of an iOS app. Apple signs what phones get anew, so no digest of ours can be compared.
    AppleBuild {
        /// Team (or older prefix) and bundle id.
        app_id: AppleAppId,
        /// `CFBundleShortVersionString`, for people: Apple does not attest it.
        version: String,
        /// `CFBundleVersion`: what phones state since iOS 27.
        build: String,
        /// Where its keys are attested.
        environment: AppAttestEnvironment,
    },
    /// Every build of an iOS app that Apple vouches for: an explicit, wider choice.
    AppleApp {
        /// Team (or older prefix) and bundle id.
        app_id: AppleAppId,
    },
}

/// Which of Apple's two worlds attests a build's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AppAttestEnvironment {
    /// App Store, `TestFlight`, enterprise.
    Production,
    /// The sandbox, for development builds.
    Development,
}

impl AppAttestEnvironment {
    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
        }
    }
}

/// An app's name on its platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformName<'a> {
    /// On Android.
    Android(&'a PackageName),
    /// On iOS.
    Apple(&'a AppleAppId),
}

impl core::fmt::Display for PlatformName<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Android(package) => package.fmt(f),
            Self::Apple(app_id) => app_id.fmt(f),
        }
    }
}

impl Reference {
    /// The app that it speaks of.
    pub fn names(&self) -> PlatformName<'_> {
        match self {
            Self::Build { package, .. } | Self::Certificate { package, .. } => {
                PlatformName::Android(package)
            }
            Self::AppleBuild { app_id, .. } | Self::AppleApp { app_id } => {
                PlatformName::Apple(app_id)
            }
        }
    }
}
