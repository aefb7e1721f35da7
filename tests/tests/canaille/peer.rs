//! The peer process, one for all tests, and a browser for its pages.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use bonafide_tests::workspace_root;
use reqwest::{Client, Url};
use serde_json::{Value, json};

/// Canaille. It ends when this process does: its stdin is a pipe that closes then.
pub(crate) struct Peer {
    pub(crate) issuer: String,
    _child: Child,
}

/// Where the peer is not installed, the runner has said why.
#[expect(clippy::disallowed_methods, reason = "the runner says where peers are")]
fn python() -> Option<PathBuf> {
    std::env::var("BONAFIDE_PEER_CANAILLE")
        .ok()
        .map(PathBuf::from)
}

impl Peer {
    /// The one of this test program; `None` where it is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Peer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let script = workspace_root().join("tests/peers/canaille/server.py");
        let mut child = Command::new(python()?)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        std::thread::spawn(move || stdout.lines().count());
        let ready: Value = serde_json::from_str(&line).unwrap();
        Some(Self {
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
            _child: child,
        })
    }
}

/// What the user says on the consent page. Who refuses is another user: this server asks nobody twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    Deny,
}

/// Walks sign-in and consent, and returns the URL outside the issuer that the browser ends at.
pub(crate) async fn browse(http: &Client, issuer: &str, start: &str, answer: Answer) -> String {
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
    let mut url = Url::parse(start).unwrap();
    let mut form: Option<Value> = None;
    for _ in 0..20 {
        let request = match form.take() {
            None => http.get(url.clone()),
            Some(fields) => http.post(url.clone()).form(&fields),
        };
        let jar: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let page = request
            .header("cookie", jar.join("; "))
            .send()
            .await
            .unwrap();
        for header in page.headers().get_all("set-cookie") {
            let pair = header.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        if let Some(location) = page.headers().get("location") {
            url = url.join(location.to_str().unwrap()).unwrap();
            if !url.as_str().starts_with(issuer) {
                return url.into();
            }
            continue;
        }
        form = Some(fill(&page.text().await.unwrap(), answer));
    }
    panic!("the pages do not come to an end");
}

/// The form on a page, filled in: who, the password, then yes or no.
fn fill(html: &str, answer: Answer) -> Value {
    if html.contains("name=\"login\"") {
        match answer {
            Answer::Accept => json!({"login": "alice"}),
            Answer::Deny => json!({"login": "bob"}),
        }
    } else if html.contains("name=\"password\"") {
        json!({"password": "correct horse battery staple"})
    } else if html.contains("id=\"accept\"") {
        match answer {
            Answer::Accept => json!({"answer": "accept"}),
            Answer::Deny => json!({"answer": "deny"}),
        }
    } else {
        panic!("no form: {html}")
    }
}
