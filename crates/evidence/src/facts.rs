//! Evidence after authentication: one variant for each kind.
//!
//! Decides nothing and hides nothing: facts say what the platform vouched for, whether anybody
//! likes it or not. Only [`verify`](crate::verify) makes facts out of foreign bytes; the service
//! also reads its own back out of a sealed ticket.

use serde::{Deserialize, Serialize};

use crate::Reject;
use crate::android::{AnchorKind, Anchors, KeyFacts, RevocationList};
use crate::apple::{AppAttestFacts, Environment};
use crate::play::{PlayFacts, VerdictOrigin};

/// What authentic evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Facts {
    /// Android Key Attestation.
    AndroidKey(KeyFacts),
    /// Apple App Attest.
    AppAttest(AppAttestFacts),
    /// Google Play Integrity.
    PlayIntegrity(PlayFacts),
}

impl Facts {
    /// The enrolled key: an uncompressed P-256 point, 65 bytes.
    ///
    /// Hardware attests other keys too, and Play Integrity none; those are refused here, where somebody
    /// wants to use one.
    pub fn public_key(&self) -> Result<&[u8], Reject> {
        match self {
            Self::AndroidKey(facts) => facts.public_key.p256(),
            Self::AppAttest(facts) => Ok(&facts.public_key.0),
            Self::PlayIntegrity(_) => Err(Reject::NoKeyAttested),
        }
    }

    /// The evidence ends at an anchor that was trusted for development only, or its key was attested for
    /// a developer's sandbox.
    pub fn development(&self) -> bool {
        match self {
            Self::PlayIntegrity(facts) => facts.origin == VerdictOrigin::Testing,
            Self::AppAttest(facts) => {
                facts.anchor == AnchorKind::Development
                    || facts.environment == Environment::Development
            }
            Self::AndroidKey(facts) => facts.anchor == AnchorKind::Development,
        }
    }

    /// Whether a certificate behind the evidence is listed now; only Android's platform has such a list.
    pub fn is_revoked(&self, revocations: &RevocationList) -> bool {
        match self {
            Self::AndroidKey(facts) => facts.numbers().any(|serial| revocations.contains(serial)),
            Self::AppAttest(_) | Self::PlayIntegrity(_) => false,
        }
    }

    /// Whether the evidence still ends at a trusted key. `anchors` are those of its own kind; Play Integrity
    /// has no chain, so it ends at none.
    pub fn is_anchored_in(&self, anchors: &Anchors) -> bool {
        match self {
            Self::AndroidKey(facts) => anchors.contains(&facts.root),
            Self::AppAttest(facts) => anchors.contains(&facts.root),
            Self::PlayIntegrity(_) => false,
        }
    }

    /// Names of the apps that the platform vouches for: the app id, or packages, of which there is more than one
    /// where they share a user id.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let (android, one) = match self {
            Self::AndroidKey(facts) => (facts.application.as_ref(), None),
            Self::PlayIntegrity(facts) => {
                let application = facts.application.as_ref();
                (None, application.map(|app| app.package.as_str()))
            }
            Self::AppAttest(facts) => (None, Some(facts.app_id.as_str())),
        };
        let shared = android
            .into_iter()
            .flat_map(|application| &application.packages);
        let shared = shared.map(|package| package.name.as_str());
        shared.chain(one)
    }
}
