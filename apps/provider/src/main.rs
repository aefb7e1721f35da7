//! `bonafide-provider`: the stand-in by itself, with a CA of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{
    ClientMethod, ClientSecret, HOSTS, KeySource, LIBRARY_HOSTS, LibraryOptions, Provider,
    ProviderOptions,
};
use clap::Parser;

/// A local stand-in for Google as authorization server and Books API, and for a modern one beside it. For demonstrations.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen for TLS.
    #[arg(long, default_value = "127.0.0.1:8710")]
    addr: SocketAddr,
    /// Where a person's browser finds the sign-in pages, in plain http.
    #[arg(long, default_value = "127.0.0.1:8711")]
    browser_addr: SocketAddr,
    /// Where a Bonafide service finds the stand-in by its names (`bonafide serve --upstream-proxy http://…`).
    #[arg(long, default_value = "127.0.0.1:8712")]
    proxy_addr: SocketAddr,
    /// Where to write the demo CA's certificate, for `bonafide trust root add`.
    #[arg(long, default_value = "demo-public-ca.pem")]
    ca_file: PathBuf,
    /// A file that holds the client secret; a new one is written there when it does not exist.
    #[arg(long, default_value = "client-secret.txt")]
    client_secret_file: PathBuf,
    /// JWKS of who may attest clients of the Library; read anew whenever it is needed.
    #[arg(long, value_name = "FILE")]
    attester_jwks: Option<PathBuf>,
    /// JWKS of who may sign software statements for the Library.
    #[arg(long, value_name = "FILE")]
    statement_jwks: Option<PathBuf>,
    /// JWKS of the Library's client `books-keys`.
    #[arg(long, value_name = "FILE")]
    client_jwks: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let ca = DemoCa::public()?;
    std::fs::write(&arguments.ca_file, ca.certificate_pem())
        .with_context(|| format!("{} cannot be written", arguments.ca_file.display()))?;
    let secret = client_secret(&arguments)?;
    let hosts = [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat();
    let library = library(&arguments, &secret);
    let mut options = ProviderOptions::demo(ca.server(&hosts)?, secret);
    options.library = Some(library);
    options.addr = arguments.addr;
    options.browser_addr = Some(arguments.browser_addr);
    options.proxy_addr = Some(arguments.proxy_addr);
    let running = Provider::start(options).await?;
    let user = running.user();
    let mut stderr = std::io::stderr();
    writeln!(
        stderr,
        "listening on {} for {}\npages for a person's browser at http://{}\nproxy for a service at http://{}\nclient id {}\nclient secret in {}\nCA certificate in {}\n\
         sign in as {} with password {}",
        running.addr(),
        hosts.join(", "),
        running.browser_addr().unwrap_or(arguments.browser_addr),
        running.proxy_addr().unwrap_or(arguments.proxy_addr),
        running.client_id(),
        arguments.client_secret_file.display(),
        arguments.ca_file.display(),
        user.email,
        user.password,
    )?;
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}

fn library(arguments: &Arguments, secret: &ClientSecret) -> LibraryOptions {
    let mut library = LibraryOptions::demo(secret);
    let source =
        |file: &Option<PathBuf>| file.clone().map_or_else(KeySource::none, KeySource::File);
    library.attesters = source(&arguments.attester_jwks);
    library.statements = source(&arguments.statement_jwks);
    for client in &mut library.clients {
        if matches!(client.method, ClientMethod::PrivateKeyJwt(_)) {
            client.method = ClientMethod::PrivateKeyJwt(source(&arguments.client_jwks));
        }
    }
    library
}

fn client_secret(arguments: &Arguments) -> Result<ClientSecret> {
    let path = &arguments.client_secret_file;
    if path.exists() {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        return Ok(ClientSecret::new(text.trim()));
    }
    let secret = ClientSecret::generate();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(secret.expose().as_bytes())?;
    Ok(secret)
}
