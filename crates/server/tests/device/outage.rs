//! The store is away (promise P9): what goes on, what waits, and how it is marked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_server::app::store_health::GRACE_SECONDS;
use bonafide_server::config::{ClientAuthentication, Configuration};
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_server::store::{
    AuditEntry, AuditHead, Change, Consumption, Enrolled, Enrolment, InstanceClient, NewDevice,
    NewRelay, RecordedReply, Rejudged, RelayTurn, ReplyKey, Rows, Session, Store, StoreError,
    StoreFuture, VerdictRecord, Window,
};
use bonafide_wire::admin::{
    AuditEventView, AuditVerification, DeviceView, RefusedDevice, VerdictView,
};
use bonafide_wire::device::{ChallengePurpose, SecretOutcome, TokenOutcome, Withheld};
use bonafide_wire::ids::{AccountId, DeviceId, SupportId, UpstreamName};
use bonafide_wire::problem::ProblemCode;
use bonafide_wire::token::UnverifiedToken;
use bonafide_wire::upstream::{ClientAuthenticationOutcome, ClientAuthenticationWish, Rung};

use crate::upstream::{FakeUpstream, upstream_name};
use crate::world::{NOW, TOKEN_API, World, problem};

#[derive(Debug)]
struct Switched {
    inner: SqliteStore,
    down: Arc<AtomicBool>,
}

macro_rules! passed_on_unless_down {
    ($(fn $verb:ident(&self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)*) => {
        $(fn $verb(&self $(, $argument: $kind)*) -> StoreFuture<'_, $answer> {
            if self.down.load(Ordering::SeqCst) {
                return Box::pin(async { Err(StoreError::Unavailable("switched off".to_owned())) });
            }
            self.inner.$verb($($argument),*)
        })*
    };
}

impl Store for Switched {
    fn waiting(&self) -> usize {
        self.inner.waiting()
    }

    passed_on_unless_down! {
        fn load(&self) -> Configuration;
        fn version(&self) -> u64;
        fn commit(&self, change: Change) -> u64;
        fn recorded_reply(&self, key: ReplyKey) -> Option<RecordedReply>;
        fn enrol(&self, device: NewDevice) -> Enrolled;
        fn spend_challenge(&self, account: &AccountId, challenge: Vec<u8>, expires_at: i64) -> Enrolled;
        fn consume_token(&self, account: &AccountId, jti: &str, expires_at: i64) -> Consumption;
        fn begin_relay(&self, relay: NewRelay) -> RelayTurn;
        fn finish_relay(&self, account: &AccountId, challenge: Vec<u8>, answer: Vec<u8>, audit: AuditEntry) -> ();
        fn instance_client(&self, account: &AccountId, upstream: &UpstreamName, device: &DeviceId) -> Option<InstanceClient>;
        fn put_instance_client(&self, client: InstanceClient, audit: AuditEntry) -> ();
        fn remove_instance_client(&self, account: &AccountId, upstream: &UpstreamName, device: &DeviceId, audit: AuditEntry) -> ();
        fn instance_clients_of_revoked(&self, most: u32) -> Vec<InstanceClient>;
        fn append_audit(&self, entries: Vec<AuditEntry>) -> ();
        fn record_verdicts(&self, records: Vec<VerdictRecord>) -> ();
        fn verdict(&self, account: &AccountId, support_id: &SupportId) -> Option<VerdictView>;
        fn verdicts(&self, account: &AccountId, window: Window) -> Rows<VerdictView>;
        fn refused_since(&self, account: &AccountId, since: i64, most: u32) -> Vec<RefusedDevice>;
        fn device(&self, account: &AccountId, id: &DeviceId) -> Option<DeviceView>;
        fn devices(&self, account: &AccountId, window: Window) -> Rows<DeviceView>;
        fn devices_with_finding(&self, account: &AccountId, code: &str, window: Window) -> Rows<DeviceView>;
        fn outdated(&self, account: &AccountId, circumstances: i64, most: u32) -> Vec<Enrolment>;
        fn rejudge(&self, account: &AccountId, devices: Vec<Rejudged>, audit: Vec<AuditEntry>) -> ();
        fn sightings(&self, account: &AccountId, key: &str) -> Option<AttestationKeySightings>;
        fn open_session(&self, session: Session, audit: AuditEntry) -> ();
        fn session(&self, bearer_sha256: [u8; 32]) -> Option<Session>;
        fn close_session(&self, bearer_sha256: [u8; 32], audit: AuditEntry) -> ();
        fn audit(&self, account: Option<&AccountId>, window: Window) -> Rows<AuditEventView>;
        fn audit_head(&self) -> AuditHead;
        fn verify_audit(&self) -> AuditVerification;
        fn prune(&self, now: i64, verdicts_before: i64) -> ();
    }
}

async fn world() -> (World, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&down);
    let world = World::over(|inner| Arc::new(Switched { inner, down })).await;
    (world, switch)
}

#[tokio::test]
async fn tokens_go_on_and_say_so_while_secrets_are_withheld() {
    let (world, down) = world().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    down.store(true, Ordering::SeqCst);
    // As the poll of other nodes' changes would note it.
    assert!(world.service.refresh().await.is_err());
    world.service.store_health().down(world.now());
    let reply = world.attest(&mut phone).await;
    assert!(matches!(
        reply.secrets.as_slice(),
        [SecretOutcome::Withheld {
            reason: Withheld::StoreUnavailable,
            ..
        }]
    ));
    let Some(TokenOutcome::Issued { token, .. }) = reply.tokens.first() else {
        panic!("{:?}", reply.tokens);
    };
    let parsed = UnverifiedToken::parse(token.0.expose()).unwrap();
    assert!(parsed.claims().unwrap().degraded);

    down.store(false, Ordering::SeqCst);
    world.service.store_health().up();
    let reply = world.attest(&mut phone).await;
    assert!(matches!(
        reply.secrets.as_slice(),
        [SecretOutcome::Released { .. }]
    ));
}

#[tokio::test]
async fn what_must_be_written_waits_and_what_is_published_does_not() {
    let (world, down) = world().await;
    let mut phone = world.genuine();
    let request = world.enrolment(&mut phone).await;
    down.store(true, Ordering::SeqCst);
    let response = world.post("enrolments", &request).await;
    assert_eq!(response.headers()["retry-after"], "5");
    let told = problem(response).await;
    assert_eq!(told.code, ProblemCode::StoreUnavailable);
    for route in [
        "jwks.json",
        "trust-bundle",
        ".well-known/openid-configuration",
    ] {
        assert_eq!(world.get(&world.url(route)).await.status(), 200, "{route}");
    }
    world.challenge(ChallengePurpose::Attestation).await;
    assert_eq!(world.get("/livez").await.status(), 200);
    assert_eq!(world.get("/readyz").await.status(), 503);
    let body = serde_json::json!({ "token": "a.b.c", "audience": TOKEN_API });
    assert_eq!(world.post("tokens/verify", &body).await.status(), 200);
    // The refused enrolment burnt nothing.
    down.store(false, Ordering::SeqCst);
    assert_eq!(world.post("enrolments", &request).await.status(), 200);
}

#[tokio::test]
async fn tickets_alone_are_good_for_a_quarter_of_an_hour() {
    let (world, _) = world().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    world.service.store_health().down(NOW);
    world.advance(GRACE_SECONDS);
    world.attest(&mut phone).await;
    world.advance(1);
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let told = problem(world.post("attestations", &request).await).await;
    assert_eq!(told.code, ProblemCode::StoreUnavailable);
}

#[tokio::test]
async fn a_device_allowed_during_an_outage_gets_its_row_afterwards() {
    let (world, down) = world().await;
    world.set_policy(&[]).await;
    let mut phone = world.genuine();
    let request = world.enrolment(&mut phone).await;
    let told = problem(world.post("enrolments", &request).await).await;
    phone.ticket = told.ticket.unwrap();
    let device = told.device_id.unwrap();
    world.set_policy(&[("development", "observe")]).await;
    down.store(true, Ordering::SeqCst);
    world.attest(&mut phone).await;
    down.store(false, Ordering::SeqCst);
    let row = || world.service.store().device(&world.account, &device);
    assert!(row().await.unwrap().is_none());
    world.attest(&mut phone).await;
    assert!(row().await.unwrap().is_some());
}

#[tokio::test]
async fn while_the_store_is_down_nothing_is_relayed_minted_or_attested() {
    let (world, down) = world().await;
    let fake = FakeUpstream::start().await;
    let mut object = fake.object();
    let key = world
        .service
        .keys()
        .client_key(&world.account, &upstream_name(), None)
        .unwrap()
        .unwrap();
    object.rungs = vec![Rung::Relay, Rung::MintedAssertion];
    object.authentication = Some(ClientAuthentication::PrivateKeyJwt { key });
    world.set_upstream(&object).await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    down.store(true, Ordering::SeqCst);
    let told = world.not_relayed(&phone, crate::relay::code()).await;
    assert_eq!(told.code, ProblemCode::StoreUnavailable);
    assert_eq!(fake.heard().len(), 0);
    let (mut payload, opening) = world.asking(&phone).await;
    payload.client_authentications = vec![ClientAuthenticationWish::ClientAssertion {
        upstream: upstream_name(),
    }];
    let reply = world.attest_with(&mut phone, &payload, &opening).await;
    assert!(matches!(
        reply.client_authentications.as_slice(),
        [ClientAuthenticationOutcome::Withheld {
            reason: Withheld::StoreUnavailable,
            ..
        }]
    ));
    // Nothing was spent: afterwards both work.
    down.store(false, Ordering::SeqCst);
    world.relayed(&mut phone, crate::relay::code()).await;
    let [heard] = fake.heard().try_into().unwrap();
    let form = heard.form();
    assert_eq!(form["client_id"], "books client");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(form["client_assertion"].split('.').count(), 3);
}
