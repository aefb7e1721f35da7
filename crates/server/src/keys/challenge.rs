//! Challenges (W-4): fresh bytes that the service recognises again without having stored them.
//!
//! `purpose (1) || expiry (8, big endian) || random (16) || MAC (16)`; the MAC is HMAC-SHA256, cut to 16
//! bytes, over account and the rest. Whether one was used before is the store's business, not ours.

use aws_lc_rs::{constant_time, hmac, rand};
use bonafide_wire::device::ChallengePurpose;
use bonafide_wire::ids::AccountId;

use super::KeyError;
use super::master::MasterKeys;

/// How long a challenge lives, seconds.
pub const LIFE_SECONDS: i64 = 120;
const RANDOM: usize = 16;
const MAC: usize = 16;
const BODY: usize = 1 + 8 + RANDOM;

/// A challenge that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeReject {
    /// Not made by this service for this account and purpose.
    #[error("the challenge is not one of ours")]
    Invalid,
    /// Too old.
    #[error("the challenge has expired")]
    Expired,
}

/// A challenge that is ours and fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshChallenge {
    /// What makes it unique; spent at enrolment.
    pub random: [u8; RANDOM],
    /// Seconds since 1970.
    pub expires_at: i64,
}

/// The MAC keys, newest first.
pub struct ChallengeKeys(Vec<hmac::Key>);

impl core::fmt::Debug for ChallengeKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ChallengeKeys([redacted])")
    }
}

impl ChallengeKeys {
    pub(super) fn derive(master: &MasterKeys) -> Result<Self, KeyError> {
        master
            .iter()
            .map(|key| {
                let derived = key.derive(b"bonafide-v1-challenge")?;
                Ok(hmac::Key::new(hmac::HMAC_SHA256, &*derived))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Makes a challenge.
    pub fn make(
        &self,
        account: &AccountId,
        purpose: ChallengePurpose,
        now: i64,
    ) -> Result<(Vec<u8>, FreshChallenge), KeyError> {
        let mut random = [0; RANDOM];
        rand::fill(&mut random).map_err(|_| KeyError::Library)?;
        let expires_at = now.saturating_add(LIFE_SECONDS);
        let mut challenge = Vec::with_capacity(BODY + MAC);
        challenge.push(tag(purpose));
        challenge.extend_from_slice(&expires_at.to_be_bytes());
        challenge.extend_from_slice(&random);
        let key = self.0.first().ok_or(KeyError::Library)?;
        let mac = mac(key, account, &challenge);
        challenge.extend(mac.as_ref().iter().take(MAC));
        Ok((challenge, FreshChallenge { random, expires_at }))
    }

    /// Recognises a challenge.
    pub fn check(
        &self,
        account: &AccountId,
        purpose: ChallengePurpose,
        challenge: &[u8],
        now: i64,
    ) -> Result<FreshChallenge, ChallengeReject> {
        let (body, given) = challenge
            .split_at_checked(BODY)
            .filter(|(_, given)| given.len() == MAC)
            .ok_or(ChallengeReject::Invalid)?;
        let ours = self.0.iter().any(|key| {
            let expected = mac(key, account, body);
            expected.as_ref().get(..MAC).is_some_and(|expected| {
                constant_time::verify_slices_are_equal(expected, given).is_ok()
            })
        });
        let (kind, rest) = body.split_first().ok_or(ChallengeReject::Invalid)?;
        if !ours || *kind != tag(purpose) {
            return Err(ChallengeReject::Invalid);
        }
        let (expiry, random) = rest.split_at_checked(8).ok_or(ChallengeReject::Invalid)?;
        let expires_at =
            i64::from_be_bytes(expiry.try_into().map_err(|_| ChallengeReject::Invalid)?);
        let random = random.try_into().map_err(|_| ChallengeReject::Invalid)?;
        if now >= expires_at {
            return Err(ChallengeReject::Expired);
        }
        Ok(FreshChallenge { random, expires_at })
    }
}

fn tag(purpose: ChallengePurpose) -> u8 {
    match purpose {
        ChallengePurpose::Enrolment => 1,
        ChallengePurpose::Attestation => 2,
        ChallengePurpose::Relay => 3,
    }
}

fn mac(key: &hmac::Key, account: &AccountId, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(account.as_str().as_bytes());
    context.update(&[0]);
    context.update(body);
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn keys() -> ChallengeKeys {
        ChallengeKeys::derive(&MasterKeys::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_challenge_is_good_for_one_account_one_purpose_and_two_minutes() {
        use ChallengePurpose::{Attestation, Enrolment};
        let keys = keys();
        let acme = AccountId::parse("acme").unwrap();
        let other = AccountId::parse("other").unwrap();
        let (challenge, made) = keys.make(&acme, Enrolment, NOW).unwrap();
        let invalid = Err(ChallengeReject::Invalid);
        let expired = Err(ChallengeReject::Expired);
        let cases = [
            (&acme, Enrolment, NOW, Ok(made.clone())),
            (&acme, Enrolment, NOW + LIFE_SECONDS - 1, Ok(made)),
            (&acme, Enrolment, NOW + LIFE_SECONDS, expired),
            (&acme, Attestation, NOW, invalid.clone()),
            (&other, Enrolment, NOW, invalid.clone()),
        ];
        for (account, purpose, now, expected) in cases {
            assert_eq!(keys.check(account, purpose, &challenge, now), expected);
        }
        assert_eq!(
            self::keys().check(&acme, Enrolment, &challenge, NOW),
            invalid
        );
        assert!(challenge.len() <= 64);
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let keys = keys();
        let acme = AccountId::parse("acme").unwrap();
        let purpose = ChallengePurpose::Attestation;
        let (challenge, _) = keys.make(&acme, purpose, NOW).unwrap();
        for at in 0..challenge.len() {
            let mut altered = challenge.clone();
            altered[at] ^= 1;
            for bad in [altered.as_slice(), &challenge[..at]] {
                assert_eq!(
                    keys.check(&acme, purpose, bad, NOW),
                    Err(ChallengeReject::Invalid)
                );
            }
        }
    }
}
