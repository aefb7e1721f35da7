//! Starting, steering and stopping a stand-in.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::task::JoinHandle;

use crate::client::{Client, Overlap};
use crate::clock;
use crate::grants::Grants;
use crate::http::{self, Seen};
use crate::library::{ClientMethod, KeySource, Library};
use crate::options::{ProviderOptions, ServerIdentity, User};
use crate::proxy;
use crate::secret::ClientSecret;
use crate::signing::SigningKey;

/// What all routes share.
pub(crate) struct Shared {
    pub(crate) client: Mutex<Client>,
    pub(crate) grants: Mutex<Grants>,
    pub(crate) seen: Mutex<VecDeque<Seen>>,
    pub(crate) signing: SigningKey,
    pub(crate) user: User,
    pub(crate) library: Option<Library>,
}

impl Shared {
    pub(crate) fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, VecDeque<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stand-in that could not start.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The address is taken, or not ours.
    #[error("the provider stand-in cannot listen")]
    Listen(#[from] std::io::Error),
    /// Certificate or key.
    #[error("the provider stand-in cannot use its certificate")]
    Tls(#[from] rustls::Error),
    /// The key that signs ID tokens.
    #[error("the provider stand-in cannot make a signing key")]
    SigningKey,
}

/// The stand-in, before it runs.
#[derive(Debug)]
pub struct Provider;

/// The stand-in, running. Dropping it stops it at once.
pub struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    browser_addr: Option<SocketAddr>,
    proxy_addr: Option<SocketAddr>,
    client_id: String,
    user: User,
    handle: Handle<SocketAddr>,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
    proxy: Option<JoinHandle<std::io::Result<()>>>,
}

impl Provider {
    /// Starts listening.
    pub async fn start(options: ProviderOptions) -> Result<Running, ProviderError> {
        let client_id = options.client.client_id.clone();
        let user = options.user.clone();
        let signing = tokio::task::spawn_blocking(SigningKey::generate)
            .await
            .ok()
            .flatten()
            .ok_or(ProviderError::SigningKey)?;
        let shared = Arc::new(Shared {
            client: Mutex::new(Client::new(options.client)),
            grants: Mutex::new(Grants::default()),
            seen: Mutex::new(VecDeque::new()),
            signing,
            user: options.user,
            library: options.library.map(Library::new),
        });
        let tls = RustlsConfig::from_config(Arc::new(tls(options.identity)?));
        let handle = Handle::new();
        let (listener, addr) = listen(options.addr)?;
        let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle.clone());
        let app = http::by_host(&shared).into_make_service();
        let mut tasks = vec![tokio::spawn(server.serve(app))];
        let mut browser_addr = None;
        if let Some(wanted) = options.browser_addr {
            let (listener, addr) = listen(wanted)?;
            browser_addr = Some(addr);
            tasks.push(plain(listener, http::pages_only(&shared), &handle)?);
        }
        let (mut proxy_addr, mut proxy) = (None, None);
        if let Some(wanted) = options.proxy_addr {
            let (listener, bound) = listen(wanted)?;
            proxy_addr = Some(bound);
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let hosts = [crate::HOSTS.as_slice(), crate::LIBRARY_HOSTS.as_slice()].concat();
            proxy = Some(tokio::spawn(proxy::serve(listener, addr, hosts)));
        }
        Ok(Running {
            shared,
            addr,
            browser_addr,
            proxy_addr,
            client_id,
            user,
            handle,
            tasks,
            proxy,
        })
    }
}

fn plain(
    listener: TcpListener,
    app: Router,
    handle: &Handle<SocketAddr>,
) -> Result<JoinHandle<std::io::Result<()>>, ProviderError> {
    let server = axum_server::from_tcp(listener)?.handle(handle.clone());
    Ok(tokio::spawn(server.serve(app.into_make_service())))
}

fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ProviderError> {
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

fn tls(identity: ServerIdentity) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = identity
        .chain
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Running {
    /// Where all hosts are served over TLS.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where a person's browser finds the pages, in plain http on loopback.
    pub fn browser_addr(&self) -> Option<SocketAddr> {
        self.browser_addr
    }

    /// The proxy that leads the stand-in's names to it.
    pub fn proxy_addr(&self) -> Option<SocketAddr> {
        self.proxy_addr
    }

    /// The registered client.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Who can sign in.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Registers a new client secret; the old one dies at once or after the overlap.
    pub fn rotate_client_secret(&self, secret: &ClientSecret, overlap: Overlap) {
        self.shared.client().rotate(secret, overlap, clock::now());
    }

    /// From now on the Library believes these attesters of clients.
    pub fn trust_attesters(&self, keys: KeySource) {
        if let Some(library) = &self.shared.library {
            library.trust_attesters(keys);
        }
    }

    /// From now on the Library believes software statements under these keys.
    pub fn trust_statements(&self, keys: KeySource) {
        if let Some(library) = &self.shared.library {
            library.trust_statements(keys);
        }
    }

    /// Another way of authentication for one of the Library's clients; whether there is such a client.
    pub fn replace_method(&self, client_id: &str, method: ClientMethod) -> bool {
        let library = self.shared.library.as_ref();
        library.is_some_and(|library| library.replace_method(client_id, method))
    }

    /// Whether the Library knows a client.
    pub fn has_client(&self, client_id: &str) -> bool {
        let library = self.shared.library.as_ref();
        library.is_some_and(|library| library.has_client(client_id))
    }

    /// As if an hour had passed: access tokens die, refresh tokens live.
    pub fn expire_access_tokens(&self) {
        self.shared.grants().expire_access_tokens();
    }

    /// As if the user had withdrawn every consent: all tokens die.
    pub fn withdraw_consents(&self) {
        self.shared.grants().withdraw_all();
    }

    /// What arrived lately, oldest first: host, method, path, status. Never a query, body or header value.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen().iter().cloned().collect()
    }

    /// Stops: no new connections, a second for those that are busy.
    pub async fn stop(mut self) {
        self.handle.graceful_shutdown(Some(Duration::from_secs(1)));
        for task in std::mem::take(&mut self.tasks) {
            // A listener that failed is as stopped as one that was told to.
            drop(task.await);
        }
    }

    /// Waits until it ends by itself.
    pub async fn wait(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            drop(task.await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(proxy) = self.proxy.take() {
            proxy.abort();
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Running")
            .field("addr", &self.addr)
            .field("browser_addr", &self.browser_addr)
            .finish_non_exhaustive()
    }
}
