//! What an app brings to the OAuth engine: an HTTP client that follows nothing and stops reading in time, a clock, a key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use bonafide_oauth::dpop::{DpopKey, Proof, UnsignedProof};
use bonafide_oauth::encoding::base64url;
use bonafide_oauth::{HttpRequest, HttpResponse, Method, SecretText, UnixTime, jwks};
use bonafide_sdk::adaptor::SystemClock;
use bonafide_sdk::host::Clock as _;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

/// By the wall.
pub(crate) fn now() -> UnixTime {
    UnixTime(SystemClock::new().wall())
}

/// Plain HTTP, no redirects, no patience beyond twenty seconds.
pub(crate) fn http() -> reqwest::Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(std::time::Duration::from_secs(20))
        .no_proxy()
        .build()
        .unwrap()
}

/// Sends a request as the engine wants it; reads one byte more than its limit and no further.
pub(crate) async fn try_send(
    http: &reqwest::Client,
    request: &HttpRequest,
) -> Result<HttpResponse, reqwest::Error> {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
    };
    let mut builder = http.request(method, request.url.clone());
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.expose());
    }
    let body = request.body.expose().to_owned();
    let mut answer = builder.body(body).send().await?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), text)
        })
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = (request.response_limit + 1).saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if body.len() > request.response_limit {
            break;
        }
    }
    Ok(HttpResponse::new(status, headers, body))
}

/// The same, to a peer that is there.
pub(crate) async fn send(http: &reqwest::Client, request: &HttpRequest) -> HttpResponse {
    try_send(http, request).await.unwrap()
}

/// A P-256 key with the two signature forms.
pub(crate) struct Key {
    fixed: EcdsaKeyPair,
    der: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let saved = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        Self::load(saved.unwrap().as_ref())
    }

    pub(crate) fn load(pkcs8: &[u8]) -> Self {
        let load = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).unwrap();
        Self {
            fixed: load(&ECDSA_P256_SHA256_FIXED_SIGNING),
            der: load(&ECDSA_P256_SHA256_ASN1_SIGNING),
            pkcs8: pkcs8.to_vec(),
        }
    }

    /// The private half, for a second program that plays the same client.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    fn point(&self) -> &[u8] {
        self.fixed.public_key().as_ref()
    }

    pub(crate) fn dpop(&self) -> DpopKey {
        DpopKey::from_point(self.point()).unwrap()
    }

    pub(crate) fn kid(&self) -> String {
        self.dpop().thumbprint()
    }

    /// Named by its thumbprint.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        let (x, y) = (
            jwk["x"].as_str().unwrap().to_owned(),
            jwk["y"].as_str().unwrap().to_owned(),
        );
        jwk["kid"] = json!(jwks::thumbprint_p256(&x, &y));
        jwk["alg"] = json!("ES256");
        jwk
    }

    /// As `cnf` has it.
    pub(crate) fn bare_jwk(&self) -> Value {
        let (x, y) = (
            base64url(&self.point()[1..33]),
            base64url(&self.point()[33..]),
        );
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        let signature = self.fixed.sign(&SystemRandom::new(), input).unwrap();
        signature.as_ref().to_vec()
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.point().to_vec()
    }

    pub(crate) fn sign_der(&self, input: &[u8]) -> Vec<u8> {
        let signature = self.der.sign(&SystemRandom::new(), input).unwrap();
        signature.as_ref().to_vec()
    }

    /// As a phone's key store would.
    pub(crate) fn prove(&self, proof: UnsignedProof) -> Proof {
        let signature = self.sign_der(proof.signing_input());
        proof.signed_der(&signature).unwrap()
    }

    pub(crate) fn jwt(&self, header: &Value, claims: &Value) -> SecretText {
        let input = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let signature = base64url(self.sign(input.as_bytes()));
        SecretText::new(format!("{input}.{signature}"))
    }
}
