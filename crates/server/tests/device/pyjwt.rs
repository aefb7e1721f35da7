//! An independent library accepts our tokens by the published keys, and refuses what it must (promise P22).

use std::process::Command;

use bonafide_wire::device::TokenOutcome;

use crate::world::{NOW, TOKEN_API, World};

const SCRIPT: &str = r#"
import sys, jwt
url, token, audience, issuer = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
options = {"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]}
def decode(token, audience=audience, issuer=issuer):
    return jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=issuer, options=options)
claims = decode(token)
assert jwt.get_unverified_header(token)["typ"] == "JWT"
def refused(error, **changed):
    try:
        decode(**{"token": token, **changed})
    except error:
        return
    sys.exit(f"accepted: {changed}")
refused(jwt.InvalidAudienceError, audience="other.example")
refused(jwt.InvalidIssuerError, issuer=issuer + "/")
head, body, signature = token.split(".")
refused(jwt.InvalidSignatureError, token=".".join([head, body, ("A" if signature[0] != "A" else "B") + signature[1:]]))
print(claims["sub"])
"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the test runner tells where the peer is, and the peer reads the wall clock"
)]
fn environment() -> (Option<String>, i64) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let python = std::env::var("BONAFIDE_PEER_PYTHON").ok();
    (python, i64::try_from(now.as_secs()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_verifies_a_token_by_the_published_keys() {
    let (python, now) = environment();
    let Some(python) = python else {
        println!("SKIPPED pyjwt: no Python with PyJWT (cargo xtask peers)");
        return;
    };
    let world = World::new().await;
    world.advance(now - NOW);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = world.router.clone();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut phone = world.genuine();
    let device = world.enrol(&mut phone).await.device_id;
    let reply = world.attest(&mut phone).await;
    let Some(TokenOutcome::Issued { token, .. }) = reply.tokens.first() else {
        panic!("{:?}", reply.tokens);
    };
    let mut command = Command::new(python);
    command
        .args(["-c", SCRIPT])
        .arg(format!("http://{address}/v1/acme/jwks.json"))
        .args([token.0.expose(), TOKEN_API])
        .arg("https://attest.example.com/v1/acme");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    serving.abort();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said.trim(), device.as_str());
}
