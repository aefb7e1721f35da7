//! Each check in each mode: one fact is changed, exactly one finding is expected.

use std::collections::BTreeSet;

mod again;
mod sightings;

use super::*;
use crate::android::{
    AnchorKind, ApplicationId, AttestedKey, BootState, ChallengeComparison, KeyFacts, ListAge,
    Locked, Origin, Package, PatchLevel, Provisioning, RootOfTrust, SecurityLevel, Tolerance,
};
use crate::apple::{AppAttestFacts, Environment, KeyIdComparison};
use crate::play::{PlayApplication, PlayFacts, VerdictOrigin};
use crate::{Measured, Octets, Sha256Digest};

const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01
const SIGNER: Sha256Digest = Sha256Digest([1; 32]);
const OLD_SIGNER: Sha256Digest = Sha256Digest([2; 32]);
const FILE: Sha256Digest = Sha256Digest([3; 32]);

/// Everything an appraisal looks at, owned.
#[derive(Clone)]
struct Case {
    facts: KeyFacts,
    measurements: Measurements,
    references: Vec<ReferenceValue>,
    device_override: DeviceOverride,
    revocation_list: ListAge,
    sightings: AttestationKeySightings,
    policy: Policy,
}

impl Case {
    /// A genuine app on a phone beyond reproach: finds nothing under any policy.
    fn good() -> Self {
        let clear = Measured::Clear;
        Self {
            facts: good_facts(),
            measurements: Measurements {
                debugger: clear,
                tracer: clear,
                instrumentation: clear,
                injected_libraries: clear,
                code_modified: clear,
                emulator: clear,
                root: clear,
                artifact_sha256: Some(FILE),
            },
            references: vec![build(7, FILE)],
            device_override: DeviceOverride::None,
            revocation_list: ListAge::ConfirmedAt(NOW),
            sightings: AttestationKeySightings::after(None, &good_facts(), NOW),
            policy: all(Mode::Enforce),
        }
    }

    fn verdict(&self) -> Verdict {
        let facts = Facts::AndroidKey(self.facts.clone());
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &self.measurements,
            references: &self.references,
            device_override: self.device_override,
            revocation_list: self.revocation_list,
            sightings: Sightings::Kept(&self.sightings),
            now: NOW,
        };
        appraise(&appraisal, &self.policy)
    }

    fn codes(&self) -> Vec<(&'static str, Severity)> {
        self.verdict()
            .findings()
            .iter()
            .map(|finding| (finding.code, finding.severity))
            .collect()
    }

    fn boot(&mut self) -> &mut RootOfTrust {
        self.facts.root_of_trust.as_mut().unwrap()
    }

    fn app(&mut self) -> &mut ApplicationId {
        self.facts.application.as_mut().unwrap()
    }
}

fn good_facts() -> KeyFacts {
    KeyFacts {
        public_key: AttestedKey::P256 {
            point: Octets(vec![4; 65]),
        },
        anchor: AnchorKind::Google,
        root: Sha256Digest([7; 32]),
        provisioning: Provisioning::Remote,
        chain_level: SecurityLevel::StrongBox,
        serials: vec!["abc".parse().unwrap()],
        subject_serials: vec!["a1b2".parse().unwrap()],
        attestation_key: Sha256Digest([6; 32]),
        valid_from: NOW.plus_seconds(-30 * 86_400),
        valid_until: Some(NOW.plus_seconds(7 * 86_400)),
        certificates_issued: Some(12),
        attest_key: None,
        challenge: ChallengeComparison::Equal,
        attestation_version: 300,
        keymint_version: 300,
        attestation_level: SecurityLevel::StrongBox,
        keymint_level: SecurityLevel::StrongBox,
        origin: Some(Origin::Generated),
        purposes: vec![2],
        root_of_trust: Some(RootOfTrust {
            verified_boot_key: Octets(vec![5; 32]),
            device_locked: Locked::Locked,
            state: BootState::Verified,
            verified_boot_hash: None,
        }),
        os_patch: Some(PatchLevel(202_609)),
        vendor_patch: Some(PatchLevel(20_260_905)),
        boot_patch: None,
        application: Some(ApplicationId {
            packages: vec![Package {
                name: "com.example.books".to_owned(),
                version: 7,
            }],
            signers: vec![SIGNER],
        }),
        tolerated: vec![],
    }
}

fn build(version_code: u64, artifact_sha256: Sha256Digest) -> ReferenceValue {
    ReferenceValue::Build {
        package: "com.example.books".to_owned(),
        version_code,
        signers: vec![OLD_SIGNER, SIGNER],
        artifact_sha256,
    }
}

fn all(mode: Mode) -> Policy {
    let mut policy = Policy::default();
    for check in Check::ALL {
        policy.set_mode(*check, mode);
    }
    policy
}

/// A check, what it finds, and how to make it.
type Breakage = (Check, &'static str, fn(&mut Case));

const BREAKAGES: &[Breakage] = &[
    (Check::ProvisioningVolume, "provisioning-volume-high", |c| {
        c.facts.certificates_issued = Some(1001);
    }),
    (Check::RevocationListStale, "revocation-list-stale", |c| {
        c.revocation_list = ListAge::ConfirmedAt(NOW.plus_seconds(-48 * 3600));
    }),
    (Check::RevocationListAge, "revocation-list-too-old", |c| {
        c.revocation_list = ListAge::ConfirmedAt(NOW.plus_seconds(-168 * 3600));
    }),
    (Check::RevocationListAge, "revocation-list-missing", |c| {
        c.revocation_list = ListAge::Missing;
    }),
    (
        Check::AttestationKeyConsistent,
        "attestation-key-contradicted",
        |c| {
            c.sightings.boot_keys.insert(Octets(vec![6; 32]));
        },
    ),
    (Check::AttestationKeyUse, "attestation-key-overused", |c| {
        c.sightings.keys = 21;
    }),
    (Check::Development, "development-evidence", |c| {
        c.facts.anchor = AnchorKind::Development;
    }),
    (Check::Challenge, "challenge-not-compared", |c| {
        c.facts.challenge = ChallengeComparison::NotCompared;
    }),
    (
        Check::SecurityLevelChain,
        "security-level-contradicts-chain",
        |c| {
            c.facts.chain_level = SecurityLevel::TrustedEnvironment;
        },
    ),
    (Check::StrongBox, "not-in-strongbox", |c| {
        c.facts.chain_level = SecurityLevel::TrustedEnvironment;
        c.facts.attestation_level = SecurityLevel::TrustedEnvironment;
        c.facts.keymint_level = SecurityLevel::TrustedEnvironment;
    }),
    (Check::Provisioning, "provisioned-in-factory", |c| {
        c.facts.provisioning = Provisioning::Factory;
    }),
    (Check::KeyOrigin, "key-not-generated-in-hardware", |c| {
        c.facts.origin = None;
    }),
    (Check::KeyOrigin, "key-not-generated-in-hardware", |c| {
        c.facts.origin = Some(Origin::SecurelyImported);
    }),
    (Check::KeyPurpose, "key-attests-others", |c| {
        c.facts.purposes = vec![2, 7];
    }),
    (Check::RootOfTrust, "root-of-trust-missing", |c| {
        c.facts.root_of_trust = None;
    }),
    (Check::Bootloader, "bootloader-unlocked", |c| {
        c.boot().device_locked = Locked::Unlocked;
    }),
    (Check::BootState, "boot-not-verified", |c| {
        c.boot().state = BootState::SelfSigned;
    }),
    (Check::BootState, "boot-not-verified", |c| {
        c.boot().state = BootState::Unverified;
    }),
    (Check::BootState, "boot-not-verified", |c| {
        c.boot().state = BootState::Failed;
    }),
    (Check::PatchAge, "patch-level-too-old", |c| {
        c.facts.os_patch = Some(PatchLevel(202_510));
    }),
    (Check::PatchAge, "patch-level-too-old", |c| {
        c.facts.vendor_patch = Some(PatchLevel(20_251_031));
    }),
    (Check::PatchAge, "patch-level-too-old", |c| {
        c.facts.boot_patch = Some(PatchLevel(20_251_031));
    }),
    (Check::PatchAge, "patch-level-implausible", |c| {
        c.facts.os_patch = None;
    }),
    (Check::PatchAge, "patch-level-implausible", |c| {
        c.facts.os_patch = Some(PatchLevel(202_702));
    }),
    (Check::PatchAge, "patch-level-implausible", |c| {
        c.facts.boot_patch = Some(PatchLevel(0));
    }),
    (Check::AppId, "app-id-missing", |c| {
        c.facts.application = None;
    }),
    (Check::AppId, "app-id-ambiguous", |c| {
        c.app().packages.clear();
    }),
    (Check::AppId, "app-id-ambiguous", |c| {
        let sibling = Package {
            name: "com.example.sibling".to_owned(),
            version: 7,
        };
        c.app().packages.push(sibling);
    }),
    (Check::AppVersion, "app-version-too-old", |c| {
        c.policy.min_version_code = 8;
    }),
    (Check::AppRegistration, "app-not-registered", |c| {
        c.references.clear();
    }),
    (Check::AppRegistration, "app-not-registered", |c| {
        c.app().packages[0].version = 8;
    }),
    (Check::AppRegistration, "app-not-registered", |c| {
        c.app().packages[0].name.push('\0');
    }),
    (Check::AppRegistration, "app-not-registered", |c| {
        c.app().signers.clear();
    }),
    (Check::AppRegistration, "app-not-registered", |c| {
        c.app().signers.push(Sha256Digest([9; 32]));
    }),
    (Check::Artifact, "artifact-modified", |c| {
        c.measurements.artifact_sha256 = Some(Sha256Digest([9; 32]));
    }),
    (Check::ArtifactMeasured, "artifact-not-measured", |c| {
        c.measurements.artifact_sha256 = None;
    }),
    (Check::Debugger, "debugger-attached", |c| {
        c.measurements.debugger = Measured::Detected;
    }),
    (Check::Tracer, "tracer-attached", |c| {
        c.measurements.tracer = Measured::Detected;
    }),
    (Check::Instrumentation, "instrumentation-detected", |c| {
        c.measurements.instrumentation = Measured::Detected;
    }),
    (Check::InjectedLibraries, "libraries-injected", |c| {
        c.measurements.injected_libraries = Measured::Detected;
    }),
    (Check::CodeModified, "code-modified", |c| {
        c.measurements.code_modified = Measured::Detected;
    }),
    (Check::Emulator, "emulator-detected", |c| {
        c.measurements.emulator = Measured::Detected;
    }),
    (Check::Root, "root-detected", |c| {
        c.measurements.root = Measured::Detected;
    }),
    (Check::MeasurementReadable, "measurement-unreadable", |c| {
        c.measurements.debugger = Measured::Unreadable;
        c.measurements.root = Measured::Unreadable;
    }),
    (Check::MeasurementComplete, "measurement-missing", |c| {
        c.measurements.debugger = Measured::NotMeasured;
        c.measurements.root = Measured::NotMeasured;
    }),
];

#[test]
fn a_good_app_gets_an_affirming_grant() {
    let case = Case::good();
    assert_eq!(case.codes(), []);
    let verdict = case.verdict();
    assert_eq!(
        (verdict.decision(), verdict.matched()),
        (Decision::Allow, Some(0))
    );
    let grant = verdict.into_grant().unwrap();
    assert_eq!(grant.status(), GrantStatus::Affirming);
    assert!(!grant.development());
}

#[test]
fn each_breakage_gives_its_finding_in_each_mode() {
    for &(check, code, break_it) in BREAKAGES {
        let mut case = Case::good();
        break_it(&mut case);
        case.policy.set_mode(check, Mode::Enforce);
        assert_eq!(case.codes(), [(code, Severity::Enforced)], "{check}");
        let refusal = case.verdict().into_grant().unwrap_err();
        assert_eq!(refusal.codes().collect::<Vec<_>>(), [code]);

        case.policy.set_mode(check, Mode::Observe);
        assert_eq!(case.codes(), [(code, Severity::Observed)], "{check}");
        let grant = case.verdict().into_grant().unwrap();
        assert_eq!(grant.status(), GrantStatus::Warning, "{check}");

        case.policy.set_mode(check, Mode::Off);
        assert_eq!(case.codes(), [], "{check}");
        assert_eq!(case.verdict().decision(), Decision::Allow);
    }
}

#[test]
fn levels_below_hardware_break_their_check_whatever_the_chain_says() {
    use SecurityLevel::{Software, StrongBox, TrustedEnvironment};
    let levels = [
        (Software, Software),
        (Software, TrustedEnvironment),
        (TrustedEnvironment, StrongBox),
        (StrongBox, TrustedEnvironment),
    ];
    for (attestation, key) in levels {
        let mut case = Case::good();
        case.policy = all(Mode::Off);
        case.policy.set_mode(Check::SecurityLevel, Mode::Enforce);
        case.facts.attestation_level = attestation;
        case.facts.keymint_level = key;
        assert_eq!(case.codes(), [("key-not-in-hardware", Severity::Enforced)]);
    }
}

#[test]
fn every_check_has_a_breakage() {
    let mut covered: BTreeSet<Check> = BREAKAGES.iter().map(|(check, ..)| *check).collect();
    covered.insert(Check::SecurityLevel); // above: it cannot break alone
    covered.insert(Check::RiskMetric); // of receipts, which are no facts of an enrolment
    covered.extend(APPLE_BREAKAGES.iter().map(|(check, ..)| *check));
    covered.extend(PLAY_BREAKAGES.iter().map(|(check, ..)| *check));
    assert_eq!(covered, Check::ALL.iter().copied().collect());
}

#[test]
fn all_findings_are_listed_not_only_the_first() {
    let mut case = Case::good();
    case.boot().device_locked = Locked::Unlocked;
    case.boot().state = BootState::Unverified;
    case.measurements.debugger = Measured::Detected;
    case.references.clear();
    let codes: Vec<_> = case.codes().into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            "bootloader-unlocked",
            "boot-not-verified",
            "app-not-registered",
            "debugger-attached"
        ]
    );
}

#[test]
fn an_override_changes_weights_but_hides_nothing() {
    let mut case = Case::good();
    case.boot().device_locked = Locked::Unlocked;
    case.device_override = DeviceOverride::AlwaysPass;
    assert_eq!(
        case.codes(),
        [
            ("bootloader-unlocked", Severity::Observed),
            ("override-always-pass", Severity::Observed)
        ]
    );
    assert_eq!(
        case.verdict().into_grant().unwrap().status(),
        GrantStatus::Warning
    );

    let mut case = Case::good();
    case.device_override = DeviceOverride::AlwaysFail;
    assert_eq!(case.codes(), [("override-always-fail", Severity::Enforced)]);
    assert!(case.verdict().into_grant().is_err());
}

#[test]
fn development_evidence_is_marked_even_where_it_is_accepted() {
    let mut case = Case::good();
    case.facts.anchor = AnchorKind::Development;
    case.policy.set_mode(Check::Development, Mode::Off);
    let grant = case.verdict().into_grant().unwrap();
    assert!(grant.development());
    assert_eq!(grant.status(), GrantStatus::Warning);
}

#[test]
fn an_owner_s_system_passes_only_locked_and_by_its_key() {
    let mut case = Case::good();
    case.boot().state = BootState::SelfSigned;
    case.policy.accepted_boot_keys.insert(Octets(vec![5; 32]));
    assert_eq!(case.codes(), []);

    case.boot().device_locked = Locked::Unlocked;
    let codes: Vec<_> = case.codes().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["bootloader-unlocked", "boot-not-verified"]);

    let mut failed = Case::good();
    failed.boot().state = BootState::Failed;
    failed.policy.accepted_boot_keys.insert(Octets(vec![5; 32]));
    assert_eq!(failed.codes(), [("boot-not-verified", Severity::Enforced)]);
}

#[test]
fn the_age_limit_is_inclusive_and_so_is_the_future() {
    let mut case = Case::good();
    case.policy.max_patch_age_months = 12;
    for level in [202_511, 202_701, 20_251_101] {
        case.facts.os_patch = Some(PatchLevel(level));
        assert_eq!(case.codes(), [], "{level}");
    }
}

#[test]
fn the_best_fitting_registration_counts() {
    let other = Sha256Digest([8; 32]);
    let certificate = ReferenceValue::Certificate {
        package: "com.example.books".to_owned(),
        signers: vec![SIGNER],
    };
    let matched = |references: Vec<ReferenceValue>, measured| {
        let mut case = Case::good();
        case.references = references;
        case.measurements.artifact_sha256 = measured;
        (case.verdict().matched(), case.codes().len())
    };
    assert_eq!(
        matched(
            vec![build(6, FILE), build(7, other), build(7, FILE)],
            Some(FILE)
        ),
        (Some(2), 0)
    );
    assert_eq!(
        matched(vec![build(7, other), certificate.clone()], Some(FILE)),
        (Some(1), 0)
    );
    assert_eq!(
        matched(vec![build(7, FILE), certificate.clone()], None),
        (Some(1), 0)
    );
    assert_eq!(
        matched(vec![certificate, build(7, FILE)], Some(FILE)),
        (Some(1), 0)
    );
    assert_eq!(matched(vec![build(7, other)], Some(FILE)), (Some(0), 1));
}

#[test]
fn tolerated_encodings_are_information() {
    let mut case = Case::good();
    case.facts.tolerated = vec![Tolerance::UnknownTag, Tolerance::Boolean];
    assert_eq!(case.codes(), [("encoding-tolerated", Severity::Info)]);
    assert_eq!(
        case.verdict().into_grant().unwrap().status(),
        GrantStatus::Affirming
    );
}

#[test]
fn facts_survive_the_ticket_and_stay_small() {
    let facts = Facts::AndroidKey(good_facts());
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    assert!(json.len() < 1500, "{} bytes: {json}", json.len());
}

/// A check of App Attest, what it finds, and how to make it.
type AppleBreakage = (Check, &'static str, fn(&mut AppAttestFacts));

const APPLE_BREAKAGES: &[AppleBreakage] = &[
    (Check::Development, "development-evidence", |f| {
        f.anchor = AnchorKind::Development;
    }),
    (Check::Environment, "environment-not-accepted", |f| {
        f.environment = Environment::Development;
    }),
    (Check::KeyId, "key-id-not-compared", |f| {
        f.key_id_comparison = KeyIdComparison::NotCompared;
    }),
    (Check::AppRegistration, "app-not-registered", |f| {
        f.app_id.push('x');
    }),
    (
        Check::ValidationCategory,
        "validation-category-not-allowed",
        |f| {
            f.release.validation_category = Some(3);
        },
    ),
    (
        Check::ValidationCategoryStated,
        "validation-category-missing",
        |f| {
            f.release.validation_category = None;
        },
    ),
    (Check::BundleVersion, "bundle-version-not-allowed", |f| {
        f.release.bundle_version = Some("41".to_owned());
    }),
    (Check::BundleVersionStated, "bundle-version-missing", |f| {
        f.release.bundle_version = None;
    }),
];

fn good_apple_facts() -> AppAttestFacts {
    AppAttestFacts {
        public_key: Octets(vec![4; 65]),
        key_id: Sha256Digest::of(&[4; 65]),
        key_id_comparison: KeyIdComparison::Equal,
        app_id: "TEAM123456.com.example.books".to_owned(),
        anchor: AnchorKind::Apple,
        root: Sha256Digest([7; 32]),
        valid_from: NOW.plus_seconds(-86_400),
        valid_until: NOW.plus_seconds(86_400),
        environment: Environment::Production,
        release: Release {
            validation_category: Some(4),
            bundle_version: Some("42".to_owned()),
        },
    }
}

fn apple_codes(facts: AppAttestFacts, policy: &Policy) -> Vec<(&'static str, Severity)> {
    let one_build = apple_build("42", facts.environment);
    let every_build = ReferenceValue::Apple {
        app_id: "TEAM123456.com.example.books".to_owned(),
    };
    let registered = match &facts.release.bundle_version {
        Some(_) => [build(7, FILE), every_build],
        None => [build(7, FILE), one_build],
    };
    let (findings, _) = apple_verdict(facts, policy, &registered);
    findings
}

fn apple_verdict(
    facts: AppAttestFacts,
    policy: &Policy,
    references: &[ReferenceValue],
) -> (Vec<(&'static str, Severity)>, Option<usize>) {
    let facts = Facts::AppAttest(facts);
    let good = Case::good();
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &good.measurements,
        references,
        device_override: DeviceOverride::None,
        revocation_list: ListAge::ConfirmedAt(NOW),
        sightings: Sightings::NotKept,
        now: NOW,
    };
    let verdict = appraise(&appraisal, policy);
    let findings = verdict.findings().iter();
    let findings = findings.map(|finding| (finding.code, finding.severity));
    (findings.collect(), verdict.matched())
}

fn apple_build(bundle_version: &str, environment: Environment) -> ReferenceValue {
    ReferenceValue::AppleBuild {
        app_id: "TEAM123456.com.example.books".to_owned(),
        bundle_version: bundle_version.to_owned(),
        environment,
    }
}

#[test]
fn an_ios_build_counts_only_as_itself() {
    use Environment::{Development, Production};
    let mut policy = all(Mode::Enforce);
    policy.set_mode(Check::BundleVersion, Mode::Off);
    policy.set_mode(Check::Development, Mode::Off);
    policy.app_attest_environment = EnvironmentPolicy::Any;
    let refused = vec![("app-not-registered", Severity::Enforced)];
    let facts = |stated: Option<&str>, environment| {
        let mut facts = good_apple_facts();
        facts.release.bundle_version = stated.map(str::to_owned);
        facts.environment = environment;
        facts
    };
    let judged = |facts, references: &[ReferenceValue]| apple_verdict(facts, &policy, references);
    let cases: [(_, &[ReferenceValue], _); 6] = [
        (
            facts(Some("42"), Production),
            &[apple_build("42", Production)],
            (vec![], Some(0)),
        ),
        (
            facts(Some("41"), Production),
            &[apple_build("42", Production)],
            (refused.clone(), None),
        ),
        // A sandbox key of the very same build is not the store's build.
        (
            facts(Some("42"), Development),
            &[apple_build("42", Production)],
            (refused.clone(), None),
        ),
        (
            facts(Some("42"), Production),
            &[apple_build("42", Development)],
            (refused, None),
        ),
        (
            facts(Some("42"), Production),
            &[apple_build("41", Production), apple_build("42", Production)],
            (vec![], Some(1)),
        ),
        (
            facts(None, Production),
            &[apple_build("42", Production)],
            (
                vec![("bundle-version-missing", Severity::Enforced)],
                Some(0),
            ),
        ),
    ];
    for (at, (facts, references, expected)) in cases.into_iter().enumerate() {
        assert_eq!(judged(facts, references), expected, "case {at}");
    }
}

#[test]
fn android_builds_and_another_app_id_do_not_make_an_ios_app_registered() {
    let policy = all(Mode::Enforce);
    let other = ReferenceValue::Apple {
        app_id: "TEAM654321.com.example.books".to_owned(),
    };
    let android = ReferenceValue::Certificate {
        package: good_apple_facts().app_id,
        signers: vec![],
    };
    for references in [vec![], vec![other], vec![android], vec![build(7, FILE)]] {
        let mut facts = good_apple_facts();
        facts.release.bundle_version = None;
        let (findings, matched) = apple_verdict(facts, &policy, &references);
        assert_eq!(findings, [("app-not-registered", Severity::Enforced)]);
        assert_eq!(matched, None);
    }
}

#[test]
fn each_app_attest_breakage_gives_its_finding_in_each_mode() {
    let mut policy = all(Mode::Enforce);
    policy.allowed_bundle_versions.insert("42".to_owned());
    assert_eq!(apple_codes(good_apple_facts(), &policy), []);
    for &(check, code, break_it) in APPLE_BREAKAGES {
        let mut facts = good_apple_facts();
        break_it(&mut facts);
        let mut policy = policy.clone();
        if facts.environment == Environment::Development {
            policy.set_mode(Check::Development, Mode::Off);
        }
        for (mode, found) in [
            (Mode::Enforce, vec![(code, Severity::Enforced)]),
            (Mode::Observe, vec![(code, Severity::Observed)]),
            (Mode::Off, vec![]),
        ] {
            policy.set_mode(check, mode);
            assert_eq!(apple_codes(facts.clone(), &policy), found, "{check}");
        }
    }
}

#[test]
fn a_sandbox_key_is_development_evidence() {
    let mut facts = good_apple_facts();
    facts.environment = Environment::Development;
    let mut policy = all(Mode::Enforce);
    policy.allowed_bundle_versions.insert("42".to_owned());
    policy.app_attest_environment = EnvironmentPolicy::Any;
    assert_eq!(
        apple_codes(facts, &policy),
        [("development-evidence", Severity::Enforced)]
    );
}

#[test]
fn an_assertion_is_judged_by_what_it_says_of_the_release() {
    let mut policy = all(Mode::Enforce);
    policy.allowed_bundle_versions.insert("42".to_owned());
    let release = good_apple_facts().release;
    assert!(appraise_release(&release, &policy).into_grant().is_ok());
    let refused = appraise_release(&Release::default(), &policy)
        .into_grant()
        .unwrap_err();
    assert_eq!(
        refused.codes().collect::<Vec<_>>(),
        ["validation-category-missing"]
    );
}

/// The account is made by the code that decides, so it must find what the verdict found, check by check.
#[test]
fn the_account_agrees_with_the_verdict() {
    for &(check, code, break_it) in BREAKAGES {
        let mut case = Case::good();
        break_it(&mut case);
        let facts = Facts::AndroidKey(case.facts.clone());
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &case.measurements,
            references: &case.references,
            device_override: DeviceOverride::AlwaysPass,
            revocation_list: case.revocation_list,
            sightings: Sightings::Kept(&case.sightings),
            now: NOW,
        };
        for explanation in explain(&appraisal, &case.policy) {
            let codes: Vec<_> = explanation
                .findings
                .iter()
                .map(|found| found.code)
                .collect();
            let expected: &[&str] = if explanation.check == check {
                &[code]
            } else {
                &[]
            };
            assert_eq!(
                codes, expected,
                "{check} explained by {}",
                explanation.check
            );
            assert!(!explanation.input.is_empty());
        }
    }
}

/// A check of Play Integrity, what it finds, and how to make it.
type PlayBreakage = (Check, &'static str, fn(&mut PlayFacts));

const PLAY_BREAKAGES: &[PlayBreakage] = &[
    (Check::Development, "development-evidence", |f| {
        f.origin = VerdictOrigin::Testing;
    }),
    (Check::Challenge, "challenge-not-compared", |f| {
        f.binding = ChallengeComparison::NotCompared;
    }),
    (Check::PlayApp, "play-app-not-recognized", |f| {
        f.app_verdict = None;
    }),
    (Check::PlayApp, "play-app-not-recognized", |f| {
        f.app_verdict = Some("PLAY_RECOGNIZED_NOT".to_owned());
    }),
    (Check::AppId, "app-id-missing", |f| f.application = None),
    (Check::AppRegistration, "app-not-registered", |f| {
        f.application.as_mut().unwrap().signers.clear();
    }),
    (Check::AppRegistration, "app-not-registered", |f| {
        f.application.as_mut().unwrap().package.push('x');
    }),
    (Check::PlayDevice, "play-device-not-trusted", |f| {
        f.device_labels.clear();
    }),
    (Check::PlayDevice, "play-device-not-trusted", |f| {
        f.device_labels = BTreeSet::from(["MEETS_DEVICE_INTEGRITY_".to_owned()]);
    }),
    (Check::PlayActivity, "play-activity-too-high", |f| {
        f.activity_level = None;
    }),
    (Check::PlayActivity, "play-activity-too-high", |f| {
        f.activity_level = Some("LEVEL_4".to_owned());
    }),
    (Check::PlaySdk, "play-sdk-too-old", |f| f.sdk_version = None),
    (Check::PlaySdk, "play-sdk-too-old", |f| {
        f.sdk_version = Some(32);
    }),
    (Check::PlayRecall, "play-device-recalled", |f| {
        f.recall_bits.clear();
    }),
    (Check::PlayRecall, "play-device-recalled", |f| {
        f.recall_bits.insert("bitSecond".to_owned(), true);
    }),
    (Check::PlayLicence, "play-licence-missing", |f| {
        f.licence = None;
    }),
    (Check::PlayProtect, "play-protect-risk", |f| {
        f.play_protect = None;
    }),
    (Check::PlayProtect, "play-protect-risk", |f| {
        f.play_protect = Some("UNEVALUATED".to_owned());
    }),
    (Check::PlayProtect, "play-protect-risk", |f| {
        f.play_protect = Some("HIGH_RISK".to_owned());
    }),
    (Check::PlayApps, "play-apps-risk", |f| {
        f.apps_detected = None;
    }),
    (Check::PlayApps, "play-apps-risk", |f| {
        f.apps_detected = Some(BTreeSet::from(["UNKNOWN_CAPTURING".to_owned()]));
    }),
];

fn good_play_facts() -> PlayFacts {
    let word = |text: &str| Some(text.to_owned());
    let bits = ["bitFirst", "bitSecond", "bitThird"];
    PlayFacts {
        package: "dev.bonafide.books".to_owned(),
        timestamp_ms: 1,
        binding: ChallengeComparison::Equal,
        app_verdict: word("PLAY_RECOGNIZED"),
        application: Some(PlayApplication {
            package: "com.example.books".to_owned(),
            version: Some(7),
            signers: vec![SIGNER],
        }),
        device_labels: BTreeSet::from(["MEETS_DEVICE_INTEGRITY".to_owned()]),
        activity_level: word("LEVEL_3"),
        sdk_version: Some(33),
        recall_bits: bits.iter().map(|bit| ((*bit).to_owned(), false)).collect(),
        licence: word("LICENSED"),
        play_protect: word("NO_ISSUES"),
        apps_detected: Some(BTreeSet::from(["KNOWN_INSTALLED".to_owned()])),
        origin: VerdictOrigin::Evaluated,
    }
}

fn play_codes(facts: PlayFacts, policy: &Policy) -> Vec<(&'static str, Severity)> {
    let facts = Facts::PlayIntegrity(facts);
    let good = Case::good();
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &good.measurements,
        references: &good.references,
        device_override: DeviceOverride::None,
        revocation_list: ListAge::ConfirmedAt(NOW),
        sightings: Sightings::NotKept,
        now: NOW,
    };
    let verdict = appraise(&appraisal, policy);
    verdict
        .findings()
        .iter()
        .map(|finding| (finding.code, finding.severity))
        .collect()
}

#[test]
fn each_play_breakage_gives_its_finding_in_each_mode() {
    assert_eq!(play_codes(good_play_facts(), &all(Mode::Enforce)), []);
    for &(check, code, break_it) in PLAY_BREAKAGES {
        let mut facts = good_play_facts();
        break_it(&mut facts);
        for (mode, found) in [
            (Mode::Enforce, vec![(code, Severity::Enforced)]),
            (Mode::Observe, vec![(code, Severity::Observed)]),
            (Mode::Off, vec![]),
        ] {
            let mut policy = all(Mode::Enforce);
            policy.set_mode(check, mode);
            assert_eq!(play_codes(facts.clone(), &policy), found, "{check}");
        }
    }
}

#[test]
fn a_play_verdict_without_version_is_too_old_for_a_minimum() {
    let mut facts = good_play_facts();
    facts.application.as_mut().unwrap().version = None;
    let mut policy = all(Mode::Off);
    policy.set_mode(Check::AppVersion, Mode::Enforce);
    assert_eq!(play_codes(facts.clone(), &policy), []);
    policy.min_version_code = 1;
    assert_eq!(
        play_codes(facts, &policy),
        [("app-version-too-old", Severity::Enforced)]
    );
}
