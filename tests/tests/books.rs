//! Books against the real service and the provider stand-in, all in this process, all over real sockets: the article's
//! story as the app sees it.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;

use bonafide_books::browser::{Click, ClickingBrowser, Pages};
use bonafide_books::{BooksApp, BooksSetup, LoginStep, PACKAGE};
use bonafide_evidence::Policy;
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{ClientSecret, HOSTS, Overlap, Provider, ProviderOptions};
use bonafide_sdk::SdkConfig;
use bonafide_sdk::adaptor::{Roots, Url};
use bonafide_server::{ServeOptions, Server};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "GOCSPX-canary-one";
const ALL_STEPS: [LoginStep; 5] = [
    LoginStep::Discovering,
    LoginStep::Authorizing,
    LoginStep::FetchingSecret,
    LoginStep::Exchanging,
    LoginStep::Verifying,
];

/// The operator's side.
struct Admin {
    http: reqwest::Client,
    base: String,
    session: String,
}

impl Admin {
    async fn new(service: &bonafide_server::Running) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let root = format!("http://{}/admin/v1", service.admin_addr);
        let credential = service.first_credential.as_ref().unwrap();
        let session: Value = http
            .post(format!("{root}/sessions"))
            .bearer_auth(credential.secret.expose())
            .json(&json!({"role": "admin"}))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        Self {
            http,
            base: format!("{root}/accounts/default"),
            session: session["session"].as_str().unwrap().to_owned(),
        }
    }

    async fn send(&self, method: Method, route: &str, body: &Value) -> Value {
        let mut request = self
            .http
            .request(method.clone(), format!("{}/{route}", self.base))
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
        self.send(Method::PUT, route, &body).await;
    }

    /// The article's set-up, line by line.
    async fn set_up(&self, ca: &DemoCa, factory: &Factory) {
        self.put("managed-roots", json!({"enabled": true})).await;
        let pem = json!({"certificate_pem": ca.certificate_pem()});
        self.put("trust-roots/demo", pem).await;
        for host in [
            "oauth2.googleapis.com",
            "accounts.google.com",
            "www.googleapis.com",
        ] {
            self.put(&format!("apis/{host}"), json!({"token": "no-token"}))
                .await;
        }
        let mut policy = Policy::default();
        policy.set("rejection-reasons", "on").unwrap();
        policy.set("development", "observe").unwrap();
        let policy = serde_json::to_value(&policy).unwrap();
        self.put("policy", policy).await;
        self.secret(SECRET).await;
        let anchor = json!({"certificate_pem": factory.root_certificate_pem()});
        self.put("anchors/phone", anchor).await;
    }

    async fn secret(&self, value: &str) {
        let secret = json!({"value": value, "hosts": ["oauth2.googleapis.com"], "uses": ["oauth"]});
        self.put("secrets/client_secret", secret).await;
    }

    async fn register(&self, apk: &Apk) {
        let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        let registration = json!({"label": "", "reference": {
            "kind": "build", "package": PACKAGE, "version_code": apk.version_code(),
            "signers": [hex(apk.signer())], "artifact_sha256": hex(apk.sha256()),
        }});
        self.send(Method::POST, "registrations", &registration)
            .await;
    }
}

/// Everything that runs.
struct World {
    service: bonafide_server::Running,
    provider: bonafide_provider::Running,
    admin: Admin,
    phone: Phone,
    apk: Apk,
    files: TempDir,
    config: SdkConfig,
}

fn now() -> i64 {
    bonafide_sdk::host::Clock::wall(&bonafide_sdk::adaptor::SystemClock::new())
}

impl World {
    async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let files = tempfile::tempdir().unwrap();
        let ca = DemoCa::public().unwrap();
        let options = ProviderOptions::demo(ca.server(&HOSTS).unwrap(), ClientSecret::new(SECRET));
        let provider = Provider::start(options).await.unwrap();
        let options = ServeOptions::on_loopback(files.path().join("service"));
        let service = Server::start(options).await.unwrap();
        let admin = Admin::new(&service).await;
        let factory = Factory::new(now()).unwrap();
        admin.set_up(&ca, &factory).await;
        let phone = Phone::builder("Phone").build(&factory, now()).unwrap();
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", now()).unwrap();
        let apk = Apk::builder(PACKAGE)
            .version(1, "1.0")
            .sign(&developer)
            .unwrap();
        phone.install(&apk).unwrap();
        let view = admin.send(Method::GET, "sdk-config", &Value::Null).await;
        let config = SdkConfig::parse(view["config"].as_str().unwrap()).unwrap();
        Self {
            service,
            provider,
            admin,
            phone,
            apk,
            files,
            config,
        }
    }

    /// The app, started anew: what it knows is in its files.
    fn app(&self) -> BooksApp {
        self.app_led_to(&self.provider, Roots::Only(vec![]))
    }

    /// The app on a network that leads Google's names to `provider`, on a phone that trusts `device_roots`.
    fn app_led_to(&self, provider: &bonafide_provider::Running, device_roots: Roots) -> BooksApp {
        let google = bonafide_books::Provider::google(self.provider.client_id());
        let state = self.files.path().join("books");
        let google = google.stand_in(provider.addr());
        let mut setup = BooksSetup::new(self.config.clone(), self.phone.clone(), state, google);
        setup.device_roots = device_roots;
        setup.patience = Duration::from_mins(1);
        BooksApp::open(setup).unwrap()
    }

    fn reader(&self, click: Click) -> ClickingBrowser {
        let origin = format!("http://{}", self.provider.browser_addr().unwrap());
        let user = self.provider.user();
        let who = (user.email.as_str(), user.password.as_str());
        ClickingBrowser::new(Pages::at(Url::parse(&origin).unwrap()), who, click)
    }

    async fn stop(self) {
        self.provider.stop().await;
        self.service.stop().await;
    }

    /// Statuses that the token endpoint answered with.
    fn exchanges(&self) -> Vec<u16> {
        let seen = self.provider.seen();
        let exchanges = seen.iter().filter(|seen| seen.path == "/token");
        exchanges.map(|seen| seen.status).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn login_is_refused_until_the_build_is_registered_and_then_everything_works() {
    let world = World::new().await;
    let app = world.app();
    assert_eq!(
        app.search("frankenstein").await.unwrap().len(),
        1,
        "search needs no login"
    );

    let mut steps = Vec::new();
    let reader = world.reader(Click::Allow);
    let refused = app
        .login(&reader, &mut |step| steps.push(step))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "attestation-refused");
    assert_eq!(
        steps,
        ALL_STEPS[..3],
        "the reader agreed before the secret was asked for"
    );
    assert!(
        refused
            .findings()
            .iter()
            .any(|code| code == "app-not-registered")
    );
    let support_id = refused.support_id().unwrap();
    assert!(refused.to_string().contains(&support_id), "{refused}");
    let verdict = format!("verdicts/{support_id}");
    let verdict = world.admin.send(Method::GET, &verdict, &Value::Null).await;
    assert_eq!(verdict["outcome"], "deny");
    assert!(
        world.exchanges().is_empty(),
        "no exchange without the secret"
    );

    world.admin.register(&world.apk).await;
    drop(app);
    let app = world.app();
    steps.clear();
    let profile = app
        .login(&reader, &mut |step| steps.push(step))
        .await
        .unwrap();
    assert_eq!(profile.first_name.as_deref(), Some("Ada"));
    assert_eq!(
        steps,
        ALL_STEPS[2..],
        "the reader had agreed already, and is not asked twice"
    );
    assert_eq!(world.exchanges(), [200]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_shows_favourites_and_covers_survives_a_restart_and_ends_with_logout() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let app = world.app();
    app.login(&world.reader(Click::Allow), &mut |_| ())
        .await
        .unwrap();
    let favorites = app.favorites().await.unwrap();
    assert_eq!(favorites.len(), 5);
    let covers = world.files.path().join("covers");
    for book in &favorites {
        let path = app.cover(book, &covers).await.unwrap().unwrap();
        assert!(std::fs::read_to_string(path).unwrap().starts_with("<svg"));
    }
    drop(app);
    let app = world.app();
    assert!(
        app.profile().await.is_some(),
        "the login survives a restart"
    );
    app.logout().await.unwrap();
    let error = app.favorites().await.unwrap_err();
    assert_eq!(error.code(), "not-logged-in");
    let revoked = world.provider.seen();
    assert!(
        revoked
            .iter()
            .any(|seen| (seen.path.as_str(), seen.status) == ("/revoke", 200))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_denies_is_told_so_and_the_secret_is_not_even_asked_for() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let app = world.app();
    let reader = world.reader(Click::Deny);
    let error = app.login(&reader, &mut |_| ()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "server-access-denied",
            "login failed while asking for your authorization in the browser: \
             the authorization was cancelled"
        )
    );
    assert!(world.exchanges().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_later_the_tokens_are_renewed_with_the_secret_fetched_again() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let app = world.app();
    app.login(&world.reader(Click::Allow), &mut |_| ())
        .await
        .unwrap();
    world.provider.expire_access_tokens();
    let (one, other) = tokio::join!(app.favorites(), app.favorites());
    assert_eq!((one.unwrap().len(), other.unwrap().len()), (5, 5));
    assert_eq!(world.exchanges(), [200, 200], "one refresh serves both");

    world.provider.withdraw_consents();
    let ended = app.favorites().await.unwrap_err();
    assert_eq!(ended.code(), "session-ended");
    assert_eq!(app.favorites().await.unwrap_err().code(), "not-logged-in");
    assert!(
        world.app().profile().await.is_none(),
        "nothing of it is kept"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_reaches_the_app_over_the_air() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let app = world.app();
    let reader = world.reader(Click::Allow);
    app.login(&reader, &mut |_| ()).await.unwrap();
    app.logout().await.unwrap();

    let next = ClientSecret::new("GOCSPX-canary-two");
    world.provider.rotate_client_secret(&next, Overlap::None);
    world.admin.secret(next.expose()).await;
    let fresh = world.app();
    fresh.login(&reader, &mut |_| ()).await.unwrap();
    assert_eq!(world.exchanges(), [200, 200]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_secret_is_in_no_file_of_the_app_or_the_service() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let app = world.app();
    app.login(&world.reader(Click::Allow), &mut |_| ())
        .await
        .unwrap();
    app.favorites().await.unwrap();
    let debug = format!("{app:?} {:?} {:?}", world.service, world.provider);
    assert!(!debug.contains("canary"));
    let files = world.files.path().to_owned();
    let mut directories = vec![files];
    let mut read = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(6).any(|window| window == b"canary");
            assert!(!found, "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 4, "database, ticket, trust, session");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_man_in_the_middle_hears_nothing_even_when_the_phone_trusts_his_authority() {
    let world = World::new().await;
    world.admin.register(&world.apk).await;
    let his = DemoCa::named("A proxy's own authority").unwrap();
    let identity = his.server(&HOSTS).unwrap();
    let options = ProviderOptions::demo(identity, ClientSecret::generate());
    let middle = Provider::start(options).await.unwrap();
    let installed = Roots::Only(vec![his.certificate_der().to_vec()]);
    let app = world.app_led_to(&middle, installed);
    let error = app.search("frankenstein").await.unwrap_err();
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    let reader = world.reader(Click::Allow);
    let login = app.login(&reader, &mut |_| ()).await.unwrap_err();
    assert_eq!(login.code(), error.code());
    assert!(middle.seen().is_empty());
    middle.stop().await;
    world.stop().await;
}
