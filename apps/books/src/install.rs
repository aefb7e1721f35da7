//! Builds the app's APK as its developer would, and installs it on the virtual phone.

use std::path::Path;

use anyhow::{Result, bail};
use bonafide_sdk::adaptor::SystemClock;
use bonafide_sdk::host::Clock as _;
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{KeyKind, Phone};

use crate::render::say;

/// Does it.
pub(crate) fn run(phone: &Path, file: &Path, key: &Path, version_code: u32) -> Result<()> {
    if !Phone::lives_in(phone) {
        bail!(
            "no phone lives in {0}; make one: bonafide simulator new {0}",
            phone.display()
        );
    }
    let developer = if key.exists() {
        SigningKey::load(key)?
    } else {
        let now = SystemClock::new().wall();
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", now)?;
        developer.save(key)?;
        developer
    };
    let apk = Apk::builder(bonafide_books::PACKAGE)
        .label("Books")
        .version(version_code, format!("1.{version_code}"))
        .sign(&developer)?;
    apk.write(file)?;
    Phone::load(phone)?.install(&apk)?;
    std::fs::create_dir_all(phone.join("books"))?;
    say(&format!(
        "installed {} version {version_code}; register it: bonafide registration add {}",
        bonafide_books::PACKAGE,
        file.display()
    ));
    Ok(())
}
