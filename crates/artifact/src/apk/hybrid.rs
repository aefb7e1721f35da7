//! v3.2: a classical and a post-quantum signer together, from Android 17 on.
//!
//! Decides whether the two signers of a v3.2 block are one pair that tells one history, and whether the older signers name
//! the block that is there: without that, anybody could take it out and leave what a quantum computer can forge. The
//! signatures themselves have been verified before (`signer`). The rules are those of Android 17's installer, which has no
//! document of its own yet.

use crate::apk::rotation::{check_rotation, history};
use crate::apk::signer::{NumberAttribute, Signer};
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Check, Code, Finding, LATEST_API, broken};

pub(crate) const ATTRIBUTE_HYBRID_MIN_SDK: u32 = 0xbf94_0529;
pub(crate) const ATTRIBUTE_HYBRID_MAX_SDK: u32 = 0x9f06_b79c;

/// The levels that a v3.2 block is for: it has exactly two signers, and both claim the same.
pub(crate) fn range(claimed: &[ApiRange]) -> Check<ApiRange> {
    let [one, other] = claimed else {
        return broken(Code::HybridSigners, format!("{} signers", claimed.len()));
    };
    if one != other {
        return broken(Code::SdkRangesDisagree, format!("v3.2: {one} and {other}"));
    }
    Ok(*one)
}

/// The classical and the post-quantum signer, if this is such a pair.
fn pair(signers: &[Signer]) -> Option<(&Signer, &Signer)> {
    match signers {
        [one, other] => match (one.is_post_quantum(), other.is_post_quantum()) {
            (false, true) => Some((one, other)),
            (true, false) => Some((other, one)),
            _ => None,
        },
        _ => None,
    }
}

/// The history that Android gives the pair, oldest first: that of the classical signer, and the post-quantum one as the
/// next step, which is the current signer.
pub(crate) fn pair_history(signers: &[Signer]) -> Option<Vec<Certificate>> {
    let (classical, post_quantum) = pair(signers)?;
    let mut certificates = history(classical).to_vec();
    certificates.extend(post_quantum.certificate().cloned());
    Some(certificates)
}

/// What must hold between the two authenticated signers.
pub(crate) fn check_pair(signers: &[Signer], findings: &mut Vec<Finding>) {
    let Some((classical, post_quantum)) = pair(signers) else {
        let detail = "not one classical and one post-quantum";
        findings.push(Finding::new(Code::HybridSigners, detail));
        return;
    };
    let (one, other) = (&classical.lineage, &post_quantum.lineage);
    // Each ends with its own certificate; everything before must be the same, with the same rights.
    let past = |certificates: &[Certificate]| -> Vec<Certificate> {
        certificates
            .split_last()
            .map(|(_, past)| past.to_vec())
            .unwrap_or_default()
    };
    let rights = |rights: &[u32]| -> Vec<u32> {
        rights
            .split_last()
            .map(|(_, past)| past.to_vec())
            .unwrap_or_default()
    };
    let same = one.certificates.len() == other.certificates.len()
        && past(&one.certificates) == past(&other.certificates)
        && rights(&one.capabilities) == rights(&other.capabilities);
    if !same {
        let detail = "v3.2: the classical and the post-quantum signer";
        findings.push(Finding::new(Code::LineagesInconsistent, detail));
    }
    for signer in signers {
        check_rotation(signer, None, findings);
        let own = [ATTRIBUTE_HYBRID_MIN_SDK, ATTRIBUTE_HYBRID_MAX_SDK];
        if own.into_iter().any(|id| signer.attribute(id).is_some()) {
            let detail = "v3.2: names a v3.2 block itself";
            findings.push(Finding::new(Code::AttributeMalformed, detail));
        }
    }
}

/// Stripping protection: an older signer names the levels for which a v3.2 block must be there.
pub(crate) fn check_announced(
    signer: &Signer,
    block: Option<ApiRange>,
    findings: &mut Vec<Finding>,
) {
    use NumberAttribute::{Absent, Is, Malformed};
    let from = signer.number_attribute(ATTRIBUTE_HYBRID_MIN_SDK);
    let to = signer.number_attribute(ATTRIBUTE_HYBRID_MAX_SDK);
    let (code, what) = match (from, to, block) {
        (Malformed, _, _) | (_, Malformed, _) => (Code::AttributeMalformed, "levels of v3.2"),
        (Absent, Is(_), _) => (
            Code::AttributeMalformed,
            "a last level of v3.2 without a first",
        ),
        (Absent, Absent, Some(_)) => (Code::HybridUnannounced, ""),
        (Is(_), _, None) => (Code::SchemeStripped, "names v3.2"),
        (Is(first), _, Some(block)) if first != block.from => {
            (Code::HybridLevelDiffers, "first level")
        }
        (Is(_), Is(last), Some(block)) if last != block.to => {
            (Code::HybridLevelDiffers, "last level")
        }
        (Absent, Absent, None) | (Is(_), _, Some(_)) => return,
    };
    let place = signer.scheme.as_str();
    let detail = if what.is_empty() {
        place.to_owned()
    } else {
        format!("{place}: {what}")
    };
    findings.push(Finding::new(code, detail));
}

/// What of `wanted` is left for older schemes.
pub(crate) fn left_by(block: Option<ApiRange>, wanted: ApiRange) -> Vec<ApiRange> {
    let Some(block) = block else {
        return vec![wanted];
    };
    let before = ApiRange::new(wanted.from, wanted.to.min(block.from.saturating_sub(1)));
    let after = ApiRange::new(wanted.from.max(block.to.saturating_add(1)), wanted.to);
    let after = (block.to < LATEST_API).then_some(after);
    [Some(before), after]
        .into_iter()
        .flatten()
        .filter(|part| part.from <= part.to)
        .collect()
}
