//! The peer process, and a browser for its pages.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bonafide_tests::workspace_root;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};

/// oidc-provider, stopped with the test.
pub(crate) struct Peer {
    child: Child,
    pub(crate) issuer: String,
}

/// Where `cargo xtask peers` installs it.
fn home() -> PathBuf {
    workspace_root().join("target/peers/oidc-provider")
}

impl Peer {
    /// `None` where it is not installed.
    pub(crate) fn start(keys: &Value) -> Option<Self> {
        let script = home().join("server.mjs");
        if !home().join("node_modules/oidc-provider").exists() {
            return None;
        }
        let source = workspace_root().join("tests/peers/oidc-provider/server.mjs");
        std::fs::copy(source, &script).unwrap();
        let mut child = Command::new("node")
            .arg(&script)
            .arg(keys.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Some(Self {
            child,
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Plain HTTP, no redirects.
pub(crate) fn http() -> Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// Walks sign-in and consent, and returns the URL outside the issuer that the browser ends at.
pub(crate) async fn browse(http: &Client, issuer: &str, start: &str) -> String {
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
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
        remember(&mut cookies, &answer);
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

/// The form on a page, filled in: first who, then yes.
fn fill(here: &Url, html: &str) -> Step {
    let between = |marker: &str| html.split(marker).nth(1)?.split('"').next();
    let action = between("action=\"").unwrap_or_else(|| panic!("no form: {html}"));
    let form = if html.contains("value=\"login\"") {
        json!({"prompt": "login", "login": "alice", "password": "x"})
    } else {
        json!({"prompt": "consent"})
    };
    Step::Post(here.join(action).unwrap().into(), form)
}
