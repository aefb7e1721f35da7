//! A disk that fails: what could not be made durable is not acknowledged, the program lives on, and what was acknowledged
//! is there afterwards (promise P2). The kernel's answers come from `strace`, so the program is the one that users run.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod program;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use program::Program;
use serde_json::{Value, json};

const STRACE: &str = "strace";
const WRITES: usize = 60;

/// The program, with every third attempt to make something durable failing, after it has started.
fn on_a_failing_disk(path: &Path, error: &str) -> Command {
    let mut strace = Command::new(STRACE);
    strace
        .args([
            "-D",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,fdatasync",
        ])
        .arg("-e")
        .arg(format!("inject=fsync,fdatasync:error={error}:when=12+3"))
        .arg(path);
    strace
}

fn can_trace() -> bool {
    let traced = Command::new(STRACE).args(["-qq", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn what_the_disk_refused_is_not_acknowledged_and_what_was_acknowledged_is_there() {
    if !can_trace() {
        println!("SKIPPED failing_disk: strace is not installed, or may not trace here");
        return;
    }
    let path = bonafide_tests::bonafide_program().unwrap();
    for error in ["EIO", "ENOSPC"] {
        let data = tempfile::tempdir().unwrap();
        let http = program::client();
        let (mut program, _) = Program::start(on_a_failing_disk(&path, error), data.path());
        let session = program.open_session(&http).await;
        let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
        for number in 0..WRITES {
            let id = format!("app-{number}");
            let body = json!({ "id": id, "name": "An app", "android_package": null });
            let request = http
                .post(program.url("apps"))
                .bearer_auth(&session)
                .json(&body);
            let answer = request.send().await.unwrap();
            if answer.status() == 201 {
                acknowledged.insert(id);
            } else {
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["code"], "store-unavailable", "{problem}");
                refused += 1;
            }
            assert!(program.is_alive());
        }
        assert!(
            refused >= 10 && acknowledged.len() >= 10,
            "{refused} refused"
        );
        program.kill_nine();
        let (program, _) = Program::start(Command::new(&path), data.path());
        let there = apps(&http, &program, &session).await;
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "{error}: {lost:?}");
        println!(
            "{error}: {refused} refused, {} acknowledged, none lost",
            acknowledged.len()
        );
    }
}

async fn apps(http: &reqwest::Client, program: &Program, session: &str) -> BTreeSet<String> {
    let get = async |url: String| -> Value {
        let request = http.get(url).bearer_auth(session);
        request.send().await.unwrap().json().await.unwrap()
    };
    let verification = get(format!("{}/admin/v1/audit/verify", program.admin)).await;
    assert_eq!(verification["intact"], true, "{verification}");
    let page = get(program.url("apps?page_size=500")).await;
    let apps = page["items"].as_array().unwrap().iter();
    apps.map(|app| app["id"].as_str().unwrap().to_owned())
        .collect()
}
