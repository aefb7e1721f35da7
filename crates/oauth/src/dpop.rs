//! Demonstrating proof of possession (RFC 9449): tokens that are useless without this instance's key.
//!
//! Builds proofs for exactly one request each; the key signs elsewhere. Nonces are the business of
//! [`crate::freshness`], whether a server supports any of this that of [`crate::discovery`].

use serde::{Deserialize, Serialize};
use url::Url;

use crate::encoding::{base64url, sha256};
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::http::Method;
use crate::jwks::thumbprint_p256;
use crate::jwt::{SignatureReject, UnsignedJwt};
use crate::secret::SecretText;
use crate::time::UnixTime;

/// The public half of an instance's P-256 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopKey {
    x: String,
    y: String,
}

/// Bytes that are no P-256 point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DPoP key is an uncompressed P-256 point of 65 bytes")]
pub struct DpopKeyReject;

impl DpopKey {
    /// Reads an uncompressed SEC 1 point.
    pub fn from_point(point: &[u8]) -> Result<Self, DpopKeyReject> {
        let (&[4], rest) = point.split_first_chunk().ok_or(DpopKeyReject)? else {
            return Err(DpopKeyReject);
        };
        let (x, y) = rest.split_at_checked(32).ok_or(DpopKeyReject)?;
        if y.len() != 32 {
            return Err(DpopKeyReject);
        }
        Ok(Self {
            x: base64url(x),
            y: base64url(y),
        })
    }

    /// The public key as others may see it, named by its thumbprint.
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
            "kid": self.thumbprint(), "use": "sig", "alg": "ES256",
        })
    }

    /// RFC 7638 thumbprint: the value of `dpop_jkt` and `cnf.jkt`.
    pub fn thumbprint(&self) -> String {
        thumbprint_p256(&self.x, &self.y)
    }
}

/// Whom a token obeys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// Whoever bears it.
    #[default]
    Bearer,
    /// The key with this RFC 7638 thumbprint.
    Dpop(String),
}

/// What makes a proof fresh.
pub struct ProofSeed<'a> {
    /// The server's newest nonce, where it gave one.
    pub nonce: Option<&'a str>,
    /// Now, by the server's clock where it is known.
    pub now: UnixTime,
    /// For `jti`.
    pub entropy: &'a mut dyn Entropy,
}

impl std::fmt::Debug for ProofSeed<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ProofSeed")
    }
}

/// A proof that lacks its signature, for one request.
#[derive(Debug)]
pub struct UnsignedProof {
    jwt: UnsignedJwt,
    thumbprint: String,
}

/// A proof for one request. Servers accept it once.
#[derive(Debug)]
pub struct Proof {
    pub(crate) jwt: SecretText,
    pub(crate) thumbprint: String,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    jwk: Jwk<'a>,
}

#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    crv: &'static str,
    x: &'a str,
    y: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'static str,
    htu: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// A proof for a request to a resource server, bound to the access token it goes with.
pub fn prove_to_resource(
    key: &DpopKey,
    (method, url): (Method, &Url),
    access_token: &SecretText,
    seed: ProofSeed<'_>,
) -> Result<UnsignedProof, EntropyFailed> {
    prove(key, (method, url), Some(hash(access_token)), seed)
}

/// A proof for a request to the authorization server.
pub(crate) fn prove(
    key: &DpopKey,
    (method, url): (Method, &Url),
    ath: Option<String>,
    seed: ProofSeed<'_>,
) -> Result<UnsignedProof, EntropyFailed> {
    let ProofSeed {
        nonce,
        now,
        entropy,
    } = seed;
    let header = Header {
        typ: "dpop+jwt",
        alg: "ES256",
        jwk: Jwk {
            kty: "EC",
            crv: "P-256",
            x: &key.x,
            y: &key.y,
        },
    };
    let claims = Claims {
        jti: entropy::text(entropy)?,
        htm: method.as_str(),
        htu: without_query(url),
        iat: now.0,
        ath,
        nonce,
    };
    Ok(UnsignedProof {
        jwt: UnsignedJwt::new(&header, &claims),
        thumbprint: key.thumbprint(),
    })
}

impl Binding {
    /// The scheme of `Authorization`, and the `token_type` that the server must answer with.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop(_) => "DPoP",
        }
    }
}

impl UnsignedProof {
    /// The bytes to sign with ECDSA P-256 and SHA-256.
    pub fn signing_input(&self) -> &[u8] {
        self.jwt.signing_input()
    }

    /// With a signature as key stores give it: ASN.1 DER.
    pub fn signed_der(self, signature: &[u8]) -> Result<Proof, SignatureReject> {
        Ok(Proof {
            jwt: self.jwt.signed_der(signature)?,
            thumbprint: self.thumbprint,
        })
    }

    /// With a signature as JOSE has it.
    pub fn signed_fixed(self, signature: &[u8]) -> Result<Proof, SignatureReject> {
        Ok(Proof {
            jwt: self.jwt.signed_fixed(signature)?,
            thumbprint: self.thumbprint,
        })
    }
}

impl Proof {
    /// The value of the `DPoP` header.
    pub fn header(&self) -> &SecretText {
        &self.jwt
    }
}

/// `ath`: the hash that ties a proof to an access token.
fn hash(access_token: &SecretText) -> String {
    base64url(sha256(access_token.expose().as_bytes()))
}

/// `htu`: without query and fragment (RFC 9449 §4.2).
fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::encoding::read_base64url;
    use crate::entropy::fixed::Counting;
    use crate::testing::InstanceKey;

    const VECTORS: &str = include_str!("../vectors/rfc9449.json");

    fn parts(jwt: &str) -> [Value; 2] {
        let mut parts = jwt
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&read_base64url(part).unwrap()).unwrap());
        [parts.next().unwrap(), parts.next().unwrap()]
    }

    fn seed<'a>(nonce: Option<&'a str>, entropy: &'a mut Counting) -> ProofSeed<'a> {
        ProofSeed {
            nonce,
            now: UnixTime(1_562_262_616),
            entropy,
        }
    }

    #[test]
    fn proofs_have_the_members_of_the_rfc_9449_examples() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let key = InstanceKey::new();
        for (name, nonce, token) in [
            ("token_request", None, None),
            ("resource_request", None, vectors["access_token"].as_str()),
        ] {
            let [header, claims] = parts(vectors[name].as_str().unwrap());
            let url = Url::parse(&format!("{}?x=1#y", claims["htu"].as_str().unwrap())).unwrap();
            let method = if claims["htm"] == "POST" {
                Method::Post
            } else {
                Method::Get
            };
            let mut entropy = Counting::default();
            let seed = seed(nonce, &mut entropy);
            let target = (method, &url);
            let proof = match token {
                None => prove(&key.public(), target, None, seed),
                Some(token) => {
                    prove_to_resource(&key.public(), target, &SecretText::new(token), seed)
                }
            };
            let [our_header, our_claims] = parts(key.prove(proof.unwrap()).header().expose());
            let names = |value: &Value| {
                let names = value.as_object().unwrap().keys().cloned();
                names.collect::<Vec<_>>()
            };
            assert_eq!(names(&our_header), names(&header));
            assert_eq!(names(&our_header["jwk"]), names(&header["jwk"]));
            assert_eq!(names(&our_claims), names(&claims));
            for member in ["htm", "htu", "ath"] {
                assert_eq!(our_claims.get(member), claims.get(member), "{member}");
            }
            assert_eq!(
                (&header["typ"], &header["alg"]),
                (&our_header["typ"], &our_header["alg"])
            );
        }
    }

    #[test]
    fn the_rfc_9449_examples_verify_under_the_key_they_carry_and_name_its_thumbprint() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        for name in ["token_request", "resource_request"] {
            let jwt = vectors[name].as_str().unwrap();
            let [header, _] = parts(jwt);
            let coordinate = |name: &str| read_base64url(header["jwk"][name].as_str().unwrap());
            let point = [vec![4], coordinate("x").unwrap(), coordinate("y").unwrap()].concat();
            let key = DpopKey::from_point(&point).unwrap();
            assert_eq!(key.thumbprint(), vectors["thumbprint"].as_str().unwrap());
            let (input, signature) = jwt.rsplit_once('.').unwrap();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(input.as_bytes(), &read_base64url(signature).unwrap())
                .unwrap();
        }
    }

    #[test]
    fn a_nonce_goes_in_when_there_is_one_and_no_two_proofs_share_a_jti() {
        let key = InstanceKey::new();
        let url = Url::parse("https://as.example/token").unwrap();
        let mut entropy = Counting::default();
        let mut claims = |nonce| {
            let seed = seed(nonce, &mut entropy);
            let proof = prove(&key.public(), (Method::Post, &url), None, seed).unwrap();
            let [_, claims] = parts(key.prove(proof).header().expose());
            claims
        };
        let (first, second) = (claims(None), claims(Some("n-1")));
        assert_eq!(
            (first.get("nonce"), &second["nonce"]),
            (None, &json!("n-1"))
        );
        assert_ne!(first["jti"], second["jti"]);
    }

    #[test]
    fn only_an_uncompressed_point_is_a_key() {
        for point in [&[][..], &[4], &[2; 33], &[4; 64], &[4; 66], &[5; 65]] {
            assert_eq!(DpopKey::from_point(point), Err(DpopKeyReject));
        }
        assert!(DpopKey::from_point(&[4; 65]).is_ok());
    }
}
