//! What a file may register: reference values, or a refusal with its code and what to do instead.
//!
//! Decides by what inspection proved and nothing else. It refuses to know the service, and to guess where a file
//! does not say.

use bonafide_artifact::{
    Code, Identity, Inspection, IosFacts, Kind, ProfileKind, Severity, Sha256Digest,
};
use bonafide_wire::admin::{AppAttestEnvironment, Reference};
use bonafide_wire::ids::{AppleAppId, PackageName};

/// What is to count, and what people call it.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) reference: Reference,
    pub(crate) label: String,
}

/// Why a file registers nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A finding's code, or one of this module's.
    pub(crate) code: &'static str,
    pub(crate) why: String,
    pub(crate) instead: Option<String>,
}

impl Refusal {
    fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
            instead: None,
        }
    }

    fn instead(mut self, advice: impl Into<String>) -> Self {
        self.instead = Some(advice.into());
        self
    }
}

/// The references of an inspected file. `said` is the App Attest environment that a person named.
pub(crate) fn of(
    inspection: &Inspection,
    said: Option<AppAttestEnvironment>,
) -> Result<Vec<Named>, Refusal> {
    let Some(identity) = inspection.identity() else {
        return Err(unverified(inspection));
    };
    match (identity.kind(), inspection.ios()) {
        (Kind::Aab, _) => Err(upload_key(&identity)),
        (Kind::Ipa, Some(ios)) => Ok(vec![apple(&identity, ios, said)?]),
        (Kind::Ipa, None) => Err(Refusal::new("apple-no-app-id", "it has no app id")),
        (Kind::Apk | Kind::SplitSet, _) if said.is_some() => Err(Refusal::new(
            "environment-not-for-android",
            "only iOS builds have an App Attest environment",
        )),
        (Kind::Apk | Kind::SplitSet, _) => android(&identity),
    }
}

/// Rejected, or not checked to the end: nothing is known that a service could rely on.
fn unverified(inspection: &Inspection) -> Refusal {
    let reasons: Vec<_> = inspection
        .findings()
        .iter()
        .filter(|finding| finding.severity() >= Severity::NotChecked)
        .collect();
    let worst = reasons.iter().max_by_key(|finding| finding.severity());
    let code = worst.map_or("not-verified", |finding| finding.code().as_str());
    let listed: Vec<String> = reasons
        .iter()
        .map(|finding| {
            let reason = match finding.detail() {
                "" => finding.code().reason(),
                detail => detail,
            };
            format!("\n  {}: {reason}", finding.code())
        })
        .collect();
    let refusal = Refusal::new(code, format!("it is not verified{}", listed.concat()));
    let encrypted = reasons
        .iter()
        .any(|finding| finding.code() == Code::AppleEncrypted);
    if encrypted {
        return refusal.instead(
            "this is a store download; register the build that was uploaded, or every build with --app-id",
        );
    }
    refusal
}

/// What Google Play installs is signed with another key, and no phone ever reports this one.
fn upload_key(identity: &Identity) -> Refusal {
    let package = identity.package();
    let signers: Vec<String> = identity
        .current_signers()
        .iter()
        .map(ToString::to_string)
        .collect();
    Refusal::new(
        "upload-key",
        format!(
            "a bundle is signed with the upload key ({}). Google Play signs what phones get with the app signing \
             key, which is not in this file: registered like this, every genuine app would be refused",
            signers.join(", ")
        ),
    )
    .instead(format!(
        "take the SHA-256 of the app signing key from the Play Console (App integrity, App signing) and\n    \
         bonafide registration add --signer SHA256 --package {package}\n  \
         or download the APKs that Play made from this bundle (App bundle explorer) and register those"
    ))
}

/// One reference for each set of signers that phones can report.
fn android(identity: &Identity) -> Result<Vec<Named>, Refusal> {
    if let Some(split) = &identity.app().split {
        let why = format!("it is the split {split:?}, which no phone runs without its base");
        return Err(Refusal::new("split-alone", why)
            .instead("register the whole set: the .apks file, or the folder with all its APKs"));
    }
    let package = PackageName::parse(identity.package())
        .map_err(|error| Refusal::new("manifest-package", error.to_string()))?;
    let installed = identity.installed_sha256();
    let installed = installed.ok_or_else(|| Refusal::new("split-base", "no base APK is in it"))?;
    let sets = identity.attested_signers();
    if sets.is_empty() {
        return Err(Refusal::new("no-signature", "nobody signed it"));
    }
    let named = |signers: Vec<Sha256Digest>| Named {
        reference: Reference::Build {
            package: package.clone(),
            version_code: identity.version_code(),
            signers: signers.iter().map(ToString::to_string).collect(),
            artifact_sha256: installed.to_string(),
        },
        label: identity.app().version_name.clone().unwrap_or_default(),
    };
    Ok(sets.into_iter().map(named).collect())
}

fn apple(
    identity: &Identity,
    ios: &IosFacts,
    said: Option<AppAttestEnvironment>,
) -> Result<Named, Refusal> {
    if !ios.signed_by_apple_issued_key {
        return Err(Refusal::new(
            Code::AppleChainUntrusted.as_str(),
            "its signer's certificate does not come from Apple: anybody can make such a file, for any app id",
        )
        .instead("register the build that Xcode exports with a certificate of your team"));
    }
    let app_id = ios.app_id.clone().unwrap_or_default();
    let app_id = AppleAppId::parse(app_id)
        .map_err(|error| Refusal::new("apple-no-app-id", error.to_string()))?;
    let build = ios.build.clone().filter(|build| !build.trim().is_empty());
    let build = build.ok_or_else(|| {
        Refusal::new(
            "build-missing",
            "its Info.plist has no CFBundleVersion, so the build cannot be told from others",
        )
    })?;
    let version = identity.app().version_name.clone();
    let version = version.unwrap_or_else(|| build.clone());
    let environment = said.or_else(|| environment(ios)).ok_or_else(|| {
        Refusal::new(
            "environment-unknown",
            "an ad hoc build without the App Attest entitlement does not say in which environment its keys are attested",
        )
        .instead("say --environment production or --environment development")
    })?;
    Ok(Named {
        label: format!("{version} ({build})"),
        reference: Reference::AppleBuild {
            app_id,
            version,
            build,
            environment,
        },
    })
}

/// Where Apple attests the keys of a build: the store and companies always use production, development builds
/// what the entitlement says. `None`: the file does not tell.
pub(crate) fn environment(ios: &IosFacts) -> Option<AppAttestEnvironment> {
    use AppAttestEnvironment::{Development, Production};
    let entitled = match ios.app_attest_environment.as_deref() {
        Some("production") => Some(Production),
        Some("development") => Some(Development),
        _ => None,
    };
    match ios.profile.as_ref().map(|profile| profile.kind) {
        None | Some(ProfileKind::Store | ProfileKind::Enterprise) => Some(Production),
        Some(ProfileKind::Development) => entitled.or(Some(Development)),
        Some(ProfileKind::AdHoc) => entitled,
    }
}

/// The folder of real and crafted artifacts, if there is one.
#[cfg(test)]
pub(crate) fn corpus() -> Option<std::path::PathBuf> {
    let root = std::env::var_os("BONAFIDE_CORPUS");
    let root = root.map_or_else(
        || std::path::PathBuf::from("../shared"),
        std::path::PathBuf::from,
    );
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = here.join(root).join("artifacts");
    if root.is_dir() {
        return Some(root);
    }
    println!("SKIPPED: no corpus; set BONAFIDE_CORPUS to a folder with artifacts/ in it");
    None
}

/// The inspection of a file of it.
#[cfg(test)]
pub(crate) fn inspected(path: &std::path::Path) -> Inspection {
    let source = bonafide_artifact::FileSource::new(std::fs::File::open(path).unwrap()).unwrap();
    bonafide_artifact::inspect(&source, &bonafide_artifact::Options::default()).unwrap()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bonafide_artifact::ProfileFacts;

    use super::*;

    fn claim(path: &Path, said: Option<AppAttestEnvironment>) -> Result<Vec<Named>, Refusal> {
        of(&inspected(path), said)
    }

    #[test]
    fn what_phones_do_not_run_or_nobody_proved_registers_nothing() {
        let Some(corpus) = corpus() else { return };
        for (file, code) in [
            ("crafted/aab/upload-signed-ok.aab", "upload-key"),
            (
                "crafted/aab/upload-signed-dex-modified.aab",
                "jar-digest-wrong",
            ),
            ("crafted/splits/split_config.en.apk", "split-alone"),
            ("crafted/splits/set-otherkey.apks", "split-other-signer"),
            ("crafted/splits/set-no-base.apks", "split-base"),
            (
                "crafted/ipa/capable-rezipped-unchanged.ipa",
                "apple-chain-untrusted",
            ),
            (
                "owasp-mastg/Crackmes/iOS/Level_02/UnCrackable-Level2.ipa",
                "environment-unknown",
            ),
        ] {
            let refusal = claim(&corpus.join(file), None).unwrap_err();
            assert_eq!(refusal.code, code, "{file}: {}", refusal.why);
        }
        let apk = corpus.join("crafted/splits/base2.apk");
        let refusal = claim(&apk, Some(AppAttestEnvironment::Production)).unwrap_err();
        assert_eq!(refusal.code, "environment-not-for-android");
    }

    #[test]
    fn a_bundle_is_told_which_key_to_take_from_play() {
        let Some(corpus) = corpus() else { return };
        let refusal = claim(&corpus.join("crafted/aab/upload-signed-ok.aab"), None).unwrap_err();
        let advice = refusal.instead.unwrap();
        assert!(
            advice.contains("--signer SHA256 --package com.bitrise_io.sample_apps_android_simple")
        );
    }

    #[test]
    fn a_split_set_registers_its_base() {
        let Some(corpus) = corpus() else { return };
        let registered = |file: &str| {
            let named = claim(&corpus.join("crafted/splits").join(file), None).unwrap();
            let [Named { reference, .. }] = named.as_slice() else {
                panic!("one reference")
            };
            reference.clone()
        };
        let set = registered("set-ok.apks");
        assert_eq!(set, registered("set-ok.xapk"));
        let Reference::Build {
            artifact_sha256,
            version_code,
            ..
        } = set
        else {
            panic!("a build")
        };
        assert_eq!(version_code, 42);
        let parts = inspected(&corpus.join("crafted/splits/set-ok.apks"));
        let base = parts.parts().iter().find(|part| part.split.is_none());
        assert_eq!(artifact_sha256, base.unwrap().sha256.to_string());
    }

    #[test]
    fn an_ios_build_registers_app_id_build_and_environment() {
        let Some(corpus) = corpus() else { return };
        let development = "mas-crackmes/iOS/Level1/UnDebuggable/Level1.ipa/UnDebuggable.ipa";
        let ad_hoc = "owasp-mastg/Crackmes/iOS/Level_02/UnCrackable-Level2.ipa";
        for (file, said, expected) in [
            (development, None, AppAttestEnvironment::Development),
            (
                ad_hoc,
                Some(AppAttestEnvironment::Production),
                AppAttestEnvironment::Production,
            ),
        ] {
            let named = claim(&corpus.join(file), said).unwrap();
            let [
                Named {
                    reference:
                        Reference::AppleBuild {
                            app_id,
                            build,
                            environment,
                            ..
                        },
                    ..
                },
            ] = named.as_slice()
            else {
                panic!("one iOS build: {named:?}")
            };
            assert!(app_id.as_str().starts_with("LRUD9L355Y.sg.vp."));
            assert_eq!((build.as_str(), *environment), ("1", expected));
        }
    }

    #[test]
    fn the_environment_is_apples_rule_and_never_a_guess() {
        use AppAttestEnvironment::{Development, Production};
        let ios = |kind: Option<ProfileKind>, entitled: Option<&str>| IosFacts {
            build: None,
            min_os: None,
            team_id: None,
            app_id: None,
            app_id_sha256: None,
            app_attest_environment: entitled.map(str::to_owned),
            get_task_allow: false,
            slices: vec![],
            profile: kind.map(|kind| ProfileFacts {
                name: String::new(),
                kind,
                teams: vec![],
                expires: None,
                devices: 0,
            }),
            signed_by_apple_issued_key: true,
        };
        for (kind, entitled, expected) in [
            (None, Some("development"), Some(Production)),
            (
                Some(ProfileKind::Store),
                Some("development"),
                Some(Production),
            ),
            (Some(ProfileKind::Enterprise), None, Some(Production)),
            (Some(ProfileKind::Development), None, Some(Development)),
            (
                Some(ProfileKind::Development),
                Some("production"),
                Some(Production),
            ),
            (
                Some(ProfileKind::AdHoc),
                Some("production"),
                Some(Production),
            ),
            (Some(ProfileKind::AdHoc), Some("else"), None),
            (Some(ProfileKind::AdHoc), None, None),
        ] {
            assert_eq!(
                environment(&ios(kind, entitled)),
                expected,
                "{kind:?} {entitled:?}"
            );
        }
    }
}
