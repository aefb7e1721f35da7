//! Outbound HTTP: the one place from which the service speaks to servers that are not its own.
//!
//! Decides how far such a server is trusted as a peer of a connection: HTTPS only (plain HTTP on loopback), roots
//! compiled in plus those an operator named, no redirect is ever followed, no proxy is taken from the environment,
//! every body is bounded and every wait ends. What an answer *means* is for `app`, which sees no HTTP type.

mod call;
mod failure;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use call::{Answer, Call};
pub use failure::{OutboundError, UpstreamError};
pub use tls::authorities;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call.
const IDLE: Duration = Duration::from_mins(1);
/// How many calls may be under way. Fewer than a listener has places: while one server is slow, requests that need no
/// other server are answered.
const MOST_CALLS: usize = 256;

/// What an operator chose for calls to other servers.
#[derive(Debug, Clone, Default)]
pub struct OutboundOptions {
    /// Authorities beside the compiled-in ones (DER certificates): a company's own CA.
    pub extra_roots: Vec<Vec<u8>>,
    /// The proxy for every call; none unless it is named here.
    pub proxy: Option<String>,
}

/// Calls other servers. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    places: Arc<Semaphore>,
}

impl Outbound {
    /// Prepares to call; nothing is connected yet.
    pub fn new(options: &OutboundOptions) -> Result<Self, OutboundError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(&options.extra_roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("bonafide/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &options.proxy {
            let proxy =
                reqwest::Proxy::all(proxy).map_err(|_| OutboundError::Proxy(proxy.clone()))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|_| OutboundError::Client)?;
        Ok(Self {
            client,
            places: Arc::new(Semaphore::new(MOST_CALLS)),
        })
    }

    /// Makes a call and reads the whole answer, whatever its status. A redirect is an error: following it would
    /// send what the call carries to somebody whom nobody configured.
    pub async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        let _place = self
            .places
            .try_acquire()
            .map_err(|_| UpstreamError::Unreachable("too many calls are under way".to_owned()))?;
        let most = call.most_bytes;
        let mut response = self
            .request(call)?
            .send()
            .await
            .map_err(|error| failure::of(&error))?;
        let status = response.status().as_u16();
        if response.status().is_redirection() && status != NOT_MODIFIED {
            return Err(UpstreamError::Redirected { status });
        }
        let declared = response.content_length().unwrap_or(0);
        if usize::try_from(declared).map_or(true, |declared| declared > most) {
            return Err(UpstreamError::TooLarge { most });
        }
        // Never grows beyond what it may hold, so that no token is left behind in a smaller buffer.
        let mut body = Zeroizing::new(Vec::with_capacity(most));
        let chunk = |error: reqwest::Error| failure::of_body(&error);
        while let Some(bytes) = response.chunk().await.map_err(chunk)? {
            if body.len().saturating_add(bytes.len()) > most {
                return Err(UpstreamError::TooLarge { most });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Answer::new(status, response.headers(), body))
    }

    fn request(&self, call: Call) -> Result<reqwest::RequestBuilder, UpstreamError> {
        let url = address(&call.url)?;
        let mut request = match call.method {
            call::Method::Get => self.client.get(url),
            call::Method::Post(body) => self.client.post(url).body(body.to_vec()),
            call::Method::Delete => self.client.delete(url),
        };
        request = request.timeout(call.within);
        for (name, value) in &call.headers {
            let mut value = reqwest::header::HeaderValue::from_str(value)
                .map_err(|_| UpstreamError::NotSendable("a header value"))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        Ok(request)
    }
}

const NOT_MODIFIED: u16 = 304;

/// Where a call may go: HTTPS, or plain HTTP on this very machine.
fn address(text: &str) -> Result<reqwest::Url, UpstreamError> {
    let url = reqwest::Url::parse(text).map_err(|_| UpstreamError::NotSendable("the URL"))?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let plain = url.username().is_empty() && url.password().is_none();
    let fine = plain
        && url.fragment().is_none()
        && (url.scheme() == "https" || (url.scheme() == "http" && loopback));
    if fine {
        Ok(url)
    } else {
        Err(UpstreamError::NotSendable(
            "the URL (https only, http on loopback)",
        ))
    }
}

#[cfg(test)]
mod tests;
