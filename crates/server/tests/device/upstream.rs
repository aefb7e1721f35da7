//! A fake authorization server on loopback: it does as a test tells it and remembers every byte it heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, Uri};
use bonafide_server::config::{ClientAuthentication, Upstream};
use bonafide_server::store::ObjectKind;
use bonafide_wire::admin::{AssertionAudience, UpstreamEndpoints};
use bonafide_wire::ids::{EndpointUrl, Issuer, SecretName, UpstreamName};
use bonafide_wire::upstream::Rung;

use crate::world::World;

/// What the service gets for a redeemed code; the phone gets it in a sealed reply only.
pub(crate) const TOKENS: &str = r#"{"access_token":"at-canary","token_type":"Bearer","expires_in":300,"refresh_token":"rt-canary-4711"}"#;
pub(crate) const REDIRECT: &str = "https://app.example.com/oauth2/callback";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The form, decoded.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        let url = reqwest::Url::parse(&format!("http://x/?{}", self.body)).unwrap();
        url.query_pairs().into_owned().collect()
    }
}

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Before it says anything.
    pub(crate) after: Duration,
}

impl Say {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
            after: Duration::ZERO,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(there, _)| *there != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The server.
#[derive(Clone)]
pub(crate) struct FakeUpstream {
    pub(crate) issuer: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    say: Arc<Mutex<Say>>,
}

impl FakeUpstream {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            heard: Arc::default(),
            say: Arc::new(Mutex::new(Say::json(200, TOKENS))),
        };
        let shared = fake.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: String| {
            let fake = shared.clone();
            async move {
                fake.answer(Heard {
                    method,
                    path: uri.path().to_owned(),
                    headers,
                    body,
                })
                .await
            }
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move {
            axum_server::from_tcp(listener.into_std().unwrap())
                .unwrap()
                .serve(router.into_make_service())
                .await
        });
        fake
    }

    /// An endpoint at which nobody listens any more.
    pub(crate) async fn start_and_stop() -> EndpointUrl {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        EndpointUrl::parse(format!("http://{address}/token")).unwrap()
    }

    async fn answer(&self, heard: Heard) -> Response<Body> {
        self.heard.lock().unwrap().push(heard);
        let say = self.say.lock().unwrap().clone();
        tokio::time::sleep(say.after).await;
        let mut response = Response::builder().status(say.status);
        for (name, value) in say.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(say.body)).unwrap()
    }

    pub(crate) fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    /// What it heard since this was asked last.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        core::mem::take(&mut self.heard.lock().unwrap())
    }

    pub(crate) fn endpoint(&self, path: &str) -> EndpointUrl {
        EndpointUrl::parse(format!("{}/{path}", self.issuer)).unwrap()
    }

    /// The server as an object of the account, with the client secret by Basic and every rung that works with it.
    pub(crate) fn object(&self) -> Upstream {
        Upstream {
            issuer: Issuer::parse(self.issuer.clone()).unwrap(),
            client_id: "books client".to_owned(),
            rungs: vec![Rung::Relay],
            endpoints: UpstreamEndpoints {
                token: self.endpoint("token"),
                revocation: Some(self.endpoint("revoke")),
                registration: Some(self.endpoint("register")),
            },
            authentication: Some(ClientAuthentication::ClientSecretBasic {
                secret: SecretName::parse("client_secret").unwrap(),
            }),
            audience: AssertionAudience::Issuer,
            apps: Vec::new(),
            redirect_uris: vec![REDIRECT.to_owned()],
            keep_refresh_tokens: true,
            registration_secret: None,
            version: 1,
            updated_at: crate::world::NOW,
        }
    }
}

pub(crate) fn upstream_name() -> UpstreamName {
    UpstreamName::parse("google").unwrap()
}

impl World {
    /// Puts an upstream under the name that the tests use, and the account's attester key.
    pub(crate) async fn set_upstream(&self, upstream: &Upstream) {
        let mut writes = vec![self.put(ObjectKind::Upstream, "google", upstream)];
        let account = self.service.snapshot();
        if account.account(&self.account).unwrap().attester().is_none() {
            let keys = self.service.keys();
            let (kid, key) = keys
                .generate_attester_key(&self.account, crate::world::NOW)
                .unwrap();
            writes.push(self.put(ObjectKind::AttesterKey, &kid, &key));
        }
        self.write(writes).await;
    }
}
