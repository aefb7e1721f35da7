//! The verdict for a range of Android levels, from schemes that have been authenticated before.
//!
//! Decides which scheme counts where, as Android does, and what the schemes must agree on. Pure bookkeeping: no bytes are
//! read here, so it can be asked again for each level.

use crate::apk::hybrid::{check_announced, left_by, pair_history};
use crate::apk::rotation::{
    check_covered, check_histories, check_order, check_rotation, history, rotation_start,
};
use crate::apk::signer::{NumberAttribute, Signer, V32_SINCE};
use crate::apk::{Apk, Outcome};
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Code, Finding, LATEST_API, Severity};
use crate::inspection::Scheme;
use crate::jar::Judgement;

const ATTRIBUTE_STRIPPING_PROTECTION: u32 = 0xbeef_f00d;
pub(crate) const V2_SINCE: u32 = 24;
pub(crate) const V3_SINCE: u32 = 28;
pub(crate) const V31_SINCE: u32 = 33;
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
    let hybrid = evaluation.hybrid();
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
    if hybrid {
        evaluation.found.push(Scheme::V32);
    }
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

pub(crate) fn judge_v1(apk: &Apk, range: ApiRange, found: &[Scheme]) -> Judgement {
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

    /// The levels asked about on which the v3.2 block decides.
    fn hybrid_part(&self) -> Option<ApiRange> {
        let block = self.apk.hybrid?;
        let from = self.range.from.max(V32_SINCE).max(block.from);
        let part = ApiRange::new(from, self.range.to.min(block.to));
        (part.from <= part.to).then_some(part)
    }

    /// Android 17 refuses a block that is broken even where it is meant for other levels. Returns whether the block decides
    /// anywhere beside others. Where it decides alone, it is found already; else what is older must hold too.
    fn hybrid(&mut self) -> bool {
        if self.range.to < V32_SINCE || self.outcome(Scheme::V32).is_none() {
            return false;
        }
        self.adopt(Scheme::V32, self.part(V32_SINCE));
        let part = self.hybrid_part();
        if part != Some(self.range) {
            self.found.clear();
        }
        if let Some(part) = part
            && cfg!(not(feature = "post-quantum"))
        {
            self.push_on(part, vec![Finding::new(Code::HybridNotChecked, "")]);
        }
        part.is_some_and(|part| part != self.range)
    }

    /// The levels of `wanted` for which signers older than v3.2 are needed.
    fn left_by_hybrid(&self, wanted: ApiRange) -> Vec<ApiRange> {
        left_by(self.hybrid_part(), wanted)
    }

    /// What the signers of an older scheme say of the v3.2 block.
    fn announced(&mut self, scheme: Scheme) {
        let unreadable = self.outcome(Scheme::V32).is_some() && self.apk.hybrid.is_none();
        if self.range.to < V32_SINCE || unreadable {
            return;
        }
        let mut findings = Vec::new();
        for signer in self.signers(scheme) {
            check_announced(signer, self.apk.hybrid, &mut findings);
        }
        self.push_on(self.part(V32_SINCE), findings);
    }

    fn rotated(&mut self) {
        let api = self.part(V31_SINCE);
        if !self.adopt(Scheme::V31, api) {
            return;
        }
        let signers = self.signers(Scheme::V31);
        let start = rotation_start(signers).unwrap_or(LATEST_API);
        let mut findings = Vec::new();
        check_order(signers, &mut findings);
        let wanted = ApiRange::new(api.from.max(start), api.to);
        check_covered(signers, &self.left_by_hybrid(wanted), &mut findings);
        for signer in signers {
            check_rotation(signer, None, &mut findings);
        }
        let everyone: Vec<&Signer> = signers.iter().chain(self.signers(Scheme::V3)).collect();
        check_histories(&everyone, &mut findings);
        if self.outcome(Scheme::V3).is_none() {
            findings.push(Finding::new(Code::RotationWithoutV3, ""));
        }
        self.push_on(api, findings);
        self.announced(Scheme::V31);
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
        check_order(signers, &mut findings);
        let wanted = ApiRange::new(api.from.min(last), last);
        check_covered(signers, &self.left_by_hybrid(wanted), &mut findings);
        if self.range.to >= V31_SINCE {
            for signer in signers {
                check_rotation(signer, rotation, &mut findings);
            }
        }
        check_histories(&signers.iter().collect::<Vec<_>>(), &mut findings);
        self.push_on(api, findings);
        self.announced(Scheme::V3);
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
            Scheme::V32 if self.signers(scheme).is_empty() => false,
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
        if self.holds(Scheme::V32) && self.hybrid_part() != Some(self.range) {
            findings.extend(self.compare_hybrid(&v2, &v1));
        }
        self.findings.extend(findings);
    }

    /// Where older signers count beside the v3.2 pair, its history must begin with them. Nothing else binds the pair to
    /// the rest of the file: the block lies outside of what the older signatures cover.
    fn compare_hybrid(&self, v2: &[&Certificate], v1: &[&Certificate]) -> Option<Finding> {
        let own = pair_history(self.signers(Scheme::V32))?;
        let v3 = self.signers(Scheme::V3).iter();
        let v3: Vec<&Certificate> = v3.filter_map(|signer| history(signer).first()).collect();
        let older = [v3.as_slice(), v2, v1]
            .into_iter()
            .find(|signers| !signers.is_empty())?;
        let same = older.iter().all(|signer| own.first() == Some(*signer));
        let finding = Finding::new(Code::HybridPastDiffers, "").on(self.hybrid_part()?);
        (!same).then_some(finding)
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
