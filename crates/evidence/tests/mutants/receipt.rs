//! App Attest receipts.

use bonafide_evidence::android::Anchors;
use bonafide_evidence::apple::{ExpectedPublicKey, Receipt, verify_receipt};
use bonafide_evidence::{Reject, UnixTime};

use super::mint::apple::APP_ID;
use super::mint::receipt::{Blueprint, Signs};
use super::mint::{self, der};
use super::random::Random;
use super::{Class, Control, Outcome};
use aws_lc_rs::signature::KeyPair as _;

fn outcome<T>(result: Result<T, Reject>) -> Outcome {
    result.map(drop).map_err(|reject| vec![reject.code()])
}

fn good(random: &mut Random) -> Blueprint {
    let mut blueprint = Blueprint::good();
    *blueprint.field(17) = random.below(100).to_string().into_bytes();
    if random.below(2) == 0 {
        *blueprint.field(6) = b"ATTEST".to_vec();
        blueprint.fields.retain(|(number, _)| *number != 17);
    }
    blueprint
}

fn signed(random: &mut Random, change: impl FnOnce(&mut Blueprint, &mut Random)) -> Outcome {
    let mut blueprint = good(random);
    change(&mut blueprint, random);
    outcome(blueprint.ask(&blueprint.mint()))
}

fn sent(
    random: &mut Random,
    change: impl FnOnce(&Blueprint, &mut Vec<u8>, &mut Random),
) -> Outcome {
    let blueprint = good(random);
    let mut object = blueprint.mint();
    change(&blueprint, &mut object, random);
    outcome(blueprint.ask(&object))
}

/// Asked at another moment.
fn later(random: &mut Random, at: impl FnOnce(&mut Random) -> i64) -> Outcome {
    let blueprint = good(random);
    let root = mint::p256(blueprint.keys[2].public_key().as_ref());
    outcome(verify_receipt(&Receipt {
        object: &blueprint.mint(),
        app_id: APP_ID,
        public_key: ExpectedPublicKey::Exactly(&blueprint.point),
        anchors: &Anchors::none().with_operator(&root).unwrap(),
        now: UnixTime(at(random)),
    }))
}

pub const CONTROLS: &[Control] = &[Control {
    name: "app-attest-receipt",
    original: |random| signed(random, |_, _| {}),
}];

type Row = (&'static str, &'static str, fn(&mut Random) -> Outcome);

pub fn classes() -> Vec<Class> {
    CLASSES
        .iter()
        .map(|&(name, code, mutant)| Class { name, code, mutant })
        .collect()
}

const CREATED: i64 = 1_793_318_400; // 2026-10-30
const EXPIRES: i64 = 1_801_094_400; // 2027-01-28

const CLASSES: &[Row] = &[
    ("receipt: bytes behind it", "object-malformed", |r| {
        sent(r, |_, object, r| {
            let count = 1 + r.below(20);
            object.extend(r.bytes(count));
        })
    }),
    ("receipt: cut off", "object-malformed", |r| {
        sent(r, |_, object, r| {
            let length = r.below(object.len());
            object.truncate(length);
        })
    }),
    ("receipt: too large", "object-too-large", |r| {
        sent(r, |_, object, r| {
            let size = 16 * 1024 + 1 + r.below(9000);
            object.resize(size, 0);
        })
    }),
    (
        "receipt: a bit of its signature",
        "receipt-signature-invalid",
        |r| {
            sent(r, |_, object, r| {
                let length = object.len();
                r.flip(&mut object[length - 28..]);
            })
        },
    ),
    (
        "receipt: a letter of its app id",
        "receipt-signature-invalid",
        |r| {
            sent(r, |_, object, r| {
                let start = object
                    .windows(APP_ID.len())
                    .position(|w| w == APP_ID.as_bytes())
                    .unwrap();
                r.flip(&mut object[start..start + APP_ID.len()]);
            })
        },
    ),
    (
        "receipt: another digest among the signed attributes",
        "receipt-signature-invalid",
        |r| signed(r, |blueprint, r| blueprint.digest = Some(r.bytes(32))),
    ),
    (
        "receipt: the content signed past the attributes",
        "receipt-signature-invalid",
        |r| signed(r, |blueprint, _| blueprint.signs = Signs::Content),
    ),
    (
        "receipt: a signer without the mark",
        "receipt-signer-unmarked",
        |r| signed(r, |blueprint, _| blueprint.signer.extensions.clear()),
    ),
    (
        "receipt: an intermediate of another root",
        "root-not-trusted",
        |r| signed(r, |blueprint, r| blueprint.intermediate.signer = r.below(2)),
    ),
    (
        "receipt: a signer of another authority",
        "signature-invalid",
        |r| signed(r, |blueprint, r| blueprint.signer.signer = *r.pick(&[0, 2])),
    ),
    (
        "receipt: an intermediate that is no authority",
        "authority-misplaced",
        |r| signed(r, |blueprint, _| blueprint.intermediate.extensions.clear()),
    ),
    (
        "receipt: no certificate of the issuer",
        "chain-length",
        |r| {
            signed(r, |blueprint, r| {
                blueprint.intermediate.subject = mint::name(&[(3, &r.word())]);
            })
        },
    ),
    (
        "receipt: made before its signer's time",
        "certificate-not-yet-valid",
        |r| {
            signed(r, |blueprint, r| {
                let year = r.within(2000, 2025);
                *blueprint.field(12) = format!("{year}-06-01T00:00:00Z").into_bytes();
            })
        },
    ),
    (
        "receipt: made after its signer's time",
        "certificate-expired",
        |r| {
            signed(r, |blueprint, r| {
                let year = r.within(2028, 2090);
                *blueprint.field(12) = format!("{year}-06-01T00:00:00Z").into_bytes();
            })
        },
    ),
    ("receipt: about another app", "app-id-mismatch", |r| {
        signed(r, |blueprint, r| {
            let field = blueprint.field(2);
            match r.below(3) {
                0 => field.push(b'x'),
                1 => drop(field.pop()),
                _ => field[0] ^= 0x20,
            }
        })
    }),
    ("receipt: about another key", "key-id-mismatch", |r| {
        signed(r, |blueprint, r| r.flip(&mut blueprint.point[1..]))
    }),
    ("receipt: about no key", "key-id-mismatch", |r| {
        signed(r, |blueprint, _| {
            blueprint.fields.retain(|(number, _)| *number != 3);
        })
    }),
    ("receipt: a field twice", "object-malformed", |r| {
        signed(r, |blueprint, r| {
            let again = r.pick(&blueprint.fields).clone();
            blueprint.fields.push(again);
        })
    }),
    ("receipt: a field missing", "object-malformed", |r| {
        signed(r, |blueprint, r| {
            let missing = *r.pick(&[6, 12, 21]);
            blueprint.fields.retain(|(number, _)| *number != missing);
        })
    }),
    ("receipt: another type", "object-malformed", |r| {
        signed(r, |blueprint, r| {
            *blueprint.field(6) = r.word().into_bytes();
        })
    }),
    (
        "receipt: a risk metric that is no number",
        "object-malformed",
        |r| {
            signed(r, |blueprint, r| {
                let text = r.pick(&["", "-1", "1.5", "many", "4294967296", " 3"]);
                blueprint.fields.retain(|(number, _)| *number != 17);
                blueprint.fields.push((17, (*text).into()));
            })
        },
    ),
    ("receipt: a date that is none", "object-malformed", |r| {
        signed(r, |blueprint, r| {
            let number = *r.pick(&[12, 21]);
            *blueprint.field(number) = r.word().into_bytes();
        })
    }),
    ("receipt: before it was made", "receipt-stale", |r| {
        later(r, |r| r.within(0, CREATED - 1))
    }),
    ("receipt: expired", "receipt-stale", |r| {
        later(r, |r| r.within(EXPIRES + 1, 4_000_000_000))
    }),
    ("receipt: two signers", "object-malformed", |r| {
        sent(r, |blueprint, object, r| {
            // A second SignerInfo behind the first, with every length around it put right.
            *object =
                blueprint.mint_with_behind_signer(&der::sequence(&[der::integer(r.next() >> 8)]));
        })
    }),
];
