//! Builds the story's world: service, authorization server, authorities, developer, phones.
//!
//! All of it lives in one temporary directory (the operator's desk) and on loopback ports, and ends with the story.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use bonafide_books::{PACKAGE, Provider as BooksProvider};
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{
    ClientMethod, ClientSecret, HOSTS, KeySource, LIBRARY_HOSTS, LibraryOptions, Overlap, Provider,
    ProviderOptions,
};
use bonafide_sdk::SdkConfig;
use bonafide_server::clock::Clock;
use bonafide_server::upstream::OutboundOptions;
use bonafide_server::{ServeOptions, Server};
use bonafide_simulator::apk::{Apk, BuildType, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone};
use url::Url;

use super::handset::{Handset, Surroundings};
use super::insider::Insider;
use super::operator::Operator;
use super::scene::{Holds, OrOtherwise as _, Otherwise, Told, expect};
use super::tap::{LooseEnd, Tap};

const VERSION_CODE: u32 = 7;
const SERVICE_LOG: &str = "service.log";
const DATA: &str = "bonafide-data";

/// The world.
#[derive(Debug)]
pub(super) struct Stage {
    /// Who types the commands.
    pub(super) operator: Operator,
    /// Who listens between phones and service.
    pub(super) tap: Tap,
    /// Google's part.
    pub(super) provider: bonafide_provider::Running,
    /// The phone that the story follows.
    pub(super) books: Handset,
    /// Signed Google's certificate.
    pub(super) public_ca: DemoCa,
    /// As public, until it loses its standing.
    pub(super) wobbly_ca: DemoCa,
    /// Made by an attacker; somehow in every phone's store.
    pub(super) kitchen_ca: DemoCa,
    /// When the operator had registered the build.
    pub(super) registered_at: Option<Instant>,
    service: bonafide_server::Running,
    surroundings: Surroundings,
    factory: Factory,
    developer: SigningKey,
    apk: Apk,
    secrets: Vec<ClientSecret>,
    clock: Clock,
    desk: tempfile::TempDir,
}

/// What a search through the service's files found.
#[derive(Debug)]
pub(super) struct Searched {
    /// How many files.
    pub(super) files: usize,
    /// How many bytes.
    pub(super) bytes: u64,
    /// The file in which a secret is in clear.
    pub(super) found: Option<PathBuf>,
}

struct Authorities {
    public: DemoCa,
    wobbly: DemoCa,
    kitchen: DemoCa,
}

impl Stage {
    /// Builds it.
    pub(super) async fn build() -> Result<Self, Otherwise> {
        let desk = tempfile::Builder::new().prefix("bonafide-demo-").tempdir();
        let desk = desk.or_otherwise("a temporary directory")?;
        log_to(&desk.path().join(SERVICE_LOG))?;
        let clock = Clock::system();
        let authorities = Authorities::new()?;
        let secret = ClientSecret::generate();
        let provider = start_provider(&authorities, &secret).await?;
        let outbound = outbound(&provider, &authorities)?;
        let (service, tap) = start_service(desk.path(), (&clock, outbound)).await?;
        let operator = operator(desk.path(), &service)?;
        let config = sdk_config(&operator).await?;
        let surroundings = surroundings(config, &provider, &authorities)?;
        let factory = Factory::new(clock.now()).or_otherwise("a factory")?;
        let developer = SigningKey::generate(KeyKind::EcP256, "Books developer", clock.now());
        let developer = developer.or_otherwise("a developer")?;
        let apk = build_books(&developer, &surroundings.config)?;
        let phone = Phone::builder("Demo phone").build(&factory, clock.now());
        let books = Handset::install(
            phone.or_otherwise("a phone")?,
            &apk,
            desk.path().join("phone-1"),
            surroundings.clone(),
        )?;
        let stage = Self {
            operator,
            tap,
            provider,
            books,
            public_ca: authorities.public,
            wobbly_ca: authorities.wobbly,
            kitchen_ca: authorities.kitchen,
            registered_at: None,
            service,
            surroundings,
            factory,
            developer,
            apk,
            secrets: vec![secret],
            clock,
            desk,
        };
        stage.lay_out_desk()?;
        Ok(stage)
    }

    /// Puts the files on the desk that the operator's commands name.
    fn lay_out_desk(&self) -> Told {
        let write = |name: &str, content: &[u8]| {
            fs::write(self.desk.path().join(name), content).or_otherwise(name)
        };
        write(
            "demo-public-ca.pem",
            self.public_ca.certificate_pem().as_bytes(),
        )?;
        write(
            "wobbly-public-ca.pem",
            self.wobbly_ca.certificate_pem().as_bytes(),
        )?;
        write(
            "phone-root.pem",
            self.factory.root_certificate_pem().as_bytes(),
        )?;
        write("books.apk", self.apk.bytes())
    }

    /// Where everything is.
    pub(super) fn desk(&self) -> &Path {
        self.desk.path()
    }

    /// Who plays, for the first page.
    pub(super) fn program(&self) -> [String; 4] {
        [
            String::new(),
            format!(
                "service    phones on {}, operators on {}",
                self.service.public_url,
                self.admin_url()
            ),
            format!(
                "provider   {} and its sisters, on {} under \"Bonafide Demo Public CA\"",
                HOSTS.first().copied().unwrap_or_default(),
                self.provider.addr()
            ),
            format!(
                "phone      a virtual one with Books ({} {}) on it",
                self.apk.package(),
                self.apk.version_code()
            ),
        ]
    }

    /// The service's device listener, past the tap.
    pub(super) fn service_address(&self) -> SocketAddr {
        self.service.device_addr
    }

    /// The service's admin listener.
    pub(super) fn admin_url(&self) -> String {
        format!("http://{}", self.service.admin_addr)
    }

    /// Where a browser finds the sign-in pages.
    pub(super) fn pages(&self) -> &Url {
        &self.surroundings.pages
    }

    /// The config string.
    pub(super) fn config(&self) -> &SdkConfig {
        &self.surroundings.config
    }

    /// The registered build.
    pub(super) fn apk(&self) -> &Apk {
        &self.apk
    }

    /// The client secret that is good at the provider now.
    pub(super) fn client_secret(&self) -> Result<&ClientSecret, Otherwise> {
        self.secrets.last().or_otherwise("no secret")
    }

    /// Somebody presses "reset" in the provider's console.
    pub(super) fn rotate_at_provider(&mut self) {
        let fresh = ClientSecret::generate();
        self.provider.rotate_client_secret(&fresh, Overlap::None);
        self.secrets.push(fresh);
    }

    /// A clone of Books with a backdoor, signed by somebody else, on the attacker's own phone.
    pub(super) fn clone_on_another_phone(&self) -> Result<Handset, Otherwise> {
        let stranger = SigningKey::generate(KeyKind::EcP256, "Somebody else", self.clock.now());
        let clone = self
            .apk
            .contents()
            .code("Books, and a backdoor")
            .sign(&stranger.or_otherwise("a key")?);
        self.another_phone("phone-of-the-cloner", &clone.or_otherwise("a clone")?)
    }

    /// Tonight's debug build on its developer's phone.
    pub(super) fn developers_phone(&self) -> Result<Handset, Otherwise> {
        let build = self
            .apk
            .contents()
            .version(VERSION_CODE + 1, "1.8-debug")
            .build_type(BuildType::Debug)
            .code("what the developer wrote tonight")
            .sign(&self.developer);
        self.another_phone("phone-of-the-developer", &build.or_otherwise("a build")?)
    }

    /// The registered build on a phone with an unlocked boot loader.
    pub(super) fn books_on_unlocked_phone(&self) -> Result<Handset, Otherwise> {
        let phone = self.new_phone("Unlocked phone")?;
        phone.unlock_bootloader().or_otherwise("unlocking")?;
        self.handset("phone-unlocked", phone, &self.apk)
    }

    /// The registered file with one byte changed, on the desk.
    pub(super) fn write_tampered_apk(&self) -> Told {
        let mut bytes = self.apk.bytes().to_vec();
        // Into the compressed data of `classes.dex`, well behind its name.
        let at = super::find(&bytes, b"classes.dex").map(|at| at + 20);
        let byte = at.and_then(|at| bytes.get_mut(at));
        *byte.or_otherwise("the APK has no code")? ^= 1;
        fs::write(self.desk.path().join("tampered.apk"), bytes).or_otherwise("tampered.apk")
    }

    fn another_phone(&self, name: &str, apk: &Apk) -> Result<Handset, Otherwise> {
        self.handset(name, self.new_phone(name)?, apk)
    }

    fn new_phone(&self, model: &str) -> Result<Phone, Otherwise> {
        let phone = Phone::builder(model).build(&self.factory, self.clock.now());
        phone.or_otherwise("a phone")
    }

    fn handset(&self, name: &str, phone: Phone, apk: &Apk) -> Result<Handset, Otherwise> {
        let state = self.desk.path().join(name);
        Handset::install(phone, apk, state, self.surroundings.clone())
    }

    /// Somebody inside the phone, between Books and TLS.
    pub(super) async fn insider(&self) -> Result<Insider, Otherwise> {
        let identity = self.public_ca.server(&hosts());
        let identity = identity.or_otherwise("the insider's ear")?;
        let authority = self.public_ca.certificate_der();
        let insider = Insider::new(identity, authority, self.provider.addr()).await;
        insider.or_otherwise("the insider")
    }

    /// The Library's operator registers what he was sent: who attests, and the key of one client.
    pub(super) async fn introduce_to_library(&self) -> Told {
        let shown = self
            .operator
            .looks_up("bonafide upstream show library-keys");
        let jwk = shown.await?["authentication"]["jwk"].clone();
        let keys = KeySource::Fixed(serde_json::json!({"keys": [jwk]}));
        let method = ClientMethod::PrivateKeyJwt(keys);
        let known = self.provider.replace_method("books-keys", method);
        expect(Holds(known), || {
            "the Library does not know books-keys".to_owned()
        })?;
        let url = format!(
            "http://{}/v1/{}/attester/jwks.json",
            self.service.device_addr,
            self.config().account
        );
        let client = reqwest::Client::builder().no_proxy().build();
        let answer = client.or_otherwise("a client")?.get(url).send().await;
        let attesters = answer.or_otherwise("the attester's keys")?.json().await;
        let attesters = attesters.or_otherwise("the attester's keys")?;
        self.provider.trust_attesters(KeySource::Fixed(attesters));
        Ok(())
    }

    /// Looks for every secret that ever was in everything that the service wrote: data directory and log.
    pub(super) fn search_service_files(&self) -> Result<Searched, Otherwise> {
        let mut searched = Searched {
            files: 0,
            bytes: 0,
            found: None,
        };
        let mut paths = vec![self.desk.path().join(SERVICE_LOG)];
        let data = fs::read_dir(self.desk.path().join(DATA)).or_otherwise("the data directory")?;
        for entry in data {
            paths.push(entry.or_otherwise("the data directory")?.path());
        }
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let content = fs::read(&path).or_otherwise("a file of the service")?;
            searched.files += 1;
            searched.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
            if self.leaks(&content) {
                searched.found = Some(path);
            }
        }
        Ok(searched)
    }

    /// Whether any secret that ever was occurs in these bytes.
    pub(super) fn leaks(&self, bytes: &[u8]) -> bool {
        self.secrets
            .iter()
            .any(|secret| super::find(bytes, secret.expose().as_bytes()).is_some())
    }

    /// Leaves the root credential in a file on the desk, for its owner.
    pub(super) fn write_credential(&self, name: &str) -> Result<PathBuf, Otherwise> {
        let path = self.desk.path().join(name);
        let credential = self.service.first_credential.as_ref();
        let credential = credential.or_otherwise("no credential")?;
        crate::profile::write_private(&path, credential.secret.expose().as_bytes())
            .map_err(|failure| Otherwise(failure.message))?;
        Ok(path)
    }

    /// Ends it.
    pub(super) async fn strike(self) {
        self.service.stop().await;
        self.provider.stop().await;
    }
}

impl Authorities {
    fn new() -> Result<Self, Otherwise> {
        let named = |name| DemoCa::named(name).or_otherwise("an authority");
        Ok(Self {
            public: DemoCa::public().or_otherwise("an authority")?,
            wobbly: named("Wobbly Public CA")?,
            kitchen: named("Kitchen CA")?,
        })
    }
}

/// The names of both servers.
pub(super) fn hosts() -> Vec<&'static str> {
    [HOSTS.as_slice(), LIBRARY_HOSTS.as_slice()].concat()
}

async fn start_provider(
    authorities: &Authorities,
    secret: &ClientSecret,
) -> Result<bonafide_provider::Running, Otherwise> {
    let identity = authorities.public.server(&hosts());
    let identity = identity.or_otherwise("the servers' certificate")?;
    let mut options = ProviderOptions::demo(identity, ClientSecret::new(secret.expose()));
    options.library = Some(LibraryOptions::demo(&ClientSecret::generate()));
    let provider = Provider::start(options).await;
    provider.or_otherwise("the provider")
}

/// How the service reaches the servers of this small internet.
fn outbound(
    provider: &bonafide_provider::Running,
    authorities: &Authorities,
) -> Result<OutboundOptions, Otherwise> {
    let proxy = provider.proxy_addr().or_otherwise("no proxy")?;
    Ok(OutboundOptions {
        extra_roots: vec![authorities.public.certificate_der().to_vec()],
        proxy: Some(format!("http://{proxy}")),
    })
}

async fn start_service(
    desk: &Path,
    (clock, outbound): (&Clock, OutboundOptions),
) -> Result<(bonafide_server::Running, Tap), Otherwise> {
    let loose_end = LooseEnd::new().await.or_otherwise("a wire")?;
    let options = ServeOptions {
        public_url: Some(format!("http://{}", loose_end.address())),
        clock: clock.clone(),
        outbound,
        ..ServeOptions::on_loopback(desk.join(DATA))
    };
    let service = Server::start(options).await.or_otherwise("the service")?;
    let tap = loose_end.lead_to(service.device_addr);
    Ok((service, tap))
}

fn operator(desk: &Path, service: &bonafide_server::Running) -> Result<Operator, Otherwise> {
    let mut operator = Operator::new(desk, format!("http://{}", service.admin_addr))?;
    let credential = service.first_credential.as_ref();
    let credential = credential.or_otherwise("the service gave no credential")?;
    operator.export("BONAFIDE_CREDENTIAL", credential.secret.expose());
    Ok(operator)
}

async fn sdk_config(operator: &Operator) -> Result<SdkConfig, Otherwise> {
    let config = operator.looks_up("bonafide sdk config").await?;
    let config = config["config"].as_str().unwrap_or_default();
    SdkConfig::parse(config).or_otherwise("the config string")
}

fn surroundings(
    config: SdkConfig,
    provider: &bonafide_provider::Running,
    authorities: &Authorities,
) -> Result<Surroundings, Otherwise> {
    let pages = provider.browser_addr().or_otherwise("no pages")?;
    let roots = [
        &authorities.public,
        &authorities.wobbly,
        &authorities.kitchen,
    ];
    Ok(Surroundings {
        config,
        provider: BooksProvider::google(provider.client_id()).stand_in(provider.addr()),
        device_roots: roots.map(|root| root.certificate_der().to_vec()).to_vec(),
        pages: Url::parse(&format!("http://{pages}")).or_otherwise("the pages")?,
        user: provider.user().clone(),
    })
}

fn build_books(developer: &SigningKey, config: &SdkConfig) -> Result<Apk, Otherwise> {
    Apk::builder(PACKAGE)
        .version(VERSION_CODE, "1.7")
        .label("Books")
        .code("Books as its developer wrote it")
        .asset("bonafide.config", config.to_text())
        .sign(developer)
        .or_otherwise("building Books")
}

/// The service's log goes to a file, where the story looks for secrets.
fn log_to(path: &Path) -> Told {
    let file = fs::File::create(path).or_otherwise("the service's log")?;
    let log = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(Mutex::new(file));
    // Somebody who set up a log before us wants to see it.
    drop(log.try_init());
    Ok(())
}
