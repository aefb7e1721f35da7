//! The store is away (promise P9): what goes on, what waits, and how it is marked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bonafide_server::app::store_health::GRACE_SECONDS;
use bonafide_server::config::Configuration;
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_server::store::{
    AuditEntry, Change, Consumption, Enrolled, NewDevice, RecordedReply, ReplyKey, Rows, Session,
    Store, StoreError, StoreFuture, VerdictRecord, Window,
};
use bonafide_wire::admin::{
    AuditEventView, AuditVerification, DeviceView, RefusedDevice, VerdictView,
};
use bonafide_wire::device::{ChallengePurpose, SecretOutcome, TokenOutcome, Withheld};
use bonafide_wire::ids::{AccountId, DeviceId, SupportId};
use bonafide_wire::problem::ProblemCode;
use bonafide_wire::token::UnverifiedToken;

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
        fn append_audit(&self, entries: Vec<AuditEntry>) -> ();
        fn record_verdicts(&self, records: Vec<VerdictRecord>) -> ();
        fn verdict(&self, account: &AccountId, support_id: &SupportId) -> Option<VerdictView>;
        fn verdicts(&self, account: &AccountId, window: Window) -> Rows<VerdictView>;
        fn refused_since(&self, account: &AccountId, since: i64, most: u32) -> Vec<RefusedDevice>;
        fn device(&self, account: &AccountId, id: &DeviceId) -> Option<DeviceView>;
        fn devices(&self, account: &AccountId, window: Window) -> Rows<DeviceView>;
        fn open_session(&self, session: Session, audit: AuditEntry) -> ();
        fn session(&self, bearer_sha256: [u8; 32]) -> Option<Session>;
        fn close_session(&self, bearer_sha256: [u8; 32], audit: AuditEntry) -> ();
        fn audit(&self, account: Option<&AccountId>, window: Window) -> Rows<AuditEventView>;
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
