//! A ticket and the proof that goes with it: who asks, on every route of an enrolled key.
//!
//! Decides that the ticket is ours and in force, that the enrolled key signed this request, and that the evidence
//! behind it is still trusted. What is asked for, and whether policy grants it, is the route's own business.

use bonafide_wire::ids::DeviceId;
use bonafide_wire::proof::{Proof, Purpose, device_id};

use super::proof::Signed;
use super::snapshot::AccountView;
use super::ticket::Ticket;
use super::{AppError, Service};
use crate::store::StoreError;

/// What came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presented<'a> {
    /// On which route.
    pub(super) purpose: Purpose,
    /// Sealed.
    pub(super) ticket: &'a [u8],
    /// The exact payload.
    pub(super) payload: &'a [u8],
    /// By the enrolled key, over both.
    pub(super) proof: &'a Proof,
}

impl Presented<'_> {
    /// Opens the ticket and checks the proof; then, and only then, the payload may be read (W-6). The ticket knows
    /// the proof's counter from here on, so the one that is sealed next carries it.
    pub(super) fn admit(
        &self,
        service: &Service,
        account: &AccountView<'_>,
        now: i64,
    ) -> Result<(Ticket, DeviceId), AppError> {
        if service.store_health().is_beyond_grace(now) {
            let why = "it has been away for longer than tickets alone are good for";
            return Err(StoreError::Unavailable(why.to_owned()).into());
        }
        let policy = &account.config.policy.policy;
        let mut ticket = Ticket::open(service.keys(), (account.id, policy), self.ticket, now)?;
        let signed = Signed {
            purpose: self.purpose,
            account: account.id,
            attachment: self.ticket,
            payload: self.payload,
        };
        ticket.prove(&signed, self.proof)?;
        // A certificate that was listed after the enrolment ends it, and so does an anchor or key that was removed.
        // Enrolling again says why, or brings newer evidence.
        if ticket.facts.is_revoked(&service.revocations()) || !account.still_trusts(&ticket.facts) {
            return Err(AppError::TicketExpired);
        }
        let device = device_id(account.id, ticket.point()?);
        Ok((ticket, device))
    }
}
