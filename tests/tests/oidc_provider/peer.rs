//! The peer process, one for all tests, and a browser for its pages.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use bonafide_tests::workspace_root;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};

use crate::native_host::Key;

/// The secret of every client that has one.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// oidc-provider. It ends when this process does: its stdin is a pipe that closes then.
pub(crate) struct Peer {
    pub(crate) issuer: String,
    pub(crate) client_key: Arc<Key>,
    pub(crate) attester: Arc<Key>,
    /// Why it refused, newest last: the answers themselves do not say.
    refusals: Arc<Mutex<Vec<String>>>,
    _child: Option<Child>,
}

/// Where `cargo xtask peers` installs it.
pub(crate) fn home() -> PathBuf {
    workspace_root().join("target/peers/oidc-provider")
}

/// Runs one of the scripts of `tests/peers/oidc-provider` beside the installed packages.
pub(crate) fn script(name: &str) -> Option<Command> {
    if !home().join("node_modules/oidc-provider").exists() {
        return None;
    }
    let source = workspace_root()
        .join("tests/peers/oidc-provider")
        .join(name);
    let script = home().join(name);
    std::fs::copy(source, &script).unwrap();
    let mut node = Command::new("node");
    node.arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(node)
}

impl Peer {
    /// The one of this test program; `None` where it is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Peer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let (client_key, attester) = (Key::new(), Key::new());
        let keys = json!({
            "clientJwk": client_key.jwk(), "attesterJwk": attester.jwk(), "secret": SECRET,
        });
        let mut child: Child = script("server.mjs")?.arg(keys.to_string()).spawn().ok()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take()?);
        stdout.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        // Its further words are of no interest, but it must be able to say them.
        std::thread::spawn(move || stdout.lines().count());
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take()?);
        let heard = Arc::clone(&refusals);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if line.starts_with('{') {
                    heard.lock().unwrap().push(line);
                }
            }
        });
        Some(Self {
            issuer: ready["issuer"].as_str()?.to_owned(),
            client_key: Arc::new(client_key),
            attester: Arc::new(attester),
            refusals,
            _child: Some(child),
        })
    }

    /// The one that another process of the test has started.
    pub(crate) fn of_another_process(issuer: &str, client_key: &Arc<Key>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_key: Arc::clone(client_key),
            attester: Arc::new(Key::new()),
            refusals: Arc::default(),
            _child: None,
        }
    }

    /// The peer's own words on its latest refusals.
    pub(crate) fn reasons(&self) -> String {
        let refusals = self.refusals.lock().unwrap();
        let latest = refusals.iter().rev().take(3).rev();
        latest.cloned().collect::<Vec<_>>().join("\n")
    }
}

/// Walks sign-in and consent, and returns the URL outside the issuer that the browser ends at.
pub(crate) async fn browse(http: &Client, issuer: &str, start: &str) -> String {
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
    browse_as(&mut cookies, http, issuer, start).await
}

/// The same browser again, still signed in.
pub(crate) async fn browse_as(
    cookies: &mut BTreeMap<String, String>,
    http: &Client,
    issuer: &str,
    start: &str,
) -> String {
    let mut next = Step::Get(start.to_owned());
    for _ in 0..20 {
        let jar: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = match &next {
            Step::Get(url) => http.get(url),
            Step::Post(url, form) => http.post(url).form(form),
        };
        let answer = request
            .header("cookie", jar.join("; "))
            .send()
            .await
            .unwrap();
        remember(cookies, &answer);
        let here = answer.url().clone();
        if let Some(location) = answer.headers().get("location") {
            let target = location.to_str().unwrap();
            let target = here
                .join(target)
                .map_or_else(|_| target.to_owned(), String::from);
            if !target.starts_with(issuer) {
                return target;
            }
            next = Step::Get(target);
            continue;
        }
        next = fill(&here, &answer.text().await.unwrap());
    }
    panic!("the pages do not come to an end");
}

enum Step {
    Get(String),
    Post(String, Value),
}

fn remember(cookies: &mut BTreeMap<String, String>, answer: &Response) {
    for header in answer.headers().get_all("set-cookie") {
        let pair = header.to_str().unwrap().split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if value.is_empty() {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The form on a page, filled in: who, then yes; and yes to leaving.
fn fill(here: &Url, html: &str) -> Step {
    let between = |marker: &str| html.split(marker).nth(1)?.split('"').next();
    let action = between("action=\"").unwrap_or_else(|| panic!("no form: {html}"));
    let form = if html.contains("value=\"login\"") {
        json!({"prompt": "login", "login": "alice", "password": "x"})
    } else if let Some(token) = between("name=\"xsrf\" value=\"") {
        json!({"xsrf": token, "logout": "yes"})
    } else {
        json!({"prompt": "consent"})
    };
    Step::Post(here.join(action).unwrap().into(), form)
}
