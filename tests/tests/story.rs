//! The article's story as a test: `bonafide demo --once` tells it with real bytes, and every step comes out as told.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use bonafide_tests::workspace_root;
use serde_json::Value;

/// What every telling must have, in this order, with the code that decided where one did.
const STORY: &[(&str, Option<&str>)] = &[
    ("role-admin", None),
    ("managed-roots-on", None),
    ("apis-added", None),
    ("rejection-reasons-on", None),
    ("secret-added", None),
    ("phone-trusted", None),
    ("search-works", None),
    ("login-refused", Some("app-not-registered")),
    ("build-registered", None),
    ("login-works", None),
    ("favorites-load", None),
    ("token-verifies", None),
    ("clone-refused", Some("app-not-registered")),
    ("tampered-apk-refused", Some("rejected")),
    ("unlocked-phone-refused", Some("bootloader-unlocked")),
    ("debugger-refused", Some("debugger-attached")),
    ("replay-gains-nothing", None),
    ("altered-request-refused", Some("proof-invalid")),
    ("kitchen-ca-refused", Some("root-not-managed")),
    ("managed-roots-matter", None),
    ("stolen-code-refused", Some("invalid_request")),
    ("other-host-refused", Some("host-not-allowed")),
    ("root-withdrawn", Some("root-not-managed")),
    ("secret-rotated", Some("server-invalid-client")),
    ("developer-let-through", Some("app-not-registered")),
    ("upstreams-added", None),
    ("rung-5-leaks-the-secret", None),
    ("rung-4-leaks-one-use", Some("invalid_client")),
    ("rung-2-leaks-an-hour", Some("invalid_grant")),
    ("rung-1-leaks-nothing", Some("token-bound")),
    ("audit-holds", None),
];

#[test]
fn the_story_comes_out_as_told() {
    let began = Instant::now();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "bonafide", "--"])
        .args(["demo", "--once", "--output", "json"])
        .current_dir(workspace_root())
        .output()
        .expect("the demo starts");
    println!("story: {} ms with its build", began.elapsed().as_millis());
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON Lines"))
        .collect();
    let (summary, steps) = lines.split_last().expect("at least a summary");

    let otherwise: BTreeMap<&str, &Value> = steps
        .iter()
        .filter(|step| step["as_told"] != true)
        .map(|step| (step["step"].as_str().expect("a name"), &step["otherwise"]))
        .collect();
    assert!(otherwise.is_empty(), "{otherwise:#?}\n{stderr}");
    let told: Vec<(&str, Option<&str>)> = steps
        .iter()
        .map(|step| {
            let name = step["step"].as_str().expect("a name");
            (name, step["code"].as_str())
        })
        .collect();
    assert_eq!(told, STORY);
    assert_eq!(summary["summary"], "as-told");
    assert!(output.status.success(), "{stderr}");
}
