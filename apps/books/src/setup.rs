//! What the app is started with: its account, its phone, and whom it logs in to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bonafide_sdk::adaptor::{Authority, LoginSettings, Roots, RungWish};
use bonafide_sdk::{SdkConfig, SecretName, UpstreamName};
use bonafide_simulator::Phone;

use crate::error::Trouble;

/// The authorization server and API, as registered there.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The issuer.
    pub issuer: String,
    /// Public.
    pub client_id: String,
    /// The secret's name in the account, where the server is no upstream of it.
    pub secret_name: String,
    /// The account's name for the server; otherwise issuer and client id find it.
    pub upstream: Option<String>,
    /// The rung of the ladder to log in by.
    pub rung: RungWish,
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
            upstream: None,
            rung: RungWish::Best,
            books_api: "https://www.googleapis.com/books/v1".to_owned(),
            resolve: Vec::new(),
        }
    }

    /// An upstream of the account, with a Books API beside it.
    pub fn upstream(name: impl Into<String>, books_api: impl Into<String>) -> Self {
        Self {
            upstream: Some(name.into()),
            books_api: books_api.into(),
            ..Self::google("")
        }
    }

    /// By this rung.
    #[must_use]
    pub fn by(mut self, rung: RungWish) -> Self {
        self.rung = rung;
        self
    }

    /// Sends all requests for the hosts of Google and of the Library to a stand-in at this address.
    #[must_use]
    pub fn stand_in(mut self, address: SocketAddr) -> Self {
        let hosts = [
            "accounts.google.com",
            "oauth2.googleapis.com",
            "www.googleapis.com",
            "books.google.com",
            "login.library.example",
            "api.library.example",
        ];
        self.resolve = hosts
            .into_iter()
            .map(|host| (host.to_owned(), address))
            .collect();
        self
    }

    /// What the SDK is told.
    pub(crate) fn login_settings(&self) -> Result<LoginSettings, Trouble> {
        let authority = match &self.upstream {
            Some(name) => Authority::Upstream(
                UpstreamName::parse(name.clone())
                    .map_err(|_| Trouble::Setting("the upstream's name"))?,
            ),
            None => Authority::Client {
                issuer: self.issuer.clone(),
                client_id: self.client_id.clone(),
                secret: SecretName::parse(self.secret_name.clone())
                    .map_err(|_| Trouble::Setting("the secret's name"))?,
            },
        };
        let extra = [
            ("access_type", "offline"),
            ("prompt", "select_account consent"),
        ];
        Ok(LoginSettings {
            authority,
            scope: SCOPES.map(str::to_owned).to_vec(),
            extra: extra
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            rung: self.rung,
        })
    }
}

const SCOPES: [&str; 4] = [
    "openid",
    "email",
    "profile",
    "https://www.googleapis.com/auth/books",
];

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
