//! Somebody inside the phone: reads what Books gives to TLS and what comes out of it, and changes nothing.
//!
//! On a phone that somebody controls, a hook in the TLS library does this. Here it is a TLS server with a certificate that
//! Books believes, which passes everything on to the real one; the bytes are the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bonafide_provider::ServerIdentity;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::http::Captured;

/// The attacker in the phone.
#[derive(Debug)]
pub(super) struct Insider {
    address: SocketAddr,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

#[derive(Clone)]
struct Ears {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    server: SocketAddr,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Insider {
    /// Sits between Books and `server`, whose certificates are by `authority` (DER).
    pub(super) async fn new(
        identity: ServerIdentity,
        authority: &[u8],
        server: SocketAddr,
    ) -> std::io::Result<Self> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let ears = Ears {
            acceptor: acceptor(identity)?,
            connector: connector(authority)?,
            server,
            said: Arc::clone(&said),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((books, _)) = listener.accept().await {
                tokio::spawn(listen(ears.clone(), books));
            }
        });
        Ok(Self {
            address,
            said,
            accepting,
        })
    }

    /// Where Books is led to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that Books sent to this path, oldest first.
    pub(super) fn requests_to(&self, path: &str) -> Vec<Captured> {
        let line = format!("POST {path} ");
        let said = lock(&self.said).clone();
        let all = said.iter().flat_map(|connection| Captured::all(connection));
        all.filter(|request| request.head.starts_with(&line))
            .collect()
    }

    /// Everything that Books sent.
    pub(super) fn heard(&self) -> Vec<u8> {
        lock(&self.said).concat()
    }
}

impl Drop for Insider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One version of HTTP only, so that the bytes can be read.
const HTTP: &[u8] = b"http/1.1";

fn acceptor(identity: ServerIdentity) -> std::io::Result<TlsAcceptor> {
    let chain = identity.chain.into_iter().map(CertificateDer::from);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key));
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .map_err(std::io::Error::other)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(authority: &[u8]) -> std::io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.to_vec()))
        .map_err(std::io::Error::other)?;
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connection that breaks is not his concern.
async fn listen(ears: Ears, books: TcpStream) {
    drop(pass_on(ears, books).await);
}

async fn pass_on(ears: Ears, books: TcpStream) -> std::io::Result<()> {
    let books = ears.acceptor.accept(books).await?;
    let name = books.get_ref().1.server_name().unwrap_or_default();
    let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
    let server = TcpStream::connect(ears.server).await?;
    let server = ears.connector.connect(name, server).await?;
    let number = {
        let mut said = lock(&ears.said);
        said.push(Vec::new());
        said.len() - 1
    };
    let (from_books, to_books) = tokio::io::split(books);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::try_join!(
        pump(from_books, to_server, |bytes| {
            if let Some(connection) = lock(&ears.said).get_mut(number) {
                connection.extend_from_slice(bytes);
            }
        }),
        pump(from_server, to_books, |_| ())
    )?;
    Ok(())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    hear: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        hear(bytes);
        to.write_all(bytes).await?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
