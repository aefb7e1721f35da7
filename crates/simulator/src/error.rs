//! What can go wrong on a virtual phone or in its factory.

/// The simulator could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The cryptographic library refused.
    #[error("cryptography failed: {0}")]
    Cryptography(&'static str),
    /// A file could not be read or written.
    #[error("cannot {doing} {path}")]
    Storage {
        /// `read` or `write`.
        doing: &'static str,
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A saved phone, factory or key does not parse.
    #[error("{0} is not something this simulator saved")]
    Unreadable(&'static str),
    /// No such app is installed.
    #[error("no such app is installed on this phone")]
    AppNotInstalled,
    /// The key store has no such key for this app (it may well have it for another).
    #[error("this app has no such key")]
    KeyNotFound,
    /// An App Attest key is attested once.
    #[error("this key has been attested already")]
    KeyAttestedAlready,
    /// An app with the same package but another signer is installed.
    #[error("package {0} is installed with another signer; uninstall it first")]
    SignerMismatch(String),
    /// An APK part is too large for its format.
    #[error("{0} is too large for an APK")]
    TooLarge(&'static str),
    /// A time that no certificate can state.
    #[error("time out of range")]
    TimeOutOfRange,
}
