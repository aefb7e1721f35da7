//! The checks that a policy can switch, and how each preset sets them.
//!
//! Decides names, which are API: they stand in stored policies and on command lines. A rule that
//! nobody may switch off is not here but a [`Reject`](crate::Reject).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Preset;

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Not looked at.
    Off,
    /// Reported; decides nothing.
    Observe,
    /// Reported; refuses.
    Enforce,
}

impl Mode {
    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Off, Self::Observe, Self::Enforce]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(())
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident $name:literal $strict:ident $default:ident;)*) => {
        /// One rule of appraisal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $($(#[$doc])* $variant,)* }

        impl Check {
            /// Every check, in the order of evaluation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How a preset sets it. `monitor` observes what `strict` looks at.
            pub const fn mode_in(self, preset: Preset) -> Mode {
                let (strict, default) = match self {
                    $(Self::$variant => (Mode::$strict, Mode::$default),)*
                };
                match (preset, strict) {
                    (Preset::Strict, strict) => strict,
                    (Preset::Default, _) => default,
                    (Preset::Monitor, Mode::Off) => Mode::Off,
                    (Preset::Monitor, _) => Mode::Observe,
                }
            }
        }
    };
}

checks! {
    // Variant               name                     strict  default
    /// The evidence does not end at an anchor for development.
    Development              "development"            Enforce Enforce;
    /// The challenge was compared with the expected one.
    Challenge                "challenge"              Enforce Enforce;
    /// The key and its attestation live in the same hardware.
    SecurityLevel            "security-level"         Enforce Enforce;
    /// The claimed hardware is the one that the attestation certificate names.
    SecurityLevelChain       "security-level-chain"   Enforce Enforce;
    /// The key lives in a separate security chip, which most phones lack.
    StrongBox                "strongbox"              Off     Off;
    /// The attestation key is the phone's own, not one burnt into 100,000 phones.
    Provisioning             "provisioning"           Off     Off;
    /// Google issued no more certificates to the phone lately than the policy allows, where that is stated.
    ProvisioningVolume       "provisioning-volume"    Off     Off;
    /// The revocation list was confirmed lately enough to say nothing about it.
    RevocationListStale      "revocation-list-stale"  Observe Observe;
    /// There is a revocation list, and it is not too old to be believed.
    RevocationListAge        "revocation-list-age"    Enforce Observe;
    /// What was seen under the attestation key can be true of one phone, or one model.
    AttestationKeyConsistent "attestation-key-consistent" Observe Observe;
    /// A phone's own attestation key attested no more app keys than one phone makes.
    AttestationKeyUse        "attestation-key-use"    Observe Off;
    /// The key was generated where it lives.
    KeyOrigin                "key-origin"             Enforce Enforce;
    /// The key cannot attest other keys.
    KeyPurpose               "key-purpose"            Enforce Enforce;
    /// Hardware says how the phone booted.
    RootOfTrust              "root-of-trust"          Enforce Enforce;
    /// The bootloader is locked.
    Bootloader               "bootloader"             Enforce Enforce;
    /// The system is the maker's, or one that the policy names.
    BootState                "boot-state"             Enforce Enforce;
    /// No patch level is older than the policy's limit, missing, or from the future.
    PatchAge                 "patch-age"              Enforce Observe;
    /// The operating system names exactly one app.
    AppId                    "app-id"                 Enforce Enforce;
    /// That app is registered.
    AppRegistration          "app-registration"       Enforce Enforce;
    /// Its version is at least the policy's.
    AppVersion               "app-version"            Enforce Enforce;
    /// The installed file is the registered one, where the SDK could read it.
    Artifact                 "artifact"               Enforce Enforce;
    /// The SDK could read the installed file, where one build is registered.
    ArtifactMeasured         "artifact-measured"      Observe Off;
    /// App Attest: the key was attested for the world that the policy names.
    Environment              "environment"            Enforce Enforce;
    /// App Attest: the key id was compared with the one that the app named.
    KeyId                    "key-id"                 Enforce Enforce;
    /// App Attest: the app was released in a way that the policy allows, where that is stated.
    ValidationCategory       "validation-category"    Enforce Observe;
    /// App Attest: it is stated, which phones do since iOS 27.
    ValidationCategoryStated "validation-category-stated" Off Off;
    /// App Attest: the bundle version is one that the policy allows, where that is stated.
    BundleVersion            "bundle-version"         Off     Off;
    /// App Attest: the receipt's risk metric is not above the policy's.
    RiskMetric               "risk-metric"            Off     Off;
    /// App Attest: it is stated, where one build is registered; phones do since iOS 27.
    BundleVersionStated      "bundle-version-stated"  Observe Off;
    /// Play Integrity: Google recognises the app in a way that the policy names.
    PlayApp                  "play-app"               Enforce Enforce;
    /// Play Integrity: the device has the label that the policy names.
    PlayDevice               "play-device"            Enforce Enforce;
    /// Play Integrity: the device asked for no more verdicts lately than the policy allows.
    PlayActivity             "play-activity"          Off     Off;
    /// Play Integrity: the system is recent enough.
    PlaySdk                  "play-sdk"               Off     Off;
    /// Play Integrity: no recall bit that the policy names is set.
    PlayRecall               "play-recall"            Off     Off;
    /// Play Integrity: the account has the app from Google Play.
    PlayLicence              "play-licence"           Off     Off;
    /// Play Integrity: Play Protect is on and found nothing that the policy names.
    PlayProtect              "play-protect"           Off     Off;
    /// Play Integrity: no running app that captures or controls, as the policy names them.
    PlayApps                 "play-apps"              Off     Off;
    /// No debugger.
    Debugger                 "debugger"               Enforce Enforce;
    /// No tracer.
    Tracer                   "tracer"                 Enforce Enforce;
    /// No hooks.
    Instrumentation          "instrumentation"        Enforce Enforce;
    /// No foreign libraries. Some vendors inject their own.
    InjectedLibraries        "injected-libraries"     Enforce Observe;
    /// Code in memory is code on disk.
    CodeModified             "code-modified"          Enforce Enforce;
    /// Not an emulator.
    Emulator                 "emulator"               Enforce Enforce;
    /// No signs of root, which are vague where the hardware says that boot was verified.
    Root                     "root"                   Enforce Observe;
    /// Whatever the SDK tried to measure, it could.
    MeasurementReadable      "measurement-readable"   Enforce Observe;
    /// The SDK measures everything that there is.
    MeasurementComplete      "measurement-complete"   Observe Off;
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Check {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .iter()
            .copied()
            .find(|check| check.as_str() == text)
            .ok_or(())
    }
}
