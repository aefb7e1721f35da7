//! Chapter five: the ladder of client authentication, and what each rung leaves to somebody who owns the phone.
//!
//! The same app on the same phone each time. The attacker reads along inside it; what he takes, he tries elsewhere.

use bonafide_sdk::Rung;
use serde_json::Value;

use super::super::handset::Handset;
use super::super::http::Captured;
use super::super::insider::Insider;
use super::super::scene::{Holds, OrOtherwise as _, Otherwise, Scene, Told, expect};
use super::super::stage::Stage;
use super::super::teller::Teller;
use super::super::thief::{self, Victim};
use super::step;
use crate::error::Failure;

const ABOUT: &str = "Until here the client secret was delivered to the app, sealed, at the moment of use, as the article has it. \
    That is the lowest of five rungs. An attacker now controls a phone that still passes attestation: he reads what \
    Books gives to TLS, and its memory. What can he carry away?";
const REDIRECT: &str = "--redirect-uri http://127.0.0.1/oauth2redirect";

pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("5. The ladder, on a phone that somebody else owns", ABOUT)?;
    let names = (
        "upstreams-added",
        "Google, and a modern server: by which rungs may apps log in?",
    );
    step(stage, teller, names, upstreams_added).await?;
    let names = (
        "rung-5-leaks-the-secret",
        "Rung 5, delivered secret: he takes the app's identity along",
    );
    step(stage, teller, names, rung_5).await?;
    let names = (
        "rung-4-leaks-one-use",
        "Rung 4, minted assertion: he takes something that is already spent",
    );
    step(stage, teller, names, rung_4).await?;
    let names = (
        "rung-2-leaks-an-hour",
        "Rung 2, relay: there is no secret on the phone, and no refresh token",
    );
    step(stage, teller, names, rung_2).await?;
    let names = (
        "rung-1-leaks-nothing",
        "Rung 1, attested client: nothing that he reads works elsewhere",
    );
    step(stage, teller, names, rung_1).await?;
    let names = ("audit-holds", "What is on record");
    step(stage, teller, names, audit_holds).await
}

async fn upstreams_added(stage: &mut Stage, scene: &mut Scene) -> Told {
    let client_id = stage.provider.client_id();
    let library = "--issuer https://login.library.example";
    for command in [
        "bonafide api add login.library.example --no-token".to_owned(),
        "bonafide api add api.library.example --no-token".to_owned(),
        format!(
            "bonafide upstream add google --issuer https://accounts.google.com --client-id {client_id} \
             --rung relay --rung delivered-secret --auth post --secret client_secret \
             --keep-refresh-tokens {REDIRECT}"
        ),
        format!(
            "bonafide upstream add library {library} --client-id books-attested \
             --rung attested-client {REDIRECT}"
        ),
        format!(
            "bonafide upstream add library-keys {library} --client-id books-keys \
             --rung minted-assertion --auth private-key-jwt {REDIRECT}"
        ),
    ] {
        stage.operator.types(scene, &command).await?;
    }
    stage.introduce_to_library().await?;
    let check = "bonafide upstream check google";
    stage.operator.types(scene, check).await?;
    scene.why(
        "What a server speaks, it says itself; what apps may use, the account says. Phones learn both over the air and \
         take the best rung that is left. The Library's operator registered two public keys of the service: no secret \
         was exchanged.",
    );
    Ok(())
}

/// Books in the hands of an attacker, logged in by a rung.
async fn compromised(
    stage: &Stage,
    scene: &mut Scene,
    (upstream, rung): (&str, Rung),
) -> Result<(Insider, Handset), Otherwise> {
    let insider = stage.insider().await?;
    let phone = stage.books.climbing(upstream, rung);
    let phone = phone.owned_by(insider.address());
    let user = phone.login().await.or_otherwise("login")?;
    scene.sent(format!(
        "Books logs in at {upstream} ({}), as {user}; he reads along.",
        phone.rung().await?
    ));
    Ok((insider, phone))
}

async fn rung_5(stage: &mut Stage, scene: &mut Scene) -> Told {
    let google = ("google", Rung::DeliveredSecret);
    let (insider, _) = compromised(stage, scene, google).await?;
    let request = last(&insider, "/token")?;
    let stolen = request.field("client_secret").or_otherwise("no secret")?;
    scene.sent(format!(
        "Inside the phone, in the token request ({} bytes): client_secret={}",
        request.len(),
        shortened(&stolen)
    ));
    let victim = Victim::at_google(stage.provider.client_id());
    let loot = [("client_secret", stolen.as_str())];
    let answered = thief::exchange(stage, victim, &loot).await?;
    scene.allowed(format!(
        "on his own computer, with another user's stolen code: {}, tokens. He is Books now, everywhere",
        answered.status
    ));
    scene.why(
        "Attestation decided who gets the secret, not what becomes of it. It is the same for every copy of the app, and good \
         until somebody rotates it. Each delivery is on record with its device; that is how he is found.",
    );
    expect(Holds(answered.status == 200), || answered.words())
}

async fn rung_4(stage: &mut Stage, scene: &mut Scene) -> Told {
    let library = ("library-keys", Rung::MintedAssertion);
    let (insider, _) = compromised(stage, scene, library).await?;
    let request = last(&insider, "/token")?;
    let stolen = request.field("client_assertion");
    let stolen = stolen.or_otherwise("no assertion")?;
    let claims = claims(&stolen)?;
    scene.sent(format!(
        "Inside the phone: a client assertion for {}, good for {} s, jti {}",
        claims["aud"],
        claims["exp"].as_i64().unwrap_or_default() - claims["iat"].as_i64().unwrap_or_default(),
        shortened(claims["jti"].as_str().unwrap_or_default())
    ));
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let loot = [
        ("client_assertion_type", kind),
        ("client_assertion", stolen.as_str()),
    ];
    let victim = Victim::at_library("books-keys");
    let answered = thief::exchange(stage, victim, &loot).await?;
    scene.refused(answered.error(), answered.words());
    scene.why(
        "The key that signs never left the service. While he holds the phone he can have more assertions made, one by one \
         and each on record; he cannot carry the ability away.",
    );
    expect(Holds(answered.error() == "invalid_client"), || {
        answered.words()
    })
}

async fn rung_2(stage: &mut Stage, scene: &mut Scene) -> Told {
    let (insider, phone) = compromised(stage, scene, ("google", Rung::Relay)).await?;
    let requests = insider.requests_to("/token").len();
    let heard = insider.heard();
    let records = phone.sealed_record(Rung::Relay)?;
    let kept = text_after(&records, "\"refresh_token\":\"").or_otherwise("no refresh token")?;
    scene.sent(format!(
        "Inside the phone: {requests} requests to the token endpoint, no secret in the {} bytes that Books sent nor in what it \
         keeps. Its refresh token reads {} ({} characters, sealed by the service).",
        heard.len(),
        shortened(&kept),
        kept.len()
    ));
    let secret = stage.client_secret()?.expose().to_owned();
    let victim = Victim::at_google(stage.provider.client_id());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", kept.as_str()),
        ("client_id", victim.client_id),
        ("client_secret", secret.as_str()),
    ];
    let answered = thief::present(stage, victim.token, &form).await?;
    scene.refused(answered.error(), answered.words());
    let access = format!("Bearer {}", phone.access_token().await?);
    let status = thief::read_favorites(stage, "www.googleapis.com", &access).await?;
    scene.allowed(format!(
        "the access token works for him, {status}: a bearer token is good for whoever bears it, for an hour at most"
    ));
    scene.why(
        "The service adds the secret and forwards to Google only. He tried the kept refresh token with the secret he \
         had from rung 5, and it is still worthless: only the relay opens it, only for the phone it was sealed for.",
    );
    expect(Holds(!kept.starts_with("1//")), || {
        "the phone has Google's own refresh token".to_owned()
    })?;
    expect(Holds(requests == 0 && !stage.leaks(&heard)), || {
        "the phone had the secret".to_owned()
    })?;
    expect(Holds(!stage.leaks(&records)), || {
        "the phone keeps the secret".to_owned()
    })?;
    expect(Holds(answered.error() == "invalid_grant"), || {
        answered.words()
    })?;
    expect(Holds(status == 200), || format!("the API said {status}"))
}

async fn rung_1(stage: &mut Stage, scene: &mut Scene) -> Told {
    let library = ("library", Rung::AttestedClient);
    let (insider, phone) = compromised(stage, scene, library).await?;
    let books = phone.favorites(&stage.desk().join("covers")).await;
    let (books, _) = books.or_otherwise("favourites by a bound token")?;
    let request = last(&insider, "/token")?;
    let attestation = request.value("oauth-client-attestation");
    let attestation = attestation.or_otherwise("no attestation")?;
    let claims = claims(&attestation)?;
    scene.sent(format!(
        "Inside the phone: an attestation of client {} for the key {}, good for {} s, and proofs by that key, each for one \
         request. Books reads its {} favourites with a token that obeys the key.",
        claims["sub"],
        shortened(claims["cnf"]["jwk"]["x"].as_str().unwrap_or_default()),
        claims["exp"].as_i64().unwrap_or_default() - claims["iat"].as_i64().unwrap_or_default(),
        books.len()
    ));
    let token = Victim::at_library("books-attested").token;
    let replayed = thief::resend(stage, token, &request).await?;
    scene.refused(
        replayed.error(),
        format!(
            "the token request again, byte for byte: {}",
            replayed.words()
        ),
    );
    let access = format!("Bearer {}", phone.access_token().await?);
    let status = thief::read_favorites(stage, "api.library.example", &access).await?;
    scene.refused(
        "token-bound",
        format!(
            "the access token on his own computer: {status}; it obeys a key that he cannot export"
        ),
    );
    scene.why(
        "There is no secret, on the phone or anywhere. What makes the app the app is a key in this phone's hardware, vouched \
         for anew every few minutes. He can use the phone while he holds it, and nothing after.",
    );
    expect(Holds(replayed.status >= 400), || replayed.words())?;
    expect(Holds(status == 401), || format!("the API said {status}"))
}

async fn audit_holds(stage: &mut Stage, scene: &mut Scene) -> Told {
    stage.operator.types(scene, "bonafide audit verify").await?;
    let events = stage.operator.looks_up("bonafide audit list").await?;
    let count = |action| count(&events, action);
    let releases = count("secret.released");
    let searched = stage.search_service_files()?;
    scene.allowed(format!(
        "{releases} releases of the secret, {} relayed requests, {} client assertions, {} client attestations: each with \
         its device",
        count("relay.requested"),
        count("client-assertion.minted"),
        count("client-attestation.issued")
    ));
    scene.why(format!(
        "Changes and their audit rows are one transaction, chained by hashes. The secret's values, old and new, \
         occur in none of the {} files of the service ({} KiB).",
        searched.files,
        searched.bytes / 1024
    ));
    expect(Holds(releases > 0), || "no release is on record".to_owned())?;
    expect(Holds(searched.found.is_none()), || {
        format!("a secret is in {:?}", searched.found)
    })
}

fn count(events: &Value, action: &str) -> usize {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    events
        .iter()
        .filter(|event| event["action"] == action)
        .count()
}

/// The last request of Books to a path.
fn last(insider: &Insider, path: &str) -> Result<Captured, Otherwise> {
    let mut requests = insider.requests_to(path);
    requests.pop().or_otherwise("Books asked for no tokens")
}

/// What a JWT claims.
fn claims(jwt: &str) -> Result<Value, Otherwise> {
    let part = jwt.split('.').nth(1).or_otherwise("no JWT")?;
    let bytes = bonafide_wire::bytes::decode(part).or_otherwise("no JWT")?;
    serde_json::from_slice(&bytes).or_otherwise("no JWT")
}

/// What stands between a marker and the next quotation mark.
fn text_after(bytes: &[u8], marker: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let rest = text.split(marker).nth(1)?;
    rest.split('"').next().map(str::to_owned)
}

/// Enough to recognise it.
fn shortened(text: &str) -> String {
    let head: String = text.chars().take(12).collect();
    format!("{head}…")
}
