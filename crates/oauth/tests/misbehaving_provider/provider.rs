//! A provider on paper: it answers each request of a login, and breaks one rule when told to.

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use bonafide_oauth::encoding::{base64url, sha256};
use bonafide_oauth::{HttpRequest, HttpResponse, Method};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const CLIENT: &str = "books";
pub(crate) const SUBJECT: &str = "user-1";
pub(crate) const ACCESS_TOKEN: &str = "access-1";
/// Wed, 25 Nov 2026 11:00:00 GMT
pub(crate) const NOW: i64 = 1_795_604_400;

pub(crate) type Query = BTreeMap<String, String>;

/// A signing key and its published half.
pub(crate) enum Key {
    Ec(EcdsaKeyPair, &'static str),
    Rsa(Box<RsaKeyPair>, &'static str),
}

impl Key {
    pub(crate) fn ec(id: &'static str) -> Self {
        Self::Ec(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            id,
        )
    }

    pub(crate) fn rsa(id: &'static str) -> Self {
        Self::Rsa(
            Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            id,
        )
    }

    fn jwk(&self) -> Value {
        match self {
            Self::Ec(key, id) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig",
                    "x": base64url(&point[1..33]), "y": base64url(&point[33..])})
            }
            Self::Rsa(key, id) => {
                // PKCS #1 of a 2048-bit key: 9 bytes, modulus, 2 bytes, exponent.
                let der = key.public_key().as_ref();
                json!({"kty": "RSA", "kid": id,
                    "n": base64url(&der[9..265]), "e": base64url(&der[267..])})
            }
        }
    }

    fn header(&self) -> Value {
        match self {
            Self::Ec(_, id) => json!({"alg": "ES256", "kid": id, "typ": "JWT"}),
            Self::Rsa(_, id) => json!({"alg": "RS256", "kid": id, "typ": "JWT"}),
        }
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        match self {
            Self::Ec(key, _) => {
                let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Self::Rsa(key, _) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = SystemRandom::new();
                key.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

/// The provider. Every field is a place where it can misbehave.
pub(crate) struct Provider {
    issuer: String,
    pub(crate) key: Key,
    pub(crate) published: Vec<Value>,
    /// What a second look at the keys shows.
    pub(crate) published_later: Option<Vec<Value>>,
    pub(crate) discovery: Value,
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) token_body: Value,
    pub(crate) userinfo: Value,
    pub(crate) break_signature: bool,
    pub(crate) redirect: Box<dyn Fn(&mut Query) + Send>,
    /// What the browser's address becomes on the way.
    pub(crate) landed: Box<dyn Fn(String) -> String + Send>,
    /// Whether what is known of the user comes as a JWT.
    pub(crate) userinfo_signed: bool,
    /// Answers of the token endpoint before its usual one, in turn.
    pub(crate) token_first: Vec<HttpResponse>,
    /// Requests that the token endpoint saw.
    pub(crate) token_requests: Vec<HttpRequest>,
    /// Replaces the whole answer of the token endpoint.
    pub(crate) token_answer: Option<HttpResponse>,
    pub(crate) date: Option<&'static str>,
    pub(crate) key_fetches: usize,
    pub(crate) nonce: Option<String>,
}

impl Provider {
    pub(crate) fn good() -> Self {
        Self::at(ISSUER)
    }

    /// A good one under this issuer.
    pub(crate) fn at(issuer: &str) -> Self {
        let key = Key::ec("k-1");
        Self {
            issuer: issuer.to_owned(),
            published: vec![key.jwk()],
            published_later: None,
            discovery: discovery(issuer),
            header: key.header(),
            claims: claims(issuer),
            token_body: json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer",
                "expires_in": 3600, "refresh_token": "refresh-1", "scope": "openid email"}),
            userinfo: json!({"sub": SUBJECT, "email": "reader@example.com", "iss": issuer,
                "aud": CLIENT}),
            break_signature: false,
            redirect: Box::new(|_| ()),
            landed: Box::new(|landed| landed),
            userinfo_signed: false,
            token_first: vec![],
            token_requests: vec![],
            token_answer: None,
            date: None,
            key_fetches: 0,
            nonce: None,
            key,
        }
    }

    /// Signs with this key from now on and publishes it alone.
    pub(crate) fn use_key(&mut self, key: Key) {
        self.published = vec![key.jwk()];
        self.header = key.header();
        self.key = key;
    }

    pub(crate) fn publish_also(&mut self, key: &Key) {
        self.published.push(key.jwk());
    }

    /// The browser's trip: what was asked, and where the browser lands.
    pub(crate) fn authorize(&mut self, url: &url::Url) -> String {
        let asked: Query = url.query_pairs().into_owned().collect();
        self.nonce = asked.get("nonce").cloned();
        let mut answer = Query::from([
            ("code".to_owned(), "code-1".to_owned()),
            ("iss".to_owned(), self.issuer.clone()),
            ("state".to_owned(), asked["state"].clone()),
        ]);
        (self.redirect)(&mut answer);
        let mut landed = url::Url::parse(&asked["redirect_uri"]).unwrap();
        landed.query_pairs_mut().extend_pairs(answer);
        (self.landed)(landed.into())
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &HttpRequest) -> HttpResponse {
        match (request.method, request.url.path()) {
            (Method::Get, "/.well-known/openid-configuration") => self.json(&self.discovery),
            (Method::Get, "/jwks") => {
                self.key_fetches += 1;
                let later = self
                    .published_later
                    .as_ref()
                    .filter(|_| self.key_fetches > 1);
                let keys = later.unwrap_or(&self.published);
                self.json(&json!({ "keys": keys }))
            }
            (Method::Post, "/token") => {
                self.token_requests.push(request.clone());
                self.token()
            }
            (Method::Get, "/userinfo") if self.userinfo_signed => {
                let token = self.jwt(&self.userinfo);
                answer(200, "application/jwt", &token)
            }
            (Method::Get, "/userinfo") => self.json(&self.userinfo),
            other => panic!("an unexpected request: {other:?}"),
        }
    }

    fn token(&mut self) -> HttpResponse {
        if !self.token_first.is_empty() {
            return self.token_first.remove(0);
        }
        if let Some(answer) = &self.token_answer {
            return answer.clone();
        }
        let mut body = self.token_body.clone();
        if body.get("id_token").is_none() {
            body["id_token"] = json!(self.id_token());
        }
        self.json(&body)
    }

    fn id_token(&self) -> String {
        let mut claims = self.claims.clone();
        if let (Some(slot), Some(nonce)) = (claims.get_mut("nonce"), &self.nonce)
            && slot == "as sent"
        {
            *slot = json!(nonce);
        }
        self.jwt(&claims)
    }

    fn jwt(&self, claims: &Value) -> String {
        let header = base64url(self.header.to_string());
        let input = format!("{header}.{}", base64url(claims.to_string()));
        let mut signature = self.key.sign(&input);
        if self.break_signature {
            signature[7] ^= 1;
        }
        format!("{input}.{}", base64url(signature))
    }

    fn json(&self, body: &Value) -> HttpResponse {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        if let Some(date) = self.date {
            headers.push(("Date".to_owned(), date.to_owned()));
        }
        HttpResponse::new(200, headers, body.to_string().into_bytes())
    }
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "dpop_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": SUBJECT, "aud": CLIENT, "iat": NOW, "exp": NOW + 3600,
        "nonce": "as sent", "at_hash": base64url(&sha256(ACCESS_TOKEN.as_bytes())[..16])})
}

pub(crate) fn answer(status: u16, media_type: &str, body: &str) -> HttpResponse {
    let header = ("content-type".to_owned(), media_type.to_owned());
    HttpResponse::new(status, vec![header], body.as_bytes().to_vec())
}
