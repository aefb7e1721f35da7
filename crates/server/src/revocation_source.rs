//! Where the revocation list comes from: Google's server, with a copy on disk for the time without it, or a file.
//!
//! Decides when to ask again and what counts as an answer. Whatever a server sends that is not a whole list changes
//! nothing: the last good list stays, ages, and the failure is in the log, in `/readyz`, in the metrics and on the
//! command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::app::Service;
use crate::app::revocations::Giver;
use crate::tasks::StopSignal;
use crate::upstream::{Answer, Call};

/// Where Google publishes the list.
pub const GOOGLE: &str = "https://android.googleapis.com/attestation/status";
/// The copy's name in the data directory.
pub const COPY: &str = "revocation-list.json";

/// Google's of January 2025 has 40 KB; this leaves room for a hundred times as many leaks.
const MOST_BYTES: usize = 8 * 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(10);
/// How often a file is looked at.
const FILE_PAUSE: Duration = Duration::from_mins(1);
/// Where the server does not say how long its answer is good.
const USUAL_PAUSE: Duration = Duration::from_hours(1);
const SHORTEST_PAUSE: Duration = Duration::from_mins(5);
const LONGEST_PAUSE: Duration = Duration::from_hours(24);
/// After a failure; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(1);
const LONGEST_RETRY: Duration = Duration::from_hours(1);

/// Where the list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationSource {
    /// Nowhere: nothing counts as revoked, and the policy may refuse for that.
    Nowhere,
    /// A file that something else keeps fresh; its modification time is the list's age.
    File(PathBuf),
    /// A server, by HTTPS.
    Url {
        /// Which.
        url: String,
        /// The copy of its last good answer.
        copy: PathBuf,
    },
}

/// What stands in the first line of the copy; the list follows, byte for byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Label {
    url: String,
    etag: Option<String>,
    confirmed_at: i64,
}

/// Reads what there is without asking anybody: the file, or the copy. Only a file must be there.
pub(crate) async fn at_start(service: &Service, source: &RevocationSource) -> Result<(), String> {
    match source {
        RevocationSource::Nowhere => {
            tracing::warn!(
                "no revocation list: evidence of leaked attestation keys is not refused"
            );
            Ok(())
        }
        RevocationSource::File(path) => {
            let told = format!("file {}", path.display());
            service.revocation_list().comes_from(told);
            read_file(service, path).await
        }
        RevocationSource::Url { url, copy } => {
            service.revocation_list().comes_from(url.clone());
            match read_copy(service, url, copy).await {
                Ok(()) => {}
                Err(problem) => tracing::warn!(problem, "no copy of the revocation list is used"),
            }
            Ok(())
        }
    }
}

/// Keeps it fresh until told to stop.
pub(crate) async fn follow(service: Arc<Service>, source: RevocationSource, stop: StopSignal) {
    match source {
        RevocationSource::Nowhere => {
            let mut stop = stop;
            stop.stopped().await;
        }
        RevocationSource::File(path) => follow_file(&service, &path, stop).await,
        RevocationSource::Url { url, copy } => {
            let mut server = Server {
                service,
                etag: label_of(&copy, &url).await.and_then(|label| label.etag),
                url,
                copy,
                failures: 0,
            };
            server.follow(stop).await;
        }
    }
}

async fn follow_file(service: &Service, path: &Path, mut stop: StopSignal) {
    loop {
        tokio::select! {
            goes_on = stop.sleep(FILE_PAUSE) => if !goes_on { return },
            () = service.revocation_list().wanted() => {}
        }
        let outcome = read_file(service, path).await;
        report(service, &outcome);
    }
}

async fn read_file(service: &Service, path: &Path) -> Result<(), String> {
    let told = |why: &dyn core::fmt::Display| format!("{}: {why}", path.display());
    let file = tokio::fs::read(path).await.map_err(|error| told(&error))?;
    let modified = tokio::fs::metadata(path)
        .await
        .and_then(|metadata| metadata.modified())
        .map_err(|error| told(&error))?;
    let seconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let confirmed = i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX);
    service
        .revocation_list()
        .offer(&file, Giver::Operator, confirmed.min(service.now()))
        .map_err(|reject| told(&reject))
}

fn report(service: &Service, outcome: &Result<(), String>) {
    if let Err(problem) = outcome {
        tracing::error!(problem, "the revocation list stays as it was");
    }
    service.revocation_list().attempted(service.now(), outcome);
}

/// A server that is asked again and again.
struct Server {
    service: Arc<Service>,
    url: String,
    copy: PathBuf,
    etag: Option<String>,
    failures: u32,
}

impl Server {
    async fn follow(&mut self, mut stop: StopSignal) {
        loop {
            let pause = self.attempt().await;
            let service = Arc::clone(&self.service);
            tokio::select! {
                goes_on = stop.sleep(pause) => if !goes_on { return },
                () = service.revocation_list().wanted() => {}
            }
        }
    }

    /// Asks once; gives how long to wait.
    async fn attempt(&mut self) -> Duration {
        let outcome = self.ask().await;
        let pause = if let Ok(pause) = &outcome {
            self.failures = 0;
            *pause
        } else {
            let pause = FIRST_RETRY.saturating_mul(1 << self.failures.min(6));
            self.failures = self.failures.saturating_add(1);
            pause.min(LONGEST_RETRY)
        };
        let told = outcome.map(drop);
        report(&self.service, &told);
        pause
    }

    async fn ask(&mut self) -> Result<Duration, String> {
        let mut call = Call::get(&self.url).at_most(MOST_BYTES).within(WITHIN);
        if let Some(etag) = &self.etag {
            call = call.header("if-none-match", etag.clone());
        }
        let answer = self.service.outbound().call(call).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let now = self.service.now();
        match answer.status {
            200 => {
                let offered =
                    self.service
                        .revocation_list()
                        .offer(&answer.body, Giver::Server, now);
                offered.map_err(|reject| format!("the answer is refused: {reject}"))?;
                self.etag = answer.header("etag").map(str::to_owned);
                tracing::info!(bytes = answer.body.len(), "a new revocation list");
                self.keep(answer.body.to_vec(), now).await;
            }
            // Only an answer to our question: without an ETag there is nothing that it could confirm.
            304 if self.etag.is_some() => {
                self.service.revocation_list().confirm(now);
                if let Ok((_, list)) = split(&self.copy).await {
                    self.keep(list, now).await;
                }
            }
            status => return Err(format!("the server answered with status {status}")),
        }
        Ok(pause_of(&answer))
    }

    /// Writes the copy. Without one the service works, and after a restart without network has no list.
    async fn keep(&self, list: Vec<u8>, confirmed_at: i64) {
        let label = Label {
            url: self.url.clone(),
            etag: self.etag.clone(),
            confirmed_at,
        };
        let copy = self.copy.clone();
        let written = tokio::task::spawn_blocking(move || write(&copy, &label, &list)).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        if let Err(error) = written {
            tracing::error!(%error, "the copy of the revocation list was not written");
        }
    }
}

/// How long the answer is good (RFC 9111 §4.2): its `max-age`, less the time it lay in caches.
fn pause_of(answer: &Answer) -> Duration {
    let seconds = |text: &str| text.trim().parse::<u64>().ok().map(Duration::from_secs);
    let told = answer.header("cache-control").and_then(|value| {
        let mut directives = value.split(',').map(str::trim);
        directives.find_map(|directive| seconds(directive.strip_prefix("max-age=")?))
    });
    let aged = answer.header("age").and_then(seconds).unwrap_or_default();
    told.map_or(USUAL_PAUSE, |told| told.saturating_sub(aged))
        .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Whole or not at all: a crash leaves the old copy.
fn write(copy: &Path, label: &Label, list: &[u8]) -> std::io::Result<()> {
    let beside = copy.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&beside)?;
    file.write_all(&serde_json::to_vec(label)?)?;
    file.write_all(b"\n")?;
    file.write_all(list)?;
    file.sync_all()?;
    std::fs::rename(&beside, copy)
}

async fn split(copy: &Path) -> Result<(Label, Vec<u8>), String> {
    let bytes = tokio::fs::read(copy)
        .await
        .map_err(|error| error.to_string())?;
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("it has no label")?;
    let (label, list) = bytes.split_at(end);
    let label = serde_json::from_slice(label).map_err(|error| error.to_string())?;
    Ok((label, list.get(1..).unwrap_or_default().to_vec()))
}

/// The label of a copy that is in force, and of this server.
async fn label_of(copy: &Path, url: &str) -> Option<Label> {
    let (label, list) = split(copy).await.ok()?;
    let whole = bonafide_evidence::android::RevocationList::parse(&list).is_ok();
    (whole && label.url == url).then_some(label)
}

async fn read_copy(service: &Service, url: &str, copy: &Path) -> Result<(), String> {
    let (label, list) = split(copy).await?;
    if label.url != url {
        return Err(format!("it is of {}", label.url));
    }
    let confirmed_at = label.confirmed_at.min(service.now());
    service
        .revocation_list()
        .offer(&list, Giver::Server, confirmed_at)
        .map_err(|reject| reject.to_string())
}

#[cfg(test)]
mod tests;
