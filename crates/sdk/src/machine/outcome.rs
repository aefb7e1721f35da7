//! What the service's outcomes are worth to callers: whether they are those of the wishes, and how long each may be held.

use core::time::Duration;

use bonafide_wire::device::{AttestationReply, SecretOutcome, TokenOutcome};
use bonafide_wire::upstream::ClientAuthenticationOutcome;

use super::flight::Request;
use super::holdings::{Life, REFUSAL_LIFE};
use super::{Answer, AuthenticationWish};
use crate::error::SdkError;
use crate::fault::Fault;
use crate::released::{AttestationToken, ClientCredential, RuntimeSecret};

impl Request {
    /// Whether the outcomes are those of the wishes, one each and in their order.
    pub(super) fn is_answered_by(&self, reply: &AttestationReply) -> bool {
        let tokens = self.tokens.len() == reply.tokens.len()
            && self
                .tokens
                .iter()
                .zip(&reply.tokens)
                .all(|(wish, outcome)| {
                    let (TokenOutcome::Issued { audience, .. }
                    | TokenOutcome::Withheld { audience, .. }) = outcome;
                    *audience == wish.audience
                });
        let secrets = self.secrets.len() == reply.secrets.len()
            && self
                .secrets
                .iter()
                .zip(&reply.secrets)
                .all(|(wish, outcome)| {
                    let (SecretOutcome::Released { name, host, .. }
                    | SecretOutcome::Withheld { name, host, .. }) = outcome;
                    *name == wish.name && *host == wish.host
                });
        let authentications = self.authentications.len() == reply.client_authentications.len()
            && self
                .authentications
                .iter()
                .zip(&reply.client_authentications)
                .all(|((asked, _), outcome)| {
                    let (ClientAuthenticationOutcome::Issued { upstream, .. }
                    | ClientAuthenticationOutcome::Withheld { upstream, .. }) = outcome;
                    upstream == asked.upstream()
                });
        tokens && secrets && authentications
    }
}

pub(super) fn token(
    outcome: TokenOutcome,
    server_time: i64,
) -> (Result<Answer, SdkError>, Duration) {
    match outcome {
        TokenOutcome::Issued {
            audience,
            token,
            expires_at,
        } => {
            let life = Life {
                server_time,
                expires_at,
            };
            let token = AttestationToken {
                audience,
                token: token.0,
            };
            (Ok(Answer::Token(token)), life.of_token())
        }
        TokenOutcome::Withheld { reason, .. } => {
            (Err(Fault::Withheld(reason).into()), REFUSAL_LIFE)
        }
    }
}

pub(super) fn secret(
    outcome: SecretOutcome,
    server_time: i64,
) -> (Result<Answer, SdkError>, Duration) {
    match outcome {
        SecretOutcome::Released {
            name,
            host,
            uses,
            value,
            version,
            expires_at,
        } => {
            let life = Life {
                server_time,
                expires_at,
            };
            let secret = RuntimeSecret {
                name,
                host,
                uses,
                version,
                value: value.0,
            };
            (Ok(Answer::Secret(secret)), life.of_secret())
        }
        SecretOutcome::Withheld { reason, .. } => {
            (Err(Fault::Withheld(reason).into()), REFUSAL_LIFE)
        }
    }
}

/// An attestation is good until it ages; an assertion is good once, so nobody gets it a second time.
pub(super) fn credential(
    asked: &AuthenticationWish,
    outcome: ClientAuthenticationOutcome,
    server_time: i64,
) -> (Result<Answer, SdkError>, Duration) {
    match outcome {
        ClientAuthenticationOutcome::Issued {
            upstream,
            value,
            expires_at,
        } => {
            let life = Life {
                server_time,
                expires_at,
            };
            let life = match asked {
                AuthenticationWish::Attested(_) => life.of_token(),
                AuthenticationWish::Assertion(_) => Duration::ZERO,
            };
            let credential = ClientCredential {
                upstream,
                value: value.0,
            };
            (Ok(Answer::Credential(credential)), life)
        }
        ClientAuthenticationOutcome::Withheld { reason, .. } => {
            (Err(Fault::Withheld(reason).into()), REFUSAL_LIFE)
        }
    }
}
