//! CPU time as the kernel counts it, without a line of C: `/proc/self/task/*/schedstat`, nanoseconds.

use std::collections::BTreeMap;
use std::fs;

/// Nanoseconds on a CPU so far, by thread.
pub(crate) fn by_thread() -> BTreeMap<u64, u64> {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((id, of_thread(id)?))
        })
        .collect()
}

fn of_thread(id: u64) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The id of the thread that asks.
pub(crate) fn this_thread() -> u64 {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.parse().ok())
        .unwrap()
}

/// Microseconds per operation.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    /// On the serving thread.
    pub(crate) serving: f64,
    /// On all others but the one that asks: the store's.
    pub(crate) others: f64,
}

/// What the other threads spent while `work` ran on this one.
pub(crate) fn of_others(serving: u64, operations: usize, work: impl FnOnce()) -> Spent {
    let me = this_thread();
    let before = by_thread();
    work();
    let mut spent = Spent {
        serving: 0.0,
        others: 0.0,
    };
    for (id, now) in by_thread() {
        let micros = micros(now - before.get(&id).copied().unwrap_or(0), operations);
        if id == serving {
            spent.serving += micros;
        } else if id != me {
            spent.others += micros;
        }
    }
    spent
}

/// Microseconds that this thread spent on `work`, per operation.
pub(crate) fn of_this(operations: usize, work: impl FnOnce()) -> f64 {
    let me = this_thread();
    let before = of_thread(me).unwrap();
    work();
    micros(of_thread(me).unwrap() - before, operations)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a figure for people"
)]
fn micros(nanoseconds: u64, operations: usize) -> f64 {
    nanoseconds as f64 / operations as f64 / 1000.0
}
