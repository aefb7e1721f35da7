//! Whether the attested app is one that somebody registered.
//!
//! Decides by the exact set: one package, with a registered certificate behind every signer. "Any
//! of" would let a sibling that shares the user id use the app's keys. It refuses to believe the
//! operating system more than its boot state deserves; that is another check.

use super::finding::Findings;
use super::{Appraisal, Check};
use crate::android::{ApplicationId, Package};
use crate::{ReferenceValue, Sha256Digest};

/// Index of the reference that the app is, or claims to be with another file.
pub(super) fn attested(
    application: Option<&ApplicationId>,
    appraisal: &Appraisal<'_>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    let Some(application) = application else {
        findings.failed(
            Check::AppId,
            "app-id-missing",
            "the operating system does not say which app owns the key",
        );
        return None;
    };
    let [package] = application.packages.as_slice() else {
        let names: Vec<_> = application
            .packages
            .iter()
            .map(|package| &package.name)
            .collect();
        findings.failed(
            Check::AppId,
            "app-id-ambiguous",
            format!("the key belongs to {} packages: {names:?}", names.len()),
        );
        return None;
    };
    let minimum = findings.policy.min_version_code;
    if package.version < minimum {
        findings.failed(
            Check::AppVersion,
            "app-version-too-old",
            format!("version {}, at least {minimum} wanted", package.version),
        );
    }
    registered(package, &application.signers, appraisal, findings)
}

/// Index of the reference that fits best.
pub(super) fn registered(
    package: &Package,
    signers: &[Sha256Digest],
    appraisal: &Appraisal<'_>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    let measured = appraisal.measurements.artifact_sha256;
    let candidates: Vec<(usize, Fit)> = appraisal
        .references
        .iter()
        .enumerate()
        .filter(|(_, reference)| describes(reference, package, signers))
        .map(|(index, reference)| (index, fit(reference, measured)))
        .collect();
    let Some((index, fit)) = candidates.into_iter().max_by_key(|(_, fit)| *fit) else {
        let detail = why_not(package, signers, appraisal.references);
        findings.failed(Check::AppRegistration, "app-not-registered", detail);
        return None;
    };
    match fit {
        Fit::Same | Fit::Any => {}
        Fit::Unknown => findings.failed(
            Check::ArtifactMeasured,
            "artifact-not-measured",
            "the SDK could not read the installed file",
        ),
        Fit::Other => findings.failed(
            Check::Artifact,
            "artifact-modified",
            "the installed file is not the registered one",
        ),
    }
    Some(index)
}

/// How well the installed file fits a registration; the best one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Other,
    Unknown,
    Any,
    Same,
}

fn fit(reference: &ReferenceValue, measured: Option<Sha256Digest>) -> Fit {
    match (reference, measured) {
        (
            ReferenceValue::Certificate { .. }
            | ReferenceValue::Apple { .. }
            | ReferenceValue::AppleBuild { .. },
            _,
        ) => Fit::Any,
        (ReferenceValue::Build { .. }, None) => Fit::Unknown,
        (
            ReferenceValue::Build {
                artifact_sha256, ..
            },
            Some(measured),
        ) => {
            if *artifact_sha256 == measured {
                Fit::Same
            } else {
                Fit::Other
            }
        }
    }
}

fn describes(reference: &ReferenceValue, package: &Package, signers: &[Sha256Digest]) -> bool {
    let version = match reference {
        ReferenceValue::Build { version_code, .. } => *version_code == package.version,
        ReferenceValue::Certificate { .. } => true,
        ReferenceValue::Apple { .. } | ReferenceValue::AppleBuild { .. } => false,
    };
    version && reference.package() == package.name && signed_by(reference, signers)
}

/// Every signer is registered, and there is one: no signer is not a subset of anything here.
fn signed_by(reference: &ReferenceValue, signers: &[Sha256Digest]) -> bool {
    !signers.is_empty()
        && signers
            .iter()
            .all(|signer| reference.signers().contains(signer))
}

fn why_not(package: &Package, signers: &[Sha256Digest], references: &[ReferenceValue]) -> String {
    let name = &package.name;
    let mut of_package = references
        .iter()
        .filter(|reference| reference.package() == name)
        .peekable();
    if of_package.peek().is_none() {
        return format!("no registration for package {name:?}");
    }
    if !of_package.any(|reference| signed_by(reference, signers)) {
        return format!("{name:?} is registered, but not with the attested signers {signers:?}");
    }
    format!(
        "{name:?} is registered, but not version {}",
        package.version
    )
}
