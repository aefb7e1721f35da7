//! A thief of authorization codes: asks for one in Books' name, with a PKCE verifier of its own.
//!
//! The article describes it: whoever can plant a code challenge in the front channel knows the verifier, so PKCE
//! alone does not stop it. The client secret has to.

use std::net::Ipv4Addr;

use bonafide_books::browser::{Browser as _, Click, ClickingBrowser, Pages};
use bonafide_provider::User;
use reqwest::Certificate;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::scene::{OrOtherwise as _, Otherwise};
use super::stage::Stage;

const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";
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

/// Gets a fresh code from a user who agrees, and tries to exchange it without the secret; the error it gets.
pub(super) async fn exchange_stolen_code(stage: &Stage) -> Result<TokenError, Otherwise> {
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let trap = trap.or_otherwise("the trap")?;
    let port = trap.local_addr().or_otherwise("the trap")?.port();
    let redirect_uri = format!("http://127.0.0.1:{port}/oauth2redirect");
    let client_id = stage.provider.client_id();
    let question = authorization(client_id, &redirect_uri)?;
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
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
        ("client_id", client_id),
    ];
    let answer = http(stage)?.post(TOKEN_ENDPOINT).form(&form).send().await;
    let answer = answer.or_otherwise("the token endpoint")?;
    let status = answer.status();
    let refusal = answer.json().await;
    refusal.or_otherwise(&format!("the token endpoint answered {status}"))
}

fn authorization(client_id: &str, redirect_uri: &str) -> Result<Url, Otherwise> {
    let parameters = [
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", "openid https://www.googleapis.com/auth/books"),
        ("state", "any"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let endpoint = "https://accounts.google.com/o/oauth2/v2/auth";
    Url::parse_with_params(endpoint, parameters).or_otherwise("the authorization request")
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
    reqwest::Client::builder()
        .tls_certs_only([root.or_otherwise("the public authority")?])
        .resolve("oauth2.googleapis.com", stage.provider.addr())
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .or_otherwise("the thief's client")
}
