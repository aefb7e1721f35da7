//! Authenticates a TLS server with webpki and decides on every candidate path while it is built.
//!
//! For stacks that leave validation to us (rustls). The decision runs inside path building, so that a
//! cross-signed chain may pass by its other path, and certificates off the path never count. Nothing is
//! remembered between calls.

use core::cell::Cell;

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath};

use crate::bundle::{Bundle, ManagedRoots};
use crate::decide::{Allowed, ConnectionReject, ValidatedPath, decide};
use crate::limits;

/// What a server presents, and when.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Whom the client wants to talk to.
    pub server: &'a ServerName<'a>,
    /// The server's own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// Whatever else it sent.
    pub intermediates: &'a [CertificateDer<'a>],
    /// Now.
    pub now: UnixTime,
}

/// Validates what a server presents against the roots that hold for its host, and decides.
///
/// `device_roots` count for hosts outside managed roots only; they are never mixed with managed ones.
pub fn authenticate(
    presented: &Presented<'_>,
    bundle: &Bundle,
    device_roots: &[TrustAnchor<'_>],
) -> Result<Allowed, ConnectionReject> {
    let host = host_of(presented.server);
    let managed = bundle.managed_roots == ManagedRoots::On && bundle.api(&host).is_some();
    if managed {
        let anchors: Vec<TrustAnchor<'_>> = bundle
            .roots
            .iter()
            .map(crate::ManagedRoot::anchor)
            .collect();
        validate(
            presented,
            bundle,
            &anchors,
            ConnectionReject::RootNotManaged,
        )
    } else {
        validate(
            presented,
            bundle,
            device_roots,
            ConnectionReject::RootUnknown,
        )
    }
}

fn validate(
    presented: &Presented<'_>,
    bundle: &Bundle,
    anchors: &[TrustAnchor<'_>],
    no_path: ConnectionReject,
) -> Result<Allowed, ConnectionReject> {
    if presented.intermediates.len() >= limits::MOST_CERTIFICATES {
        return Err(ConnectionReject::TooManyCertificates);
    }
    let leaf = EndEntityCert::try_from(presented.end_entity)
        .map_err(|_| ConnectionReject::CertificateUnreadable)?;
    let host = host_of(presented.server);
    let now = i64::try_from(presented.now.as_secs()).unwrap_or(i64::MAX);
    let decided = Cell::new(None);
    let on_path = |path: &VerifiedPath<'_>| {
        let outcome =
            ValidatedPath::from_webpki(path).and_then(|path| decide(bundle, &host, &path, now));
        decided.set(Some(outcome));
        outcome.map(|_| ()).map_err(|_| Error::UnknownIssuer)
    };
    let path = leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        anchors,
        presented.intermediates,
        presented.now,
        KeyUsage::server_auth(),
        None,
        Some(&on_path),
    );
    match (path, decided.get()) {
        (Ok(_), Some(Ok(allowed))) => leaf
            .verify_is_valid_for_subject_name(presented.server)
            .map(|()| allowed)
            .map_err(|_| ConnectionReject::CertificateWrongHost),
        (_, Some(Err(reject))) => Err(reject),
        (Err(Error::UnknownIssuer), _) => Err(no_path),
        _ => Err(ConnectionReject::CertificateInvalid),
    }
}

fn host_of(server: &ServerName<'_>) -> String {
    match server {
        ServerName::DnsName(name) => name.as_ref().to_owned(),
        // Neither a protected API nor a pin can name an address.
        _ => String::new(),
    }
}
