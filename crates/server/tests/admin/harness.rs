//! A service in a directory of its own, with a clock that stands where it is put, spoken to without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bonafide_server::app::{Service, Settings, admin};
use bonafide_server::clock::Clock;
use bonafide_server::http::frame::{Frame, Limits};
use bonafide_server::keys::Keys;
use bonafide_server::keys::master::MasterKeys;
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_wire::admin::Role;
use bonafide_wire::ids::AccountId;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const START: i64 = 1_800_000_000;

pub(crate) struct Harness {
    pub(crate) service: Arc<Service>,
    pub(crate) router: Router,
    pub(crate) root: String,
    clock: Arc<AtomicI64>,
    pub(crate) directory: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        self.body
    }

    /// It failed like this, with these pointers.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.code()),
            (status, code),
            "{:?}",
            self.body
        );
        let media = self.headers.get(header::CONTENT_TYPE).unwrap();
        assert_eq!(media, "application/problem+json");
        assert!(self.body["instance"].as_str().unwrap().starts_with("req_"));
    }

    #[track_caller]
    pub(crate) fn broken(&self, pointers: &[&str]) {
        self.refused(422, "validation-failed");
        let errors = self.body["errors"].as_array().unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|e| e["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers);
    }
}

impl Harness {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("bonafide.db")).unwrap();
        let keys = Keys::new(&MasterKeys::generate().unwrap()).unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let hand = Arc::clone(&clock);
        let settings = Settings {
            public_url: "https://bonafide.example".to_owned(),
            outbound: bonafide_server::upstream::OutboundOptions::default(),
        };
        let told = Clock::from_fn(move || hand.load(Ordering::Relaxed));
        let service = Service::open(Arc::new(store), keys, told, settings)
            .await
            .unwrap();
        let account = AccountId::parse("acme").unwrap();
        let root = admin::credentials::first_start(&service, &account)
            .await
            .unwrap()
            .unwrap();
        let frame = Frame::new("admin", &Limits::default()).counted_in(service.metrics());
        Self {
            router: bonafide_server::http::admin_router(&service, &frame),
            root: root.secret.expose().to_owned(),
            service,
            clock,
            directory,
        }
    }

    /// How the root credential signs what it did.
    pub(crate) fn root_signature(&self) -> String {
        let id = self.root.split('_').nth(1).unwrap();
        format!("root (cred_{id})")
    }

    pub(crate) fn turn_clock(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// A session of this role, opened by this credential.
    pub(crate) async fn session(&self, credential: &str, role: Role) -> Client<'_> {
        let opened = Client {
            harness: self,
            bearer: credential.to_owned(),
        };
        let session = opened
            .post("/sessions", json!({ "role": role }))
            .await
            .ok(201);
        Client {
            harness: self,
            bearer: session["session"].as_str().unwrap().to_owned(),
        }
    }

    /// A service-wide admin.
    pub(crate) async fn admin(&self) -> Client<'_> {
        self.session(&self.root, Role::Admin).await
    }

    /// A credential for one account only.
    pub(crate) async fn credential_in(&self, account: &str, role: Role) -> String {
        let admin = self.admin().await;
        let new = json!({ "name": format!("{}-{account}", role.as_str()), "role": role });
        let path = format!("/accounts/{account}/credentials");
        let made = admin.post(&path, new).await.ok(201);
        made["secret"].as_str().unwrap().to_owned()
    }
}

/// Somebody with a bearer value. Paths are below `/admin/v1`.
pub(crate) struct Client<'a> {
    pub(crate) harness: &'a Harness,
    pub(crate) bearer: String,
}

impl Client<'_> {
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Request<Body> {
        let builder = Request::builder()
            .method(method)
            .uri(format!("/admin/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.bearer));
        match body {
            Some(body) => builder
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => builder.body(Body::empty()),
        }
        .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.harness
            .send(self.request(Method::GET, path, None))
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.harness
            .send(self.request(Method::POST, path, Some(&body)))
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.harness
            .send(self.request(Method::PUT, path, Some(&body)))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.harness
            .send(self.request(Method::DELETE, path, None))
            .await
    }

    pub(crate) async fn with_header(
        &self,
        (method, path): (Method, &str),
        (name, value): (&'static str, &str),
        body: Value,
    ) -> Answer {
        let mut request = self.request(method, path, Some(&body));
        request.headers_mut().insert(name, value.parse().unwrap());
        self.harness.send(request).await
    }
}
