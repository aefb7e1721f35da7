//! The real peers of the tests: Debian's `apksigner`, Chromium and `strace`, `PyPI`'s PyJWT, schemathesis and Canaille, npm's
//! oidc-provider and oauth4webapi.
//!
//! They are installed where that is allowed. Where it is not, the tests that need them are skipped, loudly;
//! with `CI=true` a skip is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{root, say};

/// A program from Debian and the packages that bring it.
const DEBIAN: &[(&str, &[&str])] = &[
    ("apksigner", &["apksigner"]),
    ("chromedriver", &["chromium", "chromium-driver"]),
    ("npm", &["nodejs", "npm"]),
    ("python3", &["python3", "python3-venv"]),
    ("strace", &["strace"]),
];

/// Packages from `PyPI`; a module that proves the install, and what to install.
const PYPI: &[(&str, &str)] = &[
    ("jwt", "PyJWT[crypto]==2.10.1"),
    ("schemathesis", "schemathesis>=4.4,<5"),
];

/// An authorization server from `PyPI`. Missing, it is the only thing that is.
const CANAILLE: (&str, &str) = ("canaille", "canaille[front,oidc,server]==0.3.6");

/// What the tests are told about the peers.
pub(crate) struct Peers {
    /// A Python with the packages above, where it could be made.
    pub(crate) python: Option<PathBuf>,
    /// A Python with Canaille.
    pub(crate) canaille: Option<PathBuf>,
}

/// Installs what is missing and may be installed.
pub(crate) fn install() -> Peers {
    for (program, packages) in DEBIAN {
        if !is_on_path(program) && !apt_install(packages) {
            say(&format!(
                "MISSING: {program} (Debian: {}); its tests will be skipped",
                packages.join(" ")
            ));
        }
    }
    if !oidc_provider() {
        say(
            "MISSING: oidc-provider and oauth4webapi (need Node.js and npm); their tests will be skipped",
        );
    }
    if !app_attest() {
        say("MISSING: node-app-attest (needs Node.js and npm); its tests will be skipped");
    }
    if !key_attestation() {
        say("MISSING: ruby-android-key-attestation (Debian); its tests will be skipped");
    }
    let python = python_environment();
    if python.is_none() {
        say("MISSING: a Python environment with PyJWT and schemathesis; its tests will be skipped");
    }
    let canaille = python
        .clone()
        .filter(|python| pip_install(python, CANAILLE));
    if canaille.is_none() {
        say("MISSING: Canaille (PyPI); its tests will be skipped");
    }
    Peers { python, canaille }
}

fn is_on_path(program: &str) -> bool {
    quiet(Command::new("sh").args(["-c", &format!("command -v {program}")]))
}

fn apt_install(packages: &[&str]) -> bool {
    if !is_on_path("apt-get") {
        return false;
    }
    say(&format!("installing {} with apt-get", packages.join(" ")));
    let install = || {
        quiet(
            Command::new("apt-get")
                .args(["install", "--yes", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    // The lists of a new machine are empty or old.
    install() || (quiet(Command::new("apt-get").arg("update")) && install())
}

/// The authorization server of `tests/tests/oidc_provider` and the client beside it, from their lock file.
fn oidc_provider() -> bool {
    let home = root().join("target/peers/oidc-provider");
    let present = ["oidc-provider", "oauth4webapi"]
        .iter()
        .all(|package| home.join("node_modules").join(package).exists());
    if present {
        return is_on_path("node");
    }
    if !is_on_path("npm") || std::fs::create_dir_all(&home).is_err() {
        return false;
    }
    say("installing oidc-provider with npm in target/peers");
    let source = root().join("tests/peers/oidc-provider");
    let copied = ["package.json", "package-lock.json", "server.mjs"]
        .iter()
        .all(|file| std::fs::copy(source.join(file), home.join(file)).is_ok());
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&home);
    copied && quiet(&mut npm)
}

/// The judge of App Attest objects of `crates/evidence/tests/peers.rs`, from its lock file.
fn app_attest() -> bool {
    let home = root().join("target/peers/app-attest");
    if home.join("node_modules/node-app-attest").exists() {
        return is_on_path("node");
    }
    if !is_on_path("npm") || std::fs::create_dir_all(&home).is_err() {
        return false;
    }
    say("installing node-app-attest with npm in target/peers");
    let source = root().join("tests/peers/app-attest");
    let copied = ["package.json", "package-lock.json", "judge.mjs"]
        .iter()
        .all(|file| std::fs::copy(source.join(file), home.join(file)).is_ok());
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&home);
    copied && quiet(&mut npm)
}

/// The judge of Android chains beside it: an interpreter and a library of Debian's.
fn key_attestation() -> bool {
    let present = || quiet(Command::new("ruby").args(["-e", "require 'android_key_attestation'"]));
    present() || apt_install(&["ruby", "ruby-android-key-attestation"]) && present()
}

fn python_environment() -> Option<PathBuf> {
    let venv = root().join("target/peers/python");
    let python = venv.join("bin/python");
    if !python.exists() {
        say("making a Python environment in target/peers");
        let make = || quiet(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        // Debian keeps the module apart from the interpreter.
        if !(make() || apt_install(&["python3-venv"]) && make()) {
            return None;
        }
    }
    let all = PYPI.iter().all(|package| pip_install(&python, *package));
    all.then_some(python)
}

fn pip_install(python: &Path, (module, package): (&str, &str)) -> bool {
    if quiet(Command::new(python).args(["-c", &format!("import {module}")])) {
        return true;
    }
    say(&format!("installing {package} with pip"));
    quiet(Command::new(python).args(["-m", "pip", "install", "--quiet", package]))
}

fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
