//! A native OAuth client as typed steps, with no HTTP inside.
//!
//! Every step is a function of what it is given: it returns the next [`http::HttpRequest`] to send or judges the
//! [`http::HttpResponse`] that came back. Clock, randomness, network and storage belong to the caller, so one
//! engine serves phones, command lines and tests. How the client authenticates is an input of the one call that
//! needs it ([`authentication::ClientAuthentication`], obtained just in time); that attestation exists is
//! something this crate refuses to know.
//!
//! ```text
//! discovery -> authorize -> (browser) -> redirect -> exchange -> id_token -> tokens -> userinfo | refresh | revoke
//! ```
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test may fail loudly"
    )
)]

pub mod assertion;
pub mod attestation;
pub mod authentication;
pub mod authorize;
pub mod discovery;
pub mod dpop;
pub mod encoding;
pub mod entropy;
pub mod error;
pub mod exchange;
pub mod freshness;
pub mod http;
pub mod id_token;
pub mod jose;
pub mod jwks;
pub mod jwt;
pub mod logout;
pub mod loopback;
pub mod par;
pub mod pending;
pub mod pkce;
pub mod redirect;
pub mod redirect_uri;
pub mod refresh;
pub mod registration;
pub mod resource;
pub mod response;
pub mod revoke;
pub mod seal;
pub mod secret;
pub mod session;
#[cfg(test)]
mod testing;
pub mod time;
pub mod tokens;
pub mod userinfo;

pub use authentication::{AuthenticatedCall, ClientAuthentication};
pub use authorize::{Authorization, AuthorizationWish, Client};
pub use discovery::{Issuer, ServerMetadata};
pub use error::OAuthError;
pub use http::{HttpRequest, HttpResponse, Method};
pub use id_token::IdTokenClaims;
pub use jwks::Jwks;
pub use pending::PendingAuthorization;
pub use redirect::Authorized;
pub use redirect_uri::RedirectUri;
pub use resource::ResourceCall;
pub use secret::SecretText;
pub use session::Session;
pub use time::{ServerClock, UnixTime};
pub use tokens::{Tokens, UnverifiedTokens};
