//! APIs over TLS under authorities of the test's own, which write down all they receive.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use bonafide_sdk::adaptor::Roots;
use bonafide_trust::{ManagedRoot, Pin};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A root of its own.
pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    name: &'static str,
}

impl Authority {
    pub(crate) fn new(name: &'static str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            der,
            issuer: Issuer::new(params, key),
            name,
        }
    }

    pub(crate) fn managed(&self) -> ManagedRoot {
        ManagedRoot::from_certificate(self.name, &self.der).unwrap()
    }

    pub(crate) fn only(&self) -> Roots {
        Roots::Only(vec![self.der.clone()])
    }

    /// Starts an origin whose certificate names these hosts.
    pub(crate) fn origin(&self, hosts: &[&str]) -> Origin {
        self.origin_with(hosts, |_| ())
    }

    pub(crate) fn origin_with(
        &self,
        hosts: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Origin {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pin = Pin {
            spki_sha256: bonafide_wire::envelope::key_id(&key.subject_public_key_info()),
        };
        let mut tls = ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Origin::start(tls, pin)
    }
}

/// What an origin received.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) pin: Pin,
    log: Arc<Mutex<Vec<Seen>>>,
    handle: axum_server::Handle<SocketAddr>,
}

impl Origin {
    fn start(tls: ServerConfig, pin: Pin) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&log));
        let handle = axum_server::Handle::new();
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(tls));
        let server = axum_server::from_tcp_rustls(listener, tls)
            .unwrap()
            .handle(handle.clone());
        tokio::spawn(server.serve(router.into_make_service()));
        Self {
            address,
            pin,
            log,
            handle,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// A path that answers with a redirect.
pub(crate) fn redirect(status: u16, target: &str) -> String {
    format!(
        "/redirect/{status}/{}",
        bonafide_wire::bytes::encode(target)
    )
}

async fn receive(
    State(log): State<Arc<Mutex<Vec<Seen>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    log.lock().unwrap().push(Seen {
        method,
        target: uri.path_and_query().unwrap().to_string(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let parts: Vec<&str> = uri.path().split('/').collect();
    match parts.as_slice() {
        ["", "redirect", status, target] => {
            let target = bonafide_wire::bytes::decode(target).unwrap();
            (
                StatusCode::from_u16(status.parse().unwrap()).unwrap(),
                [("location", String::from_utf8(target).unwrap())],
                String::new(),
            )
        }
        ["", "middling"] => (
            StatusCode::OK,
            [("content-type", "text/plain".to_owned())],
            "x".repeat(50),
        ),
        ["", "large"] => (
            StatusCode::OK,
            [("content-type", "text/plain".to_owned())],
            "x".repeat(1000),
        ),
        _ => (
            StatusCode::OK,
            [("content-type", "text/plain".to_owned())],
            "hello".to_owned(),
        ),
    }
}
