//! Small real APKs: binary manifest, a well-formed `classes.dex`, an aligned zip, signatures v2 and v3.
//!
//! What comes out installs by the rules that `apksigner` checks. The code inside is a marker, not a program:
//! the app's behaviour lives in whoever drives the phone.

mod dex;
mod manifest;
mod signing;
mod zip;

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use crate::SimulatorError;
use crate::phone::storage;

pub use signing::SigningKey;

/// Whether a build lets a debugger in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildType {
    /// Not debuggable.
    Release,
    /// `android:debuggable="true"`.
    Debug,
}

/// What goes into an APK.
#[derive(Debug, Clone)]
pub struct ApkBuilder {
    package: String,
    version_code: u32,
    version_name: String,
    label: String,
    min_sdk: u32,
    target_sdk: u32,
    build_type: BuildType,
    code: Vec<u8>,
    assets: Vec<(String, Vec<u8>)>,
}

/// A signed APK.
#[derive(Debug, Clone)]
pub struct Apk {
    contents: ApkBuilder,
    signer: [u8; 32],
    bytes: Vec<u8>,
}

impl Apk {
    /// Starts an APK of a package.
    pub fn builder(package: impl Into<String>) -> ApkBuilder {
        let package = package.into();
        ApkBuilder {
            version_code: 1,
            version_name: "1.0".to_owned(),
            label: package.clone(),
            min_sdk: 26,
            target_sdk: 36,
            build_type: BuildType::Release,
            code: b"the app as its developer wrote it".to_vec(),
            assets: Vec::new(),
            package,
        }
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }

    /// The package name.
    pub fn package(&self) -> &str {
        &self.contents.package
    }

    /// The version code.
    pub fn version_code(&self) -> u64 {
        u64::from(self.contents.version_code)
    }

    /// Whether a debugger may attach.
    pub fn build_type(&self) -> BuildType {
        self.contents.build_type
    }

    /// SHA-256 of the signing certificate.
    pub fn signer(&self) -> [u8; 32] {
        self.signer
    }

    /// What went into it, to change something and sign again: an update by its developer, a clone by another.
    pub fn contents(&self) -> ApkBuilder {
        self.contents.clone()
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), SimulatorError> {
        std::fs::write(path, &self.bytes).map_err(|source| storage::failed("write", path, source))
    }
}

impl ApkBuilder {
    /// Sets version code and version name.
    #[must_use]
    pub fn version(mut self, code: u32, name: impl Into<String>) -> Self {
        self.version_code = code;
        self.version_name = name.into();
        self
    }

    /// Sets the name under the icon.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Sets the oldest and the intended Android API level.
    #[must_use]
    pub fn sdk(mut self, min: u32, target: u32) -> Self {
        self.min_sdk = min;
        self.target_sdk = target;
        self
    }

    /// Release or debug.
    #[must_use]
    pub fn build_type(mut self, build_type: BuildType) -> Self {
        self.build_type = build_type;
        self
    }

    /// Sets what `classes.dex` carries.
    #[must_use]
    pub fn code(mut self, code: impl Into<Vec<u8>>) -> Self {
        self.code = code.into();
        self
    }

    /// Adds a file below `assets/`.
    #[must_use]
    pub fn asset(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.assets.push((format!("assets/{name}"), content.into()));
        self
    }

    /// Builds and signs the APK.
    pub fn sign(self, key: &SigningKey) -> Result<Apk, SimulatorError> {
        let mut entries = vec![
            zip::Entry::deflated("AndroidManifest.xml", manifest::write(&self)?),
            zip::Entry::deflated("classes.dex", dex::write(&self.code)?),
            // Android 11 and later demand it uncompressed and aligned.
            zip::Entry::stored("resources.arsc", manifest::empty_resource_table()),
        ];
        for (name, content) in &self.assets {
            entries.push(zip::Entry::deflated(name, content.clone()));
        }
        let archive = zip::write(&entries)?;
        let bytes = signing::sign(&archive, key)?;
        Ok(Apk {
            signer: key.certificate_sha256(),
            contents: self,
            bytes,
        })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
