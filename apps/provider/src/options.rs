//! What a stand-in is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::library::LibraryOptions;
use crate::secret::ClientSecret;

/// How to start.
#[derive(Debug)]
pub struct ProviderOptions {
    /// The TLS listener; port 0 for any.
    pub addr: SocketAddr,
    /// A plain listener on loopback for a person's browser, which cannot resolve Google's names to this machine. Serves
    /// the sign-in and consent pages only. `None` for none.
    pub browser_addr: Option<SocketAddr>,
    /// A forward proxy on loopback that leads the stand-in's names to it, for programs that can be told a proxy and no
    /// address. `None` for none.
    pub proxy_addr: Option<SocketAddr>,
    /// The certificate for [`crate::HOSTS`].
    pub identity: ServerIdentity,
    /// The one registered client.
    pub client: RegisteredClient,
    /// The one user.
    pub user: User,
    /// The second, modern server, for [`crate::LIBRARY_HOSTS`]; `None` for none.
    pub library: Option<LibraryOptions>,
}

impl ProviderOptions {
    /// On any loopback port, with the demo client and the demo user.
    pub fn demo(identity: ServerIdentity, secret: ClientSecret) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            addr: any,
            browser_addr: Some(any),
            proxy_addr: Some(any),
            identity,
            client: RegisteredClient::demo(secret),
            user: User::demo(),
            library: None,
        }
    }
}

/// Certificate chain and key of a TLS server, DER.
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Vec<Vec<u8>>,
    /// PKCS #8.
    pub key: Vec<u8>,
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerIdentity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// An OAuth client of type "Web application".
#[derive(Debug)]
pub struct RegisteredClient {
    /// Public.
    pub client_id: String,
    /// Demanded at the token endpoint, PKCE or not.
    pub client_secret: ClientSecret,
    /// Compared exactly; one on `http://127.0.0.1` without a port matches with any port (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    /// Shown on the consent page.
    pub name: String,
}

impl RegisteredClient {
    /// The Books app.
    pub fn demo(client_secret: ClientSecret) -> Self {
        Self {
            client_id: "407408718192-books.apps.googleusercontent.com".to_owned(),
            client_secret,
            redirect_uris: vec![
                "http://127.0.0.1/oauth2redirect".to_owned(),
                "https://example.com/oauth2redirect".to_owned(),
            ],
            name: "Books".to_owned(),
        }
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// Google's `sub`.
    pub subject: String,
    /// Address to sign in with.
    pub email: String,
    /// Shown on the sign-in page: this is a demonstration, not somebody's account.
    pub password: String,
    /// Full name.
    pub name: String,
    /// First name.
    pub given_name: String,
}

impl User {
    /// The reader of the demo.
    pub fn demo() -> Self {
        Self {
            subject: "110169484474386276334".to_owned(),
            email: "reader@example.com".to_owned(),
            password: "read-more-books".to_owned(),
            name: "Ada Reader".to_owned(),
            given_name: "Ada".to_owned(),
        }
    }
}
