//! The ladder, rung by rung, with the real service, the SDK inside Books, a virtual phone, and the stand-ins: a server that
//! speaks as Google does and one that speaks everything modern. The wire between phone and service is tapped.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod process_death;
mod rungs;
mod wire;
mod world;
