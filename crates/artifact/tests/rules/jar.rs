//! v1: JAR signatures, one rule broken at a time.

use bonafide_artifact::{Code, Finding, Inspection, Options, Verdict, inspect};

use crate::mint::cms::{CONTENT_TYPE, EC_KEY, InfoPlan, SHA1};
use crate::mint::jar::{Author, FilePlan, JarPlan, digest};
use crate::mint::keys::CertificatePlan;
use crate::mint::{Blueprint, EntryPlan, ManifestPlan, SignerPlan, certificate};
use crate::refusals;

fn judge_on(plan: &JarPlan, min: Option<u32>, max: Option<u32>) -> Inspection {
    let mut options = Options::default();
    (options.min_sdk, options.max_sdk) = (min, max);
    inspect(&plan.build(), &options).expect("an archive")
}

fn codes(inspection: &Inspection) -> Vec<Code> {
    inspection.findings().iter().map(Finding::code).collect()
}

type Case = (&'static str, fn(&mut JarPlan), Code);

fn check(cases: &[Case]) {
    for (name, change, expected) in cases {
        let mut plan = JarPlan::good();
        change(&mut plan);
        let inspection = judge_on(&plan, None, None);
        let findings = inspection.findings();
        assert_eq!(refusals(&inspection), [*expected], "{name}: {findings:?}");
        assert!(inspection.identity().is_none(), "{name}");
    }
}

#[test]
fn a_good_jar_signature_is_an_identity() {
    let inspection = judge_on(&JarPlan::good(), None, None);
    assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    let identity = inspection.identity().expect("verified");
    assert_eq!(identity.signed().len(), 1);
    assert_eq!(identity.signed()[0].scheme.as_str(), "v1");
    let mut attributes = JarPlan::good();
    attributes.files[0].edit_cms = |cms, file| {
        cms.infos[0] = cms.infos[0].clone().with_attributes(file);
    };
    assert_eq!(codes(&judge_on(&attributes, None, None)), []);
    let mut two = JarPlan::good();
    two.files.push(FilePlan::new("OTHER", 2));
    let inspection = judge_on(&two, None, None);
    assert_eq!(inspection.signers().len(), 2, "{:?}", inspection.findings());
}

#[test]
fn refuses_a_manifest_that_does_not_describe_the_archive() {
    check(&[
        ("no manifest", |p| p.no_manifest = true, Code::NoSignature),
        (
            "an attribute twice",
            |p| {
                p.edit_manifest = |t| {
                    t.replace(
                        "Name: classes.dex",
                        "Name: classes.dex\r\nName: classes.dex",
                    )
                }
            },
            Code::JarManifestMalformed,
        ),
        (
            "two sections of one name",
            |p| {
                p.edit_manifest = |t| {
                    let at = t.find("Name: classes.dex").unwrap();
                    format!("{t}{}", &t[at..])
                };
            },
            Code::JarManifestMalformed,
        ),
        (
            "a section without a name",
            |p| p.edit_manifest = |t| t.replace("Name: classes.dex", "Game: classes.dex"),
            Code::JarManifestMalformed,
        ),
        (
            "nothing in it",
            |p| p.edit_manifest = |_| String::new(),
            Code::JarManifestMalformed,
        ),
        (
            "an entry that is not there",
            |p| p.edit_manifest = |t| format!("{t}Name: gone\r\nSHA-256-Digest: AAAA\r\n\r\n"),
            Code::JarEntryMissing,
        ),
        (
            "an entry that it does not name",
            |p| p.extra.push(EntryPlan::new("lib/evil.so", b"new")),
            Code::JarEntryUnsigned,
        ),
        (
            "an entry without a digest",
            |p| p.edit_manifest = |t| t.replace("SHA-256-Digest", "SHA-257-Digest"),
            Code::JarEntryUnsigned,
        ),
        (
            "a digest of something else",
            |p| {
                p.edit_manifest = |t| {
                    let name = "Name: classes.dex\r\nSHA-256-Digest: ";
                    let (before, after) = t.split_once(name).unwrap();
                    let (_, after) = after.split_once("\r\n").unwrap();
                    format!("{before}{name}{}\r\n{after}", digest(b"other"))
                };
            },
            Code::JarDigestWrong,
        ),
        (
            "a digest that is not Base64",
            |p| {
                p.edit_manifest = |t| {
                    t.replace(
                        "Name: classes.dex\r\nSHA-256-Digest: ",
                        "Name: classes.dex\r\nSHA-256-Digest: !",
                    )
                }
            },
            Code::JarDigestWrong,
        ),
        (
            "a second digest that is wrong",
            |p| {
                p.edit_manifest = |t| {
                    t.replace(
                        "Name: classes.dex\r\n",
                        "Name: classes.dex\r\nSHA1-Digest: AAAA\r\n",
                    )
                }
            },
            Code::JarDigestsDisagree,
        ),
    ]);
}

#[test]
fn refuses_a_signature_file_that_does_not_sign_the_manifest() {
    check(&[
        (
            "nothing in it",
            |p| p.files[0].edit = |_| String::new(),
            Code::JarFileMalformed,
        ),
        (
            "another manifest, and another section",
            |p| {
                p.files[0].edit = |t| {
                    let t = t.replacen(
                        "SHA-256-Digest-Manifest: ",
                        "SHA-256-Digest-Manifest: AAAA",
                        1,
                    );
                    t.replacen("SHA-256-Digest: ", "SHA-256-Digest: AAAA", 1)
                };
            },
            Code::JarDigestWrong,
        ),
        (
            "another main section",
            |p| {
                p.files[0].edit = |t| {
                    t.replacen(
                        "SHA-256-Digest-Manifest",
                        "SHA-256-Digest-Manifest-Main-Attributes: AAAA\r\nSHA-256-Digest-Manifest",
                        1,
                    )
                };
            },
            Code::JarDigestWrong,
        ),
        (
            "an entry left out",
            |p| {
                p.files[0].edit = |t| {
                    let at = t.find("Name: classes.dex").unwrap();
                    t[..at].to_owned()
                };
            },
            Code::JarEntryUnsigned,
        ),
        (
            "a newer scheme named that is not there",
            |p| p.files[0].edit = |t| t.replacen("\r\n", "\r\nX-Android-APK-Signed: 2\r\n", 1),
            Code::SchemeStripped,
        ),
        (
            "v3 named that is not there",
            |p| p.files[0].edit = |t| t.replacen("\r\n", "\r\nX-Android-APK-Signed: 9, 3\r\n", 1),
            Code::SchemeStripped,
        ),
        (
            "different entries by different signers",
            |p| {
                let mut other = FilePlan::new("OTHER", 2);
                other.edit = |t| {
                    let at = t.find("Name: classes.dex").unwrap();
                    t[..at].to_owned()
                };
                p.files.push(other);
            },
            Code::JarEntrySignersDiffer,
        ),
    ]);
}

#[test]
fn sections_count_where_the_whole_manifest_is_not_signed() {
    let mut plan = JarPlan::good();
    plan.files[0].edit = |t| {
        t.replacen(
            "SHA-256-Digest-Manifest: ",
            "SHA-256-Digest-Manifest: AAAA",
            1,
        )
    };
    assert_eq!(codes(&judge_on(&plan, None, None)), []);
    plan.files[0].edit = |t| {
        t.replacen("SHA-256-Digest-Manifest: ", "X: ", 1)
            .replace("SHA-256-Digest: ", "X: ")
    };
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::JarDigestWrong]
    );
}

/// What expands too far is never expanded; what honest apps hold is.
#[test]
fn a_bomb_is_not_expanded_and_an_honest_entry_is() {
    let mut plan = JarPlan::good();
    let zeros = vec![0; 400_000];
    let mut packed = EntryPlan::deflated("assets/zeros", &zeros);
    std::mem::swap(&mut packed, &mut plan.blueprint.entries[1]);
    plan.edit_manifest = |t| {
        let (head, _) = t.rsplit_once(": ").unwrap();
        format!("{head}: {}\r\n\r\n", digest(&vec![0; 400_000]))
    };
    assert_eq!(refusals(&judge_on(&plan, None, None)), []);
    plan.blueprint.entries[1].claimed_size = Some(300 << 20);
    assert_eq!(refusals(&judge_on(&plan, None, None)), [Code::ZipBudget]);
    plan.blueprint.entries[1].claimed_size = Some(400_001);
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::ZipEntryUnreadable]
    );
    plan.blueprint.entries[1].claimed_size = Some(399_999);
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::ZipEntryUnreadable]
    );
}

#[test]
fn directories_need_no_signature() {
    let mut plan = JarPlan::good();
    plan.extra.push(EntryPlan::new("lib/", b""));
    assert_eq!(codes(&judge_on(&plan, None, None)), []);
}

/// Whole manifests and sections, by today's tools and by an old one, with either kind of line ends.
#[test]
fn the_author_of_a_signature_file_says_what_its_digests_are_over() {
    let spoil_whole: fn(String) -> String = |t| {
        let (head, rest) = t.split_once("\r\n\r\n").unwrap();
        let (head, _) = head.rsplit_once(": ").unwrap();
        format!("{head}: AAAA\r\n\r\n{rest}")
    };
    let spoil_sections: fn(String) -> String = |t| {
        let (head, rest) = t.split_once("\r\n\r\n").unwrap();
        format!("{head}\r\n\r\n{}", rest.replace("Digest: ", "Digest: AAAA"))
    };
    let line_ends: [fn(String) -> String; 2] = [|t| t, |t| t.replace("\r\n", "\n")];
    for (author, line_ends) in [
        (Author::Usual, line_ends[0]),
        (Author::Usual, line_ends[1]),
        (Author::Signtool, line_ends[1]),
    ] {
        for edit in [spoil_whole, spoil_sections] {
            let mut plan = JarPlan::good();
            plan.edit_manifest = line_ends;
            plan.files[0].author = author;
            plan.files[0].edit = edit;
            let inspection = judge_on(&plan, None, None);
            assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
        }
    }
}

/// Before Android 7 nobody looked at the content type, nor at any signer but the first.
#[test]
fn older_levels_look_at_less_of_a_block() {
    let mut plan = JarPlan::good();
    plan.files[0].edit_cms = |cms, file| {
        cms.infos[0] = cms.infos[0].clone().with_attributes(file);
        let attributes = cms.infos[0].attributes.as_mut().unwrap();
        attributes[0].1 = crate::mint::keys::tlv(0x06, CONTENT_TYPE);
    };
    assert_eq!(refusals(&judge_on(&plan, Some(21), Some(23))), []);
    assert_eq!(
        refusals(&judge_on(&plan, Some(21), Some(24))),
        [Code::SignatureWrong]
    );
    let mut plan = JarPlan::good();
    plan.files[0].cms.certificates.push(certificate(2));
    plan.files[0].cms.infos.insert(0, InfoPlan::new(2));
    plan.files[0].cms.infos[0].spoil = true;
    assert_eq!(
        refusals(&judge_on(&plan, Some(23), None)),
        [Code::SignatureWrong]
    );
    assert_eq!(
        refusals(&judge_on(&plan, Some(24), None)),
        [Code::JarFirstSignerFails]
    );
    plan.files[0].cms.infos.reverse();
    assert_eq!(refusals(&judge_on(&plan, Some(24), None)), []);
}

/// Android passes over such a file as if it were not there; then nobody signs.
#[test]
fn passes_over_signature_files_that_android_passes_over() {
    let edits: [fn(String) -> String; 4] = [
        |t| t.replace("Signature-Version", "Seal-Version"),
        |t| t.replacen("Name: classes.dex", "Game: classes.dex", 1),
        |t| {
            let at = t.find("Name: classes.dex").unwrap();
            format!("{t}{}", &t[at..])
        },
        |t| {
            t.replacen("-Manifest: ", "-Manifest: AAAA", 1)
                .replacen("classes.dex", "other.dex", 1)
        },
    ];
    for edit in edits {
        let mut plan = JarPlan::good();
        plan.files[0].edit = edit;
        let inspection = judge_on(&plan, None, None);
        assert_eq!(
            codes(&inspection),
            [Code::NoSignature, Code::JarSignerIgnored],
            "{:?}",
            inspection.findings()
        );
        let mut beside = JarPlan::good();
        let mut ignored = FilePlan::new("OTHER", 2);
        ignored.edit = edit;
        beside.files.push(ignored);
        let inspection = judge_on(&beside, None, None);
        assert_eq!(codes(&inspection), [Code::JarSignerIgnored]);
        assert_eq!(inspection.signers().len(), 1);
    }
}

#[test]
fn refuses_a_block_that_does_not_hold() {
    check(&[
        (
            "bytes that are none",
            |p| p.files[0].block = Some(b"0\x03abc".to_vec()),
            Code::JarBlockMalformed,
        ),
        (
            "nobody signs",
            |p| p.files[0].cms.infos.clear(),
            Code::JarBlockMalformed,
        ),
        (
            "a wrong signature",
            |p| p.files[0].cms.infos[0].spoil = true,
            Code::SignatureWrong,
        ),
        (
            "no certificate",
            |p| p.files[0].cms.certificates.clear(),
            Code::CertificateMissing,
        ),
        (
            "somebody else's certificate",
            |p| p.files[0].cms.certificates = vec![certificate(2)],
            Code::CertificateMissing,
        ),
        (
            "a digest that the signature does not use",
            |p| p.files[0].cms.infos[0].digest = SHA1,
            Code::JarAlgorithmUnsupported,
        ),
        (
            "the first signer does not hold, the second does",
            |p| {
                p.files[0].cms.certificates.push(certificate(2));
                p.files[0].cms.infos.insert(0, InfoPlan::new(2));
                p.files[0].cms.infos[0].spoil = true;
            },
            Code::JarFirstSignerFails,
        ),
        (
            "attributes without a digest",
            |p| {
                p.files[0].edit_cms = |cms, file| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(file);
                    cms.infos[0].attributes.as_mut().unwrap().pop();
                };
            },
            Code::JarBlockMalformed,
        ),
        (
            "an attribute twice",
            |p| {
                p.files[0].edit_cms = |cms, file| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(file);
                    let attributes = cms.infos[0].attributes.as_mut().unwrap();
                    let again = attributes[1].clone();
                    attributes.push(again);
                };
            },
            Code::JarBlockMalformed,
        ),
        (
            "attributes without a content type",
            |p| {
                p.files[0].edit_cms = |cms, file| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(file);
                    cms.infos[0].attributes.as_mut().unwrap().remove(0);
                };
            },
            Code::JarBlockMalformed,
        ),
        (
            "attributes with another content type",
            |p| {
                p.files[0].edit_cms = |cms, file| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(file);
                    let attributes = cms.infos[0].attributes.as_mut().unwrap();
                    attributes[0].1 = crate::mint::keys::tlv(0x06, CONTENT_TYPE);
                };
            },
            Code::SignatureWrong,
        ),
        (
            "attributes about another file",
            |p| {
                p.files[0].edit_cms = |cms, _| {
                    cms.infos[0] = cms.infos[0].clone().with_attributes(b"another");
                };
            },
            Code::SignatureWrong,
        ),
        (
            "a key that may not sign",
            |p| {
                let plan = CertificatePlan::new(1).extension(15, b"\x03\x02\x05\x20");
                p.files[0].cms.certificates = vec![plan.build()];
            },
            Code::CertificateUnsuitable,
        ),
        (
            "a critical extension that nobody knows",
            |p| {
                let plan = CertificatePlan::new(1).critical(99, b"\x05\x00");
                p.files[0].cms.certificates = vec![plan.build()];
            },
            Code::CertificateUnsuitable,
        ),
        (
            "seventeen in one block",
            |p| p.files[0].cms.infos = vec![InfoPlan::new(1); 17],
            Code::JarBlockMalformed,
        ),
        (
            "sixty-five certificates in one block",
            |p| p.files[0].cms.certificates = vec![certificate(1); 65],
            Code::JarBlockMalformed,
        ),
        (
            "eleven signers",
            |p| {
                p.files = (0..11)
                    .map(|number| FilePlan::new(&format!("CERT{number}"), 1))
                    .collect();
            },
            Code::TooManySigners,
        ),
    ]);
}

#[test]
fn takes_extensions_that_permit_or_that_nobody_must_know() {
    for plan in [
        CertificatePlan::new(1).critical(15, b"\x03\x02\x07\x80"),
        CertificatePlan::new(1).critical(15, b"\x03\x02\x06\x40"),
        CertificatePlan::new(1).extension(99, b"\x05\x00"),
    ] {
        let mut jar = JarPlan::good();
        jar.files[0].cms.certificates = vec![certificate(3), plan.build()];
        let inspection = judge_on(&jar, None, None);
        assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    }
}

/// The signer's certificate is the one that it names by issuer and number, wherever it stands among others.
#[test]
fn takes_the_certificate_that_the_signer_names() {
    use sha2::Digest as _;
    let mut other_name = CertificatePlan::new(1);
    other_name.common_name = "key 2".to_owned();
    let mut other_number = CertificatePlan::new(2);
    other_number.common_name = "key 1".to_owned();
    let mut plan = JarPlan::good();
    plan.files[0].cms.certificates = vec![other_name.build(), other_number.build(), certificate(1)];
    let inspection = judge_on(&plan, None, None);
    assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    let own: [u8; 32] = sha2::Sha256::digest(certificate(1)).into();
    assert_eq!(inspection.signers()[0].0, own);
}

#[test]
fn newer_targets_need_a_newer_scheme() {
    for (target, sandbox, refused) in [
        (29, None, false),
        (30, None, true),
        (29, Some(1), false),
        (29, Some(2), true),
    ] {
        let mut plan = JarPlan::good();
        plan.target(target, sandbox);
        let found = refusals(&judge_on(&plan, None, None));
        let expected: &[Code] = if refused {
            &[Code::MinSchemeForTarget]
        } else {
            &[]
        };
        assert_eq!(found, expected, "target {target}, sandbox {sandbox:?}");
        assert_eq!(
            refusals(&judge_on(&plan, None, Some(25))),
            [],
            "target {target}"
        );
    }
}

/// Plain EC keys with SHA-256 since Android 4.3, signed attributes since 4.4.
#[test]
fn the_oldest_levels_have_rules_of_their_own() {
    let mut plan = JarPlan::good();
    plan.files[0].cms.infos[0].algorithm = EC_KEY;
    for (min, expected) in [(18, &[][..]), (17, &[Code::JarAlgorithmUnsupported])] {
        let found = refusals(&judge_on(&plan, Some(min), None));
        // Below 18 the manifest would have to name its kinds of digest.
        assert_eq!(found, expected, "from level {min}");
    }
    plan.files[0].edit_cms = |cms, file| {
        cms.infos[0] = cms.infos[0].clone().with_attributes(file);
    };
    assert_eq!(refusals(&judge_on(&plan, Some(19), None)), []);
    assert_eq!(
        refusals(&judge_on(&plan, Some(18), None)),
        [Code::JarAttributesUnsafe]
    );
}

#[test]
fn v1_and_v2_must_be_by_one_signer_where_both_count() {
    let both = |key| {
        let mut plan = JarPlan::of(Blueprint::good().with_manifest(&ManifestPlan::default()));
        plan.files[0] = FilePlan::new("CERT", key);
        plan.blueprint.pairs.remove(1);
        plan.blueprint.signers(0)[0].attributes.clear();
        plan
    };
    assert_eq!(refusals(&judge_on(&both(1), Some(23), None)), []);
    assert_eq!(
        refusals(&judge_on(&both(2), Some(23), None)),
        [Code::SchemesSignersDiffer]
    );
    assert_eq!(refusals(&judge_on(&both(2), Some(24), None)), []);
    let mut one_of_two = both(1);
    let second = SignerPlan::new(2);
    one_of_two.blueprint.signers(0).push(second);
    let found = refusals(&judge_on(&one_of_two, Some(23), None));
    assert_eq!(found, [Code::SchemesSignersDiffer]);
}

/// Android 7 and 8 know no v3: where there is no v2 beside it, v1 decides there.
#[test]
fn v1_decides_below_a_lonely_v3() {
    let mut plan = JarPlan::of(Blueprint::good());
    plan.target(29, None);
    plan.blueprint.pairs.remove(0);
    let signed = |plan: &JarPlan| -> Vec<String> {
        let inspection = judge_on(plan, None, None);
        let signed = inspection.signed().iter();
        signed
            .map(|range| format!("{} {}", range.api, range.scheme.as_str()))
            .collect()
    };
    assert_eq!(refusals(&judge_on(&plan, None, None)), []);
    assert_eq!(signed(&plan), ["24-27 v1", "28+ v3"]);
    plan.files[0].cms.infos[0].spoil = true;
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::SignatureWrong]
    );
    assert_eq!(refusals(&judge_on(&plan, Some(28), None)), []);
    plan.files[0].block = Some(b"none".to_vec());
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::JarBlockMalformed]
    );
    plan.files[0] = FilePlan::new("CERT", 2);
    assert_eq!(
        refusals(&judge_on(&plan, None, None)),
        [Code::PastSignerDiffers]
    );
}

/// Of one rule nobody reads more than fifty findings; other rules keep theirs.
#[test]
fn a_flood_of_one_finding_is_cut() {
    let mut plan = JarPlan::good();
    plan.target(30, None);
    for number in 0..60 {
        let name = format!("META-INF/services/{number}");
        plan.extra.push(EntryPlan::new(&name, b"anybody's"));
    }
    let found = codes(&judge_on(&plan, None, None));
    let count = |code| found.iter().filter(|found| **found == code).count();
    assert_eq!(count(Code::JarUnprotectedEntry), 50);
    assert_eq!(count(Code::MinSchemeForTarget), 1);
}

/// A name of a newer scheme counts from the level that knows it, and only where the scheme is gone.
#[test]
fn a_newer_scheme_that_is_named_must_be_there_where_it_is_known() {
    let mut plan = JarPlan::good();
    plan.files[0].edit = |t| t.replacen("\r\n", "\r\nX-Android-APK-Signed: 2\r\n", 1);
    assert_eq!(refusals(&judge_on(&plan, Some(21), Some(23))), []);
    assert_eq!(
        refusals(&judge_on(&plan, Some(21), Some(24))),
        [Code::SchemeStripped]
    );
    let mut there = JarPlan::of(Blueprint::good().with_manifest(&ManifestPlan::default()));
    there.files[0].edit = plan.files[0].edit;
    there.blueprint.pairs.remove(1);
    there.blueprint.signers(0)[0].attributes.clear();
    assert_eq!(refusals(&judge_on(&there, Some(23), None)), []);
}

#[test]
fn says_what_is_odd_about_a_jar_signature() {
    let mut plan = JarPlan::good();
    plan.extra
        .push(EntryPlan::new("META-INF/services/x", b"anybody's"));
    assert_eq!(
        codes(&judge_on(&plan, None, None)),
        [Code::JarUnprotectedEntry]
    );
    let mut plan = JarPlan::good();
    plan.files.push(FilePlan::new("LONELY", 2));
    plan.files[1].left_out = true;
    let inspection = judge_on(&plan, None, None);
    assert_eq!(inspection.verdict(), Verdict::Verified);
    assert!(codes(&inspection).contains(&Code::JarBlockWithoutFile));
    let mut plan = JarPlan::good();
    plan.edit_manifest = |t| {
        use base64::Engine as _;
        use sha1::Digest as _;
        let data = b"dex\n035\0 not really code";
        let weak = base64::engine::general_purpose::STANDARD.encode(sha1::Sha1::digest(data));
        let strong = format!("SHA-256-Digest: {}", digest(data));
        t.replace(&strong, &format!("SHA1-Digest: {weak}"))
    };
    assert_eq!(codes(&judge_on(&plan, None, None)), [Code::WeakDigest]);
}
