//! What the policy says about an attested key of the Secure Enclave and the app that made it.
//!
//! Decides by what Apple vouched for. It refuses to take an absent validation category for a good one where
//! the policy wants it stated: phones before iOS 27 state none.

use super::finding::Findings;
use super::{Appraisal, Check, EnvironmentPolicy};
use crate::ReferenceValue;
use crate::apple::{AppAttestFacts, Environment, KeyIdComparison, ReceiptFacts, Release};

/// Index of the matching reference.
pub(super) fn key(
    facts: &AppAttestFacts,
    appraisal: &Appraisal<'_>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    if appraisal.facts.development() {
        findings.failed(
            Check::Development,
            "development-evidence",
            "the key was attested for development, or its chain ends at such an anchor",
        );
    }
    environment(facts.environment, findings);
    if facts.key_id_comparison == KeyIdComparison::NotCompared {
        findings.failed(
            Check::KeyId,
            "key-id-not-compared",
            "nobody said which key id the app named",
        );
    }
    release(&facts.release, findings);
    registered(facts, appraisal.references, findings)
}

/// How well what the phone states fits a registration; the best one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The phone does not say which build it runs.
    Unstated,
    /// Every build counts.
    Any,
    /// This very build.
    Same,
}

fn registered(
    facts: &AppAttestFacts,
    references: &[ReferenceValue],
    findings: &mut Findings<'_>,
) -> Option<usize> {
    let candidates = references.iter().enumerate();
    let best = candidates
        .filter_map(|(index, reference)| Some((index, fit(reference, facts)?)))
        .max_by_key(|(_, fit)| *fit);
    let Some((index, fit)) = best else {
        let detail = why_not(facts, references);
        findings.failed(Check::AppRegistration, "app-not-registered", detail);
        return None;
    };
    if fit == Fit::Unstated {
        findings.failed(
            Check::BundleVersionStated,
            "bundle-version-missing",
            "one build is registered, and the phone's system does not state which it runs (before iOS 27)",
        );
    }
    Some(index)
}

fn fit(reference: &ReferenceValue, facts: &AppAttestFacts) -> Option<Fit> {
    match reference {
        ReferenceValue::Build { .. } | ReferenceValue::Certificate { .. } => None,
        ReferenceValue::Apple { app_id } => (*app_id == facts.app_id).then_some(Fit::Any),
        ReferenceValue::AppleBuild {
            app_id,
            bundle_version,
            environment,
        } => {
            if *app_id != facts.app_id || *environment != facts.environment {
                return None;
            }
            match &facts.release.bundle_version {
                None => Some(Fit::Unstated),
                Some(stated) => (stated == bundle_version).then_some(Fit::Same),
            }
        }
    }
}

fn why_not(facts: &AppAttestFacts, references: &[ReferenceValue]) -> String {
    let app_id = &facts.app_id;
    let environments = references.iter().filter_map(|reference| match reference {
        ReferenceValue::AppleBuild {
            app_id: known,
            environment,
            ..
        } if known == app_id => Some(*environment),
        _ => None,
    });
    let environments: Vec<Environment> = environments.collect();
    if environments.is_empty() {
        format!("no registration for app id {app_id:?}")
    } else if environments.contains(&facts.environment) {
        let stated = facts.release.bundle_version.as_deref().unwrap_or_default();
        format!("{app_id:?} is registered, but not build {stated:?}")
    } else {
        format!(
            "{app_id:?} is registered, but no build whose keys are attested for {:?}",
            facts.environment
        )
    }
}

fn environment(environment: Environment, findings: &mut Findings<'_>) {
    let accepted = findings.policy.app_attest_environment;
    let fits = match accepted {
        EnvironmentPolicy::Any => true,
        EnvironmentPolicy::Production => environment == Environment::Production,
        EnvironmentPolicy::Development => environment == Environment::Development,
    };
    if !fits {
        findings.failed(
            Check::Environment,
            "environment-not-accepted",
            format!("attested for {environment:?}, accepted is {accepted:?}"),
        );
    }
}

/// How the app was released; for attestations and for each assertion.
pub(super) fn release(release: &Release, findings: &mut Findings<'_>) {
    match release.validation_category {
        Some(category)
            if !findings
                .policy
                .allowed_validation_categories
                .contains(&category) =>
        {
            findings.failed(
                Check::ValidationCategory,
                "validation-category-not-allowed",
                format!("validation category {category}"),
            );
        }
        Some(_) => {}
        None => findings.failed(
            Check::ValidationCategoryStated,
            "validation-category-missing",
            "the phone's system states no validation category (before iOS 27)",
        ),
    }
    if let Some(version) = &release.bundle_version
        && !findings.policy.allowed_bundle_versions.contains(version)
    {
        findings.failed(
            Check::BundleVersion,
            "bundle-version-not-allowed",
            format!("bundle version {version:?}"),
        );
    }
}

/// The risk metric counts the keys that this phone attested for this app in the last 30 days: one phone that
/// makes keys for many shows there, and nowhere else. Receipts of attestations state none.
pub(super) fn risk(receipt: &ReceiptFacts, findings: &mut Findings<'_>) {
    let most = findings.policy.max_risk_metric;
    if let Some(metric) = receipt.risk_metric
        && metric > most
    {
        findings.failed(
            Check::RiskMetric,
            "risk-metric-too-high",
            format!("about {metric} keys attested on this phone lately, at most {most} allowed"),
        );
    }
}
