//! Starting and stopping the service: data directory, keys, listeners, background work.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use bonafide_wire::admin::CreatedCredential;
use bonafide_wire::ids::AccountId;

use crate::app::admin::credentials::first_start;
use crate::app::{AppError, Service, Settings};
use crate::background;
use crate::clock::Clock;
use crate::http::frame::{Frame, Limits};
use crate::http::{admin_router, device_router};
use crate::keys::master::{MasterKeys, WhenMissing};
use crate::keys::{KeyError, Keys};
use crate::metrics::Metrics;
use crate::revocation_source::{self, RevocationSource};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::tasks::Tasks;
use crate::tls::{TlsError, TlsFiles};
use crate::upstream::OutboundOptions;

/// Name of the database in the data directory.
const DATABASE: &str = "bonafide.db";
/// Name of the master key file in the data directory.
const MASTER_KEY: &str = "master.key";
/// The account that a first start makes.
const FIRST_ACCOUNT: &str = "default";
/// How long requests may take to end when the service stops.
const DRAIN: Duration = Duration::from_secs(25);
/// How long background tasks may take to end.
const FLUSH: Duration = Duration::from_secs(10);

/// How phones and operators reach the listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Plain HTTP, on loopback only.
    Loopback,
    /// Plain HTTP on any address, because a reverse proxy in front speaks TLS.
    BehindProxy,
    /// TLS with these files; an admin listener on loopback stays plain.
    Tls(TlsFiles),
}

/// Where Google's attestation status list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationList {
    /// Nowhere: nothing counts as revoked.
    Nowhere,
    /// A file that something else keeps fresh.
    File(PathBuf),
    /// A server; its last good answer is kept in the data directory.
    Url(String),
}

/// What `bonafide serve` was told.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where everything is kept; made if absent.
    pub data_dir: PathBuf,
    /// The master key file; `master.key` in the data directory if not told.
    pub master_key_file: Option<PathBuf>,
    /// The device listener (public).
    pub device_addr: SocketAddr,
    /// The admin listener (private).
    pub admin_addr: SocketAddr,
    /// The device listener's URL as phones reach it; the listener's own address if not told.
    pub public_url: Option<String>,
    /// TLS or not.
    pub transport: Transport,
    /// Where Google's attestation status list comes from.
    pub revocation_list: RevocationList,
    /// How other servers (authorization servers, status lists) are called.
    pub outbound: OutboundOptions,
    /// The time.
    pub clock: Clock,
}

impl ServeOptions {
    fn revocation_source(&self) -> RevocationSource {
        match &self.revocation_list {
            RevocationList::Nowhere => RevocationSource::Nowhere,
            RevocationList::File(path) => RevocationSource::File(path.clone()),
            RevocationList::Url(url) => RevocationSource::Url {
                url: url.clone(),
                copy: self.data_dir.join(revocation_source::COPY),
            },
        }
    }

    /// Everything in one directory, both listeners on free loopback ports, no calls to other servers.
    pub fn on_loopback(data_dir: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            data_dir: data_dir.into(),
            master_key_file: None,
            device_addr: any,
            admin_addr: any,
            public_url: None,
            transport: Transport::Loopback,
            revocation_list: RevocationList::Nowhere,
            outbound: OutboundOptions::default(),
            clock: Clock::system(),
        }
    }
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used")]
    DataDirectory {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A listener cannot be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Plain HTTP where others could listen in.
    #[error(
        "{address} is not a loopback address and there is no TLS: give a certificate, or say that a proxy in front speaks TLS"
    )]
    PlainHttp {
        /// Where.
        address: SocketAddr,
    },
    /// The public URL cannot be part of a config string.
    #[error("the public URL {0} must be https without a trailing slash (http only on loopback)")]
    PublicUrl(String),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The revocation list cannot be used.
    #[error("the revocation list cannot be used: {0}")]
    RevocationList(String),
    /// An account's trust keys cannot be opened.
    #[error(
        "the trust keys of account {0} are sealed under a key that is not in the master key file: put its line back, below the others"
    )]
    TrustKeys(AccountId),
    /// The master key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stored configuration cannot be used.
    #[error(transparent)]
    App(#[from] AppError),
}

/// The service.
#[derive(Debug)]
pub struct Server;

/// A running service.
#[derive(Debug)]
pub struct Running {
    /// Where the device listener is.
    pub device_addr: SocketAddr,
    /// Where the admin listener is.
    pub admin_addr: SocketAddr,
    /// The device listener's URL as phones reach it.
    pub public_url: String,
    /// The root admin credential, after a first start only. Nobody can read it again.
    pub first_credential: Option<CreatedCredential>,
    service: Arc<Service>,
    listeners: Listeners,
    tasks: Tasks,
}

#[derive(Debug)]
struct Listeners {
    frames: [Frame; 2],
    handle: Handle<SocketAddr>,
    serving: tokio::task::JoinSet<std::io::Result<()>>,
}

impl Server {
    /// Starts everything; when this returns, both listeners answer.
    pub async fn start(options: ServeOptions) -> Result<Running, StartError> {
        for address in [options.device_addr, options.admin_addr] {
            check_exposure(address, &options.transport)?;
        }
        let device = listen(options.device_addr)?;
        let admin = listen(options.admin_addr)?;
        let (device_addr, admin_addr) = (address_of(&device)?, address_of(&admin)?);
        let public_url = public_url(&options, device_addr)?;
        let service = open(&options, public_url.clone()).await?;
        let source = options.revocation_source();
        revocation_source::at_start(&service, &source)
            .await
            .map_err(StartError::RevocationList)?;
        let first = AccountId::parse(FIRST_ACCOUNT)
            .map_err(|error| AppError::Internal(error.to_string()))?;
        let first_credential = first_start(&service, &first).await?;
        let mut tasks = Tasks::default();
        background::start(&mut tasks, &service, &source);
        let mut listeners = Listeners::new(service.metrics());
        let tls = match &options.transport {
            Transport::Tls(files) => Some(files.load()?),
            Transport::Loopback | Transport::BehindProxy => None,
        };
        let [device_frame, admin_frame] = &listeners.frames;
        let device_routes = device_router(&service, device_frame);
        let admin_routes = admin_router(&service, admin_frame);
        // The certificate names the public host; an operator on this machine speaks to 127.0.0.1.
        let admin_tls = tls.clone().filter(|_| !admin_addr.ip().is_loopback());
        listeners.serve(device, device_routes, tls)?;
        listeners.serve(admin, admin_routes, admin_tls)?;
        tracing::info!(%device_addr, %admin_addr, public_url, "serving");
        Ok(Running {
            device_addr,
            admin_addr,
            public_url,
            first_credential,
            service,
            listeners,
            tasks,
        })
    }
}

impl Running {
    /// The shared state, for what runs in the same process.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Stops: readiness goes off, requests end, queues are flushed.
    pub async fn stop(mut self) {
        tracing::info!("stopping");
        for frame in &self.listeners.frames {
            frame.drain();
        }
        self.listeners.handle.graceful_shutdown(Some(DRAIN));
        while self.listeners.serving.join_next().await.is_some() {}
        self.tasks.stop(FLUSH).await;
        tracing::info!("stopped");
    }
}

impl Listeners {
    fn new(metrics: &Arc<Metrics>) -> Self {
        let limits = Limits::default();
        let frame = |name| Frame::new(name, &limits).counted_in(metrics);
        Self {
            frames: [frame("device"), frame("admin")],
            handle: Handle::new(),
            serving: tokio::task::JoinSet::new(),
        }
    }

    fn serve(
        &mut self,
        listener: std::net::TcpListener,
        routes: Router,
        tls: Option<axum_server::tls_rustls::RustlsConfig>,
    ) -> Result<(), StartError> {
        let address = address_of(&listener)?;
        let failed = |source| StartError::Listen { address, source };
        let app = routes.into_make_service_with_connect_info::<SocketAddr>();
        // Both listeners are counted and stopped together.
        let handle = Handle::with_control(self.handle.control());
        match tls {
            None => {
                let mut server = axum_server::from_tcp(listener).map_err(failed)?;
                bound(server.http_builder());
                self.serving.spawn(server.handle(handle).serve(app));
            }
            Some(config) => {
                let mut server = axum_server::from_tcp_rustls(listener, config).map_err(failed)?;
                bound(server.http_builder());
                self.serving.spawn(server.handle(handle).serve(app));
            }
        }
        Ok(())
    }
}

/// What one connection may cost before its first request is complete.
fn bound(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    const HEADERS: Duration = Duration::from_secs(10);
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        // A phone has one request under way, seldom two; each may hold one of the listener's places.
        .max_concurrent_streams(8)
        .max_header_list_size(32 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(20)));
}

fn check_exposure(address: SocketAddr, transport: &Transport) -> Result<(), StartError> {
    let plain = *transport == Transport::Loopback;
    if plain && !address.ip().is_loopback() {
        return Err(StartError::PlainHttp { address });
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    std::net::TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })
}

fn address_of(listener: &std::net::TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen {
        address: SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0),
        source,
    })
}

/// Phones compile it in (W-1), so what a config string would refuse is refused here.
fn public_url(options: &ServeOptions, device: SocketAddr) -> Result<String, StartError> {
    let scheme = match options.transport {
        Transport::Loopback => "http",
        Transport::BehindProxy | Transport::Tls(_) => "https",
    };
    let url = options
        .public_url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{device}"));
    if bonafide_wire::config_string::is_service(&url) {
        Ok(url)
    } else {
        Err(StartError::PublicUrl(url))
    }
}

async fn open(options: &ServeOptions, public_url: String) -> Result<Arc<Service>, StartError> {
    let path = &options.data_dir;
    make_private_directory(path).map_err(|source| StartError::DataDirectory {
        path: path.clone(),
        source,
    })?;
    let database = path.join(DATABASE);
    // A new key beside old data would make all of it unreadable for ever.
    let missing = if database.exists() {
        WhenMissing::Refuse
    } else {
        WhenMissing::Create
    };
    let key_file = options
        .master_key_file
        .clone()
        .unwrap_or_else(|| path.join(MASTER_KEY));
    let keys = Keys::new(&MasterKeys::load(&key_file, missing)?)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&database)?);
    let settings = Settings {
        public_url,
        outbound: options.outbound.clone(),
    };
    let service = Service::open(store, keys, options.clock.clone(), settings).await?;
    // At start, not at the first change: by then the old line of the master key file may be gone for good.
    for (id, account) in &service.snapshot().configuration.accounts {
        let opened = service.keys().check_trust_keys(id, &account.trust_keys);
        opened.map_err(|_| StartError::TrustKeys(id.clone()))?;
    }
    Ok(service)
}

fn make_private_directory(path: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}
