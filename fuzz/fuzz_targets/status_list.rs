//! Google's list of attestation certificates that no longer count.
#![no_main]

use bonafide_evidence::android::{RevocationList, SerialNumber};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(list) = RevocationList::parse(data) {
        assert_eq!(list.is_empty(), list.len() == 0);
        // What a number is written like decides nothing.
        for word in String::from_utf8_lossy(data).split('"') {
            if let Ok(serial) = word.parse::<SerialNumber>() {
                let again = format!("00{}", word.to_uppercase()).parse::<SerialNumber>();
                assert_eq!(again.ok().as_ref(), Some(&serial));
                let _ = list.contains(&serial);
            }
        }
    }
});
