//! Negatives by mutation: a good chain with exactly one rule broken gives exactly that refusal.
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

use bonafide_evidence::android::{
    AnchorKind, Anchors, AttestKeys, AttestedKey, AuthorityMemory as _, ChallengeComparison,
    KeyFacts, MAX_CERTIFICATE_BYTES, NoMemory, Origin, Provisioning, RecentAuthorities,
    RevocationList, SecurityLevel, SerialNumber, Tolerance,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, Facts, Reject, UnixTime, rules, verify,
    verify_with_memory,
};
use mint::{Blueprint, CHALLENGE, Description, der};

const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01
const BEFORE: UnixTime = UnixTime(1_735_689_600); // 2025-01-01
const AFTER: UnixTime = UnixTime(1_900_000_000); // 2030-03-17

/// How to ask about a chain.
struct Question<'a> {
    chain: &'a [Vec<u8>],
    anchors: Anchors,
    revocations: RevocationList,
    now: UnixTime,
    challenge: ExpectedChallenge<'a>,
}

impl<'a> Question<'a> {
    fn new(blueprint: &Blueprint, chain: &'a [Vec<u8>]) -> Self {
        Self {
            chain,
            anchors: Anchors::none().with_operator(blueprint.root_key()).unwrap(),
            revocations: RevocationList::empty(),
            now: NOW,
            challenge: ExpectedChallenge::Exactly(CHALLENGE),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            challenge: self.challenge,
            anchors: &self.anchors,
            revocations: &self.revocations,
            attest_keys: AttestKeys::Refuse,
        }
    }

    fn ask(&self) -> Result<KeyFacts, Reject> {
        let facts = verify(&Evidence::AndroidKey { chain: self.chain }, &self.context())?;
        let Facts::AndroidKey(facts) = facts else {
            panic!("another kind")
        };
        Ok(facts)
    }
}

fn verdict(blueprint: &Blueprint) -> Result<KeyFacts, Reject> {
    let chain = blueprint.mint();
    Question::new(blueprint, &chain).ask()
}

fn chain_verdict(blueprint: &Blueprint, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Reject {
    let mut chain = blueprint.mint();
    change(&mut chain);
    Question::new(blueprint, &chain).ask().unwrap_err()
}

fn malformed(reason: &'static str) -> Reject {
    Reject::KeyDescriptionMalformed { reason }
}

/// One rule broken by a change to the blueprint.
type Mutation = (Reject, fn(&mut Blueprint));

const OF_THE_CHAIN: &[Mutation] = &[
    (Reject::IssuerNameMismatch { position: 0 }, |b| {
        b.leaf().issuer = mint::name(&[(3, "Somebody Else")]);
    }),
    (Reject::IssuerNameMismatch { position: 2 }, |b| {
        b.under_root().issuer = mint::name(&[(5, "F92009E853B6B045")]);
    }),
    (Reject::SignatureAlgorithmMismatch { position: 1 }, |b| {
        b.attestation().inner_algorithm = mint::SHA384_WITH_ECDSA;
    }),
    (Reject::SignatureAlgorithmUnsupported { position: 1 }, |b| {
        b.attestation().inner_algorithm = mint::SHA1_WITH_ECDSA;
        b.attestation().outer_algorithm = mint::SHA1_WITH_ECDSA;
    }),
    (Reject::SignatureAlgorithmUnsupported { position: 0 }, |b| {
        let point = b.attestation().spki.split_off(27);
        b.attestation().spki = mint::spki(mint::SECP256K1, &point);
    }),
    (Reject::SignatureInvalid { position: 0 }, |b| {
        b.leaf().signer = 2;
    }),
    (Reject::SignatureInvalid { position: 1 }, |b| {
        b.attestation().signer = 3;
    }),
    (Reject::SignatureInvalid { position: 2 }, |b| {
        b.under_root().signer = 2;
    }),
    (Reject::ChainShapeUnknown, |b| {
        let plain = mint::name(&[(3, "Droid CA2")]);
        b.attestation().issuer.clone_from(&plain);
        b.under_root().subject = plain;
    }),
    (Reject::ChainTooShort, |b| {
        // The batch authority signs as if it were the attestation certificate.
        b.certificates.remove(1);
        b.keys.remove(1);
        b.leaf().issuer = b.certificates[1].subject.clone();
        b.leaf().signer = 1;
        b.attestation().signer = 2;
        b.certificates[2].signer = 2;
    }),
    (Reject::ChainExtended, Blueprint::extend_by_a_forged_leaf),
    (Reject::KeyDescriptionNotOnLeaf { position: 1 }, |b| {
        let description = mint::key_description_extension(&b.description.to_der());
        b.attestation().extensions.push(description);
    }),
    (Reject::KeyDescriptionNotOnLeaf { position: 2 }, |b| {
        let description = mint::critical_key_description(&b.description.to_der());
        b.under_root().extensions.push(description);
    }),
    (Reject::CertificateNotYetValid { position: 1 }, |b| {
        b.attestation().not_before = "20261101000001Z";
    }),
    (Reject::CertificateNotYetValid { position: 2 }, |b| {
        b.under_root().not_before = "20261101000001Z";
    }),
    (Reject::KeyDescriptionDuplicated { position: 0 }, |b| {
        let description = mint::critical_key_description(&b.description.to_der());
        b.leaf().extensions.push(description);
    }),
    (Reject::KeyDescriptionDuplicated { position: 1 }, |b| {
        let description = mint::key_description_extension(&b.description.to_der());
        b.attestation()
            .extensions
            .extend([description.clone(), description]);
    }),
    (
        Reject::CertificateMalformed {
            position: 1,
            reason: "an extension occurs twice",
        },
        |b| {
            let usage = mint::extension(&[2, 5, 29, 15], &[3, 2, 1, 6]);
            b.attestation().extensions.extend([usage.clone(), usage]);
        },
    ),
    (Reject::ChallengeMismatch, |b| {
        b.description.challenge.push(0);
    }),
    (Reject::ChallengeMismatch, |b| {
        b.description.challenge.clear();
    }),
];

fn hardware(b: &mut Blueprint, member: Vec<u8>) {
    b.description.hardware.push(member);
}

const OF_THE_DESCRIPTION: &[Mutation] = &[
    (Reject::AuthorizationTagDuplicated { tag: 704 }, |b| {
        hardware(b, mint::root_of_trust(&[], 0, 2));
    }),
    (Reject::AuthorizationTagDuplicated { tag: 1000 }, |b| {
        hardware(b, der::explicit(1000, &der::integer(1)));
        hardware(b, der::explicit(1000, &der::integer(1)));
    }),
    (malformed_const("unknown security level"), |b| {
        b.description.levels[0] = 3;
    }),
    (malformed_const("unknown security level"), |b| {
        b.description.levels[1] = 3;
    }),
    (malformed_const("version out of range"), |b| {
        b.description.versions[0] = 1 << 32;
    }),
    (malformed_const("unknown boot state"), |b| {
        b.description.hardware[3] = mint::root_of_trust(&[], 0xFF, 4);
    }),
    (malformed_const("boolean that is not one byte"), |b| {
        let members = [
            der::octets(&[]),
            der::tlv(&[1], &[0, 0]),
            der::enumerated(0),
        ];
        b.description.hardware[3] = der::explicit(704, &der::sequence(&members));
    }),
    (malformed_const("a member without an explicit tag"), |b| {
        hardware(b, der::integer(5));
    }),
    (malformed_const("a member without an explicit tag"), |b| {
        hardware(b, der::tlv(&[0x85], &[1])); // [5] IMPLICIT
    }),
    (malformed_const("patch level out of range"), |b| {
        b.description.hardware[4] = der::explicit(706, &der::integer(1 << 32));
    }),
    (malformed_const("purpose out of range"), |b| {
        b.description.hardware[0] = der::explicit(1, &der::set(&[der::tlv(&[2], &[0xFF])]));
    }),
    (malformed_const("too many members"), |b| {
        let purposes: Vec<_> = (0..33).map(der::integer).collect();
        b.description.hardware[0] = der::explicit(1, &der::set(&purposes));
    }),
    (malformed_const("bytes after the end"), |b| {
        let two = [der::integer(0), der::integer(0)].concat();
        b.description.hardware[2] = der::explicit(702, &two);
    }),
    (malformed_const("truncated DER"), |b| {
        b.description.hardware[2] = der::explicit(702, &[]);
    }),
    (malformed_const("another type than expected"), |b| {
        b.description.hardware[2] = der::explicit(702, &der::octets(&[0]));
    }),
    (
        malformed_const("integer empty, not minimal or out of range"),
        |b| {
            b.description.hardware[2] = der::explicit(702, &der::tlv(&[2], &[0, 0]));
        },
    ),
    (malformed_const("nested too deeply"), |b| {
        let deep = (0..17).fold(der::integer(0), |inner, _| der::sequence(&[inner]));
        hardware(b, der::explicit(1000, &deep));
    }),
    (malformed_const("signer of another length"), |b| {
        b.description.software[1] = mint::application(&[(mint::PACKAGE, 7)], &[vec![7; 31]]);
    }),
    (malformed_const("too many members"), |b| {
        let signers = vec![vec![7; 32]; 17];
        b.description.software[1] = mint::application(&[(mint::PACKAGE, 7)], &signers);
    }),
    (malformed_const("too many members"), |b| {
        let packages = vec![("a", 1); 65];
        b.description.software[1] = mint::application(&packages, &[vec![7; 32]]);
    }),
    (malformed_const("package not UTF-8"), |b| {
        let package = der::sequence(&[der::octets(&[0xFF]), der::integer(1)]);
        b.description.software[1] = application_of(&package);
    }),
    (malformed_const("negative app version"), |b| {
        let package = der::sequence(&[der::octets(b"a"), der::tlv(&[2], &[0xFF])]);
        b.description.software[1] = application_of(&package);
    }),
];

const fn malformed_const(reason: &'static str) -> Reject {
    Reject::KeyDescriptionMalformed { reason }
}

fn application_of(package: &[u8]) -> Vec<u8> {
    let signers = der::set(&[der::octets(&[7; 32])]);
    let id = der::sequence(&[der::set(&[package.to_vec()]), signers]);
    der::explicit(709, &der::octets(&id))
}

/// Changes to the bytes of a minted chain.
type Damage = (Reject, fn(&mut Vec<Vec<u8>>));

const OF_THE_BYTES: &[Damage] = &[
    (Reject::TooManyCertificates, |c| c.resize(9, vec![0x30, 0])),
    (Reject::CertificateTooLarge { position: 2 }, |c| {
        c[2].resize(MAX_CERTIFICATE_BYTES + 1, 0);
    }),
    (Reject::ChainTooLarge, |c| *c = vec![vec![0; 14 * 1024]; 5]),
    (Reject::ChainTooShort, Vec::clear),
    (Reject::ChainTooShort, |c| c.truncate(1)),
    (Reject::ChainTooShort, |c| c.truncate(2)),
    (
        Reject::CertificateMalformed {
            position: 0,
            reason: "bytes after the end",
        },
        |c| c[0].push(0),
    ),
    (
        Reject::CertificateMalformed {
            position: 3,
            reason: "bytes after the end",
        },
        |c| c[3].push(0),
    ),
    (
        Reject::CertificateMalformed {
            position: 1,
            reason: "truncated DER",
        },
        |c| {
            c[1].pop();
        },
    ),
    (
        Reject::CertificateMalformed {
            position: 1,
            reason: "not an X.509 certificate",
        },
        |c| {
            c[1] = der::sequence(&[der::integer(1)]);
        },
    ),
    (
        Reject::CertificateMalformed {
            position: 2,
            reason: "nested too deeply",
        },
        |c| {
            c[2] = (0..17).fold(der::integer(0), |inner, _| der::sequence(&[inner]));
        },
    ),
    (
        Reject::CertificateMalformed {
            position: 0,
            reason: "indefinite or reserved length",
        },
        |c| {
            c[0][1] = 0x80;
        },
    ),
    (Reject::IssuerNameMismatch { position: 2 }, |c| c.swap(1, 2)),
];

#[test]
fn a_good_chain_gives_its_facts() {
    let blueprint = Blueprint::factory();
    let facts = verdict(&blueprint).unwrap();
    assert_eq!(facts.anchor, AnchorKind::Operator);
    assert_eq!(facts.provisioning, Provisioning::Factory);
    assert_eq!(facts.challenge, ChallengeComparison::Equal);
    assert_eq!(facts.chain_level, SecurityLevel::TrustedEnvironment);
    assert_eq!(facts.origin, Some(Origin::Generated));
    assert_eq!(
        facts
            .serials
            .iter()
            .map(SerialNumber::as_str)
            .collect::<Vec<_>>(),
        ["bc1", "bc2"]
    );
    assert_eq!(facts.public_key.p256().unwrap().len(), 65);
    assert_eq!(facts.tolerated, []);
    let remote = verdict(&Blueprint::remote()).unwrap();
    assert_eq!(remote.provisioning, Provisioning::Remote);
}

#[test]
fn each_broken_rule_gives_its_own_refusal() {
    for (reject, break_it) in OF_THE_CHAIN.iter().chain(OF_THE_DESCRIPTION) {
        let mut blueprint = Blueprint::factory();
        break_it(&mut blueprint);
        assert_eq!(
            verdict(&blueprint),
            Err(reject.clone()),
            "{}",
            reject.code()
        );
    }
    for (reject, damage) in OF_THE_BYTES {
        assert_eq!(
            chain_verdict(&Blueprint::factory(), damage),
            *reject,
            "{}",
            reject.code()
        );
    }
}

#[test]
fn roots_are_keys_and_each_wrong_one_has_its_refusal() {
    let blueprint = Blueprint::factory();
    let chain = blueprint.mint();
    let mut question = Question::new(&blueprint, &chain);
    question.anchors = Anchors::google();
    assert_eq!(question.ask(), Err(Reject::RootNotTrusted));

    let mut software = Blueprint::factory();
    software.certificates[3].spki =
        include_bytes!("../src/android/roots/aosp-software-p256.spki.der").to_vec();
    let chain = software.mint();
    let reject = Question::new(&blueprint, &chain).ask().unwrap_err();
    assert!(matches!(reject, Reject::SoftwareRoot { .. }), "{reject}");

    // Google's genuine root behind a forger's chain: the links count, not the last certificate.
    let mut pretender = Blueprint::factory();
    pretender.certificates[3].spki =
        include_bytes!("../src/android/roots/google-p384.spki.der").to_vec();
    let chain = pretender.mint();
    let mut question = Question::new(&blueprint, &chain);
    question.anchors = Anchors::google();
    assert_eq!(
        question.ask(),
        Err(Reject::SignatureInvalid { position: 2 })
    );
}

#[test]
fn a_root_that_was_not_sent_is_found_by_its_signature() {
    for blueprint in [Blueprint::factory(), Blueprint::remote()] {
        let mut chain = blueprint.mint();
        let whole = Question::new(&blueprint, &chain).ask();
        chain.pop();
        let mut question = Question::new(&blueprint, &chain);
        assert_eq!(question.ask(), whole);
        question.anchors = Anchors::google();
        assert_eq!(question.ask(), Err(Reject::RootNotTrusted));
    }
}

#[test]
fn expiry_has_two_regimes() {
    let factory = Blueprint::factory();
    let chain = factory.mint();
    let mut question = Question::new(&factory, &chain);
    question.now = AFTER;
    assert!(question.ask().is_ok());
    question.now = BEFORE;
    assert_eq!(
        question.ask(),
        Err(Reject::CertificateNotYetValid { position: 1 })
    );

    for position in 1..=3 {
        let mut remote = Blueprint::remote();
        remote.certificates[position].not_after = "20261031235959Z";
        let chain = remote.mint();
        let refused = Question::new(&remote, &chain).ask();
        assert_eq!(refused, Err(Reject::CertificateExpired { position }));
    }
    let mut remote = Blueprint::remote();
    remote.certificates[1].not_after = "20261101000000Z"; // to the second
    assert!(verdict(&remote).is_ok());
}

#[test]
fn dates_of_leaf_and_root_mean_nothing() {
    for at in [0, 3] {
        let mut blueprint = Blueprint::factory();
        blueprint.certificates[at].not_before = "20300101000000Z";
        blueprint.certificates[at].not_after = "19700101000000Z";
        assert!(verdict(&blueprint).is_ok(), "{at}");
    }
}

#[test]
fn revocation_goes_by_number_and_never_by_the_leaf() {
    let blueprint = Blueprint::factory();
    let chain = blueprint.mint();
    let listed = |serial: &str| {
        let mut question = Question::new(&blueprint, &chain);
        let list = format!(r#"{{"entries": {{"{serial}": {{"status": "REVOKED"}}}}}}"#);
        question.revocations = RevocationList::parse(list.as_bytes()).unwrap();
        question.ask().map(drop)
    };
    let revoked = |serial: &str| {
        Err(Reject::CertificateRevoked {
            serial: serial.parse().unwrap(),
        })
    };
    assert_eq!(
        listed("bc1"),
        revoked("bc1"),
        "the attestation certificate, odd length"
    );
    assert_eq!(listed("bc2"), revoked("bc2"), "the batch authority");
    assert_eq!(
        listed("0bc2"),
        revoked("bc2"),
        "leading zeros are no part of a number"
    );
    assert_eq!(
        listed("a1b2c3d4e5f60002"),
        revoked("a1b2c3d4e5f60002"),
        "the key box's own number"
    );
    assert_eq!(listed("bc0"), Ok(()), "the leaf's number is no number");
    assert_eq!(listed("bc3"), Ok(()), "roots are pinned");
    assert_eq!(listed("3009"), Ok(()), "bc1 in decimal is another number");
}

/// A tolerated fault and how to make it.
type Fault = (Tolerance, fn(&mut Description));

#[test]
fn faults_of_encoding_that_real_phones_make_are_noted() {
    let cases: [Fault; 4] = [
        (Tolerance::AuthorizationOrder, |d| d.hardware.swap(0, 4)),
        (Tolerance::UnknownTag, |d| {
            d.hardware.push(der::explicit(1000, &der::integer(1)));
        }),
        (Tolerance::Boolean, |d| {
            d.hardware[3] = mint::root_of_trust(&[9; 32], 0x01, 0);
        }),
        (Tolerance::Boolean, |d| {
            d.hardware[3] = mint::root_of_trust(&[9; 32], 0x04, 0);
        }),
    ];
    let clean = verdict(&Blueprint::factory()).unwrap();
    for (tolerance, change) in cases {
        let mut blueprint = Blueprint::factory();
        change(&mut blueprint.description);
        let facts = verdict(&blueprint).unwrap();
        assert_eq!(facts.tolerated, [tolerance]);
        assert_eq!(facts.root_of_trust, clean.root_of_trust);
    }
}

#[test]
fn the_software_list_is_no_source_of_boot_state_or_origin() {
    let mut blueprint = Blueprint::factory();
    let moved = blueprint
        .description
        .hardware
        .drain(2..4)
        .collect::<Vec<_>>();
    blueprint.description.software.splice(0..0, moved);
    let facts = verdict(&blueprint).unwrap();
    assert_eq!((facts.origin, facts.root_of_trust), (None, None));
}

#[test]
fn a_strongbox_is_what_the_attestation_certificate_says() {
    for attributes in [
        &[(12, "StrongBox"), (5, "b2")],
        &[(3, "b2"), (10, "StrongBox")],
    ] {
        let mut blueprint = Blueprint::factory();
        let subject = mint::name(attributes);
        blueprint.leaf().issuer.clone_from(&subject);
        blueprint.attestation().subject = subject;
        assert_eq!(
            verdict(&blueprint).unwrap().chain_level,
            SecurityLevel::StrongBox
        );
    }
}

#[test]
fn a_key_of_another_kind_is_a_fact_until_somebody_wants_to_use_it() {
    let mut blueprint = Blueprint::factory();
    blueprint.leaf().spki = mint::spki(mint::SECP256K1, &[4; 65]);
    let facts = verdict(&blueprint).unwrap();
    let identifier = "1.2.840.10045.2.1".to_owned();
    assert_eq!(facts.public_key, AttestedKey::Other { identifier });
    assert_eq!(
        facts.public_key.p256(),
        Err(Reject::KeyAlgorithmUnsupported)
    );
}

#[test]
fn every_rule_is_broken_by_some_test_here() {
    let chain = OF_THE_CHAIN
        .iter()
        .chain(OF_THE_DESCRIPTION)
        .map(|(reject, _)| reject.code());
    let bytes = OF_THE_BYTES.iter().map(|(reject, _)| reject.code());
    let elsewhere = [
        "root-not-trusted",
        "software-root",
        "certificate-expired",
        "certificate-revoked",
        "key-description-missing",
        "key-algorithm-unsupported",
        // `attest_keys.rs`
        "attest-key-mismatch",
        "key-post-quantum",
    ];
    let covered: BTreeSet<&str> = chain.chain(bytes).chain(elsewhere).collect();
    let all: BTreeSet<&str> = rules::ANDROID_KEY.iter().map(|rule| rule.code).collect();
    assert_eq!(covered, all);
}

#[test]
fn a_leaf_without_description_attests_nothing() {
    let blueprint = Blueprint::factory();
    let chain = blueprint.mint_with_leaf_extensions(&[]);
    let refused = Question::new(&blueprint, &chain).ask();
    assert_eq!(refused, Err(Reject::KeyDescriptionMissing));
}

#[test]
fn a_description_with_something_missing_or_behind_it_is_malformed() {
    let blueprint = Blueprint::factory();
    let verdict_of = |value: &[u8]| {
        let chain = blueprint.mint_with_leaf_extensions(&[mint::key_description_extension(value)]);
        Question::new(&blueprint, &chain).ask().unwrap_err()
    };
    let members = Description::good().members();
    for count in 0..members.len() {
        assert_eq!(
            verdict_of(&der::sequence(&members[..count])),
            malformed("truncated DER")
        );
    }
    let nine = [members, vec![der::integer(0)]].concat();
    assert_eq!(
        verdict_of(&der::sequence(&nine)),
        malformed("bytes after the end")
    );
    let behind = [Description::good().to_der(), vec![0x05, 0x00]].concat();
    assert_eq!(verdict_of(&behind), malformed("bytes after the end"));
    assert_eq!(verdict_of(&[]), malformed("truncated DER"));
}

/// Whatever bit is flipped below the root, the chain is refused; in the root's certificate only name and
/// key count, and nothing there changes what the chain says.
#[test]
fn no_flipped_bit_survives() {
    let blueprint = Blueprint::factory();
    let chain = blueprint.mint();
    let whole = Question::new(&blueprint, &chain).ask().unwrap();
    for at in 0..chain.len() {
        for byte in 0..chain[at].len() {
            let mut flipped = chain.clone();
            flipped[at][byte] ^= 1 << (byte % 8);
            if let Ok(facts) = Question::new(&blueprint, &flipped).ask() {
                assert!(at == 3 && facts == whole, "certificate {at}, byte {byte}");
            }
        }
    }
}

#[test]
fn a_memory_answers_as_no_memory_does() {
    let memory = RecentAuthorities::with_capacity(1);
    let phones: Vec<(Blueprint, Vec<Vec<u8>>)> = (0..3)
        .map(|_| Blueprint::remote())
        .map(|blueprint| {
            let chain = blueprint.mint();
            (blueprint, chain)
        })
        .collect();
    for _ in 0..3 {
        for (blueprint, chain) in &phones {
            let mut question = Question::new(blueprint, chain);
            let evidence = Evidence::AndroidKey { chain };
            let ask = |question: &Question<'_>| {
                let known = verify_with_memory(&evidence, &question.context(), &memory);
                let unknown = verify_with_memory(&evidence, &question.context(), &NoMemory);
                assert_eq!(known, unknown);
                known
            };
            assert!(ask(&question).is_ok());
            question.now = AFTER;
            assert_eq!(
                ask(&question),
                Err(Reject::CertificateExpired { position: 1 })
            );
            question.now = NOW;
            question.revocations =
                RevocationList::parse(br#"{"entries": {"bc2": {"status": "REVOKED"}}}"#).unwrap();
            assert!(matches!(
                ask(&question),
                Err(Reject::CertificateRevoked { .. })
            ));
            question.revocations = RevocationList::empty();
            question.anchors = Anchors::google();
            assert_eq!(ask(&question), Err(Reject::RootNotTrusted));
        }
    }
}

/// An account may trust, for development, a key that stands in the middle of other people's chains.
#[test]
fn a_shared_memory_takes_nothing_from_an_account_whose_anchors_differ() {
    let memory = RecentAuthorities::with_capacity(16);
    let blueprint = Blueprint::remote();
    let mut chain = blueprint.mint();
    chain.pop();
    let evidence = Evidence::AndroidKey { chain: &chain };
    let ours = Question::new(&blueprint, &chain);
    let mut theirs = Question::new(&blueprint, &chain);
    theirs.anchors = Anchors::none()
        .with_development(&chain[chain.len() - 1])
        .unwrap();
    for question in [&theirs, &ours, &theirs, &ours] {
        let known = verify_with_memory(&evidence, &question.context(), &memory);
        let unknown = verify_with_memory(&evidence, &question.context(), &NoMemory);
        assert!(!memory.is_empty());
        assert_eq!(known, unknown);
    }
    assert!(verify_with_memory(&evidence, &ours.context(), &memory).is_ok());
}

#[test]
fn a_memory_keeps_what_is_proven_and_forgets_the_oldest() {
    let memory = RecentAuthorities::with_capacity(2);
    let mut forged = Blueprint::factory();
    forged.attestation().signer = 3;
    let chain = forged.mint();
    let question = Question::new(&forged, &chain);
    let evidence = Evidence::AndroidKey { chain: &chain };
    let refused = verify_with_memory(&evidence, &question.context(), &memory);
    assert_eq!(refused, Err(Reject::SignatureInvalid { position: 1 }));
    assert_eq!(memory.len(), 0);

    for _ in 0..5 {
        let blueprint = Blueprint::factory();
        let chain = blueprint.mint();
        let question = Question::new(&blueprint, &chain);
        let evidence = Evidence::AndroidKey { chain: &chain };
        verify_with_memory(&evidence, &question.context(), &memory).unwrap();
        assert!((1..=4).contains(&memory.len()));
    }
    assert!(
        memory
            .find(&bonafide_evidence::Sha256Digest([0; 32]))
            .is_none()
    );
}
