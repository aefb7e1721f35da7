//! The admin side through its real router, on a real SQLite store.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test that is wrong about its own data should fail loudly"
)]

mod audited;
mod authz;
mod damage;
mod devices;
mod foreign_input;
mod harness;
mod isolation;
mod nouns;
mod openapi;
mod service;
mod sessions;
mod trust;
mod upstreams;
