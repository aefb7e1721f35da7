//! Who is registered with the Library, and by what each client proves itself: one method for each client.
//!
//! Some were registered by an operator, some registered themselves with a software statement. What a presented
//! credential is worth is judged in `authenticate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::client::owns;
use crate::secret::{ClientSecret, random_text, sha256};

const MOST_CLIENTS: usize = 1_000;

/// A set of public keys, as JWKS.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// These.
    Fixed(Value),
    /// Those in a file, read anew whenever they are needed; none while it does not exist.
    File(PathBuf),
}

impl KeySource {
    /// None, so that nothing verifies.
    pub fn none() -> Self {
        Self::Fixed(json!({"keys": []}))
    }

    pub(super) fn keys(&self) -> Value {
        match self {
            Self::Fixed(keys) => keys.clone(),
            Self::File(path) => std::fs::read(path)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_else(|| json!({"keys": []})),
        }
    }
}

/// By what a client of the Library proves itself.
#[derive(Debug, Clone)]
pub enum ClientMethod {
    /// `client_secret_basic` or `client_secret_post`.
    Secret(ClientSecret),
    /// `client_secret_jwt` (HS256).
    SecretJwt(ClientSecret),
    /// `private_key_jwt` (ES256).
    PrivateKeyJwt(KeySource),
    /// An attestation by the Library's trusted attesters and a proof of possession.
    Attested,
}

/// A client of the Library.
#[derive(Debug, Clone)]
pub struct LibraryClient {
    /// Public.
    pub client_id: String,
    /// Shown on the consent page.
    pub name: String,
    /// Compared exactly, but for the port of `http://127.0.0.1`.
    pub redirect_uris: Vec<String>,
    /// The one way in which it authenticates.
    pub method: ClientMethod,
}

impl LibraryClient {
    /// Books, under this id.
    pub fn books(client_id: &str, method: ClientMethod) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: "Books".to_owned(),
            redirect_uris: vec![
                "http://127.0.0.1/oauth2redirect".to_owned(),
                "https://example.com/oauth2redirect".to_owned(),
            ],
            method,
        }
    }
}

/// A client and who may delete it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: LibraryClient,
    /// Digest of the token that manages it (RFC 7592); operators' clients have none.
    management: Option<Vec<u8>>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients(BTreeMap<String, Known>);

impl Clients {
    pub(super) fn of(clients: Vec<LibraryClient>) -> Self {
        let known = clients.into_iter().map(|client| {
            let id = client.client_id.clone();
            let management = None;
            (id, Known { client, management })
        });
        Self(known.collect())
    }

    pub(super) fn find(&self, client_id: &str) -> Option<&LibraryClient> {
        self.0.get(client_id).map(|known| &known.client)
    }

    /// Whether the URI belongs to the client.
    pub(super) fn owns(&self, client_id: &str, redirect_uri: &str) -> bool {
        self.find(client_id)
            .is_some_and(|client| owns(&client.redirect_uris, redirect_uri))
    }

    /// A client that registers itself; its id, and the token that manages it. `None` when there are too many.
    pub(super) fn register(
        &mut self,
        redirect_uris: Vec<String>,
        jwk: &Value,
    ) -> Option<(String, String)> {
        if self.0.len() >= MOST_CLIENTS {
            return None;
        }
        let (id, token) = (format!("instance-{}", random_text()), random_text());
        let keys = KeySource::Fixed(json!({ "keys": [jwk] }));
        let known = Known {
            client: LibraryClient {
                client_id: id.clone(),
                name: "Books, on one phone".to_owned(),
                redirect_uris,
                method: ClientMethod::PrivateKeyJwt(keys),
            },
            management: Some(sha256(token.as_bytes())),
        };
        self.0.insert(id.clone(), known);
        Some((id, token))
    }

    /// Deletes a client for whoever has its token; whether it did.
    pub(super) fn delete(&mut self, client_id: &str, token: &str) -> bool {
        let digest = sha256(token.as_bytes());
        let manages = self
            .0
            .get(client_id)
            .and_then(|known| known.management.as_ref())
            .is_some_and(|own| bool::from(own.ct_eq(&digest)));
        manages && self.0.remove(client_id).is_some()
    }

    /// Other credentials for a client from now on; whether there is such a client.
    pub(super) fn replace_method(&mut self, client_id: &str, method: ClientMethod) -> bool {
        match self.0.get_mut(client_id) {
            Some(known) => {
                known.client.method = method;
                true
            }
            None => false,
        }
    }
}

/// Whether a presented secret is the registered one.
pub(super) fn is_secret(registered: &ClientSecret, presented: &str) -> bool {
    let digest = sha256(presented.as_bytes());
    bool::from(sha256(registered.expose().as_bytes()).ct_eq(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_its_token_deletes_a_client_and_nobody_an_operators() {
        let mut clients = Clients::of(vec![LibraryClient::books("own", ClientMethod::Attested)]);
        let (id, token) = clients.register(vec![], &json!({})).unwrap();
        assert!(!clients.delete(&id, "x"));
        assert!(!clients.delete("own", ""));
        assert!(!clients.delete("own", &token));
        assert!(clients.delete(&id, &token));
        assert!(clients.find(&id).is_none() && clients.find("own").is_some());
    }

    #[test]
    fn a_missing_key_file_verifies_nothing() {
        let keys = KeySource::File("/nowhere/at/all".into()).keys();
        assert_eq!(keys, json!({"keys": []}));
    }
}
