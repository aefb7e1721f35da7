//! A real browser without a window, driven over its own protocol (`chromium-driver`).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The tools, or what is missing.
pub(crate) fn tools() -> Result<(PathBuf, PathBuf), &'static str> {
    let find = |name: &'static str| {
        ["/usr/bin", "/usr/local/bin", "/snap/bin"]
            .into_iter()
            .map(|directory| Path::new(directory).join(name))
            .find(|path| path.exists())
            .ok_or(name)
    };
    Ok((find("chromium")?, find("chromedriver")?))
}

/// Chromedriver, stopped with the test.
pub(crate) struct Driver {
    child: Child,
    session: String,
    http: reqwest::Client,
}

impl Driver {
    pub(crate) async fn start(chromium: &Path, chromedriver: &Path, args: &[String]) -> Self {
        let mut child = Command::new(chromedriver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .unwrap();
        std::thread::spawn(move || lines.count());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut driver = Self {
            child,
            session: format!("http://127.0.0.1:{port}/session"),
            http,
        };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": args},
            "timeouts": {"implicit": 20_000, "pageLoad": 30_000},
        }}});
        let session = driver.post("", &wanted).await;
        let id = session["sessionId"].as_str().unwrap();
        driver.session = format!("{}/{id}", driver.session);
        driver
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer: Value = self
            .http
            .post(url)
            .json(body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["value"].get("error"), None, "{answer}");
        answer["value"].clone()
    }

    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// Finds an element, waiting for it as long as the session allows.
    pub(crate) async fn find(&self, selector: &str) -> String {
        self.find_by("css selector", selector).await
    }

    pub(crate) async fn find_by(&self, using: &str, value: &str) -> String {
        let wanted = json!({"using": using, "value": value});
        let found = self.post("/element", &wanted).await;
        let (_, id) = found.as_object().unwrap().iter().next().unwrap();
        format!("/element/{}", id.as_str().unwrap())
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.post(&format!("{element}/value"), &json!({ "text": text }))
            .await;
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.post(&format!("{element}/click"), &json!({})).await;
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let url = format!("{}{}/text", self.session, self.find(selector).await);
        let answer: Value = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["value"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn quit(mut self) {
        drop(self.http.delete(&self.session).send().await);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Flags of a browser that is alone with the test: names lead where `resolver` maps them and nowhere else.
pub(crate) fn arguments(profile: &Path, resolver: &str) -> Vec<String> {
    let mut args: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
    ]
    .map(str::to_owned)
    .to_vec();
    args.push(format!("--user-data-dir={}", profile.display()));
    args.push(format!("--host-resolver-rules={resolver}"));
    args
}
