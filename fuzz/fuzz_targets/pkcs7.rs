//! Signed data of JAR signatures, Apple code signatures and profiles.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_artifact::fuzzing::pkcs7(data);
});
