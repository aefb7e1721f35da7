//! Each rule broken alone, on small APKs minted here: exactly that finding comes, and the good file has none.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::string_slice,
    clippy::format_push_string,
    reason = "tests fail by them, and their tables are long"
)]

mod codes;
mod hybrid;
mod ios;
mod jar;
mod mint;
mod odd;
mod provenance;
mod sets;

use bonafide_artifact::{
    Code, EntryChange, Finding, Inspection, Options, Severity, Verdict, diff, inspect,
};
use mint::{
    Blueprint, EntryPlan, ID_V2, ID_V3, ID_V31, LATEST, ManifestPlan, PairPlan, SignerPlan,
    lineage, spoiled_lineage,
};

const ATTRIBUTE_LINEAGE: u32 = 0x3ba0_6f8c;
const ATTRIBUTE_ROTATION: u32 = 0x559f_8b02;
const ATTRIBUTE_PREVIEW: u32 = 0xc2a6_b3ba;

fn judge(bytes: &[u8]) -> Inspection {
    inspect(&bytes, &Options::default()).expect("an archive")
}

/// The codes that keep a file from being verified.
fn refusals(inspection: &Inspection) -> Vec<Code> {
    let findings = inspection.findings().iter();
    let mut codes: Vec<Code> = findings
        .filter(|f| f.severity() >= Severity::NotChecked)
        .map(Finding::code)
        .collect();
    codes.dedup();
    codes
}

/// What is changed in a good blueprint, and the only finding that must come of it.
type Case = (&'static str, fn(&mut Blueprint), Code);

fn check(cases: &[Case]) {
    check_from(Blueprint::good, cases);
}

/// The same from another good blueprint.
fn check_from(good: impl Fn() -> Blueprint, cases: &[Case]) {
    for (name, change, expected) in cases {
        let mut blueprint = good();
        change(&mut blueprint);
        let inspection = judge(&blueprint.build());
        assert_eq!(
            refusals(&inspection),
            [*expected],
            "{name}: {:?}",
            inspection.findings()
        );
        assert_ne!(inspection.verdict(), Verdict::Verified, "{name}");
        assert!(inspection.identity().is_none(), "{name}");
    }
}

#[test]
fn a_good_apk_verifies_and_has_an_identity() {
    let plan = ManifestPlan {
        version_code_major: Some(2),
        ..ManifestPlan::default()
    };
    let inspection = judge(&Blueprint::good().with_manifest(&plan).build());
    assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
    let identity = inspection.identity().expect("verified");
    assert_eq!(identity.package(), "com.example.minted");
    assert_eq!(identity.version_code(), 2 << 32 | 7);
    assert!(!identity.is_upload_key());
    assert_eq!(identity.attested_signers().len(), 1);
    assert_eq!(identity.attested_signers(), [identity.current_signers()]);
}

#[test]
fn a_rotated_key_is_attested_by_its_oldest_certificate() {
    let mut blueprint = Blueprint::good();
    let mut rotated = SignerPlan::on(3, 33, LATEST);
    rotated
        .attributes
        .push((ATTRIBUTE_LINEAGE, lineage(&[1, 2, 3])));
    blueprint.signers(1)[0]
        .attributes
        .push((ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec()));
    blueprint
        .pairs
        .push(PairPlan::Signers(ID_V31, vec![rotated], Vec::new()));
    let inspection = judge(&blueprint.build());
    let identity = inspection
        .identity()
        .unwrap_or_else(|| panic!("{:?}", inspection.findings()));
    assert_eq!(inspection.lineage().len(), 3);
    assert_eq!(identity.current_signers(), &inspection.lineage()[2..]);
    assert_eq!(identity.attested_signers(), [vec![inspection.lineage()[0]]]);
}

#[test]
fn refuses_an_archive_that_two_readers_read_differently() {
    check(&[
        (
            "bytes after the end",
            |b| b.trailing = b"x".to_vec(),
            Code::ZipTrailingBytes,
        ),
        (
            "a gap before the end record",
            |b| b.gap_before_end = vec![0; 4],
            Code::ZipDirectoryGap,
        ),
        (
            "more records than told",
            |b| b.claimed_count = Some(1),
            Code::ZipDirectoryMalformed,
        ),
        (
            "fewer records than told",
            |b| b.claimed_count = Some(3),
            Code::ZipDirectoryMalformed,
        ),
        ("several disks", |b| b.disk = 1, Code::ZipMultiDisk),
        (
            "ZIP64 marker",
            |b| b.claimed_count = Some(u16::MAX),
            Code::Zip64,
        ),
        (
            "a name twice",
            |b| b.entries.push(EntryPlan::new("classes.dex", b"other")),
            Code::ZipDuplicateName,
        ),
        (
            "an encrypted entry",
            |b| b.entries[1].flags = 1,
            Code::ZipEncrypted,
        ),
        (
            "a parent path",
            |b| b.entries[1].name = b"a/../b".to_vec(),
            Code::ZipBadName,
        ),
        (
            "a NUL in a name",
            |b| b.entries[1].name = b"a\0b".to_vec(),
            Code::ZipBadName,
        ),
        (
            "a line break in a name",
            |b| b.entries[1].name = b"a\nb".to_vec(),
            Code::ZipBadName,
        ),
        (
            "another local name",
            |b| b.entries[1].local_name = Some(b"classes.dey".to_vec()),
            Code::ZipLocalHeader,
        ),
        (
            "another local size",
            |b| b.entries[1].local_size = Some(3),
            Code::ZipLocalHeader,
        ),
        (
            "a manifest longer than told",
            |b| b.entries[0].claimed_size = Some(9),
            Code::ZipEntryUnreadable,
        ),
        (
            "a manifest packed into nonsense",
            |b| {
                b.entries[0].method = 8;
                b.entries[0].data = vec![0xff; 40];
            },
            Code::ZipEntryUnreadable,
        ),
        (
            "a packed manifest cut short",
            |b| {
                let packed = EntryPlan::deflated("AndroidManifest.xml", &b.entries[0].data);
                b.entries[0] = packed;
                b.entries[0].data.truncate(60);
            },
            Code::ZipEntryUnreadable,
        ),
        (
            "a manifest with another checksum",
            |b| b.entries[0].claimed_crc = Some(7),
            Code::ZipEntryUnreadable,
        ),
        (
            "a manifest of all that is read",
            |b| b.entries[0].claimed_size = Some(16 << 20),
            Code::ZipEntryUnreadable,
        ),
        (
            "a manifest of one byte more",
            |b| b.entries[0].claimed_size = Some((16 << 20) + 1),
            Code::ZipBudget,
        ),
        (
            "a manifest of two gigabytes",
            |b| b.entries[0].claimed_size = Some(1 << 31),
            Code::ZipBudget,
        ),
        (
            "an entry beyond the archive",
            |b| b.entries[1].claimed_offset = Some(1 << 30),
            Code::ZipLocalHeader,
        ),
        (
            "an entry where no header is",
            |b| b.entries[1].claimed_offset = Some(4),
            Code::ZipLocalHeader,
        ),
        (
            "two entries at one place",
            |b| {
                b.entries.push(b.entries[1].clone());
                b.entries[2].name = b"classes2.dex".to_vec();
                b.entries[2].local_name = Some(b"classes2.dex".to_vec());
                b.entries[2].data.splice(..0, *b"x");
                // The second record points into the first entry, which holds a whole header for it.
                let inner = mint::local_header_of(&b.entries[2]);
                b.entries[2].claimed_offset = Some(mint::end_of(&b.entries[..1]) + 30 + 11);
                b.entries[1].data = [inner, b.entries[2].data.clone()].concat();
            },
            Code::ZipOverlap,
        ),
        (
            "an entry that runs into the directory",
            |b| {
                b.pairs.clear();
                b.entries[1].claimed_compressed = Some(1 << 20);
            },
            Code::ZipOverlap,
        ),
        (
            "a ZIP64 marker in a record",
            |b| b.entries[1].claimed_offset = Some(u32::MAX),
            Code::Zip64,
        ),
        (
            "a ZIP64 locator before the end",
            |b| b.gap_before_end = [&b"PK\x06\x07"[..], &[0; 16]].concat(),
            Code::Zip64,
        ),
        ("no name", |b| b.entries[1].name.clear(), Code::ZipBadName),
        (
            "a name from the root",
            |b| b.entries[1].name = b"/classes.dex".to_vec(),
            Code::ZipBadName,
        ),
        (
            "a backslash in a name",
            |b| b.entries[1].name = b"a\\b".to_vec(),
            Code::ZipBadName,
        ),
        (
            "a local name that only begins like it",
            |b| b.entries[1].local_name = Some(b"classes.dex2".to_vec()),
            Code::ZipLocalHeader,
        ),
        (
            "something else in front",
            |b| b.prefix = b"MZ\0\0".to_vec(),
            Code::JanusPrefix,
        ),
        (
            "a DEX file in front",
            |b| b.prefix = b"dex\n035\0".to_vec(),
            Code::JanusPrefix,
        ),
    ]);
}

#[test]
fn refuses_a_file_that_was_changed_after_signing() {
    let good = Blueprint::good().build();
    let manifest_data = 30 + "AndroidManifest.xml".len();
    let dex = good
        .windows(4)
        .position(|bytes| bytes == b"dex\n")
        .expect("there");
    for (name, at) in [
        ("in an entry", dex),
        ("in an entry's header", manifest_data - 25),
    ] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let codes = refusals(&judge(&changed));
        assert!(
            codes.contains(&Code::ContentDigestWrong) || codes == [Code::ZipLocalHeader],
            "{name}: {codes:?}"
        );
    }
}

#[test]
fn refuses_a_broken_signing_block() {
    check(&[
        (
            "sizes that differ",
            |b| b.footer_size = Some(400),
            Code::BlockMalformed,
        ),
        (
            "a size beyond all bounds",
            |b| b.footer_size = Some(u64::MAX),
            Code::BlockMalformed,
        ),
        (
            "a scheme twice",
            |b| b.pairs.push(PairPlan::Raw(ID_V2, vec![0; 4])),
            Code::BlockDuplicateScheme,
        ),
        (
            "pairs that do not fit",
            |b| b.pairs.push(PairPlan::Long(0x1234_5678, u64::MAX)),
            Code::BlockMalformed,
        ),
        (
            "a scheme cut short",
            |b| b.pairs[0] = PairPlan::Raw(ID_V2, vec![9, 0, 0, 0]),
            Code::SignersMalformed,
        ),
        ("no signers", |b| b.signers(0).clear(), Code::NoSigners),
        (
            "eleven signers",
            |b| *b.signers(0) = vec![SignerPlan::new(1); 11],
            Code::TooManySigners,
        ),
        (
            "no signature at all",
            |b| b.pairs.clear(),
            Code::NoSignature,
        ),
    ]);
}

#[test]
fn refuses_a_signer_that_does_not_hold() {
    check(&[
        (
            "a wrong signature",
            |b| b.signers(0)[0].spoil_signature = true,
            Code::SignatureWrong,
        ),
        (
            "no known algorithm",
            |b| b.signers(0)[0].signature_ids = vec![0x9999],
            Code::SignatureMissing,
        ),
        (
            "an algorithm that only the digests name",
            |b| b.signers(0)[0].digest_ids.push(0x0202),
            Code::AlgorithmListsDiffer,
        ),
        (
            "no certificate",
            |b| b.signers(0)[0].no_certificate = true,
            Code::CertificateMissing,
        ),
        (
            "a certificate that is none",
            |b| b.signers(0)[0].certificate = Some(b"0\x03abc".to_vec()),
            Code::CertificateMalformed,
        ),
        (
            "somebody else's certificate",
            |b| b.signers(0)[0].certificate = Some(mint::certificate(9)),
            Code::CertificateKeyDiffers,
        ),
        (
            "a key that is none",
            |b| b.signers(0)[0].public_key = Some(vec![0; 8]),
            Code::PublicKeyUnusable,
        ),
        (
            "somebody else's key",
            |b| b.signers(0)[0].public_key = Some(mint::public_key_info(9)),
            Code::SignatureWrong,
        ),
        (
            "a verity digest where nothing is aligned",
            |b| {
                b.signers(0)[0].signature_ids = vec![0x0423];
                b.signers(0)[0].digest_ids = vec![0x0423];
                b.signers(1)[0].signature_ids = vec![0x0423];
                b.signers(1)[0].digest_ids = vec![0x0423];
                b.signers(0).clear();
                b.pairs.remove(0);
            },
            Code::VerityNotAligned,
        ),
        (
            "a second digest of the kind that is another",
            |b| {
                b.pairs.truncate(1);
                b.signers(0)[0].attributes.clear();
                b.signers(0)[0].signature_ids = vec![0x0201, 0x0301];
                b.signers(0)[0].digest_ids = vec![0x0201, 0x0301];
                b.signers(0)[0].other_digest = Some((0x0301, vec![7; 32]));
            },
            Code::ContentDigestWrong,
        ),
        (
            "a digest of another file",
            |b| b.signers(0)[0].content_digest = Some(vec![7; 32]),
            Code::ContentDigestWrong,
        ),
    ]);
}

#[test]
fn refuses_a_stripped_scheme() {
    check(&[
        (
            "v2 names v3, and v3 is gone",
            |b| {
                b.pairs.remove(1);
            },
            Code::SchemeStripped,
        ),
        (
            "v3 names v3.1, and v3.1 is gone",
            |b| {
                b.signers(1)[0]
                    .attributes
                    .push((ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec()));
            },
            Code::RotationBlockMissing,
        ),
        (
            "a level of v3.1 cut short",
            |b| {
                b.signers(1)[0]
                    .attributes
                    .push((ATTRIBUTE_ROTATION, vec![33]));
            },
            Code::AttributeMalformed,
        ),
        (
            "a stripping attribute cut short",
            |b| b.signers(0)[0].attributes[0].1.truncate(1),
            Code::AttributeMalformed,
        ),
    ]);
}

#[test]
fn refuses_ranges_of_levels_that_do_not_fit() {
    check(&[
        (
            "an empty range",
            |b| b.signers(1)[0].sdk = Some((30, 29)),
            Code::SdkRangeInvalid,
        ),
        (
            "another range outside of the signed data",
            |b| b.signers(1)[0].sdk_outside = Some((24, LATEST)),
            Code::SdkRangeInvalid,
        ),
        (
            "the newest levels uncovered",
            |b| b.signers(1)[0].sdk = Some((28, 33)),
            Code::SdkRangeUncovered,
        ),
        (
            "a hole",
            |b| *b.signers(1) = vec![SignerPlan::on(1, 28, 30), SignerPlan::on(1, 32, LATEST)],
            Code::SdkRangesDisagree,
        ),
        (
            "an overlap",
            |b| *b.signers(1) = vec![SignerPlan::on(1, 28, 30), SignerPlan::on(1, 30, LATEST)],
            Code::SdkRangesDisagree,
        ),
    ]);
}

/// Signers whose ranges follow each other, and histories that only grow.
#[test]
fn takes_ranges_of_levels_that_follow_each_other() {
    let preview = |key| SignerPlan::on(key, 34, LATEST).with(ATTRIBUTE_PREVIEW, &[]);
    let proven = |plan: SignerPlan, keys: &[u8]| plan.with(ATTRIBUTE_LINEAGE, &lineage(keys));
    let v3 = |signers: Vec<SignerPlan>| {
        let mut blueprint = Blueprint::good();
        *blueprint.signers(1) = signers;
        refusals(&judge(&blueprint.build()))
    };
    let early = || SignerPlan::on(1, 28, 32);
    let early_two = || proven(SignerPlan::on(2, 28, 32), &[1, 2]);
    assert_eq!(v3(vec![early(), SignerPlan::on(1, 33, LATEST)]), []);
    assert_eq!(v3(vec![SignerPlan::on(1, 33, LATEST), early()]), []);
    assert_eq!(
        v3(vec![
            early(),
            proven(SignerPlan::on(2, 33, LATEST), &[1, 2])
        ]),
        []
    );
    assert_eq!(
        v3(vec![
            early_two(),
            proven(SignerPlan::on(2, 33, LATEST), &[1, 2])
        ]),
        []
    );
    let shrinks = vec![early_two(), proven(SignerPlan::on(1, 33, LATEST), &[1])];
    assert_eq!(v3(shrinks), [Code::LineagesInconsistent]);
    // A preview calls itself by the level before, so its signer may overlap the one before; any other may not.
    let v31 = |second: SignerPlan| {
        let mut blueprint = Blueprint::good();
        let announced = (ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec());
        blueprint.signers(1)[0].attributes.push(announced);
        let signers = vec![SignerPlan::on(1, 33, 34), second];
        blueprint
            .pairs
            .push(PairPlan::Signers(ID_V31, signers, Vec::new()));
        refusals(&judge(&blueprint.build()))
    };
    assert_eq!(v31(preview(1)), []);
    assert_eq!(
        v31(SignerPlan::on(1, 34, LATEST)),
        [Code::SdkRangesDisagree]
    );
}

fn rotate(blueprint: &mut Blueprint, proof: Vec<u8>) {
    blueprint.signers(1)[0].key = 2;
    blueprint.signers(1)[0]
        .attributes
        .push((ATTRIBUTE_LINEAGE, proof));
}

#[test]
fn refuses_a_rotation_without_proof() {
    check(&[
        (
            "another key in v3",
            |b| b.signers(1)[0].key = 2,
            Code::PastSignerDiffers,
        ),
        (
            "a step signed by nobody",
            |b| rotate(b, spoiled_lineage(&[1, 2])),
            Code::LineageSignatureWrong,
        ),
        (
            "a proof that ends elsewhere",
            |b| rotate(b, lineage(&[1, 3])),
            Code::LineageEndsElsewhere,
        ),
        (
            "a proof that starts elsewhere",
            |b| rotate(b, lineage(&[3, 2])),
            Code::PastSignerDiffers,
        ),
        (
            "a key that comes back",
            |b| rotate(b, lineage(&[2, 1, 2])),
            Code::LineageMalformed,
        ),
        (
            "a proof that is none",
            |b| rotate(b, vec![1, 0, 0, 0, 9]),
            Code::LineageMalformed,
        ),
        (
            "two signers in v2 beside v3",
            |b| b.signers(0).push(SignerPlan::new(2)),
            Code::PastSignersMany,
        ),
        (
            "v3.1 without v3",
            |b| {
                b.signers(0)[0].attributes.clear();
                b.pairs[1] =
                    PairPlan::Signers(ID_V31, vec![SignerPlan::on(1, 33, LATEST)], Vec::new());
            },
            Code::RotationWithoutV3,
        ),
        (
            "v3 and v3.1 name different levels",
            |b| {
                b.signers(1)[0]
                    .attributes
                    .push((ATTRIBUTE_ROTATION, 34_u32.to_le_bytes().to_vec()));
                b.pairs.push(PairPlan::Signers(
                    ID_V31,
                    vec![SignerPlan::on(1, 33, LATEST)],
                    Vec::new(),
                ));
            },
            Code::RotationLevelDiffers,
        ),
        (
            "v3 and v3.1 tell different histories",
            |b| {
                let mut rotated = SignerPlan::on(2, 33, LATEST);
                rotated
                    .attributes
                    .push((ATTRIBUTE_LINEAGE, lineage(&[4, 2])));
                b.signers(1)[0]
                    .attributes
                    .push((ATTRIBUTE_ROTATION, 33_u32.to_le_bytes().to_vec()));
                b.pairs.remove(0);
                b.pairs
                    .push(PairPlan::Signers(ID_V31, vec![rotated], Vec::new()));
            },
            Code::LineagesInconsistent,
        ),
    ]);
}

#[test]
fn refuses_a_manifest_that_two_readers_read_differently() {
    let manifest =
        |plan: ManifestPlan| refusals(&judge(&Blueprint::good().with_manifest(&plan).build()));
    let twice = ManifestPlan {
        twice: true,
        ..ManifestPlan::default()
    };
    assert_eq!(manifest(twice), [Code::ManifestDuplicateAttribute]);
    let nameless = ManifestPlan {
        package: "",
        ..ManifestPlan::default()
    };
    assert_eq!(manifest(nameless), [Code::ManifestPackage]);
    let odd = ManifestPlan {
        package: "com.example/../other",
        ..ManifestPlan::default()
    };
    assert_eq!(manifest(odd), [Code::ManifestPackage]);
    check(&[
        (
            "no manifest",
            |b| b.entries[0].name = b"Other.xml".to_vec(),
            Code::ManifestMissing,
        ),
        (
            "text for a manifest",
            |b| b.entries[0].data = b"<manifest/>".to_vec(),
            Code::ManifestMalformed,
        ),
        (
            "a chunk that overruns",
            |b| b.entries[0].data[12] = 0xff,
            Code::ManifestMalformed,
        ),
    ]);
}

#[test]
fn says_what_is_odd_but_not_forbidden() {
    let debuggable = ManifestPlan {
        debuggable: true,
        ..ManifestPlan::default()
    };
    let inspection = judge(&Blueprint::good().with_manifest(&debuggable).build());
    assert_eq!(inspection.verdict(), Verdict::Verified);
    assert!(
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::Debuggable)
    );
    let mut trailing = Blueprint::good();
    trailing.pairs[0] = PairPlan::Signers(ID_V2, vec![SignerPlan::naming_v3(1)], vec![0; 3]);
    let inspection = judge(&trailing.build());
    assert_eq!(inspection.verdict(), Verdict::Verified);
    assert!(
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::SignersTrailingBytes)
    );
}

#[test]
fn one_level_alone_can_be_asked_about() {
    for level in [24, 28, 33, 36] {
        let mut options = Options::default();
        (options.min_sdk, options.max_sdk) = (Some(level), Some(level));
        let inspection = inspect(&Blueprint::good().build(), &options).unwrap();
        assert_eq!(inspection.verdict(), Verdict::Verified, "{level}");
        assert_eq!(inspection.levels().len(), 1, "{level}");
        assert_eq!(inspection.signed()[0].api.to_string(), level.to_string());
    }
}

#[test]
fn the_verdict_is_per_android_level() {
    let mut blueprint = Blueprint::good();
    blueprint.signers(0)[0].spoil_signature = true;
    let bytes = blueprint.build();
    let inspection = inspect(&bytes, &Options::default()).unwrap();
    let levels: Vec<_> = inspection
        .levels()
        .iter()
        .map(|level| (level.api.to_string(), level.verdict))
        .collect();
    assert_eq!(
        levels,
        [
            ("24-27".to_owned(), Verdict::Rejected),
            ("28+".to_owned(), Verdict::Verified)
        ]
    );
    let mut options = Options::default();
    options.min_sdk = Some(28);
    let inspection = inspect(&bytes, &options).unwrap();
    assert_eq!(inspection.verdict(), Verdict::Verified);
    assert!(
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::OlderSchemeBroken)
    );
    let only_v3 = PairPlan::Signers(ID_V3, vec![SignerPlan::on(1, 28, LATEST)], Vec::new());
    blueprint.pairs = vec![only_v3];
    let inspection = judge(&blueprint.build());
    assert_eq!(inspection.verdict(), Verdict::Verified);
    assert!(
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::UnsignedBelow)
    );
}

/// Cutting and flipping must never panic, hang, or make something verify that did not.
#[test]
fn no_cut_and_no_flip_verifies() {
    let good = Blueprint::good().build();
    for length in (0..good.len()).step_by(7) {
        let cut = good[..length].to_vec();
        let verified =
            inspect(&cut, &Options::default()).is_ok_and(|i| i.verdict() == Verdict::Verified);
        assert!(!verified, "cut to {length}");
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        let Ok(inspection) = inspect(&flipped, &Options::default()) else {
            continue;
        };
        // Hiding v2 takes the app away from Android 7 and 8, where nothing else is signed; it gives nothing to anybody.
        let hidden = inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::UnsignedBelow);
        let verified = inspection.verdict() == Verdict::Verified && !hidden;
        assert!(!verified, "bit flipped at {at}");
    }
}

#[test]
fn a_difference_says_what_was_changed() {
    let good = Blueprint::good();
    let mut other = good.clone().with_manifest(&ManifestPlan {
        version_code: 8,
        ..ManifestPlan::default()
    });
    other.entries[1].name = b"classes2.dex".to_vec();
    other.pairs.remove(1);
    let difference = diff(&good.build(), &other.build(), &Options::default()).unwrap();
    assert!(!difference.identical);
    let facts: Vec<_> = difference.facts.iter().map(|fact| fact.what).collect();
    assert_eq!(facts, ["verdict", "version-code", "schemes", "size"]);
    let entries: Vec<_> = difference
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.change))
        .collect();
    assert_eq!(
        entries,
        [
            ("classes.dex", EntryChange::Removed),
            ("classes2.dex", EntryChange::Added),
            ("AndroidManifest.xml", EntryChange::Content),
        ]
    );
    assert!(
        diff(&good.build(), &good.build(), &Options::default())
            .unwrap()
            .identical
    );
}
