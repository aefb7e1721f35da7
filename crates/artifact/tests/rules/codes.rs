//! Every finding of the table has a test that produces it.

use std::path::Path;

use bonafide_artifact::Code;

/// Findings that no minted file here shows, and why not.
const ELSEWHERE: &[(Code, &str)] = &[(
    Code::DevelopmentRelease,
    "opens a level's verdict without standing in the list: `a_pair_for_a_preview_leaves_the_released_level_open`",
)];

#[test]
fn every_code_is_expected_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let mut tests = String::new();
    for file in std::fs::read_dir(folder).expect("there") {
        let path = file.expect("readable").path();
        if path.is_file() && !path.ends_with("codes.rs") {
            tests.push_str(&std::fs::read_to_string(path).expect("text"));
        }
    }
    let named = |code: &Code| {
        let name = format!("Code::{code:?}");
        tests.match_indices(&name).any(|(at, _)| {
            let after = tests[at + name.len()..].chars().next();
            !after.is_some_and(char::is_alphanumeric)
        })
    };
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| !named(code) && !ELSEWHERE.iter().any(|(known, _)| known == *code))
        .collect();
    assert!(missing.is_empty(), "no test expects {missing:?}");
    let needless: Vec<_> = ELSEWHERE.iter().filter(|(code, _)| named(code)).collect();
    assert!(needless.is_empty(), "tested after all: {needless:?}");
}
