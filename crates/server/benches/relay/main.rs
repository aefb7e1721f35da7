//! What the relay adds to a token request: the same exchange with the same server on loopback, directly and through the
//! service, alternating in this run. The service runs as it is (router, frame, JSON access log, `SQLite` with full sync).
//! Ratios and differences count; a real authorization server is farther away and slower, so the ratio there is smaller.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may fail loudly and prints its result"
)]

#[path = "../attest/log.rs"]
mod log;
#[path = "../../tests/device/upstream.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod upstream;
#[path = "../../tests/device/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::time::{Duration, Instant};

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, ResponseKey};
use bonafide_wire::proof::Purpose;
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::upstream::{RelayOrder, RelayPayload, RelayRequest};

use upstream::{FakeUpstream, REDIRECT, upstream_name};
use world::{Instance, World, sdk};

/// As many phones as the rate of one (30 a minute, and the clock stands) demands.
const PHONES: usize = 16;
const EACH: usize = 25;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[tokio::main]
async fn main() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    log::capture();
    let world = World::new().await;
    let fake = FakeUpstream::start().await;
    world.set_upstream(&fake.object()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("http://{}", listener.local_addr().unwrap());
    let router = world.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();

    let (mut direct, mut relayed) = (Vec::new(), Vec::new());
    for phone in 0..=PHONES {
        let mut instance = world.genuine();
        world.enrol(&mut instance).await;
        for _ in 0..EACH {
            let request = signed(&world, &instance).await;
            let took = timed(exchange(&http, &fake)).await;
            let through = timed(relay(&http, &service, &request)).await;
            // The first phone warms connections and caches.
            if phone > 0 {
                direct.push(took);
                relayed.push(through);
            }
        }
    }
    report(&mut direct, &mut relayed);
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

async fn exchange(http: &reqwest::Client, fake: &FakeUpstream) {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "4/0A-code"),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let request = http
        .post(format!("{}/token", fake.issuer))
        .basic_auth("books client", Some("secret"))
        .form(&form);
    let response = request.send().await.unwrap();
    assert!(response.status().is_success());
    response.bytes().await.unwrap();
}

async fn relay(http: &reqwest::Client, service: &str, request: &RelayRequest) {
    let url = format!("{service}/v1/acme/relay/google/token");
    let response = http.post(url).json(request).send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
}

async fn signed(world: &World, instance: &Instance) -> RelayRequest {
    let key = OpeningKey::generate(Suite::X25519).unwrap();
    let payload = RelayPayload {
        challenge: world.challenge(ChallengePurpose::Relay).await,
        response_key: ResponseKey {
            suite: key.suite(),
            public_key: Base64Url(key.public_key().to_vec()),
        },
        measurements: instance.phone.measure(instance.app).unwrap(),
        sdk: sdk(),
        upstream: upstream_name(),
        request: RelayOrder::AuthorizationCode {
            code: "4/0A-code".to_owned().into(),
            redirect_uri: REDIRECT.to_owned(),
            code_verifier: VERIFIER.to_owned().into(),
        },
        dpop: None,
    };
    let payload = serde_json::to_vec(&payload).unwrap();
    let ticket = instance.ticket.clone();
    RelayRequest {
        proof: world.prove(instance, Purpose::Relay, ticket.as_slice(), &payload),
        ticket,
        payload: Base64Url(payload),
    }
}

fn report(direct: &mut [Duration], relayed: &mut [Duration]) {
    direct.sort_unstable();
    relayed.sort_unstable();
    println!("exchanges measured: {} each way", direct.len());
    println!("            direct      relayed     added       ratio");
    for (name, percent) in [("median", 50), ("p95", 95)] {
        let at = |all: &[Duration]| all[(all.len() - 1) * percent / 100];
        let (direct, relayed) = (at(direct), at(relayed));
        let added = relayed.saturating_sub(direct);
        let ratio = relayed.as_secs_f64() / direct.as_secs_f64();
        println!("{name:<10}  {direct:<10.1?}  {relayed:<10.1?}  {added:<10.1?}  {ratio:.1}");
    }
}
