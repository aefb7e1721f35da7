//! One challenge reaches an upstream once, on whichever node; the same request sent again hears the same (W-24).

use bonafide_wire::ids::DeviceId;
use bonafide_wire::proof::sha256;
use bonafide_wire::upstream::{RelayOrder, SealedRelayReply};
use serde::{Deserialize, Serialize};

use super::{AppError, Relaying};
use crate::app::UpstreamFault;
use crate::config::Upstream;
use crate::store::{Actor, AuditEntry, NewRelay, RelayTurn};

/// What is kept for a repeated request.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    /// The sealed answer: only the first sender can open it.
    Answered(SealedRelayReply),
    /// Nothing was done; ask again with a new challenge.
    Unavailable {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Whether it was done is unknown.
    TimedOut,
    /// The upstream's answer was not usable.
    Misbehaved,
    /// We failed.
    Failed,
}

/// Spends the challenge and writes the audit row; gives what is kept where the request came before.
pub(super) async fn begin(
    relaying: &Relaying,
    upstream: &Upstream,
) -> Result<Option<Result<SealedRelayReply, AppError>>, AppError> {
    let relay = NewRelay {
        account: relaying.account.clone(),
        challenge: relaying.challenge.random.to_vec(),
        request_sha256: asked_by(&relaying.device, &relaying.payload_sha256),
        expires_at: relaying.challenge.expires_at,
        audit: entry(
            relaying,
            "relay.requested",
            serde_json::json!({
                "request": kind(&relaying.payload.request), "issuer": upstream.issuer,
                "client_id": upstream.client_id, "app": relaying.app,
            }),
        ),
    };
    match relaying.service.store().begin_relay(relay).await? {
        RelayTurn::First => Ok(None),
        RelayTurn::ChallengeUsed => Err(AppError::ChallengeUsed),
        RelayTurn::UnderWay => Err(AppError::RelayInProgress),
        RelayTurn::Done(kept) => {
            let kept: Kept = serde_json::from_slice(&kept)?;
            Ok(Some(again(kept)))
        }
    }
}

/// The same request is the same bytes by the same device: another one that signs a captured payload finds the challenge
/// spent.
fn asked_by(device: &DeviceId, payload_sha256: &[u8; 32]) -> [u8; 32] {
    sha256(&[device.to_string().as_bytes(), &[0], payload_sha256].concat())
}

fn again(kept: Kept) -> Result<SealedRelayReply, AppError> {
    Err(match kept {
        Kept::Answered(reply) => return Ok(reply),
        Kept::Unavailable { retry_after } => AppError::Upstream(UpstreamFault::Unavailable {
            why: "as said before".to_owned(),
            retry_after,
        }),
        Kept::TimedOut => AppError::Upstream(UpstreamFault::TimedOut),
        Kept::Misbehaved => {
            AppError::Upstream(UpstreamFault::Misbehaved("as said before".to_owned()))
        }
        Kept::Failed => AppError::ChallengeUsed,
    })
}

/// Keeps what became of it. When that fails the instance is answered all the same; a repeated request then hears that
/// the first one is still under way, until its challenge has expired.
pub(super) async fn finish(relaying: &Relaying, outcome: &Result<SealedRelayReply, AppError>) {
    let (kept, said) = match outcome {
        Ok(reply) => (Kept::Answered(reply.clone()), "answered"),
        Err(AppError::Upstream(UpstreamFault::Unavailable { retry_after, .. })) => (
            Kept::Unavailable {
                retry_after: *retry_after,
            },
            "unavailable",
        ),
        Err(AppError::Upstream(UpstreamFault::TimedOut)) => (Kept::TimedOut, "timed-out"),
        Err(AppError::Upstream(UpstreamFault::Misbehaved(_))) => (Kept::Misbehaved, "misbehaved"),
        Err(_) => (Kept::Failed, "failed"),
    };
    let Ok(kept) = serde_json::to_vec(&kept) else {
        return;
    };
    let details =
        serde_json::json!({ "request": kind(&relaying.payload.request), "outcome": said });
    let audit = entry(relaying, "relay.ended", details);
    let challenge = relaying.challenge.random.to_vec();
    let store = relaying.service.store();
    if let Err(error) = store
        .finish_relay(&relaying.account, challenge, kept, audit)
        .await
    {
        tracing::error!(%error, "a relay answer is not kept for a repeated request");
    }
}

fn entry(relaying: &Relaying, action: &'static str, details: serde_json::Value) -> AuditEntry {
    AuditEntry {
        at: relaying.now,
        account: Some(relaying.account.clone()),
        actor: Actor(relaying.device.to_string()),
        action,
        object: relaying.payload.upstream.to_string(),
        details,
    }
}

fn kind(order: &RelayOrder) -> &'static str {
    match order {
        RelayOrder::AuthorizationCode { .. } => "authorization-code",
        RelayOrder::RefreshToken { .. } => "refresh-token",
        RelayOrder::Revoke { .. } => "revoke",
        RelayOrder::Register { .. } => "register",
    }
}
