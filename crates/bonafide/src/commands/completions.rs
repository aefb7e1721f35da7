//! `bonafide completions SHELL` and `bonafide man DIR`: written from the same definition that parses.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::args::Arguments;
use crate::error::{Exit, Failure};
use crate::render;

/// `bonafide completions`
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_long_help = "Examples:\n  bonafide completions bash > ~/.local/share/bash-completion/completions/bonafide\n  \
        bonafide completions zsh > ~/.zfunc/_bonafide\n  \
        bonafide completions fish > ~/.config/fish/completions/bonafide.fish"
)]
pub(crate) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

/// `bonafide man`
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_long_help = "Example:\n  bonafide man ~/.local/share/man/man1"
)]
pub(crate) struct ManArgs {
    /// Where to write; it is made if need be
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Arguments::command(),
        "bonafide",
        &mut script,
    );
    std::io::Write::write_all(&mut std::io::stdout(), &script)
        .map_err(|error| Failure::new(Exit::Refused, format!("stdout: {error}")))?;
    Ok(Exit::Done)
}

/// Writes a page for each command.
pub(crate) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::file(&args.directory, &error);
    std::fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), &args.directory).map_err(failed)?;
    render::say(&format!("manual pages are in {}", args.directory.display()));
    Ok(Exit::Done)
}
