//! The way to the Bonafide service over `reqwest`. Ordinary TLS; no redirects, no proxies; nothing decided.

use core::time::Duration;
use std::net::SocketAddr;

use reqwest::header::{CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, RETRY_AFTER};

use super::failure;
use super::tls::{self, Roots};
use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};
use crate::host::{
    BoxFuture, ServiceMethod, ServiceRequest, ServiceResponse, ServiceTransport, TransportError,
};

/// A transport over `reqwest`.
#[derive(Debug, Clone)]
pub struct ReqwestTransport(reqwest::Client);

impl ReqwestTransport {
    /// A transport that trusts these roots for the service, gives up after `timeout`, and connects to the
    /// given addresses for their hosts instead of asking the resolver.
    pub fn new(
        roots: &Roots,
        timeout: Duration,
        resolve: &[(&str, SocketAddr)],
    ) -> Result<Self, SdkError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::of_service(roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(timeout);
        for (host, address) in resolve {
            builder = builder.resolve(host, *address);
        }
        builder
            .build()
            .map(Self)
            .map_err(|_| Fault::Request(RequestFault::Client).into())
    }

    async fn exchange(&self, request: ServiceRequest) -> Result<ServiceResponse, TransportError> {
        let failed = |error: reqwest::Error| failure::of_service(&error.without_url());
        let mut builder = match request.method {
            ServiceMethod::Get => self.0.get(&request.url),
            ServiceMethod::Post(body) => self
                .0
                .post(&request.url)
                .header(CONTENT_TYPE, "application/json")
                .body(body),
        };
        if let Some(etag) = request.if_none_match {
            builder = builder.header(IF_NONE_MATCH, etag);
        }
        let mut response = builder.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > request.most_bytes {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let text = |name: HeaderName| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Ok(ServiceResponse {
            status: response.status().as_u16(),
            etag: text(ETAG),
            retry_after: text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
            body,
        })
    }
}

impl ServiceTransport for ReqwestTransport {
    fn send(
        &self,
        request: ServiceRequest,
    ) -> BoxFuture<'_, Result<ServiceResponse, TransportError>> {
        Box::pin(self.exchange(request))
    }
}
