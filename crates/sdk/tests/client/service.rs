//! A service that believes everybody: it answers in the protocol's bytes and counts what it was asked.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_sdk::host::{
    Attester, AttesterError, BoxFuture, Clock, EnrolmentChallenge, MemoryVault, ServiceMethod,
    ServiceRequest, ServiceResponse, ServiceTransport, TransportError, Vault,
};
use bonafide_sdk::{
    Bonafide, Host, Hosts, Measured, Measurements, PlatformEvidence, ProblemCode, Proof, SdkConfig,
    SecretUse, Withheld,
};
use bonafide_trust::author::{self, Role, signed_bytes};
use bonafide_trust::{Bundle, ManagedRoots, RootMetadata};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, AttestationRequest, ChallengeReply, EnrolmentReply,
    SealedReply, SecretOutcome, SecretWish, TokenOutcome, reply_info,
};
use bonafide_wire::envelope::key_id;
use bonafide_wire::ids::{AccountId, DeviceId, SupportId};
use bonafide_wire::problem::Problem;
use bonafide_wire::seal::seal;
use zeroize::Zeroizing;

/// Now, in these tests.
pub(crate) const NOW: i64 = 1_795_000_000;

pub(crate) struct Secret {
    pub(crate) value: String,
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) uses: Vec<SecretUse>,
}

pub(crate) struct State {
    pub(crate) bundle: Bundle,
    pub(crate) secrets: BTreeMap<&'static str, Secret>,
    pub(crate) refuse: Option<ProblemCode>,
    pub(crate) down: bool,
    /// Routes that were asked, in order.
    pub(crate) log: Vec<String>,
}

pub(crate) struct Service {
    key: EcdsaKeyPair,
    pub(crate) state: Mutex<State>,
}

impl Service {
    pub(crate) fn new() -> Arc<Self> {
        let bundle = Bundle {
            account: account(),
            version: 1,
            issued_at: NOW - 10,
            expires_at: NOW + 1000,
            root_version: 1,
            managed_roots: ManagedRoots::Off,
            roots: vec![],
            apis: vec![],
            upstreams: vec![],
        };
        Arc::new(Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            state: Mutex::new(State {
                bundle,
                secrets: BTreeMap::new(),
                refuse: None,
                down: false,
                log: Vec::new(),
            }),
        })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(crate) fn asked(&self, route: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.log.iter().filter(|asked| *asked == route).count()
    }

    pub(crate) fn client(self: &Arc<Self>) -> Bonafide {
        self.client_with(
            Arc::new(MemoryVault::default()),
            Arc::new(HandClock::default()),
        )
    }

    pub(crate) fn client_with(
        self: &Arc<Self>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
    ) -> Bonafide {
        let config = SdkConfig {
            service: "https://bonafide.example.com".to_owned(),
            account: account(),
            trust_root: key_id(self.key.public_key().as_ref()),
        };
        let hosts = Hosts {
            transport: Arc::new(Way(Arc::clone(self))),
            attester: Arc::new(Phone),
            keys: Arc::new(bonafide_sdk::host::NoKeys),
            vault,
            clock,
        };
        Bonafide::new(config, hosts)
    }

    fn answer(&self, request: &ServiceRequest) -> ServiceResponse {
        let mut state = self.state.lock().unwrap();
        let route = request.url.rsplit('/').next().unwrap().to_owned();
        state.log.push(route.clone());
        let body = match &request.method {
            ServiceMethod::Get => &[],
            ServiceMethod::Post(body) => body.as_slice(),
        };
        match route.as_str() {
            "trust-bundle" => self.trust(&state, request.if_none_match.as_deref()),
            "challenges" => json(&ChallengeReply {
                challenge: Base64Url(b"challenge".to_vec()),
                expires_at: NOW + 120,
                server_time: NOW,
            }),
            "enrolments" => json(&EnrolmentReply {
                device_id: DeviceId::from_bytes([1; 16]),
                ticket: Base64Url(b"ticket".to_vec()),
                ticket_expires_at: NOW + 1_000_000,
                server_time: NOW,
            }),
            "attestations" => attest(&state, body),
            other => panic!("unknown route {other}"),
        }
    }

    fn trust(&self, state: &State, etag: Option<&str>) -> ServiceResponse {
        let tag = format!("\"{}\"", state.bundle.version);
        if etag == Some(&tag) {
            return ServiceResponse {
                status: 304,
                ..ServiceResponse::default()
            };
        }
        let point = self.key.public_key().as_ref();
        let root = RootMetadata::single(account(), 1, i64::MAX, [point, point]);
        let sign = |role: Role, payload: Vec<u8>| {
            let message = signed_bytes(role, &account(), &payload);
            let signature = self.key.sign(&SystemRandom::new(), &message).unwrap();
            author::envelope(payload, &[(point, signature.as_ref().to_vec())])
        };
        let root = sign(Role::Root, author::root_payload(&root).unwrap());
        let bundle = sign(Role::Bundle, author::bundle_payload(&state.bundle).unwrap());
        ServiceResponse {
            status: 200,
            etag: Some(tag),
            body: author::reply(root, bundle).unwrap().into_bytes(),
            ..ServiceResponse::default()
        }
    }
}

fn attest(state: &State, body: &[u8]) -> ServiceResponse {
    if let Some(code) = state.refuse {
        let mut problem = Problem::new(code);
        problem.support_id = Some(SupportId::parse("K7Q2-9MXP").unwrap());
        problem.findings = Some(vec!["app-not-registered".to_owned()]);
        return ServiceResponse {
            status: problem.status,
            body: serde_json::to_vec(&problem).unwrap(),
            ..ServiceResponse::default()
        };
    }
    let request: AttestationRequest = serde_json::from_slice(body).unwrap();
    let payload: AttestationPayload = serde_json::from_slice(&request.payload.0).unwrap();
    let tokens = payload.tokens.iter().map(|wish| TokenOutcome::Issued {
        audience: wish.audience.clone(),
        token: match &wish.binding {
            Some(binding) => format!("token-for-{}-bound-{binding}", wish.audience).into(),
            None => format!("token-for-{}", wish.audience).into(),
        },
        expires_at: NOW + 300,
    });
    let reply = AttestationReply {
        device_id: DeviceId::from_bytes([1; 16]),
        ticket: Base64Url(b"ticket".to_vec()),
        ticket_expires_at: NOW + 1_000_000,
        server_time: NOW,
        trust_bundle_version: state.bundle.version,
        tokens: tokens.collect(),
        secrets: payload
            .secrets
            .iter()
            .map(|wish| state.secret(wish))
            .collect(),
        client_authentications: Vec::new(),
    };
    let key = &payload.response_key;
    let sealed = seal(
        key.suite,
        &key.public_key.0,
        &reply_info(&account()),
        digest(&SHA256, &request.payload.0).as_ref(),
        Zeroizing::new(serde_json::to_vec(&reply).unwrap()),
    );
    json(&SealedReply {
        sealed: sealed.unwrap(),
    })
}

impl State {
    fn secret(&self, wish: &SecretWish) -> SecretOutcome {
        let (name, host) = (wish.name.clone(), wish.host.clone());
        let withheld = |reason| SecretOutcome::Withheld {
            name: name.clone(),
            host: host.clone(),
            reason,
        };
        match self.secrets.get(wish.name.as_str()) {
            None => withheld(Withheld::UnknownSecret),
            Some(secret) if !secret.hosts.contains(&host.as_str()) => {
                withheld(Withheld::HostNotAllowed)
            }
            Some(secret) => SecretOutcome::Released {
                name,
                host,
                uses: secret.uses.clone(),
                value: secret.value.clone().into(),
                version: 1,
                expires_at: NOW + 60,
            },
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> ServiceResponse {
    ServiceResponse {
        status: 200,
        body: serde_json::to_vec(value).unwrap(),
        ..ServiceResponse::default()
    }
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("acme").unwrap()
}

pub(crate) fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

struct Way(Arc<Service>);

impl ServiceTransport for Way {
    fn send(
        &self,
        request: ServiceRequest,
    ) -> BoxFuture<'_, Result<ServiceResponse, TransportError>> {
        Box::pin(async move {
            // Let others run, as a network would.
            tokio::task::yield_now().await;
            if self.0.state.lock().unwrap().down {
                return Err(TransportError::Unreachable);
            }
            Ok(self.0.answer(&request))
        })
    }
}

struct Phone;

impl Attester for Phone {
    fn attest<'a>(
        &'a self,
        challenge: EnrolmentChallenge<'a>,
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>> {
        let chain = vec![Base64Url(challenge.bytes.to_vec())];
        Box::pin(core::future::ready(Ok(PlatformEvidence::AndroidKey {
            chain,
        })))
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Proof, AttesterError>> {
        let signature = Base64Url(digest(&SHA256, message).as_ref().to_vec());
        Box::pin(core::future::ready(Ok(Proof::EcdsaP256Sha256 {
            signature,
        })))
    }

    fn measure(&self) -> BoxFuture<'_, Measurements> {
        let none = Measured::NotMeasured;
        Box::pin(core::future::ready(Measurements {
            debugger: none,
            tracer: none,
            instrumentation: none,
            injected_libraries: none,
            code_modified: none,
            emulator: none,
            root: none,
            artifact_sha256: None,
        }))
    }

    fn forget(&self) -> BoxFuture<'_, Result<(), AttesterError>> {
        Box::pin(core::future::ready(Ok(())))
    }
}

/// A clock that stands at [`NOW`] until it is turned.
#[derive(Default)]
pub(crate) struct HandClock(Mutex<Duration>);

impl HandClock {
    pub(crate) fn turn(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for HandClock {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(1000) + *self.0.lock().unwrap()
    }

    fn wall(&self) -> i64 {
        NOW
    }
}
