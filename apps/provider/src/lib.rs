//! A local stand-in for the authorization server and Books API of the article.
//!
//! Speaks as Google does as far as a Books app can tell: discovery, sign-in and consent pages, a token endpoint that
//! demands the client secret even with PKCE, user information, revocation, keys, and a small Books API over public-domain
//! books. Everything is in memory and for demonstrations; nothing here knows Bonafide, and nothing here keeps anybody's
//! real account.

mod catalogue;
mod client;
mod clock;
mod cover;
pub mod demo_ca;
mod grants;
mod http;
mod library;
mod options;
mod proxy;
mod running;
mod secret;
mod signing;

pub use client::Overlap;
pub use http::Seen;
pub use library::{ClientMethod, HOSTS as LIBRARY_HOSTS, ISSUER as LIBRARY_ISSUER};
pub use library::{KeySource, LibraryClient, LibraryOptions};
pub use options::{ProviderOptions, RegisteredClient, ServerIdentity, User};
pub use running::{Provider, ProviderError, Running};
pub use secret::ClientSecret;

/// The hosts that one listener answers for, by the `Host` header.
pub const HOSTS: [&str; 4] = [
    "accounts.google.com",
    "oauth2.googleapis.com",
    "www.googleapis.com",
    "books.google.com",
];

/// The issuer that the stand-in speaks for.
pub const ISSUER: &str = "https://accounts.google.com";
