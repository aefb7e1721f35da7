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

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, AppAttestFacts, Assertion, AssertionFacts, Environment, ExpectedKeyId, Release,
    verify_assertion,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, Facts, Reject, Sha256Digest, UnixTime, rules, verify,
};
use mint::{Certificate, der, name};

const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01
const APP_ID: &str = "TEAM123456.com.example.books";
const CLIENT_DATA_HASH: &[u8] = &[5; 32];
const AUTHORITY: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xFF];

mod cbor {
    fn head(major: u8, value: usize) -> Vec<u8> {
        match value {
            0..24 => vec![major << 5 | u8::try_from(value).unwrap()],
            24..256 => vec![major << 5 | 0x18, u8::try_from(value).unwrap()],
            _ => [
                vec![major << 5 | 0x19],
                u16::try_from(value).unwrap().to_be_bytes().to_vec(),
            ]
            .concat(),
        }
    }

    pub fn text(text: &str) -> Vec<u8> {
        [head(3, text.len()), text.into()].concat()
    }

    pub fn bytes(bytes: &[u8]) -> Vec<u8> {
        [head(2, bytes.len()), bytes.into()].concat()
    }

    pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
        [head(4, items.len()), items.concat()].concat()
    }

    pub fn map_of(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let pairs = members
            .iter()
            .flat_map(|(key, value)| [key.clone(), value.clone()]);
        [head(5, members.len()), pairs.collect::<Vec<_>>().concat()].concat()
    }

    pub fn integer(value: i64) -> Vec<u8> {
        if value < 0 {
            head(1, usize::try_from(-1 - value).unwrap())
        } else {
            head(0, usize::try_from(value).unwrap())
        }
    }
}

/// A good attestation in parts.
struct Blueprint {
    format: &'static str,
    app_id: &'static str,
    flags: u8,
    counter: u32,
    aaguid: &'static [u8; 16],
    credential_id: Option<Vec<u8>>,
    credential_id_length: [u8; 2],
    cose: Vec<(Vec<u8>, Vec<u8>)>,
    behind_key: Vec<u8>,
    nonce: fn(&[u8]) -> Vec<Vec<u8>>,
    leaf: Certificate,
    intermediate: Certificate,
    extra_certificates: Vec<Vec<u8>>,
    behind_object: Vec<u8>,
    keys: [EcdsaKeyPair; 3],
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap()
}

fn nonce_extension(wrapped: &[u8]) -> Vec<u8> {
    mint::extension(&[1, 2, 840, 113_635, 100, 8, 2], wrapped)
}

fn good_nonce(nonce: &[u8]) -> Vec<Vec<u8>> {
    vec![nonce_extension(&der::sequence(&[der::explicit(
        1,
        &der::octets(nonce),
    )]))]
}

impl Blueprint {
    fn good() -> Self {
        let keys = [new_key(), new_key(), new_key()];
        let point = keys[0].public_key().as_ref().to_vec();
        let intermediate_name = name(&[(3, "Apple App Attestation CA 1")]);
        let certificate = |subject: Vec<u8>, issuer: Vec<u8>, at: usize| {
            let mut template = mint::Blueprint::factory().certificates[0].clone();
            template.subject = subject;
            template.issuer = issuer;
            template.spki = mint::p256(keys[at].public_key().as_ref());
            template.signer = at + 1;
            template
        };
        let leaf = certificate(name(&[(3, "key")]), intermediate_name.clone(), 0);
        let mut intermediate = certificate(intermediate_name, name(&[(3, "Root")]), 1);
        intermediate
            .extensions
            .push(mint::critical_extension(&[2, 5, 29, 19], AUTHORITY));
        Self {
            format: "apple-appattest",
            app_id: APP_ID,
            flags: 0x40,
            counter: 0,
            aaguid: b"appattest\0\0\0\0\0\0\0",
            credential_id: None,
            credential_id_length: [0, 32],
            cose: vec![
                (cbor::integer(1), cbor::integer(2)),
                (cbor::integer(3), cbor::integer(-7)),
                (cbor::integer(-1), cbor::integer(1)),
                (cbor::integer(-2), cbor::bytes(&point[1..33])),
                (cbor::integer(-3), cbor::bytes(&point[33..])),
            ],
            behind_key: Vec::new(),
            nonce: good_nonce,
            leaf,
            intermediate,
            extra_certificates: Vec::new(),
            behind_object: Vec::new(),
            keys,
        }
    }

    fn point(&self) -> &[u8] {
        self.keys[0].public_key().as_ref()
    }

    fn authenticator_data(&self) -> Vec<u8> {
        let key_id = Sha256Digest::of(self.point()).0.to_vec();
        [
            &Sha256Digest::of(self.app_id.as_bytes()).0[..],
            &[self.flags],
            &self.counter.to_be_bytes(),
            self.aaguid,
            &self.credential_id_length,
            self.credential_id.as_ref().unwrap_or(&key_id),
            &cbor::map_of(&self.cose),
            &self.behind_key,
        ]
        .concat()
    }

    fn mint(&self) -> Vec<u8> {
        let data = self.authenticator_data();
        let nonce = Sha256Digest::of(&[&data, CLIENT_DATA_HASH].concat()).0;
        let mut leaf = self.leaf.clone();
        leaf.extensions.extend((self.nonce)(&nonce));
        let sign =
            |certificate: &Certificate| mint::sign(certificate, &self.keys[certificate.signer]);
        let mut x5c = vec![
            cbor::bytes(&sign(&leaf)),
            cbor::bytes(&sign(&self.intermediate)),
        ];
        x5c.extend(
            self.extra_certificates
                .iter()
                .map(|extra| cbor::bytes(extra)),
        );
        let statement = [
            (cbor::text("x5c"), cbor::array(&x5c)),
            (cbor::text("receipt"), cbor::bytes(b"receipt")),
        ];
        let object = cbor::map_of(&[
            (cbor::text("fmt"), cbor::text(self.format)),
            (cbor::text("attStmt"), cbor::map_of(&statement)),
            (cbor::text("authData"), cbor::bytes(&data)),
        ]);
        [object, self.behind_object.clone()].concat()
    }

    fn ask(&self, object: &[u8], key_id: ExpectedKeyId<'_>) -> Result<AppAttestFacts, Reject> {
        let root = mint::p256(self.keys[2].public_key().as_ref());
        let anchors = Anchors::none().with_operator(&root).unwrap();
        let context = Context {
            now: NOW,
            challenge: ExpectedChallenge::Exactly(CLIENT_DATA_HASH),
            anchors: &anchors,
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let evidence = Evidence::AppAttest(AppAttest {
            object,
            app_id: APP_ID,
            key_id,
        });
        let Facts::AppAttest(facts) = verify(&evidence, &context)? else {
            panic!("another kind")
        };
        Ok(facts)
    }

    fn verdict(&self) -> Result<AppAttestFacts, Reject> {
        let key_id = Sha256Digest::of(self.point());
        self.ask(&self.mint(), ExpectedKeyId::Exactly(&key_id.0))
    }
}

const fn malformed(reason: &'static str) -> Reject {
    Reject::ObjectMalformed { reason }
}

fn extension_map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| (cbor::text(name), value.clone()))
        .collect();
    cbor::map_of(&members)
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

/// An assertion in parts.
struct Request {
    app_id: &'static str,
    counter: u32,
    behind_counter: Vec<u8>,
    behind_object: Vec<u8>,
    previous_counter: u32,
    hashed_again: bool,
}

impl Request {
    fn good() -> Self {
        Self {
            app_id: APP_ID,
            counter: 6,
            behind_counter: Vec::new(),
            behind_object: Vec::new(),
            previous_counter: 5,
            hashed_again: true,
        }
    }

    fn verdict(&self) -> Result<AssertionFacts, Reject> {
        let key = new_key();
        let app = Sha256Digest::of(self.app_id.as_bytes()).0;
        let data = [
            &app[..],
            &[0x40],
            &self.counter.to_be_bytes(),
            &self.behind_counter,
        ]
        .concat();
        let signed = [&data, CLIENT_DATA_HASH].concat();
        let message = if self.hashed_again {
            Sha256Digest::of(&signed).0.to_vec()
        } else {
            signed
        };
        let signature = key.sign(&SystemRandom::new(), &message).unwrap();
        let object = cbor::map_of(&[
            (cbor::text("signature"), cbor::bytes(signature.as_ref())),
            (cbor::text("authenticatorData"), cbor::bytes(&data)),
        ]);
        verify_assertion(&Assertion {
            object: &[object, self.behind_object.clone()].concat(),
            app_id: APP_ID,
            client_data_hash: CLIENT_DATA_HASH,
            public_key: key.public_key().as_ref(),
            previous_counter: self.previous_counter,
        })
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
