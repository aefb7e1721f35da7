//! A server that lies, hangs, floods and talks nonsense, over TLS: the last good list stays.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use bonafide_evidence::UnixTime;
use bonafide_evidence::android::ListAge;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::app::Settings;
use crate::clock::Clock;
use crate::keys::Keys;
use crate::keys::master::MasterKeys;
use crate::store::sqlite::SqliteStore;
use crate::upstream::OutboundOptions;

const NOW: i64 = 1_795_600_000;

/// What the server does with one request.
#[derive(Clone)]
enum Does {
    Answers(Vec<u8>),
    /// Writes this, and then nothing more.
    Hangs(Vec<u8>),
}

fn answers(head: &str, body: &str) -> Does {
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    Does::Answers(answer.into_bytes())
}

fn list(entries: usize) -> String {
    let entries: Vec<_> = (1..=entries)
        .map(|n| format!(r#""{n:x}":{{"status":"REVOKED"}}"#))
        .collect();
    format!(r#"{{"entries":{{{}}}}}"#, entries.join(","))
}

/// A TLS server for `localhost`, what it heard, and a service that believes its authority.
struct World {
    server: Server,
    heard: Arc<Mutex<Vec<String>>>,
    clock: Arc<AtomicI64>,
    directory: tempfile::TempDir,
}

impl World {
    async fn of(script: Vec<Does>) -> Self {
        let (url, root, heard) = serve(script).await;
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(NOW));
        let service = service(directory.path(), Arc::clone(&clock), vec![root]).await;
        let copy = directory.path().join(COPY);
        Self {
            server: Server {
                service,
                url,
                copy,
                etag: None,
                failures: 0,
            },
            heard,
            clock,
            directory,
        }
    }

    /// Asks once, an hour later; the failure, the entries in force and the hour they were confirmed in.
    async fn asks(&mut self) -> (Option<String>, u64, Option<i64>) {
        self.clock.fetch_add(3600, Ordering::Relaxed);
        self.server.attempt().await;
        let service = &self.server.service;
        let view = service.revocation_list().view(service.now());
        let hour = view.confirmed_at.map(|at| (at - NOW) / 3600);
        (view.last_failure, view.entries, hour)
    }
}

async fn service(path: &Path, clock: Arc<AtomicI64>, extra_roots: Vec<Vec<u8>>) -> Arc<Service> {
    let store = SqliteStore::open(&path.join("bonafide.db")).unwrap();
    let keys = Keys::new(&MasterKeys::generate().unwrap()).unwrap();
    let settings = Settings {
        public_url: "https://bonafide.example".to_owned(),
        outbound: OutboundOptions {
            extra_roots,
            proxy: None,
        },
    };
    let clock = Clock::from_fn(move || clock.load(Ordering::Relaxed));
    Service::open(Arc::new(store), keys, clock, settings)
        .await
        .unwrap()
}

fn certificate() -> (rustls::ServerConfig, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::from_params(&authority, &key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&leaf_key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .unwrap();
    (config, root.der().to_vec())
}

async fn serve(script: Vec<Does>) -> (String, Vec<u8>, Arc<Mutex<Vec<String>>>) {
    let (config, root) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut script = VecDeque::from(script);
        while let Some(does) = script.pop_front() {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).await.unwrap();
                request.push(byte[0]);
            }
            told.lock()
                .unwrap()
                .push(String::from_utf8(request).unwrap());
            match does {
                Does::Answers(bytes) => {
                    // Whoever hears enough hangs up.
                    stream.write_all(&bytes).await.ok();
                    stream.shutdown().await.ok();
                }
                Does::Hangs(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::spawn(async move {
                        std::future::pending::<()>().await;
                        drop(stream);
                    });
                }
            }
        }
    });
    (format!("https://localhost:{port}/status"), root, heard)
}

#[tokio::test]
async fn whatever_a_server_sends_that_is_no_list_leaves_the_last_good_one() {
    let flood = "x".repeat(MOST_BYTES + 1);
    let good = || answers("200 OK", &list(40));
    let bad = [
        answers("200 OK", "<html>captive portal</html>"),
        answers("200 OK", list(40).strip_suffix("}}").unwrap()),
        answers("200 OK", r#"{"entries":{"xyz":{"status":"REVOKED"}}}"#),
        answers("200 OK", &list(0)),
        answers("200 OK", &list(19)),
        answers("200 OK", &flood),
        answers("503 Busy", &list(40)),
        answers("404 Gone", ""),
        answers("302 Elsewhere\r\nlocation: https://evil.example/", ""),
        // A confirmation of nothing that we asked about.
        answers("304 Not Modified", ""),
        Does::Answers(b"not http at all\r\n\r\n".to_vec()),
        Does::Answers(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"entr".to_vec()),
    ];
    let count = bad.len();
    let mut script = vec![good()];
    script.extend(bad);
    script.push(good());
    let mut world = World::of(script).await;
    assert_eq!(world.asks().await, (None, 40, Some(1)));
    for number in 1..=count {
        let (failure, entries, hour) = world.asks().await;
        assert!(failure.is_some(), "answer {number} was taken");
        assert_eq!((entries, hour), (40, Some(1)), "{failure:?}");
    }
    let failures = world.server.service.revocation_list().failures();
    assert_eq!(usize::try_from(failures), Ok(count));
    let hours = i64::try_from(count + 2).unwrap();
    assert_eq!(world.asks().await, (None, 40, Some(hours)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{".to_vec();
    for bytes in [Vec::new(), half] {
        let mut world = World::of(vec![Does::Hangs(bytes)]).await;
        let (failure, entries, hour) = world.asks().await;
        assert!(failure.unwrap().contains("in time"));
        assert_eq!((entries, hour), (0, None));
    }
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_confirmed_by_its_tag() {
    let mut world = World::of(vec![
        answers("200 OK\r\netag: \"v1\"", &list(40)),
        answers("304 Not Modified", ""),
        answers("200 OK\r\netag: \"v2\"", &list(41)),
        answers("304 Not Modified", ""),
    ])
    .await;
    assert_eq!(world.asks().await, (None, 40, Some(1)));
    assert_eq!(world.asks().await, (None, 40, Some(2)));
    assert_eq!(world.asks().await, (None, 41, Some(3)));
    assert_eq!(world.asks().await, (None, 41, Some(4)));
    let heard = world.heard.lock().unwrap().clone();
    let asked: Vec<_> = heard
        .iter()
        .map(|head| {
            let line = head.lines().find(|line| line.starts_with("if-none-match"));
            line.unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(
        asked,
        [
            "",
            "if-none-match: \"v1\"",
            "if-none-match: \"v1\"",
            "if-none-match: \"v2\"",
        ]
    );
}

#[tokio::test]
async fn after_a_restart_the_copy_counts_with_its_age_and_its_tag() {
    let mut world = World::of(vec![answers("200 OK\r\netag: \"v1\"", &list(40))]).await;
    world.asks().await;
    let (url, copy) = (world.server.url.clone(), world.server.copy.clone());
    let label = label_of(&copy, &url).await.unwrap();
    assert_eq!(label.etag.as_deref(), Some("\"v1\""));
    let source = |url: &str| RevocationSource::Url {
        url: url.to_owned(),
        copy: copy.clone(),
    };
    world.clock.fetch_add(7200, Ordering::Relaxed);
    let elsewhere = world.directory.path().join("again");
    std::fs::create_dir(&elsewhere).unwrap();
    let again = service(&elsewhere, Arc::clone(&world.clock), Vec::new()).await;
    at_start(&again, &source(&url)).await.unwrap();
    let view = again.revocation_list().view(again.now());
    assert_eq!((view.entries, view.age_seconds), (40, Some(7200)));
    // Another server's copy, a torn one and none leave the service without a list, not without a start.
    let other = std::fs::read(&copy).unwrap();
    for (number, bytes) in [other.as_slice(), &other[..60], b"{}"].iter().enumerate() {
        std::fs::write(&copy, bytes).unwrap();
        let name = elsewhere.join(number.to_string());
        std::fs::create_dir(&name).unwrap();
        let fresh = service(&name, Arc::clone(&world.clock), Vec::new()).await;
        at_start(&fresh, &source("https://elsewhere.example/"))
            .await
            .unwrap();
        assert_eq!(fresh.revocation_list_age(), ListAge::Missing);
    }
}

#[tokio::test]
async fn a_file_is_as_old_as_it_says_and_a_bad_one_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(i64::MAX));
    let service = service(directory.path(), clock, Vec::new()).await;
    let path = directory.path().join("status.json");
    let source = RevocationSource::File(path.clone());
    assert!(at_start(&service, &source).await.is_err());
    std::fs::write(&path, list(2)).unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    at_start(&service, &source).await.unwrap();
    let age = ListAge::ConfirmedAt(UnixTime(1_700_000_000));
    assert_eq!(service.revocation_list_age(), age);
    std::fs::write(&path, "half a li").unwrap();
    assert!(read_file(&service, &path).await.is_err());
    assert_eq!(service.revocation_list_age(), age);
    assert_eq!(service.revocations().len(), 2);
}

#[test]
fn an_answer_is_good_for_as_long_as_it_says_within_bounds() {
    for (control, age, minutes) in [
        (None, None, 60),
        (Some("public, max-age=7200"), None, 120),
        (Some("max-age=7200"), Some("3600"), 60),
        (Some("max-age=1"), None, 5),
        (Some("no-store"), None, 60),
        (Some("max-age=99999999999"), None, 24 * 60),
        (Some("max-age=x"), None, 60),
        (Some("max-age=60"), Some("7200"), 5),
    ] {
        let headers = [("cache-control", control), ("age", age)];
        let headers = headers
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?)));
        let answer = Answer::with_headers(headers);
        assert_eq!(
            pause_of(&answer),
            Duration::from_secs(minutes * 60),
            "{control:?} {age:?}"
        );
    }
}
