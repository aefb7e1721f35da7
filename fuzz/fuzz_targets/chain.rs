//! Android attestation chains: never a panic, never another verdict with a memory than without.
//!
//! Input: certificates, leaf first, each behind its length in two bytes, big-endian.
#![no_main]

use std::sync::LazyLock;

use bonafide_evidence::android::{
    Anchors, AttestKeys, RecentAuthorities, RevocationList, UnverifiedKeyDescription,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, UnixTime, verify, verify_with_memory,
};
use libfuzzer_sys::fuzz_target;

static ANCHORS: LazyLock<Anchors> = LazyLock::new(Anchors::google);
static MEMORY: LazyLock<RecentAuthorities> =
    LazyLock::new(|| RecentAuthorities::with_capacity(8));

fn certificates(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut chain = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (certificate, next) = behind.split_at(length);
        chain.push(certificate.to_vec());
        rest = next;
    }
    chain
}

fuzz_target!(|data: &[u8]| {
    let chain = certificates(data);
    let revocations = RevocationList::empty();
    let context = Context {
        now: UnixTime(1_720_000_000),
        challenge: ExpectedChallenge::NotCompared,
        anchors: &ANCHORS,
        revocations: &revocations,
        attest_keys: AttestKeys::Refuse,
    };
    let evidence = Evidence::AndroidKey { chain: &chain };
    let verdict = verify(&evidence, &context);
    assert_eq!(verdict, verify_with_memory(&evidence, &context, &*MEMORY));
    if let Ok(facts) = verdict {
        // What is sealed into a ticket must come out of it again.
        let json = serde_json::to_vec(&facts).expect("facts are JSON");
        assert_eq!(serde_json::from_slice::<bonafide_evidence::Facts>(&json).ok(), Some(facts));
    }
    for certificate in &chain {
        drop(UnverifiedKeyDescription::of_certificate(certificate));
    }
});
