//! The command line of `books`.

use std::net::SocketAddr;
use std::path::PathBuf;

use bonafide_sdk::Rung;
use bonafide_sdk::adaptor::{RungWish, Url};
use clap::{Parser, Subcommand, ValueEnum};

/// Books: search, log in, favourites. Runs on a virtual phone.
#[derive(Debug, Parser)]
#[command(name = "books", version, after_long_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Where the phone lives (`bonafide simulator new DIR` makes one)
    #[arg(long, global = true, default_value = "phone", value_name = "DIR")]
    pub(crate) phone: PathBuf,
    /// The config string of the account (`bonafide sdk config`)
    #[arg(long, global = true, env = "BOOKS_CONFIG", value_name = "STRING")]
    pub(crate) config: Option<String>,
    /// A file that holds the config string; by default `books/config.txt` in the phone's directory
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "config")]
    pub(crate) config_file: Option<PathBuf>,
    /// The OAuth client id
    #[arg(
        long,
        global = true,
        env = "BOOKS_CLIENT_ID",
        value_name = "ID",
        default_value = "407408718192-books.apps.googleusercontent.com"
    )]
    pub(crate) client_id: String,
    /// Send requests for Google's hosts to a stand-in at this address
    #[arg(long, global = true, env = "BOOKS_PROVIDER", value_name = "ADDRESS")]
    pub(crate) provider: Option<SocketAddr>,
    /// Where the browser finds the stand-in's pages
    #[arg(long, global = true, env = "BOOKS_PAGES", value_name = "URL")]
    pub(crate) pages: Option<Url>,
    /// Log in at this upstream of the account instead of Google (`bonafide upstream list`)
    #[arg(long, global = true, env = "BOOKS_UPSTREAM", value_name = "NAME")]
    pub(crate) upstream: Option<String>,
    /// Where the Books API is; by default Google's, or with `--upstream` the Library's
    #[arg(long, global = true, env = "BOOKS_API", value_name = "URL")]
    pub(crate) api: Option<String>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLE: &str = "Example:
  bonafide simulator new phone
  books install --apk books.apk
  bonafide sdk config > phone/books/config.txt
  books search frankenstein
  books login          (refused: app-not-registered)
  bonafide registration add books.apk
  books login
  books favorites --covers covers
  books login --rung relay   (the secret stays with the service)";

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// A rung of the ladder of client authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RungName {
    /// The best that account, server and device allow.
    Auto,
    /// 1: an attestation and this phone's own key; there is no secret.
    Attested,
    /// 2: the service authenticates the app and forwards.
    Relay,
    /// 3: a client of this phone's own.
    Registration,
    /// 4: an assertion by the service, good once.
    Assertion,
    /// 5: the client secret, delivered at the moment of use.
    Secret,
}

impl RungName {
    /// What the SDK is told.
    pub(crate) fn wish(self) -> RungWish {
        match self {
            Self::Auto => RungWish::Best,
            Self::Attested => RungWish::Only(Rung::AttestedClient),
            Self::Relay => RungWish::Only(Rung::Relay),
            Self::Registration => RungWish::Only(Rung::OwnRegistration),
            Self::Assertion => RungWish::Only(Rung::MintedAssertion),
            Self::Secret => RungWish::Only(Rung::DeliveredSecret),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the app's APK, signed by its developer, and install it on the phone
    Install {
        /// Where to write the APK
        #[arg(long, default_value = "books.apk", value_name = "FILE")]
        apk: PathBuf,
        /// The developer's signing key; it is made if need be
        #[arg(long, default_value = "books-developer.key", value_name = "FILE")]
        key: PathBuf,
        /// The version code
        #[arg(long, default_value_t = 1, value_name = "N")]
        version_code: u32,
    },
    /// Find books by words of title or author
    Search {
        /// The words
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Log in through the browser
    Login {
        /// Print the address instead of opening the browser
        #[arg(long)]
        print_url: bool,
        /// How to prove that this is Books
        #[arg(long, value_enum, default_value_t = RungName::Auto)]
        rung: RungName,
    },
    /// Show the favourites
    Favorites {
        /// Fetch the covers into this directory
        #[arg(long, value_name = "DIR")]
        covers: Option<PathBuf>,
    },
    /// Log out, here and at the provider
    Logout,
}
