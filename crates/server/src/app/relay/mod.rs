//! The relay (rung 2, W-21 to W-26): an attested instance's token request, forwarded with the app's client
//! authentication.
//!
//! Decides who may ask (ticket, proof, challenge, policy, as at an attestation), what may be asked of whom (an
//! upstream's own endpoint, its own redirect URIs), that one challenge reaches an upstream once, and what of the answer
//! goes back. A device never chooses an endpoint, a client id or an authentication, and never sees a secret.

mod answer;
mod authenticated;
mod form;
mod once;
mod rates;
mod register;

use std::sync::Arc;

use bonafide_evidence::Grant;
use bonafide_wire::bytes;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, SecretJson};
use bonafide_wire::ids::{AccountId, AppId, DeviceId, UpstreamName};
use bonafide_wire::proof::{Purpose, sha256};
use bonafide_wire::seal::{SealError, Sealer};
use bonafide_wire::secret::SecretText;
use bonafide_wire::upstream::{
    RelayOrder, RelayPayload, RelayReply, RelayRequest, RelayedHeaders, Rung, SealedRelayReply,
    relay_info,
};
use zeroize::Zeroizing;

pub use rates::RelayRates;
pub(super) use register::end_revoked;

use super::client_auth::{self, Instance};
use super::judge::{self, Asked, Judged, Refused};
use super::presented::Presented;
use super::snapshot::AccountView;
use super::ticket::{Standing, Ticket, findings_mark};
use super::{AppError, Service, Snapshot, enrol};
use crate::config::Upstream;
use crate::keys::challenge::FreshChallenge;

/// What a kept refresh token begins with; the rest is sealed.
const KEPT: &str = "bfr1.";
/// Longest values of an order, bytes.
const MOST_TOKEN: usize = 16 * 1024;
const MOST_DPOP: usize = 4096;
/// RFC 7636 §4.1
const VERIFIER: core::ops::RangeInclusive<usize> = 43..=128;

/// Which route was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayRoute {
    /// `POST relay/{upstream}/token`
    Token,
    /// `POST relay/{upstream}/revoke`
    Revoke,
    /// `POST relay/{upstream}/register`
    Register,
}

/// What became of a relay request; a refusal is an answer.
#[derive(Debug)]
pub enum Relayed {
    /// Sealed to the response key.
    Answered(SealedRelayReply),
    /// Policy says no.
    Refused(Box<Refused>),
}

/// A relay request whose sender is allowed. Owned: it is worked off to its end even when the phone hangs up, because a
/// code that reached the upstream is spent.
struct Relaying {
    service: Arc<Service>,
    snapshot: Arc<Snapshot>,
    account: AccountId,
    device: DeviceId,
    ticket: Ticket,
    enrolled: Vec<u8>,
    payload: RelayPayload,
    payload_sha256: [u8; 32],
    grant: Grant,
    app: AppId,
    challenge: FreshChallenge,
    mark: u32,
    now: i64,
}

/// Answers a relay request. `parse` reads the payload, strictly, once the proof is good.
pub async fn relay<P>(
    service: &Arc<Service>,
    (account, upstream, route): (&AccountId, &UpstreamName, RelayRoute),
    request: &RelayRequest,
    parse: P,
) -> Result<Relayed, AppError>
where
    P: FnOnce(&[u8]) -> Result<RelayPayload, AppError>,
{
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    let now = service.now();
    let presented = Presented {
        purpose: Purpose::Relay,
        ticket: request.ticket.as_slice(),
        payload: request.payload.as_slice(),
        proof: &request.proof,
    };
    let (ticket, device) = presented.admit(service, &account, now)?;
    let payload = parse(request.payload.as_slice())?;
    check_shape(&payload, upstream, route)?;
    let challenge = service.keys().challenges().check(
        account.id,
        ChallengePurpose::Relay,
        payload.challenge.as_slice(),
        now,
    )?;
    // A key that nothing can be sealed to is noticed before a code is spent.
    let key = &payload.response_key;
    let info = relay_info(account.id);
    let agreed =
        Sealer::agree(key.suite, key.public_key.as_slice(), &info).map_err(response_key_problem)?;
    let (grant, app, mark) = match appraise(service, &account, (&device, &ticket), &payload)? {
        Ok(allowed) => allowed,
        Err(refused) => return Ok(Relayed::Refused(refused)),
    };
    service.relay_rates().admit(account.id, &device, now)?;
    let relaying = Relaying {
        account: account.id.clone(),
        service: Arc::clone(service),
        enrolled: ticket.point()?.to_vec(),
        app: app.map_or_else(enrol::unregistered, Ok)?,
        payload_sha256: sha256(request.payload.as_slice()),
        snapshot: Arc::clone(&snapshot),
        device,
        ticket,
        payload,
        grant,
        challenge,
        mark,
        now,
    };
    let done = tokio::spawn(async move { relaying.run(agreed).await }).await;
    let done = done.map_err(|_| AppError::Internal("a relay task ended early".to_owned()))?;
    done.map(Relayed::Answered)
}

/// What policy says now, recorded as at an attestation.
type Appraised = Result<(Grant, Option<AppId>, u32), Box<Refused>>;

fn appraise(
    service: &Service,
    account: &AccountView<'_>,
    (device, ticket): (&DeviceId, &Ticket),
    payload: &RelayPayload,
) -> Result<Appraised, AppError> {
    let now = service.now();
    let measurements = judge::measurements(&payload.measurements)?;
    let who = (device, &ticket.facts);
    if account.is_revoked(device) {
        let (refused, view) = judge::revoked(account, Asked::Relay, who, now)?;
        service.record(account.id, view);
        return Ok(Err(Box::new(refused)));
    }
    let times = (
        now,
        service.revocation_list_age(),
        account.sightings(&ticket.facts),
    );
    let judged = judge::judge(account, device, &ticket.facts, &measurements, times);
    let mark = findings_mark(judged.verdict.findings());
    let view = judge::record(account, Asked::Relay, &judged, who, now)?;
    let refused = judge::refused(account, &view, device);
    let Judged { verdict, app } = judged;
    let denied = verdict.decision() == bonafide_evidence::Decision::Deny;
    if denied || mark != ticket.mark || ticket.standing == Standing::Refused {
        service.record(account.id, view);
    }
    Ok(verdict
        .into_grant()
        .map(|grant| (grant, app, mark))
        .map_err(|_| Box::new(refused)))
}

fn check_shape(
    payload: &RelayPayload,
    upstream: &UpstreamName,
    route: RelayRoute,
) -> Result<(), AppError> {
    judge::check_sdk(&payload.sdk)?;
    if payload.upstream != *upstream {
        let message = "must be the upstream of the route";
        return Err(judge::malformed("/payload/upstream", message));
    }
    let fits = match &payload.request {
        RelayOrder::AuthorizationCode { .. } | RelayOrder::RefreshToken { .. } => RelayRoute::Token,
        RelayOrder::Revoke { .. } => RelayRoute::Revoke,
        RelayOrder::Register { .. } => RelayRoute::Register,
    };
    if fits != route {
        let message = "belongs to another route";
        return Err(judge::malformed("/payload/request/kind", message));
    }
    let is_jws = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if let Some(dpop) = &payload.dpop
        && (!(1..=MOST_DPOP).contains(&dpop.len()) || !dpop.bytes().all(is_jws))
    {
        return Err(judge::malformed("/payload/dpop", "must be a compact JWS"));
    }
    check_order(&payload.request)
}

fn check_order(order: &RelayOrder) -> Result<(), AppError> {
    let token = |pointer: &str, value: &SecretJson| {
        let text = value.0.expose();
        let fits = (1..=MOST_TOKEN).contains(&text.len())
            && text.bytes().all(|b| (0x20..=0x7e).contains(&b));
        let message = "must have 1 to 16384 printable ASCII characters";
        fits.then_some(())
            .ok_or_else(|| judge::malformed(format!("/payload/request/{pointer}"), message))
    };
    match order {
        RelayOrder::AuthorizationCode {
            code,
            code_verifier,
            ..
        } => {
            token("code", code)?;
            let verifier = code_verifier.0.expose();
            let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            if !VERIFIER.contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
                let message = "must have 43 to 128 unreserved characters (RFC 7636)";
                return Err(judge::malformed("/payload/request/code_verifier", message));
            }
            Ok(())
        }
        RelayOrder::RefreshToken {
            refresh_token,
            scope,
        } => {
            token("refresh_token", refresh_token)?;
            let printable = |text: &String| {
                text.len() <= MOST_DPOP && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
            };
            if scope.as_ref().is_some_and(|scope| !printable(scope)) {
                let message = "must have at most 4096 printable ASCII characters";
                return Err(judge::malformed("/payload/request/scope", message));
            }
            Ok(())
        }
        RelayOrder::Revoke { token: value, .. } => token("token", value),
        RelayOrder::Register { .. } => Ok(()),
    }
}

impl Relaying {
    fn account(&self) -> Result<AccountView<'_>, AppError> {
        self.snapshot.account(&self.account)
    }

    fn instance<'a>(&'a self, account: AccountView<'a>) -> Instance<'a> {
        Instance {
            account,
            device: &self.device,
            enrolled: &self.enrolled,
            app: &self.app,
            challenge: self.payload.challenge.as_slice(),
            now: self.now,
        }
    }

    /// The upstream, if this app may use it and this order stands on an allowed rung.
    fn upstream<'a>(&self, account: &AccountView<'a>) -> Result<&'a Upstream, AppError> {
        let name = &self.payload.upstream;
        let upstream =
            client_auth::upstream_for(account, name, &self.app).ok_or(AppError::UnknownUpstream)?;
        let rung = match self.payload.request {
            RelayOrder::Register { .. } => Rung::OwnRegistration,
            _ => Rung::Relay,
        };
        if !upstream.allows(rung) {
            return Err(AppError::RungNotAllowed);
        }
        Ok(upstream)
    }

    /// What is refused without the upstream ever hearing of it comes first; then the challenge is spent.
    async fn run(&self, agreed: Sealer) -> Result<SealedRelayReply, AppError> {
        let account = self.account()?;
        let upstream = self.upstream(&account)?;
        let prepared = self.prepare(upstream)?;
        if let Some(kept) = once::begin(self, upstream).await? {
            return kept;
        }
        let standing = self.first_allow(&account).await;
        let outcome = self.forward(&account, upstream, prepared).await;
        let sealed = outcome.and_then(|answered| self.seal(&account, (agreed, standing), answered));
        once::finish(self, &sealed).await;
        sealed
    }

    /// The order with its kept token opened, and its redirect URI on the list.
    fn prepare(&self, upstream: &Upstream) -> Result<Prepared, AppError> {
        Ok(match &self.payload.request {
            RelayOrder::AuthorizationCode { redirect_uri, .. } => {
                if !upstream
                    .redirect_uris
                    .iter()
                    .any(|uri| same_redirect(uri, redirect_uri))
                {
                    return Err(AppError::RedirectUriNotAllowed);
                }
                Prepared::AsSent
            }
            RelayOrder::RefreshToken { refresh_token, .. } => {
                self.open_kept(upstream, &refresh_token.0)?
            }
            RelayOrder::Revoke {
                token,
                token_type_hint: bonafide_wire::upstream::TokenTypeHint::RefreshToken,
            } => self.open_kept(upstream, &token.0)?,
            RelayOrder::Revoke { .. } => Prepared::AsSent,
            RelayOrder::Register { key } => {
                let who = (&self.account, &self.device, &self.payload.upstream);
                let what = (self.enrolled.as_slice(), self.payload.challenge.as_slice());
                if !client_auth::possesses(who, what, key) {
                    return Err(AppError::InstanceKeyInvalid);
                }
                Prepared::AsSent
            }
        })
    }

    /// Where refresh tokens are kept, one that was not kept for this device means nothing (W-25).
    fn open_kept(&self, upstream: &Upstream, token: &SecretText) -> Result<Prepared, AppError> {
        let Some(sealed) = token.expose().strip_prefix(KEPT) else {
            return if upstream.keep_refresh_tokens {
                Err(AppError::RefreshTokenInvalid)
            } else {
                Ok(Prepared::AsSent)
            };
        };
        let sealed = bytes::decode(sealed).map_err(|_| AppError::RefreshTokenInvalid)?;
        let place = (&self.account, &self.payload.upstream);
        let keys = self.service.keys();
        let opened = keys.open_refresh_token(&self.grant, place, &self.device, &sealed);
        opened
            .map(Prepared::Opened)
            .map_err(|_| AppError::RefreshTokenInvalid)
    }

    async fn forward(
        &self,
        account: &AccountView<'_>,
        upstream: &Upstream,
        prepared: Prepared,
    ) -> Result<Answered, AppError> {
        if let RelayOrder::Register { key } = &self.payload.request {
            return register::register(self, account, (upstream, key)).await;
        }
        let opened = match &prepared {
            Prepared::Opened(token) => Some(token),
            Prepared::AsSent => None,
        };
        let authenticated = authenticated::call(self, account, (upstream, opened))?;
        let answer = self.service.outbound().call(authenticated.call).await?;
        answer::read(self, upstream, (&answer, &authenticated.secrets))
    }

    /// A device that was refused at its enrolment gets its row with the first allow, as at an attestation.
    async fn first_allow(&self, account: &AccountView<'_>) -> Standing {
        if self.ticket.standing == Standing::Enrolled {
            return Standing::Enrolled;
        }
        let device = bonafide_wire::admin::DeviceView {
            device_id: self.device.clone(),
            app: self.app.clone(),
            development: self.ticket.facts.development(),
            revoked: false,
            enrolled_at: self.now,
            judged: None,
        };
        let authentic = (&self.ticket.facts, self.enrolled.as_slice());
        let (service, challenge) = (&self.service, &self.challenge);
        let written = match enrol::new_device(service, account, device, authentic, challenge) {
            Ok(mut new) => {
                // This request's challenge is spent already; no challenge has this length.
                new.challenge.push(0);
                let enrolled = service.store().enrol(new).await;
                enrolled.map(drop).map_err(AppError::from)
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => Standing::Enrolled,
            Err(error) => {
                tracing::warn!(%error, "a device that is allowed now has no row yet");
                Standing::Refused
            }
        }
    }

    fn seal(
        &self,
        account: &AccountView<'_>,
        (agreed, standing): (Sealer, Standing),
        answered: Answered,
    ) -> Result<SealedRelayReply, AppError> {
        let ticket = self.ticket.clone().next(self.now, standing, self.mark);
        let reply = RelayReply {
            ticket: Base64Url(ticket.seal(self.service.keys(), account.id)?),
            ticket_expires_at: ticket.expires_at(&account.config.policy.policy),
            server_time: self.now,
            status: answered.status,
            headers: answered.headers,
            body: SecretJson(answered.body),
            refresh_token_kept: answered.kept,
        };
        // JSON writes at most six bytes for one; the buffer never moves and leaves nothing behind.
        let most = reply.body.0.expose().len().saturating_mul(6);
        let most = most.saturating_add(reply.ticket.as_slice().len().saturating_mul(2));
        let mut plaintext = Zeroizing::new(Vec::with_capacity(most.saturating_add(4096)));
        serde_json::to_writer(&mut *plaintext, &reply)?;
        let sealed = agreed
            .seal(&self.payload_sha256, plaintext)
            .map_err(response_key_problem)?;
        Ok(SealedRelayReply { sealed })
    }
}

fn response_key_problem(error: SealError) -> AppError {
    match error {
        SealError::PublicKey => AppError::ResponseKeyInvalid,
        SealError::Open | SealError::Library => AppError::Internal(error.to_string()),
    }
}

/// An order whose token may stand for another one.
enum Prepared {
    AsSent,
    Opened(SecretText),
}

/// What goes back to the instance.
struct Answered {
    status: u16,
    headers: RelayedHeaders,
    body: SecretText,
    kept: bool,
}

/// Byte for byte; of a loopback URI the port is free (RFC 8252 §7.3).
fn same_redirect(registered: &str, given: &str) -> bool {
    let without_port = |uri: &str| -> Option<(String, String)> {
        ["http://127.0.0.1", "http://[::1]"]
            .iter()
            .find_map(|host| {
                let rest = uri.strip_prefix(host)?;
                let rest = match rest.strip_prefix(':') {
                    Some(ported) => {
                        let end = ported.bytes().take_while(u8::is_ascii_digit).count();
                        ported.get(end..)?
                    }
                    None => rest,
                };
                (rest.is_empty() || rest.starts_with(['/', '?']))
                    .then(|| ((*host).to_owned(), rest.to_owned()))
            })
    };
    registered == given
        || without_port(registered)
            .is_some_and(|registered| Some(registered) == without_port(given))
}

#[cfg(test)]
mod tests {
    use super::same_redirect;

    #[test]
    fn only_the_port_of_a_loopback_redirect_is_free() {
        for (registered, given) in [
            ("https://app.example/cb", "https://app.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
            ("http://[::1]:1/cb", "http://[::1]:2/cb"),
        ] {
            assert!(same_redirect(registered, given), "{given}");
        }
        for (registered, given) in [
            ("https://app.example/cb", "https://app.example/cb/"),
            ("https://app.example/cb", "https://app.example:444/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://[::1]/cb"),
        ] {
            assert!(!same_redirect(registered, given), "{given}");
        }
    }
}
