//! The device side through the real router, on a real SQLite, with a virtual phone and a clock that stands.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod attestations;
mod challenges;
mod enrolments;
mod foreign_input;
mod frame;
mod log;
mod nodes;
mod outage;
mod published;
mod pyjwt;
mod secrets;
mod tokens;
mod upkeep;
mod watched;
mod world;
