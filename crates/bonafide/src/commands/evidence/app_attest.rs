//! `bonafide evidence verify app-attest | app-attest-assertion | app-attest-receipt OBJECT`.
//!
//! Decides which checks the options stand for, as `android_key` does.

use std::path::PathBuf;

use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, Assertion, ExpectedKeyId, ExpectedPublicKey, Receipt, verify_assertion,
    verify_receipt,
};
use bonafide_evidence::outline::{self, Claim};
use bonafide_evidence::rules::{self, Rule};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, EnvironmentPolicy, Evidence, ExpectedChallenge,
    Finding, Measurements, Mode, Octets, Policy, Preset, ReferenceValue, Reject, Sightings,
    appraise, appraise_receipt, appraise_release, verify,
};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::report::{self, Report, Step, not_compared};
use super::{Shared, input};
use crate::error::{Exit, Failure};

/// `bonafide evidence verify app-attest …`
#[derive(Debug, clap::Args)]
pub(crate) struct AttestationArgs {
    /// The CBOR attestation object, raw or in base64; `-` for stdin
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The app that it must be: TEAMID.bundle.identifier
    #[arg(long, value_name = "ID")]
    app_id: String,
    /// The hash that the app gave to the system, exactly as given
    #[arg(long, value_name = "HEX", value_parser = input::octets)]
    client_data_hash: Octets,
    /// The key id that the app named
    #[arg(long, value_name = "BASE64", value_parser = input::base64)]
    key_id: Option<Octets>,
    /// For which of Apple's two worlds the key must have been attested
    #[arg(long, value_enum, value_name = "ENVIRONMENT")]
    environment: Option<Environment>,
    #[command(flatten)]
    release: ReleaseArgs,
    #[command(flatten)]
    shared: Shared,
}

/// `bonafide evidence verify app-attest-assertion …`
#[derive(Debug, clap::Args)]
pub(crate) struct AssertionArgs {
    /// The CBOR assertion, raw or in base64; `-` for stdin
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The app that it must be: TEAMID.bundle.identifier
    #[arg(long, value_name = "ID")]
    app_id: String,
    /// The hash that the app gave to the system, exactly as given
    #[arg(long, value_name = "HEX", value_parser = input::octets)]
    client_data_hash: Octets,
    /// The attested key: an uncompressed P-256 point
    #[arg(long, value_name = "X963HEX", value_parser = input::octets)]
    public_key: Octets,
    /// The counter of the last assertion; 0 after the attestation
    #[arg(long, value_name = "N")]
    previous_counter: u32,
    #[command(flatten)]
    release: ReleaseArgs,
    #[command(flatten)]
    shared: Shared,
}

/// `bonafide evidence verify app-attest-receipt …`
#[derive(Debug, clap::Args)]
pub(crate) struct ReceiptArgs {
    /// The CMS receipt, raw or in base64; `-` for stdin
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The app that it must be about: TEAMID.bundle.identifier
    #[arg(long, value_name = "ID")]
    app_id: String,
    /// The attested key that it must be about: an uncompressed P-256 point
    #[arg(long, value_name = "X963HEX", value_parser = input::octets)]
    public_key: Option<Octets>,
    #[command(flatten)]
    shared: Shared,
}

/// What iOS 27 says about the app's release.
#[derive(Debug, clap::Args)]
struct ReleaseArgs {
    /// A validation category that may pass: 2 TestFlight, 3 development, 4 App Store, 5 enterprise, …; repeatable
    #[arg(long = "allowed-category", value_name = "N")]
    allowed_categories: Vec<u32>,
    /// Refuse evidence that states no validation category
    #[arg(long)]
    require_category: bool,
    /// A bundle version that may pass; repeatable
    #[arg(long = "allowed-bundle-version", value_name = "V")]
    allowed_bundle_versions: Vec<String>,
}

/// Apple's two worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Environment {
    /// App Store and TestFlight
    Production,
    /// Xcode's sandbox
    Development,
    /// Either
    Any,
}

impl ReleaseArgs {
    /// An option that is given is enforced; one that is left out is not compared, unless a policy file says
    /// otherwise.
    fn apply(&self, policy: &mut Policy, shared: &Shared) {
        let given = |values: bool| match (values, &shared.policy) {
            (true, _) => Some(Mode::Enforce),
            (false, None) => Some(Mode::Off),
            (false, Some(_)) => None,
        };
        if let Some(mode) = given(!self.allowed_categories.is_empty()) {
            policy.set_mode(Check::ValidationCategory, mode);
            policy.allowed_validation_categories =
                self.allowed_categories.iter().copied().collect();
        }
        if let Some(mode) = given(self.require_category) {
            policy.set_mode(Check::ValidationCategoryStated, mode);
        }
        if let Some(mode) = given(!self.allowed_bundle_versions.is_empty()) {
            policy.set_mode(Check::BundleVersion, mode);
            policy.allowed_bundle_versions = self.allowed_bundle_versions.iter().cloned().collect();
        }
    }

    fn notes(&self, shared: &Shared) -> Vec<Finding> {
        let mut notes = Vec::new();
        if shared.policy.is_some() {
            return notes;
        }
        if self.allowed_categories.is_empty() {
            notes.push(left_out(
                "validation-category-not-compared",
                "--allowed-category",
            ));
        }
        if self.allowed_bundle_versions.is_empty() {
            notes.push(left_out(
                "bundle-version-not-compared",
                "--allowed-bundle-version",
            ));
        }
        notes
    }
}

fn left_out(code: &'static str, option: &str) -> Finding {
    not_compared(code, &format!("{option} was not given"))
}

fn base_policy(shared: &Shared) -> Result<Policy, Failure> {
    match &shared.policy {
        Some(path) => input::policy(path),
        None => Ok(Policy::preset(Preset::Default)),
    }
}

fn shown<T: Serialize>(facts: &T) -> Result<Value, Failure> {
    serde_json::to_value(facts)
        .map_err(|error| Failure::new(Exit::Refused, format!("facts: {error}")))
}

fn account(
    shared: &Shared,
    all: &[Rule],
    outcome: Result<(), &Reject>,
    left: &[&str],
) -> Vec<Step> {
    if shared.explain {
        report::rules(all, outcome, left)
    } else {
        Vec::new()
    }
}

/// What refused evidence says of itself, where an account is wanted.
fn stated(shared: &Shared, claims: Vec<Claim>) -> Vec<Step> {
    if !shared.explain {
        return Vec::new();
    }
    let mut steps = report::claims(claims);
    steps.extend(report::claims(vec![outline::asked_at(shared.at())]));
    steps
}

/// Verifies and appraises an attestation.
pub(super) fn attestation(args: &AttestationArgs) -> Result<Report, Failure> {
    const KIND: &str = "app-attest";
    let object = input::object(&args.object)?;
    let anchors = input::anchors(args.shared.roots.as_deref(), Anchors::apple_app_attest)?;
    let policy = args.policy()?;
    let key_id = args.key_id.as_ref();
    let evidence = Evidence::AppAttest(AppAttest {
        object: &object,
        app_id: &args.app_id,
        key_id: key_id.map_or(ExpectedKeyId::NotCompared, |id| {
            ExpectedKeyId::Exactly(&id.0)
        }),
    });
    let context = Context {
        now: args.shared.at(),
        challenge: ExpectedChallenge::Exactly(&args.client_data_hash.0),
        anchors: &anchors,
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let left: &[&str] = if key_id.is_none() {
        &["key-id-mismatch"]
    } else {
        &[]
    };
    let facts = match verify(&evidence, &context) {
        Ok(facts) => facts,
        Err(reject) => {
            let mut steps = account(&args.shared, rules::APP_ATTEST, Err(&reject), left);
            steps.extend(stated(&args.shared, outline::app_attest(&object)));
            return Ok(Report::rejected(KIND, &reject)
                .noting(args.notes())
                .explained(steps));
        }
    };
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &Measurements::NONE,
        references: &[ReferenceValue::Apple {
            app_id: args.app_id.clone(),
        }],
        device_override: DeviceOverride::None,
        revocation_list: ListAge::Missing,
        sightings: Sightings::NotKept,
        now: args.shared.at(),
    };
    let mut steps = account(&args.shared, rules::APP_ATTEST, Ok(()), left);
    if args.shared.explain {
        steps.extend(report::checks(&appraisal, &policy));
    }
    let verdict = appraise(&appraisal, &policy);
    Ok(Report::judged(KIND, shown(&facts)?, verdict)
        .noting(args.notes())
        .explained(steps))
}

impl AttestationArgs {
    fn policy(&self) -> Result<Policy, Failure> {
        let mut policy = base_policy(&self.shared)?;
        self.release.apply(&mut policy, &self.shared);
        if self.key_id.is_none() && policy.mode(Check::KeyId) == Mode::Enforce {
            policy.set_mode(Check::KeyId, Mode::Observe);
        }
        let (accepted, sandbox) = match (self.environment, &self.shared.policy) {
            (Some(Environment::Production), _) => (EnvironmentPolicy::Production, Mode::Enforce),
            (Some(Environment::Development), _) => (EnvironmentPolicy::Development, Mode::Off),
            (Some(Environment::Any), _) => (EnvironmentPolicy::Any, Mode::Off),
            (None, None) => (EnvironmentPolicy::Any, Mode::Observe),
            (None, Some(_)) => return Ok(policy),
        };
        policy.app_attest_environment = accepted;
        policy.set_mode(Check::Environment, Mode::Enforce);
        policy.set_mode(Check::Development, sandbox);
        Ok(policy)
    }

    /// What was left out. The key id is a check of its own and speaks for itself.
    fn notes(&self) -> Vec<Finding> {
        let mut notes = self.release.notes(&self.shared);
        if self.environment.is_none() && self.shared.policy.is_none() {
            notes.push(left_out("environment-not-compared", "--environment"));
        }
        notes
    }
}

/// Verifies and appraises an assertion.
pub(super) fn assertion(args: &AssertionArgs) -> Result<Report, Failure> {
    const KIND: &str = "app-attest-assertion";
    let object = input::object(&args.object)?;
    let mut policy = base_policy(&args.shared)?;
    args.release.apply(&mut policy, &args.shared);
    let outcome = verify_assertion(&Assertion {
        object: &object,
        app_id: &args.app_id,
        client_data_hash: &args.client_data_hash.0,
        public_key: &args.public_key.0,
        previous_counter: args.previous_counter,
    });
    let held = outcome.as_ref().map(|_| ());
    let mut steps = account(&args.shared, rules::APP_ATTEST_ASSERTION, held, &[]);
    if outcome.is_err() {
        steps.extend(stated(&args.shared, outline::app_attest_assertion(&object)));
    }
    let report = match outcome {
        Err(reject) => Report::rejected(KIND, &reject),
        Ok(facts) => Report::judged(
            KIND,
            shown(&facts)?,
            appraise_release(&facts.release, &policy),
        ),
    };
    Ok(report
        .noting(args.release.notes(&args.shared))
        .explained(steps))
}

/// Verifies a receipt.
pub(super) fn receipt(args: &ReceiptArgs) -> Result<Report, Failure> {
    const KIND: &str = "app-attest-receipt";
    let object = input::object(&args.object)?;
    let anchors = input::anchors(args.shared.roots.as_deref(), Anchors::apple_receipts)?;
    let policy = base_policy(&args.shared)?;
    let public_key = args.public_key.as_ref();
    let outcome = verify_receipt(&Receipt {
        object: &object,
        app_id: &args.app_id,
        public_key: public_key.map_or(ExpectedPublicKey::NotCompared, |key| {
            ExpectedPublicKey::Exactly(&key.0)
        }),
        anchors: &anchors,
        now: args.shared.at(),
    });
    let left: &[&str] = if public_key.is_none() {
        &["key-id-mismatch"]
    } else {
        &[]
    };
    let steps = account(
        &args.shared,
        rules::APP_ATTEST_RECEIPT,
        outcome.as_ref().map(|_| ()),
        left,
    );
    let report = match outcome {
        Err(reject) => Report::rejected(KIND, &reject),
        Ok(facts) => Report::judged(KIND, shown(&facts)?, appraise_receipt(&facts, &policy)),
    };
    let missing = public_key.is_none();
    let note = missing.then(|| left_out("public-key-not-compared", "--public-key"));
    Ok(report.noting(note.into_iter().collect()).explained(steps))
}
