//! Walks a folder of artifacts with the verdicts of reference tools. See `folder` for where it is.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a test tells and fails"
)]

mod apk;
mod containers;
mod folder;
mod idsig;
mod ios;
mod renamed;
