//! v3.2: a classical and a post-quantum signer together, from Android 17 on.

use bonafide_artifact::{Code, Inspection, Options, Verdict, inspect};

use crate::mint::keys::ML_DSA_65;
use crate::mint::{Blueprint, ID_V31, ID_V32, LATEST, PairPlan, SignerPlan, lineage};
use crate::{ATTRIBUTE_LINEAGE, ATTRIBUTE_ROTATION, check_from, judge, refusals};

const ATTRIBUTE_FIRST_LEVEL: u32 = 0xbf94_0529;
const ATTRIBUTE_LAST_LEVEL: u32 = 0x9f06_b79c;
/// Where the pairs of the good blueprint are.
const V3: usize = 1;
const V32: usize = 2;

/// Key 1 signs for all, and from Android 17 on key 2 together with an ML-DSA key, both following key 1.
fn good() -> Blueprint {
    let mut blueprint = Blueprint::good();
    announce(&mut blueprint, 37, LATEST);
    let pair = vec![
        SignerPlan::on(2, 37, LATEST).with(ATTRIBUTE_LINEAGE, &lineage(&[1, 2])),
        SignerPlan::post_quantum(ML_DSA_65, 37, LATEST)
            .with(ATTRIBUTE_LINEAGE, &lineage(&[1, ML_DSA_65])),
    ];
    blueprint
        .pairs
        .push(PairPlan::Signers(ID_V32, pair, Vec::new()));
    blueprint
}

fn announce(blueprint: &mut Blueprint, from: u32, to: u32) {
    let signer = &mut blueprint.signers(V3)[0];
    signer
        .attributes
        .push((ATTRIBUTE_FIRST_LEVEL, from.to_le_bytes().to_vec()));
    signer
        .attributes
        .push((ATTRIBUTE_LAST_LEVEL, to.to_le_bytes().to_vec()));
}

fn judge_on(blueprint: &Blueprint, min: Option<u32>, max: Option<u32>) -> Inspection {
    let mut options = Options::default();
    (options.min_sdk, options.max_sdk) = (min, max);
    inspect(&blueprint.build(), &options).expect("an archive")
}

/// Stripping protection holds without post-quantum cryptography: it is in the older signers.
#[test]
fn refuses_a_block_that_is_not_the_one_the_older_signer_names() {
    check_from(
        || {
            let mut blueprint = Blueprint::good();
            announce(&mut blueprint, 37, LATEST);
            blueprint
        },
        &[
            ("it was taken out", |_| {}, Code::SchemeStripped),
            (
                "the first level cut short",
                |b| b.signers(V3)[0].attributes[0].1.truncate(3),
                Code::AttributeMalformed,
            ),
            (
                "the last level cut short",
                |b| b.signers(V3)[0].attributes[1].1.truncate(3),
                Code::AttributeMalformed,
            ),
            (
                "a last level without a first",
                |b| drop(b.signers(V3)[0].attributes.remove(0)),
                Code::AttributeMalformed,
            ),
            (
                "a first level alone, and no block",
                |b| drop(b.signers(V3)[0].attributes.remove(1)),
                Code::SchemeStripped,
            ),
            (
                "an attribute twice",
                |b| {
                    let again = b.signers(V3)[0].attributes[0].clone();
                    b.signers(V3)[0].attributes.push(again);
                },
                Code::AttributeMalformed,
            ),
            (
                "named by the v3.1 signer",
                |b| {
                    let named = std::mem::take(&mut b.signers(V3)[0].attributes);
                    let rotation = (ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec());
                    b.signers(V3)[0].attributes.push(rotation);
                    let mut rotated = SignerPlan::on(1, 33, LATEST);
                    rotated.attributes = named;
                    b.pairs
                        .push(PairPlan::Signers(ID_V31, vec![rotated], Vec::new()));
                },
                Code::SchemeStripped,
            ),
        ],
    );
}

#[test]
fn a_stripped_block_leaves_older_android_as_it_was() {
    let mut blueprint = Blueprint::good();
    announce(&mut blueprint, 37, LATEST);
    let on_37 = judge_on(&blueprint, None, Some(37));
    assert_eq!(refusals(&on_37), [Code::SchemeStripped]);
    let inspection = judge_on(&blueprint, None, Some(36));
    assert_eq!(
        inspection.verdict(),
        Verdict::Verified,
        "{:?}",
        inspection.findings()
    );
    let levels: Vec<_> = judge(&blueprint.build())
        .levels()
        .iter()
        .map(|level| (level.api.to_string(), level.verdict))
        .collect();
    let expected = [("24-36", Verdict::Verified), ("37+", Verdict::Rejected)];
    assert_eq!(
        levels,
        expected.map(|(api, verdict)| (api.to_owned(), verdict))
    );
}

/// The levels that a block is for are known without verifying it.
#[test]
fn refuses_other_levels_than_the_older_signer_names() {
    for (from, to, code) in [
        (38, LATEST, Some(Code::HybridLevelDiffers)),
        (37, 40, Some(Code::HybridLevelDiffers)),
        (37, LATEST, None),
    ] {
        let mut blueprint = good();
        for signer in blueprint.signers(V32) {
            signer.sdk = Some((from, to));
        }
        let found = refusals(&judge(&blueprint.build()));
        assert_eq!(
            found.contains(&Code::HybridLevelDiffers),
            code.is_some(),
            "{found:?}"
        );
    }
}

#[cfg(not(feature = "post-quantum"))]
#[test]
fn without_post_quantum_cryptography_the_levels_of_the_block_are_open_and_nobody_signed_there() {
    let mut blueprint = good();
    let inspection = judge(&blueprint.build());
    assert_eq!(refusals(&inspection), [Code::HybridNotChecked]);
    assert!(inspection.identity().is_none());
    assert!(inspection.signed().iter().all(|range| range.api.to < 37));
    assert!(
        !inspection
            .schemes()
            .contains(&bonafide_artifact::Scheme::V32)
    );
    assert_eq!(
        judge_on(&blueprint, None, Some(36)).verdict(),
        Verdict::Verified
    );
    for signer in blueprint.signers(V32) {
        signer.sdk = Some((37, 40));
    }
    blueprint.signers(V3)[0].attributes.clear();
    announce(&mut blueprint, 37, 40);
    assert_eq!(
        judge_on(&blueprint, Some(41), None).verdict(),
        Verdict::Verified
    );
    assert_eq!(
        judge_on(&blueprint, Some(40), None).verdict(),
        Verdict::NotChecked
    );
}

#[cfg(feature = "post-quantum")]
mod verified {
    use super::*;
    use crate::ATTRIBUTE_PREVIEW;
    use crate::mint::keys::ML_DSA_87;
    use crate::mint::{ID_V2, ID_V3, lineage_with};

    #[test]
    fn the_pair_signs_where_it_is_meant_to_and_the_history_goes_through_both() {
        for key in [ML_DSA_65, ML_DSA_87] {
            let mut blueprint = good();
            let pair = blueprint.signers(V32);
            pair[1] = SignerPlan::post_quantum(key, 37, LATEST)
                .with(ATTRIBUTE_LINEAGE, &lineage(&[1, key]));
            // Their order in the block says nothing.
            pair.reverse();
            let inspection = judge(&blueprint.build());
            let identity = inspection
                .identity()
                .unwrap_or_else(|| panic!("{:?}", inspection.findings()));
            let last = identity.signed().last().expect("signed");
            let digest = |key| bonafide_artifact_digest(&crate::mint::certificate(key));
            assert_eq!(last.api.to_string(), "37+");
            assert_eq!(last.history.len(), 3);
            assert_eq!(identity.current_signers(), &last.history[2..]);
            let history: Vec<String> = last.history.iter().map(ToString::to_string).collect();
            assert_eq!(history, [digest(1), digest(2), digest(key)]);
            assert_eq!(identity.attested_signers(), [vec![last.history[0]]]);
        }
    }

    fn bonafide_artifact_digest(certificate: &[u8]) -> String {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(certificate))
    }

    #[test]
    fn above_its_last_level_the_older_signer_decides_again() {
        let mut blueprint = good();
        for signer in blueprint.signers(V32) {
            signer.sdk = Some((37, 40));
        }
        blueprint.signers(V3)[0].attributes.clear();
        announce(&mut blueprint, 37, 40);
        let inspection = judge(&blueprint.build());
        assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
        let schemes: Vec<_> = inspection
            .signed()
            .iter()
            .map(|range| format!("{} {}", range.api, range.scheme.as_str()))
            .collect();
        assert_eq!(schemes, ["24-27 v2", "28-36 v3", "37-40 v3.2", "41+ v3"]);
        blueprint.signers(V3)[0].sdk = Some((28, 36));
        assert_eq!(
            refusals(&judge(&blueprint.build())),
            [Code::SdkRangeUncovered]
        );
        assert_eq!(
            judge_on(&blueprint, None, Some(40)).verdict(),
            Verdict::Verified
        );
        assert_eq!(
            judge_on(&blueprint, Some(38), Some(39)).verdict(),
            Verdict::Verified
        );
    }

    #[test]
    fn an_app_for_new_android_only_needs_no_older_signature() {
        let mut blueprint = good();
        blueprint
            .pairs
            .retain(|pair| matches!(pair, PairPlan::Signers(ID_V32, ..)));
        for signer in blueprint.signers(0) {
            signer.attributes.clear();
        }
        let inspection = judge_on(&blueprint, Some(37), None);
        assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
        assert_eq!(inspection.lineage().len(), 2);
        let inspection = judge_on(&blueprint, Some(36), None);
        assert_eq!(refusals(&inspection), [Code::NoSignature]);
    }

    #[test]
    fn what_is_older_must_hold_where_the_block_does_not_decide() {
        let mut blueprint = good();
        blueprint.pairs.remove(V3);
        blueprint.signers(0)[0].attributes.clear();
        assert_eq!(
            judge_on(&blueprint, Some(30), None).verdict(),
            Verdict::Verified
        );
        blueprint.signers(0)[0].spoil_signature = true;
        assert_eq!(
            refusals(&judge_on(&blueprint, Some(30), None)),
            [Code::SignatureWrong]
        );
        assert_eq!(
            judge_on(&blueprint, Some(37), None).verdict(),
            Verdict::Verified
        );
    }

    #[test]
    fn a_pair_for_a_preview_leaves_the_released_level_open() {
        let mut blueprint = good();
        for signer in blueprint.signers(V32) {
            signer.attributes.push((ATTRIBUTE_PREVIEW, Vec::new()));
        }
        let inspection = judge(&blueprint.build());
        let open: Vec<_> = inspection
            .levels()
            .iter()
            .filter(|level| level.verdict == Verdict::NotChecked)
            .map(|level| level.api.to_string())
            .collect();
        assert_eq!(open, ["37"]);
        let on_37 = inspection
            .signed()
            .iter()
            .find(|range| range.api.contains(37));
        assert_eq!(on_37.expect("signed").scheme.as_str(), "v3");
    }

    #[test]
    fn a_block_that_nobody_announces_is_remarked_on() {
        let mut blueprint = good();
        blueprint.signers(V3)[0].attributes.clear();
        let inspection = judge(&blueprint.build());
        assert_eq!(inspection.verdict(), Verdict::Verified);
        let codes: Vec<_> = inspection
            .findings()
            .iter()
            .map(bonafide_artifact::Finding::code)
            .collect();
        assert_eq!(codes, [Code::HybridUnannounced]);
    }

    #[test]
    fn refuses_a_pair_that_is_none() {
        check_from(
            good,
            &[
                (
                    "one signer",
                    |b| drop(b.signers(V32).remove(0)),
                    Code::HybridSigners,
                ),
                (
                    "three signers",
                    |b| {
                        let third = b.signers(V32)[0].clone();
                        b.signers(V32).push(third);
                    },
                    Code::HybridSigners,
                ),
                (
                    "two classical ones",
                    |b| b.signers(V32)[1] = b.signers(V32)[0].clone(),
                    Code::HybridSigners,
                ),
                (
                    "two post-quantum ones",
                    |b| b.signers(V32)[0] = b.signers(V32)[1].clone(),
                    Code::HybridSigners,
                ),
                (
                    "different levels",
                    |b| b.signers(V32)[0].sdk = Some((38, LATEST)),
                    Code::SdkRangesDisagree,
                ),
                (
                    "no signers that can be read",
                    |b| b.pairs[V32] = PairPlan::Raw(ID_V32, vec![9, 0, 0, 0]),
                    Code::SignersMalformed,
                ),
                (
                    "levels that are none",
                    |b| {
                        b.signers(V32)
                            .iter_mut()
                            .for_each(|s| s.sdk = Some((40, 39)));
                    },
                    Code::SdkRangeInvalid,
                ),
                (
                    "a wrong signature by the classical key",
                    |b| b.signers(V32)[0].spoil_signature = true,
                    Code::SignatureWrong,
                ),
                (
                    "a wrong signature by the post-quantum key",
                    |b| b.signers(V32)[1].spoil_signature = true,
                    Code::SignatureWrong,
                ),
                (
                    "a digest of another file by the classical key",
                    |b| b.signers(V32)[0].content_digest = Some(vec![7; 32]),
                    Code::ContentDigestWrong,
                ),
                (
                    "a digest of another file by the post-quantum key",
                    |b| b.signers(V32)[1].content_digest = Some(vec![7; 64]),
                    Code::ContentDigestWrong,
                ),
                (
                    "a history of one of them",
                    |b| b.signers(V32)[1].attributes.clear(),
                    Code::LineagesInconsistent,
                ),
                (
                    "a longer history of one of them",
                    |b| b.signers(V32)[0].attributes[0].1 = lineage(&[1, 3, 2]),
                    Code::LineagesInconsistent,
                ),
                (
                    "histories of different pasts",
                    |b| {
                        b.signers(V32)[1].attributes[0].1 = lineage(&[3, ML_DSA_65]);
                    },
                    Code::LineagesInconsistent,
                ),
                (
                    "other rights for the past",
                    |b| b.signers(V32)[1].attributes[0].1 = lineage_with(&[1, ML_DSA_65], 3),
                    Code::LineagesInconsistent,
                ),
                (
                    "a past that the older signer is not in",
                    |b| {
                        b.signers(V32)[0].attributes[0].1 = lineage(&[3, 2]);
                        b.signers(V32)[1].attributes[0].1 = lineage(&[3, ML_DSA_65]);
                    },
                    Code::HybridPastDiffers,
                ),
                (
                    "no past at all",
                    |b| b.signers(V32).iter_mut().for_each(|s| s.attributes.clear()),
                    Code::HybridPastDiffers,
                ),
                (
                    "a v3.2 signer that names v3.2",
                    |b| {
                        let named = b.signers(V3)[0].attributes[0].clone();
                        b.signers(V32)[0].attributes.push(named);
                    },
                    Code::AttributeMalformed,
                ),
                (
                    "a v3.2 signer that names v3.1",
                    |b| {
                        let named = (ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec());
                        b.signers(V32)[0].attributes.push(named);
                    },
                    Code::RotationBlockMissing,
                ),
            ],
        );
    }

    /// The first level that knows the scheme is the first that looks at it.
    #[test]
    fn a_broken_block_is_android_17s_business_alone() {
        let mut blueprint = good();
        blueprint.signers(V32)[1].spoil_signature = true;
        for (max, expected) in [(36, &[][..]), (37, &[Code::SignatureWrong])] {
            let inspection = judge_on(&blueprint, None, Some(max));
            assert_eq!(refusals(&inspection), expected, "up to {max}");
        }
        let inspection = judge(&blueprint.build());
        assert!(
            !inspection
                .schemes()
                .contains(&bonafide_artifact::Scheme::V32)
        );
        assert!(inspection.signed().iter().all(|range| range.api.to < 37));
    }

    /// The pair is compared with whatever is the newest of the older schemes.
    #[test]
    fn refuses_a_past_that_is_not_the_v2_signers() {
        let mut blueprint = good();
        blueprint.pairs.remove(V3);
        blueprint.signers(0)[0].attributes.clear();
        assert_eq!(judge(&blueprint.build()).verdict(), Verdict::Verified);
        blueprint.signers(0)[0].key = 5;
        assert_eq!(
            refusals(&judge(&blueprint.build())),
            [Code::HybridPastDiffers]
        );
        assert_eq!(
            judge_on(&blueprint, Some(37), None).verdict(),
            Verdict::Verified
        );
    }

    #[test]
    fn refuses_a_post_quantum_key_in_an_older_scheme() {
        let alone = |id, plan: SignerPlan| {
            let mut blueprint = Blueprint::good();
            blueprint.pairs = vec![PairPlan::Signers(id, vec![plan], Vec::new())];
            refusals(&judge_on(&blueprint, Some(37), None))
        };
        let lone = || SignerPlan::post_quantum(ML_DSA_65, 37, LATEST);
        assert_eq!(alone(ID_V3, lone()), [Code::PostQuantumAlone]);
        let announced = |blueprint: &mut Blueprint| {
            let rotation = (ATTRIBUTE_ROTATION, 37_u32.to_le_bytes().to_vec());
            blueprint.signers(V3)[0].attributes.push(rotation);
        };
        let mut blueprint = Blueprint::good();
        announced(&mut blueprint);
        let rotated = lone().with(ATTRIBUTE_LINEAGE, &lineage(&[1, ML_DSA_65]));
        blueprint
            .pairs
            .push(PairPlan::Signers(ID_V31, vec![rotated], Vec::new()));
        assert_eq!(
            refusals(&judge(&blueprint.build())),
            [Code::PostQuantumAlone]
        );
        // v2 is for levels that do not know the algorithm.
        let mut plain = lone();
        plain.sdk = None;
        assert_eq!(alone(ID_V2, plain), [Code::SignatureMissing]);
    }

    #[test]
    fn refuses_a_post_quantum_signature_by_a_classical_key() {
        let mut blueprint = Blueprint::good();
        let signer = &mut blueprint.signers(V3)[0];
        signer.signature_ids.push(crate::mint::ML_DSA);
        signer.digest_ids.push(crate::mint::ML_DSA);
        assert_eq!(refusals(&judge(&blueprint.build())), [Code::SignatureWrong]);
    }
}
