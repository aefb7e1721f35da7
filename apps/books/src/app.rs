//! The app: one instance on one phone, logged in or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonafide_oauth::{ClientAuthentication, Tokens, UnixTime, revoke};
use bonafide_sdk::adaptor::{DirectoryVault, ProtectedClient, ReqwestTransport, SystemClock};
use bonafide_sdk::host::Clock;
use bonafide_sdk::{Bonafide, Hosts};
use tokio::sync::Mutex;

use crate::api::{self, Book};
use crate::browser::Browser;
use crate::cover;
use crate::error::{Action, BooksError, Trouble};
use crate::login::{Login, LoginStep};
use crate::phone::PhoneAttester;
use crate::session::{SessionFile, create_private_directory};
use crate::setup::{BooksSetup, Provider};

const SERVICE_PATIENCE: Duration = Duration::from_secs(15);
/// An access token with less life than this is renewed before use.
const MARGIN_SECONDS: i64 = 60;

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
    provider: Provider,
    patience: Duration,
    file: SessionFile,
    /// Held across a refresh: one at a time.
    tokens: Mutex<Option<Tokens>>,
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
        let attester = PhoneAttester::new(setup.phone, &setup.state, Arc::clone(&clock));
        let vault = DirectoryVault::open(setup.state.join("vault")).map_err(Trouble::Storage)?;
        let transport = ReqwestTransport::new(&setup.device_roots, SERVICE_PATIENCE, &[])?;
        let hosts = Hosts {
            transport: Arc::new(transport),
            attester: Arc::new(attester),
            vault: Arc::new(vault),
            clock,
        };
        let bonafide = Bonafide::new(setup.config, hosts);
        let mut builder = ProtectedClient::builder(bonafide).device_roots(setup.device_roots);
        for (host, address) in &setup.provider.resolve {
            builder = builder.resolve(host, *address);
        }
        let file = SessionFile::in_directory(&setup.state);
        Ok(Self {
            client: builder.build()?,
            provider: setup.provider,
            patience: setup.patience,
            tokens: Mutex::new(file.load()),
            logging_in: Mutex::new(()),
            file,
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

    fn login_flow(&self) -> Login<'_> {
        Login {
            client: &self.client,
            provider: &self.provider,
            patience: self.patience,
        }
    }

    /// Books by words of title or author. Needs no login.
    pub async fn search(&self, query: &str) -> Result<Vec<Book>, BooksError> {
        api::search(&self.client, &self.provider.books_api, query)
            .await
            .map_err(|trouble| trouble.during(Action::Search))
    }

    /// Logs in through the browser; `told` hears each step. Who is logged in already stays so.
    pub async fn login(
        &self,
        browser: &dyn Browser,
        told: &mut (dyn FnMut(LoginStep) + Send),
    ) -> Result<Profile, BooksError> {
        let _one_at_a_time = self.logging_in.lock().await;
        if let Some(present) = self.profile().await {
            return Ok(present);
        }
        let mut step = LoginStep::Discovering;
        let outcome = self
            .login_flow()
            .run(browser, &mut |next| {
                step = next;
                told(next);
            })
            .await;
        let fresh = outcome.map_err(|trouble| trouble.during(Action::Login(step)))?;
        self.file
            .save(&fresh)
            .map_err(|error| Trouble::Storage(error).during(Action::Login(step)))?;
        let profile = profile(&fresh);
        *self.tokens.lock().await = Some(fresh);
        Ok(profile)
    }

    /// Who is logged in.
    pub async fn profile(&self) -> Option<Profile> {
        self.tokens.lock().await.as_ref().map(profile)
    }

    /// The reader's favourites.
    pub async fn favorites(&self) -> Result<Vec<Book>, BooksError> {
        self.favorites_or_trouble()
            .await
            .map_err(|trouble| trouble.during(Action::Favorites))
    }

    async fn favorites_or_trouble(&self) -> Result<Vec<Book>, Trouble> {
        let present = self.fresh_tokens().await?;
        match self.shelf(&present).await {
            Err(Trouble::Api(401)) => {
                let mut tokens = self.tokens.lock().await;
                let renewed = self.renew(&mut tokens, &present).await?;
                drop(tokens);
                self.shelf(&renewed).await
            }
            outcome => outcome,
        }
    }

    async fn shelf(&self, tokens: &Tokens) -> Result<Vec<Book>, Trouble> {
        let authorization = tokens.authorization();
        api::favorites(&self.client, &self.provider.books_api, &authorization).await
    }

    /// The tokens, renewed where their life ends soon.
    async fn fresh_tokens(&self) -> Result<Tokens, Trouble> {
        let mut tokens = self.tokens.lock().await;
        let present = tokens.clone().ok_or(Trouble::NotLoggedIn)?;
        let now = UnixTime(self.bonafide().seconds());
        if present.fresh(now, MARGIN_SECONDS) {
            Ok(present)
        } else {
            self.renew(&mut tokens, &present).await
        }
    }

    /// Renews `seen`, unless somebody did while this caller waited for the lock. A session that the server ended is
    /// forgotten; anything else leaves it as it was.
    async fn renew(&self, tokens: &mut Option<Tokens>, seen: &Tokens) -> Result<Tokens, Trouble> {
        let present = tokens.as_ref().ok_or(Trouble::NotLoggedIn)?;
        if !present.access_token().matches(seen.access_token().expose()) {
            return Ok(present.clone());
        }
        let outcome = if present.refreshable() {
            self.login_flow().refresh(present).await
        } else {
            Err(Trouble::SessionEnded)
        };
        match outcome {
            Ok(fresh) => {
                self.file.save(&fresh).map_err(Trouble::Storage)?;
                *tokens = Some(fresh.clone());
                Ok(fresh)
            }
            Err(Trouble::SessionEnded) => {
                *tokens = None;
                self.file.erase().map_err(Trouble::Storage)?;
                Err(Trouble::SessionEnded)
            }
            Err(trouble) => Err(trouble),
        }
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
        let present = self.tokens.lock().await.take();
        let outcome = async {
            self.file.erase().map_err(Trouble::Storage)?;
            match present {
                Some(tokens) => self.revoke(&tokens).await,
                None => Ok(()),
            }
        };
        outcome
            .await
            .map_err(|trouble| trouble.during(Action::Logout))
    }

    async fn revoke(&self, tokens: &Tokens) -> Result<(), Trouble> {
        let flow = self.login_flow();
        let server = flow.discover().await?;
        let call = tokens.revoke(&server)?;
        let response = flow.send(&call, ClientAuthentication::None).await?;
        Ok(revoke::receive(&response)?)
    }
}

fn profile(tokens: &Tokens) -> Profile {
    let identity = tokens.identity();
    Profile {
        first_name: identity.and_then(|claims| claims.given_name.clone()),
        email: identity.and_then(|claims| claims.email.clone()),
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
