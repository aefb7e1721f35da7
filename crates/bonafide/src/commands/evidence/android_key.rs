//! `bonafide evidence verify android-key CHAIN`.
//!
//! Decides which checks the options stand for. An option that is given is enforced, whatever the policy
//! file says; one that is left out switches its check off and leaves a note.

use std::path::PathBuf;

use bonafide_evidence::android::{Anchors, ApplicationId, ListAge, RevocationList};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Facts, Finding,
    Measurements, Mode, Octets, Policy, Preset, ReferenceValue, Reject, Sha256Digest, Sightings,
    appraise, outline, rules, verify,
};

use super::report::{self, Report, Step, not_compared};
use super::{Shared, input};
use crate::error::{Exit, Failure};

const KIND: &str = "android-key";

/// `bonafide evidence verify android-key …`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chain: PEM, leaf first, or DER certificates one after the other; `-` for stdin
    #[arg(value_name = "CHAIN")]
    chain: PathBuf,
    /// The challenge that the key was to be made for
    #[arg(long, value_name = "HEX", value_parser = input::octets)]
    challenge: Option<Octets>,
    /// The package that the key must belong to, and no other
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// SHA-256 of a certificate that may have signed the app; repeat it for a rotated lineage
    #[arg(long = "signer", value_name = "SHA256HEX", value_parser = input::sha256)]
    signers: Vec<Sha256Digest>,
    /// The oldest version of the app that may pass
    #[arg(long, value_name = "N")]
    min_version_code: Option<u64>,
    /// The greatest age of the phone's patch levels
    #[arg(long, value_name = "N")]
    max_patch_age_months: Option<u32>,
    #[command(flatten)]
    shared: Shared,
}

/// Verifies and appraises.
pub(super) fn judge(args: &Args) -> Result<Report, Failure> {
    let chain = input::chain(&args.chain)?;
    let anchors = input::anchors(args.shared.roots.as_deref(), Anchors::google)?;
    let revocations = match &args.shared.revocations {
        Some(path) => input::revocations(path)?,
        None => RevocationList::empty(),
    };
    let policy = args.policy()?;
    let challenge = args.challenge.as_ref();
    let context = Context {
        now: args.shared.at(),
        challenge: challenge.map_or(ExpectedChallenge::NotCompared, |bytes| {
            ExpectedChallenge::Exactly(&bytes.0)
        }),
        anchors: &anchors,
        revocations: &revocations,
        attest_keys: policy.attest_keys,
    };
    match verify(&Evidence::AndroidKey { chain: &chain }, &context) {
        Err(reject) => {
            let mut steps = args.rules(Err(&reject));
            if args.shared.explain {
                steps.extend(report::claims(outline::android_key(&chain)));
                steps.extend(report::claims(vec![outline::asked_at(args.shared.at())]));
            }
            let mut notes = args.notes();
            if args.challenge.is_none() {
                notes.push(not_compared(
                    "challenge-not-compared",
                    "--challenge was not given",
                ));
            }
            Ok(Report::rejected(KIND, &reject)
                .noting(notes)
                .explained(steps))
        }
        Ok(facts) => args.appraised(&facts, &policy),
    }
}

impl Args {
    /// The policy of the file, or the preset `default`; then what the options say.
    fn policy(&self) -> Result<Policy, Failure> {
        let mut policy = match &self.shared.policy {
            Some(path) => input::policy(path)?,
            None => Policy::preset(Preset::Default),
        };
        if self.challenge.is_none() && policy.mode(Check::Challenge) == Mode::Enforce {
            policy.set_mode(Check::Challenge, Mode::Observe);
        }
        if self.shared.revocations.is_none() {
            policy.set_mode(Check::RevocationListAge, Mode::Off);
        }
        if self.package.is_none() && self.signers.is_empty() {
            policy.set_mode(Check::AppId, Mode::Off);
            policy.set_mode(Check::AppRegistration, Mode::Off);
        } else {
            policy.set_mode(Check::AppId, Mode::Enforce);
            policy.set_mode(Check::AppRegistration, Mode::Enforce);
        }
        if let Some(minimum) = self.min_version_code {
            policy.min_version_code = minimum;
            policy.set_mode(Check::AppId, Mode::Enforce);
            policy.set_mode(Check::AppVersion, Mode::Enforce);
        }
        match self.max_patch_age_months {
            Some(months) => {
                policy.max_patch_age_months = months;
                policy.set_mode(Check::PatchAge, Mode::Enforce);
            }
            None if self.shared.policy.is_none() => policy.set_mode(Check::PatchAge, Mode::Off),
            None => {}
        }
        Ok(policy)
    }

    fn appraised(&self, facts: &Facts, policy: &Policy) -> Result<Report, Failure> {
        let references = self.references(facts);
        let appraisal = Appraisal {
            facts,
            measurements: &Measurements::NONE,
            references: &references,
            device_override: DeviceOverride::None,
            // Whoever hands a list in answers for its age.
            revocation_list: ListAge::ConfirmedAt(self.shared.at()),
            sightings: Sightings::NotKept,
            now: self.shared.at(),
        };
        let shown = serde_json::to_value(facts)
            .map_err(|error| Failure::new(Exit::Refused, format!("facts: {error}")))?;
        let mut steps = self.rules(Ok(()));
        if self.shared.explain {
            steps.extend(report::checks(&appraisal, policy));
        }
        let verdict = appraise(&appraisal, policy);
        Ok(Report::judged(KIND, shown, verdict)
            .noting(self.notes())
            .explained(steps))
    }

    /// The account of authentication, where one is wanted. Whether the key is of use is nobody's question
    /// here.
    fn rules(&self, outcome: Result<(), &Reject>) -> Vec<Step> {
        if !self.shared.explain {
            return Vec::new();
        }
        let mut left_out = vec!["key-post-quantum", "key-algorithm-unsupported"];
        if self.challenge.is_none() {
            left_out.push("challenge-mismatch");
        }
        if self.shared.revocations.is_none() {
            left_out.push("certificate-revoked");
        }
        report::rules(rules::ANDROID_KEY, outcome, &left_out)
    }

    /// One registration from the options; what is left out is taken from the evidence, so that it
    /// compares equal to itself, and noted.
    fn references(&self, facts: &Facts) -> Vec<ReferenceValue> {
        let Facts::AndroidKey(facts) = facts else {
            return Vec::new();
        };
        let attested = facts.application.as_ref();
        let name = |application: &ApplicationId| {
            application
                .packages
                .first()
                .map(|package| package.name.clone())
        };
        let package = self.package.clone().or_else(|| attested.and_then(name));
        let signers = if self.signers.is_empty() {
            attested
                .map(|application| application.signers.clone())
                .unwrap_or_default()
        } else {
            self.signers.clone()
        };
        let reference = |package| ReferenceValue::Certificate { package, signers };
        package.map(reference).into_iter().collect()
    }

    /// What was left out. The challenge is a check of its own and speaks for itself.
    fn notes(&self) -> Vec<Finding> {
        let mut notes = Vec::new();
        let mut note = |missing: bool, code, option: &str| {
            if missing {
                notes.push(not_compared(code, &format!("{option} was not given")));
            }
        };
        note(self.package.is_none(), "package-not-compared", "--package");
        note(self.signers.is_empty(), "signer-not-compared", "--signer");
        let no_policy = self.shared.policy.is_none();
        note(
            no_policy && self.min_version_code.is_none(),
            "version-not-compared",
            "--min-version-code",
        );
        let no_age = no_policy && self.max_patch_age_months.is_none();
        note(no_age, "patch-age-not-compared", "--max-patch-age-months");
        note(
            self.shared.revocations.is_none(),
            "revocations-not-compared",
            "--revocations",
        );
        notes
    }
}
