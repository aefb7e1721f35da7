//! How long an inspection takes, beside Debian's `apksigner`, on the same synthetic files in one run.
//!
//! Every measurement is a process of its own, so that start-up counts for both and peak memory is that of one inspection.
//! Without `apksigner` only our side is measured.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a benchmark prints, and fails loudly"
)]

#[path = "../tests/rules/mint/mod.rs"]
mod mint;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bonafide_artifact::{FileSource, Options, Verdict, inspect};
use mint::{Blueprint, EntryPlan};

const SIZES: [usize; 3] = [3, 18, 269];
const RUNS: usize = 7;
const CHILD: &str = "--inspect-one";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CHILD) {
        return inspect_one(Path::new(&arguments[at + 1]));
    }
    let folder = tempfile::tempdir().unwrap();
    println!(
        "size MB   ours ms (min, median)   peak MiB   apksigner ms (min, median)   ratio of medians"
    );
    for size in SIZES {
        let path = folder.path().join(format!("{size}.apk"));
        std::fs::write(&path, synthetic(size << 20)).unwrap();
        let own = std::env::current_exe().unwrap();
        let (mut times, mut peak) = (Vec::new(), 0);
        for _ in 0..RUNS {
            let started = Instant::now();
            let output = Command::new(&own).arg(CHILD).arg(&path).output().unwrap();
            times.push(started.elapsed());
            peak = peak.max(
                String::from_utf8_lossy(&output.stdout)
                    .trim()
                    .parse::<u64>()
                    .unwrap(),
            );
        }
        let theirs = apksigner(&path);
        report(size, &mut times, peak, theirs);
    }
}

/// One entry of a few megabytes after the other, of bytes that do not compress.
fn synthetic(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut blueprint = Blueprint::good();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(3 << 20);
        let data: Vec<u8> = std::iter::repeat_with(|| noise().to_le_bytes())
            .take(size / 8)
            .flatten()
            .collect();
        let name = format!("assets/{left}.bin");
        blueprint.entries.push(EntryPlan::new(&name, &data));
        left -= size;
    }
    blueprint.build()
}

fn inspect_one(path: &Path) {
    let source = FileSource::new(std::fs::File::open(path).unwrap()).unwrap();
    let inspection = inspect(&source, &Options::default()).unwrap();
    assert_eq!(
        inspection.verdict(),
        Verdict::Verified,
        "{:?}",
        inspection.findings()
    );
    println!("{}", peak_kib());
}

/// The kernel's own note of how much memory this process ever held.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn apksigner(path: &Path) -> Option<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..RUNS.min(3) {
        let started = Instant::now();
        let output = Command::new("apksigner")
            .arg("verify")
            .arg(path)
            .output()
            .ok()?;
        assert!(
            output.status.success(),
            "apksigner: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        times.push(started.elapsed());
    }
    Some(times)
}

fn report(size: usize, ours: &mut [Duration], peak_kib: u64, theirs: Option<Vec<Duration>>) {
    let figures = |times: &mut [Duration]| {
        times.sort_unstable();
        (
            times[0].as_secs_f64() * 1e3,
            times[times.len() / 2].as_secs_f64() * 1e3,
        )
    };
    let (least, median) = figures(ours);
    let theirs = theirs.map(|mut times| figures(&mut times));
    let beside = theirs.map_or_else(
        || "not installed".to_owned(),
        |(least, their_median)| {
            format!(
                "{least:10.1} {their_median:10.1}   {:17.1}x",
                their_median / median
            )
        },
    );
    println!(
        "{size:7}   {least:10.1} {median:10.1}   {:8.1}   {beside}",
        Duration::from_micros(peak_kib * 1000 / 1024).as_secs_f64() * 1e3
    );
}
