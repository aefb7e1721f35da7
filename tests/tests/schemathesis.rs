//! Schemathesis (`PyPI`) against the running service, by its own `OpenAPI` document: thousands of valid and
//! invalid requests, with and without a session, and no server error (promise P25).
#![expect(
    clippy::expect_used,
    reason = "a test that cannot start its peer has failed"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide_server::app::admin::sessions;
use bonafide_server::{Running, ServeOptions, Server};
use bonafide_wire::admin::Role;

/// At least this many cases in all.
const CASES: u64 = 2_000;

/// One run: which operations, at which address, as whom, how many cases for each operation.
struct Run<'a> {
    name: &'static str,
    paths: &'static str,
    url: String,
    session: Option<&'a str>,
    examples: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_generated_request_makes_a_server_error() {
    let Some(program) = schemathesis() else {
        println!("SKIPPED schemathesis: no Python with schemathesis (cargo xtask peers)");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let running = Server::start(ServeOptions::on_loopback(data))
        .await
        .expect("the service starts");
    let document = directory.path().join("openapi.json");
    let text = bonafide_server::http::openapi::document()
        .to_json()
        .expect("a document");
    std::fs::write(&document, text).expect("writable");
    let session = open_session(&running).await;
    let device = format!("http://{}", running.device_addr);
    let admin = format!("http://{}", running.admin_addr);
    let run = |name, paths, url: &String, session, examples| Run {
        name,
        paths,
        url: url.clone(),
        session,
        examples,
    };
    let runs = [
        run("device", r"^/(v1|\.well-known)/", &device, None, 60),
        run("anonymous", "^/admin/v1/", &admin, None, 3),
        run("session", "^/admin/v1/", &admin, Some(session.as_str()), 12),
    ];
    let mut cases = 0;
    for run in runs {
        let command = command(&program, &document, &run);
        let output = tokio::task::spawn_blocking(move || {
            let mut command = command;
            command.output()
        });
        let output = output.await.expect("joined").expect("schemathesis starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}:\n{said}", run.name);
        let count = generated(&said).unwrap_or_else(|| panic!("no count in:\n{said}"));
        println!("{}: {count} cases", run.name);
        cases += count;
    }
    running.stop().await;
    assert!(cases >= CASES, "only {cases} cases");
}

#[expect(clippy::disallowed_methods, reason = "the runner says where peers are")]
fn schemathesis() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var("BONAFIDE_PEER_PYTHON").ok()?);
    Some(python.parent()?.join("schemathesis"))
}

fn command(program: &Path, document: &Path, run: &Run<'_>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(document.parent().unwrap_or(Path::new(".")))
        .args(["--no-color", "run"])
        .arg(document)
        .args(["--url", &run.url])
        .args(["--include-path-regex", run.paths])
        // It would end the session that the rest of the run needs.
        .args(["--exclude-path", "/admin/v1/sessions/current"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--checks", "not_a_server_error,content_type_conformance"])
        .args(["--max-examples", &run.examples.to_string()])
        .args(["--generation-database", "none", "--seed", "1"])
        .args(["--warnings", "off", "--continue-on-failure"])
        .args(["--suppress-health-check", "all"]);
    if let Some(session) = run.session {
        command
            .arg("--header")
            .arg(format!("Authorization: Bearer {session}"));
    }
    command
}

/// "Test cases: 1234 generated, …" of the summary.
fn generated(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("generated"))?;
    line.split_whitespace().find_map(|word| word.parse().ok())
}

async fn open_session(running: &Running) -> String {
    let credential = running
        .first_credential
        .as_ref()
        .expect("a first start has a credential");
    let service = running.service();
    let opened = sessions::open(service, &credential.secret, Role::Admin).await;
    let view = opened.expect("a session");
    view.session.expose().to_owned()
}
