//! Everything that runs, and the operator who sets it up.

use std::path::Path;
use std::time::Duration;

use bonafide_books::browser::{Click, ClickingBrowser, Pages};
use bonafide_books::{BooksApp, BooksSetup, PACKAGE};
use bonafide_evidence::Policy;
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{
    ClientMethod, ClientSecret, HOSTS, KeySource, LIBRARY_HOSTS, LIBRARY_ISSUER, LibraryOptions,
    Provider, ProviderOptions, Seen,
};
use bonafide_sdk::adaptor::{Roots, RungWish, Url};
use bonafide_sdk::{Rung, SdkConfig};
use bonafide_server::upstream::OutboundOptions;
use bonafide_server::{ServeOptions, Server};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wire::{Wire, contains};

/// Occurs in every long-lived secret of these tests and nowhere else.
pub(crate) const CANARY: &str = "canary-of-the-ladder";
pub(crate) const LIBRARY_API: &str = "https://api.library.example/books/v1";
const GOOGLE_API: &str = "https://www.googleapis.com/books/v1";
const REDIRECT: &str = "http://127.0.0.1/oauth2redirect";

pub(crate) struct World {
    pub(crate) provider: bonafide_provider::Running,
    pub(crate) wire: Wire,
    pub(crate) phone: Phone,
    pub(crate) config: SdkConfig,
    pub(crate) files: TempDir,
    service: bonafide_server::Running,
    http: reqwest::Client,
    session: String,
    factory: Factory,
    apk: Apk,
}

fn now() -> i64 {
    bonafide_sdk::host::Clock::wall(&bonafide_sdk::adaptor::SystemClock::new())
}

fn secret() -> ClientSecret {
    ClientSecret::new(format!("GOCSPX-{CANARY}-with-32-bytes-and-more"))
}

impl World {
    pub(crate) async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let files = tempfile::tempdir().unwrap();
        let ca = DemoCa::public().unwrap();
        let hosts = [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat();
        let mut options = ProviderOptions::demo(ca.server(&hosts).unwrap(), secret());
        options.library = Some(LibraryOptions::demo(&secret()));
        let provider = Provider::start(options).await.unwrap();
        let mut wire = Wire::new().await;
        let mut options = ServeOptions::on_loopback(files.path().join("service"));
        options.public_url = Some(format!("http://{}", wire.address));
        options.outbound = OutboundOptions {
            extra_roots: vec![ca.certificate_der().to_vec()],
            proxy: Some(format!("http://{}", provider.proxy_addr().unwrap())),
        };
        let service = Server::start(options).await.unwrap();
        wire.lead_to(service.device_addr);
        let factory = Factory::new(now()).unwrap();
        let phone = Phone::builder("Phone").build(&factory, now()).unwrap();
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", now()).unwrap();
        let apk = Apk::builder(PACKAGE)
            .version(1, "1.0")
            .sign(&developer)
            .unwrap();
        phone.install(&apk).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut world = Self {
            session: session(&http, &service).await,
            config: placeholder(),
            provider,
            wire,
            phone,
            files,
            service,
            http,
            factory,
            apk,
        };
        world.set_up(&ca).await;
        world
    }

    async fn set_up(&mut self, ca: &DemoCa) {
        self.put("managed-roots", json!({"enabled": true})).await;
        let pem = json!({"certificate_pem": ca.certificate_pem()});
        self.put("trust-roots/demo", pem).await;
        for host in [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat() {
            self.put(&format!("apis/{host}"), json!({"token": "no-token"}))
                .await;
        }
        let mut policy = Policy::default();
        policy.set("rejection-reasons", "on").unwrap();
        policy.set("development", "observe").unwrap();
        self.put("policy", serde_json::to_value(&policy).unwrap())
            .await;
        let anchor = json!({"certificate_pem": self.factory.root_certificate_pem()});
        self.put("anchors/phone", anchor).await;
        let hosts = ["oauth2.googleapis.com", "login.library.example"];
        let secret = json!({"value": secret().expose(), "hosts": hosts, "uses": ["oauth"]});
        self.put("secrets/client_secret", secret).await;
        let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        let registration = json!({"label": "", "reference": {
            "kind": "build", "package": PACKAGE, "version_code": self.apk.version_code(),
            "signers": [hex(self.apk.signer())], "artifact_sha256": hex(self.apk.sha256()),
        }});
        self.admin(Method::POST, "registrations", &registration)
            .await;
        let view = self.admin(Method::GET, "sdk-config", &Value::Null).await;
        self.config = SdkConfig::parse(view["config"].as_str().unwrap()).unwrap();
    }

    pub(crate) async fn admin(&self, method: Method, route: &str, body: &Value) -> Value {
        let root = format!("http://{}/admin/v1", self.service.admin_addr);
        let url = format!("{root}/accounts/default/{route}");
        let mut request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(&self.session);
        if method != Method::GET {
            request = request.json(body);
        }
        if route == "policy" && method == Method::PUT {
            request = request.header("if-match", "*");
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {route}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn put(&self, route: &str, body: Value) {
        self.admin(Method::PUT, route, &body).await;
    }

    /// Google as an upstream, with a secret; the relay keeps refresh tokens.
    pub(crate) async fn add_google(&self, rungs: &[Rung]) {
        let upstream = json!({
            "issuer": "https://accounts.google.com", "client_id": self.provider.client_id(),
            "rungs": rungs, "redirect_uris": [REDIRECT], "keep_refresh_tokens": true,
            "authentication": {"method": "client_secret_post", "secret": "client_secret"},
        });
        self.put("upstreams/google", upstream).await;
    }

    /// One of the Library's clients as an upstream of the same name; whom the Library must trust for it, it trusts.
    pub(crate) async fn add_library(&self, client: &str, rungs: &[Rung]) {
        let authentication = match client {
            "books-keys" => json!({"method": "private_key_jwt"}),
            "books-shared" => json!({"method": "client_secret_jwt", "secret": "client_secret"}),
            "books-secret" => json!({"method": "client_secret_post", "secret": "client_secret"}),
            _ => Value::Null,
        };
        let mut upstream = json!({
            "issuer": LIBRARY_ISSUER, "client_id": client, "rungs": rungs,
            "redirect_uris": [REDIRECT],
        });
        if !authentication.is_null() {
            upstream["authentication"] = authentication;
        }
        let route = format!("upstreams/{client}");
        self.put(&route, upstream).await;
        let view = self.admin(Method::GET, &route, &Value::Null).await;
        let jwk = &view["authentication"]["jwk"];
        if client == "books-keys" {
            let keys = KeySource::Fixed(json!({"keys": [jwk]}));
            let method = ClientMethod::PrivateKeyJwt(keys);
            assert!(self.provider.replace_method(client, method));
        }
        let url = format!(
            "http://{}/v1/default/attester/jwks.json",
            self.service.device_addr
        );
        let keys: Value = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        self.provider
            .trust_attesters(KeySource::Fixed(keys.clone()));
        self.provider.trust_statements(KeySource::Fixed(keys));
    }

    /// Books on the phone, started anew.
    pub(crate) fn app(&self, upstream: &str, wish: RungWish) -> BooksApp {
        self.app_on(&self.phone, "books", (upstream, wish))
    }

    /// Books on another phone of the same make.
    pub(crate) fn app_on_another_phone(&self, upstream: &str) -> BooksApp {
        let phone = Phone::builder("Another")
            .build(&self.factory, now())
            .unwrap();
        phone.install(&self.apk).unwrap();
        self.app_on(&phone, "other", (upstream, RungWish::Best))
    }

    fn app_on(&self, phone: &Phone, state: &str, (upstream, wish): (&str, RungWish)) -> BooksApp {
        let api = if upstream == "google" {
            GOOGLE_API
        } else {
            LIBRARY_API
        };
        let provider = bonafide_books::Provider::upstream(upstream, api)
            .by(wish)
            .stand_in(self.provider.addr());
        let state = self.files.path().join(state);
        let mut setup = BooksSetup::new(self.config.clone(), phone.clone(), state, provider);
        setup.device_roots = Roots::Only(vec![]);
        setup.patience = Duration::from_mins(1);
        BooksApp::open(setup).unwrap()
    }

    pub(crate) fn pages(&self) -> Url {
        let origin = format!("http://{}", self.provider.browser_addr().unwrap());
        Url::parse(&origin).unwrap()
    }

    pub(crate) fn reader(&self) -> ClickingBrowser {
        let user = self.provider.user();
        let who = (user.email.as_str(), user.password.as_str());
        ClickingBrowser::new(Pages::at(self.pages()), who, Click::Allow)
    }

    pub(crate) async fn login(&self, app: &BooksApp) -> Rung {
        let profile = app.login(&self.reader(), &mut |_| ()).await.unwrap();
        assert_eq!(profile.first_name.as_deref(), Some("Ada"));
        app.choice().await.unwrap().rung
    }

    /// Statuses that a route of the stand-ins answered with.
    pub(crate) fn answered(&self, path: &str) -> Vec<u16> {
        let seen: Vec<Seen> = self.provider.seen();
        let fitting = seen.iter().filter(|seen| seen.path == path);
        fitting.map(|seen| seen.status).collect()
    }

    /// How often something is in the audit log.
    pub(crate) async fn audited(&self, action: &str) -> usize {
        let page = self
            .admin(Method::GET, "audit?page_size=200", &Value::Null)
            .await;
        let items = page["items"].as_array().unwrap();
        items.iter().filter(|item| item["action"] == action).count()
    }

    /// No long-lived secret was on the wire or lies in any file, of the phone or of the service.
    pub(crate) fn nothing_leaked(&self) {
        assert!(!self.wire.carried(CANARY), "the wire carried it");
        let mut directories = vec![self.files.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    nothing_in(&path);
                }
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.provider.stop().await;
        self.service.stop().await;
    }
}

fn nothing_in(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    assert!(!contains(&bytes, CANARY), "{}", path.display());
}

async fn session(http: &reqwest::Client, service: &bonafide_server::Running) -> String {
    let credential = service.first_credential.as_ref().unwrap();
    let url = format!("http://{}/admin/v1/sessions", service.admin_addr);
    let request = http.post(url).bearer_auth(credential.secret.expose());
    let answer = request.json(&json!({"role": "admin"})).send().await;
    let session: Value = answer.unwrap().json().await.unwrap();
    session["session"].as_str().unwrap().to_owned()
}

/// Until the service has told the real one.
fn placeholder() -> SdkConfig {
    SdkConfig {
        service: "http://127.0.0.1:1".to_owned(),
        account: bonafide_wire::ids::AccountId::parse("default").unwrap(),
        trust_root: bonafide_wire::bytes::Base64Url(vec![0; 32]),
    }
}
