//! Single-rule mutations of valid evidence, a thousand and more of each class: none is accepted, and each class
//! is refused with its own code.
//!
//! A class breaks one rule in many ways. Where a signature covers what is broken, the object is signed again
//! under a root of its own; where none needs to be made, real objects of the corpus are broken too. Unbroken
//! objects go the same way first and are accepted, so that nothing is refused for another reason.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod android;
mod apple;
#[path = "../corpus/mod.rs"]
mod corpus;
#[path = "../mint/mod.rs"]
mod mint;
mod play;
mod random;
mod real;
mod receipt;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use random::Random;

/// Mutants of all classes together.
const MUTANTS: usize = 100_000;
/// Unbroken objects of each kind.
const CONTROLS: usize = 50;

/// The codes that refused it, or nothing.
pub type Outcome = Result<(), Vec<&'static str>>;

/// One way to break one rule.
pub struct Class {
    pub name: &'static str,
    /// The only code that may refuse it.
    pub code: &'static str,
    pub mutant: fn(&mut Random) -> Outcome,
}

/// Unbroken objects.
pub struct Control {
    pub name: &'static str,
    pub original: fn(&mut Random) -> Outcome,
}

fn classes() -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    classes.extend(android::classes());
    classes.extend(apple::classes());
    classes.extend(receipt::classes());
    classes.extend(play::classes());
    classes.extend(real::classes());
    classes
}

/// Runs `count` of a class; what went wrong.
fn run(class: &Class, seed: u64, count: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for at in 0..count {
        let mut random = Random::new(seed ^ (u64::try_from(at).unwrap() << 32));
        let outcome = (class.mutant)(&mut random);
        if outcome != Err(vec![class.code]) {
            wrong.push(format!(
                "{} number {at}: wanted {}, got {outcome:?}",
                class.name, class.code
            ));
        }
    }
    wrong
}

#[test]
fn no_mutant_is_accepted_and_each_class_has_its_code() {
    let classes = classes();
    let names: BTreeSet<_> = classes.iter().map(|class| class.name).collect();
    assert_eq!(names.len(), classes.len(), "two classes of one name");
    assert!(classes.len() >= 60, "{} classes", classes.len());
    let each = MUTANTS.div_ceil(classes.len());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(class) = classes.get(at) else {
                return wrong;
            };
            wrong.extend(run(class, u64::try_from(at).unwrap(), each));
        }
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        done.collect()
    });
    let codes: BTreeSet<_> = classes.iter().map(|class| class.code).collect();
    println!(
        "mutants: {} of {} classes with {} codes, {} not refused as expected",
        each * classes.len(),
        classes.len(),
        codes.len(),
        wrong.len()
    );
    let shown = wrong.iter().take(40).cloned().collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn what_is_not_broken_is_accepted() {
    let controls = [
        android::CONTROLS,
        apple::CONTROLS,
        receipt::CONTROLS,
        play::CONTROLS,
    ];
    for control in controls.into_iter().flatten() {
        for seed in 0..CONTROLS {
            let mut random = Random::new(u64::try_from(seed).unwrap());
            let outcome = (control.original)(&mut random);
            assert_eq!(outcome, Ok(()), "{} number {seed}", control.name);
        }
    }
}
