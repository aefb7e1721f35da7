//! Trust metadata: fetched when needed, renewed on a hint, kept when renewal fails (W-14 to W-16).

use bonafide_sdk::host::TransportError;
use bonafide_sdk::machine::{Action, Event, TrustAnswer, Urgency};
use bonafide_sdk::{Fault, SdkError};

use crate::script::{Outcomes, Script, TrustAuthor, document, token};

const NONE: [&str; 0] = [];

/// A machine that holds bundle 3, good for 1000 s, and knows the service's clock.
fn held(author: &TrustAuthor) -> Script {
    let mut script = Script::unloaded(author.config());
    script.ask(1, token("api.example.com"));
    script.loaded(None, None);
    script.challenge("c");
    script.enrol("t0");
    script.challenge("c");
    let given = Outcomes::default().token("api.example.com", "a", 300);
    script.attest("t1", given);
    assert_eq!(script.ask_trust(2, Urgency::Usual), ["fetch-trust"]);
    assert_eq!(
        script.play(document(author.reply(3, 1000), "\"3\"")),
        ["save trust", "answer 2 trust 3"]
    );
    script
}

fn unreachable() -> Event {
    let error = SdkError::from(Fault::Transport(TransportError::Unreachable));
    Event::TrustFetched(Err(error.into()))
}

#[test]
fn callers_share_one_fetch() {
    let author = TrustAuthor::new();
    let mut script = Script::unloaded(author.config());
    assert_eq!(script.ask_trust(1, Urgency::Usual), ["load"]);
    assert_eq!(script.ask_trust(2, Urgency::Usual), NONE);
    assert_eq!(script.loaded(None, None), ["fetch-trust"]);
    assert_eq!(script.ask_trust(3, Urgency::Now), NONE);
    assert_eq!(
        script.play(document(author.reply(1, 1000), "\"1\"")),
        [
            "save trust",
            "answer 1 trust 1",
            "answer 2 trust 1",
            "answer 3 trust 1"
        ]
    );
}

#[test]
fn what_is_recent_is_not_fetched_again() {
    let author = TrustAuthor::new();
    let mut script = held(&author);
    script.pass(299);
    assert_eq!(script.ask_trust(3, Urgency::Usual), ["answer 3 trust 3"]);
    script.pass(1);
    assert_eq!(script.ask_trust(4, Urgency::Usual), ["fetch-trust \"3\""]);
    let not_modified = Event::TrustFetched(Ok(TrustAnswer::NotModified));
    assert_eq!(script.play(not_modified), ["answer 4 trust 3"]);
    assert_eq!(script.ask_trust(5, Urgency::Usual), ["answer 5 trust 3"]);
    assert_eq!(script.ask_trust(6, Urgency::Now), ["fetch-trust \"3\""]);
}

#[test]
fn a_hint_in_a_reply_is_followed_at_the_next_use() {
    let author = TrustAuthor::new();
    let mut script = held(&author);
    script.ask(3, token("other.example.com"));
    script.challenge("c");
    let given = Outcomes::default()
        .token("other.example.com", "b", 300)
        .trust(4);
    script.attest("t2", given);
    assert_eq!(script.ask_trust(4, Urgency::Usual), ["fetch-trust \"3\""]);
    assert_eq!(
        script.play(document(author.reply(4, 1000), "\"4\"")),
        ["save trust", "answer 4 trust 4"]
    );
    assert_eq!(script.ask_trust(5, Urgency::Usual), ["answer 5 trust 4"]);
}

#[test]
fn a_hint_that_another_node_cannot_keep_yet_is_not_chased() {
    let author = TrustAuthor::new();
    let mut script = held(&author);
    script.ask(3, token("other.example.com"));
    script.challenge("c");
    let given = Outcomes::default()
        .token("other.example.com", "b", 300)
        .trust(9);
    script.attest("t2", given);
    script.ask_trust(4, Urgency::Usual);
    let not_modified = Event::TrustFetched(Ok(TrustAnswer::NotModified));
    assert_eq!(script.play(not_modified), ["answer 4 trust 3"]);
    assert_eq!(script.ask_trust(5, Urgency::Usual), ["answer 5 trust 3"]);
}

#[test]
fn a_refused_bundle_leaves_the_held_one_in_force_and_says_so() {
    let author = TrustAuthor::new();
    let stranger = TrustAuthor::new();
    for (bytes, code) in [
        (author.reply(2, 1000), "bundle-rollback"),
        (author.reply(3, 999), "bundle-altered"),
        (author.reply(4, -1), "bundle-expired"),
        (stranger.reply(4, 1000), "root-unsigned-by-old"),
        (b"{}".to_vec(), "trust-malformed"),
    ] {
        let mut script = held(&author);
        script.ask_trust(3, Urgency::Now);
        let expected = format!("answer 3 trust 3 despite {code}");
        assert_eq!(script.play(document(bytes, "\"x\"")), [expected.as_str()]);
        // Not asked for again at once, and not with the refused document's tag.
        assert_eq!(
            script.ask_trust(4, Urgency::Usual),
            [expected.replace("answer 3", "answer 4")]
        );
        script.pass(300);
        assert_eq!(script.ask_trust(5, Urgency::Usual), ["fetch-trust \"3\""]);
    }
}

#[test]
fn without_any_trust_there_is_an_error_and_no_hammering() {
    let author = TrustAuthor::new();
    let mut script = Script::unloaded(author.config());
    script.ask_trust(1, Urgency::Usual);
    script.loaded(None, None);
    assert_eq!(
        script.play(unreachable()),
        ["answer 1 error service-unreachable"]
    );
    script.pass(3);
    assert_eq!(
        script.ask_trust(2, Urgency::Usual),
        ["answer 2 error service-unreachable wait 7"]
    );
    script.pass(7);
    assert_eq!(script.ask_trust(3, Urgency::Usual), ["fetch-trust"]);
    let not_modified = Event::TrustFetched(Ok(TrustAnswer::NotModified));
    assert_eq!(
        script.play(not_modified),
        ["answer 3 error service-answer-malformed"]
    );
}

#[test]
fn what_outlives_its_expiry_stays_in_force_and_is_called_stale() {
    let author = TrustAuthor::new();
    let mut script = held(&author);
    script.pass(1000);
    assert_eq!(script.ask_trust(3, Urgency::Usual), ["fetch-trust \"3\""]);
    assert_eq!(
        script.play(unreachable()),
        ["answer 3 trust 3 stale despite service-unreachable"]
    );
    script.pass(10);
    assert_eq!(script.ask_trust(4, Urgency::Usual), ["fetch-trust \"3\""]);
    assert_eq!(
        script.play(document(author.reply(5, 9000), "\"5\"")),
        ["save trust", "answer 4 trust 5"]
    );
}

#[test]
fn saved_trust_is_restored_and_cannot_be_rolled_back() {
    let author = TrustAuthor::new();
    let mut script = Script::unloaded(author.config());
    script.ask_trust(1, Urgency::Usual);
    script.loaded(None, None);
    let saved = script
        .machine
        .step(document(author.reply(3, 1000), "\"3\""), script.now)
        .into_iter()
        .find_map(|action| match action {
            Action::Save { bytes, .. } => Some(bytes),
            _ => None,
        })
        .unwrap();

    let mut script = Script::unloaded(author.config());
    script.ask_trust(1, Urgency::Usual);
    assert_eq!(script.loaded(None, Some(saved.clone())), ["fetch-trust"]);
    assert_eq!(
        script.play(document(author.reply(2, 1000), "\"2\"")),
        ["answer 1 trust 3 despite bundle-rollback"]
    );

    // Another app's record, or a damaged one, counts as none.
    let mut script = Script::unloaded(TrustAuthor::new().config());
    script.ask_trust(1, Urgency::Usual);
    script.loaded(None, Some(saved));
    assert_eq!(
        script.play(unreachable()),
        ["answer 1 error service-unreachable"]
    );
}

#[test]
fn trust_and_attestation_do_not_wait_for_each_other() {
    let author = TrustAuthor::new();
    let mut script = held(&author);
    assert_eq!(
        script.ask(3, token("other.example.com")),
        ["challenge attestation"]
    );
    assert_eq!(script.ask_trust(4, Urgency::Now), ["fetch-trust \"3\""]);
    assert_eq!(script.challenge("c"), ["attest c t1: other.example.com"]);
    assert_eq!(
        script.play(document(author.reply(4, 1000), "\"4\"")),
        ["save trust", "answer 4 trust 4"]
    );
}
