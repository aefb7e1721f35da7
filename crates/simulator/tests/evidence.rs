//! `evidence` authenticates what the phone says under the factory's root, marks it development, and finds exactly
//! what is wrong when exactly one thing is wrong.
#![expect(clippy::expect_used, reason = "a test may fail loudly")]

use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::{
    Appraisal, Context, DeviceOverride, Evidence, ExpectedChallenge, Facts, Measurements, Policy,
    ReferenceValue, Reject, Sha256Digest, Sightings, UnixTime, appraise, verify,
};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{AppUid, Factory, KeyKind, Phone, PhoneBuilder, Provisioning};
use bonafide_wire::device;

const NOW: i64 = 1_795_600_000;
const CHALLENGE: &[u8] = b"sixteen bytes or more";

struct World {
    factory: Factory,
    developer: SigningKey,
    books: Apk,
}

impl World {
    fn new() -> Self {
        let developer = SigningKey::generate(KeyKind::EcP256, "Developer", NOW).expect("a key");
        Self {
            factory: Factory::new(NOW).expect("a factory"),
            books: Apk::builder("dev.bonafide.books")
                .version(7, "1.7")
                .sign(&developer)
                .expect("signs"),
            developer,
        }
    }

    fn phone(&self, builder: PhoneBuilder) -> Phone {
        builder.build(&self.factory, NOW).expect("a phone")
    }

    fn verify(&self, chain: &[Vec<u8>], challenge: &[u8]) -> Result<Facts, Reject> {
        let anchors = Anchors::none()
            .with_development(self.factory.root_certificate_der())
            .expect("an anchor");
        let context = Context {
            now: UnixTime(NOW),
            challenge: ExpectedChallenge::Exactly(challenge),
            anchors: &anchors,
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        verify(&Evidence::AndroidKey { chain }, &context)
    }

    /// The codes of the enforced findings about an app on a phone, with Books registered.
    fn codes(&self, phone: &Phone, app: AppUid) -> Vec<&'static str> {
        let (_, chain) = phone.generate_key(app, CHALLENGE, NOW).expect("a key");
        let facts = self.verify(&chain, CHALLENGE).expect("authentic");
        let registered = ReferenceValue::Build {
            package: self.books.package().to_owned(),
            version_code: self.books.version_code(),
            signers: vec![Sha256Digest(self.books.signer())],
            artifact_sha256: Sha256Digest(self.books.sha256()),
        };
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &measurements(&phone.measure(app).expect("measures")),
            references: &[registered],
            device_override: DeviceOverride::None,
            revocation_list: ListAge::Missing,
            sightings: Sightings::NotKept,
            now: UnixTime(NOW),
        };
        let mut policy = Policy::default();
        policy.set("development", "observe").expect("a check");
        match appraise(&appraisal, &policy).into_grant() {
            Ok(grant) => {
                assert!(grant.development());
                Vec::new()
            }
            Err(refusal) => refusal.codes().collect(),
        }
    }
}

fn measurements(wire: &device::Measurements) -> Measurements {
    let json = serde_json::to_value(wire).expect("JSON");
    let measured = |name: &str| serde_json::from_value(json[name].clone()).expect("the same words");
    let sha256 = wire.artifact_sha256.as_ref();
    Measurements {
        debugger: measured("debugger"),
        tracer: measured("tracer"),
        instrumentation: measured("instrumentation"),
        injected_libraries: measured("injected_libraries"),
        code_modified: measured("code_modified"),
        emulator: measured("emulator"),
        root: measured("root"),
        artifact_sha256: sha256
            .map(|digest| Sha256Digest(digest.0.as_slice().try_into().expect("32 bytes"))),
    }
}

#[test]
fn every_kind_of_phone_is_genuine_and_marked_development() {
    let world = World::new();
    let builders = [
        Phone::builder("Test One"),
        Phone::builder("Test One").strong_box(),
        Phone::builder("Test One").provisioning(Provisioning::Remote),
        Phone::builder("Test One")
            .provisioning(Provisioning::Remote)
            .strong_box(),
    ];
    for builder in builders {
        let phone = world.phone(builder);
        let app = phone.install(&world.books).unwrap();
        let (_, chain) = phone.generate_key(app, CHALLENGE, NOW).unwrap();
        let facts = world.verify(&chain, CHALLENGE).unwrap();
        assert!(facts.development());
        let Facts::AndroidKey(android) = &facts else {
            panic!("another kind: {facts:?}");
        };
        assert_eq!(android.tolerated, []);
        assert_eq!(world.codes(&phone, app), [""; 0]);
    }
}

#[test]
fn another_challenge_is_a_mismatch() {
    let world = World::new();
    let phone = world.phone(Phone::builder("Test One"));
    let app = phone.install(&world.books).unwrap();
    let (_, chain) = phone.generate_key(app, CHALLENGE, NOW).unwrap();
    let reject = world.verify(&chain, b"another challenge").unwrap_err();
    assert_eq!(reject.code(), "challenge-mismatch");
}

#[test]
fn another_factory_is_not_trusted() {
    let world = World::new();
    let phone = Phone::builder("Test One")
        .build(&Factory::new(NOW).unwrap(), NOW)
        .unwrap();
    let app = phone.install(&world.books).unwrap();
    let (_, chain) = phone.generate_key(app, CHALLENGE, NOW).unwrap();
    let reject = world.verify(&chain, CHALLENGE).unwrap_err();
    assert_eq!(reject.code(), "root-not-trusted");
}

#[test]
fn each_manipulation_of_the_app_has_its_code() {
    let world = World::new();
    let stranger = SigningKey::generate(KeyKind::EcP256, "Somebody else", NOW).unwrap();
    let contents = world.books.contents();
    let cases = [
        (
            "clone",
            contents.clone().sign(&stranger).unwrap(),
            "app-not-registered",
        ),
        (
            "next version",
            contents
                .clone()
                .version(8, "1.8")
                .sign(&world.developer)
                .unwrap(),
            "app-not-registered",
        ),
        (
            "same version, other code",
            contents
                .clone()
                .code("patched")
                .sign(&world.developer)
                .unwrap(),
            "artifact-modified",
        ),
    ];
    for (name, apk, code) in cases {
        let phone = world.phone(Phone::builder("Test One"));
        let app = phone.install(&apk).unwrap();
        assert_eq!(world.codes(&phone, app), [code], "{name}");
    }
}

type Manipulation = fn(&Phone, AppUid);

#[test]
fn each_manipulation_of_the_phone_has_its_codes() {
    let world = World::new();
    let cases: [(&str, Manipulation, &[&str]); 3] = [
        (
            "debugger",
            |phone, app| phone.attach_debugger(app).expect("attaches"),
            &["debugger-attached"],
        ),
        (
            "hooks",
            |phone, app| phone.instrument(app).expect("instruments"),
            &["instrumentation-detected", "libraries-injected"],
        ),
        (
            "root",
            |phone, _| phone.root().expect("roots"),
            &["root-detected"],
        ),
    ];
    for (name, manipulate, codes) in cases {
        let phone = world.phone(Phone::builder("Test One"));
        let app = phone.install(&world.books).unwrap();
        manipulate(&phone, app);
        assert_eq!(world.codes(&phone, app), codes, "{name}");
    }

    let phone = world.phone(Phone::builder("Test One"));
    phone.unlock_bootloader().unwrap();
    let app = phone.install(&world.books).unwrap();
    assert_eq!(
        world.codes(&phone, app),
        ["bootloader-unlocked", "boot-not-verified"]
    );
}
