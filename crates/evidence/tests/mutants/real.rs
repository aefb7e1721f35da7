//! Real objects of the corpus, broken where no signature needs to be made: one bit, or what they are asked about.
//!
//! Without a corpus these classes are left out, loudly.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, Assertion, ExpectedKeyId, ExpectedPublicKey, Receipt, verify_assertion,
    verify_receipt,
};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Reject, UnixTime, verify};

use serde_json::Value;

use super::corpus::{Corpus, Record};
use super::random::Random;
use super::{Class, Outcome};

#[derive(Default)]
struct Originals {
    chains: Vec<Chain>,
    attestations: Vec<Attestation>,
    assertions: Vec<Signed>,
    receipts: Vec<Fetched>,
}

#[derive(Clone)]
struct Chain {
    certificates: Vec<Vec<u8>>,
    challenge: Vec<u8>,
    at: UnixTime,
}

#[derive(Clone)]
struct Attestation {
    object: Vec<u8>,
    app_id: String,
    key_id: Vec<u8>,
    client_data_hash: Vec<u8>,
    at: UnixTime,
}

#[derive(Clone)]
struct Signed {
    object: Vec<u8>,
    app_id: String,
    client_data_hash: Vec<u8>,
    public_key: Vec<u8>,
    previous_counter: u32,
}

#[derive(Clone)]
struct Fetched {
    object: Vec<u8>,
    app_id: String,
    at: UnixTime,
}

fn outcome<T>(result: Result<T, Reject>) -> Outcome {
    result.map(drop).map_err(|reject| vec![reject.code()])
}

impl Chain {
    fn ask(&self) -> Outcome {
        let context = Context {
            now: self.at,
            challenge: ExpectedChallenge::Exactly(&self.challenge),
            anchors: &Anchors::google(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let chain = &self.certificates;
        outcome(verify(&Evidence::AndroidKey { chain }, &context))
    }
}

impl Attestation {
    fn ask(&self) -> Outcome {
        let context = Context {
            now: self.at,
            challenge: ExpectedChallenge::Exactly(&self.client_data_hash),
            anchors: &Anchors::apple_app_attest(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let evidence = Evidence::AppAttest(AppAttest {
            object: &self.object,
            app_id: &self.app_id,
            key_id: ExpectedKeyId::Exactly(&self.key_id),
        });
        outcome(verify(&evidence, &context))
    }
}

impl Signed {
    fn ask(&self) -> Outcome {
        outcome(verify_assertion(&Assertion {
            object: &self.object,
            app_id: &self.app_id,
            client_data_hash: &self.client_data_hash,
            public_key: &self.public_key,
            previous_counter: self.previous_counter,
        }))
    }
}

impl Fetched {
    fn ask(&self) -> Outcome {
        outcome(verify_receipt(&Receipt {
            object: &self.object,
            app_id: &self.app_id,
            public_key: ExpectedPublicKey::NotCompared,
            anchors: &Anchors::apple_receipts(),
            now: self.at,
        }))
    }
}

static ORIGINALS: LazyLock<Originals> = LazyLock::new(|| {
    let Some(corpus) = Corpus::open("mutants of real objects") else {
        return Originals::default();
    };
    let bytes = |record: &Record, member: &str| record.base64(member);
    let real = |kind: &str| {
        let whole =
            |r: &Value| r["kind"] == kind && r["app_id"].is_string() && r["repo"].is_string();
        let asked = |r: &Value| r["client_data_hash"].is_string() || kind == "receipt";
        corpus.records(|r| whole(r) && asked(r))
    };
    let chains = corpus.records(|r| r["expect"]["chain_only_at_creation"] == "accept");
    let chains = chains
        .iter()
        .filter(|record| record.0["challenge"].is_string())
        .map(|record| Chain {
            certificates: record.base64_list("chain"),
            challenge: bytes(record, "challenge"),
            at: record.at(),
        })
        // A chain whose challenge is too short to be found again says nothing about its bits.
        .filter(|chain| chain.challenge.len() >= 8 && chain.ask() == Ok(()));
    let attestations = real("attestation");
    let attestations = attestations.iter().map(|record| Attestation {
        object: bytes(record, "object"),
        app_id: record.text("app_id").to_owned(),
        key_id: bytes(record, "key_id"),
        client_data_hash: bytes(record, "client_data_hash"),
        at: record.at(),
    });
    let assertions = real("assertion");
    let assertions = assertions.iter().map(|record| Signed {
        object: bytes(record, "object"),
        app_id: record.text("app_id").to_owned(),
        client_data_hash: bytes(record, "client_data_hash"),
        public_key: STANDARD.decode(record.text("public_key_x963")).unwrap(),
        previous_counter: record.0["previous_counter"]
            .as_u64()
            .unwrap()
            .try_into()
            .unwrap(),
    });
    let receipts = real("receipt");
    let receipts = receipts.iter().map(|record| Fetched {
        object: bytes(record, "object"),
        app_id: record.text("app_id").to_owned(),
        at: record.at(),
    });
    let originals = Originals {
        chains: chains.collect(),
        attestations: attestations
            .filter(|object| object.ask() == Ok(()))
            .collect(),
        assertions: assertions.filter(|object| object.ask() == Ok(())).collect(),
        receipts: receipts.filter(|object| object.ask() == Ok(())).collect(),
    };
    println!(
        "real originals: {} chains, {} attestations, {} assertions, {} receipts",
        originals.chains.len(),
        originals.attestations.len(),
        originals.assertions.len(),
        originals.receipts.len()
    );
    originals
});

fn position_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

type Row = (&'static str, &'static str, fn(&mut Random) -> Outcome);

pub fn classes() -> Vec<Class> {
    let originals = &*ORIGINALS;
    let mut rows: Vec<Row> = Vec::new();
    if !originals.chains.is_empty() {
        rows.extend(CHAINS);
    }
    if !originals.attestations.is_empty() {
        rows.extend(ATTESTATIONS);
    }
    if !originals.assertions.is_empty() {
        rows.extend(ASSERTIONS);
    }
    if !originals.receipts.is_empty() {
        rows.extend(RECEIPTS);
    }
    rows.into_iter()
        .map(|(name, code, mutant)| Class { name, code, mutant })
        .collect()
}

fn chain(random: &mut Random, change: impl FnOnce(&mut Chain, &mut Random)) -> Outcome {
    let mut chain = random.pick(&ORIGINALS.chains).clone();
    change(&mut chain, random);
    chain.ask()
}

fn attestation(random: &mut Random, change: impl FnOnce(&mut Attestation, &mut Random)) -> Outcome {
    let mut object = random.pick(&ORIGINALS.attestations).clone();
    change(&mut object, random);
    object.ask()
}

fn assertion(random: &mut Random, change: impl FnOnce(&mut Signed, &mut Random)) -> Outcome {
    let mut object = random.pick(&ORIGINALS.assertions).clone();
    change(&mut object, random);
    object.ask()
}

fn receipt(random: &mut Random, change: impl FnOnce(&mut Fetched, &mut Random)) -> Outcome {
    let mut object = random.pick(&ORIGINALS.receipts).clone();
    change(&mut object, random);
    object.ask()
}

const CHAINS: &[Row] = &[
    (
        "real chain: a bit of a signature",
        "signature-invalid",
        |r| {
            chain(r, |chain, r| {
                let at = r.below(chain.certificates.len() - 1);
                let der = &mut chain.certificates[at];
                let length = der.len();
                r.flip(&mut der[length - 28..]);
            })
        },
    ),
    (
        "real chain: a bit of the attested challenge",
        "signature-invalid",
        |r| {
            chain(r, |chain, r| {
                let start = position_of(&chain.certificates[0], &chain.challenge);
                let stretch = start..start + chain.challenge.len();
                r.flip(&mut chain.certificates[0][stretch]);
            })
        },
    ),
    ("real chain: another challenge", "challenge-mismatch", |r| {
        chain(r, |chain, r| r.flip(&mut chain.challenge))
    }),
    (
        "real chain: bytes behind a certificate",
        "certificate-malformed",
        |r| {
            chain(r, |chain, r| {
                let at = r.below(chain.certificates.len());
                let count = 1 + r.below(20);
                chain.certificates[at].extend(r.bytes(count));
            })
        },
    ),
    (
        "real chain: a certificate cut off",
        "certificate-malformed",
        |r| {
            chain(r, |chain, r| {
                let at = r.below(chain.certificates.len());
                let length = r.below(chain.certificates[at].len());
                chain.certificates[at].truncate(length);
            })
        },
    ),
    (
        "real chain: in another decade",
        "certificate-not-yet-valid",
        |r| {
            chain(r, |chain, r| {
                chain.at = UnixTime(r.within(0, 1_400_000_000));
            })
        },
    ),
];

const ATTESTATIONS: &[Row] = &[
    (
        "real attestation: a bit of the app id's hash or counter",
        "nonce-mismatch",
        |r| {
            attestation(r, |object, r| {
                let hash = bonafide_evidence::Sha256Digest::of(object.app_id.as_bytes());
                let start = position_of(&object.object, &hash.0);
                let stretch = *r.pick(&[(0, 32), (33, 37)]);
                r.flip(&mut object.object[start + stretch.0..start + stretch.1]);
            })
        },
    ),
    (
        "real attestation: another client data hash",
        "nonce-mismatch",
        |r| attestation(r, |object, r| r.flip(&mut object.client_data_hash)),
    ),
    ("real attestation: another key id", "key-id-mismatch", |r| {
        attestation(r, |object, r| r.flip(&mut object.key_id))
    }),
    ("real attestation: another app", "app-id-mismatch", |r| {
        attestation(r, |object, r| object.app_id.push_str(&r.word()))
    }),
    ("real attestation: long after", "certificate-expired", |r| {
        attestation(r, |object, r| {
            object.at = UnixTime(r.within(1_900_000_000, 4_000_000_000));
        })
    }),
    (
        "real attestation: long before",
        "certificate-not-yet-valid",
        |r| {
            attestation(r, |object, r| {
                object.at = UnixTime(r.within(0, 1_580_000_000));
            })
        },
    ),
    (
        "real attestation: bytes behind it",
        "object-malformed",
        |r| {
            attestation(r, |object, r| {
                let count = 1 + r.below(20);
                object.object.extend(r.bytes(count));
            })
        },
    ),
];

const ASSERTIONS: &[Row] = &[
    (
        "real assertion: another client data hash",
        "assertion-signature-invalid",
        |r| assertion(r, |object, r| r.flip(&mut object.client_data_hash)),
    ),
    (
        "real assertion: a bit of the app id's hash or counter",
        "assertion-signature-invalid",
        |r| {
            assertion(r, |object, r| {
                let hash = bonafide_evidence::Sha256Digest::of(object.app_id.as_bytes());
                let start = position_of(&object.object, &hash.0);
                r.flip(&mut object.object[start..start + 37]);
            })
        },
    ),
    ("real assertion: another app", "app-id-mismatch", |r| {
        assertion(r, |object, r| object.app_id.push_str(&r.word()))
    }),
    (
        "real assertion: a counter that does not grow",
        "counter-not-greater",
        |r| {
            assertion(r, |object, r| {
                object.previous_counter = u32::try_from(r.within(1 << 31, (1 << 32) - 1)).unwrap();
            })
        },
    ),
];

const RECEIPTS: &[Row] = &[
    (
        "real receipt: a letter of its app id",
        "receipt-signature-invalid",
        |r| {
            receipt(r, |object, r| {
                let app_id = object.app_id.clone();
                let start = position_of(&object.object, app_id.as_bytes());
                r.flip(&mut object.object[start..start + app_id.len()]);
            })
        },
    ),
    ("real receipt: another app", "app-id-mismatch", |r| {
        receipt(r, |object, r| object.app_id.push_str(&r.word()))
    }),
    ("real receipt: long after", "receipt-stale", |r| {
        receipt(r, |object, r| {
            object.at = UnixTime(r.within(1_900_000_000, 4_000_000_000));
        })
    }),
    ("real receipt: before it was made", "receipt-stale", |r| {
        receipt(r, |object, r| {
            object.at = UnixTime(r.within(0, 1_580_000_000));
        })
    }),
];
