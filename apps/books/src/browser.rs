//! The browser that asks the reader: the system's, a printed URL, or one that clicks by itself for demonstrations.
//!
//! A browser only shows a URL; the answer comes to the loopback listener. Nothing here sees a code or token.

use std::io;
use std::sync::Arc;

use bonafide_sdk::host::BoxFuture;
use url::Url;

/// A browser that does not open, or pages that cannot be clicked through.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// It does not start.
    #[error("the browser does not open; use --print-url and open the address by hand")]
    NotOpened(#[source] io::Error),
    /// The pages are not those of the stand-in.
    #[error("the sign-in pages are not as expected: {0}")]
    PageUnexpected(&'static str),
    /// The pages cannot be reached.
    #[error("the sign-in pages cannot be reached")]
    Unreachable(#[source] reqwest::Error),
}

/// Shows the reader a page outside the app.
pub trait Browser: Send + Sync {
    /// Returns once the page is shown; the reader's answer arrives elsewhere.
    fn open<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), BrowserError>>;
}

/// Points the page's URL to where this machine finds it: the stand-in cannot be reached by Google's names.
#[derive(Debug, Clone)]
pub struct Pages(Option<Url>);

impl Pages {
    /// As they are.
    pub fn unchanged() -> Self {
        Self(None)
    }

    /// At another origin: the stand-in's plain listener.
    pub fn at(origin: Url) -> Self {
        Self(Some(origin))
    }

    fn place(&self, url: &Url) -> Url {
        match &self.0 {
            None => url.clone(),
            Some(origin) => {
                let mut placed = origin.clone();
                placed.set_path(url.path());
                placed.set_query(url.query());
                placed
            }
        }
    }
}

/// The system's default browser.
#[derive(Debug, Clone)]
pub struct SystemBrowser(pub Pages);

impl Browser for SystemBrowser {
    fn open<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), BrowserError>> {
        let opened = webbrowser::open(self.0.place(url).as_str()).map_err(BrowserError::NotOpened);
        Box::pin(std::future::ready(opened))
    }
}

/// Hands the URL to a function: a terminal, a test, a headless browser.
#[derive(Clone)]
pub struct Shown {
    pages: Pages,
    show: Arc<dyn Fn(&Url) + Send + Sync>,
}

impl Shown {
    /// Shows by calling `show`.
    pub fn by(pages: Pages, show: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        Self {
            pages,
            show: Arc::new(show),
        }
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shown")
    }
}

impl Browser for Shown {
    fn open<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), BrowserError>> {
        (self.show)(&self.pages.place(url));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What the clicking browser clicks on the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// "Allow".
    Allow,
    /// "Deny".
    Deny,
}

/// Clicks through the stand-in's pages by plain HTTP. For demonstrations without a browser.
#[derive(Debug, Clone)]
pub struct ClickingBrowser {
    pages: Pages,
    email: String,
    password: String,
    click: Click,
}

impl ClickingBrowser {
    /// Signs in as this reader and clicks.
    pub fn new(pages: Pages, (email, password): (&str, &str), click: Click) -> Self {
        Self {
            pages,
            email: email.to_owned(),
            password: password.to_owned(),
            click,
        }
    }

    async fn walk(&self, url: &Url) -> Result<(), BrowserError> {
        let http = plain_http()?;
        let start = self.pages.place(url);
        let page = http
            .get(start.clone())
            .send()
            .await
            .map_err(BrowserError::Unreachable)?;
        let cookie = cookie_of(&page)?;
        let sign_in = Form::read(page).await?;
        let credentials = [("email", self.email.as_str()), ("password", &self.password)];
        let answer = sign_in.send(&http, &start, (&cookie, &credentials)).await?;
        let consent_url = target(&start, &answer)?;
        let page = http.get(consent_url).header("cookie", &cookie);
        let page = page.send().await.map_err(BrowserError::Unreachable)?;
        let consent = Form::read(page).await?;
        let decision = match self.click {
            Click::Allow => "allow",
            Click::Deny => "deny",
        };
        let decision = [("decision", decision)];
        let answer = consent.send(&http, &start, (&cookie, &decision)).await?;
        let redirect = target(&start, &answer)?;
        let arrived = http.get(redirect).send().await;
        arrived.map(drop).map_err(BrowserError::Unreachable)
    }
}

impl Browser for ClickingBrowser {
    fn open<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), BrowserError>> {
        Box::pin(self.walk(url))
    }
}

/// The form on a page: where it goes and its hidden fields.
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Form {
    async fn read(page: reqwest::Response) -> Result<Self, BrowserError> {
        let html = page.text().await.map_err(BrowserError::Unreachable)?;
        let action = quoted_after(&html, "action=\"")
            .next()
            .ok_or(BrowserError::PageUnexpected("there is no form"))?;
        let names = quoted_after(&html, "type=\"hidden\" name=\"");
        let hidden = names
            .filter_map(|name| {
                let marker = format!("type=\"hidden\" name=\"{name}\" value=\"");
                let value = quoted_after(&html, &marker).next()?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        Ok(Self {
            action: action.to_owned(),
            hidden,
        })
    }

    async fn send(
        &self,
        http: &reqwest::Client,
        page: &Url,
        (cookie, typed): (&str, &[(&str, &str)]),
    ) -> Result<reqwest::Response, BrowserError> {
        let action = page
            .join(&self.action)
            .map_err(|_| BrowserError::PageUnexpected("the form leads nowhere"))?;
        let mut fields: Vec<(&str, &str)> = typed.to_vec();
        fields.extend(
            self.hidden
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let request = http.post(action).header("cookie", cookie).form(&fields);
        request.send().await.map_err(BrowserError::Unreachable)
    }
}

/// What stands between each `marker` and the next quotation mark.
fn quoted_after<'a>(html: &'a str, marker: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(marker)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

fn target(page: &Url, answer: &reqwest::Response) -> Result<Url, BrowserError> {
    answer
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| page.join(value).ok())
        .ok_or(BrowserError::PageUnexpected("the form was not accepted"))
}

fn cookie_of(page: &reqwest::Response) -> Result<String, BrowserError> {
    page.headers()
        .get("set-cookie")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::to_owned)
        .ok_or(BrowserError::PageUnexpected(
            "the provider refused the request",
        ))
}

/// The pages are plain http on loopback, so there is nothing to trust.
fn plain_http() -> Result<reqwest::Client, BrowserError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| BrowserError::PageUnexpected("no TLS"))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(BrowserError::Unreachable)
}
