//! A readable account of an appraisal: every check with what it looked at and what came of it.
//!
//! Decides nothing: each check is appraised alone, by the same code that decides, so that the account
//! cannot say anything else than the verdict does.

use super::{Appraisal, Check, DeviceOverride, Finding, Mode, Policy, Sightings, appraise};
use crate::android::{ApplicationId, KeyFacts, ListAge, PatchLevel, RootOfTrust};
use crate::apple::AppAttestFacts;
use crate::play::PlayFacts;
use crate::{Facts, Measured, Measurements, ReferenceValue};

/// What one check saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Which.
    pub check: Check,
    /// What the policy makes of it.
    pub mode: Mode,
    /// What it looked at.
    pub input: String,
    /// What it found, or would find if it were not off; empty when all is well.
    pub findings: Vec<Finding>,
}

/// Explains every check, those that are off included. Overrides are left out: they are no checks.
pub fn explain(appraisal: &Appraisal<'_>, policy: &Policy) -> Vec<Explanation> {
    let appraisal = Appraisal {
        device_override: DeviceOverride::None,
        ..*appraisal
    };
    let explained = |&check: &Check| Explanation {
        check,
        mode: policy.mode(check),
        input: input(check, &appraisal, policy),
        findings: alone(check, &appraisal, policy),
    };
    Check::ALL.iter().map(explained).collect()
}

fn alone(check: Check, appraisal: &Appraisal<'_>, policy: &Policy) -> Vec<Finding> {
    let mut only = policy.clone();
    for other in Check::ALL {
        only.set_mode(*other, Mode::Off);
    }
    only.set_mode(check, Mode::Enforce);
    let verdict = appraise(appraisal, &only);
    let failed = |finding: &&Finding| finding.severity == super::Severity::Enforced;
    verdict.findings().iter().filter(failed).cloned().collect()
}

fn input(check: Check, appraisal: &Appraisal<'_>, policy: &Policy) -> String {
    let platform = match appraisal.facts {
        Facts::AndroidKey(facts) => hardware(check, facts, appraisal, policy)
            .or_else(|| application(check, facts.application.as_ref(), appraisal, policy)),
        Facts::AppAttest(facts) => app_attest(check, facts, appraisal, policy),
        Facts::PlayIntegrity(facts) => play(check, facts, appraisal, policy),
    };
    platform
        .or_else(|| measured(check, appraisal.measurements))
        .unwrap_or_else(|| "not of this kind of evidence".into())
}

fn hardware(
    check: Check,
    facts: &KeyFacts,
    appraisal: &Appraisal<'_>,
    policy: &Policy,
) -> Option<String> {
    Some(match check {
        Check::Development => format!("the chain ends at a {:?} anchor", facts.anchor),
        Check::Challenge => format!("{:?}", facts.challenge),
        Check::SecurityLevel => format!(
            "attested in {:?}, lives in {:?}",
            facts.attestation_level, facts.keymint_level
        ),
        Check::SecurityLevelChain => format!(
            "claims {:?}, attestation certificate says {:?}",
            facts.keymint_level, facts.chain_level
        ),
        Check::StrongBox => format!("lives in {:?}", facts.keymint_level),
        Check::Provisioning => format!("{:?}", facts.provisioning),
        Check::ProvisioningVolume => {
            facts
                .certificates_issued
                .map_or("not stated".into(), |issued| {
                    format!(
                        "{issued} certificates in 30 days; at most {}",
                        policy.max_certificates_issued
                    )
                })
        }
        Check::RevocationListStale | Check::RevocationListAge => list_age(appraisal, policy),
        Check::AttestationKeyConsistent | Check::AttestationKeyUse => {
            seen(appraisal.sightings, policy)
        }
        Check::KeyOrigin => facts
            .origin
            .map_or("not stated".into(), |origin| format!("{origin:?}")),
        Check::KeyPurpose => format!("purposes {:?}", facts.purposes),
        Check::RootOfTrust | Check::Bootloader | Check::BootState => facts
            .root_of_trust
            .as_ref()
            .map_or("not stated".into(), boot),
        Check::PatchAge => {
            let level =
                |level: Option<PatchLevel>| level.map_or("-".into(), |level| level.0.to_string());
            format!(
                "system {}, vendor {}, boot {}; at most {} months before {}",
                level(facts.os_patch),
                level(facts.vendor_patch),
                level(facts.boot_patch),
                policy.max_patch_age_months,
                appraisal.now
            )
        }
        _ => return None,
    })
}

fn list_age(appraisal: &Appraisal<'_>, policy: &Policy) -> String {
    match appraisal.revocation_list {
        ListAge::Missing => "no list".into(),
        ListAge::ConfirmedAt(confirmed) => format!(
            "list confirmed {confirmed}; noted after {} hours, not believed after {}",
            policy.stale_revocation_list_hours, policy.max_revocation_list_age_hours
        ),
    }
}

fn seen(sightings: Sightings<'_>, policy: &Policy) -> String {
    match sightings {
        Sightings::NotKept => "no other evidence under this attestation key at hand".into(),
        Sightings::Kept(seen) => format!(
            "{} app keys since {}, boot keys {:?}; at most {} app keys where it is one phone's own",
            seen.keys, seen.first_seen, seen.boot_keys, policy.max_keys_per_remote_attestation_key
        ),
    }
}

fn boot(root_of_trust: &RootOfTrust) -> String {
    format!(
        "{:?}, {}, boot key {}",
        root_of_trust.device_locked,
        root_of_trust.state.as_str(),
        root_of_trust.verified_boot_key
    )
}

fn application(
    check: Check,
    application: Option<&ApplicationId>,
    appraisal: &Appraisal<'_>,
    policy: &Policy,
) -> Option<String> {
    Some(match check {
        Check::AppId | Check::AppRegistration => format!(
            "{}; {} registrations",
            application.map_or("no app stated".into(), app),
            appraisal.references.len()
        ),
        Check::AppVersion => format!(
            "version {}, at least {} wanted",
            application
                .and_then(|application| application.packages.first())
                .map_or("-".into(), |package| package.version.to_string()),
            policy.min_version_code
        ),
        Check::Artifact | Check::ArtifactMeasured => {
            let build =
                |reference: &&ReferenceValue| matches!(reference, ReferenceValue::Build { .. });
            format!(
                "installed file {}, {} registered builds",
                appraisal
                    .measurements
                    .artifact_sha256
                    .map_or("not measured".into(), |digest| digest.to_string()),
                appraisal.references.iter().filter(build).count()
            )
        }
        _ => return None,
    })
}

fn app(application: &ApplicationId) -> String {
    let packages: Vec<_> = application
        .packages
        .iter()
        .map(|package| format!("{:?} version {}", package.name, package.version))
        .collect();
    let signers: Vec<_> = application
        .signers
        .iter()
        .map(ToString::to_string)
        .collect();
    format!("{} signed by {}", packages.join(", "), signers.join(", "))
}

fn app_attest(
    check: Check,
    facts: &AppAttestFacts,
    appraisal: &Appraisal<'_>,
    policy: &Policy,
) -> Option<String> {
    let release = &facts.release;
    Some(match check {
        Check::Development => format!("{:?} anchor, {:?}", facts.anchor, facts.environment),
        Check::Environment => {
            format!(
                "{:?}; accepted {:?}",
                facts.environment, policy.app_attest_environment
            )
        }
        Check::KeyId => format!("{:?}", facts.key_id_comparison),
        Check::AppRegistration => {
            format!(
                "{:?}; {} registrations",
                facts.app_id,
                appraisal.references.len()
            )
        }
        Check::ValidationCategory | Check::ValidationCategoryStated => format!(
            "{:?}; allowed {:?}",
            release.validation_category, policy.allowed_validation_categories
        ),
        Check::BundleVersionStated => format!("{:?}", release.bundle_version),
        Check::BundleVersion => {
            format!(
                "{:?}; allowed {:?}",
                release.bundle_version, policy.allowed_bundle_versions
            )
        }
        _ => return None,
    })
}

fn play(
    check: Check,
    facts: &PlayFacts,
    appraisal: &Appraisal<'_>,
    policy: &Policy,
) -> Option<String> {
    let wanted = &policy.play;
    Some(match check {
        Check::Development => format!("{:?}", facts.origin),
        Check::Challenge => format!("{:?}", facts.binding),
        Check::AppId | Check::AppRegistration | Check::AppVersion => {
            format!(
                "{:?}; {} registrations",
                facts.application,
                appraisal.references.len()
            )
        }
        Check::PlayApp => format!("{:?} of {:?}", facts.app_verdict, wanted.app_verdicts),
        Check::PlayDevice => format!("{:?}; {} wanted", facts.device_labels, wanted.device_label),
        Check::PlayActivity => {
            format!(
                "{:?}; at most {}",
                facts.activity_level, wanted.max_activity_level
            )
        }
        Check::PlaySdk => format!(
            "{:?}; at least {}",
            facts.sdk_version, wanted.min_sdk_version
        ),
        Check::PlayRecall => format!("{:?}", facts.recall_bits),
        Check::PlayLicence => format!("{:?}", facts.licence),
        Check::PlayProtect => format!("{:?}", facts.play_protect),
        Check::PlayApps => format!("{:?}", facts.apps_detected),
        _ => return None,
    })
}

fn measured(check: Check, measurements: &Measurements) -> Option<String> {
    let one = |measured: Measured| format!("{measured:?}");
    Some(match check {
        Check::Debugger => one(measurements.debugger),
        Check::Tracer => one(measurements.tracer),
        Check::Instrumentation => one(measurements.instrumentation),
        Check::InjectedLibraries => one(measurements.injected_libraries),
        Check::CodeModified => one(measurements.code_modified),
        Check::Emulator => one(measurements.emulator),
        Check::Root => one(measurements.root),
        Check::MeasurementReadable | Check::MeasurementComplete => "all measurements".into(),
        _ => return None,
    })
}
