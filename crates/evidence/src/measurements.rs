//! What the SDK saw of its own process.
//!
//! Decides nothing: an attacker inside the process can make these say anything, so they can only
//! ever lower the trust that hardware evidence gives, never raise it.

use serde::{Deserialize, Serialize};

use crate::Sha256Digest;

/// What the SDK could learn about one thing. Silence is a state of its own, never "clear".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// Looked, found nothing.
    Clear,
    /// Found.
    Detected,
    /// The platform refused the look.
    Unreadable,
    /// This SDK does not look for it on this platform.
    NotMeasured,
}

/// The measurements of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurements {
    /// A debugger, or a debuggable process.
    pub debugger: Measured,
    /// Another process traces this one.
    pub tracer: Measured,
    /// Frida, hooks, patched prologues.
    pub instrumentation: Measured,
    /// Libraries that the app did not ship.
    pub injected_libraries: Measured,
    /// Code in memory differs from code on disk.
    pub code_modified: Measured,
    /// An emulator.
    pub emulator: Measured,
    /// Root or jailbreak.
    pub root: Measured,
    /// SHA-256 of the installed base artifact, where the SDK could read it.
    pub artifact_sha256: Option<Sha256Digest>,
}

impl Measurements {
    /// Nothing was looked at: what evidence without an SDK comes with.
    pub const NONE: Self = Self {
        debugger: Measured::NotMeasured,
        tracer: Measured::NotMeasured,
        instrumentation: Measured::NotMeasured,
        injected_libraries: Measured::NotMeasured,
        code_modified: Measured::NotMeasured,
        emulator: Measured::NotMeasured,
        root: Measured::NotMeasured,
        artifact_sha256: None,
    };
}
