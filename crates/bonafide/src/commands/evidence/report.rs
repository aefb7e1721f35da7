//! What `evidence verify` prints. The JSON form is fixed: scripts outside the project read it.

use bonafide_evidence::outline::Claim;
use bonafide_evidence::rules::Rule;
use bonafide_evidence::{
    Appraisal, Explanation, Finding, Mode, Policy, Reject, Severity, Verdict, explain,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Exit, Failure};
use crate::render::{Console, Table, say};

/// The outcome.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    verdict: Outcome,
    kind: &'static str,
    facts: Value,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explanation: Vec<Step>,
}

/// Genuine or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Genuine,
    Refused,
}

/// One rule or check of the account.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    name: String,
    demand: String,
    outcome: String,
}

/// A finding about what was not compared.
pub(super) fn not_compared(code: &'static str, detail: &str) -> Finding {
    Finding {
        code,
        severity: Severity::Info,
        detail: detail.to_owned(),
    }
}

impl Report {
    /// Evidence that is not authentic. `facts` are then only claims, so there are none.
    pub(super) fn rejected(kind: &'static str, reject: &Reject) -> Self {
        let finding = Finding {
            code: reject.code(),
            severity: Severity::Enforced,
            detail: reject.to_string(),
        };
        Self {
            verdict: Outcome::Refused,
            kind,
            facts: Value::Object(Map::new()),
            findings: vec![finding],
            explanation: Vec::new(),
        }
    }

    /// Authentic evidence and its verdict.
    pub(super) fn judged(kind: &'static str, facts: Value, verdict: Verdict) -> Self {
        let findings = verdict.findings().to_vec();
        let verdict = match verdict.into_grant() {
            Ok(_) => Outcome::Genuine,
            Err(_) => Outcome::Refused,
        };
        Self {
            verdict,
            kind,
            facts: without_kind(facts),
            findings,
            explanation: Vec::new(),
        }
    }

    /// The same with notes on what was not compared.
    #[must_use]
    pub(super) fn noting(mut self, notes: Vec<Finding>) -> Self {
        self.findings.extend(notes);
        self
    }

    /// The same with an account.
    #[must_use]
    pub(super) fn explained(mut self, steps: Vec<Step>) -> Self {
        self.explanation = steps;
        self
    }

    pub(super) const fn exit(&self) -> Exit {
        match self.verdict {
            Outcome::Genuine => Exit::Done,
            Outcome::Refused => Exit::Refused,
        }
    }

    pub(super) fn print(&self, console: Console) -> Result<(), Failure> {
        if console.is_json() {
            return console.data(self, |_| Table::object());
        }
        let word = match self.verdict {
            Outcome::Genuine => "genuine",
            Outcome::Refused => "refused",
        };
        console.data(self, |report| {
            let table = Table::object()
                .member("verdict", word)
                .member("kind", report.kind);
            let table = report.findings.iter().fold(table, |table, finding| {
                let weight = finding.severity.as_str();
                table.member(finding.code, format!("{weight}: {}", finding.detail))
            });
            leaves("", &report.facts)
                .into_iter()
                .fold(table, |table, (name, value)| table.member(&name, value))
        })?;
        if !self.explanation.is_empty() {
            say("");
            console.data(self, |report| {
                Table::list("", &["rule, check or claim", "looked at", "outcome"])
                    .rows(&report.explanation, |step| {
                        [step.name.clone(), step.demand.clone(), step.outcome.clone()]
                    })
            })?;
        }
        Ok(())
    }
}

/// The kind stands beside the facts already.
fn without_kind(mut facts: Value) -> Value {
    if let Value::Object(members) = &mut facts {
        members.remove("kind");
    }
    facts
}

/// Members of nested objects by their path, for people.
fn leaves(path: &str, value: &Value) -> Vec<(String, String)> {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| leaves(&below(name), value))
            .collect(),
        Value::Array(items) if items.iter().any(Value::is_object) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| leaves(&below(&index.to_string()), item))
            .collect(),
        Value::Array(items) => {
            let texts: Vec<_> = items.iter().map(text).collect();
            vec![(path.to_owned(), texts.join(", "))]
        }
        single => vec![(path.to_owned(), text(single))],
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// What the evidence says of itself, where it is not believed: whoever asks why must see its dates and names.
pub(super) fn claims(claims: Vec<Claim>) -> Vec<Step> {
    let step = |claim: Claim| Step {
        name: claim.name,
        demand: claim.value,
        outcome: "as stated, not verified".to_owned(),
    };
    claims.into_iter().map(step).collect()
}

/// The account of authentication: which rules held, which was broken, which were not reached. Rules of
/// one stage are looked at certificate by certificate, so beside a broken one they are left open. What the
/// caller did not ask for is no rule that held.
pub(super) fn rules(rules: &[Rule], outcome: Result<(), &Reject>, left_out: &[&str]) -> Vec<Step> {
    let broken = outcome.err().and_then(|reject| {
        let rule = rules.iter().find(|rule| rule.code == reject.code())?;
        Some((rule.stage, reject))
    });
    rules
        .iter()
        .map(|rule| Step {
            name: rule.code.to_owned(),
            demand: rule.demand.to_owned(),
            outcome: match broken {
                _ if left_out.contains(&rule.code) => "not compared".to_owned(),
                None => "held".to_owned(),
                Some((_, reject)) if reject.code() == rule.code => format!("BROKEN: {reject}"),
                Some((stage, _)) if rule.stage < stage => "held".to_owned(),
                Some(_) => "not reached".to_owned(),
            },
        })
        .collect()
}

/// The account of appraisal.
pub(super) fn checks(appraisal: &Appraisal<'_>, policy: &Policy) -> Vec<Step> {
    let step = |explanation: Explanation| Step {
        name: explanation.check.as_str().to_owned(),
        outcome: outcome(&explanation),
        demand: explanation.input,
    };
    explain(appraisal, policy).into_iter().map(step).collect()
}

fn outcome(explanation: &Explanation) -> String {
    let found: Vec<_> = explanation
        .findings
        .iter()
        .map(|finding| format!("{} ({})", finding.code, finding.detail))
        .collect();
    match (explanation.mode, found.is_empty()) {
        (Mode::Off, true) => "off; would be clear".to_owned(),
        (Mode::Off, false) => format!("off; would find {}", found.join("; ")),
        (_, true) if explanation.input == "NotMeasured" => "not measured".to_owned(),
        (_, true) => "clear".to_owned(),
        (mode, false) => format!("{mode}: {}", found.join("; ")),
    }
}
