//! The whole story over real TLS, by plain HTTP: sign in, agree, exchange, read, revoke; and each way to be refused.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::time::Duration;

use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{ClientSecret, HOSTS, Overlap, Provider, ProviderOptions, Running, User};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use serde_json::{Value, json};

const SECRET: &str = "GOCSPX-canary-of-this-test";
const REDIRECT: &str = "http://127.0.0.1:50000/oauth2redirect";
// RFC 7636 appendix B
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const SCOPE: &str = "openid email profile https://www.googleapis.com/auth/books";

type Query = BTreeMap<String, String>;

struct World {
    running: Running,
    http: Client,
}

impl World {
    async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let ca = DemoCa::public().unwrap();
        let identity = ca.server(&HOSTS).unwrap();
        let options = ProviderOptions::demo(identity, ClientSecret::new(SECRET));
        let running = Provider::start(options).await.unwrap();
        let mut builder = Client::builder()
            .tls_certs_only([Certificate::from_der(ca.certificate_der()).unwrap()])
            // One protocol version, so that a `Host` header can be sent that is not the URL's.
            .http1_only()
            .redirect(Policy::none());
        for host in HOSTS {
            builder = builder.resolve(host, running.addr());
        }
        let http = builder.build().unwrap();
        Self { running, http }
    }

    fn question(&self) -> Query {
        query(&[
            ("client_id", self.running.client_id()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("access_type", "offline"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
    }

    async fn authorize(&self, question: &Query) -> Response {
        let url = "https://accounts.google.com/o/oauth2/v2/auth";
        self.http.get(url).query(question).send().await.unwrap()
    }

    /// Signs in and decides; the answer is the redirect's query.
    async fn consent(&self, question: &Query, decision: &str) -> Query {
        let page = self.authorize(question).await;
        let cookie = cookie(&page);
        let html = page.text().await.unwrap();
        let User {
            email, password, ..
        } = User::demo();
        let form = query(&[
            ("interaction", hidden(&html, "interaction")),
            ("csrf", hidden(&html, "csrf")),
            ("email", &email),
            ("password", &password),
        ]);
        let answer = self
            .post("accounts.google.com/o/oauth2/v2/sign-in", &form, &cookie)
            .await;
        let target = location(&answer);
        let url = format!("https://accounts.google.com{target}");
        let page = self
            .http
            .get(url)
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        let html = page.text().await.unwrap();
        let form = query(&[
            ("interaction", hidden(&html, "interaction")),
            ("csrf", hidden(&html, "csrf")),
            ("decision", decision),
        ]);
        let answer = self
            .post("accounts.google.com/o/oauth2/v2/consent", &form, &cookie)
            .await;
        let target = reqwest::Url::parse(&location(&answer)).unwrap();
        assert!(target.as_str().starts_with(REDIRECT));
        target.query_pairs().into_owned().collect()
    }

    async fn post(&self, target: &str, form: &Query, cookie: &str) -> Response {
        let request = self.http.post(format!("https://{target}")).form(form);
        request.header("cookie", cookie).send().await.unwrap()
    }

    async fn code(&self) -> String {
        self.consent(&self.question(), "allow").await["code"].clone()
    }

    async fn token(&self, form: &Query) -> (u16, Value) {
        let answer = self.post("oauth2.googleapis.com/token", form, "").await;
        assert!(
            answer.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("no-store")
        );
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn exchange(&self, code: &str) -> Query {
        query(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", self.running.client_id()),
            ("client_secret", SECRET),
        ])
    }

    async fn get(&self, target: &str, bearer: Option<&str>) -> (u16, Value) {
        let mut request = self
            .http
            .get(format!("https://www.googleapis.com/{target}"));
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

fn query(pairs: &[(&str, &str)]) -> Query {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn with(form: &Query, name: &str, value: &str) -> Query {
    let mut form = form.clone();
    form.insert(name.to_owned(), value.to_owned());
    form
}

fn without(form: &Query, name: &str) -> Query {
    let mut form = form.clone();
    form.remove(name);
    form
}

fn hidden<'a>(html: &'a str, name: &str) -> &'a str {
    let marker = format!("name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&marker).unwrap();
    rest.split('"').next().unwrap()
}

fn cookie(page: &Response) -> String {
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    cookie.split(';').next().unwrap().to_owned()
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_logs_in_reads_refreshes_and_leaves() {
    let world = World::new().await;
    let answer = world.consent(&world.question(), "allow").await;
    assert_eq!(answer["state"], "s-1");
    assert_eq!(answer["iss"], "https://accounts.google.com");
    assert!(answer["code"].starts_with("4/0A"));

    let (status, tokens) = world.token(&world.exchange(&answer["code"])).await;
    assert_eq!((status, &tokens["token_type"]), (200, &json!("Bearer")));
    let access = tokens["access_token"].as_str().unwrap();

    let (status, user) = world.get("oauth2/v3/userinfo", Some(access)).await;
    assert_eq!((status, &user["given_name"]), (200, &json!("Ada")));
    let shelf = "books/v1/mylibrary/bookshelves/0/volumes";
    let (status, volumes) = world.get(shelf, Some(access)).await;
    assert_eq!((status, &volumes["totalItems"]), (200, &json!(5)));
    let (_, shelf_itself) = world
        .get("books/v1/mylibrary/bookshelves/0", Some(access))
        .await;
    let link = shelf_itself["selfLink"].as_str().unwrap();
    let link = link.strip_prefix("https://www.googleapis.com/").unwrap();
    let (_, by_user) = world.get(&format!("{link}/volumes"), Some(access)).await;
    assert_eq!(by_user, volumes, "both routes show the same shelf");

    let refresh = query(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("client_id", world.running.client_id()),
        ("client_secret", SECRET),
    ]);
    let (status, again) = world.token(&refresh).await;
    assert_eq!(
        (status, again.get("refresh_token")),
        (200, None),
        "Google does not rotate"
    );

    let token = query(&[("token", access)]);
    let answer = world.post("oauth2.googleapis.com/revoke", &token, "").await;
    assert_eq!(answer.status(), 200);
    let (status, error) = world.get(shelf, Some(access)).await;
    assert_eq!(
        (status, &error["error"]["errors"][0]["reason"]),
        (401, &json!("authError"))
    );
    let (status, error) = world.token(&refresh).await;
    assert_eq!(
        (status, &error["error_description"]),
        (400, &json!("Token has been expired or revoked."))
    );
    world.running.stop().await;
}

/// A form that breaks one rule, and what Google answers.
type Refused = (Query, u16, &'static str, &'static str);

fn refused_clients(good: &Query) -> Vec<Refused> {
    vec![
        (
            without(good, "client_secret"),
            400,
            "invalid_request",
            "client_secret is missing.",
        ),
        (
            with(good, "client_secret", "GOCSPX-wrong"),
            401,
            "invalid_client",
            "The provided client secret is invalid.",
        ),
        (
            with(good, "client_id", "x"),
            401,
            "invalid_client",
            "The OAuth client was not found.",
        ),
        (
            without(good, "client_id"),
            400,
            "invalid_request",
            "Could not determine client ID from request.",
        ),
    ]
}

fn refused_codes(good: &Query) -> Vec<Refused> {
    vec![
        (
            without(good, "code_verifier"),
            400,
            "invalid_grant",
            "Missing code verifier.",
        ),
        (
            with(good, "code_verifier", "x"),
            400,
            "invalid_grant",
            "Invalid code verifier.",
        ),
        (
            with(good, "redirect_uri", "x"),
            400,
            "redirect_uri_mismatch",
            "Bad Request",
        ),
        (
            with(good, "code", "x"),
            400,
            "invalid_grant",
            "Malformed auth code.",
        ),
        (
            with(good, "grant_type", "x"),
            400,
            "unsupported_grant_type",
            "Invalid grant_type.",
        ),
    ]
}

#[tokio::test]
async fn the_token_endpoint_refuses_with_googles_words_whatever_breaks_one_rule() {
    let world = World::new().await;
    let code = world.code().await;
    let good = world.exchange(&code);
    let refused = [refused_clients(&good), refused_codes(&good)].concat();
    for (form, status, error, description) in refused {
        let expected = json!({"error": error, "error_description": description});
        assert_eq!(world.token(&form).await, (status, expected));
    }
    assert_eq!(
        world.token(&good).await.0,
        200,
        "no refusal has spent the code"
    );
    let (status, spent) = world.token(&good).await;
    assert_eq!((status, &spent["error"]), (400, &json!("invalid_grant")));
    world.running.stop().await;
}

#[tokio::test]
async fn a_code_that_comes_back_kills_the_tokens_it_gave() {
    let world = World::new().await;
    let exchange = world.exchange(&world.code().await);
    let (_, tokens) = world.token(&exchange).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.get("oauth2/v3/userinfo", Some(access)).await.0, 200);
    assert_eq!(world.token(&exchange).await.0, 400);
    assert_eq!(world.get("oauth2/v3/userinfo", Some(access)).await.0, 401);
    world.running.stop().await;
}

#[tokio::test]
async fn a_rotated_secret_overlaps_as_long_as_it_is_told_to() {
    let world = World::new().await;
    let next = ClientSecret::new("GOCSPX-next");
    world
        .running
        .rotate_client_secret(&next, Overlap::For(Duration::from_mins(10)));
    let old = world.exchange(&world.code().await);
    assert_eq!(world.token(&old).await.0, 200, "the old one overlaps");
    let last = ClientSecret::new("GOCSPX-last");
    world.running.rotate_client_secret(&last, Overlap::None);
    let code = world.code().await;
    assert_eq!(world.token(&world.exchange(&code)).await.0, 401);
    let new = with(&world.exchange(&code), "client_secret", "GOCSPX-last");
    assert_eq!(world.token(&new).await.0, 200);
    world.running.stop().await;
}

#[tokio::test]
async fn authorize_shows_a_page_where_it_must_not_redirect_and_redirects_where_it_may() {
    let world = World::new().await;
    let good = world.question();
    for (question, status, title) in [
        (with(&good, "client_id", "x"), 401, "invalid_client"),
        (
            with(&good, "redirect_uri", "https://evil.example/"),
            400,
            "redirect_uri_mismatch",
        ),
        (without(&good, "redirect_uri"), 400, "redirect_uri_mismatch"),
        (with(&good, "scope", "everything"), 400, "invalid_scope"),
    ] {
        let answer = world.authorize(&question).await;
        assert_eq!(answer.status(), status);
        assert!(answer.headers().get("location").is_none());
        assert!(answer.text().await.unwrap().contains(title));
    }
    for (question, error) in [
        (
            with(&good, "response_type", "token"),
            "unsupported_response_type",
        ),
        (with(&good, "prompt", "none"), "interaction_required"),
        (
            with(&good, "code_challenge_method", "S512"),
            "invalid_request",
        ),
        (with(&good, "code_challenge", "short"), "invalid_request"),
    ] {
        let target = reqwest::Url::parse(&location(&world.authorize(&question).await)).unwrap();
        let answer: Query = target.query_pairs().into_owned().collect();
        assert_eq!(answer["error"], error);
        assert_eq!(
            (answer["state"].as_str(), answer.contains_key("iss")),
            ("s-1", true)
        );
    }
    let denied = world.consent(&good, "deny").await;
    assert_eq!(
        (denied["error"].as_str(), denied.get("code")),
        ("access_denied", None)
    );
    world.running.stop().await;
}

#[tokio::test]
async fn forms_need_their_csrf_value_and_the_browser_they_were_shown_to() {
    let world = World::new().await;
    let page = world.authorize(&world.question()).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    let own = cookie(&page);
    let html = page.text().await.unwrap();
    assert!(!html.contains("<script"));
    let user = User::demo();
    let good = query(&[
        ("interaction", hidden(&html, "interaction")),
        ("csrf", hidden(&html, "csrf")),
        ("email", &user.email),
        ("password", &user.password),
    ]);
    let sign_in = "accounts.google.com/o/oauth2/v2/sign-in";
    for (form, cookie) in [
        (with(&good, "csrf", "x"), own.as_str()),
        (without(&good, "csrf"), own.as_str()),
        (good.clone(), ""),
        (
            good.clone(),
            "provider_browser=0123456789abcdef0123456789abcdef",
        ),
    ] {
        assert_eq!(world.post(sign_in, &form, cookie).await.status(), 400);
    }
    let wrong = world
        .post(sign_in, &with(&good, "password", "x"), &own)
        .await;
    assert!(
        wrong
            .text()
            .await
            .unwrap()
            .contains("Wrong address or password")
    );
    let unsigned = query(&[
        ("interaction", good["interaction"].as_str()),
        ("csrf", good["csrf"].as_str()),
        ("decision", "allow"),
    ]);
    let consent = "accounts.google.com/o/oauth2/v2/consent";
    assert_eq!(
        world.post(consent, &unsigned, &own).await.status(),
        400,
        "not signed in"
    );
    assert_eq!(world.post(sign_in, &good, &own).await.status(), 303);
    world.running.stop().await;
}

#[tokio::test]
async fn search_and_covers_need_no_token_and_favourites_do() {
    let world = World::new().await;
    let (status, found) = world.get("books/v1/volumes?q=time+machine", None).await;
    assert_eq!((status, &found["totalItems"]), (200, &json!(1)));
    let info = &found["items"][0]["volumeInfo"];
    assert_eq!(info["authors"], json!(["H. G. Wells"]));
    let cover = info["imageLinks"]["thumbnail"].as_str().unwrap();
    let cover = world.http.get(cover).send().await.unwrap();
    assert_eq!(cover.headers()["content-type"], "image/svg+xml");
    assert!(cover.text().await.unwrap().contains("Machine"));
    let (_, none) = world.get("books/v1/volumes?q=zzz", None).await;
    assert_eq!((&none["totalItems"], none.get("items")), (&json!(0), None));
    for (bearer, reason) in [(None, "required"), (Some("ya29.x"), "authError")] {
        let (status, error) = world
            .get("books/v1/mylibrary/bookshelves/0/volumes", bearer)
            .await;
        assert_eq!(
            (status, &error["error"]["errors"][0]["reason"]),
            (401, &json!(reason))
        );
    }
    world.running.stop().await;
}

#[tokio::test]
async fn a_scope_that_was_not_granted_does_not_open_the_shelf() {
    let world = World::new().await;
    let question = with(&world.question(), "scope", "openid");
    let code = world.consent(&question, "allow").await["code"].clone();
    let (_, tokens) = world.token(&world.exchange(&code)).await;
    let access = tokens["access_token"].as_str();
    let (status, error) = world.get("books/v1/mylibrary/bookshelves/0", access).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );
    world.running.stop().await;
}

#[tokio::test]
async fn foreign_hosts_are_misdirected_and_what_is_remembered_holds_no_secret() {
    let world = World::new().await;
    let (_, tokens) = world.token(&world.exchange(&world.code().await)).await;
    assert!(tokens["access_token"].is_string());
    let request = world.http.get("https://www.googleapis.com/oauth2/v3/certs");
    let foreign = request.header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 421);
    let seen = format!("{:?} {:?}", world.running.seen(), world.running);
    assert!(seen.contains("oauth2.googleapis.com"));
    assert!(!seen.contains("canary") && !seen.contains("4/0A") && !seen.contains('?'));
    let browser = world.running.browser_addr().unwrap();
    let plain = world.http.get(format!("http://{browser}/o/oauth2/v2/auth"));
    let plain = plain.query(&world.question()).send().await.unwrap();
    assert_eq!(
        plain.status(),
        200,
        "a person's browser finds the pages on loopback"
    );
    let token = world
        .http
        .post(format!("http://{browser}/token"))
        .send()
        .await
        .unwrap();
    assert_eq!(token.status(), 404, "and only the pages");
    world.running.stop().await;
}
