//! The archive: end record, central directory, local headers, and every entry expanded within the budget.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::zip(data);
});
