//! A service with one account, one registered app and one phone; every test breaks what it wants to break.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use bonafide_evidence::{Policy, Preset};
use bonafide_server::app::commit::Plan;
use bonafide_server::app::{Service, Settings, new_account};
use bonafide_server::clock::Clock;
use bonafide_server::config::{Anchor, Api, App, Registration, RuntimeSecret, VersionedPolicy};
use bonafide_server::http::device_router;
use bonafide_server::http::frame::{Frame, Limits};
use bonafide_server::keys::Keys;
use bonafide_server::keys::master::{MasterKeys, WhenMissing};
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_server::store::{Actor, AuditEntry, Expectation, ObjectKey, ObjectKind, Store, Write};
use bonafide_server::tasks::Tasks;
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{AppUid, Factory, KeyAlias, KeyKind, Phone};
use bonafide_wire::admin::{Reference, TokenMode};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, AttestationRequest, ChallengePurpose, ChallengeReply,
    EnrolmentPayload, EnrolmentReply, EnrolmentRequest, PlatformEvidence, ResponseKey, SdkInfo,
    SealedReply, SecretUse, SecretWish, TokenWish, reply_info,
};
use bonafide_wire::ids::{AccountId, AppId, Host, PackageName, SecretName};
use bonafide_wire::platform::AnchoredEvidence;
use bonafide_wire::problem::Problem;
use bonafide_wire::proof::{Proof, Purpose, signed_bytes};
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::secret::SecretText;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

/// When everything happens.
pub(crate) const NOW: i64 = 1_795_600_000;
/// What must never be seen outside a sealed reply.
pub(crate) const CANARY: &str = "GOCSPX-canary-9f3b1c77";
pub(crate) const PACKAGE: &str = "dev.bonafide.books";
pub(crate) const TOKEN_API: &str = "api.books.example";
pub(crate) const NO_TOKEN_API: &str = "www.googleapis.com";
pub(crate) const SECRET_HOST: &str = "oauth2.googleapis.com";

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) router: Router,
    pub(crate) factory: Factory,
    /// The genuine app, signed once: each signing makes another file.
    pub(crate) apk: Apk,
    pub(crate) account: AccountId,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: Arc<AtomicI64>,
    _tasks: Tasks,
}

/// An installed app on a phone, before or after its enrolment.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) phone: Phone,
    pub(crate) app: AppUid,
    pub(crate) key: Option<KeyAlias>,
    pub(crate) ticket: Base64Url,
}

pub(crate) fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

pub(crate) fn books(developer: &SigningKey) -> Apk {
    Apk::builder(PACKAGE)
        .version(7, "1.7")
        .sign(developer)
        .unwrap()
}

impl World {
    /// Everything registered and allowed; the policy accepts development evidence.
    pub(crate) async fn new() -> Self {
        Self::over(|store| Arc::new(store)).await
    }

    /// The same, on a store that a test put something around.
    pub(crate) async fn over(wrap: impl FnOnce(SqliteStore) -> Arc<dyn Store>) -> Self {
        crate::log::capture();
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(NOW));
        let service = open(directory.path(), Arc::clone(&clock), wrap).await;
        let account = AccountId::parse("acme").unwrap();
        let factory = Factory::new(NOW).unwrap();
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", NOW).unwrap();
        let frame = Frame::new("device", &Limits::default());
        let mut tasks = Tasks::default();
        let recording = Arc::clone(&service);
        tasks.spawn("record-verdicts", move |stop| {
            let service = Arc::clone(&recording);
            async move { service.recorder().run(service.store(), stop).await }
        });
        let world = Self {
            router: device_router(&service, &frame),
            service,
            factory,
            apk: books(&developer),
            account,
            directory,
            clock,
            _tasks: tasks,
        };
        world.set_up().await;
        world
    }

    async fn set_up(&self) {
        let id = self.account.clone();
        let order = new_account::NewAccountOrder {
            id: &id,
            name: "Acme",
            author: "test",
            now: NOW,
        };
        let keys = self.service.keys();
        self.write(new_account::writes_for(keys, &order).unwrap())
            .await;
        let app = App {
            name: "Books".to_owned(),
            android_package: Some(PackageName::parse(PACKAGE).unwrap()),
            apple_app_id: None,
            created_at: NOW,
        };
        let anchor = Anchor {
            evidence: AnchoredEvidence::AndroidKey,
            certificate: Base64Url(self.factory.root_certificate_der().to_vec()),
            added_by: "test".to_owned(),
            added_at: NOW,
        };
        let api = |token| Api {
            token,
            added_at: NOW,
        };
        self.write(vec![
            self.put(ObjectKind::App, "books", &app),
            self.put(ObjectKind::Anchor, "simulator", &anchor),
            self.put(ObjectKind::Api, TOKEN_API, &api(TokenMode::Token)),
            self.put(ObjectKind::Api, NO_TOKEN_API, &api(TokenMode::NoToken)),
        ])
        .await;
        self.set_policy(&[("development", "observe")]).await;
        self.register(&self.apk).await;
        self.set_secret(CANARY, 1).await;
    }

    pub(crate) fn put<T: Serialize>(&self, kind: ObjectKind, id: &str, body: &T) -> Write {
        let key = ObjectKey::of(&self.account, kind, id);
        Write::put(key, Expectation::Any, body).unwrap()
    }

    /// Commits a change as an admin use case would.
    pub(crate) async fn write(&self, writes: Vec<Write>) {
        let plan = |_: &_| {
            Ok(Plan {
                writes: writes.clone(),
                audit: AuditEntry {
                    at: NOW,
                    account: Some(self.account.clone()),
                    actor: Actor("test".to_owned()),
                    action: "test.set-up",
                    object: String::new(),
                    details: serde_json::Value::Null,
                },
                reply: None,
                answer: (),
            })
        };
        self.service.commit(plan).await.unwrap();
    }

    pub(crate) async fn set_policy(&self, changes: &[(&str, &str)]) {
        let mut policy = Policy::preset(Preset::Default);
        for (key, value) in changes {
            policy.set(key, value).unwrap();
        }
        let policy = VersionedPolicy {
            version: 2,
            policy,
            author: "test".to_owned(),
            updated_at: NOW,
        };
        let key = ObjectKey::only(&self.account, ObjectKind::Policy);
        self.write(vec![Write::put(key, Expectation::Any, &policy).unwrap()])
            .await;
    }

    pub(crate) async fn register(&self, apk: &Apk) {
        let registration = Registration {
            app: AppId::parse("books").unwrap(),
            reference: Reference::Build {
                package: PackageName::parse(apk.package()).unwrap(),
                version_code: apk.version_code(),
                signers: vec![hex::encode(apk.signer())],
                artifact_sha256: hex::encode(apk.sha256()),
            },
            label: "test".to_owned(),
            added_by: "test".to_owned(),
            added_at: NOW,
            expires_at: None,
        };
        self.write(vec![self.put(
            ObjectKind::Registration,
            "reg_1",
            &registration,
        )])
        .await;
    }

    pub(crate) async fn set_secret(&self, value: &str, version: u64) {
        let name = SecretName::parse("client_secret").unwrap();
        let value = SecretText::new(value.to_owned());
        let keys = self.service.keys();
        let secret = RuntimeSecret {
            hosts: vec![host(SECRET_HOST)],
            uses: vec![SecretUse::Oauth],
            apps: vec![AppId::parse("books").unwrap()],
            life_seconds: 300,
            version,
            sealed: keys
                .seal_secret(&self.account, &name, version, &value)
                .unwrap(),
            updated_at: NOW,
        };
        self.write(vec![self.put(ObjectKind::Secret, name.as_str(), &secret)])
            .await;
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// A new phone with that app installed.
    pub(crate) fn phone_with(&self, apk: &Apk) -> Instance {
        let phone = Phone::builder("Test phone")
            .build(&self.factory, NOW)
            .unwrap();
        let app = phone.install(apk).unwrap();
        Instance {
            phone,
            app,
            key: None,
            ticket: Base64Url(Vec::new()),
        }
    }

    pub(crate) fn genuine(&self) -> Instance {
        self.phone_with(&self.apk)
    }

    pub(crate) fn url(&self, route: &str) -> String {
        format!("/v1/{}/{route}", self.account)
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn post<T: Serialize>(&self, route: &str, body: &T) -> Response<Body> {
        let bytes = serde_json::to_vec(body).unwrap();
        self.post_bytes(&self.url(route), bytes).await
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn challenge(&self, purpose: ChallengePurpose) -> Base64Url {
        let body = serde_json::json!({ "purpose": purpose });
        let reply: ChallengeReply = read(self.post("challenges", &body).await).await;
        reply.challenge
    }

    /// A good enrolment request of an instance; its key is new.
    pub(crate) async fn enrolment(&self, instance: &mut Instance) -> EnrolmentRequest {
        let challenge = self.challenge(ChallengePurpose::Enrolment).await;
        self.enrolment_over(instance, challenge.clone(), &challenge)
    }

    /// With a challenge of its own in the evidence.
    pub(crate) fn enrolment_over(
        &self,
        instance: &mut Instance,
        challenge: Base64Url,
        attested: &Base64Url,
    ) -> EnrolmentRequest {
        let (key, chain) = instance
            .phone
            .generate_key(instance.app, attested.as_slice(), self.now())
            .unwrap();
        instance.key = Some(key);
        let payload = EnrolmentPayload {
            challenge,
            evidence: PlatformEvidence::AndroidKey {
                chain: chain.into_iter().map(Base64Url).collect(),
            },
            measurements: instance.phone.measure(instance.app).unwrap(),
            sdk: sdk(),
        };
        let payload = serde_json::to_vec(&payload).unwrap();
        EnrolmentRequest {
            proof: self.prove(instance, Purpose::Enrolment, &[], &payload),
            payload: Base64Url(payload),
        }
    }

    pub(crate) fn prove(
        &self,
        instance: &Instance,
        purpose: Purpose,
        attachment: &[u8],
        payload: &[u8],
    ) -> Proof {
        let message = signed_bytes(purpose, &self.account, attachment, payload);
        let key = instance.key.as_ref().unwrap();
        let signature = instance.phone.sign(instance.app, key, &message).unwrap();
        Proof::EcdsaP256Sha256 {
            signature: Base64Url(signature),
        }
    }

    /// Enrols an instance, which must be allowed.
    pub(crate) async fn enrol(&self, instance: &mut Instance) -> EnrolmentReply {
        let request = self.enrolment(instance).await;
        let reply: EnrolmentReply = read(self.post("enrolments", &request).await).await;
        instance.ticket = reply.ticket.clone();
        reply
    }

    /// A good attestation payload, and the key that opens its reply.
    pub(crate) async fn asking(&self, instance: &Instance) -> (AttestationPayload, OpeningKey) {
        let key = OpeningKey::generate(Suite::X25519).unwrap();
        let payload = AttestationPayload {
            challenge: self.challenge(ChallengePurpose::Attestation).await,
            response_key: ResponseKey {
                suite: key.suite(),
                public_key: Base64Url(key.public_key().to_vec()),
            },
            measurements: instance.phone.measure(instance.app).unwrap(),
            tokens: vec![TokenWish {
                audience: host(TOKEN_API),
                binding: None,
            }],
            secrets: vec![SecretWish {
                name: SecretName::parse("client_secret").unwrap(),
                host: host(SECRET_HOST),
            }],
            client_authentications: Vec::new(),
            sdk: sdk(),
        };
        (payload, key)
    }

    pub(crate) fn signed(
        &self,
        instance: &Instance,
        payload: &AttestationPayload,
    ) -> AttestationRequest {
        let payload = serde_json::to_vec(payload).unwrap();
        let ticket = instance.ticket.clone();
        AttestationRequest {
            proof: self.prove(instance, Purpose::Attestation, ticket.as_slice(), &payload),
            ticket,
            payload: Base64Url(payload),
        }
    }

    /// Attests an instance, which must be allowed.
    pub(crate) async fn attest(&self, instance: &mut Instance) -> AttestationReply {
        let (payload, key) = self.asking(instance).await;
        self.attest_with(instance, &payload, &key).await
    }

    pub(crate) async fn attest_with(
        &self,
        instance: &mut Instance,
        payload: &AttestationPayload,
        key: &OpeningKey,
    ) -> AttestationReply {
        let request = self.signed(instance, payload);
        let sealed: SealedReply = read(self.post("attestations", &request).await).await;
        let reply = self.open(&sealed, &request, key).unwrap();
        instance.ticket = reply.ticket.clone();
        reply
    }

    pub(crate) fn open(
        &self,
        sealed: &SealedReply,
        request: &AttestationRequest,
        key: &OpeningKey,
    ) -> Option<AttestationReply> {
        use aws_lc_rs::digest::{SHA256, digest};
        let aad = digest(&SHA256, request.payload.as_slice());
        let plain = key
            .open(&sealed.sealed, &reply_info(&self.account), aad.as_ref())
            .ok()?;
        Some(serde_json::from_slice(&plain).unwrap())
    }

    /// The recorded verdict, once it is written down.
    pub(crate) async fn verdict(&self, problem: &Problem) -> bonafide_wire::admin::VerdictView {
        let id = problem.support_id.as_ref().unwrap();
        loop {
            let store = self.service.store();
            if let Some(view) = store.verdict(&self.account, id).await.unwrap() {
                return view;
            }
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn sdk() -> SdkInfo {
    SdkInfo {
        name: "test".to_owned(),
        version: "0".to_owned(),
    }
}

/// The service on a directory, as a start would open it.
pub(crate) async fn open(
    directory: &Path,
    clock: Arc<AtomicI64>,
    wrap: impl FnOnce(SqliteStore) -> Arc<dyn Store>,
) -> Arc<Service> {
    let master = MasterKeys::load(&directory.join("master.key"), WhenMissing::Create).unwrap();
    let store = SqliteStore::open(&directory.join("bonafide.db")).unwrap();
    let clock = Clock::from_fn(move || clock.load(Ordering::SeqCst));
    let settings = Settings {
        public_url: "https://attest.example.com".to_owned(),
        outbound: bonafide_server::upstream::OutboundOptions::default(),
    };
    let keys = Keys::new(&master).unwrap();
    Service::open(wrap(store), keys, clock, settings)
        .await
        .unwrap()
}

/// A good reply's body.
pub(crate) async fn read<T: DeserializeOwned>(response: Response<Body>) -> T {
    let status = response.status();
    let body = bytes_of(response).await;
    assert!(
        status.is_success(),
        "{status}: {:.300}",
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).unwrap()
}

/// A failure's document; nothing else may come out of the service.
pub(crate) async fn problem(response: Response<Body>) -> Problem {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).cloned();
    let media = header(header::CONTENT_TYPE);
    let request_id = header(header::HeaderName::from_static("x-request-id"));
    let body = bytes_of(response).await;
    assert_eq!(
        media.as_ref().map(header::HeaderValue::as_bytes),
        Some(b"application/problem+json".as_slice()),
        "{status}: {}",
        String::from_utf8_lossy(&body)
    );
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem.status, status);
    assert_eq!(
        problem.instance.as_deref().map(str::as_bytes),
        request_id.as_ref().map(header::HeaderValue::as_bytes)
    );
    problem
}

pub(crate) async fn bytes_of(response: Response<Body>) -> Vec<u8> {
    axum::body::to_bytes(response.into_body(), 16 << 20)
        .await
        .unwrap()
        .to_vec()
}
