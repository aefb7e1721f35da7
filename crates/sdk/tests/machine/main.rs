//! The machine, event by event: every interleaving that matters, as a script.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod any_order;
mod errand;
mod flight;
mod script;
mod trust;
