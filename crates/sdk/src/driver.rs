//! Drives the machine: carries out its actions in order and wakes those who wait. It decides nothing.
//!
//! Whoever waits also pushes the work on, so no runtime and no background task are needed, and a caller
//! that gives up does not take the others down with it.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::config_string::SdkConfig;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, EnrolmentPayload, EnrolmentReply, ResponseKey,
    SecretWish, TokenWish,
};
use bonafide_wire::ids::{DeviceId, Host, SecretName, UpstreamName};
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::upstream::{
    ClientAuthenticationWish, InstanceKey, RelayOrder, RelayPayload, RelayReply, instance_key_bytes,
};
use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::{Either, Shared, select};

use crate::error::SdkError;
use crate::exchange;
use crate::fault::{Fault, ReplyFault};
use crate::host::{
    Attester, BoxFuture, Clock, EnrolmentChallenge, KeyPurpose, KeyRing, Record, ServiceRequest,
    ServiceResponse, ServiceTransport, TransportError, Vault,
};
use crate::machine::{
    Action, Answer, AuthenticationWish, CallId, Errand, ErrandOrder, Event, Failure, Machine,
    Moment, Urgency,
};
use crate::released::{AttestationToken, ClientCredential, Relayed, RuntimeSecret, Trust, Wish};

/// What the platform gives.
#[derive(Clone)]
pub struct Hosts {
    /// The way to the service.
    pub transport: Arc<dyn ServiceTransport>,
    /// The hardware key.
    pub attester: Arc<dyn Attester>,
    /// Further hardware keys; [`crate::host::NoKeys`] where the app logs in nowhere.
    pub keys: Arc<dyn KeyRing>,
    /// Storage.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hosts")
    }
}

/// The client of one app instance. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Bonafide(Arc<Owner>);

/// The last clone takes a resting flight along: the flight holds the client, the client holds the flight.
struct Owner(Arc<Client>);

impl Drop for Owner {
    fn drop(&mut self) {
        let resting = self.0.lock().runner.take();
        drop(resting);
    }
}

struct Client {
    config: SdkConfig,
    hosts: Hosts,
    work: Mutex<Work>,
}

struct Work {
    machine: Machine,
    actions: VecDeque<Action>,
    waiting: BTreeMap<CallId, oneshot::Sender<Result<Answer, SdkError>>>,
    next_call: CallId,
    assertions: u64,
    runner: Option<Shared<BoxFuture<'static, ()>>>,
}

impl fmt::Debug for Bonafide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bonafide")
            .field("service", &self.0.0.config.service)
            .field("account", &self.0.0.config.account)
            .finish_non_exhaustive()
    }
}

type Wishes = (Vec<TokenWish>, Vec<SecretWish>, Vec<AuthenticationWish>);
type Waiting = oneshot::Receiver<Result<Answer, SdkError>>;

impl Bonafide {
    /// A client of the account in the config string. Does nothing until it is asked for something.
    pub fn new(config: SdkConfig, hosts: Hosts) -> Self {
        let work = Work {
            machine: Machine::new(config.clone()),
            actions: VecDeque::new(),
            waiting: BTreeMap::new(),
            next_call: 0,
            assertions: 0,
            runner: None,
        };
        Self(Arc::new(Owner(Arc::new(Client {
            config,
            hosts,
            work: Mutex::new(work),
        }))))
    }

    /// The config string's content.
    pub fn config(&self) -> &SdkConfig {
        &self.0.0.config
    }

    /// A token for the header `Bonafide-Token` of requests to `audience`; `bound_to` is caller data (say, the
    /// `Authorization` value) whose SHA-256 the token shall carry.
    pub async fn attestation_token(
        &self,
        audience: &Host,
        bound_to: Option<&[u8]>,
    ) -> Result<AttestationToken, SdkError> {
        let wish = Wish::Token {
            audience: audience.clone(),
            binding: bound_to.map(|data| Base64Url(digest(&SHA256, data).as_ref().to_vec())),
        };
        match self.obtain_one(wish).await? {
            Answer::Token(token) => Ok(token),
            _ => Err(mismatch()),
        }
    }

    /// A runtime secret, about to go to `host`. Nothing secret is asked for under stale trust metadata.
    pub async fn secret(&self, name: &SecretName, host: &Host) -> Result<RuntimeSecret, SdkError> {
        if self.trust().await?.freshness() == bonafide_trust::Freshness::Stale {
            return Err(Fault::TrustStale.into());
        }
        let wish = Wish::Secret {
            name: name.clone(),
            host: host.clone(),
        };
        match self.obtain_one(wish).await? {
            Answer::Secret(secret) => Ok(secret),
            _ => Err(mismatch()),
        }
    }

    /// A client attestation for the instance's key at an authorization server, or the one that is still good.
    pub async fn client_attestation(
        &self,
        upstream: &UpstreamName,
        public_key: &[u8],
    ) -> Result<ClientCredential, SdkError> {
        self.credential(Wish::ClientAttestation {
            upstream: upstream.clone(),
            public_key: Base64Url(public_key.to_vec()),
        })
        .await
    }

    /// A client assertion for one request to an authorization server; never the same twice.
    pub async fn client_assertion(
        &self,
        upstream: &UpstreamName,
    ) -> Result<ClientCredential, SdkError> {
        let request = {
            let mut work = self.0.0.lock();
            work.assertions = work.assertions.wrapping_add(1);
            work.assertions
        };
        let upstream = upstream.clone();
        self.credential(Wish::ClientAssertion { upstream, request })
            .await
    }

    async fn credential(&self, wish: Wish) -> Result<ClientCredential, SdkError> {
        match self.obtain_one(wish).await? {
            Answer::Credential(credential) => Ok(credential),
            _ => Err(mismatch()),
        }
    }

    /// Lets the service ask something of an authorization server, with the client authentication that it adds itself. A
    /// refusal by that server is an answer like any other.
    pub async fn relay(&self, errand: Errand) -> Result<Relayed, SdkError> {
        let errand = Box::new(errand);
        let waiting = self.0.0.enqueue(|call| Event::RelayAsked { call, errand });
        match self.0.0.await_answer(waiting).await? {
            Answer::Relayed(relayed) => Ok(*relayed),
            _ => Err(mismatch()),
        }
    }

    /// What the platform gives.
    pub fn hosts(&self) -> &Hosts {
        &self.0.0.hosts
    }

    /// Enrols where needed and fetches trust metadata, so that the first request finds everything ready.
    pub async fn prefetch(&self) -> Result<(), SdkError> {
        self.trust().await?;
        self.obtain_one(Wish::Enrolment).await.map(|_| ())
    }

    /// The trust metadata in force: fetched where there are none, renewed where the service hinted at newer
    /// ones or some minutes have passed. What is held stays in force while that fails.
    pub async fn trust(&self) -> Result<Trust, SdkError> {
        self.ask_trust(Urgency::Usual).await
    }

    /// The same after asking the service now.
    pub async fn refresh_trust(&self) -> Result<Trust, SdkError> {
        self.ask_trust(Urgency::Now).await
    }

    /// The device id, once the service has told it.
    pub fn device_id(&self) -> Option<DeviceId> {
        self.0.0.lock().machine.device_id().cloned()
    }

    /// Now, seconds since 1970: by the service's clock once it is known (W-3).
    pub fn seconds(&self) -> i64 {
        let now = self.0.0.now();
        self.0.0.lock().machine.seconds(now)
    }

    /// Wipes tokens and secrets that have outlived their life. Every call does so too; an app that goes to
    /// the background may call it from a timer.
    pub fn wipe_outlived(&self) {
        let now = self.0.0.now();
        let actions = self.0.0.lock().machine.step(Event::Ticked, now);
        debug_assert!(actions.is_empty());
    }

    /// Several wishes at once: they share one attestation. Answers are in the order of the wishes.
    pub async fn obtain(&self, wishes: Vec<Wish>) -> Vec<Result<Answer, SdkError>> {
        let waiting: Vec<Waiting> = wishes
            .into_iter()
            .map(|wish| self.0.0.enqueue(|call| Event::Asked { call, wish }))
            .collect();
        let mut answers = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            answers.push(self.0.0.await_answer(waiting).await);
        }
        answers
    }

    async fn obtain_one(&self, wish: Wish) -> Result<Answer, SdkError> {
        let waiting = self.0.0.enqueue(|call| Event::Asked { call, wish });
        self.0.0.await_answer(waiting).await
    }

    async fn ask_trust(&self, urgency: Urgency) -> Result<Trust, SdkError> {
        let waiting = self.0.0.enqueue(|call| Event::TrustAsked { call, urgency });
        match self.0.0.await_answer(waiting).await? {
            Answer::Trust(trust) => Ok(trust),
            _ => Err(mismatch()),
        }
    }
}

impl Client {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment {
            monotonic: self.hosts.clock.monotonic(),
            wall: self.hosts.clock.wall(),
        }
    }

    /// Puts a caller's event into the machine and starts the runner where there is something to do.
    fn enqueue(self: &Arc<Self>, event: impl FnOnce(CallId) -> Event) -> Waiting {
        let now = self.now();
        let (sender, receiver) = oneshot::channel();
        let mut work = self.lock();
        let call = work.next_call;
        work.next_call = call.wrapping_add(1);
        work.waiting.insert(call, sender);
        let actions = work.machine.step(event(call), now);
        work.take(actions);
        if work.runner.is_none() && !work.actions.is_empty() {
            let client = Arc::clone(self);
            let runner: BoxFuture<'static, ()> = Box::pin(async move { client.run().await });
            work.runner = Some(runner.shared());
        }
        receiver
    }

    /// Waits for one answer, and pushes the common work on meanwhile.
    async fn await_answer(&self, mut waiting: Waiting) -> Result<Answer, SdkError> {
        loop {
            let Some(runner) = self.lock().runner.clone() else {
                return waiting.await.unwrap_or_else(|_| Err(mismatch()));
            };
            match select(waiting, runner).await {
                Either::Left((answer, _)) => return answer.unwrap_or_else(|_| Err(mismatch())),
                Either::Right(((), still)) => waiting = still,
            }
        }
    }

    async fn run(&self) {
        while let Some(action) = self.next_action() {
            if let Some(event) = self.perform(action).await {
                let now = self.now();
                let mut work = self.lock();
                let actions = work.machine.step(event, now);
                work.take(actions);
            }
        }
    }

    /// The next action; where there is none the runner ends, under the same lock.
    fn next_action(&self) -> Option<Action> {
        let mut work = self.lock();
        let action = work.actions.pop_front();
        if action.is_none() {
            work.runner = None;
        }
        action
    }

    async fn perform(&self, action: Action) -> Option<Event> {
        match action {
            Action::Load => Some(Event::Loaded {
                enrolment: self.load(Record::Enrolment).await,
                trust: self.load(Record::Trust).await,
            }),
            Action::RequestChallenge(purpose) => {
                let outcome = match exchange::challenge(&self.config, purpose) {
                    Ok(request) => self.send(request).await,
                    Err(error) => Err(error.into()),
                };
                let outcome = outcome.and_then(|response| exchange::read(&response));
                Some(Event::Challenged(outcome))
            }
            Action::Enrol { challenge } => Some(Event::Enrolled(self.enrol(challenge).await)),
            Action::Attest {
                challenge,
                ticket,
                tokens,
                secrets,
                authentications,
            } => {
                let wishes = (tokens, secrets, authentications);
                Some(Event::Attested(
                    self.attest(challenge, ticket, wishes).await,
                ))
            }
            Action::Relay {
                challenge,
                ticket,
                errand,
            } => Some(Event::Relayed(
                self.relay((challenge, ticket), *errand).await,
            )),
            Action::FetchTrust { etag } => {
                let response = self.send(exchange::trust(&self.config, etag)).await;
                Some(Event::TrustFetched(
                    response.and_then(exchange::trust_answer),
                ))
            }
            Action::Save { record, bytes } => self.store(record, Some(bytes)).await,
            Action::Erase(record) => self.store(record, None).await,
            Action::ForgetKey => {
                // A key that cannot be deleted is never used again either: its ticket is gone.
                self.hosts.attester.forget().await.ok();
                None
            }
            Action::Answer { call, answer } => {
                self.lock().tell(call, answer);
                None
            }
        }
    }

    async fn enrol(&self, challenge: Base64Url) -> Result<EnrolmentReply, Failure> {
        let attester = &self.hosts.attester;
        let evidence = attester
            .attest(EnrolmentChallenge {
                account: &self.config.account,
                bytes: challenge.as_slice(),
            })
            .await
            .map_err(|error| SdkError::from(Fault::Attester(error)))?;
        let payload = EnrolmentPayload {
            challenge,
            evidence,
            measurements: attester.measure().await,
            sdk: exchange::sdk_info(),
        };
        let unsigned = exchange::enrolment_payload(&self.config, &payload)?;
        let proof = self.sign(&unsigned.message).await?;
        let request = exchange::enrolment(&self.config, unsigned.payload, proof)?;
        exchange::read(&self.send(request).await?)
    }

    async fn attest(
        &self,
        challenge: Base64Url,
        ticket: Base64Url,
        (tokens, secrets, authentications): Wishes,
    ) -> Result<Box<AttestationReply>, Failure> {
        let (key, response_key) = response_key()?;
        let client_authentications = self.prove_instance(&challenge, authentications).await?;
        let payload = AttestationPayload {
            challenge,
            response_key,
            measurements: self.hosts.attester.measure().await,
            tokens,
            secrets,
            client_authentications,
            sdk: exchange::sdk_info(),
        };
        let unsigned = exchange::attestation_payload(&self.config, &ticket, &payload)?;
        let proof = self.sign(&unsigned.message).await?;
        let sent = (ticket, unsigned.payload.clone());
        let request = exchange::attestation(&self.config, sent, proof)?;
        let response = self.send(request).await?;
        exchange::open(&self.config, &response, (&key, &unsigned.payload))
    }

    /// Puts the instance's keys into the wishes, each with its proof for this challenge (W-22).
    async fn prove_instance(
        &self,
        challenge: &Base64Url,
        wishes: Vec<AuthenticationWish>,
    ) -> Result<Vec<ClientAuthenticationWish>, SdkError> {
        let mut proven = Vec::with_capacity(wishes.len());
        for wish in wishes {
            proven.push(match wish {
                AuthenticationWish::Assertion(upstream) => {
                    ClientAuthenticationWish::ClientAssertion { upstream }
                }
                AuthenticationWish::Attested(upstream) => {
                    let key = self.instance_key(&upstream, challenge).await?;
                    ClientAuthenticationWish::AttestedClient { upstream, key }
                }
            });
        }
        Ok(proven)
    }

    async fn instance_key(
        &self,
        upstream: &UpstreamName,
        challenge: &Base64Url,
    ) -> Result<InstanceKey, SdkError> {
        let device = self.lock().machine.device_id().cloned();
        let device = device.ok_or_else(mismatch)?;
        let purpose = KeyPurpose::instance_at(upstream);
        let fault = |error| SdkError::from(Fault::InstanceKey(error));
        let keys = &self.hosts.keys;
        let public_key = keys.public_key(&purpose).await.map_err(fault)?;
        let message = instance_key_bytes(
            &self.config.account,
            &device,
            upstream,
            challenge.as_slice(),
        );
        let proof = keys.sign(&purpose, &message).await.map_err(fault)?;
        Ok(InstanceKey {
            public_key: Base64Url(public_key),
            proof: Base64Url(proof),
        })
    }

    async fn relay(
        &self,
        (challenge, ticket): (Base64Url, Base64Url),
        errand: Errand,
    ) -> Result<Box<RelayReply>, Failure> {
        let (key, response_key) = response_key()?;
        let request = match errand.order {
            ErrandOrder::Order(order) => order,
            ErrandOrder::Register => RelayOrder::Register {
                key: self.instance_key(&errand.upstream, &challenge).await?,
            },
        };
        let route = exchange::relay_route(&errand.upstream, &request);
        let payload = RelayPayload {
            challenge,
            response_key,
            measurements: self.hosts.attester.measure().await,
            sdk: exchange::sdk_info(),
            upstream: errand.upstream,
            request,
            dpop: errand.dpop.map(|proof| proof.expose().to_owned()),
        };
        let unsigned = exchange::relay_payload(&self.config, &ticket, &payload)?;
        let proof = self.sign(&unsigned.message).await?;
        let sent = (ticket, unsigned.payload.clone());
        let request = exchange::relay(&self.config, sent, proof, &route)?;
        let response = self.send_for_sure(request).await?;
        exchange::open_relayed(&self.config, &response, (&key, &unsigned.payload))
    }

    /// Sends once more what may have arrived: the service answers the very same bytes with the very same answer.
    async fn send_for_sure(&self, request: ServiceRequest) -> Result<ServiceResponse, Failure> {
        match self.hosts.transport.send(request.clone()).await {
            Err(TransportError::Unreachable | TransportError::TimedOut) => self.send(request).await,
            outcome => outcome.map_err(|error| SdkError::from(Fault::Transport(error)).into()),
        }
    }

    async fn sign(&self, message: &[u8]) -> Result<bonafide_wire::proof::Proof, SdkError> {
        let proof = self.hosts.attester.sign(message).await;
        proof.map_err(|error| Fault::Attester(error).into())
    }

    async fn send(&self, request: ServiceRequest) -> Result<ServiceResponse, Failure> {
        let response = self.hosts.transport.send(request).await;
        response.map_err(|error| SdkError::from(Fault::Transport(error)).into())
    }

    /// What a broken vault cannot give counts as absent: the instance enrols again.
    async fn load(&self, record: Record) -> Option<Vec<u8>> {
        self.hosts.vault.load(record).await.ok().flatten()
    }

    /// What a broken vault cannot keep costs one more enrolment at the next start, and no answer now.
    async fn store(&self, record: Record, bytes: Option<Vec<u8>>) -> Option<Event> {
        self.hosts.vault.store(record, bytes).await.ok();
        None
    }
}

impl Work {
    /// Takes actions over. Answers that wait for nothing are given at once.
    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Answer { call, answer } if self.actions.is_empty() => {
                    self.tell(call, answer);
                }
                action => self.actions.push_back(action),
            }
        }
    }

    fn tell(&mut self, call: CallId, answer: Result<Answer, SdkError>) {
        if let Some(waiting) = self.waiting.remove(&call) {
            // A caller that went away does not mind.
            waiting.send(answer).ok();
        }
    }
}

/// A key for one reply, forgotten with it: what is captured cannot be opened later (W-10).
fn response_key() -> Result<(OpeningKey, ResponseKey), SdkError> {
    let key = OpeningKey::generate(Suite::X25519)
        .map_err(|_| SdkError::from(Fault::Reply(ReplyFault::Sealed)))?;
    let public = ResponseKey {
        suite: key.suite(),
        public_key: Base64Url(key.public_key().to_vec()),
    };
    Ok((key, public))
}

fn mismatch() -> SdkError {
    Fault::Reply(ReplyFault::Mismatch).into()
}
