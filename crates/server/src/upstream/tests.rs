//! The outbound client against servers that misbehave: each fault has its own failure, nothing hangs or balloons.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that reads one request head and then does as it was told.
async fn server(answer: Vec<u8>, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).await.unwrap();
            head.push(byte[0]);
        }
        let written = stream.write_all(&answer).await;
        if then == Then::StaySilent && written.is_ok() {
            std::future::pending::<()>().await;
        }
    });
    url
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Then {
    Close,
    StaySilent,
}

fn outbound() -> Outbound {
    Outbound::new(&OutboundOptions::default()).unwrap()
}

fn quick(url: String) -> Call {
    Call::get(url)
        .at_most(64)
        .within(Duration::from_millis(300))
}

#[tokio::test]
async fn an_answer_is_read_whole_whatever_its_status() {
    let reply =
        b"HTTP/1.1 429 No\r\ncontent-type: application/json; charset=utf-8\r\nretry-after: 7\r\n\
        x-twice: a\r\nx-twice: b\r\ncontent-length: 2\r\n\r\n{}";
    let answer = outbound()
        .call(quick(server(reply.to_vec(), Then::Close).await))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (429, &b"{}"[..]));
    assert!(answer.is_json() && !answer.is_success());
    assert_eq!(answer.retry_after(), Some(7));
    assert_eq!(answer.header("x-twice"), None, "sent twice means neither");
    assert!(!format!("{answer:?}").contains("{}"));
}

#[tokio::test]
async fn each_fault_of_a_server_has_its_own_failure() {
    let long = |head: &str| [head.as_bytes(), &[b'x'; 65]].concat();
    let cases: Vec<(&str, Vec<u8>, Then, UpstreamError)> = vec![
        (
            "a redirect",
            b"HTTP/1.1 307 Go\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n"
                .to_vec(),
            Then::Close,
            UpstreamError::Redirected { status: 307 },
        ),
        (
            "a body longer than told",
            long("HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n"),
            Then::Close,
            UpstreamError::TooLarge { most: 64 },
        ),
        (
            "an endless body of unknown length",
            long("HTTP/1.1 200 OK\r\n\r\n"),
            Then::StaySilent,
            UpstreamError::TooLarge { most: 64 },
        ),
        (
            "silence instead of an answer",
            Vec::new(),
            Then::StaySilent,
            UpstreamError::TimedOut,
        ),
        (
            "silence in the middle of a body",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec(),
            Then::StaySilent,
            UpstreamError::TimedOut,
        ),
    ];
    for (what, reply, then, expected) in cases {
        let failed = outbound()
            .call(quick(server(reply, then).await))
            .await
            .unwrap_err();
        assert_eq!(failed, expected, "{what}");
    }
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec();
    let failed = outbound()
        .call(quick(server(cut, Then::Close).await))
        .await
        .unwrap_err();
    assert!(matches!(failed, UpstreamError::Interrupted(_)), "{failed}");
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failed = outbound().call(quick(url)).await.unwrap_err();
    assert!(matches!(failed, UpstreamError::Unreachable(_)), "{failed}");
}

#[tokio::test]
async fn plain_http_user_info_and_control_characters_are_never_sent() {
    for url in [
        "http://as.example/token",
        "http://169.254.169.254/latest/meta-data",
        "https://user:pass@as.example/token",
        "https://as.example/token#fragment",
        "file:///etc/passwd",
        "not a url",
    ] {
        let failed = outbound().call(quick(url.to_owned())).await.unwrap_err();
        assert!(
            matches!(failed, UpstreamError::NotSendable(_)),
            "{url}: {failed}"
        );
    }
    let call = quick("http://127.0.0.1:1/".to_owned()).header("dpop", "a\r\nx: y");
    let failed = outbound().call(call).await.unwrap_err();
    assert_eq!(failed, UpstreamError::NotSendable("a header value"));
}

/// A TLS server with a certificate for `name` by an authority of its own; gives its address and the authority.
async fn tls_server(name: &str) -> (u16, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::from_params(&authority, &key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&leaf_key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 1024];
            if stream.read(&mut buffer).await.is_ok() {
                let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                stream.write_all(reply).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    (port, root.der().to_vec())
}

#[tokio::test]
async fn only_named_authorities_and_the_right_host_are_believed() {
    let (port, root) = tls_server("localhost").await;
    let trusting = Outbound::new(&OutboundOptions {
        extra_roots: vec![root],
        proxy: None,
    })
    .unwrap();
    let call =
        |host: &str| Call::get(format!("https://{host}:{port}/")).within(Duration::from_secs(5));
    assert_eq!(trusting.call(call("localhost")).await.unwrap().status, 200);
    let stranger = outbound().call(call("localhost")).await.unwrap_err();
    assert!(
        matches!(stranger, UpstreamError::Unreachable(_)),
        "{stranger}"
    );
    let other_host = trusting.call(call("127.0.0.1")).await.unwrap_err();
    assert!(
        matches!(other_host, UpstreamError::Unreachable(_)),
        "{other_host}"
    );
    let bad = OutboundOptions {
        extra_roots: vec![vec![1, 2, 3]],
        proxy: None,
    };
    assert_eq!(Outbound::new(&bad).unwrap_err(), OutboundError::Root(1));
}

#[tokio::test]
async fn when_every_place_is_taken_the_next_call_is_told_to_wait() {
    let outbound = Outbound {
        places: Arc::new(Semaphore::new(1)),
        ..outbound()
    };
    let silent = server(Vec::new(), Then::StaySilent).await;
    let slow = outbound.call(quick(silent));
    let next = outbound.call(quick("http://127.0.0.1:1/".to_owned()));
    let (slow, next) = tokio::join!(slow, next);
    assert_eq!(slow.unwrap_err(), UpstreamError::TimedOut);
    let busy = UpstreamError::Unreachable("too many calls are under way".to_owned());
    assert_eq!(next.unwrap_err(), busy);
}
