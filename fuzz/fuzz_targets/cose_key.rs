//! Authenticator data with its COSE key, and the map that iOS 27 puts behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    bonafide_evidence::fuzzing::cose_key(data);
});
