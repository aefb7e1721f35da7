//! What the app is started with: its account, its phone, and whom it logs in to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bonafide_sdk::SdkConfig;
use bonafide_sdk::adaptor::Roots;
use bonafide_simulator::Phone;

/// The authorization server and API, as registered there.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The issuer.
    pub issuer: String,
    /// Public.
    pub client_id: String,
    /// The secret's name in the account.
    pub secret_name: String,
    /// Where the Books API is.
    pub books_api: String,
    /// Addresses to use for some hosts instead of asking the resolver.
    pub resolve: Vec<(String, SocketAddr)>,
}

impl Provider {
    /// Google, or whoever stands in for it.
    pub fn google(client_id: impl Into<String>) -> Self {
        Self {
            issuer: "https://accounts.google.com".to_owned(),
            client_id: client_id.into(),
            secret_name: "client_secret".to_owned(),
            books_api: "https://www.googleapis.com/books/v1".to_owned(),
            resolve: Vec::new(),
        }
    }

    /// Sends all requests for Google's hosts to a stand-in at this address.
    #[must_use]
    pub fn stand_in(mut self, address: SocketAddr) -> Self {
        let hosts = [
            "accounts.google.com",
            "oauth2.googleapis.com",
            "www.googleapis.com",
            "books.google.com",
        ];
        self.resolve = hosts
            .into_iter()
            .map(|host| (host.to_owned(), address))
            .collect();
        self
    }
}

/// All an app instance needs.
#[derive(Debug)]
pub struct BooksSetup {
    /// From `bonafide sdk config`.
    pub config: SdkConfig,
    /// The phone, with [`crate::PACKAGE`] installed.
    pub phone: Phone,
    /// Where the app keeps its files (tokens, ticket, trust metadata).
    pub state: PathBuf,
    /// Whom it logs in to.
    pub provider: Provider,
    /// The roots of the device's own store, for the service and for hosts outside managed roots.
    pub device_roots: Roots,
    /// How long a reader may take in the browser.
    pub patience: Duration,
}

impl BooksSetup {
    /// With Mozilla's roots and five minutes of patience.
    pub fn new(config: SdkConfig, phone: Phone, state: PathBuf, provider: Provider) -> Self {
        Self {
            config,
            phone,
            state,
            provider,
            device_roots: Roots::Mozilla,
            patience: Duration::from_mins(5),
        }
    }
}
