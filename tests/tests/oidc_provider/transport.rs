//! Servers that are rude below HTTP's meaning, on real sockets: the host stops reading in time, follows nothing, and the engine
//! has a code for what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::CodeExchange;
use bonafide_oauth::{
    ClientAuthentication, HttpResponse, Issuer, RedirectUri, SecretText, ServerMetadata,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::native_host;

const REDIRECT: &str = "http://127.0.0.1:5000/callback";

/// A code in hand, and a token endpoint at `origin` to take it to.
fn exchange_at(origin: &str) -> CodeExchange {
    let document = json!({
        "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
    });
    let header = ("content-type".to_owned(), "application/json".to_owned());
    let response = HttpResponse::new(200, vec![header], document.to_string().into_bytes());
    let server = ServerMetadata::receive(&Issuer::parse(origin).unwrap(), &response).unwrap();
    let client = Client {
        client_id: "books".to_owned(),
        redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
    };
    let wish = AuthorizationWish {
        scope: vec!["email".to_owned()],
        binding: Binding::Bearer,
        extra: vec![],
    };
    let begun = authorize::begin(&server, &client, &wish, &mut SystemEntropy).unwrap();
    let query: Vec<(String, String)> = begun.url.query_pairs().into_owned().collect();
    let (_, state) = query.iter().find(|(name, _)| name == "state").unwrap();
    let arrived = format!("{REDIRECT}?code=code-1&state={state}");
    let authorized = begun.pending.receive(&arrived).unwrap();
    authorized.exchange(&server).unwrap()
}

/// The code of the refusal, or `unreachable` where no answer came to judge.
async fn outcome(origin: &str) -> &'static str {
    let mut exchange = exchange_at(origin);
    let secret = ClientAuthentication::SecretPost(SecretText::new("the-client-secret"));
    let request = exchange.call().with(&secret).unwrap();
    match native_host::try_send(&native_host::http(), &request).await {
        Err(_) => "unreachable",
        Ok(answer) => exchange
            .receive(&answer, native_host::now())
            .map_or_else(|reject| reject.code(), |_| "accept"),
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

/// Reads what arrives of the request, far enough for an answer.
async fn hear(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = vec![0; 16_384];
    let mut count = 0;
    loop {
        count += stream.read(&mut bytes[count..]).await.unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if text.contains("client_secret=") {
            return (stream, text);
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_read_to_its_limit_and_no_further() {
    let (listener, origin) = listen().await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let server = tokio::spawn(async move {
        let (mut stream, _) = hear(&listener).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {
            count.fetch_add(0x1000, Ordering::Relaxed);
        }
    });
    assert_eq!(outcome(&origin).await, "response-too-large");
    server.await.unwrap();
    // What the sockets' buffers hold was written too, but never read.
    assert!(written.load(Ordering::Relaxed) < 32 * 1024 * 1024);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let (listener, origin) = listen().await;
        let (elsewhere, target) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = hear(&listener).await;
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {target}/token\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        assert_eq!(outcome(&origin).await, "response-redirects", "{status}");
        server.await.unwrap();
        let came = tokio::time::timeout(std::time::Duration::ZERO, elsewhere.accept()).await;
        assert!(came.is_err(), "nobody came to the other origin");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    for said in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{\"access_token\":\"a",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "220 mail.example ESMTP\r\n",
    ] {
        let (listener, origin) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = hear(&listener).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        assert_eq!(outcome(&origin).await, "unreachable", "{said:?}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, origin) = listen().await;
    drop(listener);
    assert_eq!(outcome(&origin).await, "unreachable");
}
