//! Google's side of Play Integrity for one app: the keys of "response encryption", and verdicts under them.
//!
//! A verdict says what the virtual phone is, as Google's servers would find it. Only who asks decides for what: the
//! token is no proof of possession, here as in life.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::key::random;
use crate::{AppUid, Phone, SimulatorError};

/// Which kind of request the app makes, with the text that binds the verdict to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayRequest<'a> {
    /// A standard request's `requestHash`.
    Standard(&'a str),
    /// A classic request's `nonce`.
    Classic(&'a str),
}

/// Who makes the verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayVerdicts {
    /// Google, by what it sees.
    Evaluated,
    /// A tester, by hand, in the Play Console.
    Testing,
}

/// One app in the Play Console.
pub struct PlayConsole {
    package: String,
    /// SHA-256 of the certificates under which Google Play knows the app.
    signers: Vec<[u8; 32]>,
    decryption: Zeroizing<[u8; 32]>,
    signer: EcdsaKeyPair,
    verdicts: PlayVerdicts,
}

impl core::fmt::Debug for PlayConsole {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PlayConsole({}, [redacted])", self.package)
    }
}

impl PlayConsole {
    /// An app under the certificates of its releases, with new keys.
    pub fn new(
        package: impl Into<String>,
        signers: Vec<[u8; 32]>,
        verdicts: PlayVerdicts,
    ) -> Result<Self, SimulatorError> {
        let failed = |_| SimulatorError::Cryptography("key generation");
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).map_err(failed)?;
        let signer = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref())
            .map_err(|_| SimulatorError::Cryptography("key generation"))?;
        Ok(Self {
            package: package.into(),
            signers,
            decryption: Zeroizing::new(random()?),
            signer,
            verdicts,
        })
    }

    /// The decryption key, as the console shows it.
    pub fn decryption_key_base64(&self) -> String {
        STANDARD.encode(*self.decryption)
    }

    /// The verification key, as the console shows it.
    pub fn verification_key_base64(&self) -> Result<String, SimulatorError> {
        let spki = self.signer.public_key().as_der();
        let spki = spki.map_err(|_| SimulatorError::Cryptography("public key encoding"))?;
        Ok(STANDARD.encode(spki.as_ref()))
    }

    /// What Google Play answers to an app on a phone; `now` in seconds since 1970.
    pub fn token(
        &self,
        phone: &Phone,
        app: AppUid,
        request: PlayRequest<'_>,
        now: i64,
    ) -> Result<String, SimulatorError> {
        let verdict = self.verdict(phone, app, request, now)?;
        self.seal(&self.sign(&verdict)?)
    }

    fn verdict(
        &self,
        phone: &Phone,
        app: AppUid,
        request: PlayRequest<'_>,
        now: i64,
    ) -> Result<Value, SimulatorError> {
        let seen = phone.seen_by_play(app)?;
        let known = seen.package == self.package
            && seen
                .signers
                .iter()
                .all(|signer| self.signers.contains(signer));
        let digests: Vec<String> = seen
            .signers
            .iter()
            .map(|signer| URL_SAFE_NO_PAD.encode(signer))
            .collect();
        let labels: &[&str] = if seen.locked {
            &["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"]
        } else {
            &[]
        };
        let (name, bound) = match request {
            PlayRequest::Standard(hash) => ("requestHash", hash),
            PlayRequest::Classic(nonce) => ("nonce", nonce),
        };
        let mut details = json!({
            "requestPackageName": seen.package,
            "timestampMillis": now.saturating_mul(1000).to_string(),
        });
        details[name] = json!(bound);
        let mut verdict = json!({
            "requestDetails": details,
            "appIntegrity": {
                "appRecognitionVerdict": if known { "PLAY_RECOGNIZED" } else { "UNRECOGNIZED_VERSION" },
                "packageName": seen.package,
                "certificateSha256Digest": digests,
                "versionCode": seen.version_code.to_string(),
            },
            "deviceIntegrity": { "deviceRecognitionVerdict": labels },
            "accountDetails": { "appLicensingVerdict": "LICENSED" },
        });
        if self.verdicts == PlayVerdicts::Testing {
            verdict["testingDetails"] = json!({ "isTestingResponse": true });
        }
        Ok(verdict)
    }

    /// Compact JWS, ES256.
    fn sign(&self, verdict: &Value) -> Result<String, SimulatorError> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let payload = verdict.to_string();
        let message = format!(
            "{}.{}",
            text(br#"{"alg":"ES256"}"#),
            text(payload.as_bytes())
        );
        let signature = self
            .signer
            .sign(&SystemRandom::new(), message.as_bytes())
            .map_err(|_| SimulatorError::Cryptography("signing"))?;
        Ok(format!("{message}.{}", text(signature.as_ref())))
    }

    /// Compact JWE, A256KW and A256GCM.
    fn seal(&self, signed: &str) -> Result<String, SimulatorError> {
        let protected = URL_SAFE_NO_PAD.encode(br#"{"alg":"A256KW","enc":"A256GCM"}"#);
        let (content_key, iv) = (random::<32>()?, random::<12>()?);
        let mut wrapped = [0; 40];
        let mut text = signed.as_bytes().to_vec();
        let sealing = || {
            AesKek::new(&AES_256, self.decryption.as_slice())?.wrap(&content_key, &mut wrapped)?;
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key)?);
            let nonce = Nonce::assume_unique_for_key(iv);
            let aad = Aad::from(protected.as_bytes());
            key.seal_in_place_separate_tag(nonce, aad, &mut text)
        };
        let tag = { sealing }().map_err(|_| SimulatorError::Cryptography("sealing"))?;
        let parts = [&wrapped[..], &iv, &text, tag.as_ref()];
        let parts = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
        Ok(format!("{protected}.{}", parts.join(".")))
    }
}
