//! The OAuth engine against an unmodified oidc-provider: every client authentication it knows, pushed requests, bound
//! tokens, refresh, revocation, logout. One peer serves all tests; they are skipped where it is not installed
//! (`cargo xtask peers`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../../../crates/oauth/tests/misbehaving_provider/cases.rs"]
mod cases;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../chromium/mod.rs"]
mod chromium;
#[path = "../native_host/mod.rs"]
mod native_host;
#[path = "../program/mod.rs"]
mod program;
#[expect(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../crates/oauth/tests/misbehaving_provider/provider.rs"]
mod provider;

mod misbehaving;
mod peer;
mod world;

/// The world, or the end of the test, said aloud.
macro_rules! world_or_skip {
    () => {
        world_or_skip!(World::new().await)
    };
    ($world:expr) => {
        match $world {
            Some(world) => world,
            None => {
                println!("SKIPPED oidc_provider: not installed (cargo xtask peers)");
                return;
            }
        }
    };
}

mod attested;
mod clients;
mod in_chromium;
mod leaving;
mod oracle;
mod phone;
mod process_death;
mod refused;
mod registered;
mod relay_phone;
mod relayed;
mod rungs;
mod service;
mod transport;
