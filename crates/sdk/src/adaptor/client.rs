//! `ProtectedClient`: requests to APIs with what the account's bundle says about their hosts.
//!
//! Per hop: trust first, then token and secrets, then the trust again (the service may have hinted at newer
//! metadata), then the bytes, over a connection that the decision of this very epoch allowed.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bonafide_trust::Freshness;
use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::{Host, SecretName};
use rustls::pki_types::TrustAnchor;
use zeroize::Zeroizing;

use super::request::{ProtectedRequest, ProtectedResponse, TOKEN_HEADER, sensitive};
use super::tls::Roots;
use super::{failure, placeholder, redirect, tls};
use crate::driver::Bonafide;
use crate::error::SdkError;
use crate::fault::{Fault, PlaceholderReject, ReplyFault, RequestFault};
use crate::machine::Answer;
use crate::released::{RuntimeSecret, Trust, Wish};

/// Most hops of one request.
const MOST_HOPS: usize = 6;
/// Most times that newer trust metadata may overtake one request.
const MOST_OVERTAKINGS: usize = 3;

/// How a [`ProtectedClient`] is to be built.
#[derive(Debug, Clone)]
pub struct ProtectedClientBuilder {
    bonafide: Bonafide,
    device_roots: Roots,
    resolve: Vec<(String, SocketAddr)>,
    timeout: Duration,
    most_body: usize,
}

impl ProtectedClientBuilder {
    /// The device's own roots, for hosts outside managed roots. Default: the compiled-in Mozilla programme.
    #[must_use]
    pub fn device_roots(mut self, roots: Roots) -> Self {
        self.device_roots = roots;
        self
    }

    /// Connects to this address for that host; its port counts where the URL names none.
    #[must_use]
    pub fn resolve(mut self, host: &str, address: SocketAddr) -> Self {
        self.resolve.push((host.to_owned(), address));
        self
    }

    /// The longest that one hop may take. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest body of an answer, bytes. Default: 8 MiB.
    #[must_use]
    pub fn most_body(mut self, bytes: usize) -> Self {
        self.most_body = bytes;
        self
    }

    /// The client.
    pub fn build(self) -> Result<ProtectedClient, SdkError> {
        let device_roots = self.device_roots.anchors()?.into();
        Ok(ProtectedClient(Arc::new(Inner {
            settings: self,
            device_roots,
            epoch: Mutex::new(None),
        })))
    }
}

/// An HTTP client whose requests are protected. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProtectedClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: ProtectedClientBuilder,
    device_roots: Arc<[TrustAnchor<'static>]>,
    epoch: Mutex<Option<(u64, reqwest::Client)>>,
}

/// What goes into one hop.
struct Provisions {
    trust: Trust,
    token: Option<bonafide_wire::secret::SecretText>,
    secrets: BTreeMap<SecretName, RuntimeSecret>,
}

impl ProtectedClient {
    /// How to build one over this instance's client.
    pub fn builder(bonafide: Bonafide) -> ProtectedClientBuilder {
        ProtectedClientBuilder {
            bonafide,
            device_roots: Roots::default(),
            resolve: Vec::new(),
            timeout: Duration::from_secs(30),
            most_body: 8 * 1024 * 1024,
        }
    }

    /// The instance's client.
    pub fn bonafide(&self) -> &Bonafide {
        &self.0.settings.bonafide
    }

    /// Sends a request, protected, or not at all.
    pub async fn send(&self, request: ProtectedRequest) -> Result<ProtectedResponse, SdkError> {
        let mut request = request;
        for _ in 0..MOST_HOPS {
            let response = self.send_hop(&request).await?;
            let location = response.headers().get(reqwest::header::LOCATION);
            let location = location.map(reqwest::header::HeaderValue::as_bytes);
            match redirect::next(&request, response.status().as_u16(), location)? {
                Some(next) => request = next,
                None => return self.read(response, request.url).await,
            }
        }
        Err(Fault::Request(RequestFault::Redirect).into())
    }

    async fn send_hop(&self, request: &ProtectedRequest) -> Result<reqwest::Response, SdkError> {
        let wanted = placeholder::find(request)?;
        for _ in 0..MOST_OVERTAKINGS {
            let provisions = self.provide(request, &wanted).await?;
            // Another request may have seen newer metadata meanwhile: then this one decides again.
            if let Some(client) = self.client_of(&provisions.trust)? {
                return dispatch(&client, request.clone(), &provisions).await;
            }
        }
        Err(Fault::TrustStale.into())
    }

    /// Obtains what the request needs under trust metadata that are still the newest afterwards.
    async fn provide(
        &self,
        request: &ProtectedRequest,
        wanted: &[(SecretName, SecretUse)],
    ) -> Result<Provisions, SdkError> {
        let bonafide = self.bonafide();
        let mut trust = bonafide.trust().await?;
        for _ in 0..MOST_OVERTAKINGS {
            let wishes = wishes(request, wanted, &trust)?;
            let answers = bonafide.obtain(wishes).await;
            let (token, secrets) = sort(answers)?;
            let newest = bonafide.trust().await?;
            if newest.epoch() == trust.epoch() {
                return Ok(Provisions {
                    trust: newest,
                    token,
                    secrets,
                });
            }
            trust = newest;
        }
        Err(Fault::TrustStale.into())
    }

    /// The connections of this trust epoch; those of an older one are left to die. `None`: the epoch is over.
    fn client_of(&self, trust: &Trust) -> Result<Option<reqwest::Client>, SdkError> {
        let mut epoch = self.0.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        match &*epoch {
            Some((number, client)) if *number == trust.epoch() => Ok(Some(client.clone())),
            Some((number, _)) if *number > trust.epoch() => Ok(None),
            _ => {
                let client = self.build(trust)?;
                *epoch = Some((trust.epoch(), client.clone()));
                Ok(Some(client))
            }
        }
    }

    fn build(&self, trust: &Trust) -> Result<reqwest::Client, SdkError> {
        let settings = &self.0.settings;
        let bundle = Arc::clone(trust.bundle());
        let tls = tls::of_epoch(&settings.bonafide, bundle, Arc::clone(&self.0.device_roots))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(settings.timeout);
        for (host, address) in &settings.resolve {
            builder = builder.resolve(host, *address);
        }
        builder
            .build()
            .map_err(|_| Fault::Request(RequestFault::Client).into())
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        url: url::Url,
    ) -> Result<ProtectedResponse, SdkError> {
        let status = response.status().as_u16();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in response.headers() {
            if let Ok(value) = value.to_str() {
                let values = headers.entry(name.as_str().to_owned()).or_default();
                values.push(value.to_owned());
            }
        }
        let body = read_body(&mut response, self.0.settings.most_body).await?;
        Ok(ProtectedResponse {
            status,
            url,
            headers,
            body,
        })
    }
}

/// Puts secrets and token into the request and lets it go.
async fn dispatch(
    client: &reqwest::Client,
    mut request: ProtectedRequest,
    provisions: &Provisions,
) -> Result<reqwest::Response, SdkError> {
    placeholder::substitute(&mut request, &mut |name, place| {
        let secret = provisions.secrets.get(name).ok_or_else(not_answered)?;
        if !secret.allows(place) {
            return Err(Fault::Placeholder(PlaceholderReject::UseNotAllowed).into());
        }
        Ok(secret.value.clone())
    })?;
    if let Some(token) = &provisions.token {
        let token = sensitive(token).ok_or_else(not_answered)?;
        request.headers.insert(TOKEN_HEADER, token);
    }
    client
        .request(request.method, request.url)
        .headers(request.headers)
        .body(core::mem::take(&mut *request.body))
        .send()
        .await
        .map_err(|error| failure::of_api(&error.without_url()))
}

async fn read_body(
    response: &mut reqwest::Response,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, SdkError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failure::of_api(&error.without_url()))?
    {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(Fault::Request(RequestFault::TooLarge).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What is to be asked for, under this bundle; the same secret in two places once.
fn wishes(
    request: &ProtectedRequest,
    wanted: &[(SecretName, SecretUse)],
    trust: &Trust,
) -> Result<Vec<Wish>, SdkError> {
    let Some(api) = trust.bundle().api(request.host()) else {
        return if wanted.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Fault::Placeholder(PlaceholderReject::HostNotProtected).into())
        };
    };
    if !wanted.is_empty() && trust.freshness() == Freshness::Stale {
        return Err(Fault::TrustStale.into());
    }
    let mut wishes: Vec<Wish> = secret_wishes(wanted, &api.host);
    if api.token == TokenMode::Token {
        let binding = request.bound_to.as_ref().map(|data| {
            use aws_lc_rs::digest::{SHA256, digest};
            Base64Url(digest(&SHA256, data).as_ref().to_vec())
        });
        wishes.push(Wish::Token {
            audience: api.host.clone(),
            binding,
        });
    }
    Ok(wishes)
}

fn secret_wishes(wanted: &[(SecretName, SecretUse)], host: &Host) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (name, _) in wanted {
        let wish = Wish::Secret {
            name: name.clone(),
            host: host.clone(),
        };
        if !wishes.contains(&wish) {
            wishes.push(wish);
        }
    }
    wishes
}

type Sorted = (
    Option<bonafide_wire::secret::SecretText>,
    BTreeMap<SecretName, RuntimeSecret>,
);

fn sort(answers: Vec<Result<Answer, SdkError>>) -> Result<Sorted, SdkError> {
    let mut token = None;
    let mut secrets = BTreeMap::new();
    for answer in answers {
        match answer? {
            Answer::Token(given) => token = Some(given.token),
            Answer::Secret(secret) => {
                secrets.insert(secret.name.clone(), secret);
            }
            Answer::Enrolled | Answer::Trust(_) | Answer::Credential(_) | Answer::Relayed(_) => {}
        }
    }
    Ok((token, secrets))
}

fn not_answered() -> SdkError {
    Fault::Reply(ReplyFault::Mismatch).into()
}
