//! `bonafide simulator`: a virtual phone and small real APKs, to try things without a device.
//!
//! Nothing here weakens a service: what the phone says counts only where an account trusts its root
//! (`bonafide anchor add`) and accepts the development mark.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide_simulator::apk::{Apk, BuildType, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone, SimulatorError};
use bonafide_wire::ids::PackageName;
use clap::{Subcommand, ValueEnum};

use crate::environment::now;
use crate::error::{Exit, Failure};
use crate::profile::write_private;
use crate::render;

const FACTORY: &str = "factory.json";
const ROOT: &str = "root.pem";

/// `bonafide simulator …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Make a factory with a root of its own, and a phone from it
    #[command(
        after_long_help = "Example:\n  bonafide simulator new phone\n  bonafide anchor add simulator phone/root.pem\n  \
            bonafide policy set development observe"
    )]
    New {
        /// Where both live
        #[arg(value_name = "DIR")]
        home: PathBuf,
        /// The phone's model
        #[arg(long, default_value = "Bonafide Virtual Phone", value_name = "NAME")]
        model: String,
        /// Keep keys in a secure element
        #[arg(long)]
        strong_box: bool,
    },
    /// Print the root certificate, PEM
    RootCertificate {
        /// Where the factory lives
        #[arg(value_name = "DIR")]
        home: PathBuf,
    },
    /// Do to the phone what an attacker or an enthusiast does
    Tamper {
        /// Where the phone lives
        #[arg(value_name = "DIR")]
        home: PathBuf,
        /// What to do
        #[arg(value_enum)]
        how: Tampering,
    },
    /// Build a small real APK, signed with v2 and v3
    #[command(
        after_long_help = "Example:\n  bonafide simulator apk books.apk --package com.example.books --version-code 1 --key dev.key"
    )]
    Apk {
        /// Where to write it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        build: Build,
    },
    /// Attest a new key of an installed build over a challenge; prints the chain, PEM
    #[command(
        after_long_help = "Example:\n  bonafide simulator attest phone --package com.example.books --version-code 1 \
            --key dev.key --challenge 00112233 > chain.pem\n  \
            bonafide evidence verify android-key chain.pem --roots phone/root.pem --challenge 00112233"
    )]
    Attest {
        /// Where the phone lives
        #[arg(value_name = "DIR")]
        home: PathBuf,
        #[command(flatten)]
        build: Build,
        /// The challenge
        #[arg(long, value_name = "HEX")]
        challenge: String,
    },
}

/// A build of an app.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// Its package
    #[arg(long, value_name = "NAME")]
    package: PackageName,
    /// Its version code
    #[arg(long, value_name = "N")]
    version_code: u32,
    /// The developer's signing key; it is made if need be
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A build that a debugger may be attached to
    #[arg(long)]
    debuggable: bool,
}

/// What can be done to a phone.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Tampering {
    /// Unlock the bootloader; as on real phones this destroys all keys
    UnlockBootloader,
    /// Root the system
    Root,
}

/// Does it.
pub(crate) fn run(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::New {
            home,
            model,
            strong_box,
        } => new(&home, model, strong_box.into())?,
        Verb::RootCertificate { home } => {
            render::line(factory(&home)?.root_certificate_pem().trim_end())?;
        }
        Verb::Tamper { home, how } => {
            let phone = Phone::load(&home).map_err(failed)?;
            match how {
                Tampering::UnlockBootloader => phone.unlock_bootloader(),
                Tampering::Root => phone.root(),
            }
            .map_err(failed)?;
            render::say(&format!("{} is not what it was", phone.model()));
        }
        Verb::Apk { file, build } => {
            let apk = build.apk()?;
            apk.write(&file).map_err(failed)?;
            render::say(&format!(
                "{}: {} {}, signed by {}",
                file.display(),
                apk.package(),
                apk.version_code(),
                hex::encode(apk.signer())
            ));
        }
        Verb::Attest {
            home,
            build,
            challenge,
        } => {
            let challenge = hex::decode(&challenge)
                .map_err(|_| Failure::usage("--challenge must be hexadecimal"))?;
            let phone = Phone::load(&home).map_err(failed)?;
            let app = phone.install(&build.apk()?).map_err(failed)?;
            let (_, chain) = phone.generate_key(app, &challenge, now()).map_err(failed)?;
            let pems: Vec<String> = chain.iter().map(|der| pem(der)).collect();
            render::line(pems.join("\n").trim_end())?;
        }
    }
    Ok(Exit::Done)
}

#[derive(Clone, Copy)]
enum Keystore {
    TrustedEnvironment,
    StrongBox,
}

impl From<bool> for Keystore {
    fn from(strong_box: bool) -> Self {
        if strong_box {
            Self::StrongBox
        } else {
            Self::TrustedEnvironment
        }
    }
}

fn new(home: &Path, model: String, keystore: Keystore) -> Result<(), Failure> {
    if home.join(FACTORY).exists() || Phone::lives_in(home) {
        return Err(Failure::new(
            Exit::Conflict,
            format!("a phone lives in {} already", home.display()),
        ));
    }
    let factory = Factory::new(now()).map_err(failed)?;
    let builder = Phone::builder(model);
    let phone = match keystore {
        Keystore::StrongBox => builder.strong_box(),
        Keystore::TrustedEnvironment => builder,
    }
    .build(&factory, now())
    .map_err(failed)?;
    phone.keep_in(home).map_err(failed)?;
    let saved = factory.to_saved().map_err(failed)?;
    write_private(&home.join(FACTORY), saved.as_bytes())?;
    let root = home.join(ROOT);
    fs::write(&root, factory.root_certificate_pem())
        .map_err(|error| Failure::file(&root, &error))?;
    render::say(&format!(
        "{} lives in {}; a service counts its evidence after\n  bonafide anchor add simulator {}\n  \
         bonafide policy set development observe",
        phone.model(),
        home.display(),
        root.display()
    ));
    Ok(())
}

fn factory(home: &Path) -> Result<Factory, Failure> {
    let path = home.join(FACTORY);
    let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
    Factory::from_saved(&text).map_err(failed)
}

impl Build {
    fn apk(&self) -> Result<Apk, Failure> {
        let key = if self.key.exists() {
            SigningKey::load(&self.key).map_err(failed)?
        } else {
            let key = SigningKey::generate(KeyKind::EcP256, "Bonafide developer", now())
                .map_err(failed)?;
            key.save(&self.key).map_err(failed)?;
            key
        };
        let kind = if self.debuggable {
            BuildType::Debug
        } else {
            BuildType::Release
        };
        Apk::builder(self.package.as_str())
            .version(self.version_code, self.version_code.to_string())
            .build_type(kind)
            .sign(&key)
            .map_err(failed)
    }
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| core::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
        lines.join("\n")
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last to see it")]
fn failed(error: SimulatorError) -> Failure {
    Failure::usage(error.to_string())
}
