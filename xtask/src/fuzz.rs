//! Runs the fuzz targets (`fuzz/`, outside the workspace) with cargo-fuzz on the stable toolchain.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{execute, root, say, seed};

/// Runs each target for so many seconds.
pub(crate) fn run(seconds: u32, only: Option<&str>) -> Result<()> {
    ensure_cargo_fuzz()?;
    let listed = fuzz(&["list"])
        .output()
        .context("cargo fuzz list does not start")?;
    if !listed.status.success() {
        bail!("cargo fuzz list failed");
    }
    let targets = String::from_utf8(listed.stdout)?;
    for target in targets
        .lines()
        .filter(|target| only.is_none_or(|only| only == *target))
    {
        seed::write(target)?;
        say(&format!("fuzzing {target} for {seconds} s"));
        execute(&mut fuzz(&[
            "run",
            target,
            "--",
            &format!("-max_total_time={seconds}"),
            // One second of the parser's own; the sanitizer makes it about three.
            "-timeout=3",
            // No input has more than 70,000 bytes, so nothing may ask for much memory at once.
            "-malloc_limit_mb=64",
            // Whole chains are longer than libFuzzer's default of 4 KiB.
            "-max_len=70000",
            "-rss_limit_mb=1024",
        ]))?;
    }
    Ok(())
}

/// `RUSTC_BOOTSTRAP` lets the pinned stable compiler take the sanitizer flags that cargo-fuzz passes.
fn fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(root().join("fuzz"))
        .arg("fuzz")
        .args(arguments)
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

fn ensure_cargo_fuzz() -> Result<()> {
    let present = Command::new("cargo")
        .args(["fuzz", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !present {
        say("installing cargo-fuzz");
        execute(Command::new("cargo").args([
            "install",
            "cargo-fuzz",
            "--version",
            "0.13.2",
            "--locked",
        ]))?;
    }
    Ok(())
}
