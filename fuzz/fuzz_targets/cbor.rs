//! CBOR, authenticator data, and the App Attest objects around them: never a panic, never another verdict with a
//! memory than without.
#![no_main]

use std::sync::LazyLock;

use bonafide_evidence::android::{Anchors, AttestKeys, RecentAuthorities, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, Assertion, ExpectedKeyId, claims_of, receipt_of, verify_assertion,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, UnixTime, verify, verify_with_memory,
};
use libfuzzer_sys::fuzz_target;

static ANCHORS: LazyLock<Anchors> = LazyLock::new(Anchors::apple_app_attest);
static MEMORY: LazyLock<RecentAuthorities> =
    LazyLock::new(|| RecentAuthorities::with_capacity(8));

fuzz_target!(|data: &[u8]| {
    bonafide_evidence::fuzzing::cbor(data);
    drop(claims_of(data));
    drop(receipt_of(data));
    let revocations = RevocationList::empty();
    let context = Context {
        now: UnixTime(1_720_000_000),
        challenge: ExpectedChallenge::Exactly(&[0; 32]),
        anchors: &ANCHORS,
        revocations: &revocations,
        attest_keys: AttestKeys::Refuse,
    };
    let evidence = Evidence::AppAttest(AppAttest {
        object: data,
        app_id: "TEAM123456.com.example.books",
        key_id: ExpectedKeyId::NotCompared,
    });
    let verdict = verify(&evidence, &context);
    assert_eq!(verdict, verify_with_memory(&evidence, &context, &*MEMORY));
    drop(verify_assertion(&Assertion {
        object: data,
        app_id: "TEAM123456.com.example.books",
        client_data_hash: &[0; 32],
        public_key: &[4; 65],
        previous_counter: 0,
    }));
});
