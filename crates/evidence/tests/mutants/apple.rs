//! App Attest: attestations and assertions.

use aws_lc_rs::signature::KeyPair as _;
use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::apple::{AppAttest, ExpectedKeyId, Release};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Measurements, Mode,
    Policy, ReferenceValue, Sha256Digest, Sightings, UnixTime, appraise, appraise_release, verify,
};

use super::mint::apple::{
    APP_ID, AUTHORITY, Blueprint, CLIENT_DATA_HASH, NOW, Request, cbor, extension_map, new_key,
};
use super::mint::{self, der};
use super::random::Random;
use super::{Class, Control, Outcome};

/// An attestation and everything that it is asked about.
struct Case {
    blueprint: Blueprint,
    now: UnixTime,
    client_data_hash: Vec<u8>,
    key_id: Vec<u8>,
    policy: Policy,
}

impl Case {
    /// A genuine key in one of the shapes that phones send.
    fn new(random: &mut Random) -> Self {
        let mut blueprint = Blueprint::good();
        if random.below(2) == 0 {
            blueprint.flags = *random.pick(&[0x40, 0xC0]);
            blueprint.behind_key = extension_map(&[
                ("apple_validation_category_01", cbor::bytes(&[4, 0, 0, 0])),
                ("apple_bundle_version_01", cbor::text("42")),
            ]);
        }
        let mut policy = Policy::default();
        for check in [Check::MeasurementReadable, Check::MeasurementComplete] {
            policy.set_mode(check, Mode::Off);
        }
        policy.set("allowed-bundle-versions", "41,42").unwrap();
        policy.set_mode(Check::BundleVersion, Mode::Enforce);
        Self {
            key_id: Sha256Digest::of(blueprint.point()).0.to_vec(),
            blueprint,
            now: NOW,
            client_data_hash: CLIENT_DATA_HASH.to_vec(),
            policy,
        }
    }

    fn judge(&self) -> Outcome {
        self.judge_object(&self.blueprint.mint())
    }

    fn judge_object(&self, object: &[u8]) -> Outcome {
        let root = mint::p256(self.blueprint.keys[2].public_key().as_ref());
        let context = Context {
            now: self.now,
            challenge: ExpectedChallenge::Exactly(&self.client_data_hash),
            anchors: &Anchors::none().with_operator(&root).unwrap(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let evidence = Evidence::AppAttest(AppAttest {
            object,
            app_id: APP_ID,
            key_id: ExpectedKeyId::Exactly(&self.key_id),
        });
        let facts = verify(&evidence, &context).map_err(|reject| vec![reject.code()])?;
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &Measurements::NONE,
            references: &[ReferenceValue::Apple {
                app_id: APP_ID.to_owned(),
            }],
            device_override: DeviceOverride::None,
            revocation_list: ListAge::Missing,
            sightings: Sightings::NotKept,
            now: self.now,
        };
        match appraise(&appraisal, &self.policy).into_grant() {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.codes().collect()),
        }
    }
}

fn signed(random: &mut Random, change: impl FnOnce(&mut Case, &mut Random)) -> Outcome {
    let mut case = Case::new(random);
    change(&mut case, random);
    case.judge()
}

fn sent(random: &mut Random, change: impl FnOnce(&Case, &mut Vec<u8>, &mut Random)) -> Outcome {
    let case = Case::new(random);
    let mut object = case.blueprint.mint();
    change(&case, &mut object, random);
    case.judge_object(&object)
}

/// An assertion, signed after the change.
fn asserted(random: &mut Random, change: impl FnOnce(&mut Request, &mut Random)) -> Outcome {
    let mut request = Request::good();
    request.counter = 6 + u32::try_from(random.below(1 << 30)).unwrap();
    change(&mut request, random);
    verdict_of(request.verdict().map(|facts| facts.release))
}

/// An assertion, changed after it was signed.
fn replayed(random: &mut Random, change: impl FnOnce(&mut Vec<u8>, &mut Random)) -> Outcome {
    let (request, key) = (Request::good(), new_key());
    let mut object = request.mint(&key);
    change(&mut object, random);
    verdict_of(request.asked_of(&key, &object).map(|facts| facts.release))
}

fn verdict_of(release: Result<Release, bonafide_evidence::Reject>) -> Outcome {
    let release = release.map_err(|reject| vec![reject.code()])?;
    let mut policy = Policy::default();
    policy.set("allowed-bundle-versions", "42").unwrap();
    policy.set_mode(Check::BundleVersion, Mode::Enforce);
    match appraise_release(&release, &policy).into_grant() {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal.codes().collect()),
    }
}

/// The stretch of the object that holds the authenticator data.
fn authenticator_data(case: &Case, object: &[u8]) -> std::ops::Range<usize> {
    let data = case.blueprint.authenticator_data();
    let start = position_of(object, &data);
    start..start + data.len()
}

fn position_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

pub const CONTROLS: &[Control] = &[
    Control {
        name: "app-attest",
        original: |random| Case::new(random).judge(),
    },
    Control {
        name: "app-attest-assertion",
        original: |random| asserted(random, |_, _| {}),
    },
];

type Row = (&'static str, &'static str, fn(&mut Random) -> Outcome);

pub fn classes() -> Vec<Class> {
    [OBJECT, CHAIN, KEY, POLICY, ASSERTION]
        .into_iter()
        .flatten()
        .map(|&(name, code, mutant)| Class { name, code, mutant })
        .collect()
}

const OBJECT: &[Row] = &[
    (
        "app-attest: bytes behind the object",
        "object-malformed",
        |r| {
            sent(r, |_, object, r| {
                let count = 1 + r.below(30);
                object.extend(r.bytes(count));
            })
        },
    ),
    ("app-attest: an object cut off", "object-malformed", |r| {
        sent(r, |_, object, r| {
            let length = r.below(object.len());
            object.truncate(length);
        })
    }),
    ("app-attest: an object too large", "object-too-large", |r| {
        sent(r, |_, object, r| {
            let size = 16 * 1024 + 1 + r.below(5000);
            object.resize(size, 0);
        })
    }),
    ("app-attest: another format", "format-unknown", |r| {
        signed(r, |case, r| {
            case.blueprint.format = *r.pick(&[
                "apple",
                "packed",
                "none",
                "apple-appattest ",
                "android-key",
                "",
            ]);
        })
    }),
    (
        "app-attest: no attested credential",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                case.blueprint.flags = u8::try_from(r.below(256)).unwrap() & !0x40;
            })
        },
    ),
    (
        "app-attest: a credential id of another length",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let length = u16::try_from(r.below(1 << 16)).unwrap();
                let length = if length == 32 { 31 } else { length };
                case.blueprint.credential_id_length = length.to_be_bytes();
            })
        },
    ),
    (
        "app-attest: another kind of COSE key",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let (at, right) = *r.pick(&[(0, 2), (1, -7), (2, 1)]);
                let other = r.within(-300, 300);
                case.blueprint.cose[at].1 = cbor::integer(if other == right { 0 } else { other });
            })
        },
    ),
    (
        "app-attest: an incomplete COSE key",
        "object-malformed",
        |r| signed(r, |case, r| drop(case.blueprint.cose.remove(r.below(5)))),
    ),
    (
        "app-attest: a member of the COSE key twice",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let again = r.pick(&case.blueprint.cose).clone();
                case.blueprint.cose.push(again);
            })
        },
    ),
    (
        "app-attest: a member of the COSE key too many",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let label = cbor::integer(r.within(4, 500));
                case.blueprint.cose.push((label, cbor::integer(1)));
            })
        },
    ),
    (
        "app-attest: something else than a map behind the key",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let other = [
                    cbor::integer(r.within(0, 100)),
                    cbor::text(&r.word()),
                    cbor::bytes(&r.bytes(9)),
                ];
                case.blueprint.behind_key.clone_from(r.pick(&other));
            })
        },
    ),
    (
        "app-attest: two maps behind the key",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let map = extension_map(&[(&r.word(), cbor::integer(1))]);
                case.blueprint.behind_key = [map.clone(), map].concat();
            })
        },
    ),
    (
        "app-attest: a category of another length",
        "object-malformed",
        |r| {
            signed(r, |case, r| {
                let length = *r.pick(&[0, 1, 2, 3, 5, 8]);
                let category = r.bytes(length);
                case.blueprint.behind_key =
                    extension_map(&[("apple_validation_category_01", cbor::bytes(&category))]);
            })
        },
    ),
    ("app-attest: an extension twice", "object-malformed", |r| {
        signed(r, |case, r| {
            let name = r.word();
            case.blueprint.behind_key =
                extension_map(&[(&name, cbor::integer(1)), (&name, cbor::integer(2))]);
        })
    }),
];

const CHAIN: &[Row] = &[
    (
        "app-attest: more than two certificates",
        "chain-length",
        |r| {
            signed(r, |case, r| {
                for _ in 0..=r.below(6) {
                    case.blueprint.extra_certificates.push(r.bytes(40));
                }
            })
        },
    ),
    (
        "app-attest: an intermediate of another root",
        "root-not-trusted",
        |r| signed(r, |case, r| case.blueprint.intermediate.signer = r.below(2)),
    ),
    (
        "app-attest: a leaf that is an authority",
        "authority-misplaced",
        |r| {
            signed(r, |case, r| {
                let oid = &[2, 5, 29, 19];
                let mark = if r.below(2) == 0 {
                    mint::critical_extension(oid, AUTHORITY)
                } else {
                    mint::extension(oid, AUTHORITY)
                };
                case.blueprint.leaf.extensions.push(mark);
            })
        },
    ),
    (
        "app-attest: an intermediate that is none",
        "authority-misplaced",
        |r| {
            signed(r, |case, r| {
                case.blueprint.intermediate.extensions.clear();
                let no = [&[0x30, 0x00][..], &[0x30, 0x03, 0x01, 0x01, 0x00]];
                if r.below(3) > 0 {
                    let value = no[r.below(2)];
                    let mark = mint::critical_extension(&[2, 5, 29, 19], value);
                    case.blueprint.intermediate.extensions.push(mark);
                }
            })
        },
    ),
    (
        "app-attest: another issuer name",
        "issuer-name-mismatch",
        |r| {
            signed(r, |case, r| {
                case.blueprint.leaf.issuer = mint::name(&[(3, &r.word())]);
            })
        },
    ),
    (
        "app-attest: a leaf signed by another key",
        "signature-invalid",
        |r| signed(r, |case, r| case.blueprint.leaf.signer = *r.pick(&[0, 2])),
    ),
    (
        "app-attest: two algorithms",
        "signature-algorithm-mismatch",
        |r| {
            signed(r, |case, r| {
                let leaf = &mut case.blueprint.leaf;
                let other = *r.pick(&[mint::SHA384_WITH_ECDSA, mint::SHA1_WITH_ECDSA]);
                if r.below(2) == 0 {
                    leaf.inner_algorithm = other;
                } else {
                    leaf.outer_algorithm = other;
                }
            })
        },
    ),
    (
        "app-attest: SHA-1",
        "signature-algorithm-unsupported",
        |r| {
            signed(r, |case, _| {
                case.blueprint.leaf.inner_algorithm = mint::SHA1_WITH_ECDSA;
                case.blueprint.leaf.outer_algorithm = mint::SHA1_WITH_ECDSA;
            })
        },
    ),
    (
        "app-attest: before its time",
        "certificate-not-yet-valid",
        |r| signed(r, |case, r| case.now = UnixTime(r.within(0, 1_767_225_599))),
    ),
    ("app-attest: after its time", "certificate-expired", |r| {
        signed(r, |case, r| {
            case.now = UnixTime(r.within(1_798_761_601, 4_000_000_000));
        })
    }),
    (
        "app-attest: an extension of a certificate twice",
        "certificate-malformed",
        |r| {
            signed(r, |case, r| {
                let extension = mint::extension(&[1, 2, 840, 113_635, 100, 9], &r.bytes(5));
                let certificate = if r.below(2) == 0 {
                    &mut case.blueprint.leaf
                } else {
                    &mut case.blueprint.intermediate
                };
                certificate
                    .extensions
                    .extend([extension.clone(), extension]);
            })
        },
    ),
];

const KEY: &[Row] = &[
    (
        "app-attest: a bit of the authenticator data",
        "nonce-mismatch",
        |r| {
            sent(r, |case, object, r| {
                let data = authenticator_data(case, object);
                // App id hash, counter, aaguid, key id: what is not syntax.
                let stretch = *r.pick(&[(0, 32), (33, 53), (55, 87)]);
                r.flip(&mut object[data.start + stretch.0..data.start + stretch.1]);
            })
        },
    ),
    (
        "app-attest: another client data hash",
        "nonce-mismatch",
        |r| signed(r, |case, r| r.flip(&mut case.client_data_hash)),
    ),
    (
        "app-attest: a client data hash cut or padded",
        "nonce-mismatch",
        |r| {
            signed(r, |case, r| {
                let length = [0, 16, 31, 33, 64][r.below(5)];
                case.client_data_hash.resize(length, 0);
            })
        },
    ),
    ("app-attest: no nonce", "nonce-mismatch", |r| {
        signed(r, |case, _| case.blueprint.nonce = |_| vec![])
    }),
    (
        "app-attest: the nonce in another wrapping",
        "nonce-mismatch",
        |r| {
            signed(r, |case, r| {
                case.blueprint.nonce = *r.pick::<fn(&[u8]) -> Vec<Vec<u8>>>(&[
                    |n| wrapped(&der::sequence(&[der::explicit(2, &der::octets(n))])),
                    |n| wrapped(&der::sequence(&[der::octets(n)])),
                    |n| wrapped(&der::explicit(1, &der::octets(n))),
                    |n| {
                        wrapped(&der::sequence(&[
                            der::integer(1),
                            der::explicit(1, &der::octets(n)),
                        ]))
                    },
                    |n| {
                        wrapped(&der::sequence(&[
                            der::explicit(1, &der::octets(n)),
                            der::integer(1),
                        ]))
                    },
                    |n| {
                        wrapped(&der::sequence(&[der::explicit(
                            1,
                            &der::octets(&[n, &[0]].concat()),
                        )]))
                    },
                    |n| wrapped(n),
                ]);
            })
        },
    ),
    (
        "app-attest: a nonce of something else",
        "nonce-mismatch",
        |r| {
            signed(r, |case, r| {
                case.blueprint.nonce = *r.pick::<fn(&[u8]) -> Vec<Vec<u8>>>(&[
                    |_| mint::apple::good_nonce(CLIENT_DATA_HASH),
                    |n| mint::apple::good_nonce(&Sha256Digest::of(n).0),
                    |_| mint::apple::good_nonce(&[0; 32]),
                    |_| mint::apple::good_nonce(&[]),
                ]);
            })
        },
    ),
    (
        "app-attest: a credential id of another key",
        "credential-mismatch",
        |r| {
            signed(r, |case, r| {
                case.blueprint.credential_id = Some(r.bytes(32));
            })
        },
    ),
    (
        "app-attest: a COSE key of another key",
        "credential-mismatch",
        |r| {
            signed(r, |case, r| {
                let at = 3 + r.below(2);
                case.blueprint.cose[at].1 = cbor::bytes(&r.bytes(32));
            })
        },
    ),
    (
        "app-attest: another key id than the app named",
        "key-id-mismatch",
        |r| {
            signed(r, |case, r| {
                if r.below(8) == 0 {
                    case.key_id.truncate(31);
                } else {
                    r.flip(&mut case.key_id);
                }
            })
        },
    ),
    ("app-attest: another app", "app-id-mismatch", |r| {
        signed(r, |case, r| {
            case.blueprint.app_id = *r.pick(&[
                "TEAM123456.com.example.other",
                "TEAM123457.com.example.books",
                "com.example.books",
                "TEAM123456.com.example.books.clip",
                "team123456.com.example.books",
                "",
            ]);
        })
    }),
    ("app-attest: a key that was used", "counter-not-zero", |r| {
        signed(r, |case, r| {
            case.blueprint.counter = 1 + u32::try_from(r.below(1 << 31)).unwrap();
        })
    }),
    ("app-attest: an unknown world", "environment-unknown", |r| {
        signed(r, |case, r| {
            case.blueprint.aaguid = *r.pick(&[
                b"appattestdevelo\0",
                b"appattestDevelop",
                b"appattest\0\0\0\0\0\0\x01",
                b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                b"appattest       ",
            ]);
        })
    }),
];

/// The nonce extension with these bytes.
fn wrapped(value: &[u8]) -> Vec<Vec<u8>> {
    vec![mint::apple::nonce_extension(value)]
}

const POLICY: &[Row] = &[
    (
        "app-attest: the sandbox's world",
        "environment-not-accepted",
        |r| {
            signed(r, |case, _| {
                case.blueprint.aaguid = b"appattestdevelop";
                // The mark of development is a check of its own.
                case.policy.set_mode(Check::Development, Mode::Off);
            })
        },
    ),
    (
        "app-attest: a category that is not allowed",
        "validation-category-not-allowed",
        |r| {
            signed(r, |case, r| {
                let category = *r.pick(&[0, 1, 3, 5, 6, 10, 0x0400_0000, u32::MAX]);
                case.blueprint.behind_key = extension_map(&[(
                    "apple_validation_category_01",
                    cbor::bytes(&category.to_le_bytes()),
                )]);
            })
        },
    ),
    (
        "app-attest: no category where one is wanted",
        "validation-category-missing",
        |r| {
            signed(r, |case, r| {
                case.policy
                    .set_mode(Check::ValidationCategoryStated, Mode::Enforce);
                case.blueprint.behind_key = match r.below(2) {
                    0 => Vec::new(),
                    _ => extension_map(&[("apple_bundle_version_01", cbor::text("42"))]),
                };
            })
        },
    ),
    (
        "app-attest: a bundle version that is not allowed",
        "bundle-version-not-allowed",
        |r| {
            signed(r, |case, r| {
                let version = r.pick(&["40", "4", "42 ", "42.0", "042", "", "43"]);
                case.blueprint.behind_key =
                    extension_map(&[("apple_bundle_version_01", cbor::text(version))]);
            })
        },
    ),
];

const ASSERTION: &[Row] = &[
    (
        "assertion: bytes behind the object",
        "object-malformed",
        |r| {
            replayed(r, |object, r| {
                let count = 1 + r.below(9);
                object.extend(r.bytes(count));
            })
        },
    ),
    ("assertion: an object cut off", "object-malformed", |r| {
        replayed(r, |object, r| {
            let length = r.below(object.len());
            object.truncate(length);
        })
    }),
    ("assertion: too large", "object-too-large", |r| {
        replayed(r, |object, r| {
            let size = 1025 + r.below(4000);
            object.resize(size, 0);
        })
    }),
    (
        "assertion: a bit of its data",
        "assertion-signature-invalid",
        |r| {
            replayed(r, |object, r| {
                let length = object.len();
                r.flip(&mut object[length - 37..]);
            })
        },
    ),
    (
        "assertion: a bit of its signature",
        "assertion-signature-invalid",
        |r| {
            replayed(r, |object, r| {
                // `signature` is the first member: its value ends before the second member's name.
                let end = position_of(object, b"\x71authenticatorData");
                r.flip(&mut object[end - 28..end]);
            })
        },
    ),
    (
        "assertion: of another key",
        "assertion-signature-invalid",
        |_| {
            let (request, key) = (Request::good(), new_key());
            let object = request.mint(&key);
            verdict_of(
                request
                    .asked_of(&new_key(), &object)
                    .map(|facts| facts.release),
            )
        },
    ),
    (
        "assertion: hashed once",
        "assertion-signature-invalid",
        |r| asserted(r, |request, _| request.hashed_again = false),
    ),
    ("assertion: of another app", "app-id-mismatch", |r| {
        asserted(r, |request, r| {
            request.app_id = *r.pick(&["TEAM123456.com.example.other", "TEAM123456", ""]);
        })
    }),
    (
        "assertion: a counter that does not grow",
        "counter-not-greater",
        |r| {
            asserted(r, |request, r| {
                let ahead = u32::try_from(r.below(1 << 30)).unwrap();
                request.previous_counter = request.counter.saturating_add(ahead);
            })
        },
    ),
    (
        "assertion: something else than a map behind the counter",
        "object-malformed",
        |r| {
            asserted(r, |request, r| {
                request.behind_counter.clone_from(
                    &[cbor::integer(r.within(0, 9)), cbor::text(&r.word())][r.below(2)],
                );
            })
        },
    ),
    (
        "assertion: a category that is not allowed",
        "validation-category-not-allowed",
        |r| {
            asserted(r, |request, r| {
                let category = *r.pick(&[0_u32, 1, 3, 5, 6, 10, 1 << 26]);
                request.behind_counter = extension_map(&[(
                    "apple_validation_category_01",
                    cbor::bytes(&category.to_le_bytes()),
                )]);
            })
        },
    ),
    (
        "assertion: a bundle version that is not allowed",
        "bundle-version-not-allowed",
        |r| {
            asserted(r, |request, r| {
                let version = r.word();
                request.behind_counter =
                    extension_map(&[("apple_bundle_version_01", cbor::text(&version))]);
            })
        },
    ),
];
