//! Evidence after authentication: one variant for each kind.
//!
//! Decides nothing and hides nothing: facts say what the platform vouched for, whether anybody
//! likes it or not. Only [`verify`](crate::verify) makes facts out of foreign bytes; the service
//! also reads its own back out of a sealed ticket.

use serde::{Deserialize, Serialize};

use crate::Reject;
use crate::android::{AnchorKind, KeyFacts};
use crate::apple::{AppAttestFacts, Environment};

/// What authentic evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Facts {
    /// Android Key Attestation.
    AndroidKey(KeyFacts),
    /// Apple App Attest.
    AppAttest(AppAttestFacts),
}

impl Facts {
    /// The enrolled key: an uncompressed P-256 point, 65 bytes.
    ///
    /// Hardware attests other keys too; those are refused here, where somebody wants to use them.
    pub fn public_key(&self) -> Result<&[u8], Reject> {
        match self {
            Self::AndroidKey(facts) => facts.public_key.p256(),
            Self::AppAttest(facts) => Ok(&facts.public_key.0),
        }
    }

    /// The evidence ends at an anchor that was trusted for development only, or its key was attested for
    /// a developer's sandbox.
    pub fn development(&self) -> bool {
        match self {
            Self::AppAttest(facts) => {
                facts.anchor == AnchorKind::Development
                    || facts.environment == Environment::Development
            }
            Self::AndroidKey(facts) => facts.anchor == AnchorKind::Development,
        }
    }

    /// Names of the packages that the platform vouches for; more than one where they share a user id.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let android = match self {
            Self::AndroidKey(facts) => facts.application.as_ref(),
            Self::AppAttest(_) => None,
        };
        let packages = android
            .into_iter()
            .flat_map(|application| &application.packages);
        packages.map(|package| package.name.as_str())
    }
}
