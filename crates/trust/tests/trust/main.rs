//! What is believed and what is allowed, one broken rule per case.
#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test may fail loudly, and a table is as long as its rows"
)]

mod connection;
mod signer;
mod trusted_set;
