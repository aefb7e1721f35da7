//! `bonafide serve`: the service, from the command line's options to a clean stop.
//!
//! It starts and stops; everything else is `bonafide-server`'s.

use std::net::SocketAddr;
use std::path::PathBuf;

use bonafide_server::clock::Clock;
use bonafide_server::tls::TlsFiles;
use bonafide_server::upstream::{OutboundOptions, authorities};
use bonafide_server::{RevocationList, Running, ServeOptions, Server, StartError, Transport};
use bonafide_wire::device::SecretJson;
use clap::ValueEnum;
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render;

/// `bonafide serve`
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Runs the service. Everything it keeps is in one directory, which the first start makes, together \
        with the account `default` and one admin credential that is printed this one time.\n\n\
        Two listeners: the device listener is for phones and back ends, the admin listener for the command \
        line; never expose the latter. Ctrl-C or SIGTERM stops it: readiness goes off, requests in flight end.",
    after_long_help = "Standard output has the first credential alone, or with `--output json` one line with the addresses \
        too; everything else goes to standard error.\n\n\
        Examples:\n  bonafide serve\n  \
        bonafide serve --data /var/lib/bonafide --public-url https://attest.example.com --behind-proxy --log-format json\n  \
        bonafide serve --device-addr 0.0.0.0:443 --public-url https://attest.example.com --tls-cert cert.pem --tls-key key.pem"
)]
pub(crate) struct Args {
    /// Where everything is kept; made if need be
    #[arg(long, value_name = "DIR", default_value = "bonafide-data")]
    data: PathBuf,
    /// Device listener: phones, gateways, back ends
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8700")]
    device_addr: SocketAddr,
    /// Admin listener: the command line, automation
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8701")]
    admin_addr: SocketAddr,
    /// The device listener's URL as phones reach it; apps compile it in [default: its own address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// File with the master key [default: `master.key` in the data directory]
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    #[command(flatten)]
    revocations: RevocationArgs,
    #[command(flatten)]
    transport: TransportArgs,
    #[command(flatten)]
    outbound: OutboundArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// Where the list of revoked attestation keys comes from.
#[derive(Debug, clap::Args)]
struct RevocationArgs {
    /// Where Google's attestation status list is fetched; its last good answer is kept in the data directory
    #[arg(
        long,
        value_name = "URL",
        default_value = bonafide_server::revocation_source::GOOGLE,
        conflicts_with_all = ["revocations", "no_revocations"]
    )]
    revocations_url: String,
    /// The list as a file that you keep fresh instead: read again every minute, as old as the file
    #[arg(long, value_name = "FILE", conflicts_with = "no_revocations")]
    revocations: Option<PathBuf>,
    /// No list: nothing counts as revoked, and the strict policy refuses phones for that
    #[arg(long)]
    no_revocations: bool,
}

impl RevocationArgs {
    fn source(self) -> RevocationList {
        match self.revocations {
            Some(path) => RevocationList::File(path),
            None if self.no_revocations => RevocationList::Nowhere,
            None => RevocationList::Url(self.revocations_url),
        }
    }
}

/// How other servers are called.
#[derive(Debug, clap::Args)]
struct OutboundArgs {
    /// Authorities that vouch for upstream servers beside the compiled-in ones (a company's own CA), PEM
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// Proxy for every call to another server; the environment's proxies are not used
    #[arg(long, value_name = "URL")]
    upstream_proxy: Option<String>,
}

/// How the listeners are reached.
#[derive(Debug, clap::Args)]
struct TransportArgs {
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A reverse proxy in front speaks TLS: plain HTTP here, on any address
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    behind_proxy: bool,
}

/// What is logged, and how.
#[derive(Debug, clap::Args)]
struct LogArgs {
    /// How log lines look
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Which log lines, for example `info` or `info,bonafide_server=debug`
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "BONAFIDE_LOG",
        hide_env_values = true
    )]
    log: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One object in each line
    Json,
}

/// What `--output json` says when both listeners answer.
#[derive(Debug, Serialize)]
struct Started {
    device_url: String,
    admin_url: String,
    public_url: String,
    first_credential: Option<SecretJson>,
}

/// Serves until told to stop.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    log_to_stderr(&args.log)?;
    let transport = args.transport.transport();
    let encrypted = matches!(transport, Transport::Tls(_));
    let options = ServeOptions {
        data_dir: args.data,
        master_key_file: args.master_key_file,
        device_addr: args.device_addr,
        admin_addr: args.admin_addr,
        public_url: args.public_url,
        transport,
        revocation_list: args.revocations.source(),
        outbound: args.outbound.options()?,
        clock: Clock::system(),
    };
    let mut running = Server::start(options).await.map_err(not_started)?;
    announce(&mut running, encrypted.into(), context)?;
    told_to_stop().await?;
    running.stop().await;
    Ok(Exit::Done)
}

impl OutboundArgs {
    fn options(self) -> Result<OutboundOptions, Failure> {
        let mut extra_roots = Vec::new();
        if let Some(path) = &self.upstream_ca {
            let pem = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
            extra_roots = authorities(&pem)
                .ok_or_else(|| Failure::usage(format!("{}: no PEM certificate", path.display())))?;
        }
        Ok(OutboundOptions {
            extra_roots,
            proxy: self.upstream_proxy,
        })
    }
}

impl TransportArgs {
    fn transport(self) -> Transport {
        match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(private_key)) => Transport::Tls(TlsFiles {
                certificate,
                private_key,
            }),
            _ if self.behind_proxy => Transport::BehindProxy,
            _ => Transport::Loopback,
        }
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Plain,
    Tls,
}

impl From<bool> for Scheme {
    fn from(encrypted: bool) -> Self {
        if encrypted { Self::Tls } else { Self::Plain }
    }
}

impl Scheme {
    fn url(self, address: SocketAddr) -> String {
        match self {
            Self::Plain => format!("http://{address}"),
            Self::Tls => format!("https://{address}"),
        }
    }
}

fn announce(running: &mut Running, scheme: Scheme, context: &Context) -> Result<(), Failure> {
    let first = running.first_credential.take();
    let started = Started {
        device_url: scheme.url(running.device_addr),
        // On loopback an operator needs no certificate.
        admin_url: if running.admin_addr.ip().is_loopback() {
            Scheme::Plain.url(running.admin_addr)
        } else {
            scheme.url(running.admin_addr)
        },
        public_url: running.public_url.clone(),
        first_credential: first.map(|created| SecretJson(created.secret)),
    };
    if context.console.is_json() {
        let line = serde_json::to_string(&started)
            .map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        return render::line(&line);
    }
    render::say(&format!(
        "devices  {}  (apps compile in {})\nadmin    {}",
        started.device_url, started.public_url, started.admin_url
    ));
    let Some(credential) = started.first_credential else {
        return Ok(());
    };
    render::say(
        "\nFirst start: account `default`, and this admin credential. It is shown this once; keep it safe.\n",
    );
    render::line(credential.0.expose())?;
    let url = if started.admin_url == crate::context::LOCAL_ADMIN {
        String::new()
    } else {
        format!(" --url {}", started.admin_url)
    };
    render::say(&format!(
        "\nNext, in another terminal:\n  bonafide{url} login              # paste the credential\n  \
         eval \"$(bonafide role admin)\"\n  bonafide registration add app.apk\n"
    ));
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last to see it")]
fn not_started(error: StartError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    let failure = Failure::new(Exit::Refused, message);
    match error {
        StartError::PlainHttp { .. } => failure.hint("--tls-cert and --tls-key, or --behind-proxy"),
        StartError::Listen { .. } => {
            failure.hint("is another service running? --device-addr and --admin-addr choose others")
        }
        _ => failure,
    }
}

fn log_to_stderr(args: &LogArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| Failure::usage(format!("--log {}: {error}", args.log)))?;
    let failed = |error| Failure::new(Exit::Refused, format!("no log: {error}"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Json => {
            let subscriber = subscriber.json().flatten_event(true);
            subscriber.finish().try_init().map_err(failed)
        }
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let subscriber = subscriber.with_ansi(colour);
            subscriber.finish().try_init().map_err(failed)
        }
    }
}

#[cfg(unix)]
async fn told_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::new(Exit::Refused, format!("signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> Result<(), Failure> {
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| Failure::new(Exit::Refused, format!("signals: {error}")))
}
