//! Chains with an app's own attest key, under a policy that accepts them and under one that does not; systems
//! that owners install; keys that nothing here can use yet.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod corpus;
mod mint;

use std::collections::BTreeSet;

use bonafide_evidence::android::{
    Anchors, AttestKeyFacts, AttestKeys, AttestedKey, BootState, KeyFacts, ListAge, RevocationList,
};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Facts, Measurements,
    Mode, Octets, Policy, Preset, Reject, Sightings, UnixTime, appraise, verify,
};
use corpus::{Corpus, Record};
use mint::{Blueprint, CHALLENGE, Description, PACKAGE, SIGNER, der};

const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01

fn ask(blueprint: &Blueprint, attest_keys: AttestKeys) -> Result<KeyFacts, Reject> {
    let chain = blueprint.mint();
    let context = Context {
        now: NOW,
        challenge: ExpectedChallenge::Exactly(CHALLENGE),
        anchors: &Anchors::none().with_operator(blueprint.root_key()).unwrap(),
        revocations: &RevocationList::empty(),
        attest_keys,
    };
    android(&Evidence::AndroidKey { chain: &chain }, &context)
}

fn android(evidence: &Evidence<'_>, context: &Context<'_>) -> Result<KeyFacts, Reject> {
    let Facts::AndroidKey(facts) = verify(evidence, context)? else {
        panic!("another kind")
    };
    Ok(facts)
}

fn purpose(number: u64) -> Vec<u8> {
    der::explicit(1, &der::set(&[der::integer(number)]))
}

/// A key that may attest others, and nothing else.
fn attest_key() -> Description {
    let mut description = Description::good();
    description.hardware[0] = purpose(7);
    description.challenge = b"what the app paired with".to_vec();
    description
}

/// The leaf, below one attest key for each description; the last is the nearest the key store.
fn below(attest_keys: &[Description]) -> Blueprint {
    let mut blueprint = Blueprint::factory();
    for description in attest_keys.iter().rev() {
        blueprint.description = description.clone();
        blueprint.extend_by_a_forged_leaf();
    }
    blueprint.description = Description::good();
    blueprint
}

#[test]
fn an_attest_key_is_believed_where_the_policy_says_so() {
    let blueprint = below(&[attest_key()]);
    let refused = ask(&blueprint, AttestKeys::Refuse);
    assert_eq!(refused, Err(Reject::ChainExtended));
    let facts = ask(&blueprint, AttestKeys::Accept).unwrap();
    let paired = AttestKeyFacts {
        count: 1,
        challenge: Octets(b"what the app paired with".to_vec()),
        os_patch: facts.os_patch,
    };
    assert_eq!(facts.attest_key, Some(paired));
    // The numbers and the key are those of the key store, not of the app.
    assert_eq!(facts.serials.len(), 2);
    let plain = ask(&Blueprint::factory(), AttestKeys::Accept).unwrap();
    assert_eq!(plain.attest_key, None);
    assert_eq!(plain.serials, facts.serials);
}

#[test]
fn attest_keys_may_attest_attest_keys_up_to_two() {
    let two = ask(&below(&[attest_key(), attest_key()]), AttestKeys::Accept);
    assert_eq!(two.unwrap().attest_key.unwrap().count, 2);
    let three = [attest_key(), attest_key(), attest_key()];
    let refused = ask(&below(&three), AttestKeys::Accept);
    assert_eq!(refused, Err(Reject::ChainExtended));
}

/// A change to the attest key's description, or to the leaf's, and the rule that it breaks.
type Mutation = (Reject, fn(&mut Description));

const OF_THE_ATTEST_KEY: &[Mutation] = &[
    // Any app can sign what it likes with such a key.
    (Reject::ChainExtended, |d| d.hardware[0] = purpose(2)),
    (Reject::ChainExtended, |d| {
        let both = der::set(&[der::integer(2), der::integer(7)]);
        d.hardware[0] = der::explicit(1, &both);
    }),
    (Reject::ChainExtended, |d| {
        d.hardware.remove(0);
        d.software.insert(0, purpose(7));
    }),
    (Reject::ChainExtended, |d| d.software.insert(0, purpose(2))),
    (Reject::ChainExtended, |d| d.levels = [0, 0]),
    (Reject::ChainExtended, |d| d.levels = [1, 0]),
    (Reject::ChainExtended, |d| {
        d.hardware[2] = der::explicit(702, &der::integer(2));
    }),
    (Reject::AttestKeyMismatch, |d| d.levels = [2, 2]),
    (Reject::AttestKeyMismatch, |d| {
        d.hardware[3] = mint::root_of_trust(&[8; 32], 0xFF, 0);
    }),
    (Reject::AttestKeyMismatch, |d| {
        d.hardware[3] = mint::root_of_trust(&[9; 32], 0x00, 0);
    }),
    (Reject::AttestKeyMismatch, |d| {
        d.software[1] = mint::application(&[("com.example.other", 7)], &[SIGNER.to_vec()]);
    }),
    (Reject::AttestKeyMismatch, |d| {
        d.software[1] = mint::application(&[(PACKAGE, 7)], &[vec![1; 32]]);
    }),
    (
        Reject::KeyDescriptionMalformed {
            reason: "unknown security level",
        },
        |d| d.levels = [3, 3],
    ),
];

#[test]
fn each_weakness_of_an_attest_key_is_refused_by_its_own_rule() {
    for (reject, change) in OF_THE_ATTEST_KEY {
        let mut description = attest_key();
        change(&mut description);
        let refused = ask(&below(&[description]), AttestKeys::Accept);
        assert_eq!(refused.as_ref(), Err(reject));
    }
}

#[test]
fn versions_and_patches_may_differ_since_the_attest_key_was_made() {
    let mut description = attest_key();
    description.software[1] = mint::application(&[(PACKAGE, 3)], &[SIGNER.to_vec()]);
    description.hardware[4] = der::explicit(706, &der::integer(202_501));
    let facts = ask(&below(&[description]), AttestKeys::Accept).unwrap();
    assert_eq!(facts.application.unwrap().packages[0].version, 7);
}

#[test]
fn a_description_above_the_attest_key_is_still_an_attack() {
    let mut blueprint = below(&[attest_key()]);
    let description = Description::good().to_der();
    // Position 2: the key store's attestation certificate.
    blueprint.certificates[2]
        .extensions
        .push(mint::key_description_extension(&description));
    let refused = ask(&blueprint, AttestKeys::Accept);
    // Two attest keys leave too few certificates for any shape.
    assert_eq!(refused, Err(Reject::ChainTooShort));
}

#[test]
fn a_post_quantum_key_is_a_fact_and_has_a_refusal_of_its_own() {
    for (last, parameter_set) in [(17, 44), (18, 65), (19, 87)] {
        let mut blueprint = Blueprint::factory();
        let algorithm = der::sequence(&[der::oid(&[2, 16, 840, 1, 101, 3, 4, 3, last])]);
        blueprint.leaf().spki = der::sequence(&[algorithm, der::bits(&[7; 1312])]);
        let facts = ask(&blueprint, AttestKeys::Refuse).unwrap();
        assert_eq!(facts.public_key, AttestedKey::MlDsa { parameter_set });
        assert_eq!(facts.public_key.p256(), Err(Reject::KeyPostQuantum));
        assert_eq!(Reject::KeyPostQuantum.code(), "key-post-quantum");
    }
}

/// A chain of a corpus, believed or not.
fn real(record: &Record, attest_keys: AttestKeys) -> Result<KeyFacts, Reject> {
    let chain = record.base64_list("chain");
    let challenge = record.base64("challenge");
    let context = Context {
        now: record.at(),
        challenge: ExpectedChallenge::Exactly(&challenge),
        anchors: &Anchors::google(),
        revocations: &RevocationList::empty(),
        attest_keys,
    };
    android(&Evidence::AndroidKey { chain: &chain }, &context)
}

/// Real chains that are refused for their length alone, such as those of `Auditor`, have attest keys.
/// Where such a phone boots a system that its owner installed, that is a matter of policy, and of its key.
#[test]
fn real_chains_of_attest_keys_are_genuine_under_such_a_policy() {
    for corpus in Corpus::views("real chains of attest keys") {
        let extended = corpus.records(|r| {
            r["chain"].is_array()
                && r["expect"]["chain_only_at_creation"] == "reject:CHAIN_EXTENDED"
        });
        let mut policy = Policy::preset(Preset::Strict);
        for check in [Check::AppRegistration, Check::RevocationListAge] {
            policy.set_mode(check, Mode::Off);
        }
        for check in [Check::PatchAge, Check::MeasurementReadable] {
            policy.set_mode(check, Mode::Observe);
        }
        let mut systems = BTreeSet::new();
        for record in &extended {
            assert_eq!(real(record, AttestKeys::Refuse), Err(Reject::ChainExtended));
            let facts = real(record, AttestKeys::Accept).unwrap();
            let boot = facts.root_of_trust.clone().unwrap();
            let other_system = boot.state == BootState::SelfSigned;
            systems.insert(other_system);
            let facts = Facts::AndroidKey(facts);
            let codes = |policy: &Policy| {
                let appraisal = Appraisal {
                    facts: &facts,
                    measurements: &Measurements::NONE,
                    references: &[],
                    device_override: DeviceOverride::None,
                    revocation_list: ListAge::Missing,
                    sightings: Sightings::NotKept,
                    now: record.at(),
                };
                match appraise(&appraisal, policy).into_grant() {
                    Ok(_) => Vec::new(),
                    Err(refusal) => refusal.codes().collect(),
                }
            };
            let expected: &[&str] = if other_system {
                &["boot-not-verified"]
            } else {
                &[]
            };
            assert_eq!(codes(&policy), expected, "{}", record.id());
            let mut named = policy.clone();
            named.accepted_boot_keys = BTreeSet::from([boot.verified_boot_key]);
            assert_eq!(codes(&named), [""; 0], "{}", record.id());
        }
        println!(
            "{} real chains of attest keys; under systems of their owners': {systems:?}",
            extended.len()
        );
    }
}
