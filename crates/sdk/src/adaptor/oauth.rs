//! Carries the plain requests of `bonafide-oauth` over a protected client. It decides nothing: redirects
//! come back as they are, as the OAuth steps want it, and a form field may be a placeholder.

use bonafide_oauth::{HttpRequest, HttpResponse, Method};
use zeroize::Zeroizing;

use super::client::ProtectedClient;
use super::request::{ProtectedRequest, Redirects};
use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};

impl ProtectedClient {
    /// Sends what an OAuth step wants sent.
    pub async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, SdkError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut protected =
            ProtectedRequest::to_url(method, request.url.clone())?.redirects(Redirects::Return);
        for (name, value) in &request.headers {
            protected = protected.header(name, value.expose())?;
        }
        protected.body = Zeroizing::new(request.body.expose().as_bytes().to_vec());
        let response = self.send(protected).await?;
        if response.body().len() > request.response_limit {
            return Err(Fault::Request(RequestFault::TooLarge).into());
        }
        let headers = response
            .headers()
            .iter()
            .flat_map(|(name, values)| {
                values
                    .iter()
                    .map(move |value| (name.clone(), value.clone()))
            })
            .collect();
        Ok(HttpResponse {
            status: response.status(),
            headers,
            body: response.into_body(),
        })
    }
}
