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
    let found = appraisal.references.iter().position(|reference| {
        matches!(reference, ReferenceValue::Apple { app_id } if *app_id == facts.app_id)
    });
    if found.is_none() {
        let detail = format!("no registration for app id {:?}", facts.app_id);
        findings.failed(Check::AppRegistration, "app-not-registered", detail);
    }
    found
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
