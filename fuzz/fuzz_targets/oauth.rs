//! Everything that an authorization server or a browser says to the OAuth engine: never a panic, never a redirect
//! accepted without our state, never a token believed without a signature of the server's.
//!
//! Input: one byte that chooses the listener, then what it hears.
#![no_main]

use std::sync::LazyLock;

use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::logout::Logout;
use bonafide_oauth::seal::Record as _;
use bonafide_oauth::{
    Authorized, HttpResponse, Issuer, Jwks, Method, PendingAuthorization, RedirectUri, ServerMetadata,
    Tokens, UnixTime, loopback,
};
use libfuzzer_sys::fuzz_target;

const REDIRECT: &str = "http://127.0.0.1:5000/callback";
const DOCUMENT: &[u8] = br#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/a",
    "token_endpoint":"https://as.example/t","id_token_signing_alg_values_supported":["RS256","ES256"]}"#;
/// The keys of RFC 7515 A.2 and A.3, whose private halves sign nothing here.
const KEYS: &[&str] = &[
    include_str!("../../crates/oauth/vectors/rfc7515-a2.json"),
    include_str!("../../crates/oauth/vectors/rfc7515-a3.json"),
];

static KEY_SET: LazyLock<Jwks> = LazyLock::new(|| {
    let keys: Vec<serde_json::Value> = KEYS
        .iter()
        .map(|text| serde_json::from_str::<serde_json::Value>(text).expect("a vector")["jwk"].clone())
        .collect();
    let set = serde_json::json!({ "keys": keys }).to_string();
    Jwks::parse(set.as_bytes()).expect("a key set")
});
static SERVER: LazyLock<ServerMetadata> = LazyLock::new(|| {
    let issuer = Issuer::parse("https://as.example").expect("an issuer");
    ServerMetadata::receive(&issuer, &json(DOCUMENT)).expect("metadata")
});

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let record = br#"{"issuer":"https://as.example","client_id":"books","algorithms":["RS256","ES256"],"nonce":"n",
        "binding":"bearer","id_token":null,"access_token":"a","refresh_token":null,"scope":["openid"],"expires_at":null,
        "identity":{"subject":"u","issued_at":1,"expires_at":2,"email":null,"name":null,"given_name":null}}"#;
    Tokens::from_record(record).expect("tokens")
});

fn json(body: &[u8]) -> HttpResponse {
    let header = ("content-type".to_owned(), "application/json".to_owned());
    HttpResponse::new(200, vec![header], body.to_vec())
}

fn begin() -> Authorization {
    let client = Client {
        client_id: "books".to_owned(),
        redirect_uri: RedirectUri::parse(REDIRECT).expect("a URI"),
    };
    let wish = AuthorizationWish {
        scope: vec!["openid".to_owned()],
        binding: Binding::Bearer,
        extra: vec![],
    };
    authorize::begin(&SERVER, &client, &wish, &mut SystemEntropy).expect("begun")
}

/// A redirect that is ours, and what the token endpoint then says.
fn exchange(said: &[u8]) {
    let begun = begin();
    let state = begun.url.query_pairs().find(|(name, _)| name == "state");
    let (_, state) = state.expect("a state");
    let arrived = format!("{REDIRECT}?state={state}&code=c");
    let authorized = begun.pending.receive(&arrived).expect("ours");
    let mut exchange = authorized.exchange(&SERVER).expect("the same server");
    if let Ok(unverified) = exchange.receive(&json(said), UnixTime(1_795_604_400)) {
        assert!(unverified.verify(&KEY_SET).is_err(), "nobody here can sign");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((listener, said)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(said);
    match listener % 8 {
        0 => {
            let refused = begin().pending.receive(&format!("{REDIRECT}?{text}"));
            assert!(refused.is_err(), "nobody can guess our state");
        }
        1 => exchange(said),
        2 => {
            let issuer = Issuer::parse("https://as.example").expect("an issuer");
            if let Ok(server) = ServerMetadata::receive(&issuer, &json(said)) {
                assert_eq!(server.token_endpoint.scheme(), "https");
            }
        }
        3 => drop(Jwks::parse(said)),
        4 => {
            let uri = RedirectUri::parse(REDIRECT).expect("a URI");
            drop(loopback::read(said, &uri));
            drop(RedirectUri::parse(&text));
        }
        5 => {
            let url = "https://books.example/".parse().expect("a URL");
            let mut call = TOKENS.resource(Method::Get, &url).expect("https");
            let header = ("www-authenticate".to_owned(), text.into_owned());
            assert!(call.receive(&HttpResponse::new(401, vec![header], vec![])).is_err());
        }
        6 => {
            let header = ("content-type".to_owned(), "application/jwt".to_owned());
            let response = HttpResponse::new(200, vec![header], said.to_vec());
            let believed = TOKENS.receive_signed_userinfo(&response, &KEY_SET);
            assert!(believed.is_err(), "nobody here can sign");
        }
        _ => {
            drop(PendingAuthorization::from_record(said));
            drop(Authorized::from_record(said));
            drop(Tokens::from_record(said));
            drop(Logout::from_record(said));
        }
    }
});
