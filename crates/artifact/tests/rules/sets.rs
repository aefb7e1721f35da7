//! Split sets and bundles, one rule broken at a time.

use bonafide_artifact::{
    Code, Finding, Inspection, Kind, Options, Source, Verdict, inspect, inspect_split_set,
};

use crate::mint::jar::JarPlan;
use crate::mint::{Blueprint, EntryPlan, ManifestPlan};
use crate::refusals;

#[derive(Clone)]
struct PartPlan {
    name: &'static str,
    manifest: ManifestPlan,
    key: u8,
    bytes: Option<Vec<u8>>,
}

impl PartPlan {
    fn new(name: &'static str, split: Option<&'static str>) -> Self {
        let manifest = ManifestPlan {
            split,
            ..ManifestPlan::default()
        };
        Self {
            name,
            manifest,
            key: 1,
            bytes: None,
        }
    }

    fn build(&self) -> Vec<u8> {
        let mut blueprint = Blueprint::good().with_manifest(&self.manifest);
        blueprint.signers(0)[0].key = self.key;
        blueprint.signers(1)[0].key = self.key;
        self.bytes.clone().unwrap_or_else(|| blueprint.build())
    }
}

fn good() -> Vec<PartPlan> {
    vec![
        PartPlan::new("base.apk", None),
        PartPlan::new("split_config.de.apk", Some("config.de")),
        PartPlan::new("split_config.arm64.apk", Some("config.arm64")),
    ]
}

fn archive(parts: &[PartPlan]) -> Vec<u8> {
    let mut blueprint = Blueprint::good();
    blueprint.pairs.clear();
    blueprint.entries = vec![EntryPlan::new("toc.pb", b"not believed")];
    for part in parts {
        blueprint
            .entries
            .push(EntryPlan::new(part.name, &part.build()));
    }
    blueprint.build()
}

fn judge(parts: &[PartPlan]) -> Inspection {
    inspect(&archive(parts), &Options::default()).expect("an archive")
}

#[test]
fn a_good_set_is_one_identity_whether_in_an_archive_or_not() {
    let parts = good();
    let inspection = judge(&parts);
    assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
    let identity = inspection.identity().expect("verified");
    assert_eq!(identity.kind(), Kind::SplitSet);
    assert_eq!(identity.package(), "com.example.minted");
    assert_eq!(inspection.parts().len(), 3);
    // The base is what a device keeps as the app's own file.
    assert_eq!(
        identity.installed_sha256(),
        Some(inspection.parts()[0].sha256)
    );
    assert_eq!(identity.attested_signers().len(), 1);
    let bytes: Vec<(String, Vec<u8>)> = parts
        .iter()
        .map(|p| (p.name.to_owned(), p.build()))
        .collect();
    let sources = |order: &[usize]| -> Vec<(String, &dyn Source)> {
        let part = |at: &usize| (bytes[*at].0.clone(), &bytes[*at].1 as &dyn Source);
        order.iter().map(part).collect()
    };
    let one = inspect_split_set(&sources(&[0, 1, 2]), &Options::default()).expect("readable");
    let other = inspect_split_set(&sources(&[2, 0, 1]), &Options::default()).expect("readable");
    assert_eq!(one.verdict(), Verdict::Verified);
    assert_eq!(one.artifact_sha256(), other.artifact_sha256());
    assert_eq!(
        one.size(),
        bytes
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum::<u64>()
    );
    let third = inspect_split_set(&sources(&[0, 1]), &Options::default()).expect("readable");
    assert_ne!(one.artifact_sha256(), third.artifact_sha256());
}

type Case = (&'static str, fn(&mut Vec<PartPlan>), &'static [Code]);

#[test]
fn refuses_parts_that_are_not_one_app() {
    let cases: &[Case] = &[
        ("no base", |p| drop(p.remove(0)), &[Code::SplitBase]),
        (
            "two bases",
            |p| p.push(PartPlan::new("other.apk", None)),
            &[Code::SplitBase],
        ),
        (
            "another package",
            |p| p[1].manifest.package = "com.example.other",
            &[Code::SplitOtherPackage],
        ),
        (
            "another version",
            |p| p[1].manifest.version_code = 8,
            &[Code::SplitOtherVersion],
        ),
        (
            "another signer",
            |p| p[1].key = 2,
            &[Code::SplitOtherSigner],
        ),
        (
            "one split twice",
            |p| p[1].manifest.split = Some("config.arm64"),
            &[Code::SplitDuplicate],
        ),
        (
            "a part that was changed",
            |p| {
                let mut bytes = p[1].build();
                let at = bytes.windows(4).position(|w| w == b"dex\n").unwrap();
                bytes[at] ^= 1;
                p[1].bytes = Some(bytes);
            },
            &[Code::ContentDigestWrong, Code::SplitNotVerified],
        ),
        (
            "a part that is no archive",
            |p| p[1].bytes = Some(b"nothing".to_vec()),
            &[Code::ZipNoEndRecord],
        ),
    ];
    for (name, change, expected) in cases {
        let mut parts = good();
        change(&mut parts);
        let inspection = judge(&parts);
        assert_eq!(
            refusals(&inspection),
            *expected,
            "{name}: {:?}",
            inspection.findings()
        );
        assert!(inspection.identity().is_none(), "{name}");
    }
    let nothing = inspect_split_set(&[], &Options::default()).expect("readable");
    assert_eq!(refusals(&nothing), [Code::SplitSetEmpty]);
}

#[test]
fn a_set_has_at_most_512_parts() {
    for (count, over) in [(512, false), (513, true)] {
        let nothing: Vec<u8> = Vec::new();
        let part = |number| (format!("{number}.apk"), &nothing as &dyn Source);
        let files: Vec<_> = (0..count).map(part).collect();
        let inspection = inspect_split_set(&files, &Options::default()).expect("readable");
        assert_eq!(
            refusals(&inspection).contains(&Code::ZipBudget),
            over,
            "{count} files"
        );
        let mut blueprint = Blueprint::good();
        blueprint.pairs.clear();
        let entries = (0..count).map(|number| EntryPlan::new(&format!("{number}.apk"), b""));
        blueprint.entries = entries.collect();
        let inspection = inspect(&blueprint.build(), &Options::default()).expect("an archive");
        assert_eq!(
            refusals(&inspection).contains(&Code::ZipBudget),
            over,
            "{count} entries"
        );
    }
}

/// `bundletool` puts whole apps for old devices beside the splits.
#[test]
fn standalone_apks_beside_splits_must_agree_and_are_no_second_base() {
    let mut parts = good();
    for part in &mut parts {
        part.name = match part.name {
            "base.apk" => "splits/base.apk",
            "split_config.de.apk" => "splits/de.apk",
            _ => "splits/arm64.apk",
        };
    }
    parts.push(PartPlan::new("standalones/standalone.apk", None));
    assert_eq!(refusals(&judge(&parts)), []);
    parts[3].key = 2;
    assert_eq!(refusals(&judge(&parts)), [Code::SplitOtherSigner]);
    parts.remove(0);
    parts[2].key = 1;
    assert_eq!(refusals(&judge(&parts)), [Code::SplitBase]);
}

#[test]
fn a_deflated_part_is_read_like_a_stored_one() {
    let mut blueprint = Blueprint::good();
    blueprint.pairs.clear();
    let part = PartPlan::new("base.apk", None).build();
    blueprint.entries = vec![EntryPlan::deflated("base.apk", &part)];
    let inspection = inspect(&blueprint.build(), &Options::default()).expect("an archive");
    assert_eq!(refusals(&inspection), [], "{:?}", inspection.findings());
}

/// `aapt.pb.XmlNode` of a manifest, with resource ids.
fn proto_manifest(package: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len();
        assert!(length < 1 << 14, "two bytes of length");
        let low = u8::try_from(length & 0x7f).unwrap() | 0x80;
        let high = u8::try_from(length >> 7).unwrap();
        [&[number << 3 | 2, low, high][..], bytes].concat()
    };
    let number = |number: u8, mut value: u32| {
        let mut bytes = vec![number << 3];
        while value > 0x7f {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    };
    let android = b"http://schemas.android.com/apk/res/android";
    let attribute = |name: &str, value: &str, id: u32| {
        let namespace = if id == 0 {
            Vec::new()
        } else {
            field(1, android)
        };
        let id = if id == 0 { Vec::new() } else { number(5, id) };
        [
            namespace,
            field(2, name.as_bytes()),
            field(3, value.as_bytes()),
            id,
        ]
        .concat()
    };
    let element = |name: &str, attributes: &[Vec<u8>], children: &[Vec<u8>]| {
        let mut bytes = field(3, name.as_bytes());
        bytes.extend(attributes.iter().flat_map(|attribute| field(4, attribute)));
        bytes.extend(children.iter().flat_map(|child| field(5, child)));
        field(1, &bytes)
    };
    let sdk = [
        attribute("minSdkVersion", "24", 0x0101_020c),
        attribute("targetSdkVersion", "35", 0x0101_0270),
    ];
    let application = [attribute("debuggable", "true", 0x0101_000f)];
    let root = [
        attribute("package", package, 0),
        attribute("versionCode", "7", 0x0101_021b),
        attribute("versionCodeMajor", "2", 0x0101_0576),
        attribute("versionName", "1.2", 0x0101_021c),
    ];
    let children = [
        element("uses-sdk", &sdk, &[]),
        element("application", &application, &[]),
    ];
    element("manifest", &root, &children)
}

fn bundle(manifest: Option<&[u8]>) -> JarPlan {
    let mut blueprint = Blueprint::good();
    blueprint.pairs.clear();
    blueprint.entries = vec![
        EntryPlan::new("BundleConfig.pb", b"config"),
        EntryPlan::new("base/dex/classes.dex", b"dex"),
    ];
    let manifest = manifest.map(|bytes| EntryPlan::new("base/manifest/AndroidManifest.xml", bytes));
    blueprint.entries.extend(manifest);
    JarPlan::of(blueprint)
}

#[test]
fn a_bundle_tells_who_uploaded_and_nothing_that_a_device_could_attest() {
    let plan = bundle(Some(&proto_manifest("com.example.minted")));
    let inspection = inspect(&plan.build(), &Options::default()).expect("an archive");
    let codes: Vec<Code> = inspection.findings().iter().map(Finding::code).collect();
    assert_eq!(
        codes,
        [Code::Debuggable, Code::UploadKey],
        "{:?}",
        inspection.findings()
    );
    let identity = inspection.identity().expect("verified");
    assert!(identity.is_upload_key());
    assert!(identity.attested_signers().is_empty() && identity.installed_sha256().is_none());
    assert_eq!(identity.version_code(), 2 << 32 | 7);
    assert_eq!(identity.app().version_name.as_deref(), Some("1.2"));
    assert_eq!(
        (identity.app().min_sdk, identity.app().target_sdk),
        (Some(24), Some(35))
    );
}

#[test]
fn refuses_a_bundle_that_does_not_hold() {
    let good = proto_manifest("com.example.minted");
    let cases: Vec<(&str, JarPlan, Code)> = vec![
        ("no manifest", bundle(None), Code::ManifestMissing),
        (
            "a manifest that is none",
            bundle(Some(b"\xff\xff")),
            Code::ManifestMalformed,
        ),
        (
            "another root",
            bundle(Some(&good[6..])),
            Code::ManifestMalformed,
        ),
        (
            "an impossible package",
            bundle(Some(&proto_manifest("a/b"))),
            Code::ManifestPackage,
        ),
        (
            "nobody's signature",
            {
                let mut plan = bundle(Some(&good));
                plan.files.clear();
                plan
            },
            Code::NoSignature,
        ),
        (
            "an entry that nobody signed",
            {
                let mut plan = bundle(Some(&good));
                plan.extra.push(EntryPlan::new("base/lib/evil.so", b"new"));
                plan
            },
            Code::JarEntryUnsigned,
        ),
    ];
    for (name, plan, expected) in cases {
        let inspection = inspect(&plan.build(), &Options::default()).expect("an archive");
        assert_eq!(
            refusals(&inspection),
            [expected],
            "{name}: {:?}",
            inspection.findings()
        );
        assert!(inspection.identity().is_none(), "{name}");
    }
}
