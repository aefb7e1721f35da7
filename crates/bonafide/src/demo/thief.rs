//! A thief of authorization codes: asks for one in Books' name, with a PKCE verifier of its own.
//!
//! The article describes it: whoever can plant a code challenge in the front channel knows the verifier, so PKCE
//! alone does not stop it. The client secret has to.

use std::net::Ipv4Addr;

use bonafide_books::browser::{Browser as _, Click, ClickingBrowser, Pages};
use bonafide_provider::{HOSTS, LIBRARY_HOSTS, User};
use reqwest::Certificate;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::http::Captured;
use super::scene::{OrOtherwise as _, Otherwise};
use super::stage::Stage;

/// RFC 7636 appendix B: nobody else knows a verifier that everybody can look up.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An error of the token endpoint (RFC 6749 §5.2).
#[derive(Debug, Deserialize)]
pub(super) struct TokenError {
    /// The code.
    pub(super) error: String,
    #[serde(default)]
    error_description: String,
}

impl core::fmt::Display for TokenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.error, self.error_description)
    }
}

/// A client as its authorization server knows it; all of it is public.
#[derive(Debug, Clone, Copy)]
pub(super) struct Victim<'a> {
    /// Where browsers are sent.
    pub(super) authorize: &'static str,
    /// Where codes are exchanged.
    pub(super) token: &'static str,
    /// The client.
    pub(super) client_id: &'a str,
}

impl<'a> Victim<'a> {
    /// Books at Google.
    pub(super) fn at_google(client_id: &'a str) -> Self {
        Self {
            authorize: "https://accounts.google.com/o/oauth2/v2/auth",
            token: "https://oauth2.googleapis.com/token",
            client_id,
        }
    }

    /// A client of the Library.
    pub(super) fn at_library(client_id: &'a str) -> Self {
        Self {
            authorize: "https://login.library.example/authorize",
            token: "https://login.library.example/token",
            client_id,
        }
    }
}

/// An answer to the thief: status and JSON.
#[derive(Debug)]
pub(super) struct Answered {
    /// HTTP status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: serde_json::Value,
}

impl Answered {
    /// The error's code, empty where it is none.
    pub(super) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// The error as the server words it.
    pub(super) fn words(&self) -> String {
        let text = self.body["error_description"].as_str().unwrap_or_default();
        format!("{}, {}: {text}", self.status, self.error())
    }
}

/// Gets a fresh code from a user who agrees, and tries to exchange it without the secret; the error it gets.
pub(super) async fn exchange_stolen_code(stage: &Stage) -> Result<TokenError, Otherwise> {
    let victim = Victim::at_google(stage.provider.client_id());
    let answered = exchange(stage, victim, &[]).await?;
    serde_json::from_value(answered.body).or_otherwise("the token endpoint's answer")
}

/// Gets a fresh code from a user who agrees, and tries to exchange it with what else the thief has.
pub(super) async fn exchange(
    stage: &Stage,
    victim: Victim<'_>,
    loot: &[(&str, &str)],
) -> Result<Answered, Otherwise> {
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let trap = trap.or_otherwise("the trap")?;
    let port = trap.local_addr().or_otherwise("the trap")?.port();
    let redirect_uri = format!("http://127.0.0.1:{port}/oauth2redirect");
    let question = authorization(victim, &redirect_uri)?;
    let User {
        email, password, ..
    } = stage.provider.user();
    let browser = ClickingBrowser::new(
        Pages::at(stage.pages().clone()),
        (email, password),
        Click::Allow,
    );
    let (opened, caught) = tokio::join!(browser.open(&question), catch(trap));
    opened.or_otherwise("the user's browser")?;
    let code = caught?;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
        ("client_id", victim.client_id),
    ];
    form.extend(loot);
    present(stage, victim.token, &form).await
}

/// Sends a form from the thief's own computer.
pub(super) async fn present(
    stage: &Stage,
    url: &str,
    form: &[(&str, &str)],
) -> Result<Answered, Otherwise> {
    let answer = http(stage)?.post(url).form(form).send().await;
    read(answer.or_otherwise(url)?).await
}

/// Sends a captured request again from the thief's own computer, byte for byte but for the connection.
pub(super) async fn resend(
    stage: &Stage,
    url: &str,
    captured: &Captured,
) -> Result<Answered, Otherwise> {
    let mut request = http(stage)?.post(url).body(captured.body.clone());
    for line in captured.head.split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(": ")
            && !["host", "content-length"].contains(&name)
        {
            request = request.header(name, value);
        }
    }
    read(request.send().await.or_otherwise(url)?).await
}

/// Asks a Books API for the favourites, with this `Authorization`; the status.
pub(super) async fn read_favorites(
    stage: &Stage,
    host: &str,
    authorization: &str,
) -> Result<u16, Otherwise> {
    let url = format!("https://{host}/books/v1/mylibrary/bookshelves/0/volumes");
    let request = http(stage)?
        .get(&url)
        .header("authorization", authorization);
    let answer = request.send().await.or_otherwise("the Books API")?;
    Ok(answer.status().as_u16())
}

async fn read(answer: reqwest::Response) -> Result<Answered, Otherwise> {
    let status = answer.status().as_u16();
    let body = answer.json().await;
    let body = body.or_otherwise(&format!("the server answered {status}"))?;
    Ok(Answered { status, body })
}

fn authorization(victim: Victim<'_>, redirect_uri: &str) -> Result<Url, Otherwise> {
    let parameters = [
        ("client_id", victim.client_id),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", "openid https://www.googleapis.com/auth/books"),
        ("state", "any"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    Url::parse_with_params(victim.authorize, parameters).or_otherwise("the authorization request")
}

/// Takes the redirect that was meant for Books.
async fn catch(trap: TcpListener) -> Result<String, Otherwise> {
    let (mut browser, _) = trap.accept().await.or_otherwise("the trap")?;
    let mut heard = Vec::new();
    while super::find(&heard, b"\r\n\r\n").is_none() {
        let read = browser
            .read_buf(&mut heard)
            .await
            .or_otherwise("the trap")?;
        if read == 0 {
            break;
        }
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    browser.write_all(answer).await.or_otherwise("the trap")?;
    let text = String::from_utf8_lossy(&heard).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(path));
    let url = url.or_otherwise("the caught redirect")?;
    let code = url.query_pairs().find(|(name, _)| name == "code");
    code.map(|(_, code)| code.into_owned())
        .or_otherwise("the caught redirect has no code")
}

fn http(stage: &Stage) -> Result<reqwest::Client, Otherwise> {
    let root = Certificate::from_der(stage.public_ca.certificate_der());
    let mut builder = reqwest::Client::builder()
        .tls_certs_only([root.or_otherwise("the public authority")?])
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    for host in [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat() {
        builder = builder.resolve(host, stage.provider.addr());
    }
    builder.build().or_otherwise("the thief's client")
}
