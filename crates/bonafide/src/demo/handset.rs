//! A phone with Books on it, as its owner holds it.
//!
//! Adapts the Books library to the story: each action starts the app anew, as after a tap on its icon, and a refusal
//! says its code, its reasons and its support id.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bonafide_books::browser::{Click, ClickingBrowser, Pages, Shown};
use bonafide_books::{Action, BooksApp, BooksError, BooksSetup, Provider, Trouble};
use bonafide_provider::User;
use bonafide_sdk::adaptor::{Roots, RungWish};
use bonafide_sdk::{AttestationToken, Host, Rung, RuntimeSecret, SdkConfig, SdkError, SecretName};
use bonafide_simulator::apk::Apk;
use bonafide_simulator::{AppUid, Phone};
use url::Url;

use super::scene::{OrOtherwise as _, Otherwise, Scene, Told};

/// What all phones of the story share: the account that Books was built for, the network, who is there.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The config string that is compiled into Books.
    pub(super) config: SdkConfig,
    /// The authorization server and API, and where their names lead.
    pub(super) provider: Provider,
    /// Authorities in the phones' own stores, DER.
    pub(super) device_roots: Vec<Vec<u8>>,
    /// Where a browser finds the sign-in pages.
    pub(super) pages: Url,
    /// Who signs in.
    pub(super) user: User,
}

/// A phone with Books on it.
#[derive(Debug, Clone)]
pub(super) struct Handset {
    phone: Phone,
    app: AppUid,
    state: PathBuf,
    surroundings: Surroundings,
}

impl Handset {
    /// Installs a build of Books; its files live in `state`.
    pub(super) fn install(
        phone: Phone,
        apk: &Apk,
        state: PathBuf,
        surroundings: Surroundings,
    ) -> Result<Self, Otherwise> {
        let app = phone.install(apk).or_otherwise("installing Books")?;
        Ok(Self {
            phone,
            app,
            state,
            surroundings,
        })
    }

    /// The same phone in a network where a name leads elsewhere.
    pub(super) fn led_astray(&self, host: &str, to: SocketAddr) -> Self {
        let mut astray = self.clone();
        let names = &mut astray.surroundings.provider.resolve;
        names.retain(|(name, _)| name != host);
        names.push((host.to_owned(), to));
        astray
    }

    /// The same phone, in the hands of somebody who reads along between Books and TLS.
    pub(super) fn owned_by(&self, insider: SocketAddr) -> Self {
        let mut owned = self.clone();
        for (_, address) in &mut owned.surroundings.provider.resolve {
            *address = insider;
        }
        owned
    }

    /// The same app, logging in at this upstream by this rung.
    pub(super) fn climbing(&self, upstream: &str, rung: Rung) -> Self {
        let mut climbing = self.clone();
        let provider = &mut climbing.surroundings.provider;
        provider.upstream = Some(upstream.to_owned());
        provider.rung = RungWish::Only(rung);
        if upstream != "google" {
            "https://api.library.example/books/v1".clone_into(&mut provider.books_api);
        }
        climbing
    }

    /// By which rung the present login proves the app, and why by no better one.
    pub(super) async fn rung(&self) -> Result<String, Otherwise> {
        let app = self.open().map_err(|error| Otherwise(error.to_string()))?;
        let choice = app.choice().await.or_otherwise("nobody is logged in")?;
        Ok(choice.to_string())
    }

    /// The access token, which whoever controls the process finds in its memory.
    pub(super) async fn access_token(&self) -> Result<String, Otherwise> {
        let app = self.open().map_err(|error| Otherwise(error.to_string()))?;
        let token = app.session().access_token().await;
        Ok(token.or_otherwise("the access token")?.expose().to_owned())
    }

    /// What Books keeps of its login by this rung, opened with the key that Books itself uses.
    pub(super) fn sealed_record(&self, rung: Rung) -> Result<Vec<u8>, Otherwise> {
        let mark = format!("\"choice\":{{\"rung\":\"{rung}\"");
        let read = |path: PathBuf| std::fs::read(path).or_otherwise("a file of Books");
        let key = read(self.state.join("sealing-key"))?;
        let vault = std::fs::read_dir(self.state.join("vault")).or_otherwise("the vault")?;
        for entry in vault.flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("login-") {
                let opened = unseal(&key, &read(entry.path())?);
                let opened = opened.or_otherwise("a sealed record")?;
                if super::find(&opened, mark.as_bytes()).is_some() {
                    return Ok(opened);
                }
            }
        }
        Err(Otherwise("Books keeps no such login".to_owned()))
    }

    fn open(&self) -> Result<BooksApp, BooksError> {
        let around = &self.surroundings;
        let mut setup = BooksSetup::new(
            around.config.clone(),
            self.phone.clone(),
            self.state.clone(),
            around.provider.clone(),
        );
        setup.device_roots = Roots::Only(around.device_roots.clone());
        BooksApp::open(setup)
    }

    /// Searches; the titles.
    pub(super) async fn search(&self, words: &str) -> Result<Vec<String>, BooksError> {
        let books = self.open()?.search(words).await?;
        Ok(books.into_iter().map(|book| book.title).collect())
    }

    /// Logs in, after a logout where somebody is logged in; the user's first name.
    pub(super) async fn login(&self) -> Result<String, Failed> {
        let app = self.open()?;
        if app.profile().await.is_some() {
            // It forgets here first; whether the provider could be told makes no difference to the story.
            drop(app.logout().await);
        }
        let user = &self.surroundings.user;
        let pages = Pages::at(self.surroundings.pages.clone());
        let reader = (user.email.as_str(), user.password.as_str());
        let browser = ClickingBrowser::new(pages, reader, Click::Allow);
        let profile = app.login(&browser, &mut |_| ()).await?;
        Ok(profile.first_name.unwrap_or_default())
    }

    /// Logs in with a person at the system's browser; the address is printed, in case no browser opens.
    pub(super) async fn login_by_hand(&self) -> Result<String, Failed> {
        let app = self.open()?;
        if app.profile().await.is_some() {
            drop(app.logout().await);
        }
        let pages = Pages::at(self.surroundings.pages.clone());
        let browser = Shown::by(pages, |url| {
            crate::render::say(&format!("  {url}"));
            // The address is printed; whoever has no browser here opens it elsewhere.
            drop(webbrowser::open(url.as_str()));
        });
        let profile = app.login(&browser, &mut |_| ()).await?;
        Ok(profile.first_name.unwrap_or_default())
    }

    /// Tries to log in and expects a refusal.
    pub(super) async fn login_refused(&self) -> Result<Failed, Otherwise> {
        let failed = self.login().await.err();
        failed.or_otherwise("the login worked")
    }

    /// The titles of the favourites, and how many covers came with them.
    pub(super) async fn favorites(
        &self,
        covers: &Path,
    ) -> Result<(Vec<String>, usize), BooksError> {
        let app = self.open()?;
        let books = app.favorites().await?;
        let mut fetched = 0;
        for book in &books {
            fetched += usize::from(app.cover(book, covers).await?.is_some());
        }
        let titles = books.into_iter().map(|book| book.title).collect();
        Ok((titles, fetched))
    }

    /// Asks for an attestation token for an API.
    pub(super) async fn attestation_token(&self, api: &Host) -> Result<AttestationToken, Failed> {
        let app = self.open()?;
        let token = app.bonafide().attestation_token(api, None).await;
        token.map_err(Failed::from)
    }

    /// Asks for the client secret, to be sent to a host.
    pub(super) async fn client_secret(&self, host: &Host) -> Result<RuntimeSecret, Failed> {
        let app = self.open()?;
        let name = SecretName::parse(&*self.surroundings.provider.secret_name);
        let name = name.map_err(|_| Failed::from(Trouble::Setting("the secret's name")))?;
        let secret = app.bonafide().secret(&name, host).await;
        secret.map_err(Failed::from)
    }

    /// Attaches a debugger to Books.
    pub(super) fn attach_debugger(&self) -> Told {
        let attached = self.phone.attach_debugger(self.app);
        attached.or_otherwise("attaching a debugger")
    }

    /// Takes it away.
    pub(super) fn detach_debugger(&self) -> Told {
        let detached = self.phone.detach_debugger(self.app);
        detached.or_otherwise("detaching the debugger")
    }
}

/// AES-256-GCM as Books' records are sealed: nonce, then the rest.
fn unseal(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut rest = rest.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let purpose = Aad::from(b"bonafide-sdk-login-1");
    let opened = key.open_in_place(nonce, purpose, &mut rest).ok()?;
    Some(opened.to_vec())
}

/// A login that failed.
#[derive(Debug)]
pub(super) struct Failed(BooksError);

impl From<BooksError> for Failed {
    fn from(error: BooksError) -> Self {
        Self(error)
    }
}

/// A failure outside the actions that the app has buttons for.
impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self(BooksError {
            action: Action::Start,
            trouble,
        })
    }
}

impl From<SdkError> for Failed {
    fn from(error: SdkError) -> Self {
        Trouble::Sdk(error).into()
    }
}

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl Failed {
    /// The stable code.
    pub(super) fn code(&self) -> &'static str {
        self.0.code()
    }

    /// Shows it as what it is: a refusal with reasons, and the words that the user sees.
    pub(super) fn show(&self, scene: &mut Scene) {
        let findings = self.0.findings();
        let code = self.code();
        let reasons = findings.join(", ");
        let text = match self.0.support_id() {
            Some(id) => format!("{code}: {reasons}; support id {id}"),
            None => code.to_owned(),
        };
        scene.refused(findings.first().map_or(code, String::as_str), text);
        scene.screen(self.0.to_string());
    }

    /// Holds if this finding is among the reasons.
    pub(super) fn must_name(&self, finding: &str) -> Told {
        if self.0.findings().iter().any(|named| named == finding) {
            return Ok(());
        }
        Err(Otherwise(format!(
            "expected {finding}, got {} {:?}: {}",
            self.code(),
            self.0.findings(),
            self.0
        )))
    }

    /// What the user reads out.
    pub(super) fn support_id(&self) -> Result<String, Otherwise> {
        let id = self.0.support_id();
        id.or_otherwise("the refusal has no support id")
    }
}
