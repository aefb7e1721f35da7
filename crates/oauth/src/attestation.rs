//! Attestation-based client authentication (the IETF draft): an attestation from a client attester, and a proof that this
//! instance holds the attested key.
//!
//! In the shape that servers of drafts 7 to 12 accept alike. Who attests and by what evidence, this module does not know;
//! the attestation is a text it passes on.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::discovery::{DiscoveryReject, ServerMetadata};
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::freshness::{self, Freshness, is_value};
use crate::http::{HttpRequest, HttpResponse, Method};
use crate::jwt::UnsignedJwt;
use crate::response::{self, MOST_RESPONSE_BYTES, ResponseReject};
use crate::time::UnixTime;

#[derive(Serialize)]
struct Header {
    typ: &'static str,
    alg: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a str>,
}

/// The proof of possession for one request to `server`, to be signed with ES256 by the attested key.
///
/// `challenge` is the server's newest, where it gave one. `iss` is there for servers of draft 7; later ones ignore it.
pub fn prove(
    server: &ServerMetadata,
    client_id: &str,
    (challenge, now): (Option<&str>, UnixTime),
    entropy: &mut dyn Entropy,
) -> Result<UnsignedJwt, EntropyFailed> {
    let header = Header {
        typ: "oauth-client-attestation-pop+jwt",
        alg: "ES256",
    };
    let claims = Claims {
        iss: client_id,
        aud: server.issuer.as_str(),
        jti: entropy::text(entropy)?,
        iat: now.0,
        challenge,
    };
    Ok(UnsignedJwt::new(&header, &claims))
}

/// The request for a challenge: a POST without body.
pub fn challenge(server: &ServerMetadata) -> Result<HttpRequest, DiscoveryReject> {
    let url = server
        .challenge_endpoint
        .clone()
        .ok_or(DiscoveryReject::EndpointMissing("challenge_endpoint"))?;
    let mut request = HttpRequest::fetch(url, MOST_RESPONSE_BYTES);
    request.method = Method::Post;
    Ok(request)
}

#[derive(Deserialize)]
struct ChallengeBody {
    attestation_challenge: Option<String>,
}

/// Judges the answer and remembers the challenge, the DPoP nonce, or both; a server that brings neither said nothing.
pub fn receive_challenge(
    endpoint: &Url,
    response: &HttpResponse,
    freshness: &mut Freshness,
) -> Result<(), ResponseReject> {
    let body: ChallengeBody = response::document(response)?;
    let challenge = body.attestation_challenge;
    let nothing = challenge.is_none() && !freshness::brings_nonce(response);
    if nothing || challenge.as_ref().is_some_and(|text| !is_value(text)) {
        return Err(ResponseReject::Malformed);
    }
    freshness.learn(endpoint, response);
    if let Some(challenge) = challenge {
        freshness.learn_challenge(endpoint, challenge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::encoding::read_base64url;
    use crate::entropy::fixed::Counting;
    use crate::response::tests::{html_response, json_response};
    use crate::testing::{self, NOW};

    fn parts(jwt: &UnsignedJwt) -> Vec<Value> {
        let text = std::str::from_utf8(jwt.signing_input()).unwrap();
        let read = |part: &str| serde_json::from_slice(&read_base64url(part).unwrap()).unwrap();
        text.split('.').map(read).collect()
    }

    #[test]
    fn the_proof_has_the_portable_shape() {
        let server = testing::server();
        let mut entropy = Counting::default();
        let jwt = prove(&server, "books", (Some("c-1"), NOW), &mut entropy).unwrap();
        let parts = parts(&jwt);
        assert_eq!(
            parts[0],
            json!({"typ": "oauth-client-attestation-pop+jwt", "alg": "ES256"})
        );
        assert_eq!(
            parts[1]["aud"], "https://as.example",
            "a string, not a list"
        );
        assert_eq!(
            (&parts[1]["iss"], &parts[1]["challenge"]),
            (&json!("books"), &json!("c-1"))
        );
        assert_eq!(parts[1].get("exp"), None);
    }

    #[test]
    fn without_a_challenge_the_member_is_absent() {
        let server = testing::server();
        let jwt = prove(&server, "books", (None, NOW), &mut Counting::default()).unwrap();
        assert_eq!(parts(&jwt)[1].get("challenge"), None);
    }

    #[test]
    fn a_challenge_is_fetched_and_remembered_with_the_nonce_that_came_along() {
        let mut server = testing::server();
        assert_eq!(
            challenge(&server).err().map(DiscoveryReject::code),
            Some("discovery-endpoint-missing")
        );
        server.challenge_endpoint = Some(Url::parse("https://as.example/challenge").unwrap());
        let request = challenge(&server).unwrap();
        assert_eq!(request.method, Method::Post);
        assert!(request.body.is_empty() && request.header("content-type").is_none());
        let mut response = json_response(200, &json!({"attestation_challenge": "c-2"}));
        response
            .headers
            .push(("DPoP-Nonce".to_owned(), "n-2".to_owned()));
        let mut freshness = Freshness::default();
        receive_challenge(&request.url, &response, &mut freshness).unwrap();
        assert_eq!(freshness.challenge(&server.token_endpoint), Some("c-2"));
        assert_eq!(freshness.nonce(&server.token_endpoint), Some("n-2"));
        let mut nonce_alone = json_response(200, &json!({}));
        nonce_alone
            .headers
            .push(("DPoP-Nonce".to_owned(), "n-3".to_owned()));
        receive_challenge(&request.url, &nonce_alone, &mut freshness).unwrap();
        assert_eq!(freshness.challenge(&server.token_endpoint), Some("c-2"));
        assert_eq!(freshness.nonce(&server.token_endpoint), Some("n-3"));
        for (response, code) in [
            (html_response(404), "response-status"),
            (json_response(200, &json!({})), "response-malformed"),
            (
                json_response(200, &json!({"attestation_challenge": ""})),
                "response-malformed",
            ),
        ] {
            let reject = receive_challenge(&request.url, &response, &mut freshness).err();
            assert_eq!(reject.map(ResponseReject::code), Some(code));
        }
    }
}
