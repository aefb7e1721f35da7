//! Debian's `apksigner` accepts what the simulator signs, and refuses it once a byte has changed.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and a skip must be seen"
)]

use std::path::Path;
use std::process::Command;

use bonafide_artifact::{Inspection, Options, Scheme, Severity, Verdict, inspect};
use bonafide_simulator::KeyKind;
use bonafide_simulator::apk::{Apk, BuildType, SigningKey};

const NOW: i64 = 1_795_600_000;

fn books(key: &SigningKey) -> Apk {
    Apk::builder("dev.bonafide.books")
        .version(7, "1.7")
        .label("Books")
        .asset("bonafide.txt", "bonafide1:e30")
        .sign(key)
        .expect("signs")
}

/// The output of `apksigner verify -v`, or nothing where it is not installed.
fn apksigner(apk: &Path) -> Option<(bool, String)> {
    let ran = Command::new("apksigner")
        .args(["verify", "-v", "--print-certs"])
        .arg(apk)
        .output();
    let Ok(output) = ran else {
        println!("SKIPPED: apksigner is not installed");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn apksigner_accepts_both_schemes_under_both_kinds_of_key() {
    let directory = tempfile::tempdir().unwrap();
    for kind in [KeyKind::EcP256, KeyKind::Rsa2048] {
        let key = SigningKey::generate(kind, "Books developer", NOW).unwrap();
        let apk = books(&key);
        let path = directory.path().join("books.apk");
        apk.write(&path).unwrap();
        let Some((accepted, said)) = apksigner(&path) else {
            return;
        };
        assert!(accepted, "{kind:?}: {said}");
        for scheme in [
            "(APK Signature Scheme v2): true",
            "(APK Signature Scheme v3): true",
        ] {
            assert!(said.contains(scheme), "{kind:?}: {said}");
        }
        assert!(said.contains(&hex::encode(apk.signer())), "{said}");
    }
}

#[test]
fn apksigner_refuses_an_apk_in_which_one_byte_changed() {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::generate(KeyKind::EcP256, "Books developer", NOW).unwrap();
    let mut bytes = books(&key).bytes().to_vec();
    let at = find(&bytes, b"classes.dex") + b"classes.dex".len() + 4;
    bytes[at] ^= 1;
    let path = directory.path().join("tampered.apk");
    std::fs::write(&path, bytes).unwrap();
    if let Some((accepted, said)) = apksigner(&path) {
        assert!(!accepted, "{said}");
    }
}

fn inspection(bytes: &[u8]) -> Inspection {
    inspect(&bytes.to_vec(), &Options::default()).expect("readable")
}

#[test]
fn our_own_verifier_reads_what_was_built_and_finds_nothing() {
    for kind in [KeyKind::EcP256, KeyKind::Rsa2048] {
        let key = SigningKey::generate(kind, "Books developer", NOW).unwrap();
        let apk = books(&key);
        let inspection = inspection(apk.bytes());
        let worries: Vec<_> = inspection
            .findings()
            .iter()
            .filter(|finding| finding.severity() != Severity::Info)
            .collect();
        assert!(worries.is_empty(), "{worries:?}");
        assert_eq!(inspection.verdict(), Verdict::Verified);
        assert_eq!(inspection.schemes(), [Scheme::V2, Scheme::V3]);
        let identity = inspection.identity().unwrap();
        assert_eq!(identity.package(), "dev.bonafide.books");
        assert_eq!(identity.version_code(), 7);
        assert_eq!(identity.artifact_sha256().0, apk.sha256());
        assert_eq!(identity.current_signers()[0].0, apk.signer());
    }
}

/// Every byte counts: what lies in the signed parts by the signature, the signing block by being strict.
#[test]
fn our_own_verifier_refuses_any_changed_byte_of_the_signed_parts() {
    let key = SigningKey::generate(KeyKind::EcP256, "Books developer", NOW).unwrap();
    let bytes = books(&key).bytes().to_vec();
    let block = find(&bytes, b"APK Sig Block 42") + 16;
    let directory = bytes.len() - block;
    for at in (0..500).step_by(7).chain(block..block + directory) {
        let mut tampered = bytes.clone();
        tampered[at] ^= 1;
        let refused = inspect(&tampered, &Options::default())
            .map_or(true, |inspection| inspection.identity().is_none());
        assert!(refused, "byte {at}");
    }
}

#[test]
fn another_developer_another_signer_the_same_app_otherwise() {
    let ours = SigningKey::generate(KeyKind::EcP256, "Books developer", NOW).unwrap();
    let theirs = SigningKey::generate(KeyKind::EcP256, "Somebody else", NOW).unwrap();
    let apk = books(&ours);
    let clone = apk.contents().sign(&theirs).unwrap();
    assert_eq!(clone.package(), apk.package());
    assert_eq!(clone.version_code(), apk.version_code());
    assert_eq!(clone.build_type(), BuildType::Release);
    assert_ne!(clone.signer(), apk.signer());
    assert_ne!(clone.sha256(), apk.sha256());
}

#[test]
fn a_signing_key_is_the_same_developer_after_saving() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("developer.json");
    let key = SigningKey::generate(KeyKind::EcP256, "Books developer", NOW).unwrap();
    key.save(&path).unwrap();
    let loaded = SigningKey::load(&path).unwrap();
    assert_eq!(loaded.certificate_sha256(), key.certificate_sha256());
    assert_eq!(books(&loaded).signer(), key.certificate_sha256());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("present")
}
