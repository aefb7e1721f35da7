//! The device side through the real router, on a real SQLite, with a virtual phone and a clock that stands.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod attestations;
mod challenges;
mod enrolments;
mod foreign_input;
mod frame;
mod ladder;
mod log;
mod nodes;
mod outage;
mod platforms;
mod published;
mod pyjwt;
mod reappraised;
mod relay;
mod secrets;
mod tokens;
mod upkeep;
mod upstream;
mod watched;
mod world;
