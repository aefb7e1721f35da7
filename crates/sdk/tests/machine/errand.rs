//! Proofs of being the app, and errands to authorization servers: what is held, what is asked for anew, whose failure it is.

use bonafide_sdk::ProblemCode;

use crate::script::{Outcomes, Script, assertion, attested, problem, refused_with, token};

const AS: &str = "library";
const NONE: [&str; 0] = [];

#[test]
fn an_attestation_is_held_until_it_ages_and_is_for_one_key() {
    let mut script = Script::enrolled();
    assert_eq!(script.ask(1, attested(AS, 1)), ["challenge attestation"]);
    assert_eq!(script.challenge("c"), ["attest c t0: attested:library"]);
    let outcome = Outcomes::default().credential(AS, "at", 600);
    assert_eq!(
        script.attest("t1", outcome),
        ["save enrolment t1", "answer 1 credential at"]
    );
    assert_eq!(script.ask(2, attested(AS, 1)), ["answer 2 credential at"]);
    assert_eq!(script.ask(3, attested(AS, 2)), ["challenge attestation"]);
    let mut script = Script::enrolled();
    script.ask(1, attested(AS, 1));
    script.challenge("c");
    script.attest("t1", Outcomes::default().credential(AS, "at", 600));
    script.pass(571);
    assert_eq!(script.ask(2, attested(AS, 1)), ["challenge attestation"]);
}

#[test]
fn an_assertion_serves_one_caller_and_the_second_gets_one_of_its_own() {
    let mut script = Script::enrolled();
    assert_eq!(script.ask(1, assertion(AS, 1)), ["challenge attestation"]);
    assert_eq!(script.ask(2, assertion(AS, 2)), NONE);
    assert_eq!(script.challenge("c"), ["attest c t0: assertion:library"]);
    let outcome = |value| Outcomes::default().credential(AS, value, 60);
    assert_eq!(
        script.attest("t1", outcome("one")),
        [
            "save enrolment t1",
            "answer 1 credential one",
            "challenge attestation"
        ]
    );
    assert_eq!(script.challenge("d"), ["attest d t1: assertion:library"]);
    assert_eq!(
        script.attest("t2", outcome("two")),
        ["save enrolment t2", "answer 2 credential two"]
    );
}

#[test]
fn errands_go_one_by_one_after_the_wishes_each_with_its_own_challenge() {
    let mut script = Script::enrolled();
    assert_eq!(script.send_on_errand(1, AS), ["challenge relay"]);
    assert_eq!(script.send_on_errand(2, AS), NONE);
    assert_eq!(script.ask(3, token("api.example.com")), NONE);
    assert_eq!(script.challenge("c"), ["relay c t0 library"]);
    assert_eq!(
        script.relay("t1", 400),
        [
            "save enrolment t1",
            "answer 1 relayed 400",
            "challenge attestation"
        ]
    );
    assert_eq!(script.challenge("d"), ["attest d t1: api.example.com"]);
    let outcome = Outcomes::default().token("api.example.com", "jwt", 300);
    assert_eq!(
        script.attest("t2", outcome),
        ["save enrolment t2", "answer 3 token jwt", "challenge relay"]
    );
    assert_eq!(script.challenge("e"), ["relay e t2 library"]);
    assert_eq!(
        script.relay("t3", 200),
        ["save enrolment t3", "answer 2 relayed 200"]
    );
}

#[test]
fn an_upstream_that_fails_fails_its_own_errand_only() {
    let mut script = Script::enrolled();
    script.send_on_errand(1, AS);
    script.send_on_errand(2, AS);
    script.challenge("c");
    assert_eq!(
        script.relay_fails(problem(ProblemCode::UpstreamUnavailable)),
        ["answer 1 error upstream-unavailable", "challenge relay"]
    );
}

#[test]
fn a_refused_instance_runs_no_errands() {
    let mut script = Script::enrolled();
    script.send_on_errand(1, AS);
    script.send_on_errand(2, AS);
    script.challenge("c");
    assert_eq!(
        script.relay_fails(refused_with("t1")),
        [
            "save enrolment t1",
            "answer 1 error attestation-refused wait 10",
            "answer 2 error attestation-refused wait 10"
        ]
    );
    assert_eq!(
        script.send_on_errand(3, AS),
        ["answer 3 error attestation-refused wait 10"]
    );
}

#[test]
fn an_errand_survives_a_stale_challenge_and_a_worthless_ticket_once() {
    let mut script = Script::enrolled();
    script.send_on_errand(1, AS);
    script.challenge("c");
    assert_eq!(
        script.relay_fails(problem(ProblemCode::ChallengeExpired)),
        ["challenge relay"]
    );
    script.challenge("d");
    assert_eq!(
        script.relay_fails(problem(ProblemCode::TicketExpired)),
        ["erase enrolment", "challenge enrolment"]
    );
    script.challenge("e");
    assert_eq!(script.enrol("t1"), ["save enrolment t1", "challenge relay"]);
    assert_eq!(script.challenge("f"), ["relay f t1 library"]);
    assert_eq!(
        script.relay_fails(problem(ProblemCode::TicketExpired)),
        ["answer 1 error ticket-expired"]
    );
}
