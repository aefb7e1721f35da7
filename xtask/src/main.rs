//! Project chores that have an `if` in them: `cargo xtask test | bench | fuzz | peers`.

mod carve;
mod fuzz;
mod peers;
mod seed;
mod test_run;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Chores of the Bonafide project",
    disable_version_flag = true
)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the real-peer tests need, run every test, print the totals.
    Test {
        /// Passed on to `cargo test`, for example `-p bonafide-wire`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Install what the real-peer tests need, and say what could not be.
    Peers,
    /// Re-attest and enrolment CPU beside their floors, as ratios.
    Bench,
    /// Run every fuzz target from the corpus.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Only this target.
        target: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Test { filter } => test_run::run(&filter),
        Chore::Peers => {
            peers::install();
            Ok(())
        }
        Chore::Bench => execute(cargo().args(["bench", "--package", "bonafide-server"])),
        Chore::Fuzz { seconds, target } => fuzz::run(seconds, target.as_deref()),
    }
}

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Cargo, in the workspace.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// Runs a command to its end; anything but success is an error that names it.
fn execute(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Talk goes to stderr.
fn say(text: &str) {
    use std::io::Write as _;
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{text}"));
}
