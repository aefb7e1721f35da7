//! What the service does without being asked: follows other nodes' changes, keeps trust metadata and signing
//! keys fresh, writes verdicts down, forgets what has expired.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{Service, reappraise, upkeep};
use crate::revocation_source::{self, RevocationSource};
use crate::tasks::{StopSignal, Tasks};

/// Other nodes' changes are in force after at most this and one reload.
const POLL: Duration = Duration::from_millis(250);
/// How often trust metadata and signing keys are looked at.
const UPKEEP: Duration = Duration::from_mins(1);
const PRUNE: Duration = Duration::from_mins(10);
/// How soon after a change enrolments begin to be judged again.
const REAPPRAISAL: Duration = Duration::from_secs(2);
/// Attestations and other writers come first.
const BETWEEN_BATCHES: Duration = Duration::from_millis(20);

/// Starts every background task.
pub(crate) fn start(tasks: &mut Tasks, service: &Arc<Service>, source: &RevocationSource) {
    let shared = Arc::clone(service);
    tasks.spawn("record-verdicts", move |stop| {
        let service = Arc::clone(&shared);
        async move { service.recorder().run(service.store(), stop).await }
    });
    let shared = Arc::clone(service);
    tasks.spawn("follow-changes", move |stop| {
        follow_changes(Arc::clone(&shared), stop)
    });
    let shared = Arc::clone(service);
    tasks.spawn("upkeep", move |stop| upkeep(Arc::clone(&shared), stop));
    let shared = Arc::clone(service);
    tasks.spawn("end-revoked", move |stop| {
        end_revoked(Arc::clone(&shared), stop)
    });
    let shared = Arc::clone(service);
    tasks.spawn("prune", move |stop| prune(Arc::clone(&shared), stop));
    let shared = Arc::clone(service);
    tasks.spawn("reappraise", move |stop| {
        reappraise_all(Arc::clone(&shared), stop)
    });
    let (shared, source) = (Arc::clone(service), source.clone());
    tasks.spawn("revocation-list", move |stop| {
        revocation_source::follow(Arc::clone(&shared), source.clone(), stop)
    });
}

async fn follow_changes(service: Arc<Service>, mut stop: StopSignal) {
    while stop.sleep(POLL).await {
        match service.refresh().await {
            Ok(_) => service.store_health().up(),
            Err(error) => {
                service.store_health().down(service.now());
                tracing::warn!(%error, "the store cannot be polled");
            }
        }
    }
}

async fn upkeep(service: Arc<Service>, mut stop: StopSignal) {
    while stop.sleep(UPKEEP).await {
        if let Err(error) = upkeep::once(&service).await {
            tracing::error!(%error, "upkeep of keys and trust metadata failed");
        }
    }
}

async fn end_revoked(service: Arc<Service>, mut stop: StopSignal) {
    while stop.sleep(UPKEEP).await {
        if let Err(error) = upkeep::end_revoked(&service).await {
            tracing::error!(%error, "clients of revoked devices are not deleted");
        }
    }
}

/// Judges enrolments again as long as there are any, and then looks now and then whether there are.
async fn reappraise_all(service: Arc<Service>, mut stop: StopSignal) {
    let mut pause = REAPPRAISAL;
    while stop.sleep(pause).await {
        pause = match reappraise::once(&service).await {
            Ok(0) => REAPPRAISAL,
            Ok(_) => BETWEEN_BATCHES,
            Err(error) => {
                tracing::error!(%error, "enrolments are not judged again");
                REAPPRAISAL
            }
        };
    }
}

async fn prune(service: Arc<Service>, mut stop: StopSignal) {
    while stop.sleep(PRUNE).await {
        if let Err(error) = upkeep::prune(&service).await {
            tracing::error!(%error, "pruning failed");
        }
    }
}
