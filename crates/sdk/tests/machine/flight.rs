//! Enrolment and attestation: one flight at a time, shared outcomes, no loops (W-3, W-9, W-18).

use bonafide_sdk::host::{AttesterError, ServiceResponse, TransportError};
use bonafide_sdk::machine::{Event, Failure};
use bonafide_sdk::{Fault, ProblemCode, SdkError, Wish, Withheld};
use bonafide_wire::problem::Problem;

use crate::script::{
    MONTH, Outcomes, SERVER, Script, config, problem, refused_with, secret, token,
};

const API: &str = "api.example.com";
const OTHER: &str = "other.example.com";
const NONE: [&str; 0] = [];

fn with_token(text: &str) -> Outcomes {
    Outcomes::default().token(API, text, 300)
}

#[test]
fn the_first_call_enrols_then_attests() {
    let mut script = Script::unloaded(config());
    assert_eq!(script.ask(1, token(API)), ["load"]);
    assert_eq!(script.loaded(None, None), ["challenge enrolment"]);
    assert_eq!(script.challenge("c1"), ["enrol c1"]);
    assert_eq!(
        script.enrol("t1"),
        ["save enrolment t1", "challenge attestation"]
    );
    assert_eq!(script.challenge("c2"), ["attest c2 t1: api.example.com"]);
    // The new ticket is kept before anybody is answered.
    assert_eq!(
        script.attest("t2", with_token("jwt")),
        ["save enrolment t2", "answer 1 token jwt"]
    );
    assert!(script.machine.device_id().is_some());
}

#[test]
fn a_ticket_from_the_vault_saves_the_enrolment() {
    let ticket = bonafide_wire::bytes::encode("t9");
    let record = format!(
        r#"{{"ticket":"{ticket}","device_id":"AAAAAAAAAAAAAAAAAAAAAA","expires_at":{}}}"#,
        SERVER + MONTH
    );
    let mut script = Script::unloaded(config());
    assert_eq!(script.ask(1, token(API)), ["load"]);
    // The device's wall clock says nothing about the ticket's age.
    script.now.wall = i64::MAX;
    assert_eq!(
        script.loaded(Some(&record), None),
        ["challenge attestation"]
    );
    assert_eq!(script.challenge("c"), ["attest c t9: api.example.com"]);

    for broken in ["", "{}", r#"{"ticket":"="}"#, "null"] {
        let mut script = Script::unloaded(config());
        script.ask(1, token(API));
        let lines = script.loaded(Some(broken), Some(b"broken".to_vec()));
        assert_eq!(lines, ["challenge enrolment"], "{broken:?}");
    }
}

#[test]
fn callers_share_one_attestation() {
    let mut script = Script::enrolled();
    assert_eq!(script.ask(1, token(API)), ["challenge attestation"]);
    assert_eq!(script.ask(2, token(API)), NONE);
    assert_eq!(script.ask(3, secret("key", OTHER)), NONE);
    assert_eq!(
        script.challenge("c"),
        ["attest c t0: api.example.com key@other.example.com"]
    );
    // Too late for this one, but still the only flight.
    assert_eq!(script.ask(4, token(OTHER)), NONE);
    assert_eq!(script.ask(5, token(API)), NONE);
    assert_eq!(
        script.attest("t1", with_token("a").secret("key", OTHER, "s", 60)),
        [
            "save enrolment t1",
            "answer 1 token a",
            "answer 2 token a",
            "answer 5 token a",
            "answer 3 secret s",
            "challenge attestation"
        ]
    );
    assert_eq!(script.challenge("d"), ["attest d t1: other.example.com"]);
    assert_eq!(
        script.attest("t2", Outcomes::default().token(OTHER, "b", 300)),
        ["save enrolment t2", "answer 4 token b"]
    );
}

#[test]
fn callers_during_an_enrolment_wait_for_it() {
    let mut script = Script::fresh();
    assert_eq!(script.ask(1, Wish::Enrolment), ["challenge enrolment"]);
    assert_eq!(script.challenge("c"), ["enrol c"]);
    assert_eq!(script.ask(2, token(API)), NONE);
    assert_eq!(script.ask(3, Wish::Enrolment), NONE);
    assert_eq!(
        script.enrol("t"),
        [
            "save enrolment t",
            "answer 1 enrolled",
            "answer 3 enrolled",
            "challenge attestation"
        ]
    );
    assert_eq!(script.ask(4, Wish::Enrolment), NONE);
    assert_eq!(script.challenge("d"), ["attest d t: api.example.com"]);
    assert_eq!(
        script.attest("u", with_token("a")),
        ["save enrolment u", "answer 4 enrolled", "answer 2 token a"]
    );
    assert_eq!(script.ask(5, Wish::Enrolment), ["answer 5 enrolled"]);
}

#[test]
fn more_wishes_than_fit_go_in_turn() {
    let mut script = Script::enrolled();
    let audience = |number: u64| format!("api{number}.example.com");
    for call in 0..20 {
        script.ask(call, token(&audience(call)));
    }
    let mut lines = script.challenge("c");
    assert_eq!(lines.remove(0).matches("example.com").count(), 16);
    let first = (0..16).fold(Outcomes::default(), |outcomes, call| {
        outcomes.token(&audience(call), "x", 300)
    });
    let lines = script.attest("t1", first);
    assert_eq!(lines.last().unwrap(), "challenge attestation");
    let mut lines = script.challenge("d");
    assert_eq!(lines.remove(0).matches("example.com").count(), 4);
}

#[test]
fn what_is_held_is_given_until_its_end_by_the_monotonic_clock() {
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.ask(2, secret("key", OTHER));
    script.ask(3, secret("once", OTHER));
    script.challenge("c");
    let given = with_token("a")
        .secret("key", OTHER, "s", 60)
        .secret("once", OTHER, "o", 0);
    script.attest("t1", given);

    script.pass(59);
    assert_eq!(script.ask(4, token(API)), ["answer 4 token a"]);
    assert_eq!(script.ask(5, secret("key", OTHER)), ["answer 5 secret s"]);
    // A secret without a life is given to those who asked for it and never again.
    assert_eq!(
        script.ask(6, secret("once", OTHER)),
        ["challenge attestation"]
    );
    script.challenge("c");
    let given = Outcomes::default().secret("once", OTHER, "p", 0);
    assert_eq!(
        script.attest("t2", given),
        ["save enrolment t2", "answer 6 secret p"]
    );
    script.pass(1);
    assert_eq!(
        script.ask(7, secret("key", OTHER)),
        ["challenge attestation"]
    );
    script.challenge("c");
    script.attest("t3", Outcomes::default().secret("key", OTHER, "s2", 60));
    // 300 s, less a margin of 30 s.
    script.pass(209);
    assert_eq!(script.ask(8, token(API)), ["answer 8 token a"]);
    script.pass(1);
    assert_eq!(script.ask(9, token(API)), ["challenge attestation"]);
}

#[test]
fn life_counts_from_before_the_request() {
    let mut script = Script::enrolled();
    script.ask(1, secret("key", OTHER));
    script.challenge("c");
    // The answer is 40 s under way, and its clock is that of its arrival.
    script.pass(40);
    script.attest("t1", Outcomes::default().secret("key", OTHER, "s", 60));
    script.pass(19);
    assert_eq!(script.ask(2, secret("key", OTHER)), ["answer 2 secret s"]);
    script.pass(1);
    assert_eq!(
        script.ask(3, secret("key", OTHER)),
        ["challenge attestation"]
    );
}

#[test]
fn tokens_of_different_bindings_are_different_tokens() {
    let bound = |data: u8| Wish::Token {
        audience: crate::script::host(API),
        binding: Some(bonafide_wire::bytes::Base64Url(vec![data; 32])),
    };
    let mut script = Script::enrolled();
    script.ask(1, bound(1));
    script.ask(2, bound(2));
    script.ask(3, token(API));
    script.challenge("c");
    let outcomes = with_token("one")
        .token(API, "two", 300)
        .token(API, "plain", 300);
    assert_eq!(
        script.attest("t1", outcomes),
        [
            "save enrolment t1",
            "answer 1 token one",
            "answer 2 token two",
            "answer 3 token plain"
        ]
    );
    assert_eq!(script.ask(4, bound(2)), ["answer 4 token two"]);
    assert_eq!(script.ask(5, bound(3)), ["challenge attestation"]);
}

#[test]
fn a_refusal_is_shared_and_remembered_for_ten_seconds() {
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.ask(2, secret("key", OTHER));
    script.challenge("c");
    script.ask(3, token(OTHER));
    assert_eq!(
        script.attestation_fails(problem(ProblemCode::AttestationRefused)),
        [
            "answer 1 error attestation-refused wait 10",
            "answer 2 error attestation-refused wait 10",
            "answer 3 error attestation-refused wait 10"
        ]
    );
    script.pass(4);
    assert_eq!(
        script.ask(4, token(API)),
        ["answer 4 error attestation-refused wait 6"]
    );
    script.pass(6);
    assert_eq!(script.ask(5, token(API)), ["challenge attestation"]);
}

#[test]
fn a_refusal_ends_the_life_of_what_is_held() {
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.challenge("c");
    script.attest("t1", with_token("a"));
    script.ask(2, token(OTHER));
    script.challenge("c");
    script.attestation_fails(problem(ProblemCode::DeviceRevoked));
    script.pass(10);
    assert_eq!(script.ask(3, token(API)), ["challenge attestation"]);
}

#[test]
fn the_service_says_how_long_to_wait_within_reason() {
    for (asked, waited) in [(60, 60), (1, 1), (u32::MAX, 3600)] {
        let mut script = Script::enrolled();
        script.ask(1, token(API));
        let mut limited = Problem::new(ProblemCode::RateLimited);
        limited.retry_after = Some(asked);
        script.play(Event::Challenged(Err(from_problem(&limited))));
        script.pass(waited - 1);
        assert_eq!(
            script.ask(2, token(API)),
            ["answer 2 error rate-limited wait 1"]
        );
        script.pass(1);
        assert_eq!(script.ask(3, token(API)), ["challenge attestation"]);
    }
}

fn from_problem(problem: &Problem) -> Failure {
    // Through the same door as the driver's answers.
    Failure::of_response(&ServiceResponse {
        status: problem.status,
        body: serde_json::to_vec(problem).unwrap(),
        ..ServiceResponse::default()
    })
}

#[test]
fn an_authentic_but_refused_instance_keeps_its_key() {
    let mut script = Script::fresh();
    script.ask(1, token(API));
    script.challenge("c");
    assert_eq!(
        script.enrolment_fails(refused_with("r1")),
        [
            "save enrolment r1",
            "answer 1 error attestation-refused wait 10"
        ]
    );
    script.pass(10);
    // No second enrolment: the same key asks again, as soon as the operator has registered the build.
    assert_eq!(script.ask(2, token(API)), ["challenge attestation"]);
    assert_eq!(script.challenge("d"), ["attest d r1: api.example.com"]);
    assert_eq!(
        script.attestation_fails(refused_with("r2")),
        [
            "save enrolment r2",
            "answer 2 error attestation-refused wait 10"
        ]
    );
    script.pass(10);
    // Being refused is not being enrolled.
    assert_eq!(script.ask(3, Wish::Enrolment), ["challenge attestation"]);
    assert_eq!(script.challenge("e"), ["attest e r2:"]);
    assert_eq!(
        script.attest("t1", Outcomes::default()),
        ["save enrolment t1", "answer 3 enrolled"]
    );
}

#[test]
fn rejected_evidence_leaves_no_key_behind() {
    let mut script = Script::fresh();
    script.ask(1, token(API));
    script.challenge("c");
    assert_eq!(
        script.enrolment_fails(problem(ProblemCode::EvidenceRejected)),
        ["forget-key", "answer 1 error evidence-rejected wait 10"]
    );
    script.pass(10);
    assert_eq!(script.ask(2, token(API)), ["challenge enrolment"]);
}

#[test]
fn a_worthless_ticket_is_given_up_once_and_not_in_a_loop() {
    let key_missing = || SdkError::from(Fault::Attester(AttesterError::KeyMissing)).into();
    let causes: [fn() -> Failure; 4] = [
        || problem(ProblemCode::CounterNotGreater),
        || problem(ProblemCode::TicketExpired),
        || problem(ProblemCode::TicketInvalid),
        || problem(ProblemCode::ProofInvalid),
    ];
    for cause in causes.into_iter().chain([key_missing as fn() -> Failure]) {
        let mut script = Script::enrolled();
        script.ask(1, token(API));
        script.challenge("c");
        assert_eq!(
            script.attestation_fails(cause()),
            ["erase enrolment", "challenge enrolment"]
        );
        assert_eq!(script.challenge("d"), ["enrol d"]);
        script.enrol("t1");
        script.challenge("e");
        let lines = script.attestation_fails(cause());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("answer 1 error"), "{lines:?}");
    }
}

#[test]
fn a_restored_phone_enrols_once_more_even_where_the_new_key_fails_too() {
    let missing = || SdkError::from(Fault::Attester(AttesterError::KeyMissing)).into();
    // The backup kept ticket and key name, but no key (iOS: restore, reinstall, another phone).
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.challenge("c");
    assert_eq!(
        script.attestation_fails(missing()),
        ["erase enrolment", "challenge enrolment"]
    );
    assert_eq!(script.challenge("d"), ["enrol d"]);
    // The new key is lost before it signed anything: the app is told, nobody tries in a loop.
    assert_eq!(
        script.enrolment_fails(missing()),
        ["answer 1 error hardware-key-missing"]
    );
    assert_eq!(script.ask(2, token(API)), ["challenge enrolment"]);
}

#[test]
fn a_platform_that_does_not_answer_is_left_in_peace() {
    let unavailable = || SdkError::from(Fault::Attester(AttesterError::PlatformUnavailable)).into();
    let mut script = Script::fresh();
    script.ask(1, token(API));
    script.challenge("c");
    assert_eq!(
        script.enrolment_fails(unavailable()),
        ["answer 1 error platform-unavailable wait 10"]
    );
    assert_eq!(
        script.ask(2, token(API)),
        ["answer 2 error platform-unavailable wait 10"]
    );
    script.pass(10);
    assert_eq!(script.ask(3, token(API)), ["challenge enrolment"]);
}

#[test]
fn a_ticket_whose_time_is_over_is_not_even_sent() {
    let mut script = Script::enrolled();
    script.pass(u64::try_from(MONTH).unwrap());
    assert_eq!(
        script.ask(1, token(API)),
        ["erase enrolment", "challenge enrolment"]
    );
}

#[test]
fn a_stale_challenge_is_asked_for_once_more() {
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.challenge("c");
    let stale = || problem(ProblemCode::ChallengeExpired);
    assert_eq!(script.attestation_fails(stale()), ["challenge attestation"]);
    assert_eq!(script.challenge("d"), ["attest d t0: api.example.com"]);
    assert_eq!(
        script.attestation_fails(stale()),
        ["answer 1 error challenge-expired"]
    );
    // A used challenge of an enrolment likewise.
    let mut script = Script::fresh();
    script.ask(1, token(API));
    script.challenge("c");
    let used = || problem(ProblemCode::ChallengeUsed);
    assert_eq!(script.enrolment_fails(used()), ["challenge enrolment"]);
    script.challenge("d");
    assert_eq!(
        script.enrolment_fails(used()),
        ["answer 1 error challenge-used"]
    );
}

#[test]
fn no_network_is_shared_but_not_remembered() {
    let unreachable = || SdkError::from(Fault::Transport(TransportError::Unreachable)).into();
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.ask(2, token(OTHER));
    assert_eq!(
        script.play(Event::Challenged(Err(unreachable()))),
        [
            "answer 1 error service-unreachable",
            "answer 2 error service-unreachable"
        ]
    );
    assert_eq!(script.ask(3, token(API)), ["challenge attestation"]);
    script.challenge("c");
    assert_eq!(
        script.attestation_fails(unreachable()),
        ["answer 3 error service-unreachable"]
    );
    // The ticket that was sent is still the ticket.
    script.ask(4, token(API));
    assert_eq!(script.challenge("d"), ["attest d t0: api.example.com"]);
}

#[test]
fn each_wish_has_its_own_outcome() {
    let mut script = Script::enrolled();
    script.ask(1, token(API));
    script.ask(2, token(OTHER));
    script.ask(3, secret("key", OTHER));
    script.challenge("c");
    let outcomes = with_token("a")
        .no_token(OTHER, Withheld::NoTokenApi)
        .no_secret("key", OTHER, Withheld::HostNotAllowed);
    assert_eq!(
        script.attest("t1", outcomes),
        [
            "save enrolment t1",
            "answer 1 token a",
            "answer 2 error no-token-api",
            "answer 3 error host-not-allowed"
        ]
    );
    script.pass(9);
    assert_eq!(
        script.ask(4, token(OTHER)),
        ["answer 4 error no-token-api wait 1"]
    );
    script.pass(1);
    assert_eq!(script.ask(5, token(OTHER)), ["challenge attestation"]);
}

#[test]
fn an_answer_to_another_question_gives_nothing() {
    let answers: [fn() -> Outcomes; 5] = [
        Outcomes::default,
        || {
            Outcomes::default()
                .token(OTHER, "a", 300)
                .secret("key", OTHER, "s", 60)
        },
        || with_token("a"),
        || with_token("a").secret("other", OTHER, "s", 60),
        || with_token("a").secret("key", API, "s", 60),
    ];
    for answer in answers {
        let mut script = Script::enrolled();
        script.ask(1, token(API));
        script.ask(2, secret("key", OTHER));
        script.challenge("c");
        assert_eq!(
            script.attest("t1", answer()),
            [
                "answer 1 error service-answer-mismatched",
                "answer 2 error service-answer-mismatched"
            ]
        );
    }
}

#[test]
fn outcomes_that_nobody_waits_for_change_nothing() {
    let mut script = Script::enrolled();
    assert_eq!(script.challenge("c"), NONE);
    let lines = script.attest("x", with_token("a"));
    assert_eq!(lines, NONE);
    assert_eq!(script.ask(1, token(API)), ["challenge attestation"]);
    assert_eq!(script.challenge("c"), ["attest c t0: api.example.com"]);
}
