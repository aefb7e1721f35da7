//! The Library over real TLS: what it announces, pushed requests, and what its API wants of a token.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{
    ClientSecret, HOSTS, LIBRARY_HOSTS, LIBRARY_ISSUER, LibraryOptions, Provider, ProviderOptions,
    Running,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use serde_json::Value;

const SECRET: &str = "a-canary-of-this-test-of-32-bytes-or-more";
const REDIRECT: &str = "http://127.0.0.1:50000/oauth2redirect";
// RFC 7636 appendix B
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const SCOPE: &str = "openid email https://www.googleapis.com/auth/books";
const LOGIN: &str = "https://login.library.example";

struct World {
    running: Running,
    http: Client,
}

impl World {
    async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let ca = DemoCa::public().unwrap();
        let hosts = [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat();
        let secret = ClientSecret::new(SECRET);
        let library = LibraryOptions::demo(&secret);
        let mut options = ProviderOptions::demo(ca.server(&hosts).unwrap(), secret);
        options.library = Some(library);
        let running = Provider::start(options).await.unwrap();
        let mut builder = Client::builder()
            .tls_certs_only([Certificate::from_der(ca.certificate_der()).unwrap()])
            .redirect(Policy::none());
        for host in hosts {
            builder = builder.resolve(host, running.addr());
        }
        let http = builder.build().unwrap();
        Self { running, http }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(format!("{LOGIN}{path}")).form(form);
        request.send().await.unwrap()
    }

    async fn push(&self, more: &[(&str, &str)]) -> Response {
        let mut form = vec![
            ("client_id", "books-secret"),
            ("client_secret", SECRET),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", "s-1"),
            ("access_type", "offline"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        form.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        form.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.post("/par", &form).await
    }

    async fn get(&self, url: &str, cookie: &str) -> Response {
        let request = self.http.get(url).header("cookie", cookie);
        request.send().await.unwrap()
    }

    /// Signs in and agrees to what was pushed.
    async fn code(&self, request_uri: &str) -> String {
        let query = [("client_id", "books-secret"), ("request_uri", request_uri)];
        let url = reqwest::Url::parse_with_params(&format!("{LOGIN}/authorize"), query).unwrap();
        let page = self.get(url.as_str(), "").await;
        let cookie = page.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let html = page.text().await.unwrap();
        assert!(html.contains("A stand-in for https://login.library.example"));
        let user = self.running.user();
        let form = [("email", user.email.as_str()), ("password", &user.password)];
        let answer = self.send_form("sign-in", &html, &form, &cookie).await;
        let consent = format!("{LOGIN}{}", location(&answer));
        let html = self.get(&consent, &cookie).await.text().await.unwrap();
        let form = [("decision", "allow")];
        let answer = self.send_form("consent", &html, &form, &cookie).await;
        let arrived = reqwest::Url::parse(&location(&answer)).unwrap();
        let value = |name: &str| {
            let mut pairs = arrived.query_pairs();
            let pair = pairs.find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned()).unwrap()
        };
        assert_eq!(
            (value("iss"), value("state")),
            (LOGIN.to_owned(), "s-1".to_owned())
        );
        value("code")
    }

    async fn send_form(
        &self,
        page: &str,
        html: &str,
        typed: &[(&str, &str)],
        cookie: &str,
    ) -> Response {
        let mut form = typed.to_vec();
        for name in ["interaction", "csrf"] {
            let marker = format!("name=\"{name}\" value=\"");
            let rest = html.split(&marker).nth(1).unwrap();
            form.push((name, rest.split('"').next().unwrap()));
        }
        let request = self.http.post(format!("{LOGIN}/o/oauth2/v2/{page}"));
        let request = request.form(&form).header("cookie", cookie);
        request.send().await.unwrap()
    }

    async fn exchange(&self, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "books-secret"),
            ("client_secret", SECRET),
        ];
        read(self.post("/token", &form).await).await
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", "books-secret"),
            ("client_secret", SECRET),
        ];
        read(self.post("/token", &form).await).await
    }

    async fn favorites(&self, host: &str, token: &str) -> u16 {
        let url = format!("https://{host}/books/v1/mylibrary/bookshelves/0/volumes");
        let request = self.http.get(url).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn read(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_pushed_request_leads_to_tokens_of_the_library_that_rotate() {
    let world = World::new().await;
    let answer = world.push(&[]).await;
    assert!(answer.headers().contains_key("dpop-nonce"));
    let (status, body) = read(answer).await;
    assert_eq!(status, 201);
    let request_uri = body["request_uri"].as_str().unwrap();
    let code = world.code(request_uri).await;
    let url = format!("{LOGIN}/authorize?client_id=books-secret&request_uri={request_uri}");
    let again = world.get(&url, "").await;
    assert_eq!(again.status(), 400, "a request URI is good once");
    let (status, tokens) = world.exchange(&code).await;
    assert_eq!((status, &tokens["token_type"]), (200, &"Bearer".into()));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.favorites("api.library.example", access).await, 200);
    assert_eq!(
        world.favorites("www.googleapis.com", access).await,
        401,
        "another's"
    );
    let first = tokens["refresh_token"].as_str().unwrap();
    let (status, fresh) = world.refresh(first).await;
    assert_eq!(status, 200);
    assert_ne!(fresh["refresh_token"], tokens["refresh_token"]);
    let (status, _) = world.refresh(first).await;
    assert_eq!(status, 400, "it was replaced");
    let second = fresh["access_token"].as_str().unwrap();
    assert_eq!(world.favorites("api.library.example", second).await, 401);
}

#[tokio::test]
async fn a_push_that_breaks_one_rule_is_refused() {
    let world = World::new().await;
    for (more, status, error) in [
        (("client_secret", "x"), 401, "invalid_client"),
        (("client_secret", ""), 401, "invalid_client"),
        (("client_id", "books-keys"), 401, "invalid_client"),
        (
            ("redirect_uri", "https://evil.example/"),
            400,
            "invalid_request",
        ),
        (("request_uri", "urn:x"), 400, "invalid_request"),
        (("scope", "everything"), 400, "invalid_scope"),
        (("response_type", "token"), 400, "unsupported_response_type"),
        (("code_challenge", ""), 400, "invalid_request"),
        (("code_challenge_method", "plain"), 400, "invalid_request"),
    ] {
        let (got, body) = read(world.push(&[more]).await).await;
        assert_eq!((got, &body["error"]), (status, &error.into()), "{more:?}");
    }
}

#[tokio::test]
async fn it_says_what_it_speaks_and_registers_nobody_without_a_statement() {
    let world = World::new().await;
    for form in ["openid-configuration", "oauth-authorization-server"] {
        let url = format!("{LOGIN}/.well-known/{form}");
        let (status, document) = read(world.get(&url, "").await).await;
        assert_eq!((status, &document["issuer"]), (200, &LIBRARY_ISSUER.into()));
        let methods = &document["token_endpoint_auth_methods_supported"];
        assert!(
            methods
                .as_array()
                .unwrap()
                .contains(&"private_key_jwt".into())
        );
    }
    let body = r#"{"redirect_uris":["http://127.0.0.1/x"],"token_endpoint_auth_method":"private_key_jwt"}"#;
    let request = world.http.post(format!("{LOGIN}/register")).body(body);
    let (status, body) = read(request.send().await.unwrap()).await;
    assert_eq!(
        (status, &body["error"]),
        (400, &"invalid_client_metadata".into())
    );
    let removal = world.http.delete(format!("{LOGIN}/register/books-secret"));
    assert_eq!(removal.send().await.unwrap().status(), 401);
}
