//! The verdict and the signers level by level: the range asked about, cut wherever another scheme or signer takes over.
//!
//! Decides who signs on each level, as Android does: the newest scheme that the level knows and that is present, and no
//! other. Whether that holds is `evaluate`'s to say, which is asked again for each part.

use crate::apk::Apk;
use crate::apk::evaluate::{V2_SINCE, V3_SINCE, V31_SINCE, evaluate, judge_v1};
use crate::apk::hybrid::pair_history;
use crate::apk::rotation::{decides_on, targets_development_release};
use crate::apk::signer::{Signer, V32_SINCE};
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Code, Finding};
use crate::inspection::{Level, Scheme, SignedRange, Verdict};

/// Where the rules change: those of v1 below 24, then the first level of each newer scheme.
const STARTS: [u32; 10] = [
    9, 18, 19, 21, 22, V2_SINCE, 26, V3_SINCE, V31_SINCE, V32_SINCE,
];

/// The verdict of each part of `range` where the same signers decide.
pub(crate) fn levels(apk: &Apk, range: ApiRange, whole_file: &[Finding]) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for api in segments(apk, range) {
        let mut findings = whole_file.to_vec();
        findings.extend(evaluate(apk, api).findings);
        if newest_signers(apk, api.from)
            .iter()
            .any(|s| preview_only(s, api))
        {
            findings.push(Finding::new(Code::DevelopmentRelease, ""));
        }
        let verdict = Verdict::of(&findings);
        match levels.last_mut() {
            Some(last) if last.verdict == verdict => last.api.to = api.to,
            _ => levels.push(Level { api, verdict }),
        }
    }
    levels
}

fn preview_only(signer: &Signer, api: ApiRange) -> bool {
    targets_development_release(signer) && signer.api.from == api.from
}

/// Who signs in each part of `range`.
pub(crate) fn signed_ranges(apk: &Apk, range: ApiRange) -> Vec<SignedRange> {
    let mut ranges: Vec<SignedRange> = Vec::new();
    for api in segments(apk, range) {
        let Some(deciding) = deciding(apk, api) else {
            continue;
        };
        match ranges.last_mut() {
            Some(last)
                if last.api.to.checked_add(1) == Some(api.from)
                    && same_signers(last, &deciding) =>
            {
                last.api.to = api.to;
            }
            _ => ranges.push(deciding),
        }
    }
    ranges
}

fn same_signers(one: &SignedRange, other: &SignedRange) -> bool {
    (one.scheme, &one.current, &one.history) == (other.scheme, &other.current, &other.history)
}

/// Who decides on one segment: the newest scheme that its levels know and that is present, and no other.
fn deciding(apk: &Apk, api: ApiRange) -> Option<SignedRange> {
    let digests =
        |certificates: &[Certificate]| certificates.iter().map(Certificate::sha256).collect();
    for (scheme, since) in [
        (Scheme::V32, V32_SINCE),
        (Scheme::V31, V31_SINCE),
        (Scheme::V3, V3_SINCE),
        (Scheme::V2, V2_SINCE),
    ] {
        let Some(outcome) = apk.schemes.get(&scheme).filter(|_| api.from >= since) else {
            continue;
        };
        let signers: Vec<&Signer> = outcome
            .signers
            .iter()
            .filter(|signer| decides_on(signer, api.from))
            .collect();
        // A v3.2 block decides on its levels even where it cannot be read: then nobody is known to have signed.
        let unread = scheme == Scheme::V32
            && outcome.signers.is_empty()
            && apk.hybrid.is_none_or(|block| block.contains(api.from));
        if unread {
            return None;
        }
        if signers.is_empty() && matches!(scheme, Scheme::V31 | Scheme::V32) {
            continue;
        }
        let (current, history) = current_and_history(scheme, &signers);
        let range = SignedRange {
            api,
            scheme,
            current: digests(&current),
            history: digests(&history),
        };
        return (!current.is_empty()).then_some(range);
    }
    let signers = judge_v1(apk, api, &[Scheme::V2, Scheme::V3]).certificates;
    let range = SignedRange {
        api,
        scheme: Scheme::V1,
        current: digests(&signers),
        history: Vec::new(),
    };
    (!signers.is_empty()).then_some(range)
}

/// The certificates that Android takes as current, and the history it keeps beside them.
fn current_and_history(
    scheme: Scheme,
    signers: &[&Signer],
) -> (Vec<Certificate>, Vec<Certificate>) {
    if scheme == Scheme::V32 {
        let signers: Vec<Signer> = signers.iter().copied().cloned().collect();
        let history = pair_history(&signers).unwrap_or_default();
        return (history.last().cloned().into_iter().collect(), history);
    }
    let current = signers.iter().filter_map(|s| s.certificate().cloned());
    let history = match signers {
        [signer] => signer.lineage.certificates.clone(),
        _ => Vec::new(),
    };
    (current.collect(), history)
}

/// The signers of the schemes that may be meant for previews.
fn newest_signers(apk: &Apk, level: u32) -> Vec<&Signer> {
    let known = [(Scheme::V32, V32_SINCE), (Scheme::V31, V31_SINCE)];
    let outcomes = known
        .into_iter()
        .filter(|(_, since)| level >= *since)
        .filter_map(|(scheme, _)| apk.schemes.get(&scheme));
    outcomes.flat_map(|outcome| &outcome.signers).collect()
}

/// Cuts `range` wherever another scheme or another signer takes over.
fn segments(apk: &Apk, range: ApiRange) -> Vec<ApiRange> {
    let signers = apk.schemes.values().flat_map(|outcome| &outcome.signers);
    let own = signers.flat_map(|s| {
        let preview = targets_development_release(s).then(|| s.api.from.saturating_add(1));
        [Some(s.api.from), s.api.to.checked_add(1), preview]
            .into_iter()
            .flatten()
    });
    let hybrid = apk
        .hybrid
        .map(|block| [Some(block.from), block.to.checked_add(1)]);
    let hybrid = hybrid.into_iter().flatten().flatten();
    let mut starts: Vec<u32> = STARTS.into_iter().chain(own).chain(hybrid).collect();
    starts.retain(|start| range.from < *start && *start <= range.to);
    starts.push(range.from);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts
        .iter()
        .skip(1)
        .map(|start| start.saturating_sub(1))
        .chain([range.to]);
    if range.from > range.to {
        return Vec::new();
    }
    starts
        .iter()
        .zip(ends)
        .map(|(from, to)| ApiRange::new(*from, to))
        .collect()
}
