//! The only place where private keys are used: what is sealed, opened, signed and authenticated here.
//!
//! It decides nothing about devices. What releases a secret or signs a token demands a
//! [`bonafide_evidence::Grant`] (law 2); everything else is told what to do by `app`.

pub mod challenge;
pub mod client;
pub mod envelope;
pub mod master;
pub mod signing;

use std::sync::Arc;

use bonafide_evidence::Grant;
use bonafide_evidence::play::PlayKeys;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, AppId, CredentialId, DeviceId, SecretName, UpstreamName};
use bonafide_wire::secret::SecretText;
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::{
    ClientKey, PlayKey, RuntimeSecret, SealedBytes, SigningKey, SigningKeyState, TrustKey,
    TrustKeys,
};
use envelope::{Envelopes, Label};
use master::MasterKeys;

/// A key operation failed; never a device's fault.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The master key file cannot be used.
    #[error("the master key file {path} cannot be used: {problem}")]
    MasterKeyFile {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// Sealed under no master key of this service, for another object, or altered.
    #[error("sealed bytes cannot be opened: another master key, or damage")]
    Unopenable,
    /// What was opened is not a key.
    #[error("a sealed key is not one of its kind")]
    NotAKey,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// The service's keys. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Derived>);

struct Derived {
    at_rest: Envelopes,
    tickets: Envelopes,
    kept_tokens: Envelopes,
    challenges: challenge::ChallengeKeys,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys([redacted])")
    }
}

impl Keys {
    /// Derives every working key from the master keys.
    pub fn new(master: &MasterKeys) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(Derived {
            at_rest: Envelopes::derive(master, b"bonafide-v1-at-rest")?,
            tickets: Envelopes::derive(master, b"bonafide-v1-ticket")?,
            kept_tokens: Envelopes::derive(master, b"bonafide-v1-refresh-token")?,
            challenges: challenge::ChallengeKeys::derive(master)?,
        })))
    }

    /// Makes and authenticates challenges (W-4).
    pub fn challenges(&self) -> &challenge::ChallengeKeys {
        &self.0.challenges
    }

    /// Seals a runtime secret's value for storage. The version is inside the seal, so that an old value
    /// cannot be put back under a new version.
    pub fn seal_secret(
        &self,
        account: &AccountId,
        name: &SecretName,
        version: u64,
        value: &SecretText,
    ) -> Result<SealedBytes, KeyError> {
        let label = Label::secret(account, name, version);
        self.seal(&label, value.expose().as_bytes())
    }

    /// Opens a runtime secret for an instance that was allowed (law 2).
    pub fn open_secret(
        &self,
        _grant: &Grant,
        account: &AccountId,
        name: &SecretName,
        secret: &RuntimeSecret,
    ) -> Result<SecretText, KeyError> {
        let label = Label::secret(account, name, secret.version);
        text_of(self.open(&label, &secret.sealed)?)
    }

    /// Seals the key that decrypts an app's Play Integrity verdicts.
    pub fn seal_play_key(
        &self,
        account: &AccountId,
        app: &AppId,
        decryption: &[u8],
    ) -> Result<SealedBytes, KeyError> {
        self.seal(&Label::play_key(account, app), decryption)
    }

    /// Opens the keys of an app's Play Integrity verdicts. They read evidence and release nothing.
    pub fn open_play_key(
        &self,
        account: &AccountId,
        app: &AppId,
        key: &PlayKey,
    ) -> Result<PlayKeys, KeyError> {
        let decryption = self.open(&Label::play_key(account, app), &key.sealed)?;
        PlayKeys::new(&decryption, key.verification.as_slice()).map_err(|_| KeyError::NotAKey)
    }

    /// Seals a reply kept for a repeated request: it may hold a credential's secret.
    pub fn seal_reply(
        &self,
        credential: &CredentialId,
        key: &str,
        body: &[u8],
    ) -> Result<SealedBytes, KeyError> {
        self.seal(&Label::reply(credential, key), body)
    }

    /// Opens a kept reply.
    pub fn open_reply(
        &self,
        credential: &CredentialId,
        key: &str,
        sealed: &SealedBytes,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open(&Label::reply(credential, key), sealed)
    }

    /// Seals a ticket's contents for an account (W-9). A ticket proves who asks; it grants nothing.
    pub fn seal_ticket(&self, account: &AccountId, contents: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.tickets.seal(&Label::ticket(account), contents)
    }

    /// Opens a ticket of this account.
    pub fn open_ticket(
        &self,
        account: &AccountId,
        ticket: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.tickets.open(&Label::ticket(account), ticket)
    }

    /// Makes a key that signs attestation tokens; gives its `kid` (RFC 7638 thumbprint).
    pub fn generate_signing_key(
        &self,
        account: &AccountId,
        state: SigningKeyState,
        now: i64,
    ) -> Result<(String, SigningKey), KeyError> {
        let (public_key, private) = signing::generate()?;
        let kid = signing::thumbprint(&public_key)?;
        let sealed = self.seal(&Label::signing_key(account, &kid), &private)?;
        let key = SigningKey {
            state,
            public_key: Base64Url(public_key),
            sealed,
            created_at: now,
            since: now,
        };
        Ok((kid, key))
    }

    /// Makes the two keys that sign an account's trust metadata.
    pub fn generate_trust_keys(&self, account: &AccountId) -> Result<TrustKeys, KeyError> {
        let generate = |role| -> Result<TrustKey, KeyError> {
            let (public_key, private) = signing::generate()?;
            Ok(TrustKey {
                public_key: Base64Url(public_key),
                sealed: self.seal(&Label::trust_key(account, role), &private)?,
            })
        };
        Ok(TrustKeys {
            root: generate("root")?,
            bundle: generate("bundle")?,
        })
    }

    /// Signs trust metadata (`r` then `s`, 64 bytes) with a key of its role.
    pub fn sign_trust(
        &self,
        account: &AccountId,
        role: bonafide_wire::envelope::Role,
        key: &TrustKey,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let role = match role {
            bonafide_wire::envelope::Role::Root => "root",
            bonafide_wire::envelope::Role::Bundle => "bundle",
        };
        let private = self.open(&Label::trust_key(account, role), &key.sealed)?;
        signing::SigningPair::from_pkcs8(&private)?.sign(message)
    }

    /// Whether an account's trust keys open: without them its apps can never be told anything again.
    pub fn check_trust_keys(&self, account: &AccountId, keys: &TrustKeys) -> Result<(), KeyError> {
        for (role, key) in [("root", &keys.root), ("bundle", &keys.bundle)] {
            self.open(&Label::trust_key(account, role), &key.sealed)?;
        }
        Ok(())
    }

    /// Opens a key that signs attestation tokens. Using it needs a Grant.
    pub fn open_signing_key(
        &self,
        account: &AccountId,
        kid: &str,
        key: &SigningKey,
    ) -> Result<signing::TokenSigner, KeyError> {
        let private = self.open(&Label::signing_key(account, kid), &key.sealed)?;
        signing::TokenSigner::new(kid, &private)
    }

    /// Makes the key by which the account attests its apps' instances to authorization servers; gives its `kid`.
    pub fn generate_attester_key(
        &self,
        account: &AccountId,
        now: i64,
    ) -> Result<(String, SigningKey), KeyError> {
        let (public_key, private) = signing::generate()?;
        let kid = signing::thumbprint(&public_key)?;
        let sealed = self.seal(&Label::attester_key(account, &kid), &private)?;
        let key = SigningKey {
            state: SigningKeyState::Active,
            public_key: Base64Url(public_key),
            sealed,
            created_at: now,
            since: now,
        };
        Ok((kid, key))
    }

    /// Opens an attester key. Using it needs a Grant.
    pub fn open_attester_key(
        &self,
        account: &AccountId,
        kid: &str,
        key: &SigningKey,
    ) -> Result<client::ClientSigner, KeyError> {
        let private = self.open(&Label::attester_key(account, kid), &key.sealed)?;
        client::ClientSigner::new(kid, &private)
    }

    /// Makes the client key of an upstream, or takes over one that was made elsewhere.
    pub fn client_key(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        imported: Option<&SecretText>,
    ) -> Result<Result<ClientKey, client::ImportReject>, KeyError> {
        let new = match imported.map(client::import) {
            None => client::generate()?,
            Some(Ok(new)) => new,
            Some(Err(reject)) => return Ok(Err(reject)),
        };
        let label = Label::client_key(account, upstream, &new.kid);
        Ok(Ok(ClientKey {
            sealed: self.seal(&label, &new.private)?,
            kid: new.kid,
            jwk: new.jwk,
        }))
    }

    /// Opens the client key of an upstream. Using it needs a Grant.
    pub fn open_client_key(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        key: &ClientKey,
    ) -> Result<client::ClientSigner, KeyError> {
        let label = Label::client_key(account, upstream, &key.kid);
        let private = self.open(&label, &key.sealed)?;
        client::ClientSigner::new(&key.kid, &private)
    }

    /// How many bytes a runtime secret's value has: some uses demand a least length.
    pub fn secret_length(secret: &RuntimeSecret) -> usize {
        Envelopes::length(secret.sealed.0.as_slice())
    }

    /// Seals a refresh token for one device at one upstream: only there, and only here, it means anything.
    pub fn seal_refresh_token(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
        token: &SecretText,
    ) -> Result<Vec<u8>, KeyError> {
        let label = Label::refresh_token(account, upstream, device);
        self.0.kept_tokens.seal(&label, token.expose().as_bytes())
    }

    /// Opens a refresh token that was sealed for this device at this upstream.
    pub fn open_refresh_token(
        &self,
        _grant: &Grant,
        (account, upstream): (&AccountId, &UpstreamName),
        device: &DeviceId,
        sealed: &[u8],
    ) -> Result<SecretText, KeyError> {
        let label = Label::refresh_token(account, upstream, device);
        text_of(self.0.kept_tokens.open(&label, sealed)?)
    }

    /// Seals what manages an instance's own registration (RFC 7592).
    pub fn seal_management(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
        management: &[u8],
    ) -> Result<SealedBytes, KeyError> {
        self.seal(&Label::management(account, upstream, device), management)
    }

    /// Opens it again, to end the registration of a device that is no longer trusted.
    pub fn open_management(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
        sealed: &SealedBytes,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open(&Label::management(account, upstream, device), sealed)
    }

    fn seal(&self, label: &Label, plaintext: &[u8]) -> Result<SealedBytes, KeyError> {
        let sealed = self.0.at_rest.seal(label, plaintext)?;
        Ok(SealedBytes(Base64Url(sealed)))
    }

    fn open(&self, label: &Label, sealed: &SealedBytes) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.at_rest.open(label, sealed.0.as_slice())
    }
}

/// Opened bytes as text, without a copy that is not wiped.
fn text_of(mut opened: Zeroizing<Vec<u8>>) -> Result<SecretText, KeyError> {
    String::from_utf8(core::mem::take(&mut *opened))
        .map(SecretText::new)
        .map_err(|error| {
            error.into_bytes().zeroize();
            KeyError::Unopenable
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_keys_that_no_line_of_the_master_key_file_opens_are_noticed() {
        let fresh = || Keys::new(&MasterKeys::generate().unwrap()).unwrap();
        let (ours, other) = (fresh(), fresh());
        let account = AccountId::parse("acme").unwrap();
        let trust = ours.generate_trust_keys(&account).unwrap();
        ours.check_trust_keys(&account, &trust).unwrap();
        let refused = other.check_trust_keys(&account, &trust).unwrap_err();
        assert!(matches!(refused, KeyError::Unopenable), "{refused}");
    }
}
