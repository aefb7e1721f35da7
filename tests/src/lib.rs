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
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--workspace", "--all-features"])
        .args(["--bin", "bonafide"])
        .current_dir(workspace_root());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.status()?.success();
    let test = std::env::current_exe()?;
    let program = test
        .ancestors()
        .nth(2)
        .map(|profile| profile.join("bonafide"))
        .filter(|program| built && program.exists());
    program.ok_or_else(|| std::io::Error::other("the bonafide program was not built"))
}
