//! Property lists and provisioning profiles.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::profile(data);
});
