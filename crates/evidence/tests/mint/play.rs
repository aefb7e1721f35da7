//! Mints Play Integrity tokens, so that a test can break exactly one rule.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::play::{Binding, Freshness, PlayFacts, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Facts, Reject, UnixTime, verify};
use serde_json::{Value, json};

pub const NOW: UnixTime = UnixTime(1_793_491_200);
pub const NOW_MS: i64 = NOW.0 * 1000;
pub const DECRYPTION: [u8; 32] = [6; 32];
pub const CONTENT_KEY: [u8; 32] = [8; 32];

/// A good token in parts.
pub struct Blueprint {
    pub jwe_header: String,
    pub jws_header: String,
    pub payload: String,
    pub signed_by: EcdsaKeyPair,
    pub key: EcdsaKeyPair,
    pub wrapping: [u8; 32],
    pub token: fn(String) -> String,
    pub binding: Binding<'static>,
}

pub fn new_key() -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap()
}

pub fn payload() -> Value {
    json!({
        "requestDetails": {
            "requestPackageName": "com.example.books",
            "timestampMillis": NOW_MS.to_string(),
            "nonce": "nonce-nonce-nonce",
        },
        "appIntegrity": {
            "appRecognitionVerdict": "PLAY_RECOGNIZED",
            "packageName": "com.example.books",
            "certificateSha256Digest": [URL_SAFE_NO_PAD.encode([7; 32])],
            "versionCode": "7",
        },
        "deviceIntegrity": {"deviceRecognitionVerdict": ["MEETS_DEVICE_INTEGRITY"]},
        "accountDetails": {"appLicensingVerdict": "LICENSED"},
    })
}

/// DER before the point of a P-256 key.
pub fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    let header = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    [&header, key.public_key().as_ref()].concat()
}

impl Blueprint {
    pub fn good() -> Self {
        let key = new_key();
        let again = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            key.to_pkcs8v1().unwrap().as_ref(),
        );
        Self {
            jwe_header: r#"{"alg":"A256KW","enc":"A256GCM"}"#.to_owned(),
            jws_header: r#"{"alg":"ES256"}"#.to_owned(),
            payload: payload().to_string(),
            signed_by: again.unwrap(),
            key,
            wrapping: DECRYPTION,
            token: |token| token,
            binding: Binding::Nonce("nonce-nonce-nonce"),
        }
    }

    /// Changes one member of the verdict.
    pub fn set(&mut self, path: &str, value: Value) {
        let mut payload = payload();
        *payload.pointer_mut(path).unwrap() = value;
        self.payload = payload.to_string();
    }

    pub fn remove(&mut self, object: &str, member: &str) {
        let mut payload = payload();
        payload
            .pointer_mut(object)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(member)
            .unwrap();
        self.payload = payload.to_string();
    }

    pub fn mint(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!(
            "{}.{}",
            text(self.jws_header.as_bytes()),
            text(self.payload.as_bytes())
        );
        let signature = self
            .signed_by
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        let mut sealed = format!("{message}.{}", text(signature.as_ref())).into_bytes();
        let protected = text(self.jwe_header.as_bytes());
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).unwrap());
        let iv = [9; 12];
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(protected.as_bytes()),
                &mut sealed,
            )
            .unwrap();
        let mut wrapped = [0; 40];
        AesKek::new(&AES_256, &self.wrapping)
            .unwrap()
            .wrap(&CONTENT_KEY, &mut wrapped)
            .unwrap();
        let parts = [&wrapped[..], &iv, &sealed, tag.as_ref()].map(text);
        (self.token)(format!("{protected}.{}", parts.join(".")))
    }

    pub fn verdict(&self) -> Result<PlayFacts, Reject> {
        self.ask(&self.mint())
    }

    pub fn ask(&self, token: &str) -> Result<PlayFacts, Reject> {
        let keys = PlayKeys::new(&DECRYPTION, &spki(&self.key)).unwrap();
        let evidence = Evidence::PlayIntegrity(PlayIntegrity {
            token: PlayToken::Sealed { token, keys: &keys },
            binding: self.binding,
            package: "com.example.books",
            freshness: Freshness::at(NOW),
        });
        let context = Context {
            now: NOW,
            challenge: ExpectedChallenge::NotCompared,
            anchors: &Anchors::none(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let Facts::PlayIntegrity(facts) = verify(&evidence, &context)? else {
            panic!("another kind")
        };
        Ok(facts)
    }
}
