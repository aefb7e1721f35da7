//! What a login yields: tokens, unbelieved until the ID token verified, then kept as a record.
//!
//! An access token cannot be taken out of [`UnverifiedTokens`]; only [`UnverifiedTokens::verify`] makes
//! [`Tokens`]. Storage is the host's business; the record's bytes are secret.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::discovery::Issuer;
use crate::dpop::Binding;
use crate::id_token::{Expectation, IdTokenClaims, IdTokenReject, Occasion};
use crate::jose::Algorithm;
use crate::jwks::Jwks;
use crate::seal::{Record, RecordReject};
use crate::secret::SecretText;
use crate::time::UnixTime;

/// Tokens as they came from the token endpoint.
#[derive(Debug)]
pub struct UnverifiedTokens {
    pub(crate) access_token: SecretText,
    pub(crate) refresh_token: Option<SecretText>,
    pub(crate) id_token: Option<SecretText>,
    pub(crate) scope: Vec<String>,
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) server_now: UnixTime,
    pub(crate) expectation: Expectation,
    pub(crate) binding: Binding,
    /// What a refresh without ID token goes on with.
    pub(crate) known: Option<IdTokenClaims>,
    pub(crate) known_id_token: Option<SecretText>,
}

/// Tokens of a verified login.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) nonce: SecretText,
    pub(crate) binding: Binding,
    pub(crate) id_token: Option<SecretText>,
    pub(crate) access_token: SecretText,
    pub(crate) refresh_token: Option<SecretText>,
    pub(crate) scope: Vec<String>,
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) identity: Option<IdTokenClaims>,
}

impl UnverifiedTokens {
    /// Whether [`Self::verify`] will look at keys.
    pub fn needs_keys(&self) -> bool {
        self.id_token.is_some() && self.expectation.occasion != Occasion::NotAsked
    }

    /// Verifies the ID token against the server's keys. With [`IdTokenReject::wants_fresh_keys`], fetch the keys once
    /// more and call again.
    pub fn verify(&self, jwks: &Jwks) -> Result<Tokens, IdTokenReject> {
        let identity = match (&self.expectation.occasion, &self.id_token) {
            (Occasion::NotAsked, _) => None,
            (Occasion::Login, None) => return Err(IdTokenReject::Missing),
            (Occasion::Refresh { .. }, None) => self.known.clone(),
            (_, Some(token)) => {
                Some(
                    self.expectation
                        .verify(token, &self.access_token, jwks, self.server_now)?,
                )
            }
        };
        Ok(Tokens {
            issuer: self.expectation.issuer.clone(),
            client_id: self.expectation.client_id.clone(),
            algorithms: self.expectation.algorithms.clone(),
            nonce: self.expectation.nonce.clone(),
            binding: self.binding.clone(),
            id_token: self
                .id_token
                .clone()
                .or_else(|| self.known_id_token.clone()),
            access_token: self.access_token.clone(),
            refresh_token: self.refresh_token.clone(),
            scope: self.scope.clone(),
            expires_at: self.expires_at,
            identity,
        })
    }
}

impl Tokens {
    /// The access token itself.
    pub fn access_token(&self) -> &SecretText {
        &self.access_token
    }

    /// The whole value of `Authorization` (header only, RFC 6750 and RFC 9449).
    pub fn authorization(&self) -> SecretText {
        let scheme = self.binding.scheme();
        SecretText::new(format!("{scheme} {}", self.access_token.expose()))
    }

    /// Whom the access token obeys; a bound one needs a proof with each request.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Whether a refresh is possible at all.
    pub fn refreshable(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Whether the access token is good for another `margin` seconds; unknown life counts as good.
    pub fn fresh(&self, now: UnixTime, margin: i64) -> bool {
        self.expires_at
            .is_none_or(|expires_at| now.plus(margin) < expires_at)
    }

    /// The scopes granted.
    pub fn scope(&self) -> &[String] {
        &self.scope
    }

    /// Who logged in, where `openid` was asked for.
    pub fn identity(&self) -> Option<&IdTokenClaims> {
        self.identity.as_ref()
    }

    /// The server they are from.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensRecord {
    issuer: Issuer,
    client_id: String,
    algorithms: Vec<Algorithm>,
    nonce: String,
    binding: Binding,
    id_token: Option<String>,
    access_token: String,
    refresh_token: Option<String>,
    scope: Vec<String>,
    expires_at: Option<i64>,
    identity: Option<IdTokenClaims>,
}

impl Drop for TokensRecord {
    fn drop(&mut self) {
        self.nonce.zeroize();
        self.access_token.zeroize();
        self.refresh_token.zeroize();
        self.id_token.zeroize();
    }
}

impl Record for Tokens {
    const PURPOSE: &'static str = "bonafide-oauth-tokens-1";

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let text = |secret: &SecretText| secret.expose().to_owned();
        let record = TokensRecord {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            algorithms: self.algorithms.clone(),
            nonce: text(&self.nonce),
            binding: self.binding.clone(),
            id_token: self.id_token.as_ref().map(text),
            access_token: text(&self.access_token),
            refresh_token: self.refresh_token.as_ref().map(text),
            scope: self.scope.clone(),
            expires_at: self.expires_at.map(|time| time.0),
            identity: self.identity.clone(),
        };
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let record: TokensRecord =
            serde_json::from_slice(bytes).map_err(|_| RecordReject::Malformed)?;
        Ok(Self {
            issuer: record.issuer.clone(),
            client_id: record.client_id.clone(),
            algorithms: record.algorithms.clone(),
            nonce: SecretText::new(record.nonce.as_str()),
            binding: record.binding.clone(),
            id_token: record.id_token.as_deref().map(SecretText::new),
            access_token: SecretText::new(record.access_token.as_str()),
            refresh_token: record.refresh_token.as_deref().map(SecretText::new),
            scope: record.scope.clone(),
            expires_at: record.expires_at.map(UnixTime),
            identity: record.identity.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, tokens};

    #[test]
    fn tokens_survive_the_death_of_the_process_and_do_not_print() {
        let tokens = tokens();
        let back = Tokens::from_record(&tokens.to_record()).unwrap();
        assert_eq!(back.to_record(), tokens.to_record());
        let shown = format!("{tokens:?}");
        assert!(
            !shown.contains("access-1") && !shown.contains("refresh-1"),
            "{shown}"
        );
    }

    #[test]
    fn freshness_is_counted_on_our_own_clock() {
        let mut tokens = tokens();
        tokens.expires_at = Some(NOW.plus(100));
        assert!(tokens.fresh(NOW, 60));
        assert!(!tokens.fresh(NOW, 100));
        tokens.expires_at = None;
        assert!(
            tokens.fresh(NOW, 60),
            "unknown life: the resource server will say"
        );
    }
}
