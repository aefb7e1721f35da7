//! Plays events and writes actions down as short lines.

use core::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_sdk::machine::{
    Action, Answer, AuthenticationWish, Errand, ErrandOrder, Event, Failure, Machine, Moment,
    TrustAnswer, Urgency,
};
use bonafide_sdk::{Fault, Freshness, Host, ProblemCode, SdkConfig, SdkError, SecretName, Wish};
use bonafide_trust::author::{self, Role, signed_bytes};
use bonafide_trust::{Bundle, ManagedRoots, RootMetadata};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationReply, ChallengePurpose, ChallengeReply, EnrolmentReply, SecretOutcome, SecretUse,
    TokenOutcome, Withheld,
};
use bonafide_wire::envelope::key_id;
use bonafide_wire::ids::{AccountId, DeviceId, UpstreamName};
use bonafide_wire::upstream::{ClientAuthenticationOutcome, RelayReply, RelayedHeaders};

/// The service's clock at the beginning.
pub(crate) const SERVER: i64 = 2_000_000;
/// The device's wall clock is wrong on purpose.
pub(crate) const WALL: i64 = 77;
pub(crate) const MONTH: i64 = 30 * 86_400;

pub(crate) fn config() -> SdkConfig {
    SdkConfig {
        service: "https://bonafide.example.com".to_owned(),
        account: AccountId::parse("acme").unwrap(),
        trust_root: Base64Url(vec![1; 32]),
    }
}

pub(crate) fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

pub(crate) fn upstream(name: &str) -> UpstreamName {
    UpstreamName::parse(name).unwrap()
}

pub(crate) fn attested(name: &str, key: u8) -> Wish {
    Wish::ClientAttestation {
        upstream: upstream(name),
        public_key: Base64Url(vec![key]),
    }
}

pub(crate) fn assertion(name: &str, request: u64) -> Wish {
    Wish::ClientAssertion {
        upstream: upstream(name),
        request,
    }
}

pub(crate) fn token(audience: &str) -> Wish {
    Wish::Token {
        audience: host(audience),
        binding: None,
    }
}

pub(crate) fn secret(name: &str, at: &str) -> Wish {
    Wish::Secret {
        name: SecretName::parse(name).unwrap(),
        host: host(at),
    }
}

pub(crate) struct Script {
    pub(crate) machine: Machine,
    pub(crate) now: Moment,
}

impl Script {
    /// A machine of an instance that was never enrolled, with an empty vault, already loaded.
    pub(crate) fn fresh() -> Self {
        let mut script = Self::unloaded(config());
        assert_eq!(script.ask(1000, token("load.example.com")), ["load"]);
        let lines = script.loaded(None, None);
        assert_eq!(lines, ["challenge enrolment"]);
        script.transport_fails_everybody();
        script
    }

    /// A machine of an enrolled instance with ticket `t0`.
    pub(crate) fn enrolled() -> Self {
        let mut script = Self::fresh();
        assert_eq!(script.ask(1000, Wish::Enrolment), ["challenge enrolment"]);
        assert_eq!(script.challenge("c0"), ["enrol c0"]);
        assert_eq!(
            script.enrol("t0"),
            ["save enrolment t0", "answer 1000 enrolled"]
        );
        script
    }

    pub(crate) fn unloaded(config: SdkConfig) -> Self {
        Self {
            machine: Machine::new(config),
            now: Moment {
                monotonic: Duration::from_secs(50_000),
                wall: WALL,
            },
        }
    }

    fn transport_fails_everybody(&mut self) {
        let unreachable = Fault::Transport(bonafide_sdk::host::TransportError::Unreachable);
        let failure = SdkError::from(unreachable).into();
        let lines = self.play(Event::Challenged(Err(failure)));
        assert_eq!(lines, ["answer 1000 error service-unreachable"]);
    }

    pub(crate) fn play(&mut self, event: Event) -> Vec<String> {
        self.machine
            .step(event, self.now)
            .iter()
            .map(describe)
            .collect()
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        // Whatever the wall clock does meanwhile.
        self.now.wall = WALL - i64::try_from(seconds).unwrap() * 3;
    }

    fn server_time(&self) -> i64 {
        SERVER + i64::try_from(self.now.monotonic.as_secs()).unwrap() - 50_000
    }

    pub(crate) fn loaded(
        &mut self,
        enrolment: Option<&str>,
        trust: Option<Vec<u8>>,
    ) -> Vec<String> {
        self.play(Event::Loaded {
            enrolment: enrolment.map(|text| text.as_bytes().to_vec()),
            trust,
        })
    }

    pub(crate) fn ask(&mut self, call: u64, wish: Wish) -> Vec<String> {
        self.play(Event::Asked { call, wish })
    }

    pub(crate) fn ask_trust(&mut self, call: u64, urgency: Urgency) -> Vec<String> {
        self.play(Event::TrustAsked { call, urgency })
    }

    pub(crate) fn challenge(&mut self, challenge: &str) -> Vec<String> {
        let server_time = self.server_time();
        self.play(Event::Challenged(Ok(ChallengeReply {
            challenge: Base64Url(challenge.as_bytes().to_vec()),
            expires_at: server_time + 120,
            server_time,
        })))
    }

    pub(crate) fn enrol(&mut self, ticket: &str) -> Vec<String> {
        let server_time = self.server_time();
        self.play(Event::Enrolled(Ok(EnrolmentReply {
            device_id: DeviceId::from_bytes([7; 16]),
            ticket: Base64Url(ticket.as_bytes().to_vec()),
            ticket_expires_at: server_time + MONTH,
            server_time,
        })))
    }

    pub(crate) fn attest(&mut self, ticket: &str, outcomes: Outcomes) -> Vec<String> {
        let reply = self.reply(ticket, outcomes);
        self.play(Event::Attested(Ok(Box::new(reply))))
    }

    pub(crate) fn reply(&self, ticket: &str, outcomes: Outcomes) -> AttestationReply {
        let server_time = self.server_time();
        AttestationReply {
            device_id: DeviceId::from_bytes([7; 16]),
            ticket: Base64Url(ticket.as_bytes().to_vec()),
            ticket_expires_at: server_time + MONTH,
            server_time,
            trust_bundle_version: outcomes.trust_version,
            tokens: outcomes
                .tokens
                .into_iter()
                .map(|outcome| outcome.at(server_time))
                .collect(),
            secrets: outcomes
                .secrets
                .into_iter()
                .map(|outcome| outcome.at(server_time))
                .collect(),
            client_authentications: outcomes
                .credentials
                .into_iter()
                .map(|(name, value, life)| ClientAuthenticationOutcome::Issued {
                    upstream: upstream(&name),
                    value: value.into(),
                    expires_at: server_time + life,
                })
                .collect(),
        }
    }

    pub(crate) fn send_on_errand(&mut self, call: u64, name: &str) -> Vec<String> {
        let errand = Errand {
            upstream: upstream(name),
            order: ErrandOrder::Register,
            dpop: None,
        };
        let errand = Box::new(errand);
        self.play(Event::RelayAsked { call, errand })
    }

    pub(crate) fn relay(&mut self, ticket: &str, status: u16) -> Vec<String> {
        let reply = self.relay_reply(ticket, status);
        self.play(Event::Relayed(Ok(Box::new(reply))))
    }

    pub(crate) fn relay_reply(&self, ticket: &str, status: u16) -> RelayReply {
        let server_time = self.server_time();
        RelayReply {
            ticket: Base64Url(ticket.as_bytes().to_vec()),
            ticket_expires_at: server_time + MONTH,
            server_time,
            status,
            headers: RelayedHeaders::default(),
            body: String::new().into(),
            refresh_token_kept: false,
        }
    }

    pub(crate) fn relay_fails(&mut self, failure: Failure) -> Vec<String> {
        self.play(Event::Relayed(Err(failure)))
    }

    pub(crate) fn attestation_fails(&mut self, failure: Failure) -> Vec<String> {
        self.play(Event::Attested(Err(failure)))
    }

    pub(crate) fn enrolment_fails(&mut self, failure: Failure) -> Vec<String> {
        self.play(Event::Enrolled(Err(failure)))
    }
}

/// Outcomes to come, with lives instead of times.
#[derive(Default)]
pub(crate) struct Outcomes {
    tokens: Vec<GivenToken>,
    secrets: Vec<GivenSecret>,
    credentials: Vec<(String, String, i64)>,
    trust_version: u64,
}

enum GivenToken {
    Issued(String, String, i64),
    Withheld(String, Withheld),
}

enum GivenSecret {
    Released(String, String, String, i64),
    Withheld(String, String, Withheld),
}

impl Outcomes {
    pub(crate) fn token(mut self, audience: &str, token: &str, life: i64) -> Self {
        self.tokens
            .push(GivenToken::Issued(audience.into(), token.into(), life));
        self
    }

    pub(crate) fn no_token(mut self, audience: &str, reason: Withheld) -> Self {
        self.tokens
            .push(GivenToken::Withheld(audience.into(), reason));
        self
    }

    pub(crate) fn secret(mut self, name: &str, host: &str, value: &str, life: i64) -> Self {
        let secret = GivenSecret::Released(name.into(), host.into(), value.into(), life);
        self.secrets.push(secret);
        self
    }

    pub(crate) fn no_secret(mut self, name: &str, host: &str, reason: Withheld) -> Self {
        self.secrets
            .push(GivenSecret::Withheld(name.into(), host.into(), reason));
        self
    }

    pub(crate) fn credential(mut self, upstream: &str, value: &str, life: i64) -> Self {
        self.credentials.push((upstream.into(), value.into(), life));
        self
    }

    pub(crate) fn trust(mut self, version: u64) -> Self {
        self.trust_version = version;
        self
    }
}

impl GivenToken {
    fn at(self, server_time: i64) -> TokenOutcome {
        match self {
            Self::Issued(audience, token, life) => TokenOutcome::Issued {
                audience: host(&audience),
                token: token.into(),
                expires_at: server_time + life,
            },
            Self::Withheld(audience, reason) => TokenOutcome::Withheld {
                audience: host(&audience),
                reason,
            },
        }
    }
}

impl GivenSecret {
    fn at(self, server_time: i64) -> SecretOutcome {
        match self {
            Self::Released(name, at, value, life) => SecretOutcome::Released {
                name: SecretName::parse(name).unwrap(),
                host: host(&at),
                uses: vec![SecretUse::Header],
                value: value.into(),
                version: 1,
                expires_at: server_time + life,
            },
            Self::Withheld(name, at, reason) => SecretOutcome::Withheld {
                name: SecretName::parse(name).unwrap(),
                host: host(&at),
                reason,
            },
        }
    }
}

/// A problem of the service, by its code.
pub(crate) fn problem(code: ProblemCode) -> Failure {
    SdkError::from(Fault::Problem(code)).into()
}

/// A refusal that carries a ticket (W-9).
pub(crate) fn refused_with(ticket: &str) -> Failure {
    Failure {
        ticket: Some(Base64Url(ticket.as_bytes().to_vec())),
        ..problem(ProblemCode::AttestationRefused)
    }
}

fn text(bytes: &Base64Url) -> String {
    String::from_utf8(bytes.0.clone()).unwrap()
}

pub(crate) fn describe(action: &Action) -> String {
    match action {
        Action::Load => "load".to_owned(),
        Action::RequestChallenge(ChallengePurpose::Relay) => "challenge relay".to_owned(),
        Action::RequestChallenge(ChallengePurpose::Enrolment) => "challenge enrolment".to_owned(),
        Action::RequestChallenge(ChallengePurpose::Attestation) => {
            "challenge attestation".to_owned()
        }
        Action::Enrol { challenge } => format!("enrol {}", text(challenge)),
        Action::Relay {
            challenge,
            ticket,
            errand,
        } => format!(
            "relay {} {} {}",
            text(challenge),
            text(ticket),
            errand.upstream
        ),
        Action::Attest {
            challenge,
            ticket,
            tokens,
            secrets,
            authentications,
        } => {
            let authentications = authentications.iter().map(|wish| match wish {
                AuthenticationWish::Attested(upstream) => format!(" attested:{upstream}"),
                AuthenticationWish::Assertion(upstream) => format!(" assertion:{upstream}"),
            });
            let tokens = tokens.iter().map(|wish| format!(" {}", wish.audience));
            let secrets = secrets
                .iter()
                .map(|wish| format!(" {}@{}", wish.name, wish.host));
            let wishes: String = tokens.chain(secrets).chain(authentications).collect();
            format!("attest {} {}:{wishes}", text(challenge), text(ticket))
        }
        Action::FetchTrust { etag } => match etag {
            Some(etag) => format!("fetch-trust {etag}"),
            None => "fetch-trust".to_owned(),
        },
        Action::Save { record, bytes } => {
            let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            match json.get("ticket").and_then(|ticket| ticket.as_str()) {
                Some(ticket) => {
                    let ticket = text(&Base64Url::parse(ticket).unwrap());
                    format!("save {} {ticket}", record.name())
                }
                None => format!("save {}", record.name()),
            }
        }
        Action::Erase(record) => format!("erase {}", record.name()),
        Action::ForgetKey => "forget-key".to_owned(),
        Action::Answer { call, answer } => format!("answer {call} {}", describe_answer(answer)),
    }
}

fn describe_answer(answer: &Result<Answer, SdkError>) -> String {
    match answer {
        Ok(Answer::Enrolled) => "enrolled".to_owned(),
        Ok(Answer::Token(token)) => format!("token {}", token.expose()),
        Ok(Answer::Credential(credential)) => format!("credential {}", credential.expose()),
        Ok(Answer::Relayed(relayed)) => format!("relayed {}", relayed.status),
        Ok(Answer::Secret(secret)) => format!("secret {}", secret.expose()),
        Ok(Answer::Trust(trust)) => {
            let stale = match trust.freshness() {
                Freshness::Fresh => "",
                Freshness::Stale => " stale",
            };
            let problem = trust
                .problem()
                .map(|error| format!(" despite {}", error.code()))
                .unwrap_or_default();
            format!("trust {}{stale}{problem}", trust.epoch())
        }
        Err(error) => match error.retry_after() {
            Some(wait) => format!("error {} wait {}", error.code(), wait.as_secs()),
            None => format!("error {}", error.code()),
        },
    }
}

/// A key that signs trust metadata for one account.
pub(crate) struct TrustAuthor(EcdsaKeyPair);

impl TrustAuthor {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn config(&self) -> SdkConfig {
        SdkConfig {
            trust_root: key_id(self.0.public_key().as_ref()),
            ..config()
        }
    }

    /// A reply with this bundle version, good for `life` seconds from [`SERVER`].
    pub(crate) fn reply(&self, version: u64, life: i64) -> Vec<u8> {
        let account = config().account;
        let point = self.0.public_key().as_ref();
        let root = RootMetadata::single(account.clone(), 1, i64::MAX, [point, point]);
        let bundle = Bundle {
            account: account.clone(),
            version,
            issued_at: 1,
            expires_at: SERVER + life,
            root_version: 1,
            managed_roots: ManagedRoots::Off,
            roots: vec![],
            apis: vec![],
            upstreams: vec![],
        };
        let sign = |role: Role, payload: Vec<u8>| {
            let message = signed_bytes(role, &account, &payload);
            let signature = self.0.sign(&SystemRandom::new(), &message).unwrap();
            author::envelope(payload, &[(point, signature.as_ref().to_vec())])
        };
        let root = sign(Role::Root, author::root_payload(&root).unwrap());
        let bundle = sign(Role::Bundle, author::bundle_payload(&bundle).unwrap());
        author::reply(root, bundle).unwrap().into_bytes()
    }
}

pub(crate) fn document(bytes: Vec<u8>, etag: &str) -> Event {
    Event::TrustFetched(Ok(TrustAnswer::Document {
        bytes,
        etag: Some(etag.to_owned()),
    }))
}
