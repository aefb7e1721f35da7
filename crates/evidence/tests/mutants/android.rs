//! Android chains: names, signatures, shapes, dates, lists, descriptions, and what the strict policy says.

use aws_lc_rs::signature::KeyPair as _;
use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Measurements, Mode,
    Policy, ReferenceValue, Sha256Digest, Sightings, UnixTime, appraise, verify,
};

use super::mint::{self, Blueprint, PACKAGE, SIGNER, der};
use super::random::Random;
use super::{Class, Control, Outcome};

pub const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01
const NOT_BEFORE: i64 = 1_767_225_600; // 2026-01-01, as the blueprints have it
const NOT_AFTER: i64 = 1_798_761_600; // 2027-01-01
const SOFTWARE: [&[u8]; 2] = [
    include_bytes!("../../src/android/roots/aosp-software-p256.spki.der"),
    include_bytes!("../../src/android/roots/aosp-software-rsa-1024.spki.der"),
];

/// A chain and everything that it is asked about.
struct Case {
    blueprint: Blueprint,
    /// The key that is trusted, whatever becomes of the blueprint.
    anchor: Vec<u8>,
    now: UnixTime,
    challenge: Vec<u8>,
    revocations: RevocationList,
    policy: Policy,
}

impl Case {
    /// A genuine phone: another one each time.
    fn new(random: &mut Random) -> Self {
        let mut blueprint = if random.below(2) == 0 {
            Blueprint::factory()
        } else {
            Blueprint::remote()
        };
        for certificate in &mut blueprint.certificates {
            let length = 7 + random.below(12);
            certificate.serial = [vec![1], random.bytes(length)].concat();
        }
        let challenge = random.bytes(16 + random_length(blueprint.keys.len()));
        blueprint.description.challenge.clone_from(&challenge);
        let boot_key = random.bytes(32);
        blueprint.description.hardware[3] = mint::root_of_trust(&boot_key, 0xFF, 0);
        let mut policy = Policy::default();
        for check in [Check::MeasurementReadable, Check::MeasurementComplete] {
            policy.set_mode(check, Mode::Off);
        }
        Self {
            anchor: blueprint.root_key().to_vec(),
            blueprint,
            now: NOW,
            challenge,
            revocations: RevocationList::empty(),
            policy,
        }
    }

    fn of(blueprint: Blueprint, random: &mut Random) -> Self {
        let mut case = Self::new(random);
        case.anchor = blueprint.root_key().to_vec();
        case.blueprint = blueprint;
        case.blueprint
            .description
            .challenge
            .clone_from(&case.challenge);
        case
    }

    fn judge(&self) -> Outcome {
        self.judge_chain(&self.blueprint.mint())
    }

    fn judge_chain(&self, chain: &[Vec<u8>]) -> Outcome {
        let context = Context {
            now: self.now,
            challenge: ExpectedChallenge::Exactly(&self.challenge),
            anchors: &Anchors::none().with_operator(&self.anchor).unwrap(),
            revocations: &self.revocations,
            attest_keys: AttestKeys::Refuse,
        };
        let facts = verify(&Evidence::AndroidKey { chain }, &context)
            .map_err(|reject| vec![reject.code()])?;
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &Measurements::NONE,
            references: &[ReferenceValue::Certificate {
                package: PACKAGE.to_owned(),
                signers: vec![Sha256Digest(SIGNER)],
            }],
            device_override: DeviceOverride::None,
            revocation_list: ListAge::ConfirmedAt(self.now),
            sightings: Sightings::NotKept,
            now: self.now,
        };
        match appraise(&appraisal, &self.policy).into_grant() {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.codes().collect()),
        }
    }

    /// Any certificate but the root.
    fn any(&self, random: &mut Random) -> usize {
        random.below(self.blueprint.certificates.len() - 1)
    }

    /// Any certificate between leaf and root.
    fn any_authority(&self, random: &mut Random) -> usize {
        1 + random.below(self.blueprint.certificates.len() - 2)
    }
}

/// Challenges of different lengths.
const fn random_length(keys: usize) -> usize {
    keys * 4
}

/// Changes the blueprint, which is signed then.
fn signed(random: &mut Random, change: impl FnOnce(&mut Case, &mut Random)) -> Outcome {
    let mut case = Case::new(random);
    change(&mut case, random);
    case.judge()
}

/// Changes the signed chain.
fn sent(
    random: &mut Random,
    change: impl FnOnce(&Case, &mut Vec<Vec<u8>>, &mut Random),
) -> Outcome {
    let case = Case::new(random);
    let mut chain = case.blueprint.mint();
    change(&case, &mut chain, random);
    case.judge_chain(&chain)
}

/// Changes the bytes of the description, which are signed then.
fn described(random: &mut Random, change: impl FnOnce(&mut Vec<u8>, &mut Random)) -> Outcome {
    let case = Case::new(random);
    let mut value = case.blueprint.description.to_der();
    change(&mut value, random);
    let extension = mint::key_description_extension(&value);
    case.judge_chain(&case.blueprint.mint_with_leaf_extensions(&[extension]))
}

fn list(random: &mut Random, number: &[u8]) -> RevocationList {
    let digits = hex::encode(number);
    let significant = digits.trim_start_matches('0').to_owned();
    let spelled = match random.below(4) {
        0 => significant,
        1 => significant.to_uppercase(),
        2 => format!("{}{significant}", "0".repeat(random.below(9))),
        _ => digits,
    };
    let status = random.pick(&["REVOKED", "SUSPENDED", "A_WORD_TO_COME"]);
    let json = format!(r#"{{"entries": {{"{spelled}": {{"status": "{status}"}}}}}}"#);
    RevocationList::parse(json.as_bytes()).unwrap()
}

fn position_of(der: &[u8], part: &[u8]) -> usize {
    der.windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

fn some_tag(random: &mut Random) -> Vec<u8> {
    der::explicit(
        u64::try_from(random.within(1000, 3000)).unwrap(),
        &der::integer(1),
    )
}

pub const CONTROLS: &[Control] = &[Control {
    name: "android",
    original: |random| Case::new(random).judge(),
}];

/// Name, code, mutant.
type Row = (&'static str, &'static str, fn(&mut Random) -> Outcome);

pub fn classes() -> Vec<Class> {
    [CHAIN, BYTES, DESCRIPTION, POLICY]
        .into_iter()
        .flatten()
        .map(|&(name, code, mutant)| Class { name, code, mutant })
        .collect()
}

const CHAIN: &[Row] = &[
    (
        "android: another issuer name",
        "issuer-name-mismatch",
        |r| {
            signed(r, |case, r| {
                let at = case.any(r);
                case.blueprint.certificates[at].issuer = mint::name(&[(3, &r.word())]);
            })
        },
    ),
    (
        "android: a certificate left out",
        "issuer-name-mismatch",
        |r| {
            // Of the longer shape, so that the rest is no chain too short.
            let case = Case::of(Blueprint::remote(), r);
            let mut chain = case.blueprint.mint();
            chain.remove(1 + r.below(2));
            case.judge_chain(&chain)
        },
    ),
    (
        "android: signed by another key of the chain",
        "signature-invalid",
        |r| {
            signed(r, |case, r| {
                let at = case.any(r);
                let others = case.blueprint.keys.len();
                let right = case.blueprint.certificates[at].signer;
                case.blueprint.certificates[at].signer = (right + 1 + r.below(others - 1)) % others;
            })
        },
    ),
    (
        "android: a leaf of another phone",
        "signature-invalid",
        |r| {
            let other = Case::new(r);
            let case = Case::of(
                if other.blueprint.keys.len() == 4 {
                    Blueprint::factory()
                } else {
                    Blueprint::remote()
                },
                r,
            );
            let mut chain = case.blueprint.mint();
            chain[0].clone_from(&other.blueprint.mint()[0]);
            case.judge_chain(&chain)
        },
    ),
    (
        "android: a root of the same name",
        "root-not-trusted",
        |r| {
            let case = Case::new(r);
            let other = if case.blueprint.keys.len() == 4 {
                Blueprint::factory()
            } else {
                Blueprint::remote()
            };
            case.judge_chain(&other.mint())
        },
    ),
    ("android: a published software root", "software-root", |r| {
        signed(r, |case, r| {
            let last = case.blueprint.certificates.len() - 1;
            case.blueprint.certificates[last].spki = r.pick(&SOFTWARE).to_vec();
        })
    }),
    (
        "android: two algorithms",
        "signature-algorithm-mismatch",
        |r| {
            signed(r, |case, r| {
                let at = case.any(r);
                let other = *r.pick(&[mint::SHA384_WITH_ECDSA, mint::SHA1_WITH_ECDSA]);
                let certificate = &mut case.blueprint.certificates[at];
                if r.below(2) == 0 {
                    certificate.inner_algorithm = other;
                } else {
                    certificate.outer_algorithm = other;
                }
            })
        },
    ),
    ("android: SHA-1", "signature-algorithm-unsupported", |r| {
        signed(r, |case, r| {
            let at = case.any(r);
            let certificate = &mut case.blueprint.certificates[at];
            certificate.inner_algorithm = mint::SHA1_WITH_ECDSA;
            certificate.outer_algorithm = mint::SHA1_WITH_ECDSA;
        })
    }),
    (
        "android: an authority on another curve",
        "signature-algorithm-unsupported",
        |r| {
            signed(r, |case, r| {
                let at = case.any_authority(r);
                let point = r.bytes(65);
                case.blueprint.certificates[at].spki = mint::spki(mint::SECP256K1, &point);
            })
        },
    ),
    (
        "android: another hash than was signed with",
        "signature-invalid",
        |r| {
            signed(r, |case, r| {
                let at = case.any(r);
                let certificate = &mut case.blueprint.certificates[at];
                certificate.inner_algorithm = mint::SHA384_WITH_ECDSA;
                certificate.outer_algorithm = mint::SHA384_WITH_ECDSA;
            })
        },
    ),
    ("android: no known shape", "chain-shape-unknown", |r| {
        signed(r, |case, r| {
            let plain = mint::name(&[(3, &r.word()), (10, "Google LLC")]);
            let at = case.blueprint.certificates.len() - 2;
            case.blueprint.certificates[at].subject.clone_from(&plain);
            case.blueprint.certificates[at - 1].issuer = plain;
        })
    }),
    (
        "android: a forged leaf below a genuine one",
        "chain-extended",
        |r| {
            let mut case = Case::new(r);
            case.blueprint.extend_by_a_forged_leaf();
            case.judge()
        },
    ),
    (
        "android: remote provisioning without a server",
        "chain-too-short",
        |r| {
            let mut case = Case::of(Blueprint::remote(), r);
            let blueprint = &mut case.blueprint;
            blueprint.certificates.remove(2);
            blueprint.keys.remove(2);
            let batch = blueprint.certificates[2].subject.clone();
            blueprint.certificates[1].issuer = batch;
            blueprint.certificates[1].signer = 2;
            blueprint.certificates[0].signer = 1;
            blueprint.certificates[2].signer = 3;
            blueprint.certificates[3].signer = 3;
            case.judge()
        },
    ),
    (
        "android: two certificates or fewer",
        "chain-too-short",
        |r| sent(r, |_, chain, r| chain.truncate(r.below(3))),
    ),
    (
        "android: more certificates than any shape",
        "too-many-certificates",
        |r| {
            sent(r, |_, chain, r| {
                let root = chain.last().unwrap().clone();
                chain.resize(9 + r.below(9), root);
            })
        },
    ),
    (
        "android: a description above the leaf",
        "key-description-not-on-leaf",
        |r| {
            signed(r, |case, r| {
                let at = case.any_authority(r);
                let description = case.blueprint.description.to_der();
                let extension = if r.below(2) == 0 {
                    mint::key_description_extension(&description)
                } else {
                    mint::critical_key_description(&description)
                };
                case.blueprint.certificates[at].extensions.push(extension);
            })
        },
    ),
    (
        "android: nothing attested",
        "key-description-missing",
        |r| {
            let case = Case::new(r);
            let other = mint::extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 1, 18], &r.bytes(20));
            case.judge_chain(&case.blueprint.mint_with_leaf_extensions(&[other]))
        },
    ),
    (
        "android: two descriptions",
        "key-description-duplicated",
        |r| {
            let case = Case::new(r);
            let description = case.blueprint.description.to_der();
            let extensions = [
                mint::key_description_extension(&description),
                mint::critical_key_description(&r.bytes(40)),
            ];
            case.judge_chain(&case.blueprint.mint_with_leaf_extensions(&extensions))
        },
    ),
    (
        "android: before an authority's time",
        "certificate-not-yet-valid",
        |r| {
            signed(r, |case, r| {
                case.now = UnixTime(r.within(0, NOT_BEFORE - 1));
            })
        },
    ),
    (
        "android: after remote authorities' time",
        "certificate-expired",
        |r| {
            let mut case = Case::of(Blueprint::remote(), r);
            case.now = UnixTime(r.within(NOT_AFTER + 1, 4_000_000_000));
            case.judge()
        },
    ),
    (
        "android: a listed certificate",
        "certificate-revoked",
        |r| {
            signed(r, |case, r| {
                let at = case.any_authority(r);
                let number = case.blueprint.certificates[at].serial.clone();
                case.revocations = list(r, &number);
            })
        },
    ),
    ("android: a listed key box", "certificate-revoked", |r| {
        let mut case = Case::of(Blueprint::factory(), r);
        let number = r.pick(&["a1b2c3d4e5f60002", "a1b2c3d4e5f60001"]);
        case.revocations = list(r, &hex::decode(number).unwrap());
        case.judge()
    }),
    ("android: another challenge", "challenge-mismatch", |r| {
        signed(r, |case, r| r.flip(&mut case.challenge))
    }),
    (
        "android: a challenge cut or padded",
        "challenge-mismatch",
        |r| {
            signed(r, |case, r| {
                let length = case.challenge.len();
                let other = r.below(length * 2);
                case.challenge
                    .resize(if other == length { 0 } else { other }, 0);
            })
        },
    ),
];

const BYTES: &[Row] = &[
    ("android: a bit of a signature", "signature-invalid", |r| {
        sent(r, |case, chain, r| {
            let der = &mut chain[case.any(r)];
            let length = der.len();
            r.flip(&mut der[length - 28..]);
        })
    }),
    (
        "android: a bit of a serial number",
        "signature-invalid",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let serial = &case.blueprint.certificates[at].serial;
                let start = position_of(&chain[at], serial);
                // Not its first byte: that would be another length, or a negative number.
                let stretch = start + 1..start + serial.len();
                r.flip(&mut chain[at][stretch]);
            })
        },
    ),
    ("android: a bit of a public key", "signature-invalid", |r| {
        sent(r, |case, chain, r| {
            let at = case.any(r);
            let point = case.blueprint.keys[at].public_key().as_ref()[1..].to_vec();
            let start = position_of(&chain[at], &point);
            r.flip(&mut chain[at][start..start + 64]);
        })
    }),
    (
        "android: a bit of the attested challenge",
        "signature-invalid",
        |r| {
            sent(r, |case, chain, r| {
                let start = position_of(&chain[0], &case.challenge);
                r.flip(&mut chain[0][start..start + case.challenge.len()]);
            })
        },
    ),
    (
        "android: another year of validity",
        "signature-invalid",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let start = position_of(&chain[at], b"20270101000000Z");
                chain[at][start + 2] = b'3' + u8::try_from(r.below(7)).unwrap();
                chain[at][start + 3] = b'0' + u8::try_from(r.below(10)).unwrap();
            })
        },
    ),
    (
        "android: bytes behind a certificate",
        "certificate-malformed",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let count = 1 + r.below(40);
                chain[at].extend(r.bytes(count));
            })
        },
    ),
    (
        "android: a certificate cut off",
        "certificate-malformed",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let length = r.below(chain[at].len());
                chain[at].truncate(length);
            })
        },
    ),
    (
        "android: a length in a longer form",
        "certificate-malformed",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let der = chain[at].clone();
                // 30 82 xx xx becomes 30 83 00 xx xx, or 30 84 00 00 xx xx.
                let zeros = 1 + r.below(2);
                let header = vec![0x30, 0x82 + u8::try_from(zeros).unwrap()];
                chain[at] = [header, vec![0; zeros], der[2..].to_vec()].concat();
            })
        },
    ),
    (
        "android: an extension twice",
        "certificate-malformed",
        |r| {
            signed(r, |case, r| {
                let at = case.any(r);
                let arc = u64::try_from(r.below(100)).unwrap();
                let extension = mint::extension(&[2, 5, 29, 100 + arc], &r.bytes(8));
                let extensions = &mut case.blueprint.certificates[at].extensions;
                extensions.extend([extension.clone(), extension]);
            })
        },
    ),
    (
        "android: a certificate too large",
        "certificate-too-large",
        |r| {
            sent(r, |case, chain, r| {
                let at = case.any(r);
                let size = 16 * 1024 + 1 + r.below(1000);
                chain[at].resize(size, 0);
            })
        },
    ),
    ("android: a chain too large", "chain-too-large", |r| {
        sent(r, |_, chain, r| {
            let count = 5 + r.below(4);
            chain.resize(count, Vec::new());
            for der in chain {
                der.resize(13_200 + r.below(3000), 0);
            }
        })
    }),
];

const DESCRIPTION: &[Row] = &[
    (
        "android: a member left out of the description",
        "key-description-malformed",
        |r| {
            let case = Case::new(r);
            let mut members = case.blueprint.description.members();
            members.remove(r.below(8));
            let value = der::sequence(&members);
            let extension = mint::key_description_extension(&value);
            case.judge_chain(&case.blueprint.mint_with_leaf_extensions(&[extension]))
        },
    ),
    (
        "android: a member more in the description",
        "key-description-malformed",
        |r| {
            let case = Case::new(r);
            let mut members = case.blueprint.description.members();
            members.push(der::octets(&r.bytes(4)));
            let value = der::sequence(&members);
            let extension = mint::key_description_extension(&value);
            case.judge_chain(&case.blueprint.mint_with_leaf_extensions(&[extension]))
        },
    ),
    (
        "android: bytes behind the description",
        "key-description-malformed",
        |r| {
            described(r, |value, r| {
                let count = 1 + r.below(9);
                value.extend(r.bytes(count));
            })
        },
    ),
    (
        "android: a description cut off",
        "key-description-malformed",
        |r| {
            described(r, |value, r| {
                let length = r.below(value.len());
                value.truncate(length);
            })
        },
    ),
    (
        "android: an unknown security level",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let at = r.below(2);
                case.blueprint.description.levels[at] =
                    u64::try_from(r.within(3, 1 << 40)).unwrap();
            })
        },
    ),
    (
        "android: a version out of range",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let at = r.below(2);
                case.blueprint.description.versions[at] = (1 << 32) + r.next() % (1 << 32);
            })
        },
    ),
    (
        "android: an unknown boot state",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let state = u64::try_from(r.within(4, 1 << 30)).unwrap();
                case.blueprint.description.hardware[3] =
                    mint::root_of_trust(&r.bytes(32), 0xFF, state);
            })
        },
    ),
    (
        "android: a tag twice",
        "authorization-tag-duplicated",
        |r| {
            signed(r, |case, r| {
                let description = &mut case.blueprint.description;
                let list = if r.below(2) == 0 {
                    &mut description.software
                } else {
                    &mut description.hardware
                };
                let again = r.pick(list).clone();
                let at = r.below(list.len() + 1);
                list.insert(at, again);
            })
        },
    ),
    (
        "android: an unknown tag twice",
        "authorization-tag-duplicated",
        |r| {
            signed(r, |case, r| {
                let tag = some_tag(r);
                case.blueprint
                    .description
                    .hardware
                    .extend([tag.clone(), tag]);
            })
        },
    ),
    (
        "android: a member without an explicit tag",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let member = der::integer(r.next() >> 8);
                case.blueprint.description.hardware.push(member);
            })
        },
    ),
    (
        "android: a signer of another length",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let length = [0, 16, 20, 31, 33, 48, 64][r.below(7)];
                case.blueprint.description.software[1] =
                    mint::application(&[(PACKAGE, 7)], &[r.bytes(length)]);
            })
        },
    ),
    (
        "android: more packages than any user id has",
        "key-description-malformed",
        |r| {
            signed(r, |case, r| {
                let count = 65 + r.below(100);
                let packages = vec![(PACKAGE, 7); count];
                case.blueprint.description.software[1] =
                    mint::application(&packages, &[SIGNER.to_vec()]);
            })
        },
    ),
];

const POLICY: &[Row] = &[
    (
        "android: the bootloader unlocked",
        "bootloader-unlocked",
        |r| {
            signed(r, |case, r| {
                case.blueprint.description.hardware[3] = mint::root_of_trust(&r.bytes(32), 0, 0);
            })
        },
    ),
    ("android: another system", "boot-not-verified", |r| {
        signed(r, |case, r| {
            let state = 1 + u64::try_from(r.below(3)).unwrap();
            case.blueprint.description.hardware[3] = mint::root_of_trust(&r.bytes(32), 0xFF, state);
        })
    }),
    (
        "android: a system that the policy does not name",
        "boot-not-verified",
        |r| {
            signed(r, |case, r| {
                let mut key = r.bytes(32);
                case.policy
                    .set("accepted-boot-keys", &hex::encode(&key))
                    .unwrap();
                r.flip(&mut key);
                case.blueprint.description.hardware[3] = mint::root_of_trust(&key, 0xFF, 1);
            })
        },
    ),
    (
        "android: no word on how it booted",
        "root-of-trust-missing",
        |r| {
            signed(r, |case, r| {
                let boot = case.blueprint.description.hardware.remove(3);
                if r.below(2) == 0 {
                    case.blueprint.description.software.push(boot);
                }
            })
        },
    ),
    (
        "android: a key born elsewhere",
        "key-not-generated-in-hardware",
        |r| {
            signed(r, |case, r| {
                let origin = der::integer(1 + u64::try_from(r.below(200)).unwrap());
                case.blueprint.description.hardware[2] = der::explicit(702, &origin);
            })
        },
    ),
    (
        "android: no word of hardware on its birth",
        "key-not-generated-in-hardware",
        |r| {
            signed(r, |case, r| {
                let origin = case.blueprint.description.hardware.remove(2);
                if r.below(2) == 0 {
                    case.blueprint.description.software.push(origin);
                }
            })
        },
    ),
    (
        "android: a key that attests others",
        "key-attests-others",
        |r| {
            signed(r, |case, r| {
                let other = u64::try_from(r.below(6)).unwrap();
                let both = der::set(&[der::integer(other), der::integer(7)]);
                case.blueprint.description.hardware[0] = der::explicit(1, &both);
            })
        },
    ),
    ("android: a key in software", "key-not-in-hardware", |r| {
        signed(r, |case, r| {
            case.blueprint.description.levels = *r.pick(&[[0, 0], [1, 0], [0, 1]]);
        })
    }),
    (
        "android: a chip that the chain does not name",
        "security-level-contradicts-chain",
        |r| signed(r, |case, _| case.blueprint.description.levels = [2, 2]),
    ),
    ("android: another package", "app-not-registered", |r| {
        signed(r, |case, r| {
            let package = format!("com.example.{}", r.word());
            let package = if package == PACKAGE {
                "com.example".to_owned()
            } else {
                package
            };
            case.blueprint.description.software[1] =
                mint::application(&[(&package, 7)], &[SIGNER.to_vec()]);
        })
    }),
    ("android: several packages", "app-id-ambiguous", |r| {
        signed(r, |case, r| {
            let sibling = format!("com.example.{}", r.word());
            let mut packages = vec![(PACKAGE, 7), (&*sibling, 1)];
            packages.rotate_left(r.below(2));
            case.blueprint.description.software[1] =
                mint::application(&packages, &[SIGNER.to_vec()]);
        })
    }),
    ("android: no app", "app-id-missing", |r| {
        signed(r, |case, r| {
            let app = case.blueprint.description.software.remove(1);
            if r.below(2) == 0 {
                // Hardware has no word on apps.
                case.blueprint.description.hardware.push(app);
            }
        })
    }),
    ("android: another signer", "app-not-registered", |r| {
        signed(r, |case, r| {
            let mut signer = SIGNER.to_vec();
            r.flip(&mut signer);
            case.blueprint.description.software[1] = mint::application(&[(PACKAGE, 7)], &[signer]);
        })
    }),
    ("android: a signer too many", "app-not-registered", |r| {
        signed(r, |case, r| {
            let mut signers = vec![SIGNER.to_vec(), r.bytes(32)];
            signers.rotate_left(r.below(2));
            case.blueprint.description.software[1] = mint::application(&[(PACKAGE, 7)], &signers);
        })
    }),
    ("android: no signer", "app-not-registered", |r| {
        signed(r, |case, r| {
            let version = r.next() >> 8;
            case.blueprint.description.software[1] = mint::application(&[(PACKAGE, version)], &[]);
        })
    }),
    ("android: an old version", "app-version-too-old", |r| {
        signed(r, |case, r| {
            case.policy.min_version_code = 8 + r.next() % 1_000_000;
        })
    }),
    ("android: an old patch", "patch-level-too-old", |r| {
        signed(r, |case, r| {
            let level = u64::try_from(r.within(2001, 2024)).unwrap() * 100
                + u64::try_from(r.within(1, 12)).unwrap();
            let (at, tag) = *r.pick(&[(4, 706), (5, 718)]);
            case.blueprint.description.hardware[at] = der::explicit(tag, &der::integer(level));
        })
    }),
    (
        "android: a patch that is no date",
        "patch-level-implausible",
        |r| {
            signed(r, |case, r| {
                let year = u64::try_from(r.within(2000, 2026)).unwrap();
                let level = *r.pick(&[
                    0,
                    1,
                    year * 100,
                    year * 100 + 13,
                    year * 10_000 + 1301,
                    202_702,
                    299_912,
                ]);
                let (at, tag) = *r.pick(&[(4, 706), (5, 718)]);
                case.blueprint.description.hardware[at] = der::explicit(tag, &der::integer(level));
            })
        },
    ),
];
