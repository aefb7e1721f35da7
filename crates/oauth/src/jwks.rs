//! A server's published keys, and whether one of them signed something.
//!
//! Reads ES256 and RS256 keys and steps over what it does not know. A token that names a key gets that key; one that
//! names none is accepted only when a single key could have signed it. Where keys come from and how often they
//! may be fetched is the caller's business.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

use crate::encoding::{base64url, read_base64url, sha256};
use crate::http::HttpResponse;
use crate::jose::{Algorithm, Unverified};
use crate::response::{self, ResponseReject};
use crate::time::UnixTime;

const MOST_KEYS: usize = 64;
/// RSA moduli from 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The signing keys of one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jwks {
    keys: Vec<PublicKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PublicKey {
    id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    P256 { point: Vec<u8> },
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// Why no key vouches for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyReject {
    /// The named key is not in the set, or none fits. Fetch the set once more, then give up.
    #[error("the server publishes no key that could have signed this")]
    Unknown,
    /// Several keys fit and the token names none.
    #[error("several keys could have signed this and the token names none")]
    Ambiguous,
    /// The key did not sign this.
    #[error("the signature does not verify")]
    SignatureInvalid,
}

impl KeyReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "token-key-unknown",
            Self::Ambiguous => "token-key-ambiguous",
            Self::SignatureInvalid => "token-signature-invalid",
        }
    }
}

/// Seconds after which published keys are fetched again.
const KEYS_LIFE_SECONDS: i64 = 3600;
/// Seconds between two fetches on account of an unknown key.
const REFETCH_SECONDS: i64 = 60;

/// Keys that were fetched, and when they may be fetched again: tokens that name unknown keys must not make this client hammer
/// the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRing {
    keys: Jwks,
    fetched_at: Option<UnixTime>,
    refetched_at: Option<UnixTime>,
}

impl KeyRing {
    /// The keys as last fetched.
    pub fn keys(&self) -> &Jwks {
        &self.keys
    }

    /// Whether there are none yet, or old ones.
    pub fn is_stale(&self, now: UnixTime) -> bool {
        is_past(self.fetched_at, KEYS_LIFE_SECONDS, now)
    }

    /// Keeps what was fetched.
    pub fn put(&mut self, keys: Jwks, now: UnixTime) {
        self.keys = keys;
        self.fetched_at = Some(now);
    }

    /// Asked after a token named an unknown key: whether the keys may be fetched once more. At most once a minute.
    pub fn may_refetch(&mut self, now: UnixTime) -> bool {
        let may = is_past(self.refetched_at, REFETCH_SECONDS, now);
        if may {
            self.refetched_at = Some(now);
        }
        may
    }
}

/// Also after a clock that was set back: an instant in the future binds nobody.
fn is_past(instant: Option<UnixTime>, seconds: i64, now: UnixTime) -> bool {
    instant.is_none_or(|instant| now >= instant.plus(seconds) || now < instant)
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Jwks {
    /// Judges the answer of the server's `jwks_uri`.
    pub fn receive(response: &HttpResponse) -> Result<Self, ResponseReject> {
        let set: RawSet = match response.media_type().as_deref() {
            Some("application/jwk-set+json") => {
                let mut plain = response.clone();
                plain.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                response::document(&plain)?
            }
            _ => response::document(response)?,
        };
        Self::read(set)
    }

    /// Reads a key set, from a file or a vector.
    pub fn parse(json: &[u8]) -> Result<Self, ResponseReject> {
        let set = serde_json::from_slice(json).map_err(|_| ResponseReject::Malformed)?;
        Self::read(set)
    }

    fn read(set: RawSet) -> Result<Self, ResponseReject> {
        if set.keys.len() > MOST_KEYS {
            return Err(ResponseReject::Malformed);
        }
        let keys = set.keys.into_iter().filter_map(PublicKey::read).collect();
        Ok(Self { keys })
    }

    pub(crate) fn verify(&self, token: &Unverified<'_>) -> Result<(), KeyReject> {
        let fits = |key: &&PublicKey| key.material.algorithm() == token.algorithm;
        let named = |key: &&PublicKey| match &token.key_id {
            Some(id) => key.id.as_ref() == Some(id),
            None => true,
        };
        let mut candidates = self.keys.iter().filter(fits).filter(named);
        let key = candidates.next().ok_or(KeyReject::Unknown)?;
        if candidates.next().is_some() {
            return Err(KeyReject::Ambiguous);
        }
        key.material
            .verify(token.signing_input.as_bytes(), &token.signature)
    }
}

impl PublicKey {
    fn read(value: serde_json::Value) -> Option<Self> {
        let raw: RawKey = serde_json::from_value(value).ok()?;
        let signs = raw.usage.as_deref().is_none_or(|usage| usage == "sig")
            && raw
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let material = Material::read(&raw)?;
        let agrees = raw
            .alg
            .as_deref()
            .is_none_or(|alg| alg == material.algorithm().name());
        (signs && agrees).then_some(Self {
            id: raw.kid,
            material,
        })
    }
}

impl Material {
    fn read(raw: &RawKey) -> Option<Self> {
        match raw.kty.as_str() {
            "EC" if raw.crv.as_deref() == Some("P-256") => {
                let x = read_base64url(raw.x.as_deref()?).filter(|x| x.len() == 32)?;
                let y = read_base64url(raw.y.as_deref()?).filter(|y| y.len() == 32)?;
                Some(Self::P256 {
                    point: [&[4], x.as_slice(), &y].concat(),
                })
            }
            "RSA" => {
                let modulus = read_base64url(raw.n.as_deref()?)?;
                let exponent = read_base64url(raw.e.as_deref()?).filter(|e| e.len() <= 8)?;
                MODULUS_BYTES
                    .contains(&modulus.len())
                    .then_some(Self::Rsa { modulus, exponent })
            }
            _ => None,
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256 { .. } => Algorithm::Es256,
            Self::Rsa { .. } => Algorithm::Rs256,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyReject> {
        let verified = match self {
            Self::P256 { point } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Rsa { modulus, exponent } => PublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        };
        verified.map_err(|_| KeyReject::SignatureInvalid)
    }
}

#[derive(Serialize)]
struct RsaThumbprint<'a> {
    e: &'a str,
    kty: &'static str,
    n: &'a str,
}

#[derive(Serialize)]
struct EcThumbprint<'a> {
    crv: &'static str,
    kty: &'static str,
    x: &'a str,
    y: &'a str,
}

/// RFC 7638 thumbprint of a P-256 key, coordinates in base64url.
pub fn thumbprint_p256(x: &str, y: &str) -> String {
    let members = EcThumbprint {
        crv: "P-256",
        kty: "EC",
        x,
        y,
    };
    base64url(sha256(&serde_json::to_vec(&members).unwrap_or_default()))
}

/// RFC 7638 thumbprint of an RSA key, members in base64url.
pub fn thumbprint_rsa(n: &str, e: &str) -> String {
    let members = RsaThumbprint { e, kty: "RSA", n };
    base64url(sha256(&serde_json::to_vec(&members).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::response::tests::json_response;
    use crate::testing::Signer;

    fn verify(keys: &Value, token: &str) -> Result<(), KeyReject> {
        let keys = Jwks::receive(&json_response(200, &json!({ "keys": keys }))).unwrap();
        keys.verify(&Unverified::parse(token, &Algorithm::ALL).unwrap())
    }

    #[test]
    fn keys_grow_old_and_are_fetched_again_for_an_unknown_key_once_a_minute() {
        let mut ring = KeyRing::default();
        assert!(ring.is_stale(UnixTime(0)));
        ring.put(Jwks::default(), UnixTime(0));
        for (now, stale) in [(0, false), (3599, false), (3600, true), (-1, true)] {
            assert_eq!(ring.is_stale(UnixTime(now)), stale, "{now}");
        }
        for (now, may) in [
            (5, true),
            (5, false),
            (64, false),
            (65, true),
            (66, false),
            (4, true),
        ] {
            assert_eq!(ring.may_refetch(UnixTime(now)), may, "{now}");
        }
    }

    #[test]
    fn rfc_7515_a_2_and_a_3_examples_verify() {
        let rsa: Value = serde_json::from_str(include_str!("../vectors/rfc7515-a2.json")).unwrap();
        let ec: Value = serde_json::from_str(include_str!("../vectors/rfc7515-a3.json")).unwrap();
        for vector in [rsa, ec] {
            let token = vector["jws"].as_str().unwrap();
            assert_eq!(verify(&json!([vector["jwk"]]), token), Ok(()));
            let (rest, last) = token.rsplit_once('.').unwrap();
            let mut signature = read_base64url(last).unwrap();
            signature[3] ^= 1;
            let broken = format!("{rest}.{}", base64url(signature));
            assert_eq!(
                verify(&json!([vector["jwk"]]), &broken),
                Err(KeyReject::SignatureInvalid)
            );
        }
    }

    #[test]
    fn the_key_is_found_by_its_name_or_by_being_the_only_one_that_fits() {
        let (one, two) = (Signer::es256("1"), Signer::es256("2"));
        let rsa = Signer::rs256("r");
        let unnamed = one.sign_with_header(&json!({"alg": "ES256"}), &json!({}));
        let named = one.sign(&json!({}));
        let by_rsa = rsa.sign(&json!({}));
        let strange = json!({"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "AA"});
        let mut for_encryption = one.jwk();
        for_encryption["use"] = json!("enc");
        let mut other_algorithm = one.jwk();
        other_algorithm["alg"] = json!("ES384");
        let mut no_verify = one.jwk();
        no_verify["key_ops"] = json!(["encrypt"]);
        for (keys, token, outcome) in [
            (json!([one.jwk(), two.jwk()]), &named, Ok(())),
            (
                json!([two.jwk(), rsa.jwk(), strange, one.jwk()]),
                &named,
                Ok(()),
            ),
            (json!([two.jwk(), rsa.jwk()]), &by_rsa, Ok(())),
            (json!([one.jwk(), rsa.jwk()]), &unnamed, Ok(())),
            (
                json!([one.jwk(), two.jwk()]),
                &unnamed,
                Err(KeyReject::Ambiguous),
            ),
            (
                json!([one.jwk(), one.jwk()]),
                &named,
                Err(KeyReject::Ambiguous),
            ),
            (json!([two.jwk()]), &named, Err(KeyReject::Unknown)),
            (
                json!([two.jwk()]),
                &unnamed,
                Err(KeyReject::SignatureInvalid),
            ),
            (json!([rsa.jwk()]), &unnamed, Err(KeyReject::Unknown)),
            (json!([for_encryption]), &named, Err(KeyReject::Unknown)),
            (json!([other_algorithm]), &named, Err(KeyReject::Unknown)),
            (json!([no_verify]), &named, Err(KeyReject::Unknown)),
            (json!([]), &named, Err(KeyReject::Unknown)),
        ] {
            assert_eq!(verify(&keys, token), outcome, "{keys}");
        }
    }

    #[test]
    fn a_weak_or_endless_key_set_is_not_read() {
        let weak = json!({"kty": "RSA", "n": base64url([0xff; 128]), "e": "AQAB"});
        let huge = json!({"kty": "RSA", "n": base64url([0xff; 2048]), "e": "AQAB"});
        for key in [weak, huge] {
            let set = json!({"keys": [key]}).to_string();
            assert_eq!(Jwks::parse(set.as_bytes()), Ok(Jwks::default()));
        }
        let many = json!({"keys": vec![json!({"kty": "EC"}); MOST_KEYS + 1]}).to_string();
        assert_eq!(Jwks::parse(many.as_bytes()), Err(ResponseReject::Malformed));
    }

    #[test]
    fn thumbprints_agree_with_rfc_7638_and_rfc_9449() {
        let rfc_7638_n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7\
            aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w\
            6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91C\
            bOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCu\
            r-kEgU8awapJzKnqDKgw";
        assert_eq!(
            thumbprint_rsa(rfc_7638_n, "AQAB"),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert_eq!(
            thumbprint_p256(
                "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
            ),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
    }
}
