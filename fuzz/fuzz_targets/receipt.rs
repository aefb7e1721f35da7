//! App Attest receipts: BER, CMS, certificates, fields.
#![no_main]

use std::sync::LazyLock;

use bonafide_evidence::UnixTime;
use bonafide_evidence::android::Anchors;
use bonafide_evidence::apple::{ExpectedPublicKey, Receipt, verify_receipt};
use libfuzzer_sys::fuzz_target;

static ANCHORS: LazyLock<Anchors> = LazyLock::new(Anchors::apple_receipts);

fuzz_target!(|data: &[u8]| {
    bonafide_evidence::fuzzing::ber(data);
    for public_key in [ExpectedPublicKey::NotCompared, ExpectedPublicKey::Exactly(&[4; 65])] {
        drop(verify_receipt(&Receipt {
            object: data,
            app_id: "TEAM123456.com.example.books",
            public_key,
            anchors: &ANCHORS,
            now: UnixTime(1_720_000_000),
        }));
    }
});
