//! Evidence after authentication: one variant for each kind.
//!
//! Decides nothing and hides nothing: facts say what the platform vouched for, whether anybody
//! likes it or not. Only [`verify`](crate::verify) makes facts out of foreign bytes; the service
//! also reads its own back out of a sealed ticket.

use serde::{Deserialize, Serialize};

use crate::Reject;
use crate::android::KeyFacts;

/// What authentic evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Facts {
    /// Android Key Attestation.
    AndroidKey(KeyFacts),
}

impl Facts {
    /// The enrolled key: an uncompressed P-256 point, 65 bytes.
    ///
    /// Hardware attests other keys too; those are refused here, where somebody wants to use them.
    pub fn public_key(&self) -> Result<&[u8], Reject> {
        match self {
            Self::AndroidKey(facts) => facts.public_key.p256(),
        }
    }

    /// The evidence ends at an anchor that was trusted for development only.
    pub fn development(&self) -> bool {
        match self {
            Self::AndroidKey(facts) => facts.anchor == crate::android::AnchorKind::Development,
        }
    }

    /// Names of the packages that the platform vouches for; more than one where they share a user id.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::AndroidKey(facts) => facts
                .application
                .iter()
                .flat_map(|application| &application.packages)
                .map(|package| package.name.as_str()),
        }
    }
}
