//! The use cases, one per file; they know neither HTTP nor SQL.
//!
//! [`Service`] is what they share: the store, the keys, the clock, and the configuration snapshot that the
//! hot path reads instead of a database.

pub mod admin;
pub mod attest;
pub mod challenge;
mod client_auth;
pub mod commit;
mod discovered;
pub mod discovery;
pub mod enrol;
mod error;
pub mod judge;
mod leaf_key;
pub mod new_account;
mod platform;
mod presented;
pub mod proof;
pub mod publish_trust;
pub mod published;
pub mod reappraise;
pub mod recorder;
pub mod relay;
mod release;
pub mod revocations;
pub mod snapshot;
pub mod store_health;
pub mod ticket;
pub mod token_check;
pub mod upkeep;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bonafide_evidence::android::{ListAge, RecentAuthorities, RevocationList};
use bonafide_wire::ids::AccountId;

pub use error::{AppError, UpstreamFault};
pub use snapshot::Snapshot;

use crate::clock::Clock;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::upstream::{Outbound, OutboundOptions};

/// What an operator chose at the start and cannot change while the service runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The device listener's URL as phones reach it, without a trailing slash.
    pub public_url: String,
    /// How other servers are called.
    pub outbound: OutboundOptions,
}

impl Settings {
    /// `iss` of an account's tokens, and the base of its routes (W-1).
    pub fn issuer(&self, account: &AccountId) -> String {
        format!("{}/v1/{account}", self.public_url)
    }
}

/// What every use case works with.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    keys: Keys,
    clock: Clock,
    settings: Settings,
    outbound: Outbound,
    snapshot: ArcSwap<Snapshot>,
    relay_rates: relay::RelayRates,
    /// Commits of this node follow each other; other nodes' are met by compare and set.
    committing: tokio::sync::Mutex<()>,
    recorder: recorder::Recorder,
    store_health: store_health::StoreHealth,
    revocations: revocations::Revocations,
    metrics: Arc<Metrics>,
    /// Upper chains that were proven lately; their trust is asked anew each time.
    authorities: RecentAuthorities,
}

/// Phones of one model share their upper chain; there are some thousands of models.
const REMEMBERED_AUTHORITIES: usize = 4096;

impl Service {
    /// Reads the configuration and is ready to serve.
    pub async fn open(
        store: Arc<dyn Store>,
        keys: Keys,
        clock: Clock,
        settings: Settings,
    ) -> Result<Arc<Self>, AppError> {
        let configuration = store.load().await?;
        let snapshot = Snapshot::build(configuration, &keys, None);
        let outbound = Outbound::new(&settings.outbound)
            .map_err(|error| AppError::Internal(error.to_string()))?;
        Ok(Arc::new(Self {
            outbound,
            relay_rates: relay::RelayRates::default(),
            store,
            keys,
            clock,
            settings,
            snapshot: ArcSwap::from_pointee(snapshot),
            committing: tokio::sync::Mutex::new(()),
            recorder: recorder::Recorder::default(),
            store_health: store_health::StoreHealth::default(),
            revocations: revocations::Revocations::default(),
            metrics: Arc::default(),
            authorities: RecentAuthorities::with_capacity(REMEMBERED_AUTHORITIES),
        }))
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Now, seconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was chosen at the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Calls other servers.
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// The configuration in force. Take it once per request, so that one request sees one configuration.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Verdicts on their way to the store.
    pub fn recorder(&self) -> &recorder::Recorder {
        &self.recorder
    }

    /// How often devices use the relay.
    pub fn relay_rates(&self) -> &relay::RelayRates {
        &self.relay_rates
    }

    /// Whether the store answers.
    pub fn store_health(&self) -> &store_health::StoreHealth {
        &self.store_health
    }

    /// Attestation certificates that no longer count.
    pub fn revocations(&self) -> Arc<RevocationList> {
        Arc::clone(&self.revocations.in_force().list)
    }

    /// How old that list is.
    pub fn revocation_list_age(&self) -> ListAge {
        self.revocations.in_force().age
    }

    /// That list and its upkeep.
    pub fn revocation_list(&self) -> &revocations::Revocations {
        &self.revocations
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Upper chains of evidence that need not be proven again.
    pub fn authorities(&self) -> &RecentAuthorities {
        &self.authorities
    }
}
