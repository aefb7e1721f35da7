//! iOS apps: the bundle inside an IPA, down to every page of code and every sealed file.
//!
//! Decides whether the app is what its signer sealed, and for which app id. On iOS the app id, not a certificate, is the
//! identity: Apple attests it, and the App Store signs the code anew.

mod chain;
mod code_signature;
pub(crate) mod facts;
mod macho;
mod profile;
mod resources;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sha2::{Digest, Sha256};

use crate::apk::content_digest::file_sha256;
use crate::finding::{ApiRange, Check, Code, Finding, LATEST_API, OrBroken, broken, settle};
use crate::inspection::{AppFacts, Inspection, Kind, Scheme, Sha256Digest, SignedRange};
use crate::ios::code_signature::{CodeSignature, Sealed};
use crate::ios::facts::{IosFacts, SliceFacts};
use crate::plist::{self, Plist};
use crate::public_key::Hash;
use crate::source::Source;
use crate::zip::{Allowance, Archive, Entry, expand, expand_to_vec};

/// Executables have to be held in memory to be hashed by pages.
const MAX_EXECUTABLE: u64 = 1 << 30;
const MAX_NESTED: usize = 256;
const SYMBOLIC_LINK: u16 = 0xa000;
const FILE_KIND: u16 = 0xf000;

/// Inspects an IPA whose archive has been opened.
pub(crate) fn inspect(
    source: &dyn Source,
    archive: &Archive,
    mut findings: Vec<Finding>,
) -> io::Result<Inspection> {
    let mut inspection = Inspection::empty(Kind::Ipa, source.size(), file_sha256(source)?);
    let opened = App::open(source, archive);
    if let Some(mut app) = settle(opened, &mut findings)? {
        let verified = app.verify(&mut inspection, &mut findings);
        settle(verified, &mut findings)?;
    }
    Ok(inspection.with_findings(findings))
}

struct App<'a> {
    source: &'a dyn Source,
    /// By path within the bundle.
    files: BTreeMap<String, &'a Entry>,
    allowance: Allowance,
}

/// The code of one bundle, verified.
struct VerifiedCode {
    signature: CodeSignature,
    slices: Vec<SliceFacts>,
}

impl<'a> App<'a> {
    fn open(source: &'a dyn Source, archive: &'a Archive) -> Check<Self> {
        let mut roots = BTreeSet::new();
        for entry in &archive.entries {
            let inside = entry.name.strip_prefix(b"Payload/");
            let root = inside.and_then(|rest| rest.split(|byte| *byte == b'/').next());
            roots.extend(root.filter(|root| root.ends_with(b".app")));
        }
        let roots: Vec<&[u8]> = roots.into_iter().collect();
        let [root] = roots.as_slice() else {
            return broken(
                Code::AppleBundle,
                format!("{} apps under Payload", roots.len()),
            );
        };
        let prefix = [b"Payload/", *root, b"/"].concat();
        let mut files = BTreeMap::new();
        for entry in &archive.entries {
            let Some(path) = entry.name.strip_prefix(prefix.as_slice()) else {
                continue;
            };
            if entry.unix_mode & FILE_KIND == SYMBOLIC_LINK {
                return broken(Code::AppleSymbolicLink, entry.display_name());
            }
            if !entry.is_directory() {
                let path = std::str::from_utf8(path).ok();
                let path = path.or_broken(Code::ZipBadName, &entry.display_name())?;
                files.insert(path.to_owned(), entry);
            }
        }
        Ok(Self {
            source,
            files,
            allowance: Allowance::for_file(source.size()),
        })
    }

    fn verify(&mut self, inspection: &mut Inspection, findings: &mut Vec<Finding>) -> Check<()> {
        let info_bytes = self.read("Info.plist", plist::MAX_BYTES)?;
        let info = Plist::parse(&info_bytes).or_broken(Code::AppleInfoMalformed, "Info.plist")?;
        let bundle_id = info
            .text("CFBundleIdentifier")
            .or_broken(Code::AppleInfoMalformed, "no bundle id")?;
        inspection.app = Some(AppFacts {
            package: bundle_id.to_owned(),
            version_name: info.text("CFBundleShortVersionString").map(str::to_owned),
            ..AppFacts::default()
        });
        let code = self.verify_bundle("", findings)?;
        let signature = &code.signature;
        self.verify_nested(signature.team_id.as_deref(), findings)?;
        let mut facts = facts(&info, &code);
        check_app_id(bundle_id, &facts, signature, findings);
        facts.signed_by_apple_issued_key =
            chain::is_apple(&signature.signer, &signature.certificates);
        if !facts.signed_by_apple_issued_key {
            findings.push(Finding::new(Code::AppleChainUntrusted, "code signature"));
        }
        facts.profile = self.verify_profile(signature, &facts, findings)?;
        if facts.get_task_allow {
            findings.push(Finding::new(Code::Debuggable, "get-task-allow is true"));
        }
        inspection.certificates.push(signature.signer.summary());
        inspection.schemes.push(Scheme::Apple);
        inspection.signed.push(SignedRange {
            api: ApiRange::new(0, LATEST_API),
            scheme: Scheme::Apple,
            current: vec![signature.signer.sha256()],
            history: Vec::new(),
        });
        inspection.ios = Some(facts);
        Ok(())
    }

    /// Verifies the executable and the sealed files of the bundle at `prefix` (empty, or ending in a slash).
    fn verify_bundle(&mut self, prefix: &str, findings: &mut Vec<Finding>) -> Check<VerifiedCode> {
        let info_bytes = self.read(&format!("{prefix}Info.plist"), plist::MAX_BYTES)?;
        let info = Plist::parse(&info_bytes).or_broken(Code::AppleInfoMalformed, prefix)?;
        let executable = info
            .text("CFBundleExecutable")
            .filter(|name| !name.is_empty() && !name.contains('/') && *name != "..")
            .or_broken(Code::AppleInfoMalformed, "CFBundleExecutable")?;
        let list_path = format!("{prefix}_CodeSignature/CodeResources");
        let list = if self.files.contains_key(&list_path) {
            Some(self.read(&list_path, plist::MAX_BYTES)?)
        } else {
            None
        };
        let sealed = Sealed {
            info_plist: Some(&info_bytes),
            code_resources: list.as_deref(),
        };
        let code = self.verify_code(&format!("{prefix}{executable}"), Some(sealed), findings)?;
        let list = list.or_broken(Code::AppleResourcesMalformed, "there are none")?;
        let files: BTreeSet<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(prefix).map(str::to_owned))
            .collect();
        let checked = resources::check(&list, &files, executable, &mut |path, hash| {
            self.hash(&format!("{prefix}{path}"), hash)
        })?;
        findings.extend(checked);
        Ok(code)
    }

    /// Verifies each slice of one executable; all must be signed by one certificate for one identifier.
    fn verify_code(
        &mut self,
        path: &str,
        sealed: Option<Sealed<'_>>,
        findings: &mut Vec<Finding>,
    ) -> Check<VerifiedCode> {
        let bytes = self.read(path, MAX_EXECUTABLE)?;
        let slices = macho::slices(&bytes).or_broken(Code::AppleExecutableMalformed, path)?;
        let mut code: Option<VerifiedCode> = None;
        for slice in &slices {
            if slice.encrypted {
                let detail = format!("{path}: {}", slice.arch);
                findings.push(Finding::new(Code::AppleEncrypted, detail));
            }
            let signature = code_signature::verify(slice, sealed, findings)?;
            let facts = SliceFacts {
                arch: slice.arch.clone(),
                cdhashes: signature.cdhashes.iter().map(|hash| hex(hash)).collect(),
                encrypted: slice.encrypted,
            };
            match &mut code {
                None => {
                    code = Some(VerifiedCode {
                        signature,
                        slices: vec![facts],
                    });
                }
                Some(first) if is_same_app(&first.signature, &signature) => {
                    first.slices.push(facts);
                }
                Some(_) => return broken(Code::AppleSlicesDiffer, path),
            }
        }
        code.or_broken(Code::AppleExecutableMalformed, path)
    }

    /// Frameworks, extensions and loose libraries: each verified by itself, all of one team.
    fn verify_nested(&mut self, team: Option<&str>, findings: &mut Vec<Finding>) -> Check<()> {
        const BUNDLES: [&str; 4] = [".framework/", ".appex/", ".app/", ".xpc/"];
        let mut bundles = BTreeSet::new();
        let mut libraries = Vec::new();
        for path in self.files.keys() {
            if let Some(prefix) = path.strip_suffix("Info.plist")
                && BUNDLES.iter().any(|kind| prefix.ends_with(kind))
            {
                bundles.insert(prefix.to_owned());
            }
            if std::path::Path::new(path)
                .extension()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("dylib"))
            {
                libraries.push(path.clone());
            }
        }
        if bundles.len().saturating_add(libraries.len()) > MAX_NESTED {
            return broken(Code::ZipBudget, "nested code");
        }
        for prefix in bundles {
            let code = self.verify_bundle(&prefix, findings)?;
            check_team(&prefix, team, &code.signature, findings);
        }
        for path in libraries {
            let code = self.verify_code(&path, None, findings)?;
            check_team(&path, team, &code.signature, findings);
        }
        Ok(())
    }

    fn verify_profile(
        &mut self,
        signature: &CodeSignature,
        facts: &IosFacts,
        findings: &mut Vec<Finding>,
    ) -> Check<Option<facts::ProfileFacts>> {
        if !self.files.contains_key(profile::FILE) {
            // What the App Store delivers has none; it is signed by Apple's own key instead.
            let by_store = signature
                .signer
                .summary()
                .subject
                .contains("Apple iPhone OS Application Signing");
            if !(by_store && facts.signed_by_apple_issued_key) {
                findings.push(Finding::new(Code::AppleProfileMissing, ""));
            }
            return Ok(None);
        }
        let bytes = self.read(profile::FILE, plist::MAX_BYTES)?;
        let profile = profile::verify(&bytes, findings)?;
        let team = facts.team_id.as_deref();
        findings.extend(profile.check_covers(
            &signature.signer,
            team,
            signature.entitlements.as_ref(),
        ));
        Ok(Some(profile.facts))
    }

    fn read(&mut self, path: &str, cap: u64) -> Check<Vec<u8>> {
        let entry = self
            .files
            .get(path)
            .or_broken(Code::AppleFileMissing, path)?;
        expand_to_vec(self.source, entry, &mut self.allowance, cap)
    }

    fn hash(&mut self, path: &str, hash: Hash) -> Check<Vec<u8>> {
        let entry = self
            .files
            .get(path)
            .or_broken(Code::AppleFileMissing, path)?;
        self.allowance
            .take(entry.uncompressed)
            .or_broken(Code::ZipBudget, path)?;
        let mut sink = crate::jar::Hashers(vec![hash.hasher()]);
        expand(self.source, entry, &mut sink)?;
        Ok(sink
            .0
            .pop()
            .map(|hasher| hasher.finalize().to_vec())
            .unwrap_or_default())
    }
}

fn is_same_app(one: &CodeSignature, other: &CodeSignature) -> bool {
    one.signer == other.signer
        && one.identifier == other.identifier
        && one.team_id == other.team_id
        && one.entitlements == other.entitlements
}

fn check_team(
    place: &str,
    team: Option<&str>,
    signature: &CodeSignature,
    findings: &mut Vec<Finding>,
) {
    if let (Some(team), Some(own)) = (team, signature.team_id.as_deref())
        && team != own
    {
        findings.push(Finding::new(
            Code::AppleTeamDiffers,
            format!("{place}: {own}, app {team}"),
        ));
    }
}

/// What the signature says about the app must be what the bundle says about itself.
fn check_app_id(
    bundle_id: &str,
    facts: &IosFacts,
    signature: &CodeSignature,
    findings: &mut Vec<Finding>,
) {
    if signature.identifier != bundle_id {
        let detail = format!("signed as {}, bundle is {bundle_id}", signature.identifier);
        findings.push(Finding::new(Code::AppleIdentifierDiffers, detail));
    }
    match &facts.app_id {
        None => findings.push(Finding::new(Code::AppleNoAppId, "")),
        Some(app_id) => {
            let after_prefix = app_id.split_once('.').map_or("", |(_, rest)| rest);
            if after_prefix != bundle_id {
                let detail = format!("entitled as {app_id}, bundle is {bundle_id}");
                findings.push(Finding::new(Code::AppleIdentifierDiffers, detail));
            }
        }
    }
}

fn facts(info: &Plist, code: &VerifiedCode) -> IosFacts {
    let entitlements = code.signature.entitlements.as_ref();
    let right = |key| {
        entitlements
            .and_then(|rights| rights.text(key))
            .map(str::to_owned)
    };
    let app_id = right("application-identifier");
    IosFacts {
        build: info.text("CFBundleVersion").map(str::to_owned),
        min_os: info.text("MinimumOSVersion").map(str::to_owned),
        team_id: code
            .signature
            .team_id
            .clone()
            .or_else(|| right("com.apple.developer.team-identifier")),
        app_id_sha256: app_id
            .as_ref()
            .map(|app_id| Sha256Digest(Sha256::digest(app_id).into())),
        app_id,
        app_attest_environment: right("com.apple.developer.devicecheck.appattest-environment"),
        get_task_allow: entitlements.is_some_and(|rights| rights.flag("get-task-allow")),
        slices: code.slices.clone(),
        profile: None,
        signed_by_apple_issued_key: false,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_executable(bytes: &[u8]) {
    for slice in macho::slices(bytes).into_iter().flatten() {
        drop(code_signature::verify(&slice, None, &mut Vec::new()));
    }
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_profile(bytes: &[u8]) {
    drop(profile::verify(bytes, &mut Vec::new()));
}
