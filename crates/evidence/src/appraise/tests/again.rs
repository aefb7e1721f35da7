//! Enrolments judged again: which clock, which list, which anchors, and what nobody can soften.

use super::*;
use crate::android::{Anchors, AttestKeyFacts, AttestKeys, RevocationList};

/// A later look at an enrolment of half a year ago.
struct Later {
    case: Case,
    enrolled_at: UnixTime,
    anchors: Anchors,
    revocations: RevocationList,
}

const HALF_A_YEAR: i64 = 180 * 86_400;
const GOOGLE: &str = "feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae";

impl Later {
    fn good() -> Self {
        let mut case = Case::good();
        let then = NOW.plus_seconds(-HALF_A_YEAR);
        case.facts.root = GOOGLE.parse().unwrap();
        case.facts.valid_from = then.plus_seconds(-86_400);
        case.facts.valid_until = Some(then.plus_seconds(20 * 86_400));
        Self {
            case,
            enrolled_at: then,
            anchors: Anchors::google(),
            revocations: RevocationList::empty(),
        }
    }

    fn codes(&self, device_override: DeviceOverride) -> Vec<(&'static str, Severity)> {
        let facts = Facts::AndroidKey(self.case.facts.clone());
        let again = Reappraisal {
            appraisal: Appraisal {
                facts: &facts,
                measurements: &self.case.measurements,
                references: &self.case.references,
                device_override,
                revocation_list: self.case.revocation_list,
                sightings: Sightings::Kept(&self.case.sightings),
                now: NOW,
            },
            enrolled_at: self.enrolled_at,
            anchors: &self.anchors,
            revocations: &self.revocations,
        };
        let verdict = reappraise(&again, &self.case.policy);
        let found = verdict.findings().iter();
        found
            .map(|finding| (finding.code, finding.severity))
            .collect()
    }
}

fn listed(serial: &str) -> RevocationList {
    let json = format!(r#"{{"entries": {{"{serial}": {{"status": "REVOKED"}}}}}}"#);
    RevocationList::parse(json.as_bytes()).unwrap()
}

#[test]
fn certificates_that_ran_out_since_the_enrolment_are_no_reason() {
    assert_eq!(Later::good().codes(DeviceOverride::None), []);
}

/// What is broken, and the only code that says so.
type Breakage = (&'static str, fn(&mut Later));

const BROKEN: &[Breakage] = &[
    ("certificate-revoked", |l| l.revocations = listed("abc")),
    // The number by which the subject names itself, as lists have it now and then.
    ("certificate-revoked", |l| l.revocations = listed("A1B2")),
    ("root-not-trusted", |l| l.anchors = Anchors::none()),
    ("certificate-expired", |l| l.enrolled_at = NOW),
    ("certificate-not-yet-valid", |l| {
        l.enrolled_at = NOW.plus_seconds(-2 * HALF_A_YEAR);
    }),
    ("chain-extended", |l| {
        l.case.facts.attest_key = Some(AttestKeyFacts {
            count: 1,
            challenge: Octets(vec![1]),
            os_patch: None,
        });
    }),
];

#[test]
fn what_no_policy_can_switch_off_no_policy_and_no_override_softens_later() {
    for &(code, break_it) in BROKEN {
        let mut later = Later::good();
        break_it(&mut later);
        let enforced = (code, Severity::Enforced);
        assert_eq!(later.codes(DeviceOverride::None), [enforced], "{code}");
        later.case.policy = Policy::preset(Preset::Monitor);
        assert_eq!(later.codes(DeviceOverride::None), [enforced], "{code}");
        let noted = ("override-always-pass", Severity::Observed);
        let passed = later.codes(DeviceOverride::AlwaysPass);
        assert_eq!(passed, [enforced, noted], "{code}");
    }
}

#[test]
fn patches_and_lists_age_by_the_clock_of_today() {
    let mut later = Later::good();
    later.case.facts.os_patch = Some(PatchLevel(202_510));
    later.case.revocation_list = ListAge::ConfirmedAt(later.enrolled_at);
    let codes = later.codes(DeviceOverride::None);
    let codes: Vec<_> = codes.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["patch-level-too-old", "revocation-list-too-old"]);
}

#[test]
fn everything_is_listed_and_an_attest_key_stays_where_the_policy_has_it() {
    let mut later = Later::good();
    for (_, break_it) in BROKEN
        .iter()
        .filter(|(code, _)| *code != "certificate-expired")
    {
        break_it(&mut later);
    }
    later.case.boot().device_locked = Locked::Unlocked;
    later.case.policy.attest_keys = AttestKeys::Accept;
    let codes = later.codes(DeviceOverride::None);
    let codes: Vec<_> = codes.into_iter().map(|(code, _)| code).collect();
    let expected = [
        "root-not-trusted",
        "certificate-not-yet-valid",
        "certificate-revoked",
        "bootloader-unlocked",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_play_verdict_has_no_chain_to_lose() {
    let facts = Facts::PlayIntegrity(good_play_facts());
    let case = Case::good();
    let again = Reappraisal {
        appraisal: Appraisal {
            facts: &facts,
            measurements: &case.measurements,
            references: &case.references,
            device_override: DeviceOverride::None,
            revocation_list: ListAge::Missing,
            sightings: Sightings::NotKept,
            now: NOW,
        },
        enrolled_at: NOW,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
    };
    let verdict = reappraise(&again, &all(Mode::Enforce));
    assert_eq!(verdict.findings(), []);
}

#[test]
fn a_list_says_nothing_about_keys_under_an_anchor_for_development() {
    let mut case = Case::good();
    case.facts.anchor = AnchorKind::Development;
    case.revocation_list = ListAge::Missing;
    let development = ("development-evidence", Severity::Enforced);
    assert_eq!(case.codes(), [development]);
}

#[test]
fn a_clock_that_went_back_does_not_make_a_list_old() {
    let mut case = Case::good();
    case.revocation_list = ListAge::ConfirmedAt(UnixTime(i64::MAX));
    assert_eq!(case.codes(), []);
    case.revocation_list = ListAge::ConfirmedAt(UnixTime(i64::MIN));
    let old = ("revocation-list-too-old", Severity::Enforced);
    assert_eq!(case.codes(), [old]);
}

#[test]
fn a_receipt_is_judged_by_its_risk_metric() {
    let receipt = |risk_metric| ReceiptFacts {
        receipt_type: crate::apple::ReceiptType::Receipt,
        environment: Some("production".to_owned()),
        risk_metric,
        created: "2026-11-01T00:00:00Z".to_owned(),
        not_before: None,
        expires: "2027-01-30T00:00:00Z".to_owned(),
        fields: vec![2, 3, 6, 12, 17, 21],
    };
    let codes = |metric, mode| {
        let verdict = appraise_receipt(&receipt(metric), &all(mode));
        let found = verdict.findings().iter();
        found
            .map(|finding| (finding.code, finding.severity))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(None, Mode::Enforce), []);
    assert_eq!(codes(Some(10), Mode::Enforce), []);
    let high = |severity| ("risk-metric-too-high", severity);
    assert_eq!(codes(Some(11), Mode::Enforce), [high(Severity::Enforced)]);
    assert_eq!(codes(Some(11), Mode::Observe), [high(Severity::Observed)]);
    assert_eq!(codes(Some(11), Mode::Off), []);
}
