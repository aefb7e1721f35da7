//! The socket of the loopback redirect: waits until the browser comes back with an answer that is ours.
//!
//! Browsers open connections ahead of need and ask for icons; a redirect with a foreign state may be forged. None of
//! that ends the wait. What the answer means is for whoever asked the question.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use bonafide_oauth::loopback::{self, Knock, MOST_HEAD_BYTES};
use bonafide_oauth::{Authorized, PendingAuthorization, RedirectUri};
use bonafide_sdk::adaptor::{LoginError, OAuthSession};
use bonafide_sdk::host::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const HEAD_PATIENCE: Duration = Duration::from_secs(20);
const MOST_CONNECTIONS: usize = 32;

/// A listener and the redirect URI that leads to it.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    redirect_uri: RedirectUri,
}

impl Loopback {
    /// Listens on a port that the system chooses.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let redirect_uri = RedirectUri::parse(&format!("http://127.0.0.1:{port}/oauth2redirect"))
            .map_err(io::Error::other)?;
        Ok(Self {
            listener,
            redirect_uri,
        })
    }

    /// Listens where a former process did: its browser may come back yet.
    pub async fn at(redirect_uri: &str) -> io::Result<Self> {
        let redirect_uri = RedirectUri::parse(redirect_uri).map_err(io::Error::other)?;
        let url = url::Url::parse(redirect_uri.as_str()).map_err(io::Error::other)?;
        let port = url.port().ok_or(io::ErrorKind::InvalidInput)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self {
            listener,
            redirect_uri,
        })
    }

    /// Where the browser is to come back to.
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// Waits for the answer to the question, as `asker` judges it.
    pub async fn answer<A: Asker>(&self, asker: &A) -> io::Result<Result<A::Answer, LoginError>> {
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if readers.len() < MOST_CONNECTIONS => {
                    let (stream, _) = accepted?;
                    readers.spawn(timeout(HEAD_PATIENCE, read_head(stream)));
                }
                Some(read) = readers.join_next() => {
                    if let Ok(Ok(Ok((stream, head)))) = read
                        && let Some(answer) = self.judge(stream, &head, asker).await
                    {
                        return Ok(answer);
                    }
                }
            }
        }
    }

    async fn judge<A: Asker>(
        &self,
        stream: TcpStream,
        head: &[u8],
        asker: &A,
    ) -> Option<Result<A::Answer, LoginError>> {
        let answer = match loopback::read(head, &self.redirect_uri) {
            Knock::Redirect(arrived) => Some(asker.receive(&arrived).await),
            Knock::Other => None,
        };
        let forged = |error: &LoginError| error.may_be_forged();
        let answer = answer.filter(|answer| !answer.as_ref().is_err_and(forged));
        let page = if answer.is_some() {
            loopback::done()
        } else {
            loopback::not_found()
        };
        // A browser that went away does not need its page.
        drop(write_page(stream, &page).await);
        answer
    }
}

/// Who asked the question.
pub trait Asker: Send + Sync {
    /// What a good answer is worth.
    type Answer: Send;

    /// Judges an address that the browser came back with.
    fn receive<'a>(&'a self, arrived: &'a str) -> BoxFuture<'a, Result<Self::Answer, LoginError>>;
}

impl Asker for OAuthSession {
    type Answer = ();

    fn receive<'a>(&'a self, arrived: &'a str) -> BoxFuture<'a, Result<(), LoginError>> {
        Box::pin(Self::receive(self, arrived))
    }
}

impl Asker for PendingAuthorization {
    type Answer = Authorized;

    fn receive<'a>(&'a self, arrived: &'a str) -> BoxFuture<'a, Result<Authorized, LoginError>> {
        let judged = Self::receive(self, arrived).map_err(LoginError::from);
        Box::pin(std::future::ready(judged))
    }
}

async fn read_head(mut stream: TcpStream) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MOST_HEAD_BYTES || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok((stream, head))
}

async fn write_page(mut stream: TcpStream, page: &str) -> io::Result<()> {
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
    use bonafide_oauth::entropy::SystemEntropy;
    use bonafide_oauth::{HttpResponse, Issuer, ServerMetadata};

    use super::*;

    fn server() -> ServerMetadata {
        let issuer = Issuer::parse("https://as.example").unwrap();
        let document = r#"{"issuer":"https://as.example",
            "authorization_endpoint":"https://as.example/a","token_endpoint":"https://as.example/t",
            "authorization_response_iss_parameter_supported":true}"#;
        let json = ("content-type".to_owned(), "application/json".to_owned());
        let response = HttpResponse::new(200, vec![json], document.as_bytes().to_vec());
        ServerMetadata::receive(&issuer, &response).unwrap()
    }

    async fn get(loopback: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(loopback).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: {loopback}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn waits_past_idle_connections_icons_and_forgeries_until_our_answer_comes() {
        let loopback = Loopback::listen().await.unwrap();
        let client = Client {
            client_id: "books".to_owned(),
            redirect_uri: loopback.redirect_uri().clone(),
        };
        let wish = AuthorizationWish::default();
        let begun = authorize::begin(&server(), &client, &wish, &mut SystemEntropy).unwrap();
        let state = begun
            .url
            .query_pairs()
            .find_map(|(name, value)| (name == "state").then(|| value.into_owned()))
            .unwrap();
        let address = loopback.listener.local_addr().unwrap().to_string();

        let browser = async {
            let idle = TcpStream::connect(&address).await.unwrap();
            let path = "/oauth2redirect";
            let ours = format!("iss=https://as.example&state={state}");
            let icon = get(&address, "/favicon.ico").await;
            let forged = get(&address, &format!("{path}?error=access_denied&state=x")).await;
            let answer = get(&address, &format!("{path}?code=c&{ours}")).await;
            drop(idle);
            [icon, forged, answer]
        };
        let (answer, lines) = tokio::join!(loopback.answer(&begun.pending), browser);
        assert!(answer.unwrap().is_ok());
        assert_eq!(
            lines,
            [
                "HTTP/1.1 404 Not Found",
                "HTTP/1.1 404 Not Found",
                "HTTP/1.1 200 OK"
            ]
        );
    }
}
