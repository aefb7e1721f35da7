//! What operators tell the service about the platforms' evidence: development anchors by kind, Google Play's keys.
//!
//! A decryption key only ever travels inwards.

use serde::{Deserialize, Serialize};

use crate::ids::{AppId, PackageName};
use crate::secret::{SecretText, expose_into};

/// The kinds of evidence that end at an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AnchoredEvidence {
    /// Android Key Attestation.
    #[default]
    AndroidKey,
    /// Apple App Attest.
    AppAttest,
}

impl AnchoredEvidence {
    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AndroidKey => "android-key",
            Self::AppAttest => "app-attest",
        }
    }
}

/// `PUT …/play-keys/{app}`: how the service reads the Play Integrity verdicts of an app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PutPlayKey {
    /// The two keys of "response encryption" that the Play Console gives: verdicts are opened here, and Google
    /// learns nothing of it.
    ResponseEncryption(ResponseEncryption),
}

/// What the Play Console gives to whoever manages "response encryption" themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResponseEncryption {
    /// Base64 of the 32-byte decryption key.
    #[serde(serialize_with = "expose_into")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decryption_key: SecretText,
    /// Base64 of the verification key, a P-256 `SubjectPublicKeyInfo`.
    pub verification_key: String,
}

/// How an app's verdicts are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlayKeyView {
    /// Whose verdicts.
    pub app: AppId,
    /// Its Android package.
    pub package: PackageName,
    /// SHA-256 of the verification key, lower-case hex.
    pub verification_key_sha256: String,
    /// Who added it.
    pub added_by: String,
    /// Seconds since 1970.
    pub added_at: i64,
}
