//! The verdict on a JAR signature for a range of Android levels. Pure: all reading and verifying was done before.

use std::collections::BTreeSet;

use crate::certificate::Certificate;
use crate::finding::{ApiRange, Code, Finding};
use crate::inspection::Scheme;
use crate::jar::attributes::{Digest, Section};
use crate::jar::block::{ContentType, SignerFacts};
use crate::jar::{Jar, JarSigner, algorithms};
use crate::pkcs7;

const V2_SINCE: u32 = 24;
const V3_SINCE: u32 = 28;
/// Before Android 4.4 signed attributes were verified wrongly, so that they protect nothing.
const ATTRIBUTES_SINCE: u32 = 19;

/// Who signed all entries, and what was noticed.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) findings: Vec<Finding>,
}

/// Which tool wrote a signature file: one from the early days writes other attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Author {
    Signtool,
    Usual,
}

impl Author {
    fn of(main: &Section) -> Self {
        match main.value("Created-By") {
            Some(tool) if tool.contains("signtool") => Self::Signtool,
            _ => Self::Usual,
        }
    }
}

/// What a signature file vouches for.
enum Coverage<'a> {
    /// These entries.
    Names(BTreeSet<&'a str>),
    /// Nothing: Android passes over such a file.
    Nothing(Finding),
}

struct Signer<'a> {
    certificate: &'a Certificate,
    names: BTreeSet<String>,
}

impl Jar {
    /// The verdict on every level of `range`, where the schemes in `found` are present too.
    pub(crate) fn judge(&self, range: ApiRange, found: &[Scheme]) -> Judgement {
        let mut judgement = Judgement {
            certificates: Vec::new(),
            findings: self.findings.clone(),
        };
        match self.signers(range, found, &mut judgement.findings) {
            Ok(certificates) => judgement.certificates = certificates,
            Err(finding) => judgement.findings.push(finding),
        }
        judgement
    }

    fn signers(
        &self,
        range: ApiRange,
        found: &[Scheme],
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Certificate>, Finding> {
        let mut signers = Vec::new();
        for signer in &self.signers {
            let place = |finding: Finding| {
                Finding::new(
                    finding.code(),
                    format!("{}: {}", signer.name, finding.detail()),
                )
            };
            let (certificate, weak) = signing_certificate(&signer.infos, range).map_err(place)?;
            if weak {
                findings.push(Finding::new(Code::WeakDigest, signer.name.clone()));
            }
            match self.coverage(signer, range, found).map_err(place)? {
                Coverage::Names(names) => {
                    let names = names.into_iter().map(str::to_owned).collect();
                    signers.push(Signer { certificate, names });
                }
                Coverage::Nothing(finding) => findings.push(place(finding)),
            }
        }
        if signers.is_empty() {
            return Err(Finding::new(
                Code::NoSignature,
                "no signature file with its block",
            ));
        }
        self.check_entries(&signers, range, findings)
    }

    /// Compares a signature file with the manifest: first as a whole, else section by section.
    fn coverage<'a>(
        &self,
        signer: &'a JarSigner,
        range: ApiRange,
        found: &[Scheme],
    ) -> Result<Coverage<'a>, Finding> {
        let main = &signer.file.main;
        if main.value("Signature-Version").is_none() {
            let finding = Finding::new(Code::JarSignerIgnored, "no Signature-Version");
            return Ok(Coverage::Nothing(finding));
        }
        check_stripping(main, range, found)?;
        let author = Author::of(main);
        let whole = self.manifest_is_signed(main, author, range)?;
        if author == Author::Usual {
            self.check_main_attributes(main, range)?;
        }
        let mut names = BTreeSet::new();
        for section in signer.file.individual() {
            let Some(name) = section.name() else {
                return Ok(Coverage::Nothing(Finding::new(
                    Code::JarSignerIgnored,
                    "a section without a name",
                )));
            };
            if !names.insert(name) {
                let finding = Finding::new(Code::JarSignerIgnored, format!("{name}: two sections"));
                return Ok(Coverage::Nothing(finding));
            }
            if whole {
                continue;
            }
            let Some(described) = self.sections.get(name.as_bytes()) else {
                let finding = Finding::new(
                    Code::JarSignerIgnored,
                    format!("{name}: not in the manifest"),
                );
                return Ok(Coverage::Nothing(finding));
            };
            self.check_section(section, described, author, range)?;
        }
        Ok(Coverage::Names(names))
    }

    fn manifest_is_signed(
        &self,
        main: &Section,
        author: Author,
        range: ApiRange,
    ) -> Result<bool, Finding> {
        let suffix = match author {
            Author::Signtool => "-Digest",
            Author::Usual => "-Digest-Manifest",
        };
        let digests = digests(main, suffix, range)?;
        Ok(!digests.is_empty()
            && digests
                .iter()
                .all(|(hash, value)| hash.digest(&self.manifest.bytes) == *value))
    }

    fn check_main_attributes(&self, main: &Section, range: ApiRange) -> Result<(), Finding> {
        for (hash, value) in digests(main, "-Digest-Manifest-Main-Attributes", range)? {
            if hash.digest(self.manifest.raw(&self.manifest.main)) != value {
                return Err(Finding::new(
                    Code::JarDigestWrong,
                    "main section of the manifest",
                ));
            }
        }
        Ok(())
    }

    fn check_section(
        &self,
        signed: &Section,
        described: &Section,
        author: Author,
        range: ApiRange,
    ) -> Result<(), Finding> {
        let mut raw = self.manifest.raw(described);
        // That old tool did not count the blank line.
        if author == Author::Signtool && raw.ends_with(b"\n\n") {
            raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        }
        let name = signed.name().unwrap_or_default();
        let digests = digests(signed, "-Digest", range)?;
        if digests.is_empty()
            || digests
                .iter()
                .any(|(hash, value)| hash.digest(raw) != *value)
        {
            return Err(Finding::new(
                Code::JarDigestWrong,
                format!("manifest section of {name}"),
            ));
        }
        Ok(())
    }

    /// Every entry must be in the manifest and be vouched for by the same signers, with the digest that counts.
    fn check_entries(
        &self,
        signers: &[Signer<'_>],
        range: ApiRange,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Certificate>, Finding> {
        let mut everyone: Option<Vec<usize>> = None;
        let mut weak = false;
        for (name, actual) in &self.entries {
            let shown = String::from_utf8_lossy(name);
            let section = self.sections.get(name);
            let section =
                section.ok_or_else(|| Finding::new(Code::JarEntryUnsigned, shown.clone()))?;
            let covering: Vec<usize> = signers
                .iter()
                .enumerate()
                .filter(|(_, signer)| signer.names.contains(shown.as_ref()))
                .map(|(index, _)| index)
                .collect();
            if covering.is_empty() {
                return Err(Finding::new(Code::JarEntryUnsigned, shown));
            }
            if everyone.get_or_insert_with(|| covering.clone()) != &covering {
                return Err(Finding::new(Code::JarEntrySignersDiffer, shown));
            }
            weak |= check_digests(section, actual, range, &shown)?;
        }
        if weak {
            findings.push(Finding::new(Code::WeakDigest, "v1: entries"));
        }
        let everyone =
            everyone.ok_or_else(|| Finding::new(Code::NoSignature, "no signed entry"))?;
        Ok(everyone
            .iter()
            .filter_map(|i| signers.get(*i))
            .map(|s| s.certificate.clone())
            .collect())
    }
}

/// The digests that count must be right, and on current Android all others too. Returns whether a weak one counts.
fn check_digests(
    section: &Section,
    actual: &[Digest],
    range: ApiRange,
    name: &str,
) -> Result<bool, Finding> {
    const OLDEST: ApiRange = ApiRange::new(1, 17);
    let expected = digests(section, "-Digest", range)?;
    if expected.is_empty() {
        return Err(Finding::new(
            Code::JarEntryUnsigned,
            format!("{name}: no digest that counts"),
        ));
    }
    if expected.iter().any(|digest| !actual.contains(digest)) {
        return Err(Finding::new(Code::JarDigestWrong, name));
    }
    if range.to > OLDEST.to
        && digests(section, "-Digest", OLDEST)?
            .iter()
            .any(|digest| !actual.contains(digest))
    {
        return Err(Finding::new(Code::JarDigestsDisagree, name));
    }
    Ok(expected.iter().any(|(hash, _)| hash.is_weak()))
}

fn digests(section: &Section, suffix: &str, range: ApiRange) -> Result<Vec<Digest>, Finding> {
    section
        .digests_to_verify(suffix, range)
        .map_err(|_| Finding::new(Code::JarDigestWrong, format!("{suffix}: not Base64")))
}

/// The certificate whose signature counts, and whether it rests on a weak digest.
///
/// Before Android 7 only the first signer was tried; later all are, and the first that verifies counts, but a structural
/// fault in any of them ends it. Where the two rules would take different signers, neither is taken.
fn signing_certificate(
    infos: &[SignerFacts],
    range: ApiRange,
) -> Result<(&Certificate, bool), Finding> {
    let tried = if range.from < V2_SINCE {
        infos.get(..1).unwrap_or_default()
    } else {
        infos
    };
    let mut counted = None;
    for (index, info) in tried.iter().enumerate() {
        check_structure(info, range)?;
        let type_counts = range.to < V2_SINCE || info.content_type == ContentType::Right;
        if let (Some(certificate), true, None) = (&info.verified, type_counts, counted) {
            let scheme = pkcs7::signature_scheme(&info.digest_algorithm, &info.signature_algorithm);
            counted = Some((
                index,
                certificate,
                scheme.is_some_and(|(_, hash)| hash.is_weak()),
            ));
        }
    }
    match counted {
        Some((0, certificate, weak)) => Ok((certificate, weak)),
        Some(_) => Err(Finding::new(Code::JarFirstSignerFails, "")),
        None => Err(Finding::new(Code::SignatureWrong, "")),
    }
}

fn check_structure(info: &SignerFacts, range: ApiRange) -> Result<(), Finding> {
    if !algorithms::supported(&info.digest_algorithm, &info.signature_algorithm, range) {
        let pair = format!(
            "{} with {}",
            info.digest_algorithm, info.signature_algorithm
        );
        return Err(Finding::new(Code::JarAlgorithmUnsupported, pair));
    }
    if let Some(fatal) = &info.fatal {
        return Err(fatal.clone());
    }
    if info.has_attributes && range.from < ATTRIBUTES_SINCE {
        return Err(Finding::new(Code::JarAttributesUnsafe, ""));
    }
    if range.to >= V2_SINCE && info.content_type == ContentType::Missing {
        return Err(Finding::new(
            Code::JarBlockMalformed,
            "signed attributes without content type",
        ));
    }
    Ok(())
}

/// Android 7 and later refuse a file whose v1 signature says that v2 or v3 was made too and is gone.
fn check_stripping(main: &Section, range: ApiRange, found: &[Scheme]) -> Result<(), Finding> {
    let Some(made) = main.value("X-Android-APK-Signed") else {
        return Ok(());
    };
    for id in made.split(',').map(str::trim) {
        let (scheme, since) = match id {
            "2" => (Scheme::V2, V2_SINCE),
            "3" => (Scheme::V3, V3_SINCE),
            _ => continue,
        };
        if range.to >= since && !found.contains(&scheme) {
            return Err(Finding::new(
                Code::SchemeStripped,
                format!("names {}", scheme.as_str()),
            ));
        }
    }
    Ok(())
}
