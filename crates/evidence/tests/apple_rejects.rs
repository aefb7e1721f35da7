//! Negatives by mutation for App Attest: a good object with exactly one rule broken gives exactly that
//! refusal.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod mint;

use std::collections::BTreeSet;

use bonafide_evidence::apple::{Environment, ExpectedKeyId, Release};
use bonafide_evidence::{Reject, Sha256Digest, rules};
use mint::apple::{
    AUTHORITY, Blueprint, CLIENT_DATA_HASH, Request, cbor, extension_map, good_nonce,
    nonce_extension,
};
use mint::{der, name};

const fn malformed(reason: &'static str) -> Reject {
    Reject::ObjectMalformed { reason }
}

type Mutation = (Reject, fn(&mut Blueprint));

const MUTATIONS: &[Mutation] = &[
    (Reject::FormatUnknown, |b| b.format = "apple"),
    (malformed("bytes after the end"), |b| {
        b.behind_object.push(0);
    }),
    (
        malformed("attestation without attested credential data"),
        |b| b.flags = 0,
    ),
    (malformed("credential id of another length than 32"), |b| {
        b.credential_id_length = [0xFF; 2];
    }),
    (malformed("another key than ES256 on P-256"), |b| {
        b.cose[1].1 = cbor::integer(-35);
    }),
    (malformed("an incomplete COSE key"), |b| {
        drop(b.cose.remove(0));
    }),
    (malformed("an unknown member of the COSE key"), |b| {
        b.cose.push((cbor::integer(4), cbor::integer(1)));
    }),
    (malformed("a map key occurs twice"), |b| {
        let again = b.cose[3].clone();
        b.cose.push(again);
    }),
    (malformed("another CBOR type than expected"), |b| {
        b.behind_key = vec![0x00];
    }),
    (malformed("bytes after the end"), |b| {
        b.behind_key = vec![0xA0, 0xA0];
    }),
    (malformed("category not of 4 bytes"), |b| {
        b.behind_key = extension_map(&[("apple_validation_category_01", cbor::bytes(&[4]))]);
    }),
    (Reject::ChainLength, |b| {
        b.extra_certificates.push(vec![0x30, 0]);
    }),
    (Reject::RootNotTrusted, |b| b.intermediate.signer = 1),
    (Reject::AuthorityMisplaced, |b| {
        b.intermediate.extensions.clear();
    }),
    (Reject::AuthorityMisplaced, |b| {
        b.leaf
            .extensions
            .push(mint::critical_extension(&[2, 5, 29, 19], AUTHORITY));
    }),
    (Reject::IssuerNameMismatch { position: 0 }, |b| {
        b.leaf.issuer = name(&[(3, "Look-alike")]);
    }),
    (Reject::SignatureInvalid { position: 0 }, |b| {
        b.leaf.signer = 2;
    }),
    (Reject::SignatureAlgorithmMismatch { position: 0 }, |b| {
        b.leaf.inner_algorithm = mint::SHA384_WITH_ECDSA;
    }),
    (Reject::SignatureAlgorithmUnsupported { position: 0 }, |b| {
        b.leaf.inner_algorithm = mint::SHA1_WITH_ECDSA;
        b.leaf.outer_algorithm = mint::SHA1_WITH_ECDSA;
    }),
    (
        Reject::CertificateMalformed {
            position: 0,
            reason: "an extension occurs twice",
        },
        |b| b.nonce = |nonce| [good_nonce(nonce), good_nonce(nonce)].concat(),
    ),
    (Reject::CertificateNotYetValid { position: 0 }, |b| {
        b.leaf.not_before = "20261101000001Z";
    }),
    (Reject::CertificateExpired { position: 0 }, |b| {
        b.leaf.not_after = "20261031235959Z";
    }),
    (Reject::CertificateExpired { position: 1 }, |b| {
        b.intermediate.not_after = "20261031235959Z";
    }),
    (Reject::NonceMismatch, |b| b.nonce = |_| vec![]),
    (Reject::NonceMismatch, |b| {
        b.nonce = |_| good_nonce(&[0; 32]);
    }),
    (Reject::NonceMismatch, |b| {
        b.nonce = |_| good_nonce(CLIENT_DATA_HASH);
    }),
    (Reject::NonceMismatch, |b| {
        b.nonce = |nonce| good_nonce(&Sha256Digest::of(nonce).0);
    }),
    (Reject::NonceMismatch, |b| {
        // The right bytes under another tag, and behind other bytes.
        b.nonce = |n| {
            vec![nonce_extension(&der::sequence(&[der::explicit(
                2,
                &der::octets(n),
            )]))]
        };
    }),
    (Reject::NonceMismatch, |b| {
        b.nonce = |nonce| {
            let padded = [der::integer(1), der::explicit(1, &der::octets(nonce))];
            vec![nonce_extension(&der::sequence(&padded))]
        };
    }),
    (Reject::CredentialMismatch, |b| {
        b.credential_id = Some(vec![0; 32]);
    }),
    (Reject::CredentialMismatch, |b| {
        b.cose[3].1 = cbor::bytes(&[1; 32]);
    }),
    (Reject::AppIdMismatch, |b| {
        b.app_id = "TEAM123456.com.example.other";
    }),
    (Reject::CounterNotZero, |b| b.counter = 1),
    (Reject::EnvironmentUnknown, |b| {
        b.aaguid = b"appattestdevelo\0";
    }),
];

#[test]
fn a_good_object_gives_its_facts() {
    let facts = Blueprint::good().verdict().unwrap();
    assert_eq!(facts.environment, Environment::Production);
    assert_eq!(facts.release, Release::default());
    let mut blueprint = Blueprint::good();
    blueprint.aaguid = b"appattestdevelop";
    blueprint.flags = 0xC0;
    blueprint.behind_key = extension_map(&[
        ("apple_validation_category_01", cbor::bytes(&[4, 0, 0, 0])),
        ("apple_bundle_version_01", cbor::text("42")),
        ("apple_something_new", cbor::integer(1)),
    ]);
    let facts = blueprint.verdict().unwrap();
    assert_eq!(facts.environment, Environment::Development);
    assert_eq!(facts.release.validation_category, Some(4));
    assert_eq!(facts.release.bundle_version.as_deref(), Some("42"));
}

#[test]
fn each_broken_rule_gives_its_own_refusal() {
    for (reject, break_it) in MUTATIONS {
        let mut blueprint = Blueprint::good();
        break_it(&mut blueprint);
        assert_eq!(
            blueprint.verdict(),
            Err(reject.clone()),
            "{}",
            reject.code()
        );
    }
    let blueprint = Blueprint::good();
    let object = blueprint.mint();
    assert_eq!(
        blueprint.ask(&object, ExpectedKeyId::Exactly(&[0; 32])),
        Err(Reject::KeyIdMismatch)
    );
    assert_eq!(
        blueprint.ask(&object, ExpectedKeyId::Exactly(&[])),
        Err(Reject::KeyIdMismatch)
    );
    let large = vec![0; 16 * 1024 + 1];
    assert_eq!(
        blueprint.ask(&large, ExpectedKeyId::NotCompared),
        Err(Reject::ObjectTooLarge)
    );
    for length in 0..object.len() {
        assert!(
            blueprint
                .ask(&object[..length], ExpectedKeyId::NotCompared)
                .is_err(),
            "{length}"
        );
    }
}

#[test]
fn every_rule_of_attestations_is_broken_by_some_test_here() {
    let mutations = MUTATIONS.iter().map(|(reject, _)| reject.code());
    // A P-384 leaf is in no corpus; the rule is the one that Android's tests break.
    let elsewhere = [
        "key-id-mismatch",
        "object-too-large",
        "key-algorithm-unsupported",
    ];
    let covered: BTreeSet<&str> = mutations.chain(elsewhere).collect();
    let all: BTreeSet<&str> = rules::APP_ATTEST.iter().map(|rule| rule.code).collect();
    assert_eq!(covered, all);
}

#[test]
fn no_flipped_bit_survives() {
    let blueprint = Blueprint::good();
    let object = blueprint.mint();
    let whole = blueprint.ask(&object, ExpectedKeyId::NotCompared).unwrap();
    let receipt = object
        .windows(7)
        .position(|window| window == b"receipt")
        .unwrap();
    for byte in 0..object.len() {
        let mut flipped = object.clone();
        flipped[byte] ^= 1 << (byte % 8);
        // The receipt is signed by itself; here it is only carried.
        let carried = (receipt..receipt + 15).contains(&byte);
        if let Ok(facts) = blueprint.ask(&flipped, ExpectedKeyId::NotCompared) {
            assert!(carried && facts == whole, "byte {byte}");
        }
    }
}

type RequestMutation = (Reject, fn(&mut Request));

const OF_REQUESTS: &[RequestMutation] = &[
    (Reject::ObjectTooLarge, |r| r.behind_object = vec![0; 1024]),
    (malformed("bytes after the end"), |r| {
        r.behind_object.push(0);
    }),
    (malformed("another CBOR type than expected"), |r| {
        r.behind_counter.push(0);
    }),
    (malformed("bytes after the end"), |r| {
        r.behind_counter = vec![0xA0, 0xA0];
    }),
    (Reject::AssertionSignatureInvalid, |r| {
        r.hashed_again = false;
    }),
    (Reject::AppIdMismatch, |r| {
        r.app_id = "TEAM123456.com.example.other";
    }),
    (Reject::CounterNotGreater, |r| r.previous_counter = 6),
    (Reject::CounterNotGreater, |r| r.previous_counter = u32::MAX),
];

#[test]
fn each_broken_rule_of_an_assertion_gives_its_own_refusal() {
    assert_eq!(Request::good().verdict().unwrap().counter, 6);
    for (reject, break_it) in OF_REQUESTS {
        let mut request = Request::good();
        break_it(&mut request);
        assert_eq!(request.verdict(), Err(reject.clone()), "{}", reject.code());
    }
    let covered: BTreeSet<&str> = OF_REQUESTS
        .iter()
        .map(|(reject, _)| reject.code())
        .collect();
    let all: BTreeSet<&str> = rules::APP_ATTEST_ASSERTION
        .iter()
        .map(|rule| rule.code)
        .collect();
    assert_eq!(covered, all);
}

#[test]
fn a_counter_is_unsigned() {
    let mut request = Request::good();
    (request.counter, request.previous_counter) = (0x8000_0001, 0x7FFF_FFFF);
    assert_eq!(request.verdict().unwrap().counter, 0x8000_0001);
}
