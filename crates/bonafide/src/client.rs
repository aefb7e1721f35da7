//! The admin API over HTTP, typed by `wire::admin`. It knows routes and problem documents, no commands.

use core::time::Duration;
use std::path::Path;

use bonafide_wire::admin::{NewSession, Page, Role, SessionView};
use bonafide_wire::ids::AccountId;
use bonafide_wire::problem::Problem;
use bonafide_wire::secret::SecretText;
use reqwest::header::{ETAG, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{Exit, Failure};

/// How many a page of a list has.
const PAGE: usize = 200;

/// A service and an account.
#[derive(Debug)]
pub(crate) struct Connection {
    http: reqwest::Client,
    url: Url,
    account: AccountId,
}

impl Connection {
    /// Prepares to speak with a service; `ca` holds authorities beside the system's.
    pub(crate) fn new(url: Url, account: AccountId, ca: Option<&Path>) -> Result<Self, Failure> {
        let loopback = url.scheme() == "http";
        let mut builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bonafide/", env!("CARGO_PKG_VERSION")));
        if loopback {
            builder = builder.no_proxy();
        }
        if let Some(path) = ca {
            let pem = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|_| Failure::usage(format!("{}: no PEM certificate", path.display())))?;
            builder = builder.tls_certs_merge(roots);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::new(Exit::Refused, format!("no HTTP client: {error}")))?;
        Ok(Self { http, url, account })
    }

    /// The service's admin URL without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The account.
    pub(crate) fn account(&self) -> &AccountId {
        &self.account
    }

    /// Opens a session.
    pub(crate) async fn open_session(
        &self,
        credential: &SecretText,
        role: Role,
    ) -> Result<SessionView, Failure> {
        let request = self
            .request(Method::POST, &Route::service(["sessions"]))?
            .bearer_auth(credential.expose())
            .json(&NewSession { role });
        body(self.send(request).await?).await
    }

    /// Asks a question of the device listener, where nobody needs a session.
    pub(crate) async fn ask_device<B: Serialize, T: DeserializeOwned>(
        &self,
        url: &str,
        question: &B,
    ) -> Result<T, Failure> {
        body(self.send(self.http.post(url).json(question)).await?).await
    }

    /// Reads a document of the device listener.
    pub(crate) async fn read_device(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let response = self.send(self.http.get(url)).await?;
        let bytes = response.bytes().await.map_err(|error| {
            Failure::new(Exit::Unreachable, format!("{url}: {}", root_cause(&error)))
        })?;
        Ok(bytes.to_vec())
    }

    fn request(&self, method: Method, route: &Route) -> Result<RequestBuilder, Failure> {
        let mut url = self.url.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| Failure::usage(format!("{} cannot carry a path", self.url)))?;
            path.pop_if_empty().extend(["admin", "v1"]);
            if route.scope == Scope::Account {
                path.extend(["accounts", self.account.as_str()]);
            }
            path.extend(&route.segments);
        }
        if !route.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&route.query);
        }
        Ok(self.http.request(method, url))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| {
            Failure::new(
                Exit::Unreachable,
                format!("{} does not answer: {}", self.url(), root_cause(&error)),
            )
            .hint("is `bonafide serve` running, and is --url (BONAFIDE_URL) its admin listener?")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        match response.json::<Problem>().await {
            Ok(problem) => Err(Failure::from_problem(problem)),
            Err(_) => Err(Failure::new(
                Exit::Refused,
                format!(
                    "{} answered {status} without a problem document",
                    self.url()
                ),
            )
            .hint("is --url (BONAFIDE_URL) the service's admin listener?")),
        }
    }
}

/// A service, an account and a session.
#[derive(Debug)]
pub(crate) struct AdminClient {
    connection: Connection,
    session: SecretText,
}

/// What is read together with its `ETag`.
#[derive(Debug)]
pub(crate) struct Tagged<T> {
    /// The object.
    pub(crate) value: T,
    /// Its version, for `If-Match`.
    pub(crate) etag: HeaderValue,
}

impl AdminClient {
    /// A client that holds a session.
    pub(crate) fn new(connection: Connection, session: SecretText) -> Self {
        Self {
            connection,
            session,
        }
    }

    /// The account worked in.
    pub(crate) fn account(&self) -> &AccountId {
        self.connection.account()
    }

    /// Reads an object.
    pub(crate) async fn get<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Failure> {
        body(self.send(self.request(Method::GET, route)?).await?).await
    }

    /// Reads an object and its version.
    pub(crate) async fn get_tagged<T: DeserializeOwned>(
        &self,
        route: &Route,
    ) -> Result<Tagged<T>, Failure> {
        let response = self.send(self.request(Method::GET, route)?).await?;
        let etag = response
            .headers()
            .get(ETAG)
            .cloned()
            .ok_or_else(|| Failure::new(Exit::Refused, "the service's answer has no ETag"))?;
        Ok(Tagged {
            value: body(response).await?,
            etag,
        })
    }

    /// Reads a list, page by page, up to `most` items.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        route: &Route,
        most: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        let mut next = None;
        loop {
            let wanted = (most - items.len()).min(PAGE);
            let mut page = route.clone().query("page_size", wanted.to_string());
            if let Some(token) = next {
                page = page.query("page_token", token);
            }
            let page: Page<T> = self.get(&page).await?;
            items.extend(page.items);
            next = page.next_page_token;
            if next.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }

    /// Makes an object.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        route: &Route,
        value: &B,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, route)?.json(value);
        body(self.send(request).await?).await
    }

    /// Writes an object.
    pub(crate) async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        route: &Route,
        value: &B,
    ) -> Result<T, Failure> {
        let request = self.request(Method::PUT, route)?.json(value);
        body(self.send(request).await?).await
    }

    /// Sets a state that has no members.
    pub(crate) async fn put_nothing(&self, route: &Route) -> Result<(), Failure> {
        let request = self.request(Method::PUT, route)?;
        self.send(request.json(&serde_json::json!({}))).await?;
        Ok(())
    }

    /// Writes an object if it still has this version.
    pub(crate) async fn put_if<B: Serialize, T: DeserializeOwned>(
        &self,
        route: &Route,
        etag: HeaderValue,
        value: &B,
    ) -> Result<T, Failure> {
        let request = self
            .request(Method::PUT, route)?
            .header(IF_MATCH, etag)
            .json(value);
        body(self.send(request).await?).await
    }

    /// Removes an object.
    pub(crate) async fn delete(&self, route: &Route) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, route)?).await?;
        Ok(())
    }

    fn request(&self, method: Method, route: &Route) -> Result<RequestBuilder, Failure> {
        let request = self.connection.request(method, route)?;
        Ok(request.bearer_auth(self.session.expose()))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        self.connection.send(request).await
    }
}

/// A route of the admin API.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    scope: Scope,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Service,
    Account,
}

impl Route {
    /// A route of the service itself.
    pub(crate) fn service<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Scope::Service, &segments)
    }

    /// A route below the account.
    pub(crate) fn account<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Scope::Account, &segments)
    }

    fn new(scope: Scope, segments: &[&str]) -> Self {
        Self {
            scope,
            segments: segments.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
        }
    }

    /// The route one segment further down.
    #[must_use]
    pub(crate) fn below(mut self, segment: &str) -> Self {
        self.segments.push(segment.to_owned());
        self
    }

    /// The same with a query parameter.
    #[must_use]
    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

async fn body<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    response.json().await.map_err(|error| {
        Failure::new(
            Exit::Refused,
            format!(
                "the service's answer is not understood: {}",
                root_cause(&error)
            ),
        )
        .hint("service and command line should have the same version (`bonafide --version`)")
    })
}

/// The innermost reason; reqwest's own words repeat the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
