//! Errands to authorization servers, by way of the service: one at a time, after the wishes that wait, each with a
//! challenge of its own. It decides whether a failure is this errand's own or the instance's.

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::ChallengePurpose;
use bonafide_wire::upstream::{RelayReply, RelayedHeaders};

use super::flight::{Enrolment, InstanceState};
use super::{Action, Answer, CallId, Errand, Failure, Machine, Moment};
use crate::released::Relayed;

impl InstanceState {
    pub(super) fn errand_asked(&mut self, call: CallId, errand: Box<Errand>) {
        self.errands.push_back((call, errand));
    }

    /// Whether the flight under way is an errand's.
    pub(super) fn is_on_errand(&self) -> bool {
        let relay = ChallengePurpose::Relay;
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.purpose == relay)
    }

    /// Carries out the errand that waits longest; it stays in front until its outcome is known.
    pub(super) fn set_out(
        &mut self,
        challenge: Base64Url,
        ticket: Base64Url,
        actions: &mut Vec<Action>,
    ) {
        match self.errands.front() {
            Some((_, errand)) => actions.push(Action::Relay {
                challenge,
                ticket,
                errand: errand.clone(),
            }),
            None => self.flight = None,
        }
    }

    /// Ends the errand in front.
    fn come_back(&mut self, answer: Result<Answer, crate::SdkError>, actions: &mut Vec<Action>) {
        self.flight = None;
        if let Some((call, _)) = self.errands.pop_front() {
            actions.push(Action::Answer { call, answer });
        }
    }
}

impl Machine {
    pub(super) fn relayed(
        &mut self,
        outcome: Result<Box<RelayReply>, Failure>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        match outcome {
            Ok(reply) => {
                self.clock.set(reply.server_time, now);
                let enrolment = Enrolment {
                    ticket: reply.ticket.clone(),
                    device_id: self.device_id().cloned(),
                    expires_at: Some(reply.ticket_expires_at),
                };
                self.instance.hold_ticket(enrolment, actions);
                let answer = Answer::Relayed(Box::new(relayed(*reply)));
                self.instance.come_back(Ok(answer), actions);
            }
            Err(failure)
                if self.challenge_again(&failure, actions)
                    || self.enrol_again(&failure, actions) =>
            {
                return;
            }
            Err(failure) if failure.error.is_refusal() || failure.ticket.is_some() => {
                return self.instance.fail(failure, now, actions);
            }
            // The authorization server's trouble is nobody else's.
            Err(failure) => self.instance.come_back(Err(failure.error), actions),
        }
        self.proceed(now, actions);
    }
}

fn relayed(reply: RelayReply) -> Relayed {
    let RelayedHeaders {
        date,
        dpop_nonce,
        retry_after,
        content_type,
    } = reply.headers;
    let headers = [
        ("date", date),
        ("dpop-nonce", dpop_nonce),
        ("retry-after", retry_after),
        ("content-type", content_type),
    ];
    Relayed {
        status: reply.status,
        headers: headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        body: reply.body.0,
        refresh_token_kept: reply.refresh_token_kept,
    }
}
