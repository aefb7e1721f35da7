//! What an inspection says about an artifact: findings with a stable code, a severity and the Android levels they touch.
//!
//! A finding decides nothing by itself: the verdict is the worst severity among them (see `inspection`).

use std::io;

use serde::Serialize;

pub use crate::code::Code;

/// The newest Android API level that a range can name: "and everything later".
pub const LATEST_API: u32 = 0x7fff_ffff;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Odd or weak, but not a reason to refuse.
    Warning,
    /// Part of the artifact could not be judged; whatever else is true, it is not verified.
    NotChecked,
    /// The artifact is refused.
    Reject,
}

/// A closed range of Android API levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ApiRange {
    /// First level.
    pub from: u32,
    /// Last level; [`LATEST_API`] means "and everything later".
    pub to: u32,
}

impl ApiRange {
    /// Levels `from` to `to`, both included.
    pub const fn new(from: u32, to: u32) -> Self {
        Self { from, to }
    }

    /// Whether `level` lies within.
    pub const fn contains(self, level: u32) -> bool {
        self.from <= level && level <= self.to
    }
}

impl std::fmt::Display for ApiRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.to) {
            (from, LATEST_API) => write!(f, "{from}+"),
            (from, to) if from == to => write!(f, "{from}"),
            (from, to) => write!(f, "{from}-{to}"),
        }
    }
}

/// One thing that an inspection noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    code: Code,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<ApiRange>,
    detail: String,
}

impl Finding {
    /// The rule. Its kebab-case form is API.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// How much it weighs.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The Android levels it concerns; `None` means all that were asked about.
    pub const fn api(&self) -> Option<ApiRange> {
        self.api
    }

    /// Where and what, for a person to read.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            api: None,
            detail: detail.into(),
        }
    }

    /// The same finding about a part of a set.
    pub(crate) fn within(mut self, part: &str) -> Self {
        self.detail = if self.detail.is_empty() {
            part.to_owned()
        } else {
            format!("{part}: {}", self.detail)
        };
        self
    }

    pub(crate) const fn on(mut self, api: ApiRange) -> Self {
        self.api = Some(api);
        self
    }
}

/// Why a check did not come to its end: the file breaks a rule, or its bytes could not be read.
#[derive(Debug)]
pub(crate) enum Stop {
    Broken(Finding),
    Unreadable(io::Error),
}

pub(crate) type Check<T> = Result<T, Stop>;

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Broken(finding)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// `Err` with the finding for `code`: lets rules read as `return broken(Code::X, "where")`.
pub(crate) fn broken<T>(code: Code, detail: impl Into<String>) -> Check<T> {
    Err(Stop::Broken(Finding::new(code, detail)))
}

/// Turns a missing value (a read past the end, nearly always) into the finding for `code`.
pub(crate) trait OrBroken<T> {
    fn or_broken(self, code: Code, detail: &str) -> Check<T>;
}

impl<T> OrBroken<T> for Option<T> {
    fn or_broken(self, code: Code, detail: &str) -> Check<T> {
        self.ok_or_else(|| Stop::Broken(Finding::new(code, detail)))
    }
}

/// Keeps the value or files the finding; errors of reading go on.
pub(crate) fn settle<T>(check: Check<T>, findings: &mut Vec<Finding>) -> io::Result<Option<T>> {
    match check {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Broken(finding)) => {
            findings.push(finding);
            Ok(None)
        }
        Err(Stop::Unreadable(error)) => Err(error),
    }
}
