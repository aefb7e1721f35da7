//! The relay against a fake authorization server: what is forwarded, what comes back, and what never does.

use std::time::Duration;

use bonafide_server::config::Revocation;
use bonafide_server::store::{ObjectKind, Window};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, ResponseKey, SecretJson};
use bonafide_wire::ids::{AppId, UpstreamName};
use bonafide_wire::problem::ProblemCode::{
    UpstreamMisbehaved as Misbehaved, UpstreamUnavailable as Unavailable,
};
use bonafide_wire::problem::{Problem, ProblemCode};
use bonafide_wire::proof::Purpose;
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::upstream::{
    RelayOrder, RelayPayload, RelayReply, RelayRequest, Rung, SealedRelayReply, TokenTypeHint,
    relay_info,
};

use crate::log;
use crate::upstream::{FakeUpstream, Heard, REDIRECT, Say, TOKENS, upstream_name};
use crate::world::{CANARY, Instance, World, bytes_of, problem, read, sdk};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// `books client:GOCSPX-canary-9f3b1c77`, form-encoded, in Base64.
const BASIC: &str = "Basic Ym9va3MrY2xpZW50OkdPQ1NQWC1jYW5hcnktOWYzYjFjNzc=";

fn secret(text: &str) -> SecretJson {
    text.to_owned().into()
}

pub(crate) fn code() -> RelayOrder {
    RelayOrder::AuthorizationCode {
        code: secret("4/0A-code"),
        redirect_uri: REDIRECT.to_owned(),
        code_verifier: secret(VERIFIER),
    }
}

fn refresh(token: &str) -> RelayOrder {
    RelayOrder::RefreshToken {
        refresh_token: secret(token),
        scope: None,
    }
}

impl World {
    pub(crate) async fn ordering(
        &self,
        instance: &Instance,
        order: RelayOrder,
    ) -> (RelayPayload, OpeningKey) {
        let key = OpeningKey::generate(Suite::X25519).unwrap();
        let payload = RelayPayload {
            challenge: self.challenge(ChallengePurpose::Relay).await,
            response_key: ResponseKey {
                suite: key.suite(),
                public_key: Base64Url(key.public_key().to_vec()),
            },
            measurements: instance.phone.measure(instance.app).unwrap(),
            sdk: sdk(),
            upstream: upstream_name(),
            request: order,
            dpop: None,
        };
        (payload, key)
    }

    pub(crate) fn relay_signed(&self, instance: &Instance, payload: &RelayPayload) -> RelayRequest {
        let payload = serde_json::to_vec(payload).unwrap();
        let ticket = instance.ticket.clone();
        RelayRequest {
            proof: self.prove(instance, Purpose::Relay, ticket.as_slice(), &payload),
            ticket,
            payload: Base64Url(payload),
        }
    }

    pub(crate) fn relay_open(
        &self,
        sealed: &[u8],
        request: &RelayRequest,
        key: &OpeningKey,
    ) -> RelayReply {
        let sealed: SealedRelayReply = serde_json::from_slice(sealed).unwrap();
        let aad = bonafide_wire::proof::sha256(request.payload.as_slice());
        let plain = key
            .open(&sealed.sealed, &relay_info(&self.account), &aad)
            .unwrap();
        serde_json::from_slice(&plain).unwrap()
    }

    /// Sends an order of an allowed instance down its route.
    pub(crate) async fn relayed(&self, instance: &mut Instance, order: RelayOrder) -> RelayReply {
        let route = route_of(&order);
        let (payload, key) = self.ordering(instance, order).await;
        let request = self.relay_signed(instance, &payload);
        let response = self.post(route, &request).await;
        let status = response.status();
        let body = bytes_of(response).await;
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
        let reply = self.relay_open(&body, &request, &key);
        instance.ticket = reply.ticket.clone();
        reply
    }

    /// The same for one that must fail.
    pub(crate) async fn not_relayed(&self, instance: &Instance, order: RelayOrder) -> Problem {
        let route = route_of(&order);
        let (payload, _) = self.ordering(instance, order).await;
        let request = self.relay_signed(instance, &payload);
        problem(self.post(route, &request).await).await
    }

    async fn audited(&self) -> Vec<String> {
        let window = Window {
            after: None,
            limit: 200,
        };
        let store = self.service.store();
        let rows = store.audit(Some(&self.account), window).await.unwrap();
        assert!(store.verify_audit().await.unwrap().intact);
        let rows = rows.items.into_iter();
        rows.map(|row| format!("{} {} {}", row.action, row.object, row.details))
            .collect()
    }
}

fn route_of(order: &RelayOrder) -> &'static str {
    match order {
        RelayOrder::AuthorizationCode { .. } | RelayOrder::RefreshToken { .. } => {
            "relay/google/token"
        }
        RelayOrder::Revoke { .. } => "relay/google/revoke",
        RelayOrder::Register { .. } => "relay/google/register",
    }
}

/// A world with an upstream that relays, and an enrolled phone.
async fn ready() -> (World, FakeUpstream, Instance) {
    let world = World::new().await;
    let fake = FakeUpstream::start().await;
    world.set_upstream(&fake.object()).await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    (world, fake, phone)
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn a_code_is_redeemed_with_the_apps_authentication_and_its_verifier() {
    let (world, fake, mut phone) = ready().await;
    let say = Say::json(200, TOKENS)
        .with("dpop-nonce", "nonce-1")
        .with("set-cookie", "sid=1");
    fake.says(say);
    let (mut payload, key) = world.ordering(&phone, code()).await;
    payload.dpop = Some("e30.e30.AA".to_owned());
    let request = world.relay_signed(&phone, &payload);
    let body = bytes_of(world.post("relay/google/token", &request).await).await;
    let reply = world.relay_open(&body, &request, &key);
    phone.ticket = reply.ticket.clone();

    let [heard] = fake.heard().try_into().unwrap();
    assert_eq!(heard.path, "/token");
    assert_eq!(heard.header("authorization"), Some(BASIC));
    assert_eq!(heard.header("dpop"), Some("e30.e30.AA"));
    assert_eq!(
        serde_json::to_value(heard.form()).unwrap(),
        serde_json::json!({
            "grant_type": "authorization_code", "code": "4/0A-code", "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        })
    );
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers.dpop_nonce.as_deref(), Some("nonce-1"));
    assert!(reply.headers.date.is_some());
    let told: serde_json::Value = serde_json::from_str(reply.body.0.expose()).unwrap();
    assert_eq!(told["access_token"], "at-canary");
    // The new ticket is good for the next request.
    world.attest(&mut phone).await;
}

#[tokio::test]
async fn the_secret_is_in_no_byte_to_the_phone_no_log_and_no_audit_row() {
    let (world, fake, mut phone) = ready().await;
    let (payload, key) = world.ordering(&phone, code()).await;
    let request = world.relay_signed(&phone, &payload);
    let response = bytes_of(world.post("relay/google/token", &request).await).await;
    let reply = world.relay_open(&response, &request, &key);
    let plain = serde_json::to_vec(&reply).unwrap();
    // The refresh token is kept: not even the opened reply has it.
    for never in [CANARY, BASIC, "rt-canary-4711"] {
        assert!(!contains(&plain, never), "{never} in the opened reply");
    }
    let kept: serde_json::Value = serde_json::from_str(reply.body.0.expose()).unwrap();
    phone.ticket = reply.ticket.clone();
    let again = refresh(kept["refresh_token"].as_str().unwrap());
    world.relayed(&mut phone, again).await;
    let forms: Vec<_> = fake.heard().iter().map(Heard::form).collect();
    assert_eq!(forms[1]["refresh_token"], "rt-canary-4711");
    let log = log::captured();
    let audit = world.audited().await.join("\n");
    let database = std::fs::read(world.directory.path().join("bonafide.db-wal")).unwrap();
    for never in [CANARY, "rt-canary-4711", "4/0A-code", VERIFIER, "at-canary"] {
        assert!(!contains(&response, never), "{never} in the sealed reply");
        assert!(
            !contains(audit.as_bytes(), never),
            "{never} in the audit log"
        );
        assert!(!contains(&database, never), "{never} in the database");
    }
    for never in [CANARY, BASIC, "rt-canary-4711", "4/0A-code", "at-canary"] {
        assert!(!contains(&log, never), "{never} in the log");
    }
    assert!(audit.contains("relay.requested google"), "{audit}");
    assert!(audit.contains("relay.ended google"), "{audit}");
}

#[tokio::test]
async fn a_secret_that_the_relay_uses_is_delivered_to_nobody() {
    let (world, _fake, mut phone) = ready().await;
    let reply = world.attest(&mut phone).await;
    assert!(matches!(
        reply.secrets.as_slice(),
        [bonafide_wire::device::SecretOutcome::Withheld {
            reason: bonafide_wire::device::Withheld::RungNotAllowed,
            ..
        }]
    ));
}

type Change = fn(&mut RelayPayload);

#[rustfmt::skip]
const BROKEN: [(&str, ProblemCode, Change); 9] = [
        (
            "another redirect URI",
            ProblemCode::RedirectUriNotAllowed,
            |p| {
                p.request = RelayOrder::AuthorizationCode {
                    code: secret("c"),
                    redirect_uri: "https://evil.example/cb".to_owned(),
                    code_verifier: secret(VERIFIER),
                };
            },
        ),
        ("a short verifier", ProblemCode::MalformedRequest, |p| {
            p.request = RelayOrder::AuthorizationCode {
                code: secret("c"),
                redirect_uri: REDIRECT.to_owned(),
                code_verifier: secret("short"),
            };
        }),
        (
            "an order of another route",
            ProblemCode::MalformedRequest,
            |p| {
                p.request = RelayOrder::Revoke {
                    token: secret("t"),
                    token_type_hint: TokenTypeHint::AccessToken,
                };
            },
        ),
        (
            "another upstream than the route's",
            ProblemCode::MalformedRequest,
            |p| {
                p.upstream = UpstreamName::parse("other").unwrap();
            },
        ),
        (
            "a DPoP value that is no JWS",
            ProblemCode::MalformedRequest,
            |p| {
                p.dpop = Some("a\r\nx: y".to_owned());
            },
        ),
        (
            "a refresh token that was not kept here",
            ProblemCode::RefreshTokenInvalid,
            |p| {
                p.request = refresh("rt-canary-4711");
            },
        ),
        (
            "a kept form that is not ours",
            ProblemCode::RefreshTokenInvalid,
            |p| {
                p.request = refresh("bfr1.AAAA");
            },
        ),
        (
            "a challenge of ours for nothing",
            ProblemCode::ChallengeInvalid,
            |p| {
                p.challenge.0[20] ^= 1;
            },
        ),
        (
            "a response key of the wrong length",
            ProblemCode::ResponseKeyInvalid,
            |p| {
                p.response_key.public_key.0.pop();
            },
        ),
    ];

#[tokio::test]
async fn each_broken_rule_is_refused_by_its_code_and_the_upstream_hears_nothing() {
    let (world, fake, phone) = ready().await;
    for (what, expected, change) in BROKEN {
        let (mut payload, _) = world.ordering(&phone, code()).await;
        change(&mut payload);
        let request = world.relay_signed(&phone, &payload);
        let refused = problem(world.post("relay/google/token", &request).await).await;
        assert_eq!(refused.code, expected, "{what}");
    }
    let (mut payload, _) = world.ordering(&phone, code()).await;
    payload.challenge = world.challenge(ChallengePurpose::Attestation).await;
    let request = world.relay_signed(&phone, &payload);
    let refused = problem(world.post("relay/google/token", &request).await).await;
    assert_eq!(
        refused.code,
        ProblemCode::ChallengeInvalid,
        "another purpose"
    );
    let (payload, _) = world.ordering(&phone, code()).await;
    let mut request = world.relay_signed(&phone, &payload);
    request.payload.0[1] ^= 1;
    let refused = problem(world.post("relay/google/token", &request).await).await;
    assert_eq!(refused.code, ProblemCode::ProofInvalid);
    let unknown = problem(world.post("relay/nobody/token", &request).await).await;
    assert_eq!(
        unknown.code,
        ProblemCode::ProofInvalid,
        "nothing is told to strangers"
    );
    assert_eq!(fake.heard().len(), 0);
}

#[tokio::test]
async fn an_upstream_is_there_only_for_its_apps_and_its_rungs() {
    let (world, fake, phone) = ready().await;
    let mut object = fake.object();
    object.apps = vec![AppId::parse("other").unwrap()];
    world.set_upstream(&object).await;
    let refused = world.not_relayed(&phone, code()).await;
    assert_eq!(refused.code, ProblemCode::UnknownUpstream);
    object.apps.clear();
    object.rungs = vec![Rung::DeliveredSecret];
    world.set_upstream(&object).await;
    let refused = world.not_relayed(&phone, code()).await;
    assert_eq!(refused.code, ProblemCode::RungNotAllowed);
    assert_eq!(fake.heard().len(), 0);
}

#[tokio::test]
async fn a_captured_request_reaches_the_upstream_once_and_yields_what_only_its_sender_opens() {
    let (world, fake, phone) = ready().await;
    let (payload, key) = world.ordering(&phone, code()).await;
    let request = world.relay_signed(&phone, &payload);
    let first = bytes_of(world.post("relay/google/token", &request).await).await;
    let again = bytes_of(world.post("relay/google/token", &request).await).await;
    assert_eq!(first, again, "a genuine retry hears the same");
    assert_eq!(fake.heard().len(), 1);
    world.relay_open(&again, &request, &key);
    // Another instance sends the same payload under its own key: the challenge is spent.
    let mut thief = world.genuine();
    world.enrol(&mut thief).await;
    let stolen = world.relay_signed(&thief, &payload);
    let told = bytes_of(world.post("relay/google/token", &stolen).await).await;
    assert!(key_of_another(&told, &world, &stolen).is_err());
    // The same sender, another order, the same challenge.
    let mut other = payload.clone();
    other.request = refresh("bfr1.AAAA");
    other.request = RelayOrder::AuthorizationCode {
        code: secret("another"),
        redirect_uri: REDIRECT.to_owned(),
        code_verifier: secret(VERIFIER),
    };
    let request = world.relay_signed(&phone, &other);
    let refused = problem(world.post("relay/google/token", &request).await).await;
    assert_eq!(refused.code, ProblemCode::ChallengeUsed);
    assert_eq!(fake.heard().len(), 0);
}

/// A thief opens with a key of his own.
fn key_of_another(sealed: &[u8], world: &World, request: &RelayRequest) -> Result<(), ()> {
    let key = OpeningKey::generate(Suite::X25519).unwrap();
    let sealed: SealedRelayReply = serde_json::from_slice(sealed).map_err(|_| ())?;
    let aad = bonafide_wire::proof::sha256(request.payload.as_slice());
    key.open(&sealed.sealed, &relay_info(&world.account), &aad)
        .map(drop)
        .map_err(|_| ())
}

#[tokio::test]
async fn of_many_copies_at_once_one_reaches_the_upstream() {
    let (world, fake, phone) = ready().await;
    let mut say = Say::json(200, TOKENS);
    say.after = Duration::from_millis(50);
    fake.says(say);
    let (payload, _) = world.ordering(&phone, code()).await;
    let request = world.relay_signed(&phone, &payload);
    let copies = (0..8).map(|_| world.post("relay/google/token", &request));
    let answers = futures_util::future::join_all(copies).await;
    let good = answers.iter().filter(|answer| answer.status() == 200);
    assert_eq!(good.count(), 1);
    for answer in answers {
        if answer.status() != 200 {
            let told = problem(answer).await;
            assert_eq!(told.code, ProblemCode::RelayInProgress);
            assert_eq!(told.retry_after, Some(1));
        }
    }
    assert_eq!(fake.heard().len(), 1);
}

#[tokio::test]
async fn a_kept_refresh_token_means_nothing_to_another_instance() {
    let (world, fake, mut phone) = ready().await;
    let reply = world.relayed(&mut phone, code()).await;
    assert!(reply.refresh_token_kept);
    let told: serde_json::Value = serde_json::from_str(reply.body.0.expose()).unwrap();
    let kept = told["refresh_token"].as_str().unwrap().to_owned();
    let mut thief = world.genuine();
    world.enrol(&mut thief).await;
    let refused = world.not_relayed(&thief, refresh(&kept)).await;
    assert_eq!(refused.code, ProblemCode::RefreshTokenInvalid);
    fake.heard();
    // Its own instance revokes it in that form.
    fake.says(Say::json(200, "{}"));
    let revoke = RelayOrder::Revoke {
        token: secret(&kept),
        token_type_hint: TokenTypeHint::RefreshToken,
    };
    let reply = world.relayed(&mut phone, revoke).await;
    assert_eq!((reply.status, reply.body.0.expose()), (200, ""));
    let [heard] = fake.heard().try_into().unwrap();
    assert_eq!(heard.path, "/revoke");
    assert_eq!(heard.form()["token"], "rt-canary-4711");
    // A revoked device is refused, whatever it holds.
    let device = bonafide_wire::proof::device_id(&world.account, &point(&world, &phone));
    let revocation = Revocation { at: 1 };
    let write = world.put(ObjectKind::Revocation, device.as_str(), &revocation);
    world.write(vec![write]).await;
    let refused = world.not_relayed(&phone, refresh(&kept)).await;
    assert_eq!(refused.code, ProblemCode::DeviceRevoked);
    assert_eq!(fake.heard().len(), 0);
}

/// The point of an instance's enrolled key, as the service would say it.
pub(crate) fn point(world: &World, instance: &Instance) -> Vec<u8> {
    let policy = bonafide_evidence::Policy::preset(bonafide_evidence::Preset::Default);
    let ticket = bonafide_server::app::ticket::Ticket::open(
        world.service.keys(),
        (&world.account, &policy),
        instance.ticket.as_slice(),
        world.now(),
    )
    .unwrap();
    ticket.facts.public_key().unwrap().to_vec()
}

/// What a server may do wrong, with the code and the wait that the phone is told.
fn faults() -> Vec<(&'static str, Say, ProblemCode, Option<u32>)> {
    let html = |status| {
        let mut say = Say::json(status, "<html>Bad gateway</html>");
        say = say.with("content-type", "text/html");
        say
    };
    vec![
        ("an HTML 502", html(502), Unavailable, Some(5)),
        (
            "a busy server",
            html(429).with("retry-after", "17"),
            Unavailable,
            Some(17),
        ),
        (
            "a server that wants a day",
            html(503).with("retry-after", "86400"),
            Unavailable,
            Some(300),
        ),
        ("HTML with status 200", html(200), Misbehaved, Some(5)),
        (
            "a redirect",
            Say::json(307, "{}").with("location", "https://evil.example/"),
            Misbehaved,
            Some(5),
        ),
        (
            "a huge body",
            Say::json(
                200,
                format!(r#"{{"access_token":"{}"}}"#, "x".repeat(70_000)),
            ),
            Misbehaved,
            Some(5),
        ),
        ("no JSON", Say::json(200, "{"), Misbehaved, Some(5)),
        ("a JSON list", Say::json(200, "[]"), Misbehaved, Some(5)),
        (
            "an answer without a token",
            Say::json(200, "{}"),
            Misbehaved,
            Some(5),
        ),
        (
            "a refusal without a reason",
            Say::json(400, "{}"),
            Misbehaved,
            Some(5),
        ),
        (
            "an echo of the secret",
            Say::json(
                400,
                format!(r#"{{"error":"x","error_description":"{CANARY}"}}"#),
            ),
            Misbehaved,
            Some(5),
        ),
    ]
}

#[tokio::test]
async fn an_upstream_that_is_down_slow_or_lying_is_told_apart_and_may_be_asked_again() {
    let (world, fake, mut phone) = ready().await;
    for (what, say, code_expected, wait) in faults() {
        fake.says(say);
        let told = world.not_relayed(&phone, code()).await;
        assert_eq!(told.code, code_expected, "{what}");
        assert_eq!(told.retry_after, wait, "{what}");
    }
    // A refusal in OAuth's own words is an answer.
    fake.says(Say::json(400, r#"{"error":"invalid_grant"}"#));
    let reply = world.relayed(&mut phone, code()).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.body.0.expose(), r#"{"error":"invalid_grant"}"#);
    // Nobody there: nothing was sent, and the same request sent again is told the same.
    let mut object = fake.object();
    object.endpoints.token = FakeUpstream::start_and_stop().await;
    world.set_upstream(&object).await;
    let (payload, _) = world.ordering(&phone, code()).await;
    let request = world.relay_signed(&phone, &payload);
    for _ in 0..2 {
        let told = problem(world.post("relay/google/token", &request).await).await;
        assert_eq!((told.code, told.retry_after), (Unavailable, Some(5)));
    }
}

#[tokio::test]
async fn one_device_asks_so_often_and_no_more() {
    let (world, fake, mut phone) = ready().await;
    for _ in 0..30 {
        world.relayed(&mut phone, code()).await;
    }
    let told = world.not_relayed(&phone, code()).await;
    assert_eq!(told.code, ProblemCode::RateLimited);
    assert!(told.retry_after.is_some());
    assert_eq!(fake.heard().len(), 30);
    world.advance(60);
    world.relayed(&mut phone, code()).await;
}

#[tokio::test]
async fn an_instance_that_policy_refuses_is_not_relayed() {
    let (world, fake, mut phone) = ready().await;
    world.set_policy(&[]).await;
    let refused = world.not_relayed(&phone, code()).await;
    assert_eq!(refused.code, ProblemCode::AttestationRefused);
    assert_eq!(world.verdict(&refused).await.request, "relay");
    assert_eq!(fake.heard().len(), 0);
    world.set_policy(&[("development", "observe")]).await;
    world.relayed(&mut phone, code()).await;
    let _sealed: SealedRelayReply = read({
        let (payload, _) = world.ordering(&phone, code()).await;
        let request = world.relay_signed(&phone, &payload);
        world.post("relay/google/token", &request).await
    })
    .await;
}

#[tokio::test]
async fn a_device_that_was_refused_at_its_enrolment_gets_its_row_with_the_first_relay() {
    let (world, _fake, _) = ready().await;
    world.set_policy(&[]).await;
    let mut phone = world.genuine();
    let request = world.enrolment(&mut phone).await;
    let told = problem(world.post("enrolments", &request).await).await;
    phone.ticket = told.ticket.unwrap();
    let device = told.device_id.unwrap();
    world.set_policy(&[("development", "observe")]).await;
    let row = || world.service.store().device(&world.account, &device);
    assert!(row().await.unwrap().is_none());
    world.relayed(&mut phone, code()).await;
    assert!(row().await.unwrap().is_some());
    world.relayed(&mut phone, code()).await;
}
