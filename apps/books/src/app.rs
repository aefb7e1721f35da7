//! The app: one instance on one phone, logged in or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonafide_oauth::IdTokenClaims;
use bonafide_sdk::adaptor::{
    Choice, DirectoryVault, OAuthSession, ProtectedClient, ReqwestTransport, SystemClock,
};
use bonafide_sdk::host::Clock;
use bonafide_sdk::{Bonafide, Hosts};
use tokio::sync::Mutex;

use crate::api::{self, Book};
use crate::browser::Browser;
use crate::cover;
use crate::error::{Action, BooksError, Trouble};
use crate::files::create_private_directory;
use crate::login::{self, LoginStep};
use crate::phone::{PhoneAttester, PhoneKeyRing};
use crate::setup::BooksSetup;

const SERVICE_PATIENCE: Duration = Duration::from_secs(15);

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// First name, where known.
    pub first_name: Option<String>,
    /// Address, where known.
    pub email: Option<String>,
}

/// The app.
pub struct BooksApp {
    client: ProtectedClient,
    session: OAuthSession,
    books_api: String,
    patience: Duration,
    /// Held across a login, which may take a reader minutes: one at a time.
    logging_in: Mutex<()>,
}

impl BooksApp {
    /// Starts it; nothing is sent yet.
    pub fn open(setup: BooksSetup) -> Result<Self, BooksError> {
        Self::assemble(setup).map_err(|trouble| trouble.during(Action::Start))
    }

    fn assemble(setup: BooksSetup) -> Result<Self, Trouble> {
        create_private_directory(&setup.state).map_err(Trouble::Storage)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let keys = PhoneKeyRing::new(setup.phone.clone(), &setup.state, Arc::clone(&clock));
        let attester = PhoneAttester::new(setup.phone, &setup.state, Arc::clone(&clock));
        let vault = DirectoryVault::open(setup.state.join("vault")).map_err(Trouble::Storage)?;
        let transport = ReqwestTransport::new(&setup.device_roots, SERVICE_PATIENCE, &[])?;
        let hosts = Hosts {
            transport: Arc::new(transport),
            attester: Arc::new(attester),
            keys: Arc::new(keys),
            vault: Arc::new(vault),
            clock,
        };
        let bonafide = Bonafide::new(setup.config, hosts);
        let mut builder = ProtectedClient::builder(bonafide).device_roots(setup.device_roots);
        for (host, address) in &setup.provider.resolve {
            builder = builder.resolve(host, *address);
        }
        let client = builder.build()?;
        Ok(Self {
            session: client.login(setup.provider.login_settings()?),
            client,
            books_api: setup.provider.books_api,
            patience: setup.patience,
            logging_in: Mutex::new(()),
        })
    }

    /// The instance's SDK client: device id, trust.
    pub fn bonafide(&self) -> &Bonafide {
        self.client.bonafide()
    }

    /// The client that everything goes through.
    pub fn protected(&self) -> &ProtectedClient {
        &self.client
    }

    /// The login.
    pub fn session(&self) -> &OAuthSession {
        &self.session
    }

    /// Books by words of title or author. Needs no login.
    pub async fn search(&self, query: &str) -> Result<Vec<Book>, BooksError> {
        api::search(&self.client, &self.books_api, query)
            .await
            .map_err(|trouble| trouble.during(Action::Search))
    }

    /// Logs in through the browser; `told` hears each step. Who is logged in already stays so; a login that a former
    /// process began is gone on with.
    pub async fn login(
        &self,
        browser: &dyn Browser,
        told: &mut (dyn FnMut(LoginStep) + Send),
    ) -> Result<Profile, BooksError> {
        let _one_at_a_time = self.logging_in.lock().await;
        let mut step = LoginStep::Discovering;
        let outcome = login::run(&self.session, (browser, self.patience), &mut |next| {
            step = next;
            told(next);
        })
        .await;
        outcome.map_err(|trouble| trouble.during(Action::Login(step)))?;
        Ok(self.profile().await.unwrap_or(Profile {
            first_name: None,
            email: None,
        }))
    }

    /// Who is logged in.
    pub async fn profile(&self) -> Option<Profile> {
        let identity = self.session.identity().await.ok().flatten();
        identity.as_ref().map(profile)
    }

    /// By which rung of the ladder the present login proves the app, and why by no better one.
    pub async fn choice(&self) -> Option<Choice> {
        self.session.choice().await.ok().flatten()
    }

    /// The reader's favourites.
    pub async fn favorites(&self) -> Result<Vec<Book>, BooksError> {
        api::favorites(&self.session, &self.books_api)
            .await
            .map_err(|trouble| trouble.during(Action::Favorites))
    }

    /// Fetches a book's cover into a directory; `None` where it has none.
    pub async fn cover(
        &self,
        book: &Book,
        directory: &Path,
    ) -> Result<Option<PathBuf>, BooksError> {
        cover::fetch(&self.client, book, directory)
            .await
            .map_err(|trouble| trouble.during(Action::Cover))
    }

    /// Forgets the login here, then tells the provider to forget it too. Forgetting here never fails for the network.
    pub async fn logout(&self) -> Result<(), BooksError> {
        let outcome = self.session.logout().await;
        outcome.map_err(|error| Trouble::from(error).during(Action::Logout))
    }
}

fn profile(claims: &IdTokenClaims) -> Profile {
    Profile {
        first_name: claims.given_name.clone(),
        email: claims.email.clone(),
    }
}

impl std::fmt::Debug for BooksApp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BooksApp")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
