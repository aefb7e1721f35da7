//! A man in the middle: a TLS server in another's name, under whatever authority would issue for it.
//!
//! It writes down whether a victim completed the handshake and what it then heard.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use bonafide_provider::ServerIdentity;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the attacker caught.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Caught {
    /// Connections that victims opened.
    pub(super) connections: usize,
    /// Bytes that victims sent after a completed handshake.
    pub(super) heard: Vec<u8>,
}

/// The attacker.
#[derive(Debug)]
pub(super) struct Middleman {
    address: SocketAddr,
    caught: Arc<Mutex<Caught>>,
    accepting: JoinHandle<()>,
}

impl Middleman {
    /// Listens on loopback.
    pub(super) async fn new(identity: ServerIdentity) -> std::io::Result<Self> {
        let chain = identity
            .chain
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key));
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(std::io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let caught = Arc::new(Mutex::new(Caught::default()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&caught)));
        Ok(Self {
            address,
            caught,
            accepting,
        })
    }

    /// Where victims are led to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was caught so far.
    pub(super) fn caught(&self) -> Caught {
        lock(&self.caught).clone()
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, caught: Arc<Mutex<Caught>>) {
    while let Ok((victim, _)) = listener.accept().await {
        lock(&caught).connections += 1;
        tokio::spawn(listen(acceptor.clone(), victim, Arc::clone(&caught)));
    }
}

async fn listen(acceptor: TlsAcceptor, victim: TcpStream, caught: Arc<Mutex<Caught>>) {
    let Ok(mut stream) = acceptor.accept(victim).await else {
        return;
    };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = stream.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return;
        };
        lock(&caught).heard.extend_from_slice(bytes);
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            let answer =
                b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

fn lock(mutex: &Mutex<Caught>) -> MutexGuard<'_, Caught> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
