//! The misbehaving provider of the engine's own tests, on a socket: one connection at a time, one answer each.

use std::sync::{Arc, Mutex};

use bonafide_oauth::{HttpRequest, HttpResponse, Method, SecretText};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::provider::{Key, Provider};

/// A provider that listens until it is dropped.
pub(crate) struct Served {
    pub(crate) issuer: String,
    provider: Arc<Mutex<Provider>>,
    serving: JoinHandle<()>,
}

impl Served {
    /// The browser's trip.
    pub(crate) fn authorize(&mut self, url: &url::Url) -> String {
        self.provider.lock().unwrap().authorize(url)
    }

    /// What its key is for, whatever the header of its tokens says.
    pub(crate) fn signs_with(&self) -> &'static str {
        match self.provider.lock().unwrap().key {
            Key::Ec(..) => "ES256",
            Key::Rsa(..) => "RS256",
        }
    }

    pub(crate) fn signs_userinfo(&self) -> bool {
        self.provider.lock().unwrap().userinfo_signed
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Listens, and makes the provider of the issuer that this gives.
pub(crate) async fn serve(make: impl FnOnce(&str) -> Provider) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let provider = Arc::new(Mutex::new(make(&issuer)));
    let serving = tokio::spawn(answer_all(listener, issuer.clone(), Arc::clone(&provider)));
    Served {
        issuer,
        provider,
        serving,
    }
}

async fn answer_all(listener: TcpListener, issuer: String, provider: Arc<Mutex<Provider>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        if let Some(request) = read(&mut stream, &issuer).await {
            let answer = provider.lock().unwrap().answer(&request);
            drop(stream.write_all(&bytes(&answer)).await);
            drop(stream.shutdown().await);
        }
    }
}

async fn read(stream: &mut TcpStream, issuer: &str) -> Option<HttpRequest> {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        let mut chunk = [0; 4096];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            break (String::from_utf8(bytes).ok()?, body);
        }
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    while body.len() < length {
        let mut chunk = [0; 4096];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        body.extend_from_slice(&chunk[..count]);
    }
    let mut words = head.lines().next()?.split(' ');
    let method = match words.next()? {
        "POST" => Method::Post,
        _ => Method::Get,
    };
    Some(HttpRequest {
        method,
        url: url::Url::parse(&format!("{issuer}{}", words.next()?)).ok()?,
        headers: vec![],
        body: SecretText::new(String::from_utf8(body).ok()?),
        response_limit: 0,
    })
}

fn bytes(answer: &HttpResponse) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        bytes.push_str(name);
        bytes.push_str(": ");
        bytes.push_str(value);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), &answer.body].concat()
}
