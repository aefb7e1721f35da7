//! The real program as a child process of a test.
#![expect(dead_code, reason = "each test of several uses its part")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The account of a first start.
pub(crate) const ACCOUNT: &str = "default";

/// The running program; killed, not asked, when it goes, so that no failing test leaves one behind.
pub(crate) struct Program {
    child: Child,
    pub(crate) admin: String,
    pub(crate) device: String,
    credential: Option<String>,
}

impl Program {
    /// Starts it; gives it once both listeners answer, and how long that took.
    pub(crate) fn start(program: Command, data: &Path) -> (Self, Duration) {
        Self::start_logging(program, data, ("error", Stdio::inherit()))
    }

    /// The same with its log elsewhere.
    pub(crate) fn start_logging(
        mut program: Command,
        data: &Path,
        (filter, log): (&str, Stdio),
    ) -> (Self, Duration) {
        let started = Instant::now();
        let mut child = program
            .args(["--output", "json", "serve", "--log", filter, "--data"])
            .arg(data)
            .stderr(log)
            .args([
                "--device-addr",
                "127.0.0.1:0",
                "--admin-addr",
                "127.0.0.1:0",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        let program = Self {
            child,
            admin: text("admin_url").unwrap(),
            device: text("device_url").unwrap(),
            credential: text("first_credential"),
        };
        (program, started.elapsed())
    }

    pub(crate) fn url(&self, route: &str) -> String {
        format!("{}/admin/v1/accounts/{ACCOUNT}/{route}", self.admin)
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill_nine(self) {
        drop(self);
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A session as admin, with the credential of the first start.
    pub(crate) async fn open_session(&self, http: &reqwest::Client) -> String {
        let credential = self.credential.as_ref().unwrap();
        let request = http
            .post(format!("{}/admin/v1/sessions", self.admin))
            .bearer_auth(credential)
            .json(&json!({ "role": "admin" }));
        let opened: Value = request.send().await.unwrap().json().await.unwrap();
        opened["session"].as_str().unwrap().to_owned()
    }
}

/// Speaks to loopback, whatever proxies there are.
pub(crate) fn client() -> reqwest::Client {
    // Another test of this process may have been first.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
