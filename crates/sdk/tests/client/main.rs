//! The whole client over sockets: a scripted service, real TLS origins under authorities made for the test.
#![cfg(feature = "reqwest")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test may fail loudly, and a table is as long as its rows"
)]

mod connections;
mod driver;
mod oauth;
mod origin;
mod placeholders;
mod redirects;
mod service;
