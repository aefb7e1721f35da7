//! The client as a machine: state and event to actions. No clock, no randomness, no I/O in here.
//!
//! It decides what to ask the service for, when, and what every caller is told. Whoever drives it carries
//! out the actions **in their order** and reports each effect's outcome with the event that belongs to it.
//! At most one enrolment or attestation, and one fetch of trust metadata, is under way at a time (W-18).

mod errand;
mod flight;
mod holdings;
mod outcome;
mod server_clock;
mod trust;

use core::time::Duration;

use bonafide_trust::TrustedSet;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::config_string::SdkConfig;
use bonafide_wire::device::{
    AttestationReply, ChallengePurpose, ChallengeReply, EnrolmentReply, SecretWish, TokenWish,
};
use bonafide_wire::ids::{DeviceId, UpstreamName};
use bonafide_wire::secret::SecretText;
use bonafide_wire::upstream::{RelayOrder, RelayReply};

use crate::error::SdkError;
use crate::host::Record;
use crate::released::{AttestationToken, ClientCredential, Relayed, RuntimeSecret, Trust, Wish};

use flight::InstanceState;
use server_clock::ServerClock;
use trust::TrustState;

/// Names one waiting caller.
pub type CallId = u64;

/// When an event happened, by the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Never goes back.
    pub monotonic: Duration,
    /// The device's wall clock, seconds since 1970; believed only until the service has told the time.
    pub wall: i64,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A caller wants something.
    Asked {
        /// Who.
        call: CallId,
        /// What.
        wish: Wish,
    },
    /// A caller wants something of an authorization server, by way of the service.
    RelayAsked {
        /// Who.
        call: CallId,
        /// What.
        errand: Box<Errand>,
    },
    /// A caller wants the trust metadata.
    TrustAsked {
        /// Who.
        call: CallId,
        /// How new they must be.
        urgency: Urgency,
    },
    /// Outcome of [`Action::Load`]. What a broken vault cannot give counts as absent.
    Loaded {
        /// The record [`Record::Enrolment`].
        enrolment: Option<Vec<u8>>,
        /// The record [`Record::Trust`].
        trust: Option<Vec<u8>>,
    },
    /// Outcome of [`Action::RequestChallenge`].
    Challenged(Result<ChallengeReply, Failure>),
    /// Outcome of [`Action::Enrol`].
    Enrolled(Result<EnrolmentReply, Failure>),
    /// Outcome of [`Action::Attest`].
    Attested(Result<Box<AttestationReply>, Failure>),
    /// Outcome of [`Action::Relay`].
    Relayed(Result<Box<RelayReply>, Failure>),
    /// Outcome of [`Action::FetchTrust`].
    TrustFetched(Result<TrustAnswer, Failure>),
    /// Time passed: forget what has outlived its life.
    Ticked,
}

/// What to do. `Load`, `RequestChallenge`, `Enrol`, `Attest` and `FetchTrust` are answered by an event.
#[derive(Debug)]
pub enum Action {
    /// Read both records.
    Load,
    /// `POST challenges`
    RequestChallenge(ChallengePurpose),
    /// Let the platform attest a new key over the challenge, and `POST enrolments`.
    Enrol {
        /// From the service.
        challenge: Base64Url,
    },
    /// Measure, sign, and `POST attestations` with a response key made for it.
    Attest {
        /// From the service.
        challenge: Base64Url,
        /// The ticket held.
        ticket: Base64Url,
        /// Tokens wanted.
        tokens: Vec<TokenWish>,
        /// Secrets wanted.
        secrets: Vec<SecretWish>,
        /// Proofs of being the app wanted.
        authentications: Vec<AuthenticationWish>,
    },
    /// Measure, sign, and `POST relay/…` with a response key made for it.
    Relay {
        /// From the service, for this one request.
        challenge: Base64Url,
        /// The ticket held.
        ticket: Base64Url,
        /// What is wanted.
        errand: Box<Errand>,
    },
    /// `GET trust-bundle`
    FetchTrust {
        /// `If-None-Match`
        etag: Option<String>,
    },
    /// Write a record; before any answer that follows.
    Save {
        /// Which.
        record: Record,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Erase a record.
    Erase(Record),
    /// Delete the hardware key.
    ForgetKey,
    /// Tell a caller.
    Answer {
        /// Who.
        call: CallId,
        /// What.
        answer: Result<Answer, SdkError>,
    },
}

/// What a caller is told.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The instance is enrolled.
    Enrolled,
    /// A token.
    Token(AttestationToken),
    /// A secret.
    Secret(RuntimeSecret),
    /// A client attestation or a client assertion.
    Credential(ClientCredential),
    /// An authorization server's answer.
    Relayed(Box<Relayed>),
    /// The trust metadata in force.
    Trust(Trust),
}

/// A proof of being the app that is wanted; the driver adds the instance's key where one belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationWish {
    /// A client attestation for the instance's key at this server.
    Attested(UpstreamName),
    /// A client assertion for this server.
    Assertion(UpstreamName),
}

impl AuthenticationWish {
    /// The authorization server.
    pub fn upstream(&self) -> &UpstreamName {
        match self {
            Self::Attested(upstream) | Self::Assertion(upstream) => upstream,
        }
    }
}

/// Something that the service is to do at an authorization server. Once it was sent, only the very same bytes may be sent
/// again: codes are good once.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The server.
    pub upstream: UpstreamName,
    /// What is wanted of it.
    pub order: ErrandOrder,
    /// A DPoP proof for its endpoint.
    pub dpop: Option<SecretText>,
}

/// What is wanted of an authorization server.
#[derive(Debug, Clone)]
pub enum ErrandOrder {
    /// A token request or a revocation, complete.
    Order(RelayOrder),
    /// That this instance becomes a client of its own; the driver adds its key.
    Register,
}

/// How new trust metadata must be for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// As new as the last hint or the last few minutes.
    Usual,
    /// Asked for now.
    Now,
}

/// A failed effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What callers are told.
    pub error: SdkError,
    /// The ticket of an authentic but refused instance (W-9).
    pub ticket: Option<Base64Url>,
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self {
            error,
            ticket: None,
        }
    }
}

/// The answer to `GET trust-bundle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustAnswer {
    /// 304: what is held is the newest.
    NotModified,
    /// 200
    Document {
        /// The body.
        bytes: Vec<u8>,
        /// `ETag`
        etag: Option<String>,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    config: SdkConfig,
    clock: ServerClock,
    loading: Loading,
    instance: InstanceState,
    trust: TrustState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loading {
    NotYet,
    UnderWay,
    Done,
}

impl Machine {
    /// A machine that knows what the config string says, and nothing else yet.
    pub fn new(config: SdkConfig) -> Self {
        let set = TrustedSet::new(config.account.clone(), config.trust_root.clone());
        Self {
            config,
            clock: ServerClock::default(),
            loading: Loading::NotYet,
            instance: InstanceState::default(),
            trust: TrustState::new(set),
        }
    }

    /// The device id, once known.
    pub fn device_id(&self) -> Option<&DeviceId> {
        self.instance.device_id()
    }

    /// Now, seconds since 1970: the service's clock once it is known, else the device's (W-3).
    pub fn seconds(&self, now: Moment) -> i64 {
        self.clock.seconds(now)
    }

    /// Takes an event; gives what is to be done, in this order.
    pub fn step(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        self.instance.forget_outlived(now);
        match event {
            Event::Asked { call, wish } => {
                self.instance.asked(call, wish);
                self.proceed(now, &mut actions);
            }
            Event::TrustAsked { call, urgency } => {
                self.trust.asked(call, urgency);
                self.proceed(now, &mut actions);
            }
            Event::Loaded { enrolment, trust } => {
                self.loading = Loading::Done;
                self.instance.restore(enrolment.as_deref());
                self.restore_trust(trust.as_deref());
                self.proceed(now, &mut actions);
            }
            Event::Challenged(outcome) => self.challenged(outcome, now, &mut actions),
            Event::Enrolled(outcome) => self.enrolled(outcome, now, &mut actions),
            Event::Attested(outcome) => self.attested(outcome, now, &mut actions),
            Event::RelayAsked { call, errand } => {
                self.instance.errand_asked(call, errand);
                self.proceed(now, &mut actions);
            }
            Event::Relayed(outcome) => self.relayed(outcome, now, &mut actions),
            Event::TrustFetched(outcome) => {
                let seconds = self.clock.seconds(now);
                self.trust.fetched(outcome, (now, seconds), &mut actions);
                self.proceed(now, &mut actions);
            }
            Event::Ticked => {}
        }
        actions
    }

    /// Answers whoever can be answered and starts what is needed for the others.
    fn proceed(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.loading {
            Loading::NotYet => {
                self.loading = Loading::UnderWay;
                actions.push(Action::Load);
            }
            Loading::UnderWay => {}
            Loading::Done => {
                let told = self.clock.told_seconds(now);
                self.instance.proceed(now, told, actions);
                self.trust.proceed((now, self.clock.seconds(now)), actions);
            }
        }
    }

    fn restore_trust(&mut self, saved: Option<&[u8]>) {
        let restored = saved.and_then(|saved| {
            let root = self.config.trust_root.clone();
            TrustedSet::restore(self.config.account.clone(), root, saved).ok()
        });
        if let Some(set) = restored {
            self.trust = self.trust.with_set(set);
        }
    }
}
