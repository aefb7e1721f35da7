//! What of a login survives the process: one sealed record for each authorization server.
//!
//! It holds how far the login came, by which rung, and the client that this instance registered. There is no place in it for
//! a client secret, an assertion or an attestation; what proves the app is asked for anew each time.

use bonafide_oauth::seal::{Record, RecordReject};
use bonafide_oauth::{Authorized, PendingAuthorization, Tokens};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ladder::Choice;

/// A login as it is kept.
#[derive(Debug, Default)]
pub(super) struct LoginRecord {
    pub(super) stage: Stage,
    /// How it is authenticated, once that was chosen.
    pub(super) choice: Option<Choice>,
    /// The client that this instance registered (rung 3).
    pub(super) own_client: Option<String>,
}

/// How far it came.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Nobody is logged in.
    #[default]
    Idle,
    /// The browser was sent away.
    Asked(Box<PendingAuthorization>),
    /// It came back with a code: the record of an [`Authorized`], good once.
    Agreed(Zeroizing<Vec<u8>>),
    /// Tokens.
    LoggedIn(Box<Tokens>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    stage: StageName,
    choice: Option<Choice>,
    own_client: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StageName {
    Idle,
    Asked,
    Agreed,
    LoggedIn,
}

impl Record for LoginRecord {
    const PURPOSE: &'static str = "bonafide-sdk-login-1";

    /// One line of JSON, then the stage's own record.
    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let (stage, body) = match &self.stage {
            Stage::Idle => (StageName::Idle, Zeroizing::default()),
            Stage::Asked(pending) => (StageName::Asked, pending.to_record()),
            Stage::Agreed(authorized) => (StageName::Agreed, authorized.clone()),
            Stage::LoggedIn(tokens) => (StageName::LoggedIn, tokens.to_record()),
        };
        let head = Head {
            stage,
            choice: self.choice.clone(),
            own_client: self.own_client.clone(),
        };
        let mut record = Zeroizing::new(Vec::with_capacity(1024 + body.len()));
        record.extend_from_slice(&serde_json::to_vec(&head).unwrap_or_default());
        record.push(b'\n');
        record.extend_from_slice(&body);
        record
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (head, body) = end
            .and_then(|end| bytes.split_at_checked(end))
            .ok_or(RecordReject::Malformed)?;
        let head: Head = serde_json::from_slice(head).map_err(|_| RecordReject::Malformed)?;
        let body = body.get(1..).unwrap_or_default();
        let stage = match head.stage {
            StageName::Idle => Stage::Idle,
            StageName::Asked => Stage::Asked(Box::new(PendingAuthorization::from_record(body)?)),
            StageName::Agreed => {
                Authorized::from_record(body)?;
                Stage::Agreed(Zeroizing::new(body.to_vec()))
            }
            StageName::LoggedIn => Stage::LoggedIn(Box::new(Tokens::from_record(body)?)),
        };
        Ok(Self {
            stage,
            choice: head.choice,
            own_client: head.own_client,
        })
    }
}

#[cfg(test)]
mod tests {
    use bonafide_oauth::entropy::SystemEntropy;
    use bonafide_oauth::seal::SealKey;

    use super::*;

    #[test]
    fn a_record_comes_back_under_its_own_key_and_damage_is_none() {
        let record = LoginRecord {
            own_client: Some("instance-1".to_owned()),
            ..LoginRecord::default()
        };
        let key = SealKey::new([7; 32]);
        let sealed = record.seal(&key, &mut SystemEntropy).unwrap();
        let back = LoginRecord::open(&key, &sealed).unwrap();
        assert_eq!(back.own_client.as_deref(), Some("instance-1"));
        assert!(matches!(back.stage, Stage::Idle));
        assert!(LoginRecord::open(&SealKey::new([8; 32]), &sealed).is_err());
        for bytes in [&b""[..], b"{}\n", b"x", b"{\"stage\":\"asked\"}\n"] {
            assert!(LoginRecord::from_record(bytes).is_err());
        }
    }
}
