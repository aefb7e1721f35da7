//! An authorization between the browser's departure and its return, as a record that survives the process.
//!
//! Holds what the redirect and the ID token will be judged by, and the PKCE verifier. Never a client secret:
//! there is no field for one. The record's bytes are secret; [`crate::seal`] protects them at rest.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::discovery::Issuer;
use crate::dpop::Binding;
use crate::jose::Algorithm;
use crate::pkce::Verifier;
use crate::redirect_uri::RedirectUri;
use crate::seal::{Record, RecordReject};
use crate::secret::SecretText;

/// An authorization under way.
#[derive(Debug, Clone)]
pub struct PendingAuthorization {
    pub(crate) issuer: Issuer,
    pub(crate) issuer_in_response: bool,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) scope: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) binding: Binding,
    pub(crate) max_age: Option<u32>,
    pub(crate) state: SecretText,
    pub(crate) nonce: SecretText,
    pub(crate) verifier: Verifier,
}

impl PendingAuthorization {
    /// The server that was asked.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Where the browser comes back to.
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    pub(crate) fn wants_id_token(&self) -> bool {
        self.scope.iter().any(|scope| scope == "openid")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingRecord {
    issuer: Issuer,
    issuer_in_response: bool,
    client_id: String,
    redirect_uri: String,
    scope: Vec<String>,
    algorithms: Vec<Algorithm>,
    binding: Binding,
    #[serde(default)]
    max_age: Option<u32>,
    state: String,
    nonce: String,
    verifier: String,
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.state.zeroize();
        self.nonce.zeroize();
        self.verifier.zeroize();
    }
}

impl Record for PendingAuthorization {
    const PURPOSE: &'static str = "bonafide-oauth-pending-1";

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = PendingRecord {
            issuer: self.issuer.clone(),
            issuer_in_response: self.issuer_in_response,
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.as_str().to_owned(),
            scope: self.scope.clone(),
            algorithms: self.algorithms.clone(),
            binding: self.binding.clone(),
            max_age: self.max_age,
            state: self.state.expose().to_owned(),
            nonce: self.nonce.expose().to_owned(),
            verifier: self.verifier.secret().expose().to_owned(),
        };
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let record: PendingRecord =
            serde_json::from_slice(bytes).map_err(|_| RecordReject::Malformed)?;
        Ok(Self {
            issuer: record.issuer.clone(),
            issuer_in_response: record.issuer_in_response,
            client_id: record.client_id.clone(),
            redirect_uri: RedirectUri::parse(&record.redirect_uri)
                .map_err(|_| RecordReject::Malformed)?,
            scope: record.scope.clone(),
            algorithms: record.algorithms.clone(),
            binding: record.binding.clone(),
            max_age: record.max_age,
            state: SecretText::new(record.state.clone()),
            nonce: SecretText::new(record.nonce.clone()),
            verifier: Verifier::parse(&record.verifier).map_err(|_| RecordReject::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::seal::SealKey;
    use crate::testing;

    #[test]
    fn survives_the_death_of_the_process() {
        let key = SealKey::new([7; 32]);
        let pending = testing::begin().pending;
        let sealed = pending.seal(&key, &mut SystemEntropy).unwrap();
        let back = PendingAuthorization::open(&key, &sealed).unwrap();
        assert_eq!(back.to_record(), pending.to_record());
    }

    #[test]
    fn the_record_holds_exactly_these_members_and_no_client_secret() {
        let record = testing::begin().pending.to_record();
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&record).unwrap();
        let names: Vec<_> = members.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "algorithms",
                "binding",
                "client_id",
                "issuer",
                "issuer_in_response",
                "max_age",
                "nonce",
                "redirect_uri",
                "scope",
                "state",
                "verifier"
            ]
        );
    }

    #[test]
    fn a_damaged_record_is_refused() {
        let record = testing::begin().pending.to_record();
        let text = String::from_utf8(record.to_vec()).unwrap();
        for broken in [
            String::new(),
            text.replace("\"nonce\"", "\"once\""),
            text.replace("http://127", "http://192"),
            text.replace("\"state\"", "\"client_secret\":\"x\",\"state\""),
        ] {
            let reject = PendingAuthorization::from_record(broken.as_bytes()).err();
            assert_eq!(reject, Some(RecordReject::Malformed), "{broken}");
        }
    }

    #[test]
    fn debug_shows_neither_state_nor_nonce_nor_verifier() {
        let pending = testing::begin().pending;
        let shown = format!("{pending:?}");
        for secret in [&pending.state, &pending.nonce, pending.verifier.secret()] {
            assert!(!shown.contains(secret.expose()));
        }
    }
}
