//! Key descriptions: never a panic, and one reading only.
#![no_main]

use bonafide_evidence::android::UnverifiedKeyDescription;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let read = UnverifiedKeyDescription::parse(data);
    if read.is_ok() {
        let behind = [data, &[0]].concat();
        assert!(UnverifiedKeyDescription::parse(&behind).is_err(), "bytes behind are ignored");
        let short = &data[..data.len() - 1];
        assert!(UnverifiedKeyDescription::parse(short).is_err(), "the last byte does not count");
    }
});
