//! The phone keeps the promises of hardware: keys stay with their app, and boot state is told as it is.
#![expect(
    clippy::expect_used,
    reason = "a test may fail loudly, and a skip must be seen"
)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use bonafide_simulator::apk::{Apk, BuildType, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone, Provisioning, SimulatorError};
use bonafide_wire::device::Measured;
use x509_parser::prelude::{FromDer as _, X509Certificate};

const NOW: i64 = 1_795_600_000;

fn app(package: &str) -> Apk {
    let key = SigningKey::generate(KeyKind::EcP256, "Developer", NOW).expect("a key");
    Apk::builder(package).sign(&key).expect("signs")
}

fn phone() -> Phone {
    let factory = Factory::new(NOW).expect("a factory");
    Phone::builder("Test One")
        .build(&factory, NOW)
        .expect("a phone")
}

#[test]
fn chains_link_from_the_leaf_to_the_factorys_root() {
    let factory = Factory::new(NOW).unwrap();
    for (provisioning, length) in [(Provisioning::Factory, 4), (Provisioning::Remote, 5)] {
        let phone = Phone::builder("Test One")
            .strong_box()
            .provisioning(provisioning)
            .build(&factory, NOW)
            .unwrap();
        let uid = phone.install(&app("dev.bonafide.books")).unwrap();
        let (_, chain) = phone.generate_key(uid, b"sixteen bytes 16", NOW).unwrap();
        assert_eq!(chain.len(), length);
        assert_eq!(chain.last().unwrap(), factory.root_certificate_der());
        let certificates: Vec<X509Certificate<'_>> = chain
            .iter()
            .map(|der| {
                let (rest, certificate) = X509Certificate::from_der(der).unwrap();
                assert!(rest.is_empty());
                certificate
            })
            .collect();
        for pair in certificates.windows(2) {
            assert_eq!(pair[0].issuer().as_raw(), pair[1].subject().as_raw());
        }
    }
}

#[test]
fn an_app_signs_with_its_own_keys_and_no_other() {
    let phone = phone();
    let books = phone.install(&app("dev.bonafide.books")).unwrap();
    let spy = phone.install(&app("com.example.spy")).unwrap();
    let (alias, chain) = phone.generate_key(books, b"challenge", NOW).unwrap();

    let signature = phone.sign(books, &alias, b"message").unwrap();
    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    UnparsedPublicKey::new(
        &ECDSA_P256_SHA256_ASN1,
        &leaf.public_key().subject_public_key.data,
    )
    .verify(b"message", &signature)
    .unwrap();

    assert_eq!(phone.aliases(books), std::slice::from_ref(&alias));
    assert_eq!(phone.aliases(spy), []);
    assert!(matches!(
        phone.sign(spy, &alias, b"message"),
        Err(SimulatorError::KeyNotFound)
    ));
}

#[test]
fn an_update_keeps_keys_and_a_clone_cannot_pose_as_an_update() {
    let ours = SigningKey::generate(KeyKind::EcP256, "Developer", NOW).unwrap();
    let theirs = SigningKey::generate(KeyKind::EcP256, "Somebody", NOW).unwrap();
    let builder = Apk::builder("dev.bonafide.books");
    let phone = phone();
    let uid = phone
        .install(&builder.clone().sign(&ours).unwrap())
        .unwrap();
    let (alias, _) = phone.generate_key(uid, b"challenge", NOW).unwrap();

    let update = builder.clone().version(2, "2.0").sign(&ours).unwrap();
    assert_eq!(phone.install(&update).unwrap(), uid);
    assert!(phone.sign(uid, &alias, b"message").is_ok());

    let clone = builder.sign(&theirs).unwrap();
    assert!(matches!(
        phone.install(&clone),
        Err(SimulatorError::SignerMismatch(_))
    ));
    phone.uninstall(uid).unwrap();
    let clone = phone.install(&clone).unwrap();
    assert_ne!(clone, uid);
    assert!(phone.sign(clone, &alias, b"message").is_err());
}

#[test]
fn unlocking_erases_apps_and_keys() {
    let phone = phone();
    let uid = phone.install(&app("dev.bonafide.books")).unwrap();
    let (alias, _) = phone.generate_key(uid, b"challenge", NOW).unwrap();
    phone.unlock_bootloader().unwrap();
    assert!(phone.app("dev.bonafide.books").is_none());
    assert!(phone.sign(uid, &alias, b"message").is_err());
}

#[test]
fn measurements_tell_what_happens_to_the_process() {
    let phone = phone();
    let apk = app("dev.bonafide.books");
    let uid = phone.install(&apk).unwrap();
    let calm = phone.measure(uid).unwrap();
    assert_eq!(calm.debugger, Measured::Clear);
    assert_eq!(calm.root, Measured::Clear);
    assert_eq!(calm.artifact_sha256.unwrap().0, apk.sha256());

    phone.attach_debugger(uid).unwrap();
    assert_eq!(phone.measure(uid).unwrap().debugger, Measured::Detected);
    phone.detach_debugger(uid).unwrap();
    assert_eq!(phone.measure(uid).unwrap().debugger, Measured::Clear);
    let debug = apk.contents().build_type(BuildType::Debug);
    let debug = debug.sign(&SigningKey::generate(KeyKind::EcP256, "Developer", NOW).unwrap());
    let other = self::phone();
    let debuggable = other.install(&debug.unwrap()).unwrap();
    assert_eq!(
        other.measure(debuggable).unwrap().debugger,
        Measured::Detected
    );

    phone.instrument(uid).unwrap();
    assert_eq!(
        phone.measure(uid).unwrap().instrumentation,
        Measured::Detected
    );
    phone.root().unwrap();
    assert_eq!(phone.measure(uid).unwrap().root, Measured::Detected);
}

#[test]
fn a_phone_in_a_directory_is_the_same_phone_in_two_processes() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("phone");
    let first = phone();
    first.keep_in(&home).unwrap();
    let uid = first.install(&app("dev.bonafide.books")).unwrap();
    let (alias, _) = first.generate_key(uid, b"challenge", NOW).unwrap();
    drop(first);

    assert!(Phone::lives_in(&home));
    let second = Phone::load(&home).unwrap();
    assert_eq!(second.app("dev.bonafide.books"), Some(uid));
    assert!(second.sign(uid, &alias, b"message").is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = home.join("phone.json");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_factory_is_the_same_root_after_saving() {
    let factory = Factory::new(NOW).unwrap();
    let again = Factory::from_saved(&factory.to_saved().unwrap()).unwrap();
    assert_eq!(again.root_certificate_der(), factory.root_certificate_der());
    let phone = Phone::builder("Test One").build(&again, NOW).unwrap();
    let uid = phone.install(&app("dev.bonafide.books")).unwrap();
    let (_, chain) = phone.generate_key(uid, b"challenge", NOW).unwrap();
    assert_eq!(chain.last().unwrap(), factory.root_certificate_der());
}
