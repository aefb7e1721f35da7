//! A running service with one registered app, and phones to run it on.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use bonafide_sdk::adaptor::{ReqwestTransport, Roots, SystemClock};
use bonafide_sdk::host::{
    Attester, AttesterError, BoxFuture, Clock, EnrolmentChallenge, MemoryVault, ServiceMethod,
    ServiceRequest, ServiceResponse, ServiceTransport, TransportError,
};
use bonafide_sdk::{
    Bonafide, Host, Hosts, Measurements, PlatformEvidence, Proof, SdkConfig, SecretName,
};
use bonafide_server::{Running, ServeOptions, Server};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{AppUid, Factory, KeyAlias, KeyKind, Phone};
use bonafide_wire::bytes::Base64Url;
use serde_json::{Value, json};

pub(crate) const API: &str = "api.books.example";
pub(crate) const SECRET_HOST: &str = "oauth2.googleapis.com";
pub(crate) const CANARY: &str = "GOCSPX-canary-58c1";
const PACKAGE: &str = "dev.bonafide.books";

pub(crate) fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

pub(crate) fn secret_name() -> SecretName {
    SecretName::parse("client_secret").unwrap()
}

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) factory: Factory,
    pub(crate) developer: SigningKey,
    pub(crate) apk: Apk,
    config: SdkConfig,
    pub(crate) http: reqwest::Client,
    session: String,
    _directory: tempfile::TempDir,
}

impl World {
    /// Everything set up but the registration of the build.
    pub(crate) async fn unregistered() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = ServeOptions::on_loopback(directory.path());
        let running = Server::start(options).await.unwrap();
        let now = SystemClock::new().wall();
        let factory = Factory::new(now).unwrap();
        let developer = SigningKey::generate(KeyKind::EcP256, "Developer", now).unwrap();
        let apk = Apk::builder(PACKAGE)
            .version(7, "1.7")
            .sign(&developer)
            .unwrap();
        let http = client();
        let session = open_session(&http, &running).await;
        let mut world = Self {
            running,
            factory,
            developer,
            apk,
            config: SdkConfig {
                service: String::new(),
                account: bonafide_wire::ids::AccountId::parse("default").unwrap(),
                trust_root: Base64Url(Vec::new()),
            },
            http,
            session,
            _directory: directory,
        };
        world.set_up().await;
        world
    }

    /// The same with the build registered.
    pub(crate) async fn new() -> Self {
        let world = Self::unregistered().await;
        world.register(&world.apk).await;
        world
    }

    async fn set_up(&mut self) {
        let view = self.admin("GET", "sdk-config", Value::Null).await;
        self.config = SdkConfig::parse(view["config"].as_str().unwrap()).unwrap();
        let root = json!({ "certificate_pem": self.factory.root_certificate_pem() });
        self.admin("PUT", "anchors/simulator", root).await;
        let mut policy = bonafide_evidence::Policy::preset(bonafide_evidence::Preset::Default);
        policy.set("development", "observe").unwrap();
        policy.set("rejection-reasons", "on").unwrap();
        let policy = serde_json::to_value(&policy).unwrap();
        self.admin("PUT", "policy", policy).await;
        self.admin("PUT", &format!("apis/{API}"), json!({ "token": "token" }))
            .await;
        let no_token = json!({ "token": "no-token" });
        self.admin("PUT", &format!("apis/{SECRET_HOST}"), no_token)
            .await;
        self.set_secret(CANARY, 300).await;
    }

    pub(crate) async fn set_secret(&self, value: &str, life_seconds: u32) {
        let secret = json!({
            "value": value, "hosts": [SECRET_HOST], "uses": ["oauth"], "apps": null,
            "life_seconds": life_seconds,
        });
        self.admin("PUT", "secrets/client_secret", secret).await;
    }

    pub(crate) async fn register(&self, apk: &Apk) {
        let registration = json!({
            "app": null, "label": "test", "expires_at": null,
            "reference": {
                "kind": "build", "package": apk.package(), "version_code": apk.version_code(),
                "signers": [hex(apk.signer())], "artifact_sha256": hex(apk.sha256()),
            },
        });
        self.admin("POST", "registrations", registration).await;
    }

    /// Calls an admin route below the account; it must succeed.
    pub(crate) async fn admin(&self, method: &str, route: &str, body: Value) -> Value {
        let url = format!(
            "http://{}/admin/v1/accounts/default/{route}",
            self.running.admin_addr
        );
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .bearer_auth(&self.session);
        if route == "policy" {
            request = request.header("if-match", "*");
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{method} {route}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A `GET` below the account's device routes.
    pub(crate) async fn device_get(&self, route: &str) -> Value {
        let url = self.config.url(route);
        let response = self.http.get(url).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// A `POST` of exact bytes to the account's device routes.
    pub(crate) async fn device_post(&self, route: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request = self
            .http
            .post(self.config.url(route))
            .header("content-type", "application/json")
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.bytes().await.unwrap().to_vec())
    }

    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    pub(crate) fn phone(&self) -> Phone {
        let now = SystemClock::new().wall();
        Phone::builder("Test phone")
            .build(&self.factory, now)
            .unwrap()
    }

    /// The genuine app on a new, locked phone.
    pub(crate) fn genuine(&self) -> Instance {
        self.on(self.phone(), &self.apk)
    }

    /// An app, installed on a phone and started.
    pub(crate) fn on(&self, phone: Phone, apk: &Apk) -> Instance {
        let app = phone.install(apk).unwrap();
        let clock = Arc::new(TurnedClock::default());
        let tap = Arc::new(Tap::new());
        let key = KeyStore {
            phone: phone.clone(),
            app,
            clock: Arc::clone(&clock),
            present: Mutex::new(None),
        };
        let hosts = Hosts {
            transport: Arc::clone(&tap) as Arc<dyn ServiceTransport>,
            keys: Arc::new(bonafide_sdk::host::NoKeys),
            attester: Arc::new(key),
            vault: Arc::new(MemoryVault::default()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        Instance {
            sdk: Bonafide::new(self.config.clone(), hosts),
            phone,
            app,
            tap,
            clock,
        }
    }
}

/// A started app.
pub(crate) struct Instance {
    pub(crate) sdk: Bonafide,
    pub(crate) phone: Phone,
    pub(crate) app: AppUid,
    pub(crate) tap: Arc<Tap>,
    pub(crate) clock: Arc<TurnedClock>,
}

fn client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

async fn open_session(http: &reqwest::Client, running: &Running) -> String {
    let credential = running.first_credential.as_ref().unwrap();
    let response = http
        .post(format!("http://{}/admin/v1/sessions", running.admin_addr))
        .bearer_auth(credential.secret.expose())
        .json(&json!({ "role": "admin" }))
        .send()
        .await
        .unwrap();
    let session: Value = response.json().await.unwrap();
    session["session"].as_str().unwrap().to_owned()
}

fn hex(bytes: [u8; 32]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// One request and its answer, as somebody sees them who sits on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) route: String,
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
}

type Alteration = fn(&str, Vec<u8>) -> Vec<u8>;

/// The way to the service, with somebody listening on it, who may alter requests.
pub(crate) struct Tap {
    way: ReqwestTransport,
    heard: Mutex<Vec<Exchange>>,
    alteration: Mutex<Option<Alteration>>,
}

impl Tap {
    fn new() -> Self {
        let none = Roots::Only(vec![]);
        Self {
            way: ReqwestTransport::new(&none, Duration::from_secs(20), &[]).unwrap(),
            heard: Mutex::new(Vec::new()),
            alteration: Mutex::new(None),
        }
    }

    pub(crate) fn alter(&self, alteration: Alteration) {
        *self.alteration.lock().unwrap() = Some(alteration);
    }

    pub(crate) fn heard(&self, route: &str) -> Vec<Exchange> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|e| e.route == route).cloned().collect()
    }

    /// Whether this text went over the wire in either direction.
    pub(crate) fn heard_text(&self, text: &str) -> bool {
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        let heard = self.heard.lock().unwrap();
        heard.iter().any(|e| has(&e.request) || has(&e.response))
    }
}

impl ServiceTransport for Tap {
    fn send(
        &self,
        mut request: ServiceRequest,
    ) -> BoxFuture<'_, Result<ServiceResponse, TransportError>> {
        Box::pin(async move {
            let route = request.url.rsplit('/').next().unwrap().to_owned();
            let alteration = *self.alteration.lock().unwrap();
            let mut sent = Vec::new();
            if let ServiceMethod::Post(body) = &mut request.method {
                if let Some(alter) = alteration {
                    *body = alter(&route, core::mem::take(body));
                }
                sent.clone_from(body);
            }
            let response = self.way.send(request).await?;
            self.heard.lock().unwrap().push(Exchange {
                route,
                request: sent,
                response: response.body.clone(),
            });
            Ok(response)
        })
    }
}

/// The phone's key store, as the SDK sees it.
struct KeyStore {
    phone: Phone,
    app: AppUid,
    clock: Arc<TurnedClock>,
    present: Mutex<Option<KeyAlias>>,
}

impl KeyStore {
    fn attest_now(&self, challenge: &[u8]) -> Result<PlatformEvidence, AttesterError> {
        let (alias, chain) = self
            .phone
            .generate_key(self.app, challenge, self.clock.wall())
            .map_err(|_| AttesterError::Failed)?;
        *self.present.lock().unwrap() = Some(alias);
        Ok(PlatformEvidence::AndroidKey {
            chain: chain.into_iter().map(Base64Url).collect(),
        })
    }

    fn sign_now(&self, message: &[u8]) -> Result<Proof, AttesterError> {
        let alias = self.present.lock().unwrap().clone();
        let alias = alias.ok_or(AttesterError::KeyMissing)?;
        let signature = self
            .phone
            .sign(self.app, &alias, message)
            .map_err(|_| AttesterError::KeyMissing)?;
        Ok(Proof::EcdsaP256Sha256 {
            signature: Base64Url(signature),
        })
    }
}

impl Attester for KeyStore {
    fn attest<'a>(
        &'a self,
        challenge: EnrolmentChallenge<'a>,
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>> {
        Box::pin(async move { self.attest_now(challenge.bytes) })
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Proof, AttesterError>> {
        Box::pin(async { self.sign_now(message) })
    }

    fn measure(&self) -> BoxFuture<'_, Measurements> {
        Box::pin(async { self.phone.measure(self.app).unwrap() })
    }

    fn forget(&self) -> BoxFuture<'_, Result<(), AttesterError>> {
        Box::pin(async {
            *self.present.lock().unwrap() = None;
            Ok(())
        })
    }
}

/// The system's clock, whose monotonic side a test may turn on.
#[derive(Default)]
pub(crate) struct TurnedClock {
    system: SystemClock,
    turned: Mutex<Duration>,
}

impl TurnedClock {
    pub(crate) fn turn(&self, seconds: u64) {
        *self.turned.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for TurnedClock {
    fn monotonic(&self) -> Duration {
        self.system.monotonic() + *self.turned.lock().unwrap()
    }

    fn wall(&self) -> i64 {
        self.system.wall()
    }
}
