//! Keeps `docs/reference/cli.md` equal to what the program says of itself.

use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::Arguments;

const HEAD: &str = "# The command line\n\n\
    Generated from the program; `BONAFIDE_WRITE_REFERENCE=1 cargo test -p bonafide reference` writes it anew.\n";

fn pages(command: &mut Command, text: &mut String) {
    let name = command
        .get_bin_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let fence = format!(
        "\n## {name}\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    );
    text.push_str(&fence);
    for child in command.get_subcommands_mut() {
        // What every command has is said once, at the top.
        *child = child.clone().mut_args(|arg| {
            arg.clone()
                .hide(arg.is_global_set() || arg.get_id() == "help")
        });
        pages(child, text);
    }
}

fn reference() -> String {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut text = HEAD.to_owned();
    pages(&mut command, &mut text);
    text
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a switch for whoever changes a command"
)]
fn reference_page_says_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let now = reference();
    if std::env::var("BONAFIDE_WRITE_REFERENCE").is_ok() {
        std::fs::write(&path, &now).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == now,
        "docs/reference/cli.md is out of date: BONAFIDE_WRITE_REFERENCE=1 cargo test -p bonafide reference"
    );
}

#[test]
fn clap_finds_no_fault() {
    Arguments::command().debug_assert();
}
