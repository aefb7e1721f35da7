//! `kill -9` of the real program in the middle of 200 concurrent admin writes and enrolments, again and again: what was
//! acknowledged is there afterwards, nothing is there by half, and the audit chain holds (promises P1, P31).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod program;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bonafide_evidence::{Policy, Preset};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{AppUid, Factory, KeyKind, Phone};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    EnrolmentPayload, EnrolmentReply, EnrolmentRequest, PlatformEvidence, SdkInfo,
};
use bonafide_wire::ids::AccountId;
use bonafide_wire::proof::{Proof, Purpose, signed_bytes};
use program::{ACCOUNT, Program};
use serde_json::{Value, json};
use tokio::sync::Notify;

const ADMINS: usize = 100;
const PHONES: usize = 100;
/// After how many acknowledgements of a round the program is killed.
const ROUNDS: [usize; 8] = [1, 12, 55, 130, 3, 210, 90, 30];

/// A phone with the genuine app.
struct Instance {
    phone: Phone,
    app: AppUid,
}

/// What the clients were told, so what must be true.
#[derive(Default)]
struct Journal {
    apps: BTreeSet<String>,
    devices: BTreeSet<String>,
    /// Enrolments as sent; sent again they must be refused.
    spent: Vec<Vec<u8>>,
}

struct Story {
    program: PathBuf,
    data: tempfile::TempDir,
    http: reqwest::Client,
    session: String,
    instances: Vec<Arc<Instance>>,
    journal: Journal,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program under test has the real time"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing_that_was_acknowledged() {
    let (mut story, mut program) = Story::begin().await;
    let mut slowest = Duration::ZERO;
    for (round, threshold) in ROUNDS.into_iter().enumerate() {
        story.round(program, round, threshold).await;
        let (restarted, took) = Program::start(Command::new(&story.program), story.data.path());
        slowest = slowest.max(took);
        story.hold_against(&restarted).await;
        program = restarted;
    }
    program.kill_nine();
    println!(
        "{} kills, {} apps and {} enrolments acknowledged, none lost; ready again after at most {slowest:?}",
        ROUNDS.len(),
        story.journal.apps.len(),
        story.journal.devices.len(),
    );
}

impl Story {
    /// A service that trusts a factory and knows one build.
    async fn begin() -> (Self, Program) {
        let path = bonafide_tests::bonafide_program().unwrap();
        let data = tempfile::tempdir().unwrap();
        let (program, _) = Program::start(Command::new(&path), data.path());
        let http = program::client();
        let factory = Factory::new(now()).unwrap();
        let developer = SigningKey::generate(KeyKind::EcP256, "Developer", now()).unwrap();
        let apk = Apk::builder("dev.bonafide.books")
            .version(7, "1.7")
            .sign(&developer)
            .unwrap();
        let mut story = Self {
            program: path,
            data,
            http,
            session: String::new(),
            instances: (0..PHONES)
                .map(|_| Arc::new(installed(&factory, &apk)))
                .collect(),
            journal: Journal::default(),
        };
        story.session = program.open_session(&story.http).await;
        story.set_up(&program, &factory, &apk).await;
        (story, program)
    }

    async fn set_up(&self, program: &Program, factory: &Factory, apk: &Apk) {
        let anchor = json!({ "certificate_pem": factory.root_certificate_pem() });
        self.put(program, "anchors/simulator", &anchor).await;
        let mut policy = Policy::preset(Preset::Default);
        policy.set("development", "observe").unwrap();
        self.put(program, "policy", &serde_json::to_value(policy).unwrap())
            .await;
        let registration = json!({ "label": "", "reference": {
            "kind": "build", "package": apk.package(), "version_code": apk.version_code(),
            "signers": [hex(&apk.signer())], "artifact_sha256": hex(&apk.sha256()),
        }});
        let url = program.url("registrations");
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.session)
            .json(&registration);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    }

    async fn put(&self, program: &Program, route: &str, body: &Value) {
        let request = self.http.put(program.url(route)).bearer_auth(&self.session);
        let answer = request
            .header("if-match", "*")
            .json(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    async fn get(&self, program: &Program, path: &str) -> Value {
        let url = format!("{}/admin/v1/{path}", program.admin);
        let answer = self
            .http
            .get(&url)
            .bearer_auth(&self.session)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        answer.json().await.unwrap()
    }

    /// 200 clients at once, until so many writes are acknowledged; then the program is gone.
    async fn round(&mut self, program: Program, round: usize, threshold: usize) {
        let acknowledged = Arc::new((AtomicUsize::new(0), Notify::new()));
        let count = || {
            let acknowledged = Arc::clone(&acknowledged);
            move || {
                if acknowledged.0.fetch_add(1, Ordering::SeqCst) + 1 == threshold {
                    acknowledged.1.notify_one();
                }
            }
        };
        let admins: Vec<_> = (0..ADMINS)
            .map(|admin| {
                let url = program.url("apps");
                let request = self.http.post(url).bearer_auth(&self.session);
                tokio::spawn(add_apps(request, format!("r{round}-a{admin}"), count()))
            })
            .collect();
        let phones: Vec<_> = self
            .instances
            .iter()
            .map(|instance| {
                let url = format!("{}/v1/{ACCOUNT}", program.device);
                let (http, instance) = (self.http.clone(), Arc::clone(instance));
                tokio::spawn(enrol_keys(http, url, instance, count()))
            })
            .collect();
        acknowledged.1.notified().await;
        program.kill_nine();
        for admin in admins {
            self.journal.apps.extend(admin.await.unwrap());
        }
        for phone in phones {
            for (device, request) in phone.await.unwrap() {
                self.journal.devices.insert(device);
                self.journal.spent.push(request);
            }
        }
    }

    /// Every acknowledged write is there, once, with its audit row; the chain holds.
    async fn hold_against(&self, program: &Program) {
        let base = format!("accounts/{ACCOUNT}");
        let apps = self.all(program, &format!("{base}/apps"), "id").await;
        let devices = self
            .all(program, &format!("{base}/devices"), "device_id")
            .await;
        let missing = |told: &BTreeSet<String>, there: &BTreeSet<String>| {
            told.difference(there).cloned().collect::<Vec<_>>()
        };
        assert_eq!(
            missing(&self.journal.apps, &apps),
            [""; 0],
            "acknowledged apps are lost"
        );
        assert_eq!(
            missing(&self.journal.devices, &devices),
            [""; 0],
            "enrolments are lost"
        );
        let verification = self.get(program, "audit/verify").await;
        assert_eq!(verification["intact"], true, "{verification}");
        let log = self.events(program).await;
        let of = |action: &str| -> BTreeSet<String> {
            let events = log.iter().filter(|event| event["action"] == action);
            events
                .map(|event| event["object"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut told = of("app.added");
        told.insert("books".to_owned());
        assert_eq!(
            told, apps,
            "an app without its audit row, or the other way round"
        );
        assert_eq!(
            of("device.enrolled"),
            devices,
            "a device without its audit row, or the other way round"
        );
        self.nothing_is_spent_twice(program).await;
    }

    async fn nothing_is_spent_twice(&self, program: &Program) {
        for request in self.journal.spent.iter().rev().take(5) {
            let url = format!("{}/v1/{ACCOUNT}/enrolments", program.device);
            let again = self
                .http
                .post(url)
                .header("content-type", "application/json");
            let answer = again.body(request.clone()).send().await.unwrap();
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "challenge-used", "{problem}");
        }
    }

    async fn all(&self, program: &Program, path: &str, id: &str) -> BTreeSet<String> {
        let items = self.items(program, path).await;
        items
            .iter()
            .map(|item| item[id].as_str().unwrap().to_owned())
            .collect()
    }

    async fn events(&self, program: &Program) -> Vec<Value> {
        self.items(program, &format!("accounts/{ACCOUNT}/audit"))
            .await
    }

    async fn items(&self, program: &Program, path: &str) -> Vec<Value> {
        let (mut items, mut query) = (Vec::new(), "?page_size=500".to_owned());
        loop {
            let page = self.get(program, &format!("{path}{query}")).await;
            items.extend(page["items"].as_array().unwrap().clone());
            let Some(token) = page["next_page_token"].as_str() else {
                return items;
            };
            query = format!("?page_size=500&page_token={token}");
        }
    }
}

fn installed(factory: &Factory, apk: &Apk) -> Instance {
    let phone = Phone::builder("Phone").build(factory, now()).unwrap();
    let app = phone.install(apk).unwrap();
    Instance { phone, app }
}

/// Adds apps until the service is gone; gives those that were acknowledged.
async fn add_apps(
    request: reqwest::RequestBuilder,
    prefix: String,
    acknowledged: impl Fn(),
) -> Vec<String> {
    let mut added = Vec::new();
    loop {
        let id = format!("{prefix}-{}", added.len());
        let body = json!({ "id": id, "name": "An app", "android_package": null });
        match request.try_clone().unwrap().json(&body).send().await {
            Ok(answer) if answer.status() == 201 => {
                added.push(id);
                acknowledged();
            }
            Ok(answer) => panic!("{}", answer.text().await.unwrap()),
            Err(_) => return added,
        }
    }
}

/// Enrols one new key after another until the service is gone; gives the devices that were acknowledged.
async fn enrol_keys(
    http: reqwest::Client,
    url: String,
    instance: Arc<Instance>,
    acknowledged: impl Fn(),
) -> Vec<(String, Vec<u8>)> {
    let mut enrolled = Vec::new();
    while let Some((device, request)) = enrol_key(&http, &url, &instance).await {
        enrolled.push((device, request));
        acknowledged();
    }
    enrolled
}

async fn enrol_key(
    http: &reqwest::Client,
    url: &str,
    instance: &Instance,
) -> Option<(String, Vec<u8>)> {
    let wish = json!({ "purpose": "enrolment" });
    let answer = http
        .post(format!("{url}/challenges"))
        .json(&wish)
        .send()
        .await
        .ok()?;
    let challenge: Value = answer.json().await.ok()?;
    let challenge = Base64Url::parse(challenge["challenge"].as_str().unwrap()).unwrap();
    let request = serde_json::to_vec(&enrolment(instance, challenge)).unwrap();
    let post = http
        .post(format!("{url}/enrolments"))
        .header("content-type", "application/json");
    let answer = post.body(request.clone()).send().await.ok()?;
    assert_eq!(
        answer.status(),
        200,
        "{}",
        answer.text().await.unwrap_or_default()
    );
    let reply: EnrolmentReply = answer.json().await.ok()?;
    Some((reply.device_id.to_string(), request))
}

fn enrolment(instance: &Instance, challenge: Base64Url) -> EnrolmentRequest {
    let Instance { phone, app } = instance;
    let (key, chain) = phone
        .generate_key(*app, challenge.as_slice(), now())
        .unwrap();
    let payload = EnrolmentPayload {
        challenge,
        evidence: PlatformEvidence::AndroidKey {
            chain: chain.into_iter().map(Base64Url).collect(),
        },
        measurements: phone.measure(*app).unwrap(),
        sdk: SdkInfo {
            name: "test".to_owned(),
            version: "0".to_owned(),
        },
    };
    let payload = serde_json::to_vec(&payload).unwrap();
    let account = AccountId::parse(ACCOUNT).unwrap();
    let message = signed_bytes(Purpose::Enrolment, &account, &[], &payload);
    let signature = phone.sign(*app, &key, &message).unwrap();
    EnrolmentRequest {
        payload: Base64Url(payload),
        proof: Proof::EcdsaP256Sha256 {
            signature: Base64Url(signature),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
