//! One instance, one flight at a time: challenge, then enrolment or attestation, then answers to everybody
//! who waits (W-18). It decides when a ticket is spent, kept or given up, and never tries in a loop.

use core::time::Duration;
use std::collections::VecDeque;

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationReply, ChallengePurpose, ChallengeReply, EnrolmentReply, MOST_ITEMS, SecretWish,
    TokenWish,
};
use bonafide_wire::ids::DeviceId;
use bonafide_wire::problem::ProblemCode;
use serde::{Deserialize, Serialize};

use super::holdings::{Holdings, REFUSAL_LIFE};
use super::outcome::{credential, secret, token};
use super::{Action, Answer, AuthenticationWish, CallId, Errand, Failure, Machine, Moment};
use crate::error::SdkError;
use crate::fault::{Fault, ReplyFault};
use crate::host::{AttesterError, Record};
use crate::released::Wish;

/// No answer of the service silences an app for longer than this.
const LONGEST_REST: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct InstanceState {
    pub(super) enrolment: Option<Enrolment>,
    device_id: Option<DeviceId>,
    holdings: Holdings,
    /// The service refused or is busy: nobody asks again before this.
    refusal: Option<(SdkError, Duration)>,
    pub(super) flight: Option<Flight>,
    waiting: Vec<(CallId, Wish)>,
    pub(super) errands: VecDeque<(CallId, Box<Errand>)>,
}

/// The record that the vault keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolment {
    pub(super) ticket: Base64Url,
    pub(super) device_id: Option<DeviceId>,
    /// By the service's clock; unknown for the ticket of a refused instance.
    pub(super) expires_at: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) purpose: ChallengePurpose,
    /// A flight gives a ticket up at most once.
    gave_ticket_up: bool,
    /// A flight asks for a second challenge at most once.
    challenged_again: bool,
    request: Option<Request>,
}

/// What was asked for in the attestation under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) tokens: Vec<TokenWish>,
    pub(super) secrets: Vec<SecretWish>,
    pub(super) authentications: Vec<(AuthenticationWish, Wish)>,
    sent: Moment,
}

impl InstanceState {
    pub(super) fn device_id(&self) -> Option<&DeviceId> {
        self.device_id.as_ref()
    }

    pub(super) fn asked(&mut self, call: CallId, wish: Wish) {
        self.waiting.push((call, wish));
    }

    pub(super) fn restore(&mut self, saved: Option<&[u8]>) {
        self.enrolment = saved.and_then(|saved| serde_json::from_slice(saved).ok());
        self.device_id = self
            .enrolment
            .as_ref()
            .and_then(|enrolment| enrolment.device_id.clone());
    }

    pub(super) fn forget_outlived(&mut self, now: Moment) {
        self.holdings.forget_outlived(now);
        if self
            .refusal
            .as_ref()
            .is_some_and(|(_, until)| *until <= now.monotonic)
        {
            self.refusal = None;
        }
    }

    /// Answers whom it can; starts a flight for the others.
    pub(super) fn proceed(
        &mut self,
        now: Moment,
        server_seconds: Option<i64>,
        actions: &mut Vec<Action>,
    ) {
        for (call, wish) in core::mem::take(&mut self.waiting) {
            match self.known(&wish, now) {
                Some(answer) => actions.push(Action::Answer { call, answer }),
                None => self.waiting.push((call, wish)),
            }
        }
        self.refuse_errands(now, actions);
        if (self.waiting.is_empty() && self.errands.is_empty()) || self.flight.is_some() {
            return;
        }
        let over = |held: &Enrolment| server_seconds.is_some_and(|now| held.is_over(now));
        if self.enrolment.as_ref().is_some_and(over) {
            self.give_ticket_up(actions);
        }
        let purpose = match self.enrolment {
            None => ChallengePurpose::Enrolment,
            Some(_) => self.next_purpose(),
        };
        self.flight = Some(Flight {
            purpose,
            gave_ticket_up: false,
            challenged_again: false,
            request: None,
        });
        actions.push(Action::RequestChallenge(purpose));
    }

    /// What an enrolled instance asks a challenge for: wishes first, errands one by one after them.
    fn next_purpose(&self) -> ChallengePurpose {
        if self.waiting.is_empty() {
            ChallengePurpose::Relay
        } else {
            ChallengePurpose::Attestation
        }
    }

    /// A refused instance's errands are not carried out.
    fn refuse_errands(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some((error, until)) = &self.refusal else {
            return;
        };
        let error = error
            .clone()
            .with_retry_after(until.saturating_sub(now.monotonic));
        // The errand under way is answered by its own outcome.
        let under_way = usize::from(self.is_on_errand());
        for (call, _) in self.errands.drain(under_way.min(self.errands.len())..) {
            let answer = Err(error.clone());
            actions.push(Action::Answer { call, answer });
        }
    }

    fn known(&self, wish: &Wish, now: Moment) -> Option<Result<Answer, SdkError>> {
        if let Some((error, until)) = &self.refusal {
            let left = until.saturating_sub(now.monotonic);
            return Some(Err(error.clone().with_retry_after(left)));
        }
        let allowed = self
            .enrolment
            .as_ref()
            .is_some_and(|held| held.expires_at.is_some());
        if *wish == Wish::Enrolment && allowed && self.flight.is_none() {
            return Some(Ok(Answer::Enrolled));
        }
        self.holdings.find(wish, now)
    }

    fn give_ticket_up(&mut self, actions: &mut Vec<Action>) {
        self.enrolment = None;
        actions.push(Action::Erase(Record::Enrolment));
    }

    pub(super) fn hold_ticket(&mut self, enrolment: Enrolment, actions: &mut Vec<Action>) {
        if let Ok(bytes) = serde_json::to_vec(&enrolment) {
            actions.push(Action::Save {
                record: Record::Enrolment,
                bytes,
            });
        }
        if enrolment.device_id.is_some() {
            self.device_id.clone_from(&enrolment.device_id);
        }
        self.enrolment = Some(enrolment);
    }

    /// Ends the flight: everybody who waits shares its failure.
    pub(super) fn fail(&mut self, failure: Failure, now: Moment, actions: &mut Vec<Action>) {
        self.flight = None;
        let mut error = failure.error;
        if let Some(ticket) = failure.ticket {
            let enrolment = Enrolment {
                ticket,
                device_id: error.device_id().or(self.device_id.as_ref()).cloned(),
                expires_at: None,
            };
            self.hold_ticket(enrolment, actions);
        }
        if error.is_refusal() {
            self.holdings.clear();
        }
        let rest = match error.retry_after() {
            Some(wait) => Some(wait.min(LONGEST_REST)),
            None => (error.is_refusal() || platform_rests(&error)).then_some(REFUSAL_LIFE),
        };
        if let Some(rest) = rest {
            error = error.with_retry_after(rest);
            self.refusal = Some((error.clone(), now.monotonic.saturating_add(rest)));
        }
        let waiting = core::mem::take(&mut self.waiting).into_iter();
        let errands = core::mem::take(&mut self.errands).into_iter();
        let calls = waiting
            .map(|(call, _)| call)
            .chain(errands.map(|(call, _)| call));
        for call in calls {
            actions.push(Action::Answer {
                call,
                answer: Err(error.clone()),
            });
        }
    }

    /// The wishes that go into the next attestation, each once, as many as fit.
    fn collect(&self, now: Moment) -> Request {
        let mut tokens = Vec::new();
        let mut secrets = Vec::new();
        let mut authentications: Vec<(AuthenticationWish, Wish)> = Vec::new();
        for (_, wish) in &self.waiting {
            match wish {
                Wish::Enrolment => {}
                Wish::Token { audience, binding } => {
                    let wish = TokenWish {
                        audience: audience.clone(),
                        binding: binding.clone(),
                    };
                    add(&mut tokens, wish);
                }
                Wish::Secret { name, host } => {
                    let wish = SecretWish {
                        name: name.clone(),
                        host: host.clone(),
                    };
                    add(&mut secrets, wish);
                }
                Wish::ClientAttestation { upstream, .. } => {
                    let asked = AuthenticationWish::Attested(upstream.clone());
                    add_authentication(&mut authentications, (asked, wish.clone()));
                }
                Wish::ClientAssertion { upstream, .. } => {
                    let asked = AuthenticationWish::Assertion(upstream.clone());
                    add_authentication(&mut authentications, (asked, wish.clone()));
                }
            }
        }
        Request {
            tokens,
            secrets,
            authentications,
            sent: now,
        }
    }

    /// Answers everybody whose wish this is, and holds the outcome.
    fn settle(
        &mut self,
        wish: Wish,
        outcome: Result<Answer, SdkError>,
        life: (Moment, Duration),
        actions: &mut Vec<Action>,
    ) {
        self.waiting.retain(|(call, waiting)| {
            let other = *waiting != wish;
            if !other {
                actions.push(Action::Answer {
                    call: *call,
                    answer: outcome.clone(),
                });
            }
            other
        });
        self.holdings.hold(wish, outcome, life);
    }
}

/// Apple and Google count requests: what they cannot answer now is not asked for at once again.
fn platform_rests(error: &SdkError) -> bool {
    error.fault() == Fault::Attester(AttesterError::PlatformUnavailable)
}

impl Enrolment {
    fn is_over(&self, seconds: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= seconds)
    }
}

fn add<T: PartialEq>(wishes: &mut Vec<T>, wish: T) {
    if wishes.len() < MOST_ITEMS && !wishes.contains(&wish) {
        wishes.push(wish);
    }
}

/// The same twice is refused, so the second of two assertions waits for the next flight.
fn add_authentication(
    wishes: &mut Vec<(AuthenticationWish, Wish)>,
    (asked, wish): (AuthenticationWish, Wish),
) {
    let room = wishes.len() < MOST_ITEMS;
    if room && wishes.iter().all(|(known, _)| *known != asked) {
        wishes.push((asked, wish));
    }
}

impl Machine {
    pub(super) fn challenged(
        &mut self,
        outcome: Result<ChallengeReply, Failure>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.instance.fail(failure, now, actions),
        };
        self.clock.set(reply.server_time, now);
        let Some(purpose) = self.instance.flight.as_ref().map(|flight| flight.purpose) else {
            return;
        };
        match (purpose, &self.instance.enrolment) {
            (ChallengePurpose::Attestation, Some(enrolment)) => {
                let request = self.instance.collect(now);
                actions.push(Action::Attest {
                    challenge: reply.challenge,
                    ticket: enrolment.ticket.clone(),
                    tokens: request.tokens.clone(),
                    secrets: request.secrets.clone(),
                    authentications: request
                        .authentications
                        .iter()
                        .map(|(asked, _)| asked.clone())
                        .collect(),
                });
                if let Some(flight) = &mut self.instance.flight {
                    flight.request = Some(request);
                }
            }
            (ChallengePurpose::Relay, Some(enrolment)) => {
                let ticket = enrolment.ticket.clone();
                self.instance.set_out(reply.challenge, ticket, actions);
            }
            _ => actions.push(Action::Enrol {
                challenge: reply.challenge,
            }),
        }
    }

    pub(super) fn enrolled(
        &mut self,
        outcome: Result<EnrolmentReply, Failure>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.enrolment_failed(failure, now, actions),
        };
        self.clock.set(reply.server_time, now);
        let enrolment = Enrolment {
            ticket: reply.ticket,
            device_id: Some(reply.device_id),
            expires_at: Some(reply.ticket_expires_at),
        };
        self.instance.hold_ticket(enrolment, actions);
        let life = (now, Duration::ZERO);
        self.instance
            .settle(Wish::Enrolment, Ok(Answer::Enrolled), life, actions);
        let purpose = self.instance.next_purpose();
        if self.instance.waiting.is_empty() && self.instance.errands.is_empty() {
            self.instance.flight = None;
        } else if let Some(flight) = &mut self.instance.flight {
            flight.purpose = purpose;
            actions.push(Action::RequestChallenge(purpose));
        }
    }

    fn enrolment_failed(&mut self, failure: Failure, now: Moment, actions: &mut Vec<Action>) {
        if self.challenge_again(&failure, actions) {
            return;
        }
        if failure.ticket.is_none() && failure.error.is_refusal() {
            actions.push(Action::ForgetKey);
        }
        self.instance.fail(failure, now, actions);
    }

    pub(super) fn attested(
        &mut self,
        outcome: Result<Box<AttestationReply>, Failure>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.attestation_failed(failure, now, actions),
        };
        let request = self
            .instance
            .flight
            .as_mut()
            .and_then(|flight| flight.request.take());
        let Some(request) = request.filter(|request| request.is_answered_by(&reply)) else {
            let mismatch = SdkError::from(Fault::Reply(ReplyFault::Mismatch));
            return self.instance.fail(mismatch.into(), now, actions);
        };
        self.clock.set(reply.server_time, now);
        self.trust.hinted(reply.trust_bundle_version);
        self.instance.flight = None;
        self.settle(*reply, &request, actions);
        self.proceed(now, actions);
    }

    fn settle(&mut self, reply: AttestationReply, request: &Request, actions: &mut Vec<Action>) {
        let server_time = reply.server_time;
        let enrolment = Enrolment {
            ticket: reply.ticket,
            device_id: Some(reply.device_id),
            expires_at: Some(reply.ticket_expires_at),
        };
        self.instance.hold_ticket(enrolment, actions);
        let none = (request.sent, Duration::ZERO);
        self.instance
            .settle(Wish::Enrolment, Ok(Answer::Enrolled), none, actions);
        for (wish, outcome) in request.tokens.iter().zip(reply.tokens) {
            let (outcome, life) = token(outcome, server_time);
            let wish = Wish::Token {
                audience: wish.audience.clone(),
                binding: wish.binding.clone(),
            };
            self.instance
                .settle(wish, outcome, (request.sent, life), actions);
        }
        let authentications = request.authentications.iter();
        for ((asked, wish), outcome) in authentications.zip(reply.client_authentications) {
            let (outcome, life) = credential(asked, outcome, server_time);
            self.instance
                .settle(wish.clone(), outcome, (request.sent, life), actions);
        }
        for (wish, outcome) in request.secrets.iter().zip(reply.secrets) {
            let (outcome, life) = secret(outcome, server_time);
            let wish = Wish::Secret {
                name: wish.name.clone(),
                host: wish.host.clone(),
            };
            self.instance
                .settle(wish, outcome, (request.sent, life), actions);
        }
    }

    fn attestation_failed(&mut self, failure: Failure, now: Moment, actions: &mut Vec<Action>) {
        if self.challenge_again(&failure, actions) || self.enrol_again(&failure, actions) {
            return;
        }
        self.instance.fail(failure, now, actions);
    }

    /// A challenge that grew old on the way is asked for once more.
    pub(super) fn challenge_again(&mut self, failure: &Failure, actions: &mut Vec<Action>) -> bool {
        let stale = matches!(
            failure.error.fault(),
            Fault::Problem(
                ProblemCode::ChallengeExpired
                    | ProblemCode::ChallengeInvalid
                    | ProblemCode::ChallengeUsed
            )
        );
        match &mut self.instance.flight {
            Some(flight) if stale && !flight.challenged_again => {
                flight.challenged_again = true;
                flight.request = None;
                actions.push(Action::RequestChallenge(flight.purpose));
                true
            }
            _ => false,
        }
    }

    /// A ticket or key that is worthless is given up once; the instance enrols anew.
    pub(super) fn enrol_again(&mut self, failure: &Failure, actions: &mut Vec<Action>) -> bool {
        let worthless = matches!(
            failure.error.fault(),
            Fault::Problem(
                ProblemCode::TicketExpired
                    | ProblemCode::TicketInvalid
                    | ProblemCode::ProofInvalid
                    | ProblemCode::CounterNotGreater
            ) | Fault::Attester(AttesterError::KeyMissing)
        );
        match &mut self.instance.flight {
            Some(flight) if worthless && !flight.gave_ticket_up => {
                flight.gave_ticket_up = true;
                flight.request = None;
                flight.purpose = ChallengePurpose::Enrolment;
                self.instance.give_ticket_up(actions);
                actions.push(Action::RequestChallenge(ChallengePurpose::Enrolment));
                true
            }
            _ => false,
        }
    }
}
