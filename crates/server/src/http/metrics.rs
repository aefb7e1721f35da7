//! `/metrics` on the admin listener: the counters, and what is so at this moment.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::State;
use crate::app::Service;
use crate::metrics::{Kind, Page};

/// The route. Like the probes it asks for no session: the listener is private, and nothing on the page is a
/// tenant's.
pub fn routes() -> Router<State> {
    Router::new().route("/metrics", get(page))
}

async fn page(Shared(service): Shared<State>) -> impl IntoResponse {
    let mut page = Page::default();
    let build = "bonafide_build_info";
    page.family(build, Kind::Gauge, "Which program this is.");
    page.sample(build, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    configuration(&service, &mut page);
    store(&service, &mut page).await;
    revocation_list(&service, &mut page);
    service.metrics().write(&mut page);
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media)], page.into_text())
}

fn configuration(service: &Service, page: &mut Page) {
    let snapshot = service.snapshot();
    page.gauge(
        "bonafide_configuration_version",
        "Version of the configuration in force on this node.",
        snapshot.version(),
    );
    page.gauge(
        "bonafide_damaged_accounts",
        "Accounts of which something stored cannot be used; /readyz names them.",
        snapshot.damaged().len(),
    );
    page.gauge(
        "bonafide_clock_ahead_seconds",
        "How far the service's time is ahead of a system clock that was set back.",
        service.clock().ahead(),
    );
}

async fn store(service: &Service, page: &mut Page) {
    let head = service.store().audit_head().await;
    let up = service.store().version().await.is_ok();
    page.gauge(
        "bonafide_store_up",
        "Whether the store answers and can write.",
        u8::from(up),
    );
    page.gauge(
        "bonafide_store_writes_waiting",
        "Writes that wait for their commit.",
        service.store().waiting(),
    );
    if let Ok(head) = head {
        page.counter(
            "bonafide_audit_sequence",
            "Number of the newest row of the audit log.",
            head.sequence,
        );
    }
    page.counter(
        "bonafide_verdicts_dropped_total",
        "Verdicts that were not recorded because too many came.",
        service.recorder().dropped(),
    );
}

fn revocation_list(service: &Service, page: &mut Page) {
    let list = service.revocation_list();
    let view = list.view(service.now());
    page.gauge(
        "bonafide_revocation_list_entries",
        "Attestation keys on the revocation list in force.",
        view.entries,
    );
    if let Some(age) = view.age_seconds {
        page.gauge(
            "bonafide_revocation_list_age_seconds",
            "How long ago that list was known to be the newest. Absent where there is no list.",
            age,
        );
    }
    page.counter(
        "bonafide_revocation_list_failures_total",
        "Attempts to get a newer list that failed.",
        list.failures(),
    );
}
