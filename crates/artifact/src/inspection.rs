//! The result of an inspection: verdict, what the artifact says it is, and, only if it verified, who it is.
//!
//! The types keep one promise: an [`Identity`] cannot be had except from an artifact that verified. `registration add`
//! takes an [`Identity`], so that a parsed but unverified file has nothing to offer it.

use serde::{Serialize, Serializer};

use crate::finding::{ApiRange, Finding, Severity};
use crate::ios::facts::IosFacts;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl std::fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an inspection concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every byte that matters is covered by signatures that verify on every Android level asked about.
    Verified,
    /// A rule is broken.
    Rejected,
    /// No rule is broken, but something that decides could not be checked. Never counts as verified.
    NotChecked,
}

impl Verdict {
    /// The verdict that findings add up to.
    pub(crate) fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(Finding::severity).max() {
            Some(Severity::Reject) => Self::Rejected,
            Some(Severity::NotChecked) => Self::NotChecked,
            Some(Severity::Info | Severity::Warning) | None => Self::Verified,
        }
    }
}

/// What sort of artifact the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An Android package.
    Apk,
    /// A base APK and its splits, in an archive or a folder.
    SplitSet,
    /// An Android App Bundle: what a developer uploads, never what a device runs.
    Aab,
    /// An iOS app.
    Ipa,
}

/// A way to sign an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Scheme {
    /// JAR signing.
    #[serde(rename = "v1")]
    V1,
    /// APK Signature Scheme v2, Android 7 and later.
    #[serde(rename = "v2")]
    V2,
    /// APK Signature Scheme v3, Android 9 and later.
    #[serde(rename = "v3")]
    V3,
    /// v3.1: another key from a given Android level on, Android 13 and later.
    #[serde(rename = "v3.1")]
    V31,
    /// v3.2: a classical and a post-quantum key together, Android 17 and later.
    #[serde(rename = "v3.2")]
    V32,
    /// The `.idsig` file beside an APK.
    #[serde(rename = "v4")]
    V4,
    /// Apple code signing.
    #[serde(rename = "apple")]
    Apple,
}

impl Scheme {
    /// The name people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
            Self::V31 => "v3.1",
            Self::V32 => "v3.2",
            Self::V4 => "v4",
            Self::Apple => "apple",
        }
    }
}

/// Who signed, as far as a range of Android levels is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedRange {
    /// The Android levels.
    pub api: ApiRange,
    /// The scheme that decides there.
    pub scheme: Scheme,
    /// The certificates that Android takes as the app's signer there (several only with v1 and v2).
    pub current: Vec<Sha256Digest>,
    /// The key's history, oldest first and ending with the current one; empty without rotation.
    pub history: Vec<Sha256Digest>,
}

impl SignedRange {
    /// The certificates that Android Key Attestation reports on these levels: all signers, but after a rotation only the
    /// **oldest** of the history. Android fills `attestationApplicationId` from `PackageInfo.signatures`, which keeps
    /// answering with the root so that old code goes on working.
    pub fn attested(&self) -> &[Sha256Digest] {
        match self.history.first() {
            Some(oldest) => std::slice::from_ref(oldest),
            None => &self.current,
        }
    }
}

/// A verified source stamp: who says to have made the file. Provenance, never identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStamp {
    /// SHA-256 of the stamp's certificate.
    pub certificate: Sha256Digest,
    /// When it was made, in seconds since 1970, if it says so.
    pub made_at: Option<i64>,
}

/// The verdict for a range of Android levels alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// The Android levels.
    pub api: ApiRange,
    /// What they would say.
    pub verdict: Verdict,
}

/// What the manifest says. Claims until the inspection says `verified`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppFacts {
    /// Package name or bundle id.
    pub package: String,
    /// Android's long version code: major in the upper, `versionCode` in the lower half.
    pub version_code: Option<u64>,
    /// The version shown to people.
    pub version_name: Option<String>,
    /// Lowest Android level the app installs on.
    pub min_sdk: Option<u32>,
    /// Android level the app was made for.
    pub target_sdk: Option<u32>,
    /// The split's name, if this is not a base APK.
    pub split: Option<String>,
    /// The user id the app shares with others.
    pub shared_user_id: Option<String>,
    /// Whether the app can be debugged.
    pub debuggable: bool,
    /// Whether the app is marked as a test build.
    pub test_only: bool,
}

/// A certificate that takes part, with what people recognise it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateSummary {
    /// SHA-256 over the certificate's bytes as they are in the artifact.
    pub sha256: Sha256Digest,
    /// The subject's name.
    pub subject: String,
    /// Kind and size of the key, as in `RSA 2048`.
    pub key: String,
}

/// One APK of a split set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name in the set.
    pub name: String,
    /// Its split name; `None` for the base.
    pub split: Option<String>,
    /// SHA-256 of the APK.
    pub sha256: Sha256Digest,
    /// Its verdict alone.
    pub verdict: Verdict,
}

/// The verified identity of an artifact: what `registration add` may believe.
///
/// Only an inspection that ends with [`Verdict::Verified`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    kind: Kind,
    artifact_sha256: Sha256Digest,
    app: AppFacts,
    signed: Vec<SignedRange>,
    installed_sha256: Option<Sha256Digest>,
}

impl Identity {
    /// What sort of artifact it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// SHA-256 of the whole file.
    pub const fn artifact_sha256(&self) -> Sha256Digest {
        self.artifact_sha256
    }

    /// Package name or bundle id.
    pub fn package(&self) -> &str {
        &self.app.package
    }

    /// The long version code (0 if the manifest gives none, as Android has it).
    pub fn version_code(&self) -> u64 {
        self.app.version_code.unwrap_or(0)
    }

    /// What else the manifest says.
    pub const fn app(&self) -> &AppFacts {
        &self.app
    }

    /// Who signed, for every range of Android levels that was asked about, oldest first.
    pub fn signed(&self) -> &[SignedRange] {
        &self.signed
    }

    /// The certificates that Android takes as the app's signer on the newest levels.
    pub fn current_signers(&self) -> &[Sha256Digest] {
        self.signed.last().map_or(&[], |range| &range.current)
    }

    /// SHA-256 of the APK that a device keeps as the app's own file and can measure: the file itself, or a split set's base.
    /// `None` where devices get another file than this one (bundles, iOS apps).
    pub const fn installed_sha256(&self) -> Option<Sha256Digest> {
        self.installed_sha256
    }

    /// Whether the signer is the app's own key, or only the key its developer uploads with. An upload key must never be
    /// registered as the app's: no device runs anything signed with it.
    pub const fn is_upload_key(&self) -> bool {
        matches!(self.kind, Kind::Aab)
    }

    /// Every set of certificates that Android Key Attestation can report for this artifact, without repetition: what a
    /// registration compares evidence with. One set is the rule. A set with several members needs all of them.
    ///
    /// After a key rotation this is the **oldest** certificate of the lineage, not the current one. For an upload key there
    /// is none.
    pub fn attested_signers(&self) -> Vec<Vec<Sha256Digest>> {
        let mut sets: Vec<Vec<Sha256Digest>> = Vec::new();
        let android = matches!(self.kind, Kind::Apk | Kind::SplitSet);
        for range in self.signed.iter().filter(|_| android) {
            let mut set = range.attested().to_vec();
            set.sort_unstable();
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }
}

/// All that an inspection found out. Only an inspection can make one, so that nobody can talk a file into an identity.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub(crate) kind: Kind,
    pub(crate) artifact_sha256: Sha256Digest,
    pub(crate) size: u64,
    pub(crate) app: Option<AppFacts>,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) signed: Vec<SignedRange>,
    pub(crate) certificates: Vec<CertificateSummary>,
    pub(crate) levels: Vec<Level>,
    pub(crate) source_stamp: Option<SourceStamp>,
    pub(crate) parts: Vec<Part>,
    pub(crate) ios: Option<IosFacts>,
    pub(crate) findings: Vec<Finding>,
}

impl Inspection {
    /// The verdict: the worst of the findings, and never `verified` without an app and somebody who signed.
    pub fn verdict(&self) -> Verdict {
        match Verdict::of(&self.findings) {
            Verdict::Verified if self.signed.is_empty() || self.app.is_none() => {
                Verdict::NotChecked
            }
            verdict => verdict,
        }
    }

    /// Kind of artifact.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// SHA-256 of the whole file.
    pub const fn artifact_sha256(&self) -> Sha256Digest {
        self.artifact_sha256
    }

    /// Size of the file in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What the manifest says, if it could be read. Claims, until the verdict is `verified`.
    pub const fn app(&self) -> Option<&AppFacts> {
        self.app.as_ref()
    }

    /// The schemes whose signatures verified, oldest first.
    pub fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    /// Who signed, per range of Android levels. Claims, until the verdict is `verified`.
    pub fn signed(&self) -> &[SignedRange] {
        &self.signed
    }

    /// The certificates that take part.
    pub fn certificates(&self) -> &[CertificateSummary] {
        &self.certificates
    }

    /// The verdict for each range of Android levels alone. The whole is refused if one of them is.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The source stamp, if there is one and it holds.
    pub const fn source_stamp(&self) -> Option<&SourceStamp> {
        self.source_stamp.as_ref()
    }

    /// Everything that was noticed, the heaviest first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The certificates that sign on the newest of the Android levels asked about.
    pub fn signers(&self) -> &[Sha256Digest] {
        self.signed.last().map_or(&[], |range| &range.current)
    }

    /// The history of the key on the newest Android levels, oldest first; empty without rotation.
    pub fn lineage(&self) -> &[Sha256Digest] {
        self.signed.last().map_or(&[], |range| &range.history)
    }

    /// The verified identity, or `None` for whatever did not verify.
    pub fn identity(&self) -> Option<Identity> {
        match (self.verdict(), &self.app) {
            (Verdict::Verified, Some(app)) => Some(Identity {
                kind: self.kind,
                artifact_sha256: self.artifact_sha256,
                app: app.clone(),
                signed: self.signed.clone(),
                installed_sha256: self.installed_sha256(),
            }),
            _ => None,
        }
    }

    /// What an iOS app says beyond that.
    pub const fn ios(&self) -> Option<&IosFacts> {
        self.ios.as_ref()
    }

    /// The parts of a split set.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn installed_sha256(&self) -> Option<Sha256Digest> {
        match self.kind {
            Kind::Apk => Some(self.artifact_sha256),
            Kind::SplitSet => self
                .parts
                .iter()
                .find(|part| part.split.is_none())
                .map(|part| part.sha256),
            Kind::Aab | Kind::Ipa => None,
        }
    }

    pub(crate) const fn empty(kind: Kind, size: u64, artifact_sha256: Sha256Digest) -> Self {
        Self {
            kind,
            artifact_sha256,
            size,
            app: None,
            schemes: Vec::new(),
            signed: Vec::new(),
            certificates: Vec::new(),
            levels: Vec::new(),
            source_stamp: None,
            parts: Vec::new(),
            ios: None,
            findings: Vec::new(),
        }
    }

    /// The findings in the order of their weight, each once, and of one rule not more than a person reads.
    pub(crate) fn with_findings(mut self, mut findings: Vec<Finding>) -> Self {
        const MOST_OF_ONE_RULE: usize = 50;
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity()), finding.code()));
        findings.dedup();
        let mut seen = (None, 0_usize);
        findings.retain(|finding| {
            let count = if seen.0 == Some(finding.code()) {
                seen.1.saturating_add(1)
            } else {
                1
            };
            seen = (Some(finding.code()), count);
            count <= MOST_OF_ONE_RULE
        });
        self.findings = findings;
        self
    }
}
