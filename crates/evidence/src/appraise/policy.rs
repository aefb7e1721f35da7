//! What an operator demands of an app instance, as typed data.
//!
//! Decides nothing by itself: `appraise` reads it. It refuses unknown and repeated members, so that a
//! typing error cannot silently switch a check off, and takes what a document leaves out from the
//! strict preset: a policy written before a check existed enforces that check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Check, Mode};
use crate::Octets;
use crate::android::AttestKeys;

/// Whether a refused app learns the codes of its findings (W-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionReasons {
    /// Only the coarse code and a support id.
    #[default]
    Off,
    /// The codes too.
    On,
}

/// A starting point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Enforces all that can be enforced on phones of the last years. What a new account has.
    Strict,
    /// Enforces what hardware proves and what is never an accident; observes the rest.
    Default,
    /// Refuses nothing but evidence that is not authentic. For looking before leaping.
    Monitor,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Default, Self::Monitor];

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Monitor => "monitor",
        }
    }
}

/// Keys of which of Apple's two worlds are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentPolicy {
    /// The App Store's and TestFlight's.
    Production,
    /// The sandbox's.
    Development,
    /// Both.
    Any,
}

impl EnvironmentPolicy {
    const ALL: [Self; 3] = [Self::Production, Self::Development, Self::Any];

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Any => "any",
        }
    }
}

/// What is asked of a Play Integrity verdict. Each member belongs to a check of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlayPolicy {
    /// `play-app`: recognition verdicts that pass.
    pub app_verdicts: BTreeSet<String>,
    /// `play-device`: the label that must be there.
    pub device_label: String,
    /// `play-activity`: the highest level that passes.
    pub max_activity_level: u8,
    /// `play-sdk`: the lowest API level that passes.
    pub min_sdk_version: u32,
    /// `play-recall`: bits that must be there and clear.
    pub blocked_recall_bits: BTreeSet<String>,
    /// `play-protect`: words that do not pass; neither does none.
    pub blocked_play_protect: BTreeSet<String>,
    /// `play-apps`: detected apps that do not pass; neither does no detection.
    pub blocked_apps: BTreeSet<String>,
    /// How long an enrolment by a verdict is good: it says what Google saw once, not what runs now. 1 to 720.
    pub max_verdict_age_hours: u32,
}

impl Default for PlayPolicy {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            app_verdicts: words(&["PLAY_RECOGNIZED"]),
            device_label: "MEETS_DEVICE_INTEGRITY".to_owned(),
            max_activity_level: 3,
            min_sdk_version: 33,
            blocked_recall_bits: words(&["bitFirst", "bitSecond", "bitThird"]),
            blocked_play_protect: words(&["HIGH_RISK", "MEDIUM_RISK"]),
            blocked_apps: words(&["UNKNOWN_CAPTURING", "UNKNOWN_CONTROLLING"]),
            max_verdict_age_hours: 24,
        }
    }
}

/// The policy of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What becomes of each check's finding.
    checks: Checks,
    /// `app-version`: the oldest version that may run.
    pub min_version_code: u64,
    /// `patch-age`: the greatest age of each patch level.
    pub max_patch_age_months: u32,
    /// `boot-state`: boot keys, in hexadecimal, of systems that owners may install instead of the
    /// maker's (`GrapheneOS` publishes its). The bootloader must be locked again.
    pub accepted_boot_keys: BTreeSet<Octets>,
    /// Whether chains with an app's own attest key are believed. Not a check: by default they are refused as
    /// not authentic, in every preset.
    pub attest_keys: AttestKeys,
    /// `revocation-list-stale`: from this age on, the revocation list is noted.
    pub stale_revocation_list_hours: u32,
    /// `revocation-list-age`: from this age on, the revocation list is not believed.
    pub max_revocation_list_age_hours: u32,
    /// `attestation-key-use`: app keys that one phone's attestation key may attest.
    pub max_keys_per_remote_attestation_key: u32,
    /// `provisioning-volume`: certificates that Google may have issued to a phone in 30 days.
    pub max_certificates_issued: u32,
    /// `risk-metric`: keys that a phone may have attested for the app in 30 days, by Apple's count.
    pub max_risk_metric: u32,
    /// `environment`: for which of Apple's worlds a key may have been attested.
    pub app_attest_environment: EnvironmentPolicy,
    /// `validation-category`: how an iOS app may have been released (2 TestFlight, 4 App Store).
    pub allowed_validation_categories: BTreeSet<u32>,
    /// `bundle-version`: the bundle versions of an iOS app that may run.
    pub allowed_bundle_versions: BTreeSet<String>,
    /// What is asked of a Play Integrity verdict.
    pub play: PlayPolicy,
    /// What a refused app learns.
    pub rejection_reasons: RejectionReasons,
}

/// A key or value that a policy does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No such key.
    #[error("no policy key `{key}`; the keys are {known}")]
    UnknownKey {
        /// What was asked for.
        key: String,
        /// What there is.
        known: String,
    },
    /// Not a value of that key.
    #[error("`{value}` is no value for `{key}`; expected {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset(Preset::Strict)
    }
}

impl Policy {
    /// A starting point.
    pub fn preset(preset: Preset) -> Self {
        Self {
            checks: Checks::preset(preset),
            min_version_code: 0,
            max_patch_age_months: 12,
            accepted_boot_keys: BTreeSet::new(),
            attest_keys: AttestKeys::Refuse,
            stale_revocation_list_hours: 48,
            max_revocation_list_age_hours: 168,
            max_keys_per_remote_attestation_key: 20,
            max_certificates_issued: 1000,
            max_risk_metric: 10,
            app_attest_environment: EnvironmentPolicy::Production,
            allowed_validation_categories: BTreeSet::from([2, 4]),
            allowed_bundle_versions: BTreeSet::new(),
            play: PlayPolicy::default(),
            rejection_reasons: RejectionReasons::Off,
        }
    }

    /// What becomes of a check's finding.
    pub fn mode(&self, check: Check) -> Mode {
        self.checks.mode(check)
    }

    /// Switches a check.
    pub fn set_mode(&mut self, check: Check, mode: Mode) {
        self.checks.0.insert(check, mode);
    }

    /// Changes one key from text, as `bonafide policy set KEY VALUE` has it.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), PolicyError> {
        let bad = |expected| PolicyError::BadValue {
            key: key.to_owned(),
            value: value.to_owned(),
            expected,
        };
        if let Ok(check) = key.parse() {
            let mode = value.parse().map_err(|()| bad("off, observe or enforce"))?;
            self.set_mode(check, mode);
            return Ok(());
        }
        match key {
            "min-version-code" => {
                self.min_version_code = value.parse().map_err(|_| bad("a number"))?;
            }
            "accepted-boot-keys" => {
                let keys: Result<_, _> = listed(value).map(str::parse).collect();
                self.accepted_boot_keys = keys.map_err(|_| bad("hexadecimal keys with commas"))?;
            }
            "attest-keys" => {
                self.attest_keys = match value {
                    "refuse" => AttestKeys::Refuse,
                    "accept" => AttestKeys::Accept,
                    _ => return Err(bad("refuse or accept")),
                };
            }
            "app-attest-environment" => {
                let mut all = EnvironmentPolicy::ALL.into_iter();
                self.app_attest_environment = all
                    .find(|environment| environment.as_str() == value)
                    .ok_or(bad("production, development or any"))?;
            }
            key if self.limit(key).is_some() => {
                let number = value.parse().map_err(|_| bad("a number"))?;
                if let Some(limit) = self.limit(key) {
                    *limit = number;
                }
            }
            "allowed-validation-categories" => {
                let numbers: Result<_, _> = listed(value).map(str::parse).collect();
                self.allowed_validation_categories =
                    numbers.map_err(|_| bad("numbers with commas"))?;
            }
            "allowed-bundle-versions" => {
                self.allowed_bundle_versions = listed(value).map(str::to_owned).collect();
            }
            "rejection-reasons" => {
                self.rejection_reasons = match value {
                    "on" => RejectionReasons::On,
                    "off" => RejectionReasons::Off,
                    _ => return Err(bad("on or off")),
                };
            }
            _ => match key.strip_prefix("play-") {
                Some(key) => self.play.set(key, value, &bad)?,
                None => return Err(unknown_key(key)),
            },
        }
        Ok(())
    }

    /// The greatest values, by their keys.
    fn limit(&mut self, key: &str) -> Option<&mut u32> {
        Some(match key {
            "max-patch-age-months" => &mut self.max_patch_age_months,
            "stale-revocation-list-hours" => &mut self.stale_revocation_list_hours,
            "max-revocation-list-age-hours" => &mut self.max_revocation_list_age_hours,
            "max-keys-per-remote-attestation-key" => &mut self.max_keys_per_remote_attestation_key,
            "max-certificates-issued" => &mut self.max_certificates_issued,
            "max-risk-metric" => &mut self.max_risk_metric,
            _ => return None,
        })
    }

    /// Every key with its value, as `set` takes them.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let reasons = match self.rejection_reasons {
            RejectionReasons::On => "on",
            RejectionReasons::Off => "off",
        };
        let mut entries: Vec<_> = Check::ALL
            .iter()
            .map(|check| (check.as_str(), self.mode(*check).to_string()))
            .collect();
        entries.extend([
            ("min-version-code", self.min_version_code.to_string()),
            (
                "max-patch-age-months",
                self.max_patch_age_months.to_string(),
            ),
            ("accepted-boot-keys", joined(&self.accepted_boot_keys)),
            ("attest-keys", self.attest_keys.as_str().to_owned()),
            (
                "stale-revocation-list-hours",
                self.stale_revocation_list_hours.to_string(),
            ),
            (
                "max-revocation-list-age-hours",
                self.max_revocation_list_age_hours.to_string(),
            ),
            (
                "max-keys-per-remote-attestation-key",
                self.max_keys_per_remote_attestation_key.to_string(),
            ),
            (
                "max-certificates-issued",
                self.max_certificates_issued.to_string(),
            ),
            ("max-risk-metric", self.max_risk_metric.to_string()),
            (
                "app-attest-environment",
                self.app_attest_environment.as_str().to_owned(),
            ),
            (
                "allowed-validation-categories",
                joined(&self.allowed_validation_categories),
            ),
            (
                "allowed-bundle-versions",
                joined(&self.allowed_bundle_versions),
            ),
            ("rejection-reasons", reasons.to_owned()),
        ]);
        entries.extend(self.play.entries());
        entries
    }
}

impl PlayPolicy {
    fn set(
        &mut self,
        key: &str,
        value: &str,
        bad: &dyn Fn(&'static str) -> PolicyError,
    ) -> Result<(), PolicyError> {
        let words = || listed(value).map(str::to_owned).collect();
        match key {
            "app-verdicts" => self.app_verdicts = words(),
            "device-label" => value.clone_into(&mut self.device_label),
            "max-activity-level" => {
                self.max_activity_level = value.parse().map_err(|_| bad("a level"))?;
            }
            "min-sdk-version" => {
                self.min_sdk_version = value.parse().map_err(|_| bad("an API level"))?;
            }
            "blocked-recall-bits" => self.blocked_recall_bits = words(),
            "blocked-protect-verdicts" => self.blocked_play_protect = words(),
            "blocked-apps" => self.blocked_apps = words(),
            "max-verdict-age-hours" => {
                let hours = value.parse().ok().filter(|hours| (1..=720).contains(hours));
                self.max_verdict_age_hours = hours.ok_or_else(|| bad("1 to 720 hours"))?;
            }
            _ => return Err(unknown_key(&format!("play-{key}"))),
        }
        Ok(())
    }

    fn entries(&self) -> [(&'static str, String); 8] {
        [
            ("play-app-verdicts", joined(&self.app_verdicts)),
            ("play-device-label", self.device_label.clone()),
            (
                "play-max-activity-level",
                self.max_activity_level.to_string(),
            ),
            ("play-min-sdk-version", self.min_sdk_version.to_string()),
            (
                "play-blocked-recall-bits",
                joined(&self.blocked_recall_bits),
            ),
            (
                "play-blocked-protect-verdicts",
                joined(&self.blocked_play_protect),
            ),
            ("play-blocked-apps", joined(&self.blocked_apps)),
            (
                "play-max-verdict-age-hours",
                self.max_verdict_age_hours.to_string(),
            ),
        ]
    }
}

/// Values with commas between them.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn joined<T: ToString>(values: &BTreeSet<T>) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.join(",")
}

fn unknown_key(key: &str) -> PolicyError {
    let known: Vec<&str> = Policy::default()
        .entries()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    PolicyError::UnknownKey {
        key: key.to_owned(),
        known: known.join(", "),
    }
}

/// A mode for each check; what is not said is as in the strict preset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Checks(BTreeMap<Check, Mode>);

impl Checks {
    fn preset(preset: Preset) -> Self {
        Self(
            Check::ALL
                .iter()
                .map(|check| (*check, check.mode_in(preset)))
                .collect(),
        )
    }

    fn mode(&self, check: Check) -> Mode {
        self.0
            .get(&check)
            .copied()
            .unwrap_or(check.mode_in(Preset::Strict))
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self::preset(Preset::Strict)
    }
}

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(check, mode)| (check.as_str(), mode)))
    }
}

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Modes;
        impl<'de> Visitor<'de> for Modes {
            type Value = Checks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from checks to off, observe or enforce")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Checks, A::Error> {
                let mut said = BTreeMap::new();
                while let Some((name, mode)) = map.next_entry::<String, Mode>()? {
                    let check = name
                        .parse()
                        .map_err(|()| A::Error::custom(format_args!("no check `{name}`")))?;
                    if said.insert(check, mode).is_some() {
                        return Err(A::Error::custom(format_args!("check `{name}` twice")));
                    }
                }
                let mut checks = Checks::default();
                checks.0.extend(said);
                Ok(checks)
            }
        }
        deserializer.deserialize_map(Modes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_leaves_out_is_strict() {
        let read: Policy = serde_json::from_str(r#"{"checks": {"bootloader": "off"}}"#).unwrap();
        let mut expected = Policy::preset(Preset::Strict);
        expected.set_mode(Check::Bootloader, Mode::Off);
        assert_eq!(read, expected);
        assert_eq!(
            serde_json::from_str::<Policy>("{}").unwrap(),
            Policy::default()
        );
    }

    #[test]
    fn unknown_and_repeated_members_are_refused() {
        for json in [
            r#"{"check": {}}"#,
            r#"{"checks": {"boot-loader": "off"}}"#,
            r#"{"checks": {"bootloader": "of"}}"#,
            r#"{"checks": {"bootloader": "enforce", "bootloader": "off"}}"#,
            r#"{"min_version_code": 1, "min_version_code": 0}"#,
            r#"{"max_patch_age_months": -1}"#,
            r#"{"checks": []}"#,
        ] {
            assert!(serde_json::from_str::<Policy>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn every_preset_survives_its_document_and_its_entries() {
        for preset in Preset::ALL {
            let policy = Policy::preset(preset);
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(
                serde_json::from_str::<Policy>(&json).unwrap(),
                policy,
                "{json}"
            );
            let mut again = Policy::preset(Preset::Monitor);
            for (key, value) in policy.entries() {
                again.set(key, &value).unwrap();
            }
            assert_eq!(again, policy);
        }
    }

    #[test]
    fn sets_each_kind_of_key_and_says_what_would_do() {
        let mut policy = Policy::default();
        policy.set("rejection-reasons", "on").unwrap();
        policy.set("accepted-boot-keys", "AB, cd").unwrap();
        policy.set("min-version-code", "7").unwrap();
        policy.set("root", "off").unwrap();
        assert_eq!(policy.rejection_reasons, RejectionReasons::On);
        assert_eq!(policy.accepted_boot_keys.len(), 2);
        assert_eq!(policy.min_version_code, 7);
        assert_eq!(policy.mode(Check::Root), Mode::Off);
        for (key, value) in [
            ("root", "maybe"),
            ("min-version-code", "-1"),
            ("max-patch-age-months", "soon"),
            ("accepted-boot-keys", "xy"),
            ("rejection-reasons", "yes"),
        ] {
            let refused = policy.set(key, value);
            assert!(
                matches!(refused, Err(PolicyError::BadValue { .. })),
                "{key} {value}"
            );
        }
        assert!(matches!(
            policy.set("rot", "off"),
            Err(PolicyError::UnknownKey { .. })
        ));
    }

    #[test]
    fn presets_descend_from_strict_to_monitor() {
        let weight = |mode| match mode {
            Mode::Off => 0,
            Mode::Observe => 1,
            Mode::Enforce => 2,
        };
        for check in Check::ALL {
            let strict = check.mode_in(Preset::Strict);
            assert!(
                weight(check.mode_in(Preset::Default)) <= weight(strict),
                "{check}"
            );
            assert_ne!(check.mode_in(Preset::Monitor), Mode::Enforce, "{check}");
            assert_eq!(check.as_str().parse(), Ok(*check));
        }
    }
}
