//! What is odd but tolerated: a finding, and the file verifies all the same. And questions that have no answer.

use bonafide_artifact::{Code, Finding, Inspection, Options, Source, Unreadable, Verdict, inspect};

use crate::mint::keys::CertificatePlan;
use crate::mint::{
    Blueprint, EntryPlan, ID_V31, LATEST, ManifestPlan, PairPlan, SignerPlan, rsa_keys,
};
use crate::{judge, refusals};

fn codes(inspection: &Inspection) -> Vec<Code> {
    inspection.findings().iter().map(Finding::code).collect()
}

type Case = (&'static str, fn(&mut Blueprint), &'static [Code]);

#[test]
fn remarks_on_what_android_tolerates() {
    let cases: &[Case] = &[
        ("nothing odd", |_| {}, &[]),
        (
            "an unknown method, which is read as deflate",
            |b| {
                b.entries.push(EntryPlan::deflated("x", b"data"));
                b.entries[2].method = 99;
            },
            &[Code::ZipOddMethod],
        ),
        (
            "another method in the local header",
            |b| {
                b.entries.push(EntryPlan::deflated("x", b"data"));
                b.entries[2].local_method = Some(0);
            },
            &[Code::ZipMethodDiffers],
        ),
        (
            "a pair that no scheme owns",
            |b| b.pairs.push(PairPlan::Raw(0x1234_5678, vec![1])),
            &[Code::BlockUnknownPair],
        ),
        (
            "padding and a store's notes",
            |b| {
                for id in [0x4272_6577, 0x2146_444e, 0x504b_4453] {
                    b.pairs.push(PairPlan::Raw(id, vec![0; 8]));
                }
            },
            &[],
        ),
        (
            "an algorithm that nobody knows beside a known one",
            |b| {
                b.signers(1)[0].signature_ids.push(0x9999);
                b.signers(1)[0].digest_ids.push(0x9999);
            },
            &[Code::SignatureAlgorithmUnknown],
        ),
        (
            "an attribute that nobody knows",
            |b| b.signers(1)[0].attributes.push((0x1234_5678, vec![1])),
            &[Code::AttributeUnknown],
        ),
        (
            "a rotation that v3 does not announce",
            |b| {
                let rotated = vec![SignerPlan::on(1, 33, LATEST)];
                b.pairs.push(PairPlan::Signers(ID_V31, rotated, Vec::new()));
            },
            &[Code::RotationUnannounced],
        ),
        (
            "a certificate that everybody has",
            |b| {
                let mut plan = CertificatePlan::new(1);
                plan.common_name = "Android Debug".to_owned();
                b.signers(0)[0].certificate = Some(plan.build());
                b.signers(1)[0].certificate = Some(plan.build());
            },
            &[Code::DebugCertificate],
        ),
    ];
    for (name, change, expected) in cases {
        let mut blueprint = Blueprint::good();
        change(&mut blueprint);
        let inspection = judge(&blueprint.build());
        assert_eq!(
            codes(&inspection),
            *expected,
            "{name}: {:?}",
            inspection.findings()
        );
        assert_eq!(inspection.verdict(), Verdict::Verified, "{name}");
        assert!(inspection.identity().is_some(), "{name}");
    }
}

#[test]
fn remarks_on_what_the_manifest_says() {
    let plan = ManifestPlan {
        test_only: true,
        shared_user_id: Some("com.example.shared"),
        ..ManifestPlan::default()
    };
    let inspection = judge(&Blueprint::good().with_manifest(&plan).build());
    assert_eq!(codes(&inspection), [Code::TestOnly, Code::SharedUserId]);
    let app = inspection.app().expect("an app");
    assert_eq!(app.shared_user_id.as_deref(), Some("com.example.shared"));
    assert!(app.test_only && !app.debuggable);
}

/// RSA of 1,024 bits verifies on every phone.
#[test]
fn remarks_on_weak_and_oddly_written_keys() {
    let signed = |key: rsa_keys::RsaPlan| {
        let mut blueprint = Blueprint::good();
        blueprint.pairs.remove(1);
        blueprint.signers(0)[0].attributes.clear();
        blueprint.signers(0)[0].rsa = Some(key);
        judge(&blueprint.build())
    };
    let inspection = signed(rsa_keys::RsaPlan::bits_1024());
    assert_eq!(
        codes(&inspection),
        [Code::WeakKey],
        "{:?}",
        inspection.findings()
    );
    assert_eq!(inspection.certificates()[0].key, "RSA 1024");
    let inspection = signed(rsa_keys::RsaPlan::bits_2048());
    assert_eq!(codes(&inspection), [], "{:?}", inspection.findings());
    let mut negative = rsa_keys::RsaPlan::bits_2048();
    negative.negative_in_certificate = true;
    let inspection = signed(negative);
    assert_eq!(
        codes(&inspection),
        [Code::CertificateKeyReencoded],
        "{:?}",
        inspection.findings()
    );
    let mut other = rsa_keys::RsaPlan::bits_2048();
    other.spoil = true;
    assert_eq!(refusals(&signed(other)), [Code::SignatureWrong]);
}

#[test]
fn a_range_without_levels_has_no_answer() {
    let mut options = Options::default();
    (options.min_sdk, options.max_sdk) = (Some(30), Some(29));
    let inspection = inspect(&Blueprint::good().build(), &options).expect("an archive");
    assert!(codes(&inspection).contains(&Code::RangeUnsupported));
    assert_ne!(inspection.verdict(), Verdict::Verified);
}

#[test]
fn what_is_no_archive_cannot_be_judged_and_half_an_archive_is_refused() {
    for bytes in [
        &b""[..],
        b"PK",
        b"\x7fELF and so on, longer than an end record",
    ] {
        let result = inspect(&bytes, &Options::default());
        assert!(matches!(result, Err(Unreadable::NotAnArchive)), "{bytes:?}");
    }
    let cut = Blueprint::good().build()[..500].to_vec();
    let inspection = inspect(&cut, &Options::default()).expect("the beginning of one");
    assert_eq!(refusals(&inspection), [Code::ZipNoEndRecord]);
}

#[test]
fn an_archive_of_nothing_is_an_archive() {
    let empty = [&b"PK\x05\x06"[..], &[0; 18]].concat();
    let inspection = inspect(&empty, &Options::default()).expect("an archive");
    assert_eq!(inspection.verdict(), Verdict::Rejected);
}

/// Forty mebibytes of nothing, and an end record that says how much of it is the directory.
struct Claims {
    directory: u32,
}

impl Source for Claims {
    fn size(&self) -> u64 {
        u64::from(self.directory) + 4 + 22
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
        end.extend(self.directory.to_le_bytes());
        end.extend(4_u32.to_le_bytes());
        end.extend([0; 2]);
        into.fill(0);
        let end_offset = self.size() - 22;
        for (at, byte) in into.iter_mut().enumerate() {
            let place = offset + at as u64;
            if place >= end_offset {
                *byte = end[usize::try_from(place - end_offset).unwrap()];
            } else if place < 2 {
                *byte = b"PK"[usize::try_from(place).unwrap()];
            }
        }
        Ok(())
    }
}

#[test]
fn a_directory_has_a_limit_before_it_is_read() {
    for (directory, expected) in [
        (32 << 20, Code::ZipDirectoryMalformed),
        ((32 << 20) + 1, Code::ZipBudget),
    ] {
        let inspection = inspect(&Claims { directory }, &Options::default()).expect("an archive");
        assert_eq!(refusals(&inspection), [expected], "{directory}");
    }
}

/// A good file on a disk that fails where the manifest is.
struct FailingDisk(Vec<u8>);

impl Source for FailingDisk {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let manifest = 30 + "AndroidManifest.xml".len() as u64;
        if offset == manifest {
            return Err(std::io::Error::other("a bad sector"));
        }
        self.0.as_slice().read_at(offset, into)
    }
}

#[test]
fn a_failing_disk_is_nobodys_verdict() {
    let result = inspect(&FailingDisk(Blueprint::good().build()), &Options::default());
    assert!(matches!(result, Err(Unreadable::Io(_))), "{result:?}");
}

/// A panic in somebody's source ends the inspection, it does not hang it.
struct PanickingDisk(Vec<u8>);

impl Source for PanickingDisk {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        assert!(offset != 0 || into.len() < 1000, "reads the first chunk");
        self.0.as_slice().read_at(offset, into)
    }
}

#[test]
fn a_panicking_source_hangs_nobody() {
    let disk = PanickingDisk(Blueprint::good().build());
    let result = std::panic::catch_unwind(|| inspect(&disk, &Options::default()).is_err());
    assert!(result.is_err() || result.is_ok_and(|failed| failed));
}

/// A comment may hold a whole end record: the one whose comment ends with the file counts.
#[test]
fn an_end_record_inside_the_comment_is_not_taken() {
    let mut blueprint = Blueprint::good();
    blueprint.comment = [&b"PK\x05\x06"[..], &[0; 16], &[9, 0], b"inside"].concat();
    let inspection = judge(&blueprint.build());
    assert_eq!(
        inspection.verdict(),
        Verdict::Verified,
        "{:?}",
        inspection.findings()
    );
}
