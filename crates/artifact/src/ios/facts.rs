//! What an iOS app says about itself, beyond what every artifact has.

use serde::Serialize;

use crate::inspection::Sha256Digest;

/// Facts of an iOS app. Claims, until the inspection says `verified`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IosFacts {
    /// `CFBundleVersion`: the build, as opposed to the version shown to people.
    pub build: Option<String>,
    /// Lowest iOS version the app installs on.
    pub min_os: Option<String>,
    /// The team that signed.
    pub team_id: Option<String>,
    /// The entitlement `application-identifier`: prefix and bundle id. This is the app's identity on iOS.
    pub app_id: Option<String>,
    /// SHA-256 of `app_id`: what App Attest reports as RP id hash.
    pub app_id_sha256: Option<Sha256Digest>,
    /// The App Attest environment that the entitlements name. Absent in a development build it means the sandbox;
    /// `TestFlight`, App Store and enterprise builds ignore it and use production.
    pub app_attest_environment: Option<String>,
    /// Whether debuggers may attach.
    pub get_task_allow: bool,
    /// The code for each kind of processor.
    pub slices: Vec<SliceFacts>,
    /// The embedded provisioning profile.
    pub profile: Option<ProfileFacts>,
    /// Whether the signer's certificate chains to Apple's root.
    pub signed_by_apple_issued_key: bool,
}

/// One slice of the main executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SliceFacts {
    /// Processor type and subtype in hex.
    pub arch: String,
    /// Hashes of its code directories in hex. Of use for builds that the App Store does not sign anew.
    pub cdhashes: Vec<String>,
    /// Whether it is encrypted for the store's devices; then its code could not be compared.
    pub encrypted: bool,
}

/// A provisioning profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileFacts {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: ProfileKind,
    /// The teams it is for.
    pub teams: Vec<String>,
    /// When it ends, as it is written. An expired profile keeps the app from being installed, it does not make it false.
    pub expires: Option<String>,
    /// How many devices it names.
    pub devices: usize,
}

/// What a provisioning profile is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// Named devices, debuggers may attach.
    Development,
    /// Named devices.
    AdHoc,
    /// All devices of a company.
    Enterprise,
    /// Upload to the App Store.
    Store,
}
