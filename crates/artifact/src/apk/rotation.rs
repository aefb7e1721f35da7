//! What the signers of a v3 or newer block must agree on among each other: ranges of Android levels and one history.
//!
//! Decides, for a range of levels, whether exactly one signer counts on each and whether they tell one story. The
//! signatures themselves have been verified before (`signer`).

use std::collections::BTreeSet;

use crate::apk::hybrid::{ATTRIBUTE_HYBRID_MAX_SDK, ATTRIBUTE_HYBRID_MIN_SDK};
use crate::apk::lineage::{self, ATTRIBUTE_LINEAGE};
use crate::apk::signer::{NumberAttribute, Signer};
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Check, Code, Finding, broken};
use crate::inspection::Scheme;

const ATTRIBUTE_ROTATION_MIN_SDK: u32 = 0x559f_8b02;
const ATTRIBUTE_DEVELOPMENT_RELEASE: u32 = 0xc2a6_b3ba;

/// Reads and verifies each signer's proof of rotation; names attributes that nobody knows, and refuses one that comes
/// twice: Android takes the last of some and the first of others.
pub(crate) fn read_lineages(signers: &mut [Signer], findings: &mut Vec<Finding>) -> Check<()> {
    for signer in signers {
        let ids: BTreeSet<u32> = signer.attributes.iter().map(|(id, _)| *id).collect();
        if ids.len() != signer.attributes.len() {
            let detail = format!("{}: one comes twice", signer.scheme.as_str());
            return broken(Code::AttributeMalformed, detail);
        }
        if let (Some(value), Some(own)) =
            (signer.attribute(ATTRIBUTE_LINEAGE), signer.certificate())
        {
            signer.lineage = lineage::verify(value, own)?;
        }
        for (id, _) in &signer.attributes {
            let known = matches!(
                *id,
                ATTRIBUTE_LINEAGE
                    | ATTRIBUTE_ROTATION_MIN_SDK
                    | ATTRIBUTE_DEVELOPMENT_RELEASE
                    | ATTRIBUTE_HYBRID_MIN_SDK
                    | ATTRIBUTE_HYBRID_MAX_SDK
            );
            if !known {
                let detail = format!("{}: 0x{id:08x}", signer.scheme.as_str());
                findings.push(Finding::new(Code::AttributeUnknown, detail));
            }
        }
    }
    Ok(())
}

/// Whether the signer is meant for previews of its first level, and not for the released one.
pub(crate) fn targets_development_release(signer: &Signer) -> bool {
    signer.scheme != Scheme::V3 && signer.attribute(ATTRIBUTE_DEVELOPMENT_RELEASE).is_some()
}

/// Whether this signer decides on a released Android of this level.
pub(crate) fn decides_on(signer: &Signer, level: u32) -> bool {
    signer.api.contains(level) && !(targets_development_release(signer) && level == signer.api.from)
}

/// The level from which the v3.1 signers take over.
pub(crate) fn rotation_start(rotated: &[Signer]) -> Option<u32> {
    rotated.iter().map(|signer| signer.api.from).min()
}

/// Sorted by range: no hole, no overlap, and histories that only grow.
pub(crate) fn check_order(signers: &[Signer], findings: &mut Vec<Finding>) {
    let mut sorted: Vec<&Signer> = signers.iter().collect();
    sorted.sort_by_key(|signer| signer.api.to);
    for pair in sorted.windows(2) {
        let [earlier, later] = pair else { continue };
        let follows = earlier.api.to.checked_add(1) == Some(later.api.from)
            || earlier.api.to == later.api.from && targets_development_release(later);
        if !follows {
            let detail = format!("{} and {}", earlier.api, later.api);
            findings.push(Finding::new(Code::SdkRangesDisagree, detail));
        }
        if !later.lineage.certificates.is_empty()
            && later.lineage.certificates.len() < earlier.lineage.certificates.len()
        {
            findings.push(Finding::new(
                Code::LineagesInconsistent,
                "a later history is shorter",
            ));
        }
    }
}

/// Signers without holes between them must reach from the first to the last level of each of these ranges.
pub(crate) fn check_covered(signers: &[Signer], wanted: &[ApiRange], findings: &mut Vec<Finding>) {
    let first = signers.iter().map(|signer| signer.api.from).min();
    let last = signers.iter().map(|signer| signer.api.to).max();
    let (Some(first), Some(last)) = (first, last) else {
        return;
    };
    let own = ApiRange::new(first, last);
    for wanted in wanted {
        if own.from > wanted.from || own.to < wanted.to {
            let detail = format!("{own} of {wanted}");
            findings.push(Finding::new(Code::SdkRangeUncovered, detail));
        }
    }
}

/// Every history must be the beginning of the longest one; a signer without a history stands for itself.
pub(crate) fn check_histories(signers: &[&Signer], findings: &mut Vec<Finding>) {
    let histories: Vec<&[Certificate]> = signers.iter().map(|signer| history(signer)).collect();
    let longest = histories
        .iter()
        .max_by_key(|history| history.len())
        .copied()
        .unwrap_or_default();
    let consistent = histories.iter().all(|history| {
        history.len() <= longest.len()
            && history
                .iter()
                .zip(longest)
                .all(|(mine, theirs)| mine.der == theirs.der)
    });
    if !consistent {
        findings.push(Finding::new(Code::LineagesInconsistent, ""));
    }
}

/// The signer's history, or its own certificate where there was no rotation.
pub(crate) fn history(signer: &Signer) -> &[Certificate] {
    if signer.lineage.certificates.is_empty() {
        signer.certificates.get(..1).unwrap_or_default()
    } else {
        &signer.lineage.certificates
    }
}

/// Stripping protection of the rotation: the v3 signer names the level from which a v3.1 signer must be there.
pub(crate) fn check_rotation(signer: &Signer, rotation: Option<u32>, findings: &mut Vec<Finding>) {
    let code = match (
        signer.number_attribute(ATTRIBUTE_ROTATION_MIN_SDK),
        rotation,
    ) {
        (NumberAttribute::Malformed, _) => Code::AttributeMalformed,
        (NumberAttribute::Is(_), None) => Code::RotationBlockMissing,
        (NumberAttribute::Is(announced), Some(found)) if announced != found => {
            Code::RotationLevelDiffers
        }
        (NumberAttribute::Absent, Some(_)) => Code::RotationUnannounced,
        _ => return,
    };
    findings.push(Finding::new(code, signer.scheme.as_str()));
}
