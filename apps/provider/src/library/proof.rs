//! DPoP proofs (RFC 9449 §4.3): made for this very request, now, by the key they show.

use axum::http::HeaderMap;
use serde_json::Value;

use super::jws::{Jws, PublicKey};
use super::once::{Seen, Turning};
use crate::secret::{base64url, sha256};

const PROOF_SECONDS: i64 = 300;

/// What a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Of the request.
    pub(super) method: &'a str,
    /// Without query.
    pub(super) url: &'a str,
    /// Whose hash must be in the proof.
    pub(super) access_token: Option<&'a str>,
    /// Now.
    pub(super) now: i64,
}

/// What the server remembers about proofs.
#[derive(Debug)]
pub(super) struct Proofs {
    nonce: Turning,
    seen: Seen,
}

/// Why a proof is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProofReject {
    /// Broken, for another request, or seen before.
    Invalid(&'static str),
    /// It lacks the server's nonce.
    NonceDemanded,
}

impl Proofs {
    pub(super) fn new(now: i64) -> Self {
        Self {
            nonce: Turning::new(now),
            seen: Seen::default(),
        }
    }

    /// For the header `DPoP-Nonce`.
    pub(super) fn newest_nonce(&mut self, now: i64) -> String {
        self.nonce.newest(now).to_owned()
    }

    /// The key of the proof in the headers; `None` where there is no proof. Its `jti` is spent before its nonce is
    /// judged, so a second try needs a new proof.
    pub(super) fn check(
        &mut self,
        headers: &HeaderMap,
        target: Target<'_>,
    ) -> Result<Option<PublicKey>, ProofReject> {
        let mut proofs = headers.get_all("dpop").iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else {
            return match headers.get("dpop") {
                None => Ok(None),
                Some(_) => Err(ProofReject::Invalid("More than one DPoP proof.")),
            };
        };
        let jws = proof.to_str().ok().and_then(Jws::read);
        let jws = jws.ok_or(ProofReject::Invalid("The DPoP proof is no JWT."))?;
        let key = judge(&jws, target)?;
        let jti = format!("{} {}", key.thumbprint, jws.text("jti"));
        let until = target.now.saturating_add(2 * PROOF_SECONDS);
        if jws.text("jti").is_empty() || !self.seen.admit(jti, target.now, until) {
            return Err(ProofReject::Invalid("The DPoP proof was used before."));
        }
        if !self.nonce.knows(jws.text("nonce"), target.now) {
            return Err(ProofReject::NonceDemanded);
        }
        Ok(Some(key))
    }
}

fn judge(jws: &Jws<'_>, target: Target<'_>) -> Result<PublicKey, ProofReject> {
    let refuse = |text| Err(ProofReject::Invalid(text));
    if !jws.is_es256("dpop+jwt") {
        return refuse("The DPoP proof has another type or algorithm.");
    }
    let Some(key) = PublicKey::from_jwk(&jws.header["jwk"]) else {
        return refuse("The DPoP proof shows no public key.");
    };
    if !jws.is_signed_by(&key) {
        return refuse("The DPoP proof is not signed by the key it shows.");
    }
    if jws.text("htm") != target.method || jws.text("htu") != target.url {
        return refuse("The DPoP proof is for another request.");
    }
    if !jws.is_recent("iat", target.now, PROOF_SECONDS) {
        return refuse("The DPoP proof is too old or too new.");
    }
    let ath = target.access_token.map_or(Value::Null, |token| {
        base64url(sha256(token.as_bytes())).into()
    });
    if target.access_token.is_some() && jws.claims["ath"] != ath {
        return refuse("The DPoP proof is for another access token.");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::testing::Key;
    use serde_json::json;

    const URL: &str = "https://login.library.example/token";
    const NOW: i64 = 1_795_604_400;

    fn target() -> Target<'static> {
        Target {
            method: "POST",
            url: URL,
            access_token: Some("at"),
            now: NOW,
        }
    }

    fn proof(proofs: &mut Proofs, change: impl FnOnce(&mut Value, &mut Value)) -> HeaderMap {
        let key = Key::new();
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk()});
        let mut claims = json!({
            "jti": "1", "htm": "POST", "htu": URL, "iat": NOW, "nonce": proofs.newest_nonce(NOW),
            "ath": base64url(sha256(b"at")),
        });
        change(&mut header, &mut claims);
        let mut headers = HeaderMap::new();
        headers.insert("dpop", key.sign(&header, &claims).parse().unwrap());
        headers
    }

    #[test]
    fn a_good_proof_is_good_once_and_none_is_no_error() {
        let mut proofs = Proofs::new(NOW);
        assert_eq!(proofs.check(&HeaderMap::new(), target()), Ok(None));
        let headers = proof(&mut proofs, |_, _| ());
        assert!(proofs.check(&headers, target()).unwrap().is_some());
        assert!(matches!(
            proofs.check(&headers, target()),
            Err(ProofReject::Invalid(_))
        ));
    }

    #[test]
    fn refuses_a_proof_that_breaks_one_rule() {
        type Change = fn(&mut Value, &mut Value);
        let changes: [Change; 9] = [
            |header, _| header["typ"] = json!("JWT"),
            |header, _| header["alg"] = json!("HS256"),
            |header, _| header["jwk"] = Key::new().jwk(),
            |_, claims| claims["htm"] = json!("GET"),
            |_, claims| claims["htu"] = json!("https://login.library.example/par"),
            |_, claims| claims["iat"] = json!(NOW - PROOF_SECONDS - 1),
            |_, claims| claims["iat"] = json!(NOW + PROOF_SECONDS + 1),
            |_, claims| claims["ath"] = json!("x"),
            |_, claims| claims["jti"] = json!(""),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut proofs = Proofs::new(NOW);
            let headers = proof(&mut proofs, change);
            let outcome = proofs.check(&headers, target());
            assert!(matches!(outcome, Err(ProofReject::Invalid(_))), "{number}");
        }
    }

    #[test]
    fn without_the_nonce_it_is_demanded_and_the_proof_is_spent() {
        let mut proofs = Proofs::new(NOW);
        let headers = proof(&mut proofs, |_, claims| claims["nonce"] = json!("old"));
        let outcome = proofs.check(&headers, target());
        assert_eq!(outcome, Err(ProofReject::NonceDemanded));
        let again = proofs.check(&headers, target());
        assert!(matches!(again, Err(ProofReject::Invalid(_))));
    }
}
