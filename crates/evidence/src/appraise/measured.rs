//! What the SDK saw of its process.
//!
//! Decides nothing on its own authority: each measurement can only add a finding.

use super::finding::Findings;
use super::{Check, Check as C};
use crate::{Measured, Measurements};

pub(super) fn all(measurements: &Measurements, findings: &mut Findings<'_>) {
    let looked_for: [(Measured, Check, &'static str, &str); 7] = [
        (
            measurements.debugger,
            C::Debugger,
            "debugger-attached",
            "debugger",
        ),
        (measurements.tracer, C::Tracer, "tracer-attached", "tracer"),
        (
            measurements.instrumentation,
            C::Instrumentation,
            "instrumentation-detected",
            "hooks",
        ),
        (
            measurements.injected_libraries,
            C::InjectedLibraries,
            "libraries-injected",
            "injected libraries",
        ),
        (
            measurements.code_modified,
            C::CodeModified,
            "code-modified",
            "modified code",
        ),
        (
            measurements.emulator,
            C::Emulator,
            "emulator-detected",
            "emulator",
        ),
        (measurements.root, C::Root, "root-detected", "signs of root"),
    ];
    let mut unreadable = Vec::new();
    let mut missing = Vec::new();
    for (measured, check, code, name) in looked_for {
        match measured {
            Measured::Clear => {}
            Measured::Detected => findings.failed(check, code, format!("the SDK found {name}")),
            Measured::Unreadable => unreadable.push(name),
            Measured::NotMeasured => missing.push(name),
        }
    }
    if !unreadable.is_empty() {
        let detail = format!(
            "the platform did not let the SDK look for {}",
            unreadable.join(", ")
        );
        findings.failed(C::MeasurementReadable, "measurement-unreadable", detail);
    }
    if !missing.is_empty() {
        let detail = format!("the SDK does not look for {}", missing.join(", "));
        findings.failed(C::MeasurementComplete, "measurement-missing", detail);
    }
}
