//! Evidence of an enrolment, kind by kind (W-8): the key that it claims, the proof that goes with that key, and
//! what the platform vouches for.
//!
//! The claims are read before anything is authenticated, because the proof of possession is checked first; the
//! facts must say the same, so nothing is believed here. It decides nothing about facts.

use bonafide_evidence::apple::{AppAttest, ExpectedKeyId, claims_of};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayToken};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, Facts, Reject, UnixTime, verify_with_memory,
};
use bonafide_wire::device::{PlatformEvidence, app_attest_client_data_hash, play_request_hash};

use super::proof::Holder;
use super::snapshot::AccountView;
use super::{Service, leaf_key};

/// Evidence with the key that it claims.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    kind: Kind<'a>,
    /// An uncompressed P-256 point.
    pub(super) point: Vec<u8>,
}

#[derive(Debug)]
enum Kind<'a> {
    AndroidKey {
        chain: Vec<Vec<u8>>,
    },
    AppAttest {
        attestation: Vec<u8>,
        key_id: Vec<u8>,
        app_id: &'a str,
    },
    PlayIntegrity {
        token: String,
    },
}

impl<'a> Claimed<'a> {
    /// Reads what evidence claims. An app id is claimed as a hash; it must be that of an app of the account.
    pub(super) fn read(
        evidence: PlatformEvidence,
        account: &AccountView<'a>,
    ) -> Result<Self, Reject> {
        match evidence {
            PlatformEvidence::AndroidKey { chain } => {
                let chain: Vec<Vec<u8>> =
                    chain.into_iter().map(|certificate| certificate.0).collect();
                Ok(Self {
                    point: leaf_key::p256_point(&chain)?,
                    kind: Kind::AndroidKey { chain },
                })
            }
            PlatformEvidence::AppAttest {
                attestation,
                key_id,
            } => {
                let claims = claims_of(attestation.as_slice())?;
                let app_id = account.app_id(&claims.rp_id_hash);
                Ok(Self {
                    point: claims.point,
                    kind: Kind::AppAttest {
                        attestation: attestation.0,
                        key_id: key_id.0,
                        app_id: app_id.ok_or(Reject::AppIdMismatch)?,
                    },
                })
            }
            PlatformEvidence::PlayIntegrity { token, public_key } => {
                let point = public_key.0;
                if point.len() != 65 || point.first() != Some(&4) {
                    return Err(Reject::KeyAlgorithmUnsupported);
                }
                let kind = Kind::PlayIntegrity { token };
                Ok(Self { kind, point })
            }
        }
    }

    /// Who must have signed the enrolment.
    pub(super) fn holder(&self) -> Holder<'_> {
        let point = &self.point;
        match &self.kind {
            Kind::AndroidKey { .. } | Kind::PlayIntegrity { .. } => Holder::Signing { point },
            Kind::AppAttest { app_id, .. } => Holder::Asserting {
                point,
                app_id,
                counter: 0,
            },
        }
    }

    /// What the platform vouches for. The challenge and the key are in it, each in the kind's own way.
    pub(super) fn authenticate(
        &self,
        service: &Service,
        account: &AccountView<'_>,
        challenge: &[u8],
        now: UnixTime,
    ) -> Result<Facts, Reject> {
        let revocations = service.revocations();
        let verify = |evidence: &Evidence<'_>, challenge: &[u8]| {
            let context = Context {
                now,
                challenge: ExpectedChallenge::Exactly(challenge),
                anchors: account.anchors_of(evidence),
                revocations: &revocations,
                attest_keys: account.config.policy.policy.attest_keys,
            };
            verify_with_memory(evidence, &context, service.authorities())
        };
        match &self.kind {
            Kind::AndroidKey { chain } => verify(&Evidence::AndroidKey { chain }, challenge),
            Kind::AppAttest {
                attestation,
                key_id,
                app_id,
            } => {
                let evidence = Evidence::AppAttest(AppAttest {
                    object: attestation,
                    app_id,
                    key_id: ExpectedKeyId::Exactly(key_id),
                });
                verify(&evidence, &app_attest_client_data_hash(challenge))
            }
            Kind::PlayIntegrity { token } => {
                let hash = play_request_hash(account.id, challenge, &self.point);
                let verify = |evidence: &PlayIntegrity<'_>| {
                    verify(&Evidence::PlayIntegrity(*evidence), challenge)
                };
                opened_by_one(account, token, (&hash, now), verify)
            }
        }
    }
}

/// Tries the keys of each app: a token does not say whose it is, and only the right key opens it.
fn opened_by_one(
    account: &AccountView<'_>,
    token: &str,
    (hash, now): (&str, UnixTime),
    verify: impl Fn(&PlayIntegrity<'_>) -> Result<Facts, Reject>,
) -> Result<Facts, Reject> {
    let mut outcome = Err(Reject::JweUndecryptable);
    for opener in account.play_openers() {
        outcome = verify(&PlayIntegrity {
            token: PlayToken::Sealed {
                token,
                keys: &opener.keys,
            },
            // Locally opened tokens come from classic requests, which carry the same text as nonce.
            binding: Binding::Either(hash),
            package: &opener.package,
            freshness: Freshness::at(now),
        });
        if outcome != Err(Reject::JweUndecryptable) {
            break;
        }
    }
    outcome
}
