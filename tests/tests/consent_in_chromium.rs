//! A real browser walks the sign-in and consent pages once: forms, cookies, content security policy and the redirect to
//! loopback are judged by Chromium, not by us. The code it brings back is exchanged and the ID token verified.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod chromium;

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_books::loopback::Loopback;
use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::encoding::sha256;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::{
    ClientAuthentication, HttpRequest, HttpResponse, Issuer, Jwks, Method, SecretText,
    ServerMetadata, Tokens, UnixTime,
};
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{ClientSecret, HOSTS, ISSUER, Provider, ProviderOptions, User};
use reqwest::{Certificate, redirect::Policy};

use chromium::{Driver, tools};

const SECRET: &str = "GOCSPX-of-this-test";

/// Only our names lead anywhere, only to the stand-in, and only its key is believed.
fn arguments(profile: &Path, provider: SocketAddr, certificate: &[u8]) -> Vec<String> {
    let resolver =
        format!("MAP accounts.google.com {provider}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    let mut args = chromium::arguments(profile, &resolver);
    args.push(format!(
        "--ignore-certificate-errors-spki-list={}",
        STANDARD.encode(sha256(p256_spki(certificate)))
    ));
    args
}

/// The P-256 `SubjectPublicKeyInfo` inside a certificate: a fixed prefix and the point.
fn p256_spki(certificate: &[u8]) -> &[u8] {
    const PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let at = certificate
        .windows(PREFIX.len())
        .position(|window| window == PREFIX)
        .unwrap();
    &certificate[at..at + PREFIX.len() + 65]
}

struct World {
    provider: bonafide_provider::Running,
    http: reqwest::Client,
    certificate: Vec<u8>,
}

impl World {
    async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let ca = DemoCa::public().unwrap();
        let identity = ca.server(&HOSTS).unwrap();
        let certificate = identity.chain[0].clone();
        let options = ProviderOptions::demo(identity, ClientSecret::new(SECRET));
        let provider = Provider::start(options).await.unwrap();
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([Certificate::from_der(ca.certificate_der()).unwrap()])
            .redirect(Policy::none())
            .no_proxy();
        for host in HOSTS {
            builder = builder.resolve(host, provider.addr());
        }
        Self {
            http: builder.build().unwrap(),
            provider,
            certificate,
        }
    }

    async fn send(&self, request: &HttpRequest) -> HttpResponse {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut builder = self.http.request(method, request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        let body = request.body.expose().to_owned();
        let answer = builder.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        HttpResponse::new(status, headers, answer.bytes().await.unwrap().to_vec())
    }

    async fn discover(&self) -> ServerMetadata {
        let issuer = Issuer::parse(ISSUER).unwrap();
        let response = self.send(&issuer.documents()[0]).await;
        ServerMetadata::receive(&issuer, &response).unwrap()
    }

    fn begin(&self, server: &ServerMetadata, loopback: &Loopback) -> Authorization {
        let client = Client {
            client_id: self.provider.client_id().to_owned(),
            redirect_uri: loopback.redirect_uri().clone(),
        };
        let scope = "openid email profile https://www.googleapis.com/auth/books";
        let wish = AuthorizationWish {
            scope: scope.split(' ').map(str::to_owned).collect(),
            binding: Binding::Bearer,
            extra: vec![],
        };
        authorize::begin(server, &client, &wish, &mut SystemEntropy).unwrap()
    }

    async fn exchange(
        &self,
        server: &ServerMetadata,
        authorized: bonafide_oauth::Authorized,
    ) -> Tokens {
        let mut exchange = authorized.exchange(server).unwrap();
        let secret = ClientAuthentication::SecretPost(SecretText::new(SECRET));
        let response = self.send(&exchange.call().with(&secret).unwrap()).await;
        // The phone's clock is at the beginning of 1970; the server's `Date` is what counts.
        let unverified = exchange.receive(&response, UnixTime(0)).unwrap();
        let keys = Jwks::receive(&self.send(&server.keys().unwrap()).await).unwrap();
        unverified.verify(&keys).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_signs_in_agrees_and_comes_back_with_a_code_that_is_worth_tokens() {
    let (chromium, chromedriver) = match tools() {
        Ok(found) => found,
        Err(missing) => {
            println!("SKIPPED consent_in_chromium: {missing} is not installed");
            return;
        }
    };
    let world = World::new().await;
    let server = world.discover().await;
    let loopback = Loopback::listen().await.unwrap();
    let authorization = world.begin(&server, &loopback);
    let profile = tempfile::tempdir().unwrap();
    let args = arguments(profile.path(), world.provider.addr(), &world.certificate);
    let driver = Driver::start(&chromium, &chromedriver, &args).await;

    let User {
        email, password, ..
    } = User::demo();
    let walk = async {
        driver.open(authorization.url.as_str()).await;
        driver.type_into("#email", &email).await;
        driver.type_into("#password", &password).await;
        driver.click("#sign-in").await;
        let asked = driver.text("#allow").await;
        driver.click("#allow").await;
        // By its words, since the page that is being left has paragraphs too.
        let goodbye = "//p[.='You may close this page and return to the app.']";
        driver.find_by("xpath", goodbye).await;
        asked
    };
    let (answer, asked) = tokio::join!(loopback.answer(&authorization.pending), walk);
    driver.quit().await;

    assert_eq!(asked, "Allow");
    let tokens = world.exchange(&server, answer.unwrap().unwrap()).await;
    let identity = tokens.identity().unwrap();
    assert_eq!(identity.email.as_deref(), Some("reader@example.com"));
    world.provider.stop().await;
}
