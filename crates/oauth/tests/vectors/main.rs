//! The examples of the standards, through the public API: RFC 7636, 7638, 8414, 9449 and the attestation draft.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use bonafide_oauth::discovery::DiscoveryReject;
use bonafide_oauth::dpop::DpopKey;
use bonafide_oauth::encoding::{base64url, read_base64url, sha256};
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::jwks::{thumbprint_p256, thumbprint_rsa};
use bonafide_oauth::jwt::UnsignedJwt;
use bonafide_oauth::pkce::Verifier;
use bonafide_oauth::{HttpResponse, Issuer, ServerMetadata, UnixTime, attestation};
use serde_json::{Value, json};

fn vector(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn parts(jwt: &str) -> Vec<Value> {
    jwt.split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&read_base64url(part).unwrap()).unwrap())
        .collect()
}

fn point(jwk: &Value) -> Vec<u8> {
    let coordinate = |name: &str| read_base64url(jwk[name].as_str().unwrap()).unwrap();
    [vec![4], coordinate("x"), coordinate("y")].concat()
}

fn verifies(jwt: &str, jwk: &Value) -> bool {
    let (input, signature) = jwt.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(jwk))
        .verify(input.as_bytes(), &read_base64url(signature).unwrap())
        .is_ok()
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn metadata(issuer: &str, document: &Value) -> Result<ServerMetadata, &'static str> {
    let header = ("content-type".to_owned(), "application/json".to_owned());
    let response = HttpResponse::new(200, vec![header], document.to_string().into_bytes());
    ServerMetadata::receive(&Issuer::parse(issuer).unwrap(), &response)
        .map_err(DiscoveryReject::code)
}

#[test]
fn rfc_7636_appendix_b() {
    let verifier = Verifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert_eq!(verifier.challenge(), challenge);
}

#[test]
fn rfc_7638_section_3_1() {
    let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6\
        tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q\
        vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4\
        lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(thumbprint_rsa(modulus, "AQAB"), thumbprint);
}

#[test]
fn rfc_8414_the_document_of_section_3_2_and_the_places_of_section_3_1() {
    let document = &vector(include_str!("../../vectors/rfc8414.json"))["document"];
    let server = metadata("https://server.example.com", document).unwrap();
    assert_eq!(
        server.token_endpoint.as_str(),
        "https://server.example.com/token"
    );
    assert!(server.accepts("private_key_jwt") && !server.accepts("client_secret_post"));
    assert_eq!(
        server.keys().unwrap().url.as_str(),
        "https://server.example.com/jwks.json"
    );
    let mistaken = metadata("https://server.example.com/", document);
    assert_eq!(
        mistaken.err(),
        Some("discovery-issuer-mismatch"),
        "section 3.3: identical"
    );
    let issuer = Issuer::parse("https://example.com/issuer1").unwrap();
    let places: Vec<String> = issuer
        .documents()
        .iter()
        .map(|request| request.url.to_string())
        .collect();
    let inserted = "https://example.com/.well-known/oauth-authorization-server/issuer1";
    assert!(places.iter().any(|place| place == inserted));
}

#[test]
fn rfc_9449_the_proofs_verify_and_the_key_has_the_thumbprint_of_section_6() {
    let vectors = vector(include_str!("../../vectors/rfc9449.json"));
    for name in ["token_request", "resource_request"] {
        let proof = vectors[name].as_str().unwrap();
        let jwk = &parts(proof)[0]["jwk"];
        assert!(verifies(proof, jwk), "{name}");
        let key = DpopKey::from_point(&point(jwk)).unwrap();
        assert_eq!(
            key.thumbprint(),
            vectors["thumbprint"].as_str().unwrap(),
            "{name}"
        );
    }
    let claims = &parts(vectors["resource_request"].as_str().unwrap())[1];
    let token = vectors["access_token"].as_str().unwrap();
    assert_eq!(
        claims["ath"],
        base64url(sha256(token.as_bytes())),
        "section 7"
    );
}

/// The attester's key is in no text, so the attestation itself cannot be verified by anybody.
#[test]
fn the_attestation_drafts_proof_verifies_under_the_attested_key() {
    let vectors = vector(include_str!("../../vectors/abca.json"));
    let attestation = parts(vectors["attestation"].as_str().unwrap());
    let proof = vectors["proof"].as_str().unwrap();
    assert_eq!(attestation[1]["cnf"]["jwk"], vectors["jwk"]);
    assert!(verifies(proof, &vectors["jwk"]));
    assert!(!verifies(
        vectors["attestation"].as_str().unwrap(),
        &vectors["jwk"]
    ));
    assert_eq!(parts(proof)[1]["challenge"], vectors["challenge"]);
}

#[test]
fn our_proof_has_the_members_of_the_attestation_drafts_and_the_issuer_that_draft_7_wants() {
    let vectors = vector(include_str!("../../vectors/abca.json"));
    let example = parts(vectors["proof"].as_str().unwrap());
    let issuer = vectors["issuer"].as_str().unwrap();
    let document = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
    });
    let server = metadata(issuer, &document).unwrap();
    let challenge = vectors["challenge"].as_str();
    let when = (challenge, UnixTime(example[1]["iat"].as_i64().unwrap()));
    let client = "https://client.example.com";
    let ours: UnsignedJwt = attestation::prove(&server, client, when, &mut SystemEntropy).unwrap();
    let input = std::str::from_utf8(ours.signing_input()).unwrap();
    let ours = parts(input);
    assert_eq!(ours[0], example[0]);
    let mut claims = ours[1].clone();
    assert_eq!(claims["iss"], client);
    claims.as_object_mut().unwrap().remove("iss");
    assert_eq!(names(&claims), names(&example[1]));
    for member in ["aud", "iat", "challenge"] {
        assert_eq!(claims[member], example[1][member], "{member}");
    }
    let jwk = &vectors["jwk"];
    assert_eq!(
        DpopKey::from_point(&point(jwk)).unwrap().thumbprint(),
        thumbprint_p256(jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap())
    );
}
