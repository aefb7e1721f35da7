//! `bonafide evidence verify play-integrity TOKEN`.
//!
//! Decides which checks the options stand for, as `android_key` does.

use std::path::{Path, PathBuf};

use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Finding, Measurements,
    Mode, Octets, Policy, Preset, ReferenceValue, Sha256Digest, Sightings, appraise, rules, verify,
};
use serde::Deserialize;

use super::report::{self, Report, not_compared};
use super::{Shared, input};
use crate::error::{Exit, Failure};

const KIND: &str = "play-integrity";

/// `bonafide evidence verify play-integrity …`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The token as the app sent it; `-` for stdin
    #[arg(value_name = "TOKEN")]
    token: PathBuf,
    /// The keys of the Play Console: JSON with `decryption_key` and `verification_key`, in base64
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The package that must have asked, and must be installed
    #[arg(long, value_name = "NAME")]
    package: String,
    /// SHA-256 of a certificate that may have signed the app; repeat it for a rotated lineage
    #[arg(long = "signer", value_name = "BASE64URL", required = true, value_parser = digest)]
    signers: Vec<Sha256Digest>,
    /// The nonce of a classic request
    #[arg(long, value_name = "TEXT", conflicts_with = "request_hash")]
    nonce: Option<String>,
    /// The hash of a standard request
    #[arg(long, value_name = "TEXT")]
    request_hash: Option<String>,
    /// The oldest version of the app that may pass
    #[arg(long, value_name = "N")]
    min_version_code: Option<u64>,
    #[command(flatten)]
    shared: Shared,
}

/// Base64url, as verdicts write digests.
fn digest(text: &str) -> Result<Sha256Digest, String> {
    let Octets(bytes) = input::base64(text)?;
    bytes
        .try_into()
        .map(Sha256Digest)
        .map_err(|_| "a SHA-256 digest has 32 bytes".to_owned())
}

#[derive(Deserialize)]
struct KeysFile {
    #[serde(alias = "decryption_key_b64")]
    decryption_key: String,
    #[serde(alias = "verification_key_spki_b64")]
    verification_key: String,
}

fn keys(path: &Path) -> Result<PlayKeys, Failure> {
    // No word of the parser's: it would quote the file, which holds a secret.
    let unreadable = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let file: KeysFile = serde_json::from_slice(&input::read(path)?).map_err(|_| {
        unreadable("not JSON with `decryption_key` and `verification_key`".to_owned())
    })?;
    let decoded = |text: &str| input::base64(text).map_err(|_| unreadable("not base64".to_owned()));
    let (decryption, verification) = (
        decoded(&file.decryption_key)?,
        decoded(&file.verification_key)?,
    );
    PlayKeys::new(&decryption.0, &verification.0).map_err(|error| unreadable(error.to_string()))
}

/// Verifies and appraises.
pub(super) fn judge(args: &Args) -> Result<Report, Failure> {
    let bytes = input::read(&args.token)?;
    let token = String::from_utf8_lossy(&bytes);
    let keys = keys(&args.keys)?;
    let policy = args.policy()?;
    let evidence = Evidence::PlayIntegrity(PlayIntegrity {
        token: PlayToken::Sealed {
            token: token.trim(),
            keys: &keys,
        },
        binding: args.binding(),
        package: &args.package,
        freshness: Freshness::at(args.shared.at()),
    });
    let context = Context {
        now: args.shared.at(),
        challenge: ExpectedChallenge::NotCompared,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let outcome = verify(&evidence, &context);
    let mut steps = Vec::new();
    if args.shared.explain {
        let held = outcome.as_ref().map(|_| ());
        steps = report::rules(rules::PLAY_INTEGRITY, held, args.left_out());
    }
    let facts = match outcome {
        Ok(facts) => facts,
        Err(reject) => {
            return Ok(Report::rejected(KIND, &reject)
                .noting(args.notes())
                .explained(steps));
        }
    };
    let reference = ReferenceValue::Certificate {
        package: args.package.clone(),
        signers: args.signers.clone(),
    };
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &Measurements::NONE,
        references: &[reference],
        device_override: DeviceOverride::None,
        revocation_list: ListAge::Missing,
        sightings: Sightings::NotKept,
        now: args.shared.at(),
    };
    if args.shared.explain {
        steps.extend(report::checks(&appraisal, &policy));
    }
    let shown = serde_json::to_value(&facts)
        .map_err(|error| Failure::new(Exit::Refused, format!("facts: {error}")))?;
    let verdict = appraise(&appraisal, &policy);
    Ok(Report::judged(KIND, shown, verdict)
        .noting(args.notes())
        .explained(steps))
}

impl Args {
    fn binding(&self) -> Binding<'_> {
        match (&self.nonce, &self.request_hash) {
            (Some(nonce), _) => Binding::Nonce(nonce),
            (None, Some(hash)) => Binding::RequestHash(hash),
            (None, None) => Binding::NotCompared,
        }
    }

    /// Rules that nobody asked for.
    fn left_out(&self) -> &'static [&'static str] {
        match self.binding() {
            Binding::NotCompared => &["request-binding-mismatch"],
            _ => &[],
        }
    }

    fn policy(&self) -> Result<Policy, Failure> {
        let mut policy = match &self.shared.policy {
            Some(path) => input::policy(path)?,
            None => Policy::preset(Preset::Default),
        };
        let unbound = self.binding() == Binding::NotCompared;
        if unbound && policy.mode(Check::Challenge) == Mode::Enforce {
            policy.set_mode(Check::Challenge, Mode::Observe);
        }
        policy.set_mode(Check::AppRegistration, Mode::Enforce);
        if let Some(minimum) = self.min_version_code {
            policy.min_version_code = minimum;
            policy.set_mode(Check::AppVersion, Mode::Enforce);
        }
        Ok(policy)
    }

    /// What was left out. The binding is a check of its own and speaks for itself.
    fn notes(&self) -> Vec<Finding> {
        if self.min_version_code.is_none() && self.shared.policy.is_none() {
            return vec![not_compared(
                "version-not-compared",
                "--min-version-code was not given",
            )];
        }
        Vec::new()
    }
}
