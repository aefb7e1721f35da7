//! Making challenges (W-4). Nothing is stored; what comes back is recognised by its MAC.

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, ChallengeReply};
use bonafide_wire::ids::AccountId;

use super::{AppError, Service};

/// A fresh challenge for an account.
pub fn challenge(
    service: &Service,
    account: &AccountId,
    purpose: ChallengePurpose,
) -> Result<ChallengeReply, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    let now = service.now();
    let (challenge, made) = service.keys().challenges().make(account.id, purpose, now)?;
    Ok(ChallengeReply {
        challenge: Base64Url(challenge),
        expires_at: made.expires_at,
        server_time: now,
    })
}
