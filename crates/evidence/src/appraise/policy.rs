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
            "max-patch-age-months" => {
                self.max_patch_age_months = value.parse().map_err(|_| bad("a number of months"))?;
            }
            "accepted-boot-keys" => {
                let keys = value
                    .split(',')
                    .map(str::trim)
                    .filter(|text| !text.is_empty());
                let keys: Result<_, _> = keys.map(str::parse).collect();
                self.accepted_boot_keys = keys.map_err(|_| bad("hexadecimal keys with commas"))?;
            }
            "rejection-reasons" => {
                self.rejection_reasons = match value {
                    "on" => RejectionReasons::On,
                    "off" => RejectionReasons::Off,
                    _ => return Err(bad("on or off")),
                };
            }
            _ => return Err(unknown_key(key)),
        }
        Ok(())
    }

    /// Every key with its value, as `set` takes them.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let keys: Vec<String> = self
            .accepted_boot_keys
            .iter()
            .map(Octets::to_string)
            .collect();
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
            ("accepted-boot-keys", keys.join(",")),
            ("rejection-reasons", reasons.to_owned()),
        ]);
        entries
    }
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
