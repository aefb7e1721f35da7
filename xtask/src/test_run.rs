//! Runs every test and ends with one line of totals.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::{cargo, peers, say};

#[derive(Default)]
struct Totals {
    passed: u32,
    failed: u32,
    ignored: u32,
    skipped: Vec<String>,
}

/// Installs the peers, runs `cargo test`, counts. Under `CI=true` whatever was skipped is a failure.
pub(crate) fn run(filter: &[String]) -> Result<()> {
    let peers = peers::install();
    let mut command = cargo();
    command.args(["test", "--no-fail-fast", "--all-features"]);
    if filter.is_empty() {
        command.arg("--workspace");
    }
    command
        .args(filter)
        .args(["--", "--show-output"])
        .stdout(Stdio::piped());
    if let Some(python) = &peers.python {
        command.env("BONAFIDE_PEER_PYTHON", python);
    }
    if let Some(python) = &peers.canaille {
        command.env("BONAFIDE_PEER_CANAILLE", python);
    }
    let mut child = command.spawn().context("cargo test does not start")?;
    let output = child.stdout.take().context("cargo test has an output")?;
    let mut totals = Totals::default();
    let mut reader = Reader::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        if reader.take(&line, &mut totals) == Echo::Yes {
            say(&line);
        }
    }
    let status = child.wait()?;
    for skipped in &totals.skipped {
        say(skipped);
    }
    say(&format!(
        "totals: {} passed, {} failed, {} skipped",
        totals.passed,
        totals.failed,
        totals.skipped.len() + usize::try_from(totals.ignored)?
    ));
    report(&totals);
    if !status.success() || totals.failed > 0 {
        bail!("tests failed");
    }
    if totals.passed == 0 {
        bail!("no test ran");
    }
    if is_ci() && (totals.ignored > 0 || !totals.skipped.is_empty()) {
        bail!("in CI a skipped test is a failure");
    }
    Ok(())
}

/// The closing line on stdout, for machines.
fn report(totals: &Totals) {
    use std::io::Write as _;
    drop(writeln!(
        std::io::stdout(),
        "{} passed, {} failed, {} skipped",
        totals.passed,
        totals.failed,
        totals.skipped.len() + totals.ignored as usize
    ));
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program")]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Reads libtest's text: passes it on, but of the output of passing tests only the skips.
#[derive(Default)]
struct Reader {
    in_successes: bool,
}

/// Whether a line is worth showing.
#[derive(PartialEq, Eq)]
enum Echo {
    Yes,
    No,
}

impl Reader {
    fn take(&mut self, line: &str, totals: &mut Totals) -> Echo {
        if line == "successes:" {
            self.in_successes = true;
        } else if line == "failures:" || line.starts_with("test result:") {
            self.in_successes = false;
        }
        if line.starts_with("SKIPPED") {
            totals.skipped.push(line.to_owned());
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            totals.passed += count(counts, "passed");
            totals.failed += count(counts, "failed");
            totals.ignored += count(counts, "ignored");
        }
        let passes_quietly = line.starts_with("test ") && line.ends_with("... ok");
        if self.in_successes || passes_quietly || line.trim().is_empty() {
            Echo::No
        } else {
            Echo::Yes
        }
    }
}

fn count(line: &str, word: &str) -> u32 {
    line.split(['.', ';'])
        .filter_map(|part| part.trim().strip_suffix(word))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_libtest_prints() {
        let line =
            "ok. 23 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.11s";
        assert_eq!(count(line, "passed"), 23);
        assert_eq!(count(line, "failed"), 1);
        assert_eq!(count(line, "ignored"), 2);
    }

    #[test]
    fn sees_a_skip_inside_the_output_of_a_passing_test() {
        let mut totals = Totals::default();
        let mut reader = Reader::default();
        for line in [
            "successes:",
            "---- a stdout ----",
            "SKIPPED: no corpus",
            "test result: ok. 1 passed; 0 failed; 0 ignored",
        ] {
            reader.take(line, &mut totals);
        }
        assert_eq!(totals.skipped, ["SKIPPED: no corpus"]);
        assert_eq!(totals.passed, 1);
    }
}
