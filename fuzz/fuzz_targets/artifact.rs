//! Whole artifacts of every kind: never a panic, and never an identity without a verified verdict.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(inspection) = bonafide_artifact::inspect(&data, &bonafide_artifact::Options::default()) else { return };
    let verified = inspection.verdict() == bonafide_artifact::Verdict::Verified;
    assert_eq!(inspection.identity().is_some(), verified);
    for level in inspection.levels() {
        assert!(level.api.from <= level.api.to);
    }
});
