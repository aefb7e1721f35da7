//! The verdict for a range of Android levels, from schemes that have been authenticated before.
//!
//! Decides which scheme counts where, as Android does, and what the schemes must agree on. Pure bookkeeping: no bytes are
//! read here, so it can be asked again for each level.

use crate::apk::rotation::{
    check_histories, check_ranges, check_rotation, decides_on, history, rotation_start,
    targets_development_release,
};
use crate::apk::signer::{NumberAttribute, Signer};
use crate::apk::{Apk, Outcome};
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Code, Finding, LATEST_API, Severity};
use crate::inspection::{Level, Scheme, SignedRange, Verdict};
use crate::jar::Judgement;

const ATTRIBUTE_STRIPPING_PROTECTION: u32 = 0xbeef_f00d;
const V2_SINCE: u32 = 24;
const V3_SINCE: u32 = 28;
const V31_SINCE: u32 = 33;
const V32_SINCE: u32 = 37;
/// Where the rules change: those of v1 below 24, then the first level of each newer scheme.
const STARTS: [u32; 10] = [
    9, 18, 19, 21, 22, V2_SINCE, 26, V3_SINCE, V31_SINCE, V32_SINCE,
];
/// Apps that target it need v2 or newer.
const V2_REQUIRED_TARGET: u32 = 30;

/// What holds for a range of levels.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) findings: Vec<Finding>,
    /// The schemes that count somewhere in the range and hold, oldest first.
    pub(crate) schemes: Vec<Scheme>,
    /// Who signed by v1, where v1 counts.
    pub(crate) v1: Vec<Certificate>,
}

/// The verdict on all levels of `range` together.
pub(crate) fn evaluate(apk: &Apk, range: ApiRange) -> Evaluated {
    let mut evaluation = Evaluation {
        apk,
        range,
        found: Vec::new(),
        findings: Vec::new(),
        v1: Vec::new(),
    };
    if apk.block_is_broken {
        return Evaluated {
            findings: Vec::new(),
            schemes: Vec::new(),
            v1: Vec::new(),
        };
    }
    evaluation.hybrid();
    if range.to >= V31_SINCE {
        evaluation.rotated();
    }
    if range.to >= V3_SINCE {
        evaluation.v3();
    }
    if range.to >= V2_SINCE {
        evaluation.v2();
    }
    evaluation.v1();
    if range.to >= V2_SINCE {
        evaluation.adopt(Scheme::V4, evaluation.part(V2_SINCE));
    }
    evaluation.consistency();
    evaluation.targets();
    let mut schemes: Vec<Scheme> = evaluation
        .found
        .iter()
        .copied()
        .filter(|scheme| evaluation.holds(*scheme))
        .collect();
    schemes.sort_unstable();
    Evaluated {
        findings: evaluation.findings,
        schemes,
        v1: evaluation.v1,
    }
}

/// Whether a v1 signature decides anywhere in `range`: below 24 always, above only where nothing newer is.
pub(crate) fn v1_counts(apk: &Apk, range: ApiRange) -> bool {
    if apk.block_is_broken {
        return false;
    }
    let newer = apk
        .schemes
        .keys()
        .any(|scheme| matches!(scheme, Scheme::V2 | Scheme::V3 | Scheme::V31));
    range.from < V2_SINCE || !newer || v1_gap(apk, range).is_some()
}

/// The levels before 28 where an APK with a v3 but without a v2 signature has nothing but v1.
fn v1_gap(apk: &Apk, range: ApiRange) -> Option<ApiRange> {
    let only_v3 = apk.schemes.contains_key(&Scheme::V3) && !apk.schemes.contains_key(&Scheme::V2);
    let gap = ApiRange::new(
        range.from.max(V2_SINCE),
        range.to.min(V3_SINCE.saturating_sub(1)),
    );
    (only_v3 && gap.from <= gap.to).then_some(gap)
}

fn judge_v1(apk: &Apk, range: ApiRange, found: &[Scheme]) -> Judgement {
    match &apk.jar {
        Some(jar) => jar.judge(range, found),
        None if apk.jar_findings.is_empty() => Judgement {
            certificates: Vec::new(),
            findings: vec![Finding::new(Code::NoSignature, "")],
        },
        None => Judgement {
            certificates: Vec::new(),
            findings: apk.jar_findings.clone(),
        },
    }
}

struct Evaluation<'a> {
    apk: &'a Apk,
    range: ApiRange,
    found: Vec<Scheme>,
    findings: Vec<Finding>,
    v1: Vec<Certificate>,
}

impl<'a> Evaluation<'a> {
    fn outcome(&self, scheme: Scheme) -> Option<&'a Outcome> {
        self.apk.schemes.get(&scheme)
    }

    fn signers(&self, scheme: Scheme) -> &'a [Signer] {
        self.outcome(scheme).map_or(&[], |outcome| &outcome.signers)
    }

    fn part(&self, since: u32) -> ApiRange {
        ApiRange::new(self.range.from.max(since), self.range.to)
    }

    /// Takes over what is true of a scheme, marked with the levels where it counts.
    fn adopt(&mut self, scheme: Scheme, api: ApiRange) -> bool {
        let Some(outcome) = self.outcome(scheme) else {
            return false;
        };
        self.findings.extend(
            outcome
                .findings
                .iter()
                .cloned()
                .map(|finding| finding.on(api)),
        );
        self.found.push(scheme);
        outcome.holds()
    }

    fn push_on(&mut self, api: ApiRange, findings: Vec<Finding>) {
        self.findings
            .extend(findings.into_iter().map(|finding| finding.on(api)));
    }

    fn hybrid(&mut self) {
        if self.range.to >= V32_SINCE {
            self.adopt(Scheme::V32, self.part(V32_SINCE));
        }
    }

    fn rotated(&mut self) {
        let api = self.part(V31_SINCE);
        if !self.adopt(Scheme::V31, api) {
            return;
        }
        let signers = self.signers(Scheme::V31);
        let start = rotation_start(signers).unwrap_or(LATEST_API);
        let mut findings = Vec::new();
        check_ranges(
            signers,
            ApiRange::new(api.from.max(start), api.to),
            &mut findings,
        );
        for signer in signers {
            check_rotation(signer, None, &mut findings);
        }
        let everyone: Vec<&Signer> = signers.iter().chain(self.signers(Scheme::V3)).collect();
        check_histories(&everyone, &mut findings);
        if self.outcome(Scheme::V3).is_none() {
            findings.push(Finding::new(Code::RotationWithoutV3, ""));
        }
        self.push_on(api, findings);
    }

    fn v3(&mut self) {
        let api = self.part(V3_SINCE);
        if !self.adopt(Scheme::V3, api) {
            return;
        }
        let signers = self.signers(Scheme::V3);
        let rotation = if self.range.to >= V31_SINCE {
            rotation_start(self.signers(Scheme::V31))
        } else {
            None
        };
        let last = rotation.map_or(api.to, |start| start.saturating_sub(1).min(api.to));
        let mut findings = Vec::new();
        check_ranges(
            signers,
            ApiRange::new(api.from.min(last), last),
            &mut findings,
        );
        if self.range.to >= V31_SINCE {
            for signer in signers {
                check_rotation(signer, rotation, &mut findings);
            }
        }
        check_histories(&signers.iter().collect::<Vec<_>>(), &mut findings);
        self.push_on(api, findings);
    }

    /// v2 counts below 28, and above where nothing newer is. Where it does not count, a broken one is only remarked on.
    fn v2(&mut self) {
        let counts = self.range.from < V3_SINCE || self.found.is_empty();
        let Some(outcome) = self.outcome(Scheme::V2) else {
            return;
        };
        if !counts {
            let shadowed = outcome
                .findings
                .iter()
                .filter(|f| f.severity() == Severity::Reject);
            let lighter = shadowed
                .map(|f| Finding::new(Code::OlderSchemeBroken, format!("v2: {}", f.code())));
            self.findings.extend(lighter);
            return;
        }
        let api = self.part(V2_SINCE);
        if !self.adopt(Scheme::V2, api) {
            return;
        }
        let newer_known = self.range.to >= V3_SINCE;
        for signer in self.signers(Scheme::V2) {
            let code = match signer.number_attribute(ATTRIBUTE_STRIPPING_PROTECTION) {
                NumberAttribute::Malformed => Code::AttributeMalformed,
                NumberAttribute::Is(3) if newer_known && self.outcome(Scheme::V3).is_none() => {
                    Code::SchemeStripped
                }
                _ => continue,
            };
            self.findings
                .push(Finding::new(code, "v2 names v3").on(api));
        }
    }

    fn v1(&mut self) {
        if self.range.from < V2_SINCE || self.found.is_empty() {
            let api = if self.found.is_empty() {
                self.range
            } else {
                ApiRange::new(
                    self.range.from,
                    self.range.to.min(V2_SINCE.saturating_sub(1)),
                )
            };
            let judgement = judge_v1(self.apk, self.range, &self.found);
            self.adopt_v1(judgement, api);
        } else if let Some(gap) = v1_gap(self.apk, self.range) {
            if self.apk.jar.is_some() || !self.apk.jar_findings.is_empty() {
                let judgement = judge_v1(self.apk, gap, &[]);
                self.adopt_v1(judgement, gap);
            } else {
                self.findings
                    .push(Finding::new(Code::UnsignedBelow, "").on(gap));
            }
        }
    }

    fn adopt_v1(&mut self, judgement: Judgement, api: ApiRange) {
        self.push_on(api, judgement.findings);
        self.v1 = judgement.certificates;
        self.found.push(Scheme::V1);
    }

    fn holds(&self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::V1 => !self.v1.is_empty(),
            other => self.found.contains(&other) && self.outcome(other).is_some_and(Outcome::holds),
        }
    }

    /// The signers for older Android must be the root of what newer Android sees.
    fn consistency(&mut self) {
        let v2: Vec<&Certificate> = self
            .signers(Scheme::V2)
            .iter()
            .filter_map(Signer::certificate)
            .collect();
        let v1: Vec<&Certificate> = self.v1.iter().collect();
        let mut findings = Vec::new();
        if self.holds(Scheme::V1) && self.holds(Scheme::V2) {
            let differ = v1.iter().any(|c| !v2.contains(c)) || v2.iter().any(|c| !v1.contains(c));
            if differ {
                findings.push(Finding::new(Code::SchemesSignersDiffer, ""));
            }
        }
        if self.holds(Scheme::V3) && self.holds(Scheme::V1) {
            findings.extend(self.compare_with_past(&v1));
        } else if self.holds(Scheme::V3) && self.holds(Scheme::V2) {
            findings.extend(self.compare_with_past(&v2));
        }
        self.findings.extend(findings);
    }

    fn compare_with_past(&self, past: &[&Certificate]) -> Vec<Finding> {
        let [past] = past else {
            return vec![Finding::new(
                Code::PastSignersMany,
                format!("{} signers", past.len()),
            )];
        };
        let signers = self
            .signers(Scheme::V3)
            .iter()
            .chain(self.signers(Scheme::V31));
        let mut roots = signers.filter_map(|signer| history(signer).first());
        if roots.any(|root| root.der != past.der) {
            return vec![Finding::new(Code::PastSignerDiffers, "")];
        }
        Vec::new()
    }

    fn targets(&mut self) {
        let manifest = &self.apk.manifest;
        let only_v1 = self.found == [Scheme::V1] && self.holds(Scheme::V1);
        let target = manifest.target_sdk();
        if only_v1 && target >= V2_REQUIRED_TARGET && self.range.to >= target {
            let detail = format!("targets Android level {target}");
            self.findings
                .push(Finding::new(Code::MinSchemeForTarget, detail));
        }
        if only_v1 && manifest.target_sandbox > 1 && self.range.to >= 26 {
            let detail = format!("targets sandbox version {}", manifest.target_sandbox);
            self.findings
                .push(Finding::new(Code::MinSchemeForTarget, detail));
        }
    }
}

/// The verdict of each part of `range` where the same signers decide.
pub(crate) fn levels(apk: &Apk, range: ApiRange, whole_file: &[Finding]) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for api in segments(apk, range) {
        let mut findings = whole_file.to_vec();
        findings.extend(evaluate(apk, api).findings);
        if newest_signers(apk, api.from).is_some_and(|s| s.iter().any(|s| preview_only(s, api))) {
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
        if signers.is_empty() && scheme == Scheme::V31 {
            continue;
        }
        let current: Vec<Certificate> = signers
            .iter()
            .filter_map(|s| s.certificate().cloned())
            .collect();
        let history = match signers.as_slice() {
            [signer] => digests(&signer.lineage),
            _ => Vec::new(),
        };
        let range = SignedRange {
            api,
            scheme,
            current: digests(&current),
            history,
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

fn newest_signers(apk: &Apk, level: u32) -> Option<&[Signer]> {
    let outcome = apk
        .schemes
        .get(&Scheme::V31)
        .filter(|_| level >= V31_SINCE)?;
    Some(&outcome.signers)
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
    let mut starts: Vec<u32> = STARTS.into_iter().chain(own).collect();
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
