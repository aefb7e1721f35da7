//! Role sessions: a management credential opens one for an hour, in a role it covers; the rest of the admin side
//! knows sessions only.
//!
//! Every way to fail looks alike (`unauthenticated`). A session ends when its hour is over, when it is closed, or
//! when its credential is removed.

use bonafide_wire::admin::{Role, SessionView, WhoAmI};
use bonafide_wire::bytes;
use bonafide_wire::ids::CredentialId;
use bonafide_wire::secret::SecretText;
use subtle::ConstantTimeEq as _;

use super::{Caller, random, sha256};
use crate::app::{AppError, Service};
use crate::config::Credential;
use crate::store::{AuditEntry, Session};

/// How long a session lives, seconds.
pub const LIFE_SECONDS: i64 = 60 * 60;

const CREDENTIAL_TAG: &str = "bfc_";
const SESSION_TAG: &str = "bfs_";

/// The text of a credential: its public id and 32 random bytes.
pub(super) fn credential_text(id: &CredentialId, secret: &[u8; 32]) -> SecretText {
    let id = id.as_str().trim_start_matches("cred_");
    SecretText::new(format!("{CREDENTIAL_TAG}{id}_{}", bytes::encode(secret)))
}

/// Opens a session in this role.
pub async fn open(
    service: &Service,
    credential: &SecretText,
    role: Role,
) -> Result<SessionView, AppError> {
    let snapshot = service.snapshot();
    let (id, known) = prove(&snapshot.configuration.credentials, credential)?;
    if !known.role.covers(role) {
        return Err(AppError::Forbidden { needed: role });
    }
    let bearer = SecretText::new(format!("{SESSION_TAG}{}", bytes::encode(random::<32>()?)));
    let now = service.now();
    let session = Session {
        bearer_sha256: sha256(bearer.expose().as_bytes()),
        credential: id,
        name: known.name.clone(),
        role,
        account: known.account.clone(),
        expires_at: now.saturating_add(LIFE_SECONDS),
    };
    let caller = caller_of(session.clone());
    let entry = session_entry(&caller, now, "session.opened");
    let expires_at = session.expires_at;
    service.store().open_session(session, entry).await?;
    Ok(SessionView {
        session: bearer,
        role,
        account: caller.account,
        expires_at,
    })
}

/// Finds the credential whose text this is. An unknown id costs the same comparison as a wrong secret.
fn prove<'a>(
    credentials: &'a std::collections::BTreeMap<CredentialId, Credential>,
    text: &SecretText,
) -> Result<(CredentialId, &'a Credential), AppError> {
    let parts = text.expose().strip_prefix(CREDENTIAL_TAG);
    let (id, secret) = parts
        .and_then(|parts| parts.split_once('_'))
        .ok_or(AppError::Unauthenticated)?;
    let id = CredentialId::parse(format!("cred_{id}")).map_err(|_| AppError::Unauthenticated)?;
    let known = credentials.get(&id);
    let expected = known.map_or(&[0; 32][..], |known| known.secret_sha256.as_slice());
    let shown = sha256(&bytes::decode(secret).map_err(|_| AppError::Unauthenticated)?);
    let same = bool::from(shown.as_slice().ct_eq(expected));
    match known {
        Some(known) if same => Ok((id, known)),
        _ => Err(AppError::Unauthenticated),
    }
}

/// Who holds this session.
pub async fn authenticate(service: &Service, bearer: &SecretText) -> Result<Caller, AppError> {
    if !bearer.expose().starts_with(SESSION_TAG) {
        return Err(AppError::Unauthenticated);
    }
    let hash = sha256(bearer.expose().as_bytes());
    let session = service.store().session(hash).await?;
    let session = session.ok_or(AppError::Unauthenticated)?;
    let snapshot = service.snapshot();
    let stands = snapshot
        .configuration
        .credentials
        .get(&session.credential)
        .is_some_and(|credential| {
            credential.role.covers(session.role) && credential.account == session.account
        });
    let same = bool::from(session.bearer_sha256.ct_eq(&hash));
    if !same || !stands || session.expires_at <= service.now() {
        return Err(AppError::Unauthenticated);
    }
    Ok(caller_of(session))
}

/// Ends the caller's session.
pub async fn close(service: &Service, caller: &Caller) -> Result<(), AppError> {
    let entry = session_entry(caller, service.now(), "session.closed");
    Ok(service
        .store()
        .close_session(caller.bearer_sha256, entry)
        .await?)
}

/// What the caller is.
pub fn whoami(caller: &Caller) -> WhoAmI {
    WhoAmI {
        name: caller.name.clone(),
        role: caller.role,
        account: caller.account.clone(),
        expires_at: caller.expires_at,
    }
}

fn caller_of(session: Session) -> Caller {
    Caller {
        credential: session.credential,
        name: session.name,
        role: session.role,
        account: session.account,
        expires_at: session.expires_at,
        bearer_sha256: session.bearer_sha256,
    }
}

fn session_entry(caller: &Caller, now: i64, action: &'static str) -> AuditEntry {
    let details = serde_json::json!({ "role": caller.role, "expires_at": caller.expires_at });
    AuditEntry {
        account: caller.account.clone(),
        ..caller.entry(now, action, caller.credential.as_str(), details)
    }
}
