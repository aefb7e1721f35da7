//! The service: challenges, verifies, decides, releases.
//!
//! Layers `http > app > {store, upstream, keys}` (an architecture test keeps the arrows): `http` parses,
//! authenticates and renders; `app` holds one use case per file and knows neither HTTP nor SQL; `store`
//! is one trait of coarse atomic verbs; `upstream` speaks to other servers; `keys` is the only place where private
//! keys are used.
//! What decides trust lives in the pure crates below.

pub mod app;
mod background;
pub mod clock;
pub mod config;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod revocation_source;
pub mod serve;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod upstream;

pub use serve::{RevocationList, Running, ServeOptions, Server, StartError, Transport};
