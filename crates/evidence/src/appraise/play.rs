//! What the policy says about a Play Integrity verdict.
//!
//! Decides by list membership, never by a part of a text, and takes what Google did not evaluate for a
//! failure wherever the policy asks for it.

use super::finding::Findings;
use super::{Appraisal, Check, application};
use crate::android::ChallengeComparison;
use crate::play::{PlayFacts, VerdictOrigin};

/// Index of the matching reference.
pub(super) fn verdict(
    facts: &PlayFacts,
    appraisal: &Appraisal<'_>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    if facts.origin == VerdictOrigin::Testing {
        findings.failed(
            Check::Development,
            "development-evidence",
            "a tester chose this verdict in the Play Console",
        );
    }
    if facts.binding == ChallengeComparison::NotCompared {
        findings.failed(
            Check::Challenge,
            "challenge-not-compared",
            "no expected nonce or request hash was given, so the evidence may be a replay",
        );
    }
    let recognized = facts.app_verdict.as_deref();
    if !recognized.is_some_and(|word| findings.policy.play.app_verdicts.contains(word)) {
        findings.failed(
            Check::PlayApp,
            "play-app-not-recognized",
            format!("verdict {recognized:?}"),
        );
    }
    let matched = app(facts, appraisal, findings);
    device(facts, findings);
    surroundings(facts, findings);
    matched
}

fn app(facts: &PlayFacts, appraisal: &Appraisal<'_>, findings: &mut Findings<'_>) -> Option<usize> {
    let Some(attested) = &facts.application else {
        findings.failed(
            Check::AppId,
            "app-id-missing",
            "Google does not say which app this is",
        );
        return None;
    };
    let minimum = findings.policy.min_version_code;
    if minimum > 0 && attested.version.is_none_or(|version| version < minimum) {
        findings.failed(
            Check::AppVersion,
            "app-version-too-old",
            format!("version {:?}, at least {minimum} wanted", attested.version),
        );
    }
    application::registered(&attested.package(), &attested.signers, appraisal, findings)
}

fn device(facts: &PlayFacts, findings: &mut Findings<'_>) {
    let wanted = &findings.policy.play;
    let label = &wanted.device_label;
    let activity = level(facts.activity_level.as_deref());
    let active = activity.is_some_and(|level| level <= wanted.max_activity_level);
    let recent = facts
        .sdk_version
        .is_some_and(|version| version >= wanted.min_sdk_version);
    let recalled = |bit: &String| facts.recall_bits.get(bit).copied();
    let clear = wanted
        .blocked_recall_bits
        .iter()
        .all(|bit| recalled(bit) == Some(false));
    if !facts.device_labels.contains(label) {
        let detail = format!("{label} wanted, labels {:?}", facts.device_labels);
        findings.failed(Check::PlayDevice, "play-device-not-trusted", detail);
    }
    if !active {
        let detail = format!("activity level {:?}", facts.activity_level);
        findings.failed(Check::PlayActivity, "play-activity-too-high", detail);
    }
    if !recent {
        let detail = format!("API level {:?}", facts.sdk_version);
        findings.failed(Check::PlaySdk, "play-sdk-too-old", detail);
    }
    if !clear {
        let detail = format!("recall bits {:?}", facts.recall_bits);
        findings.failed(Check::PlayRecall, "play-device-recalled", detail);
    }
}

/// The number of `LEVEL_n`.
fn level(text: Option<&str>) -> Option<u8> {
    text?.strip_prefix("LEVEL_")?.parse().ok()
}

fn surroundings(facts: &PlayFacts, findings: &mut Findings<'_>) {
    let wanted = &findings.policy.play;
    let licensed = facts.licence.as_deref() == Some("LICENSED");
    let protect = facts.play_protect.as_deref();
    let protected = protect
        .is_some_and(|word| word != "UNEVALUATED" && !wanted.blocked_play_protect.contains(word));
    let alone = facts
        .apps_detected
        .as_ref()
        .is_some_and(|apps| apps.is_disjoint(&wanted.blocked_apps));
    if !licensed {
        let detail = format!("licence {:?}", facts.licence);
        findings.failed(Check::PlayLicence, "play-licence-missing", detail);
    }
    if !protected {
        let detail = format!("Play Protect {protect:?}");
        findings.failed(Check::PlayProtect, "play-protect-risk", detail);
    }
    if !alone {
        let detail = format!("apps detected {:?}", facts.apps_detected);
        findings.failed(Check::PlayApps, "play-apps-risk", detail);
    }
}
