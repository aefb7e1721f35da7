//! The device protocol with a real service over sockets, a virtual phone and the SDK: what an instance
//! gets, and what somebody who listens, replays or alters gets (`docs/protocol.md`).
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod refused;
mod released;
mod replayed;
mod world;
