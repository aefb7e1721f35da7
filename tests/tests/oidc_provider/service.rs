//! Bonafide itself, as the real program in a process of its own: one account, one registered app, upstreams at the peer.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bonafide_evidence::{Policy, Preset};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{Factory, KeyKind};
use bonafide_tests::bonafide_program;
use bonafide_wire::ids::AccountId;
use serde_json::{Value, json};

use crate::native_host;
use crate::phone::DevicePhone;
use crate::program::{ACCOUNT, Program};

/// The host that delivered secrets may go to.
pub(crate) const SECRET_HOST: &str = "as.example";

/// The account of its first start.
pub(crate) fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

/// A running service. It logs everything it can to a file, so that a test can look for what must not be there.
pub(crate) struct Service {
    program: Program,
    http: reqwest::Client,
    session: String,
    factory: Factory,
    apk: Apk,
    developer: SigningKey,
    home: tempfile::TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let program = Command::new(bonafide_program().unwrap());
        let data = home.path().join("data");
        let everything = ("trace", Stdio::from(log));
        let (program, _) = Program::start_logging(program, &data, everything);
        let http = native_host::http();
        let now = native_host::now().0;
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", now).unwrap();
        let service = Self {
            session: program.open_session(&http).await,
            program,
            http,
            factory: Factory::new(now).unwrap(),
            apk: books(&developer),
            developer,
            home,
        };
        service.set_up().await;
        service
    }

    async fn set_up(&self) {
        let root = json!({ "certificate_pem": self.factory.root_certificate_pem() });
        self.admin("PUT", "anchors/simulator", root).await;
        let mut policy = Policy::preset(Preset::Default);
        policy.set("development", "observe").unwrap();
        policy.set("rejection-reasons", "on").unwrap();
        let policy = serde_json::to_value(&policy).unwrap();
        self.admin("PUT", "policy", policy).await;
        let api = json!({ "token": "no-token" });
        self.admin("PUT", &format!("apis/{SECRET_HOST}"), api).await;
        let signer = hex(&self.apk.signer());
        let registration = json!({
            "app": null, "label": "test", "expires_at": null,
            "reference": {
                "kind": "build", "package": self.apk.package(), "signers": [signer],
                "version_code": self.apk.version_code(),
                "artifact_sha256": hex(&self.apk.sha256()),
            },
        });
        self.admin("POST", "registrations", registration).await;
    }

    /// Calls an admin route below the account; it must succeed.
    pub(crate) async fn admin(&self, method: &str, route: &str, body: Value) -> Value {
        let (status, answer) = self.try_admin(method, route, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {route}: {status} {answer}"
        );
        answer
    }

    pub(crate) async fn try_admin(&self, method: &str, route: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = self
            .http
            .request(method, self.program.url(route))
            .bearer_auth(&self.session);
        if route == "policy" {
            request = request.header("if-match", "*");
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    }

    pub(crate) async fn put_secret(&self, name: &str, value: &str) {
        let secret = json!({
            "value": value, "hosts": [SECRET_HOST], "uses": ["oauth"], "apps": null, "life_seconds": 300,
        });
        self.admin("PUT", &format!("secrets/{name}"), secret).await;
    }

    /// The public keys of client attestations, as an authorization server would fetch them.
    pub(crate) async fn attester_keys(&self) -> Value {
        let url = self.url("attester/jwks.json");
        let answer = self.http.get(url).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// A device route.
    pub(crate) fn url(&self, route: &str) -> String {
        format!("{}/v1/{ACCOUNT}/{route}", self.program.device)
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The genuine app on a new, locked phone, enrolled.
    pub(crate) async fn phone(&self) -> DevicePhone<'_> {
        let mut phone = DevicePhone::new(self, &self.factory, &self.apk);
        phone.enrol().await.unwrap();
        phone
    }

    /// An app that looks like ours, of another developer.
    pub(crate) fn clone_of_the_app(&self) -> DevicePhone<'_> {
        let now = native_host::now().0;
        let stranger = SigningKey::generate(KeyKind::EcP256, "Stranger", now).unwrap();
        assert_ne!(books(&self.developer).signer(), books(&stranger).signer());
        DevicePhone::new(self, &self.factory, &books(&stranger))
    }

    /// Everything the service has logged so far, at its most talkative.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Every file of its data, as bytes.
    pub(crate) fn data(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.home.path().join("data")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    files.push((path, bytes));
                }
            }
        }
        files
    }
}

fn books(developer: &SigningKey) -> Apk {
    Apk::builder("dev.bonafide.books")
        .version(7, "1.7")
        .sign(developer)
        .unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
