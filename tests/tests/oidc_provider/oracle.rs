//! oauth4webapi, the certified client of another language, beside ours: the same servers, the same requests, the same verdicts.
//! Where the two differ, `docs/reference/oauth-oracle.md` says why; a difference that is not there, or no longer is one, fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bonafide_oauth::{HttpRequest, Method};
use bonafide_tests::workspace_root;
use reqwest::Url;
use serde_json::{Value, json};

use crate::cases::{self, Case};
use crate::clients::{LOGINS, bound};
use crate::misbehaving;
use crate::peer::{self, SECRET, script};
use crate::provider::{self, NOW, Provider};
use crate::world::{How, Login, World};

/// The other client's process.
struct Oracle {
    child: Child,
    say: ChildStdin,
    heard: std::io::Lines<BufReader<ChildStdout>>,
}

impl Oracle {
    fn start() -> Option<Self> {
        let mut child = script("oracle.mjs")?.spawn().ok()?;
        let mut stderr = child.stderr.take()?;
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Some(Self {
            say: child.stdin.take()?,
            heard: BufReader::new(child.stdout.take()?).lines(),
            child,
        })
    }

    fn tell(&mut self, line: &Value) -> Value {
        writeln!(self.say, "{line}").unwrap();
        let heard = self.heard.next().unwrap().unwrap();
        serde_json::from_str(&heard).unwrap()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn method_of(how: How) -> &'static str {
    match how {
        How::Public => "none",
        How::Basic => "client_secret_basic",
        How::Post => "client_secret_post",
        How::SecretJwt => "client_secret_jwt",
        How::KeyJwt => "private_key_jwt",
        How::Attested => "attest_jwt_client_auth",
        How::AttestedByDpop => "attest_jwt_client_auth_dpop",
    }
}

fn command(world: &World, login: Login) -> Value {
    json!({
        "issuer": world.peer.issuer, "client_id": login.client, "method": method_of(login.how),
        "redirect_uri": login.redirect, "scope": "openid email offline_access",
        "extra": {"prompt": "consent"}, "bound": login.bound, "pushed": login.pushed, "refresh": true,
        "secret": SECRET, "kid": world.client_key.kid(),
        "key": STANDARD.encode(world.client_key.pkcs8()),
        "instance": STANDARD.encode(world.instance.pkcs8()),
        "attestation": world.attestation(login.client).expose(),
    })
}

/// One request in a form in which two clients can be compared: what is random is only named.
type Shape = BTreeMap<String, String>;

fn shape(method: &str, url: &Url, headers: &BTreeMap<String, String>, body: &str) -> Shape {
    let mut shape = Shape::from([("request".to_owned(), format!("{method} {}", url.path()))]);
    for (name, value) in url.query_pairs() {
        shape.insert(format!("query {name}"), value_of(&name, &value));
    }
    for name in [
        "accept",
        "authorization",
        "content-type",
        "dpop",
        "oauth-client-attestation",
        "oauth-client-attestation-pop",
    ] {
        if let Some(value) = headers.get(name) {
            // A charset says nothing in a form of ASCII.
            let value = value.strip_suffix(";charset=UTF-8").unwrap_or(value);
            insert(&mut shape, &format!("header {name}"), name, value);
        }
    }
    let form = Url::parse(&format!("http://form/?{body}")).unwrap();
    for (name, value) in form.query_pairs() {
        insert(&mut shape, &format!("field {name}"), &name, &value);
    }
    shape
}

/// A JWT is compared member by member, anything else as a whole.
fn insert(shape: &mut Shape, place: &str, name: &str, value: &str) {
    let parts: Vec<_> = value.split('.').collect();
    let [header, claims, _] = parts.as_slice() else {
        shape.insert(place.to_owned(), value_of(name, value));
        return;
    };
    let read = |part: &str| -> Option<BTreeMap<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (Some(header), Some(claims)) = (read(header), read(claims)) else {
        shape.insert(place.to_owned(), value_of(name, value));
        return;
    };
    for (kind, members) in [("header", header), ("claim", claims)] {
        for (member, value) in members {
            let told = if ["jti", "iat", "nbf", "exp", "ath", "nonce", "challenge"]
                .contains(&member.as_str())
            {
                "present".to_owned()
            } else {
                value.to_string()
            };
            shape.insert(format!("{place} {kind} {member}"), told);
        }
    }
}

/// What two logins cannot share is only present.
fn value_of(name: &str, value: &str) -> String {
    const DRAWN: [&str; 8] = [
        "state",
        "nonce",
        "code",
        "code_challenge",
        "code_verifier",
        "refresh_token",
        "request_uri",
        "token",
    ];
    if DRAWN.contains(&name) {
        return "present".to_owned();
    }
    match value.split_once(' ') {
        Some(("Basic", pair)) => format!("Basic {}", basic(pair)),
        Some((scheme @ ("Bearer" | "DPoP"), _)) => scheme.to_owned(),
        _ => value.to_owned(),
    }
}

/// Id and secret may be percent-encoded more or less; what they decode to counts.
fn basic(pair: &str) -> String {
    let pair = STANDARD.decode(pair).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let (id, secret) = pair.split_once(':').unwrap();
    let form = Url::parse(&format!("http://form/?id={id}&secret={secret}")).unwrap();
    let decoded: Vec<_> = form
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    decoded.join(":")
}

fn ours(request: &HttpRequest) -> Shape {
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.expose().to_owned()))
        .collect();
    let url = Url::parse(request.url.as_str()).unwrap();
    shape(
        request.method.as_str(),
        &url,
        &headers,
        request.body.expose(),
    )
}

fn theirs(sent: &Value) -> Shape {
    let headers: BTreeMap<String, String> =
        serde_json::from_value(sent["headers"].clone()).unwrap();
    let text = |name: &str| sent[name].as_str().unwrap();
    let url = Url::parse(text("url")).unwrap();
    shape(text("method"), &url, &headers, text("body"))
}

/// The last request to each endpoint: after any demand for a nonce has been met.
fn by_endpoint(shapes: impl Iterator<Item = Shape>) -> BTreeMap<String, Shape> {
    shapes
        .map(|shape| {
            let grant = shape.get("field grant_type").cloned().unwrap_or_default();
            (format!("{} {grant}", shape["request"]), shape)
        })
        .collect()
}

/// `place: ours | theirs` for each place where two shapes differ.
fn differences(ours: &Shape, theirs: &Shape) -> BTreeSet<String> {
    let places: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let told = |shape: &Shape, place: &str| {
        let value = shape.get(place).map_or("absent", String::as_str);
        format!("`{value}`")
    };
    places
        .into_iter()
        .filter(|place| ours.get(*place) != theirs.get(*place))
        .map(|place| format!("{place} | {} | {}", told(ours, place), told(theirs, place)))
        .collect()
}

/// The rows of one table of the page, without their last column, which explains.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = workspace_root().join("docs/reference/oauth-oracle.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split(heading).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .skip(1)
        .map(|row| row.rsplit_once(" | ").unwrap().0.to_owned())
        .collect()
}

#[tokio::test]
async fn both_clients_ask_the_same_server_in_the_same_way() {
    let mut world = world_or_skip!();
    let mut oracle = Oracle::start().unwrap();
    let mut found = BTreeSet::new();
    for login in LOGINS {
        world.sent.clear();
        let begun = world.begin(login).await.unwrap();
        let exchange = world.browse(&begun).await.unwrap();
        let tokens = world.finish(exchange, login).await.unwrap();
        world.userinfo(&tokens).await.unwrap();
        world.refresh(&tokens, login).await.unwrap();

        let told = oracle.tell(&command(&world, login));
        let authorize = told["authorize"]
            .as_str()
            .unwrap_or_else(|| panic!("{login:?}: {told}"));
        let arrived = peer::browse(&world.http, &world.peer.issuer, authorize).await;
        let told = oracle.tell(&json!({ "arrived": arrived }));
        assert_eq!(told["outcome"], "accept", "{login:?}: {told}");

        let visit = |url: &str| shape("BROWSER", &Url::parse(url).unwrap(), &BTreeMap::new(), "");
        found.extend(differences(&visit(begun.url.as_str()), &visit(authorize)));
        let own = by_endpoint(world.sent.iter().map(ours));
        let other = by_endpoint(told["sent"].as_array().unwrap().iter().map(theirs));
        for (endpoint, shape) in &other {
            let Some(own) = own.get(endpoint) else {
                assert!(endpoint.contains("/challenge") || endpoint.contains("/.well-known"));
                continue;
            };
            found.extend(differences(own, shape));
        }
        let missing = own.keys().filter(|endpoint| !other.contains_key(*endpoint));
        assert_eq!(missing.count(), 0, "{login:?}");
    }
    assert_eq!(found, documented("## Requests"));
}

/// What the other client makes of a provider that breaks one rule.
async fn their_verdict(oracle: &mut Oracle, case: &Case) -> String {
    let (_, misbehave, _) = case;
    let mut provider = misbehaving::serve(|issuer| {
        let mut provider = Provider::at(issuer);
        misbehave(&mut provider);
        provider
    })
    .await;
    let login = json!({
        "issuer": provider.issuer, "client_id": provider::CLIENT, "method": "client_secret_basic",
        "redirect_uri": "http://127.0.0.1:5000/callback", "scope": "openid email", "extra": {},
        "secret": "secret", "skew": NOW - crate::native_host::now().0,
        "metadata": metadata(&mut provider),
    });
    let mut told = oracle.tell(&login);
    if let Some(authorize) = told["authorize"].as_str() {
        let url = Url::parse(authorize).unwrap();
        let arrived = provider.authorize(&url);
        told = oracle.tell(&json!({ "arrived": arrived }));
    }
    told["outcome"].as_str().unwrap().to_owned()
}

/// What a client of theirs must be told of the algorithm, ours finds out.
fn metadata(provider: &mut misbehaving::Served) -> Value {
    let algorithm = provider.signs_with();
    if provider.signs_userinfo() {
        json!({"id_token_signed_response_alg": algorithm, "userinfo_signed_response_alg": algorithm})
    } else {
        json!({ "id_token_signed_response_alg": algorithm })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_clients_believe_and_refuse_the_same_providers() {
    let Some(mut oracle) = Oracle::start() else {
        println!("SKIPPED oauth4webapi: not installed (cargo xtask peers)");
        return;
    };
    let mut found = BTreeSet::new();
    let tables = [
        cases::RIGHT,
        cases::SIGNATURES,
        cases::CLAIMS,
        cases::FOREIGN,
        cases::ANSWERS,
    ];
    let mut compared = 0;
    for case in tables.into_iter().flatten() {
        let theirs = their_verdict(&mut oracle, case).await;
        let ours = if case.2 == "accept" {
            "accept"
        } else {
            "refuse"
        };
        if ours != theirs {
            found.insert(format!("{} | {ours} | {theirs}", case.0));
        }
        compared += 1;
    }
    assert!(compared > 60, "only {compared} cases");
    assert_eq!(found, documented("## Verdicts"));
}

/// Both modes of the attested client, and bound tokens, are among what is compared.
#[test]
fn the_comparison_covers_every_method() {
    let methods: BTreeSet<_> = LOGINS.iter().map(|login| method_of(login.how)).collect();
    assert_eq!(methods.len(), 7);
    assert!(
        LOGINS
            .iter()
            .any(|login| bound(*login).bound && login.pushed)
    );
    assert_eq!(Method::Get.as_str(), "GET");
}
