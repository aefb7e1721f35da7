//! Whatever callers, the service and the clock do, in whatever order: one flight at a time, every caller
//! answered exactly once, nothing given past its end.

use std::collections::{BTreeMap, BTreeSet};

use bonafide_sdk::host::TransportError;
use bonafide_sdk::machine::{
    Action, Answer, AuthenticationWish, Errand, ErrandOrder, Event, Failure, TrustAnswer, Urgency,
};
use bonafide_sdk::{Fault, ProblemCode, SdkError, Wish};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{SecretWish, TokenWish};
use proptest::prelude::*;

use crate::script::{
    Outcomes, Script, TrustAuthor, assertion, attested, refused_with, secret, token, upstream,
};

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(u8),
    SendOut,
    AskTrust(bool),
    /// The oldest effect under way ends like this.
    Finish(Ending),
    Pass(u16),
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Good,
    Problem(ProblemCode),
    RefusedWithTicket,
    Unreachable,
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        4 => Just(Ending::Good),
        2 => prop::sample::select(ProblemCode::ALL).prop_map(Ending::Problem),
        1 => Just(Ending::RefusedWithTicket),
        1 => Just(Ending::Unreachable),
    ];
    prop_oneof![
        3 => (0_u8..9).prop_map(Step::Ask),
        1 => Just(Step::SendOut),
        1 => any::<bool>().prop_map(Step::AskTrust),
        4 => ending.prop_map(Step::Finish),
        1 => (0_u16..400).prop_map(Step::Pass),
    ]
}

enum Effect {
    Load,
    Challenge,
    Enrol,
    Attest(Vec<TokenWish>, Vec<SecretWish>, Vec<AuthenticationWish>),
    Relay,
    FetchTrust,
}

impl Effect {
    fn is_instance(&self) -> bool {
        matches!(
            self,
            Self::Challenge | Self::Enrol | Self::Attest(..) | Self::Relay
        )
    }
}

struct World {
    script: Script,
    author: TrustAuthor,
    under_way: Vec<Effect>,
    waiting: BTreeSet<u64>,
    secrets_end_at: BTreeMap<String, u64>,
    calls: u64,
    number: u64,
}

impl World {
    fn new() -> Self {
        let author = TrustAuthor::new();
        Self {
            script: Script::unloaded(author.config()),
            author,
            under_way: Vec::new(),
            waiting: BTreeSet::new(),
            secrets_end_at: BTreeMap::new(),
            calls: 0,
            number: 0,
        }
    }

    fn play(&mut self, event: Event) {
        for action in self.script.machine.step(event, self.script.now) {
            let effect = match action {
                Action::Load => Effect::Load,
                Action::RequestChallenge(_) => Effect::Challenge,
                Action::Enrol { .. } => Effect::Enrol,
                Action::Attest {
                    tokens,
                    secrets,
                    authentications,
                    ..
                } => Effect::Attest(tokens, secrets, authentications),
                Action::Relay { .. } => Effect::Relay,
                Action::FetchTrust { .. } => Effect::FetchTrust,
                Action::Save { .. } | Action::Erase(_) | Action::ForgetKey => continue,
                Action::Answer { call, answer } => {
                    assert!(self.waiting.remove(&call), "{call} is answered twice");
                    self.check(answer);
                    continue;
                }
            };
            self.under_way.push(effect);
            let instance = self.under_way.iter().filter(|e| e.is_instance()).count();
            assert!(instance <= 1 && self.under_way.len() - instance <= 1);
        }
    }

    fn check(&self, answer: Result<Answer, SdkError>) {
        if let Ok(Answer::Secret(secret)) = answer {
            let now = self.script.now.monotonic.as_secs();
            assert!(now < self.secrets_end_at[secret.expose()]);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(seconds) => self.script.pass(seconds.into()),
            Step::Ask(which) => {
                let wish = match which {
                    0 => Wish::Enrolment,
                    1 | 2 => token(&format!("api{which}.example.com")),
                    6 => attested("library", 1),
                    7 | 8 => assertion("library", self.calls),
                    _ => secret(&format!("key{which}"), "api.example.com"),
                };
                let call = self.next_call();
                self.play(Event::Asked { call, wish });
            }
            Step::SendOut => {
                let call = self.next_call();
                let errand = Errand {
                    upstream: upstream("library"),
                    order: ErrandOrder::Register,
                    dpop: None,
                };
                let errand = Box::new(errand);
                self.play(Event::RelayAsked { call, errand });
            }
            Step::AskTrust(now) => {
                let call = self.next_call();
                let urgency = if now { Urgency::Now } else { Urgency::Usual };
                self.play(Event::TrustAsked { call, urgency });
            }
            Step::Finish(ending) => self.finish(ending),
        }
    }

    fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.waiting.insert(self.calls);
        self.calls
    }

    fn finish(&mut self, ending: Ending) {
        if self.under_way.is_empty() {
            return;
        }
        let effect = self.under_way.remove(0);
        let failure: Option<Failure> = match ending {
            Ending::Good => None,
            Ending::Problem(code) => Some(SdkError::from(Fault::Problem(code)).into()),
            Ending::RefusedWithTicket => Some(refused_with("r")),
            Ending::Unreachable => {
                Some(SdkError::from(Fault::Transport(TransportError::Unreachable)).into())
            }
        };
        let event = match (effect, failure) {
            (Effect::Load, _) => Event::Loaded {
                enrolment: None,
                trust: None,
            },
            (Effect::Challenge, Some(failure)) => Event::Challenged(Err(failure)),
            (Effect::Enrol, Some(failure)) => Event::Enrolled(Err(failure)),
            (Effect::Attest(..), Some(failure)) => Event::Attested(Err(failure)),
            (Effect::Relay, Some(failure)) => Event::Relayed(Err(failure)),
            (Effect::FetchTrust, Some(failure)) => Event::TrustFetched(Err(failure)),
            (effect, None) => self.succeed(effect),
        };
        self.play(event);
    }

    fn succeed(&mut self, effect: Effect) -> Event {
        self.number += 1;
        match effect {
            Effect::Load => unreachable!("handled above"),
            Effect::Challenge => Event::Challenged(Ok(bonafide_wire::device::ChallengeReply {
                challenge: Base64Url(b"c".to_vec()),
                expires_at: 0,
                server_time: 5_000,
            })),
            Effect::Enrol => Event::Enrolled(Ok(bonafide_wire::device::EnrolmentReply {
                device_id: bonafide_wire::ids::DeviceId::from_bytes([1; 16]),
                ticket: Base64Url(b"t".to_vec()),
                ticket_expires_at: 6_000,
                server_time: 5_000,
            })),
            Effect::Relay => Event::Relayed(Ok(Box::new(self.script.relay_reply("t", 200)))),
            Effect::Attest(tokens, secrets, authentications) => {
                let mut outcomes = Outcomes::default().trust(self.number % 5);
                for wish in tokens {
                    outcomes = outcomes.token(wish.audience.as_str(), "jwt", 300);
                }
                for (at, wish) in secrets.iter().enumerate() {
                    let value = format!("value {} {at}", self.number);
                    let end = self.script.now.monotonic.as_secs() + 60;
                    self.secrets_end_at.insert(value.clone(), end);
                    outcomes = outcomes.secret(wish.name.as_str(), wish.host.as_str(), &value, 60);
                }
                for wish in authentications {
                    outcomes = outcomes.credential(wish.upstream().as_str(), "jwt", 60);
                }
                Event::Attested(Ok(Box::new(self.script.reply("t", outcomes))))
            }
            Effect::FetchTrust => Event::TrustFetched(Ok(TrustAnswer::Document {
                bytes: self.author.reply(self.number, 1_000_000),
                etag: None,
            })),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_flight_at_a_time_and_every_caller_answered_once(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        // Whatever is under way ends in the end, and with it all waiting.
        for _ in 0..200 {
            world.finish(Ending::Good);
        }
        prop_assert!(world.waiting.is_empty(), "{:?} wait for ever", world.waiting);
        prop_assert!(world.under_way.is_empty());
    }
}
