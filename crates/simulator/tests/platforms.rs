//! `evidence` authenticates the virtual iPhone's objects and Google Play's verdicts as it does real ones, and finds
//! exactly what is wrong when exactly one thing is wrong.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, AppAttestFacts, Assertion, Environment, ExpectedKeyId, verify_assertion,
};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Facts, Reject, UnixTime, verify};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{
    Factory, IPhone, IosApp, IosKeyId, IosRelease, IosVersion, KeyKind, Phone, PlayConsole,
    PlayRequest, PlayVerdicts, SimulatorError,
};

const NOW: i64 = 1_795_600_000;
const APP_ID: &str = "TEAM123456.dev.bonafide.books";
const HASH: [u8; 32] = [7; 32];

fn app(release: IosRelease) -> IosApp {
    IosApp {
        app_id: APP_ID.to_owned(),
        build: "42".to_owned(),
        release,
    }
}

fn iphone(factory: &Factory, version: IosVersion, release: IosRelease) -> IPhone {
    let phone = IPhone::new(factory, version, NOW).expect("a phone");
    phone.install(app(release));
    phone
}

fn attested(phone: &IPhone) -> (IosKeyId, Vec<u8>) {
    let key = phone.generate_key(APP_ID).expect("a key");
    let object = phone.attest_key(APP_ID, key, &HASH, NOW).expect("attests");
    (key, object)
}

fn facts(
    factory: &Factory,
    (key, object): &(IosKeyId, Vec<u8>),
    hash: &[u8],
) -> Result<AppAttestFacts, Reject> {
    let anchors = Anchors::apple_app_attest()
        .with_development(factory.root_certificate_der())
        .expect("an anchor");
    let context = Context {
        now: UnixTime(NOW),
        challenge: ExpectedChallenge::Exactly(hash),
        anchors: &anchors,
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let evidence = Evidence::AppAttest(AppAttest {
        object,
        app_id: APP_ID,
        key_id: ExpectedKeyId::Exactly(&key.0),
    });
    match verify(&evidence, &context)? {
        Facts::AppAttest(facts) => Ok(facts),
        other => panic!("{other:?}"),
    }
}

#[test]
fn attestations_are_authentic_in_both_worlds_and_both_shapes() {
    let factory = Factory::new(NOW).expect("a factory");
    let cases = [
        (
            IosVersion::Ios26,
            IosRelease::AppStore,
            None,
            Environment::Production,
        ),
        (
            IosVersion::Ios27,
            IosRelease::AppStore,
            Some(4),
            Environment::Production,
        ),
        (
            IosVersion::Ios27,
            IosRelease::TestFlight,
            Some(2),
            Environment::Production,
        ),
        (
            IosVersion::Ios27,
            IosRelease::Development,
            Some(3),
            Environment::Development,
        ),
    ];
    for (version, release, category, environment) in cases {
        let phone = iphone(&factory, version, release);
        let attested = attested(&phone);
        let facts = facts(&factory, &attested, &HASH).expect("authentic");
        assert_eq!(facts.environment, environment);
        assert_eq!(facts.release.validation_category, category);
        assert_eq!(facts.key_id.0, attested.0.0);
        assert!(Facts::AppAttest(facts).development());
    }
}

#[test]
fn an_attestation_is_for_one_client_data_hash_and_one_root() {
    let factory = Factory::new(NOW).expect("a factory");
    let phone = iphone(&factory, IosVersion::Ios27, IosRelease::AppStore);
    let attested = attested(&phone);
    assert_eq!(
        facts(&factory, &attested, &[8; 32]),
        Err(Reject::NonceMismatch)
    );
    let other = Factory::new(NOW).expect("a factory");
    assert_eq!(facts(&other, &attested, &HASH), Err(Reject::RootNotTrusted));
}

#[test]
fn assertions_count_up() {
    let factory = Factory::new(NOW).expect("a factory");
    for version in [IosVersion::Ios26, IosVersion::Ios27] {
        let phone = iphone(&factory, version, IosRelease::AppStore);
        let attested = attested(&phone);
        let facts = facts(&factory, &attested, &HASH).expect("authentic");
        let objects = [(); 2].map(|()| {
            phone
                .generate_assertion(APP_ID, attested.0, &HASH)
                .expect("asserts")
        });
        let verify = |object: &[u8], previous_counter| {
            verify_assertion(&Assertion {
                object,
                app_id: APP_ID,
                client_data_hash: &HASH,
                public_key: &facts.public_key.0,
                previous_counter,
            })
            .map(|facts| facts.counter)
        };
        let [first, second] = &objects;
        assert_eq!(verify(first, 0), Ok(1));
        assert_eq!(verify(second, 1), Ok(2));
        assert_eq!(verify(first, 1), Err(Reject::CounterNotGreater));
    }
}

#[test]
fn keys_belong_to_one_app_are_attested_once_and_survive_only_updates() {
    let factory = Factory::new(NOW).expect("a factory");
    let phone = iphone(&factory, IosVersion::Ios27, IosRelease::AppStore);
    let (key, _) = attested(&phone);
    let twice = phone.attest_key(APP_ID, key, &HASH, NOW);
    assert!(matches!(twice, Err(SimulatorError::KeyAttestedAlready)));
    let other = IosApp {
        app_id: "TEAM123456.dev.bonafide.other".to_owned(),
        ..app(IosRelease::AppStore)
    };
    phone.install(other.clone());
    let foreign = phone.generate_assertion(&other.app_id, key, &HASH);
    assert!(matches!(foreign, Err(SimulatorError::KeyNotFound)));
    phone.install(app(IosRelease::AppStore));
    phone
        .generate_assertion(APP_ID, key, &HASH)
        .expect("an update keeps the key");
    phone.restore_from_backup();
    let restored = phone.generate_assertion(APP_ID, key, &HASH);
    assert!(matches!(restored, Err(SimulatorError::KeyNotFound)));
    let (key, _) = attested(&phone);
    phone.uninstall(APP_ID).expect("it is there");
    phone.install(app(IosRelease::AppStore));
    let reinstalled = phone.generate_assertion(APP_ID, key, &HASH);
    assert!(matches!(reinstalled, Err(SimulatorError::KeyNotFound)));
}

#[test]
fn google_play_says_what_the_phone_is() {
    let factory = Factory::new(NOW).expect("a factory");
    let sign = |developer: &str| {
        let key = SigningKey::generate(KeyKind::EcP256, developer, NOW).expect("a key");
        let builder = Apk::builder("dev.bonafide.books").version(7, "1.7");
        builder.sign(&key).expect("signs")
    };
    let (books, clone) = (sign("Developer"), sign("Thief"));
    let console = |verdicts| {
        PlayConsole::new("dev.bonafide.books", vec![books.signer()], verdicts).expect("keys")
    };
    let (google, tester) = (
        console(PlayVerdicts::Evaluated),
        console(PlayVerdicts::Testing),
    );
    let cases = [
        (&google, &books, Some("PLAY_RECOGNIZED"), false, true),
        (&google, &clone, Some("UNRECOGNIZED_VERSION"), false, true),
        (&google, &books, Some("PLAY_RECOGNIZED"), false, false),
        (&tester, &books, Some("PLAY_RECOGNIZED"), true, true),
    ];
    for (console, apk, recognized, development, locked) in cases {
        let phone = Phone::builder("Demo")
            .build(&factory, NOW)
            .expect("a phone");
        if !locked {
            phone.unlock_bootloader().expect("unlocks");
        }
        let app = phone.install(apk).expect("installs");
        for request in [PlayRequest::Standard("hash"), PlayRequest::Classic("hash")] {
            let token = console.token(&phone, app, request, NOW).expect("a token");
            let decode = |text: String| STANDARD.decode(text).expect("base64");
            let verification = console.verification_key_base64().expect("a key");
            let keys = PlayKeys::new(
                &decode(console.decryption_key_base64()),
                &decode(verification),
            )
            .expect("keys");
            let facts = play_facts(&token, &keys);
            assert_eq!(facts.app_verdict.as_deref(), recognized);
            assert_eq!(
                facts.device_labels.contains("MEETS_DEVICE_INTEGRITY"),
                locked
            );
            assert_eq!(Facts::PlayIntegrity(facts).development(), development);
        }
    }
}

fn play_facts(token: &str, keys: &PlayKeys) -> bonafide_evidence::play::PlayFacts {
    let evidence = Evidence::PlayIntegrity(PlayIntegrity {
        token: PlayToken::Sealed { token, keys },
        binding: Binding::Either("hash"),
        package: "dev.bonafide.books",
        freshness: Freshness::at(UnixTime(NOW)),
    });
    let context = Context {
        now: UnixTime(NOW),
        challenge: ExpectedChallenge::NotCompared,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    match verify(&evidence, &context).expect("authentic") {
        Facts::PlayIntegrity(facts) => facts,
        other => panic!("{other:?}"),
    }
}
