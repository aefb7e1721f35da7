//! The documents hold together: links resolve, what the code cites exists, generated pages are true.
#![expect(
    clippy::expect_used,
    clippy::string_slice,
    reason = "a test that cannot read the tree has failed"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bonafide_evidence::{Check, Policy, Preset};
use bonafide_sdk::adaptor::{LoginFault, Unfit};
use bonafide_sdk::{Fault, SdkError};
use bonafide_tests::workspace_root;
use bonafide_trust::{TrustReject, decide::ConnectionReject};
use bonafide_wire::device::Withheld;
use bonafide_wire::problem::ProblemCode;

const SKIPPED: &[&str] = &["target", ".git", "node_modules"];

#[test]
fn links_of_every_document_resolve() {
    let mut broken = Vec::new();
    for page in files(&workspace_root(), &["md"]) {
        let text = fs::read_to_string(&page).expect("readable");
        for link in links(&text) {
            if link.contains("://") || link.starts_with('#') || link.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().expect("a file has a directory").join(path);
            if !target.exists() {
                broken.push(format!("{}: {link}", page.display()));
            } else if !fragment.is_empty() && !has_heading(&target, fragment) {
                broken.push(format!("{}: {link} (no such heading)", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// `docs/…` and `ARCHITECTURE.md` in code and manifests are promises to the reader.
#[test]
fn documents_that_the_code_cites_exist() {
    let root = workspace_root();
    let mut missing = Vec::new();
    for file in files(&root, &["rs", "toml", "md"]) {
        let text = fs::read_to_string(&file).expect("readable");
        for (at, _) in text.match_indices("docs/") {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || "/.-_".contains(before) {
                continue;
            }
            let cited: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "/.-_".contains(*c))
                .collect();
            let cited = cited.trim_end_matches(['.', '-', '/']);
            if !exists_or_is_number_of_a_decision(&root, cited) {
                missing.push(format!("{}: {cited}", file.display()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "cited, not there:\n{}",
        missing.join("\n")
    );
}

fn exists_or_is_number_of_a_decision(root: &Path, cited: &str) -> bool {
    if root.join(cited).exists() {
        return true;
    }
    let Some(number) = cited.strip_prefix("docs/adr/") else {
        return false;
    };
    let records = fs::read_dir(root.join("docs/adr")).expect("readable");
    number.len() >= 4
        && records.flatten().any(|record| {
            let name = record.file_name();
            name.to_string_lossy().starts_with(number)
        })
}

/// Rules `W-n` that code and tests cite are written down.
#[test]
fn rules_that_the_code_cites_are_in_the_protocol() {
    let root = workspace_root();
    let protocol = fs::read_to_string(root.join("docs/protocol.md")).expect("readable");
    for file in files(&root, &["rs", "md"]) {
        let text = fs::read_to_string(&file).expect("readable");
        for (at, _) in text.match_indices("W-") {
            let number: String = text[at + 2..]
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            let inside_a_word = text[..at].ends_with(|c: char| c.is_alphanumeric());
            assert!(
                number.is_empty() || inside_a_word || protocol.contains(&format!("**W-{number} ")),
                "{}: W-{number} is no rule of docs/protocol.md",
                file.display()
            );
        }
    }
}

/// A threat is held by a test that exists, or it is not held.
#[test]
fn tests_that_the_documents_name_exist() {
    let root = workspace_root();
    let code: String = files(&root, &["rs"])
        .iter()
        .map(|file| fs::read_to_string(file).expect("readable"))
        .collect();
    for (page, at_least) in [("docs/threat-model.md", 20), ("crates/oauth/README.md", 10)] {
        let text = fs::read_to_string(root.join(page)).expect("readable");
        let names = text.split('`').skip(1).step_by(2).filter(|name| {
            name.matches('_').count() >= 4
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        });
        let mut seen = 0;
        for name in names {
            assert!(
                code.contains(&format!("fn {name}(")),
                "{page} names {name}, which is no test"
            );
            seen += 1;
        }
        assert!(seen > at_least, "{page} names only {seen} tests");
    }
}

#[test]
fn reference_of_codes_says_what_the_code_says() {
    assert_page("docs/reference/codes.md", &codes_page());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a switch for whoever changes a code"
)]
fn ci_checks_pages_and_does_not_write_them() {
    let updating = std::env::var("BONAFIDE_WRITE_REFERENCE").is_ok();
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!(updating && ci), "CI checks pages, it does not write them");
}

#[test]
fn reference_of_the_policy_names_every_check_and_key() {
    let page = fs::read_to_string(workspace_root().join("docs/reference/policy.md"))
        .expect("docs/reference/policy.md");
    for check in Check::ALL {
        let modes: Vec<&str> = Preset::ALL
            .iter()
            .map(|preset| check.mode_in(*preset).as_str())
            .collect();
        let row = format!("| `{check}` | {} |", modes.join(" | "));
        assert!(page.contains(&row), "docs/reference/policy.md lacks {row}");
    }
    for (key, _) in Policy::default().entries() {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/reference/policy.md lacks {key}"
        );
    }
}

fn codes_page() -> String {
    let mut page = String::from(
        "# Codes\n\n\
         Generated from the code; `BONAFIDE_WRITE_REFERENCE=1 cargo test -p bonafide-tests --test docs` writes it anew. \
         Codes are API: they do not change their meaning. \
         Those of device evidence have a page of their own: [evidence-codes.md](evidence-codes.md); the checks that a policy switches are \
         in [policy.md](policy.md).\n\n\
         ## Problem codes\n\n\
         `code` of every problem document (RFC 9457) of the service.\n\n\
         | code | status | title |\n|---|---|---|\n",
    );
    for code in ProblemCode::ALL {
        row(
            &mut page,
            &[
                &format!("`{code}`"),
                &code.status().to_string(),
                code.title(),
            ],
        );
    }
    page.push_str(
        "\n## Withheld\n\nWhy an allowed instance was not given one of the things it asked for (W-12).\n\n| code |\n|---|\n",
    );
    for withheld in Withheld::ALL {
        row(&mut page, &[&format!("`{}`", withheld.as_str())]);
    }
    page.push_str("\n## Rejects of trust metadata\n\n| code | meaning |\n|---|---|\n");
    for reject in TrustReject::ALL {
        row(
            &mut page,
            &[&format!("`{}`", reject.code()), &reject.to_string()],
        );
    }
    page.push_str("\n## Rejects of a connection\n\n| code | meaning |\n|---|---|\n");
    for reject in ConnectionReject::ALL {
        row(
            &mut page,
            &[&format!("`{}`", reject.code()), &reject.to_string()],
        );
    }
    push_codes_of_the_sdk(&mut page);
    push_codes_of_logins(&mut page);
    page
}

fn push_codes_of_the_sdk(page: &mut String) {
    page.push_str(
        "\n## Codes of the SDK\n\n`code()` of an error where neither the service nor trust metadata spoke. \
         Whether to try again is `retryable()`.\n\n| code | retryable | meaning |\n|---|---|---|\n",
    );
    for fault in Fault::of_the_sdk() {
        let retryable = if SdkError::from(fault).retryable() {
            "yes"
        } else {
            "no"
        };
        row(
            page,
            &[&format!("`{}`", fault.code()), retryable, fault.message()],
        );
    }
}

fn push_codes_of_logins(page: &mut String) {
    page.push_str(
        "\n## Codes of logins\n\n`code()` of a `LoginError` where neither the SDK nor the OAuth engine \
         ([their codes](oauth-codes.md)) spoke. A rung that an app insisted on says why it does not do; where none does, \
         the code is `no-rung`.\n\n| code | meaning |\n|---|---|\n",
    );
    for fault in LoginFault::ALL {
        row(page, &[&format!("`{}`", fault.code()), fault.message()]);
    }
    for why in Unfit::ALL {
        row(page, &[&format!("`{}`", why.code()), why.message()]);
    }
}

fn row(page: &mut String, cells: &[&str]) {
    writeln!(page, "| {} |", cells.join(" | ")).expect("a string takes it");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch for whoever changes a code"
)]
fn assert_page(name: &str, now: &str) {
    let path = workspace_root().join(name);
    if std::env::var("BONAFIDE_WRITE_REFERENCE").is_ok() {
        fs::write(&path, now).expect("writable");
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == now,
        "{name} is out of date: BONAFIDE_WRITE_REFERENCE=1 cargo test -p bonafide-tests --test docs"
    );
}

/// Targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find([')', ' ']) {
                links.push(&rest[..end]);
            }
        }
    }
    links
}

/// Whether a document has the heading that a fragment means (as GitHub derives it).
fn has_heading(page: &Path, fragment: &str) -> bool {
    let text = fs::read_to_string(page).expect("readable");
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| {
            let slug: String = line
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            slug == fragment
        })
}

fn files(directory: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("readable").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}
