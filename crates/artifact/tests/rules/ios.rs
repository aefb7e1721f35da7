//! iOS apps, one rule broken at a time.

use bonafide_artifact::{Code, Finding, Inspection, Kind, Options, Severity, inspect};

use crate::mint::cms::InfoPlan;
use crate::mint::ios::{AppPlan, BundlePlan, DirectoryPlan, RIGHTS, ROOT, SlicePlan, plist};
use crate::mint::keys::tlv;
use crate::mint::{EntryPlan, certificate};
use crate::refusals;

const CDHASHES: &[u8] = b"\x2a\x86\x48\x86\xf7\x63\x64\x09\x01";

fn judge(plan: &AppPlan) -> Inspection {
    inspect(&plan.build(), &Options::default()).expect("an archive")
}

/// Everything but that nobody here is Apple.
fn codes(inspection: &Inspection) -> Vec<Code> {
    let codes = inspection.findings().iter().map(Finding::code);
    codes
        .filter(|code| *code != Code::AppleChainUntrusted)
        .collect()
}

type Case = (&'static str, fn(&mut AppPlan), Code);

fn check(cases: &[Case]) {
    for (name, change, expected) in cases {
        let mut plan = AppPlan::good();
        change(&mut plan);
        let inspection = judge(&plan);
        let findings = inspection.findings();
        assert_eq!(refusals(&inspection), [*expected], "{name}: {findings:?}");
        assert!(inspection.identity().is_none(), "{name}");
    }
}

#[test]
fn a_good_app_is_an_identity_by_its_app_id() {
    let inspection = judge(&AppPlan::good());
    assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    // Minted by nobody that Apple knows, in the code and in the profile.
    let untrusted = inspection
        .findings()
        .iter()
        .filter(|f| f.severity() == Severity::Warning);
    assert_eq!(untrusted.count(), 2);
    let identity = inspection.identity().expect("verified");
    assert_eq!(identity.kind(), Kind::Ipa);
    assert_eq!(identity.package(), "com.example.minted");
    assert!(identity.attested_signers().is_empty());
    assert!(identity.installed_sha256().is_none());
    let ios = inspection.ios().expect("an app");
    assert_eq!(ios.app_id.as_deref(), Some("TEAM1.com.example.minted"));
    assert_eq!(ios.team_id.as_deref(), Some("TEAM1"));
    assert_eq!(ios.build.as_deref(), Some("34"));
    assert!(!ios.get_task_allow && !ios.signed_by_apple_issued_key);
    assert_eq!(ios.slices.len(), 1);
    assert_eq!(ios.profile.as_ref().expect("a profile").teams, ["TEAM1"]);
}

#[test]
fn refuses_a_bundle_that_is_none() {
    check(&[
        (
            "two apps",
            |p| {
                p.extra
                    .push(EntryPlan::new("Payload/Other.app/Info.plist", b""));
            },
            Code::AppleBundle,
        ),
        (
            "no app",
            |p| {
                p.tamper = |entries| {
                    for entry in entries {
                        entry.name = entry
                            .name
                            .iter()
                            .map(|b| if *b == b'.' { b'_' } else { *b })
                            .collect();
                    }
                };
            },
            Code::AppleBundle,
        ),
        (
            "no Info.plist",
            |p| p.remove = Some("Info.plist"),
            Code::AppleFileMissing,
        ),
        (
            "no executable",
            |p| p.remove = Some("Minted"),
            Code::AppleFileMissing,
        ),
        (
            "an Info.plist that is none",
            |p| p.bundle.info = "<plist>".to_owned(),
            Code::AppleInfoMalformed,
        ),
        (
            "no bundle id",
            |p| p.bundle.info = p.bundle.info.replace("CFBundleIdentifier", "X"),
            Code::AppleInfoMalformed,
        ),
        (
            "an executable elsewhere",
            |p| p.bundle.info = p.bundle.info.replace("<string>Minted", "<string>../Minted"),
            Code::AppleInfoMalformed,
        ),
        (
            "no executable named",
            |p| p.bundle.info = p.bundle.info.replace("<string>Minted", "<string>"),
            Code::AppleInfoMalformed,
        ),
        (
            "a symbolic link",
            |p| {
                p.tamper = |entries| {
                    let asset = entries.iter_mut().find(|e| e.name.ends_with(b"asset.txt"));
                    asset.unwrap().unix_mode = 0o120_777;
                };
            },
            Code::AppleSymbolicLink,
        ),
        (
            "an executable that is none",
            |p| p.bundle.executable = Some(b"#!/bin/sh".to_vec()),
            Code::AppleExecutableMalformed,
        ),
        (
            "an executable without slices",
            |p| p.bundle.executable = Some(b"\xca\xfe\xba\xbe\0\0\0\0".to_vec()),
            Code::AppleExecutableMalformed,
        ),
        (
            "two signatures in one slice",
            |p| p.bundle.slices[0].signed_twice = true,
            Code::AppleExecutableMalformed,
        ),
    ]);
}

#[test]
fn refuses_code_that_is_not_what_was_signed() {
    check(&[
        (
            "no signature",
            |p| p.bundle.slices[0].unsigned = true,
            Code::AppleUnsigned,
        ),
        (
            "nobody's signature",
            |p| p.bundle.slices[0].ad_hoc = true,
            Code::AppleAdHoc,
        ),
        (
            "a signature of other bytes",
            |p| {
                p.bundle.slices[0].tamper = |file| {
                    let at = file
                        .windows(4)
                        .position(|w| w == [0xfa, 0xde, 0x0c, 0xc0])
                        .unwrap();
                    file[at] = 0;
                };
            },
            Code::AppleSignatureMalformed,
        ),
        (
            "a code directory with holes",
            |p| p.bundle.slices[0].directory.scatter = 64,
            Code::AppleSignatureMalformed,
        ),
        (
            "a code directory of another kind",
            |p| p.bundle.slices[0].directory.hash_kind = 9,
            Code::AppleSignatureMalformed,
        ),
        (
            "a first page that was changed",
            |p| p.bundle.slices[0].tamper = |file| file[100] ^= 1,
            Code::AppleCodeModified,
        ),
        (
            "a last byte that was changed",
            |p| {
                p.bundle.slices[0].tamper = |file| {
                    let at = file
                        .windows(4)
                        .position(|w| w == [0xfa, 0xde, 0x0c, 0xc0])
                        .unwrap();
                    file[at - 1] ^= 1;
                };
            },
            Code::AppleCodeModified,
        ),
        (
            "a limit before the end of the code",
            |p| p.bundle.slices[0].directory.code_limit = Some(4096),
            Code::AppleCodeUncovered,
        ),
        (
            "fewer pages than the code has",
            |p| p.bundle.slices[0].directory.code_slots = Some(2),
            Code::AppleCodeUncovered,
        ),
        (
            "an Info.plist that was changed",
            |p| {
                p.tamper = |entries| {
                    let text = String::from_utf8(entries[0].data.clone()).unwrap();
                    entries[0].data = text.replace("1.2", "1.3").into_bytes();
                };
            },
            Code::AppleSealBroken,
        ),
        (
            "entitlements that nothing seals",
            |p| p.bundle.slices[0].directory.unsealed.push(5),
            Code::AppleSealBroken,
        ),
        (
            "requirements that nothing seals",
            |p| p.bundle.slices[0].directory.unsealed.push(2),
            Code::AppleSealBroken,
        ),
        (
            "a list of files that nothing seals",
            |p| p.bundle.slices[0].directory.unsealed.push(3),
            Code::AppleSealBroken,
        ),
        (
            "entitlements that are no list",
            |p| p.bundle.slices[0].entitlements = Some("<plist>".to_owned()),
            Code::AppleSignatureMalformed,
        ),
        (
            "encrypted code",
            |p| p.bundle.slices[0].encrypted = true,
            Code::AppleEncrypted,
        ),
    ]);
}

#[test]
fn refuses_a_message_that_does_not_sign_the_code() {
    check(&[
        (
            "bytes that are none",
            |p| p.bundle.slices[0].cms = Some(b"0\x03abc".to_vec()),
            Code::AppleCmsMalformed,
        ),
        (
            "two signers",
            |p| p.bundle.slices[0].edit_cms = |cms, _| cms.infos.push(InfoPlan::new(7)),
            Code::AppleCmsMalformed,
        ),
        (
            "a wrong signature",
            |p| p.bundle.slices[0].edit_cms = |cms, _| cms.infos[0].spoil = true,
            Code::SignatureWrong,
        ),
        (
            "no certificate",
            |p| p.bundle.slices[0].edit_cms = |cms, _| cms.certificates = vec![certificate(3)],
            Code::CertificateMissing,
        ),
        (
            "attributes about something else",
            |p| {
                p.bundle.slices[0].edit_cms = |cms, _| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(b"something else");
                };
            },
            Code::SignatureWrong,
        ),
        (
            "a list of other code directories",
            |p| {
                p.bundle.slices[0].edit_cms = |cms, directories| {
                    bind(cms, &directories[0], &[&[7; 20]]);
                };
            },
            Code::AppleCdHashesDiffer,
        ),
        (
            "a second code directory that nothing binds",
            |p| {
                let slice = &mut p.bundle.slices[0];
                slice.alternate = Some(DirectoryPlan {
                    hash_kind: 1,
                    ..slice.directory.clone()
                });
            },
            Code::AppleCdHashesDiffer,
        ),
        (
            "a second code directory that names another app",
            |p| {
                let slice = &mut p.bundle.slices[0];
                let identifier = "com.example.other".to_owned();
                slice.alternate = Some(DirectoryPlan {
                    identifier,
                    ..slice.directory.clone()
                });
            },
            Code::AppleSignatureMalformed,
        ),
    ]);
}

fn bind(cms: &mut crate::mint::cms::CmsPlan, directory: &[u8], hashes: &[&[u8]]) {
    let items: String = hashes
        .iter()
        .map(|hash| crate::mint::ios::data(hash))
        .collect();
    let list = plist(&format!("<key>cdhashes</key><array>{items}</array>"));
    let mut info = cms.infos[0].clone().with_attributes(directory);
    let attributes = info.attributes.as_mut().unwrap();
    attributes.push((CDHASHES.to_vec(), tlv(0x04, list.as_bytes())));
    cms.infos[0] = info;
}

#[test]
fn two_code_directories_hold_where_the_signed_list_names_both() {
    let mut plan = AppPlan::good();
    let slice = &mut plan.bundle.slices[0];
    slice.alternate = Some(DirectoryPlan {
        hash_kind: 3,
        ..slice.directory.clone()
    });
    slice.directory.hash_kind = 1;
    slice.edit_cms = |cms, directories| {
        use sha2::Digest as _;
        let first = sha1::Sha1::digest(&directories[0]);
        let second = sha2::Sha256::digest(&directories[1]);
        bind(cms, &directories[0], &[&first, &second[..20]]);
    };
    let inspection = judge(&plan);
    assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    assert_eq!(
        inspection.ios().expect("an app").slices[0].cdhashes.len(),
        2
    );
    plan.bundle.slices[0].alternate = None;
    plan.bundle.slices[0].edit_cms = |_, _| {};
    assert_eq!(codes(&judge(&plan)), [Code::WeakDigest]);
}

#[test]
fn takes_every_hash_of_apples_and_as_few_seals_as_there_are_parts() {
    for (hash_kind, special_slots) in [(2, 7), (2, 5), (3, 5), (4, 7)] {
        let mut plan = AppPlan::good();
        let directory = &mut plan.bundle.slices[0].directory;
        (directory.hash_kind, directory.special_slots) = (hash_kind, special_slots);
        let inspection = judge(&plan);
        assert_eq!(
            codes(&inspection),
            [],
            "hash {hash_kind}: {:?}",
            inspection.findings()
        );
    }
}

#[test]
fn all_slices_must_be_one_app() {
    let mut plan = AppPlan::good();
    let mut second = plan.bundle.slices[0].clone();
    second.subtype = 2;
    plan.bundle.slices.push(second);
    assert_eq!(codes(&judge(&plan)), []);
    let changes: [fn(&mut SlicePlan); 3] = [
        |slice| slice.key = 9,
        |slice| slice.directory.team = Some("TEAM2".to_owned()),
        |slice| slice.entitlements = Some(plist("")),
    ];
    for change in changes {
        let mut plan = plan.clone();
        change(&mut plan.bundle.slices[1]);
        assert_eq!(refusals(&judge(&plan)), [Code::AppleSlicesDiffer]);
    }
}

#[test]
fn refuses_files_that_are_not_what_was_sealed() {
    check(&[
        (
            "no seals",
            |p| p.bundle.no_seals = true,
            Code::AppleResourcesMalformed,
        ),
        (
            "seals that are none",
            |p| p.bundle.edit_seals = |_| "<plist>".to_owned(),
            Code::AppleResourcesMalformed,
        ),
        (
            "seals for no files",
            |p| p.bundle.edit_seals = |list| list.replace("files2", "files3"),
            Code::AppleResourcesMalformed,
        ),
        (
            "a seal without a hash",
            |p| p.bundle.edit_seals = |list| list.replace("hash2", "hash9"),
            Code::AppleResourcesMalformed,
        ),
        (
            "a file that is gone",
            |p| p.remove = Some("asset.txt"),
            Code::AppleResourceMissing,
        ),
        (
            "a file that was changed",
            |p| {
                p.tamper = |entries| {
                    let asset = entries.iter_mut().find(|e| e.name.ends_with(b"asset.txt"));
                    asset.unwrap().data = b"another asset".to_vec();
                };
            },
            Code::AppleResourceModified,
        ),
        (
            "a file that was added",
            |p| {
                p.extra
                    .push(EntryPlan::new(&format!("{ROOT}evil.js"), b"new"));
            },
            Code::AppleResourceUnsealed,
        ),
    ]);
}

#[test]
fn a_file_that_may_be_missing_may_be_missing() {
    let mut plan = AppPlan::good();
    plan.remove = Some("asset.txt");
    plan.bundle.edit_seals = |list| {
        let key = "<key>asset.txt</key><dict>";
        list.replace(key, &format!("{key}<key>optional</key><true/>"))
    };
    assert_eq!(codes(&judge(&plan)), []);
}

#[test]
fn refuses_an_app_whose_parts_name_different_apps() {
    check(&[
        (
            "signed as another app",
            |p| p.bundle.slices[0].directory.identifier = "com.example.other".to_owned(),
            Code::AppleIdentifierDiffers,
        ),
        (
            "entitled as another app",
            |p| p.entitle(&RIGHTS.replace("minted", "other")),
            Code::AppleIdentifierDiffers,
        ),
        (
            "entitled to nothing",
            |p| p.bundle.slices[0].entitlements = None,
            Code::AppleNoAppId,
        ),
        (
            "another team's profile",
            |p| p.profile.as_mut().unwrap().team = "TEAM2".to_owned(),
            Code::AppleTeamDiffers,
        ),
        (
            "another team's framework",
            |p| {
                let framework = BundlePlan::new("com.example.framework", "TEAM2");
                p.nested
                    .push(("Frameworks/F.framework".to_owned(), framework));
            },
            Code::AppleTeamDiffers,
        ),
        (
            "no profile",
            |p| p.profile = None,
            Code::AppleProfileMissing,
        ),
        (
            "a profile that is none",
            |p| p.profile.as_mut().unwrap().bytes = Some(b"0\x03abc".to_vec()),
            Code::AppleProfileMalformed,
        ),
        (
            "a profile with nothing inside",
            |p| p.profile.as_mut().unwrap().edit_cms = |cms| cms.content = None,
            Code::AppleProfileMalformed,
        ),
        (
            "a profile by two",
            |p| p.profile.as_mut().unwrap().edit_cms = |cms| cms.infos.push(InfoPlan::new(8)),
            Code::AppleProfileMalformed,
        ),
        (
            "a profile with a wrong signature",
            |p| p.profile.as_mut().unwrap().edit_cms = |cms| cms.infos[0].spoil = true,
            Code::SignatureWrong,
        ),
        (
            "a profile for another signer",
            |p| p.profile.as_mut().unwrap().signer = 9,
            Code::AppleSignerNotInProfile,
        ),
    ]);
}

#[test]
fn nested_code_must_hold_by_itself() {
    let nested = |change: fn(&mut BundlePlan)| {
        let mut plan = AppPlan::good();
        let mut framework = BundlePlan::new("com.example.framework", "TEAM1");
        change(&mut framework);
        plan.nested
            .push(("Frameworks/F.framework".to_owned(), framework));
        refusals(&judge(&plan))
    };
    assert_eq!(nested(|_| {}), []);
    assert_eq!(
        nested(|f| f.slices[0].tamper = |file| file[100] ^= 1),
        [Code::AppleCodeModified]
    );
    let mut plan = AppPlan::good();
    let library = |slice: SlicePlan| ("Frameworks/x.dylib".to_owned(), slice.build(None));
    plan.bundle
        .files
        .push(library(SlicePlan::new("x", "TEAM1")));
    assert_eq!(codes(&judge(&plan)), []);
    plan.bundle.files[1] = library(SlicePlan::new("x", "TEAM2"));
    assert_eq!(refusals(&judge(&plan)), [Code::AppleTeamDiffers]);
}

#[test]
fn says_what_is_odd_about_an_app() {
    let mut plan = AppPlan::good();
    plan.entitle(&format!("{RIGHTS}<key>get-task-allow</key><true/>"));
    let profile = plan.profile.as_mut().unwrap();
    profile
        .entitlements
        .push_str("<key>get-task-allow</key><true/>");
    assert_eq!(codes(&judge(&plan)), [Code::Debuggable]);
    let mut plan = AppPlan::good();
    plan.entitle(&format!(
        "{RIGHTS}<key>keychain</key><array><string>TEAM1.x</string></array>"
    ));
    assert_eq!(codes(&judge(&plan)), [Code::AppleEntitlementNotGranted]);
    let right = |grant: &str| {
        let mut plan = plan.clone();
        let profile = plan.profile.as_mut().unwrap();
        profile
            .entitlements
            .push_str(&format!("<key>keychain</key>{grant}"));
        codes(&judge(&plan))
    };
    assert_eq!(right("<array><string>TEAM1.*</string></array>"), []);
    assert_eq!(right("<string>TEAM1.*</string>"), []);
    assert_eq!(
        right("<array><string>TEAM2.*</string></array>"),
        [Code::AppleEntitlementNotGranted]
    );
    assert_eq!(
        right("<string>TEAM1.y</string>"),
        [Code::AppleEntitlementNotGranted]
    );
    let untrusted = judge(&AppPlan::good());
    let untrusted = untrusted.findings().iter().map(Finding::code);
    assert_eq!(
        untrusted.collect::<Vec<_>>(),
        [Code::AppleChainUntrusted; 2]
    );
}
