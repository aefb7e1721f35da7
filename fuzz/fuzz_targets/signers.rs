//! Signers of v2 and v3 and their proofs of rotation.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::signers(data);
});
