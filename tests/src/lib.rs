//! What the tests across all walls share: where the workspace is, and how a missing peer is reported.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

/// Builds the `bonafide` program in the profile of the running test, and says where it is.
pub fn bonafide_program() -> std::io::Result<PathBuf> {
    program_of("--workspace", "bonafide")
}

/// Builds a program of one package (or of the whole workspace, with its features) in the profile of the running test, and
/// says where it is.
pub fn program_of(package: &str, program: &str) -> std::io::Result<PathBuf> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin", program]);
    if package == "--workspace" {
        cargo.args(["--workspace", "--all-features"]);
    } else {
        cargo.args(["--package", package]);
    }
    cargo.current_dir(workspace_root());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.status()?.success();
    let test = std::env::current_exe()?;
    let path = test
        .ancestors()
        .nth(2)
        .map(|profile| profile.join(program))
        .filter(|path| built && path.exists());
    path.ok_or_else(|| std::io::Error::other(format!("the program {program} was not built")))
}
