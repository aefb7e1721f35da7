//! The relay's part of the device protocol.

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_oauth::HttpResponse;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::ChallengePurpose;
use bonafide_wire::problem::Problem;
use bonafide_wire::proof::Purpose;
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::upstream::{
    RelayOrder, RelayPayload, RelayReply, RelayRequest, SealedRelayReply, relay_info,
};

use crate::phone::{DevicePhone, sdk, upstream};
use crate::service::account;

/// A relay request as it goes over the wire, and what opens its answer.
pub(crate) struct Relayed {
    pub(crate) route: String,
    pub(crate) request: RelayRequest,
    key: OpeningKey,
}

impl Relayed {
    /// What the answer says, to whoever has the response key.
    pub(crate) fn open(&self, sealed: &SealedRelayReply) -> Option<RelayReply> {
        let aad = digest(&SHA256, self.request.payload.as_slice());
        let info = relay_info(&account());
        let plain = self.key.open(&sealed.sealed, &info, aad.as_ref()).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Another request in the place of a captured one.
    pub(crate) fn of(captured: &Self, request: RelayRequest) -> Self {
        Self {
            route: captured.route.clone(),
            request,
            key: OpeningKey::generate(Suite::X25519).unwrap(),
        }
    }
}

impl DevicePhone<'_> {
    /// A relay request, ready to be sent (or captured). `order` may need the challenge.
    pub(crate) async fn relay_request(
        &self,
        (action, name): (&str, &str),
        dpop: Option<String>,
        order: impl FnOnce(&Self, &Base64Url) -> RelayOrder,
    ) -> Relayed {
        let challenge = self.challenge(ChallengePurpose::Relay).await;
        let (key, response_key) = Self::response_key();
        let payload = RelayPayload {
            request: order(self, &challenge),
            challenge,
            response_key,
            measurements: self.measure(),
            sdk: sdk(),
            upstream: upstream(name),
            dpop,
        };
        let payload = serde_json::to_vec(&payload).unwrap();
        Relayed {
            route: format!("relay/{name}/{action}"),
            request: self.signed_relay(payload),
            key,
        }
    }

    /// The same payload under this phone's own ticket and key.
    pub(crate) fn signed_relay(&self, payload: Vec<u8>) -> RelayRequest {
        RelayRequest {
            proof: self.prove(Purpose::Relay, self.ticket.as_slice(), &payload),
            ticket: self.ticket.clone(),
            payload: Base64Url(payload),
        }
    }

    pub(crate) async fn send_relay(&self, relayed: &Relayed) -> Result<RelayReply, Problem> {
        let sealed: SealedRelayReply = self.post(&relayed.route, &relayed.request).await?;
        Ok(relayed.open(&sealed).unwrap())
    }
}

/// What the authorization server answered, as the engine judges answers.
pub(crate) fn as_response(reply: &RelayReply) -> HttpResponse {
    let headers = [
        ("date", &reply.headers.date),
        ("dpop-nonce", &reply.headers.dpop_nonce),
        ("retry-after", &reply.headers.retry_after),
        ("content-type", &reply.headers.content_type),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    HttpResponse::new(
        reply.status,
        headers,
        reply.body.0.expose().as_bytes().to_vec(),
    )
}
