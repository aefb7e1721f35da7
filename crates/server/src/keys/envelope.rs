//! Sealing bytes under a master key: who may open them is decided by the label inside the seal.
//!
//! `01 || key id (4) || salt (16) || AES-256-GCM ciphertext and tag`. Each message has a key of its own,
//! HMAC-SHA256 of the random salt under the derived key, used once with a zero nonce: so the number of messages is
//! not bounded by the 2^32 random nonces of plain AES-GCM, which the hot path would reach in days.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use bonafide_wire::ids::{AccountId, AppId, CredentialId, DeviceId, SecretName, UpstreamName};
use zeroize::Zeroizing;

use super::KeyError;
use super::master::MasterKeys;

const FORMAT: u8 = 1;
const SALT: usize = 16;
const HEADER: usize = 1 + 4 + SALT;
const TAG: usize = 16;

/// What sealed bytes are, whose, and which: the associated data. Swapping two rows of a database, or a
/// row of two accounts, makes both unopenable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label(String);

impl Label {
    fn new(kind: &str, account: &AccountId, id: &str) -> Self {
        // None of the parts can contain a NUL, so no two labels share a text.
        Self(format!("{kind}\0{account}\0{id}"))
    }

    pub(super) fn secret(account: &AccountId, name: &SecretName, version: u64) -> Self {
        Self::new("secret", account, &format!("{name}\0{version}"))
    }

    pub(super) fn signing_key(account: &AccountId, kid: &str) -> Self {
        Self::new("signing-key", account, kid)
    }

    pub(super) fn attester_key(account: &AccountId, kid: &str) -> Self {
        Self::new("attester-key", account, kid)
    }

    pub(super) fn client_key(account: &AccountId, upstream: &UpstreamName, kid: &str) -> Self {
        Self::new("client-key", account, &format!("{upstream}\0{kid}"))
    }

    pub(super) fn refresh_token(
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
    ) -> Self {
        Self::new("refresh-token", account, &format!("{upstream}\0{device}"))
    }

    pub(super) fn management(
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
    ) -> Self {
        Self::new("management", account, &format!("{upstream}\0{device}"))
    }

    pub(super) fn trust_key(account: &AccountId, role: &str) -> Self {
        Self::new("trust-key", account, role)
    }

    pub(super) fn play_key(account: &AccountId, app: &AppId) -> Self {
        Self::new("play-key", account, app.as_str())
    }

    pub(super) fn reply(credential: &CredentialId, key: &str) -> Self {
        Self(format!("reply\0{credential}\0{key}"))
    }

    pub(super) fn ticket(account: &AccountId) -> Self {
        Self::new("ticket", account, "")
    }
}

/// Seals and opens for one use.
pub(super) struct Envelopes(Vec<([u8; 4], hmac::Key)>);

impl Envelopes {
    pub(super) fn derive(master: &MasterKeys, usage: &[u8]) -> Result<Self, KeyError> {
        master
            .iter()
            .map(|key| {
                let derived = key.derive(usage)?;
                Ok((key.id()?, hmac::Key::new(hmac::HMAC_SHA256, &*derived)))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// How many bytes are inside.
    pub(super) fn length(sealed: &[u8]) -> usize {
        sealed.len().saturating_sub(HEADER + TAG)
    }

    pub(super) fn seal(&self, label: &Label, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (id, key) = self.0.first().ok_or(KeyError::Library)?;
        let mut salt = [0; SALT];
        rand::fill(&mut salt).map_err(|_| KeyError::Library)?;
        let key = message_key(key, &salt)?;
        // Never grows, so the plaintext is never left behind in a smaller buffer; it is sealed where it stands.
        let mut sealed = Vec::with_capacity(HEADER + plaintext.len() + TAG);
        sealed.push(FORMAT);
        sealed.extend_from_slice(id);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(plaintext);
        let text = sealed.get_mut(HEADER..).ok_or(KeyError::Library)?;
        let tag = key
            .seal_in_place_separate_tag(nonce(), aad(label), text)
            .map_err(|_| KeyError::Library)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(
        &self,
        label: &Label,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (format, rest) = sealed.split_first().ok_or(KeyError::Unopenable)?;
        let (id, rest) = rest.split_at_checked(4).ok_or(KeyError::Unopenable)?;
        let (salt, text) = rest.split_at_checked(SALT).ok_or(KeyError::Unopenable)?;
        let key = self
            .0
            .iter()
            .find(|(known, _)| *format == FORMAT && known == id)
            .map(|(_, key)| key)
            .ok_or(KeyError::Unopenable)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = message_key(key, salt)?
            .open_in_place(nonce(), aad(label), &mut text)
            .map_err(|_| KeyError::Unopenable)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn message_key(key: &hmac::Key, salt: &[u8]) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, hmac::sign(key, salt).as_ref())
        .map(LessSafeKey::new)
        .map_err(|_| KeyError::Library)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn aad(label: &Label) -> Aad<&[u8]> {
    Aad::from(label.0.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    fn envelopes() -> Envelopes {
        Envelopes::derive(&MasterKeys::generate().unwrap(), b"test").unwrap()
    }

    #[test]
    fn opens_only_under_the_same_key_and_label() {
        let envelopes = envelopes();
        let name = SecretName::parse("client_secret").unwrap();
        let label = Label::secret(&account("acme"), &name, 1);
        let sealed = envelopes.seal(&label, b"value").unwrap();
        assert_eq!(*envelopes.open(&label, &sealed).unwrap(), b"value");
        let others = [
            Label::secret(&account("acme2"), &name, 1),
            Label::secret(&account("acme"), &name, 2),
            Label::secret(&account("acme"), &SecretName::parse("other").unwrap(), 1),
            Label::signing_key(&account("acme"), "client_secret"),
        ];
        for other in others {
            assert!(envelopes.open(&other, &sealed).is_err(), "{other:?}");
        }
        assert!(self::envelopes().open(&label, &sealed).is_err());
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let envelopes = envelopes();
        let label = Label::ticket(&account("acme"));
        let sealed = envelopes.seal(&label, b"value").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(envelopes.open(&label, &altered).is_err(), "byte {at}");
            assert!(
                envelopes.open(&label, &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn two_seals_of_the_same_bytes_share_nothing() {
        let envelopes = envelopes();
        let label = Label::ticket(&account("acme"));
        let first = envelopes.seal(&label, &[0; 32]).unwrap();
        let second = envelopes.seal(&label, &[0; 32]).unwrap();
        assert_ne!(first[HEADER..], second[HEADER..]);
    }
}
