//! Android's binary XML.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::manifest(data);
});
