//! What comes beside a signature: `.idsig` files and source stamps.

use bonafide_artifact::{Code, Finding, Inspection, Options, Scheme, Verdict, inspect};
use sha2::{Digest as _, Sha256};

use crate::mint::idsig::IdSigPlan;
use crate::mint::{
    Blueprint, ECDSA_SHA256, EntryPlan, ID_V31, LATEST, PairPlan, SignerPlan, certificate,
    prefixed, sign,
};
use crate::{ATTRIBUTE_ROTATION, judge, refusals};

const ID_STAMP: u32 = 0x6dff_800d;
const ATTRIBUTE_TIME: u32 = 0xe43c_5946;

fn judge_with(apk: &[u8], idsig: Vec<u8>) -> Inspection {
    let mut options = Options::default();
    options.v4_signature = Some(idsig);
    inspect(&apk, &options).expect("an archive")
}

type IdSigCase = (&'static str, fn(&mut IdSigPlan), Code);

#[test]
fn an_idsig_must_be_of_this_file_and_of_its_signer() {
    let blueprint = Blueprint::good();
    let apk = blueprint.build();
    let good = IdSigPlan::new(1, &blueprint.sha256_digest());
    let inspection = judge_with(&apk, good.build(&apk));
    assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
    assert!(inspection.schemes().contains(&Scheme::V4));
    let mut salted = good.clone();
    salted.salt = vec![3; 32];
    assert_eq!(
        judge_with(&apk, salted.build(&apk)).verdict(),
        Verdict::Verified
    );
    let cases: &[IdSigCase] = &[
        ("another version", |p| p.version = 3, Code::V4Malformed),
        (
            "another size of blocks",
            |p| p.log2_block = 13,
            Code::V4Malformed,
        ),
        (
            "a salt too long",
            |p| p.salt = vec![3; 33],
            Code::V4Malformed,
        ),
        (
            "a wrong signature",
            |p| p.own.spoil = true,
            Code::SignatureWrong,
        ),
        (
            "no known algorithm",
            |p| p.own.algorithm = 9,
            Code::SignatureMissing,
        ),
        (
            "a certificate that is none",
            |p| p.own.certificate = vec![0],
            Code::CertificateMalformed,
        ),
        (
            "somebody else's certificate",
            |p| p.own.certificate = certificate(2),
            Code::CertificateKeyDiffers,
        ),
        (
            "somebody else's signature",
            |p| p.own = crate::mint::idsig::InfoPlan::new(2, &p.own.apk_digest.clone()),
            Code::V4SignerDiffers,
        ),
        (
            "another content digest",
            |p| p.own.apk_digest[0] ^= 1,
            Code::V4DigestDiffers,
        ),
        (
            "a part about v3.1, which is not there",
            |p| p.rotate(1, &p.own.apk_digest.clone()),
            Code::V4SignerDiffers,
        ),
        (
            "a part about an unknown scheme",
            |p| p.rotated = Some((9, p.own.clone())),
            Code::V4Malformed,
        ),
    ];
    for (name, change, expected) in cases {
        let mut plan = good.clone();
        change(&mut plan);
        let inspection = judge_with(&apk, plan.build(&apk));
        assert_eq!(
            refusals(&inspection),
            [*expected],
            "{name}: {:?}",
            inspection.findings()
        );
    }
    let other = [apk.as_slice(), b"x"].concat();
    assert_eq!(
        refusals(&judge_with(&apk, good.build(&other))),
        [Code::V4RootWrong]
    );
}

#[test]
fn an_idsig_must_have_a_part_for_every_signer() {
    let mut blueprint = Blueprint::good();
    blueprint.signers(1)[0]
        .attributes
        .push((ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec()));
    let rotated = vec![SignerPlan::on(1, 33, LATEST)];
    blueprint
        .pairs
        .push(PairPlan::Signers(ID_V31, rotated, Vec::new()));
    let (apk, digest) = (blueprint.build(), blueprint.sha256_digest());
    let mut plan = IdSigPlan::new(1, &digest);
    assert_eq!(
        refusals(&judge_with(&apk, plan.build(&apk))),
        [Code::V4SignerDiffers]
    );
    plan.rotate(1, &digest);
    assert_eq!(refusals(&judge_with(&apk, plan.build(&apk))), []);
    plan.rotate(1, &[7; 32]);
    assert_eq!(
        refusals(&judge_with(&apk, plan.build(&apk))),
        [Code::V4DigestDiffers]
    );
    plan.rotate(2, &digest);
    assert_eq!(
        refusals(&judge_with(&apk, plan.build(&apk))),
        [Code::V4SignerDiffers]
    );
}

/// A stamp over the content digest of v2 and v3.
struct StampPlan {
    key: u8,
    announced: Option<Vec<u8>>,
    digest: Option<Vec<u8>>,
    schemes: Vec<u32>,
    time: Option<u64>,
    spoil_attributes: bool,
    value: Option<Vec<u8>>,
    left_out: bool,
}

impl StampPlan {
    fn good() -> Self {
        Self {
            key: 4,
            announced: None,
            digest: None,
            schemes: vec![2, 3],
            time: Some(1_700_000_000),
            spoil_attributes: false,
            value: None,
            left_out: false,
        }
    }

    fn stamp(&self) -> Inspection {
        let mut blueprint = Blueprint::good();
        let announced = self.announced.clone();
        let announced = announced.unwrap_or_else(|| Sha256::digest(certificate(self.key)).to_vec());
        blueprint
            .entries
            .push(EntryPlan::new("stamp-cert-sha256", &announced));
        let digest = self
            .digest
            .clone()
            .unwrap_or_else(|| blueprint.sha256_digest());
        if !self.left_out {
            let value = self.value.clone().unwrap_or_else(|| self.build(&digest));
            blueprint.pairs.push(PairPlan::Raw(ID_STAMP, value));
        }
        judge(&blueprint.build())
    }

    fn build(&self, digest: &[u8]) -> Vec<u8> {
        let signatures = |message: &[u8]| {
            let signature = prefixed(&sign(self.key, message));
            prefixed(&prefixed(
                &[&ECDSA_SHA256.to_le_bytes()[..], &signature].concat(),
            ))
        };
        let pair = [&1_u32.to_le_bytes()[..], &prefixed(digest)].concat();
        let covered = prefixed(&pair);
        let schemes: Vec<u8> = self
            .schemes
            .iter()
            .flat_map(|id| prefixed(&[&id.to_le_bytes()[..], &signatures(&covered)].concat()))
            .collect();
        let mut body = [prefixed(&certificate(self.key)), prefixed(&schemes)].concat();
        if let Some(time) = self.time {
            let time = [&ATTRIBUTE_TIME.to_le_bytes()[..], &time.to_le_bytes()].concat();
            let attributes = prefixed(&prefixed(&time));
            body.extend(prefixed(&attributes));
            let mut signed = signatures(&attributes);
            if self.spoil_attributes {
                *signed.last_mut().unwrap() ^= 1;
            }
            body.extend(signed);
        }
        prefixed(&body)
    }
}

#[test]
fn a_stamp_is_provenance_and_never_decides() {
    let inspection = StampPlan::good().stamp();
    let codes: Vec<Code> = inspection.findings().iter().map(Finding::code).collect();
    assert_eq!(codes, [], "{:?}", inspection.findings());
    let stamp = inspection.source_stamp().expect("a stamp");
    assert_eq!(stamp.made_at, Some(1_700_000_000));
    assert_eq!(
        stamp.certificate.0,
        <[u8; 32]>::from(Sha256::digest(certificate(4)))
    );
    let without_time = StampPlan {
        time: None,
        ..StampPlan::good()
    }
    .stamp();
    assert_eq!(without_time.source_stamp().expect("a stamp").made_at, None);
    let bad = [
        (
            "of another certificate",
            StampPlan {
                announced: Some(vec![7; 32]),
                ..StampPlan::good()
            },
        ),
        (
            "of another file",
            StampPlan {
                digest: Some(vec![7; 32]),
                ..StampPlan::good()
            },
        ),
        (
            "of one scheme alone",
            StampPlan {
                schemes: vec![3],
                ..StampPlan::good()
            },
        ),
        (
            "at no time",
            StampPlan {
                time: Some(0),
                ..StampPlan::good()
            },
        ),
        (
            "with attributes by nobody",
            StampPlan {
                spoil_attributes: true,
                ..StampPlan::good()
            },
        ),
        (
            "cut short",
            StampPlan {
                value: Some(vec![9, 0, 0, 0]),
                ..StampPlan::good()
            },
        ),
        (
            "too long an announcement",
            StampPlan {
                announced: Some(vec![7; 65]),
                ..StampPlan::good()
            },
        ),
    ];
    for (name, plan) in bad {
        let inspection = plan.stamp();
        let codes: Vec<Code> = inspection.findings().iter().map(Finding::code).collect();
        assert_eq!(codes, [Code::SourceStampInvalid], "{name}");
        assert!(inspection.source_stamp().is_none(), "{name}");
        assert_eq!(inspection.verdict(), Verdict::Verified, "{name}");
    }
    let inspection = StampPlan {
        left_out: true,
        ..StampPlan::good()
    }
    .stamp();
    let codes: Vec<Code> = inspection.findings().iter().map(Finding::code).collect();
    assert_eq!(codes, [Code::SourceStampMissing]);
}
