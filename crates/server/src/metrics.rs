//! What is counted while the service works, in the text format that Prometheus reads (version 0.0.4).
//!
//! Decides names and buckets, which are API: dashboards and alerts call them. It refuses labels that name tenants,
//! devices or secrets, and paths: the routes are few and known. Written by hand, because the format is a page long
//! and the crates for it bring registries and macros.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency buckets, seconds.
const BUCKETS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 15.0,
];

/// One route of one listener.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// `device` or `admin`.
    pub listener: &'static str,
    /// HTTP method.
    pub method: String,
    /// The pattern, never the path.
    pub route: String,
}

#[derive(Debug, Default)]
struct Requests {
    by_status: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    count: u64,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<Route, Requests>,
    verdicts: BTreeMap<(String, String), u64>,
    reappraised: BTreeMap<&'static str, u64>,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

impl Metrics {
    /// A request was answered.
    pub fn request(&self, route: &Route, status: u16, took: Duration) {
        let mut counts = self.lock();
        if !counts.requests.contains_key(route) {
            counts.requests.insert(route.clone(), Requests::default());
        }
        let Some(requests) = counts.requests.get_mut(route) else {
            return;
        };
        let seconds = took.as_secs_f64();
        requests.count = requests.count.saturating_add(1);
        requests.seconds += seconds;
        let of_status = requests.by_status.entry(status).or_default();
        *of_status = of_status.saturating_add(1);
        for (count, bound) in requests.buckets.iter_mut().zip(BUCKETS) {
            if seconds <= bound {
                *count = count.saturating_add(1);
            }
        }
    }

    /// A device was judged: `enrolment` or `attestation`; `allow`, `deny` or `rejected`.
    pub fn verdict(&self, request: &str, outcome: &str) {
        let mut counts = self.lock();
        let key = (request.to_owned(), outcome.to_owned());
        let count = counts.verdicts.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// Enrolments were judged again.
    pub fn reappraised(&self, outcome: &'static str, devices: u64) {
        let mut counts = self.lock();
        let count = counts.reappraised.entry(outcome).or_default();
        *count = count.saturating_add(devices);
    }

    /// Writes all of them.
    pub fn write(&self, page: &mut Page) {
        let counts = self.lock();
        page.family(
            "bonafide_verdicts_total",
            Kind::Counter,
            "Devices judged, by request and outcome.",
        );
        for ((request, outcome), count) in &counts.verdicts {
            let labels = [("request", request.as_str()), ("outcome", outcome.as_str())];
            page.sample("bonafide_verdicts_total", &labels, count);
        }
        page.family(
            "bonafide_reappraised_total",
            Kind::Counter,
            "Enrolments judged again, by outcome.",
        );
        for (outcome, count) in &counts.reappraised {
            page.sample(
                "bonafide_reappraised_total",
                &[("outcome", *outcome)],
                count,
            );
        }
        requests(&counts.requests, page);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn requests(all: &BTreeMap<Route, Requests>, page: &mut Page) {
    let name = "bonafide_http_requests_total";
    page.family(
        name,
        Kind::Counter,
        "Requests answered, by route and status.",
    );
    for (route, requests) in all {
        for (status, count) in &requests.by_status {
            let status = status.to_string();
            let mut labels = labels_of(route).to_vec();
            labels.push(("status", &status));
            page.sample(name, &labels, count);
        }
    }
    let name = "bonafide_http_request_duration_seconds";
    page.family(name, Kind::Histogram, "Time to answer, by route.");
    for (route, requests) in all {
        let bucket = format!("{name}_bucket");
        for (bound, count) in BUCKETS.iter().zip(requests.buckets) {
            let bound = bound.to_string();
            let mut labels = labels_of(route).to_vec();
            labels.push(("le", &bound));
            page.sample(&bucket, &labels, count);
        }
        let mut labels = labels_of(route).to_vec();
        labels.push(("le", "+Inf"));
        page.sample(&bucket, &labels, requests.count);
        page.sample(&format!("{name}_sum"), &labels_of(route), requests.seconds);
        page.sample(&format!("{name}_count"), &labels_of(route), requests.count);
    }
}

fn labels_of(route: &Route) -> [(&str, &str); 3] {
    [
        ("listener", route.listener),
        ("method", &route.method),
        ("route", &route.route),
    ]
}

/// What kind of numbers a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
}

/// The page that a scraper reads.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Begins a family of numbers.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// One number of it.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl core::fmt::Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    /// A gauge that is alone in its family.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl core::fmt::Display) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    /// A counter that is alone in its family.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help);
        self.sample(name, &[], value);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: core::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        self.0.write_fmt(line).unwrap_or_default();
        self.0.push('\n');
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_this() {
        let metrics = Metrics::default();
        metrics.verdict("attestation", "deny");
        metrics.verdict("attestation", "deny");
        metrics.reappraised("allow", 3);
        let route = Route {
            listener: "device",
            method: "POST".to_owned(),
            route: "/v1/{account}/a\"b".to_owned(),
        };
        metrics.request(&route, 200, Duration::from_millis(3));
        metrics.request(&route, 503, Duration::from_secs(20));
        let mut page = Page::default();
        page.gauge("bonafide_up", "Help.", 1);
        metrics.write(&mut page);
        insta::assert_snapshot!("metrics-page", page.into_text());
    }
}
