//! Trust roots and anchors: certificates that operators add.

use bonafide_simulator::{Factory, PlayConsole, PlayVerdicts};
use bonafide_wire::config_string::SdkConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::harness::{Harness, START};

const ACME: &str = "/accounts/acme";

/// A certificate made in that way.
fn certificate(make: impl FnOnce(&mut CertificateParams)) -> Value {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Acme CA");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    make(&mut params);
    let pem = params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .pem();
    json!({ "certificate_pem": pem })
}

#[tokio::test]
async fn a_trust_root_is_an_authority_in_force_and_in_the_bundle() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/trust-roots/acme-ca");
    let version = || {
        let acme = bonafide_wire::ids::AccountId::parse("acme").unwrap();
        harness.service.snapshot().configuration.accounts[&acme]
            .trust
            .version
    };
    let before = version();
    let refused = [
        certificate(|params| params.is_ca = IsCa::NoCa),
        certificate(|params| params.is_ca = IsCa::ExplicitNoCa),
        certificate(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        certificate(|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1)),
        certificate(|params| params.not_before = rcgen::date_time_ymd(2039, 1, 1)),
        json!({ "certificate_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" }),
        json!({ "certificate_pem": "" }),
    ];
    for body in refused {
        admin.put(&path, body).await.broken(&["/certificate_pem"]);
    }
    assert_eq!(version(), before);
    let root = admin.put(&path, certificate(|_| {})).await.ok(200);
    assert_eq!(root["subject"], "CN=Acme CA");
    assert_eq!(root["spki_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(version(), before + 1);
    let list = admin.get(&format!("{ACME}/trust-roots")).await.ok(200);
    assert_eq!(list["items"], json!([root]));
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(version(), before + 2);
    admin.delete(&path).await.refused(404, "not-found");
}

#[tokio::test]
async fn an_anchor_is_one_certificate_and_never_a_published_key() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let factory = Factory::new(START).unwrap();
    let pem = factory.root_certificate_pem();
    let path = format!("{ACME}/anchors/simulator");
    let anchor = admin
        .put(&path, json!({ "certificate_pem": pem }))
        .await
        .ok(200);
    assert_eq!(
        (&anchor["name"], &anchor["added_by"]),
        (&json!("simulator"), &json!(harness.root_signature()))
    );
    let twice = format!("{pem}{pem}");
    admin
        .put(&path, json!({ "certificate_pem": twice }))
        .await
        .broken(&["/certificate_pem"]);
    admin
        .put(
            &format!("{ACME}/anchors/A"),
            json!({ "certificate_pem": pem }),
        )
        .await
        .broken(&["/name"]);
    let list = admin.get(&format!("{ACME}/anchors")).await.ok(200);
    assert_eq!(list["items"], json!([anchor]));
    assert_eq!(admin.delete(&path).await.status, 204);
}

#[tokio::test]
async fn play_keys_come_in_and_are_never_given_out() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let play = PlayConsole::new("com.example.books", vec![], PlayVerdicts::Evaluated).unwrap();
    let (decryption, verification) = (
        play.decryption_key_base64(),
        play.verification_key_base64().unwrap(),
    );
    let keys = |decryption: &str, verification: &str| {
        json!({ "response-encryption": {
            "decryption_key": decryption, "verification_key": verification
        } })
    };
    let path = format!("{ACME}/play-keys/books");
    let good = keys(&decryption, &verification);
    admin
        .put(&path, good.clone())
        .await
        .refused(404, "not-found");
    let app = json!({ "id": "books", "name": "Books", "android_package": "com.example.books" });
    admin.post(&format!("{ACME}/apps"), app).await.ok(201);
    // The two keys are easily mixed up.
    admin
        .put(&path, keys(&verification, &decryption))
        .await
        .broken(&["/response-encryption/decryption_key"]);
    let set = admin.put(&path, good).await.ok(200);
    assert_eq!(set["package"], "com.example.books");
    assert!(!set.to_string().contains(&decryption));
    let list = admin.get(&format!("{ACME}/play-keys")).await.ok(200);
    assert_eq!(list["items"], json!([set]));
    let app = format!("{ACME}/apps/books");
    admin.delete(&app).await.refused(409, "conflict");
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.delete(&app).await.status, 204);
}

#[tokio::test]
async fn the_config_string_names_service_account_and_root_key() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let text = admin.get(&format!("{ACME}/sdk-config")).await.ok(200);
    let config = SdkConfig::parse(text["config"].as_str().unwrap()).unwrap();
    assert_eq!(config.service, "https://bonafide.example");
    assert_eq!(config.account.as_str(), "acme");
    assert_eq!(config.trust_root.as_slice().len(), 32);
}
