//! Mach-O files and the code signatures inside.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::executable(data);
});
