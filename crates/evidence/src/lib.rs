//! Device evidence: authenticated into facts, appraised against policy into a verdict.

mod policy;

pub use policy::{Policy, RejectionReasons};
