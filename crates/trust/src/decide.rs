//! The decision of W-17: a host, a *validated* certificate path, the time and the bundle, to allow or refuse.
//!
//! It refuses to know how the path was validated: by webpki ([`crate::connection`]) or by the phone's own
//! stack, which hands the validated chain over. Certificates that a server merely sent never count.

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_wire::admin::TokenMode;
use rustls_pki_types::CertificateDer;
use webpki::{EndEntityCert, VerifiedPath, spki_for_anchor};

use crate::bundle::{Bundle, ManagedRoots, Pin, ProtectedApi};
use crate::reject::rejects;
use crate::{der, limits};

rejects! {
    /// Why a connection is refused.
    ConnectionReject {
        /// A certificate cannot be read.
        CertificateUnreadable = "certificate-unreadable", "a certificate of the server cannot be read";
        /// More certificates than the budget.
        TooManyCertificates = "too-many-certificates", "the server presents too many certificates";
        /// Expired, not yet valid, wrong usage, bad signature.
        CertificateInvalid = "certificate-invalid", "the server's certificate is not valid now for a server";
        /// The certificate is for another host.
        CertificateWrongHost = "certificate-wrong-host", "the server's certificate is for another host";
        /// The path does not end in a managed root.
        RootNotManaged = "root-not-managed", "the server's certificate does not lead to a managed root";
        /// The path does not end in a root of the device's store (the host is outside managed roots).
        RootUnknown = "root-unknown", "the server's certificate does not lead to a root that this device trusts";
        /// The root vouches only for certificates that began before its distrust date.
        RootDistrusted = "root-distrusted", "the server's certificate began after its root was distrusted";
        /// No pin of the host is on the path.
        PinMismatch = "pin-mismatch", "no pinned key is on the path to the server's certificate";
    }
}

/// A certificate path after validation, leaf to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedPath {
    leaf_not_before: i64,
    spki_sha256: Vec<[u8; 32]>,
    root_subject: Vec<u8>,
    root_spki: Vec<u8>,
}

/// A connection that may carry requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// What the bundle says about the host.
    pub protection: Protection,
    /// Whether the bundle is still fresh; nothing secret leaves under a stale one.
    pub freshness: Freshness,
}

/// What the bundle says about a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not a protected API: no token, no secret.
    Unprotected,
    /// A protected API.
    Protected {
        /// Whether requests carry an attestation token.
        token: TokenMode,
    },
}

/// Whether a bundle has outlived its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Before its expiry.
    Fresh,
    /// Expired: still enforced, never relaxed, but nothing secret leaves under it.
    Stale,
}

impl ValidatedPath {
    /// The path that webpki built.
    pub fn from_webpki(path: &VerifiedPath<'_>) -> Result<Self, ConnectionReject> {
        let leaf = path.end_entity();
        let mut spki_sha256 = vec![sha256(&leaf.subject_public_key_info())];
        spki_sha256.extend(
            path.intermediate_certificates()
                .map(|certificate| sha256(&certificate.subject_public_key_info())),
        );
        let anchor = path.anchor();
        spki_sha256.push(sha256(&spki_for_anchor(anchor)));
        Ok(Self {
            leaf_not_before: leaf_begin(&leaf.der())?,
            spki_sha256,
            root_subject: anchor.subject.as_ref().to_vec(),
            root_spki: anchor.subject_public_key_info.as_ref().to_vec(),
        })
    }

    /// The chain that a platform's own validation ended with: leaf first, root last.
    pub fn from_certificates(chain: &[&[u8]]) -> Result<Self, ConnectionReject> {
        if chain.len() > limits::MOST_CERTIFICATES {
            return Err(ConnectionReject::TooManyCertificates);
        }
        let unreadable = ConnectionReject::CertificateUnreadable;
        let (leaf, root) = chain.first().zip(chain.last()).ok_or(unreadable)?;
        let root = CertificateDer::from(*root);
        let anchor = webpki::anchor_from_trusted_cert(&root).map_err(|_| unreadable)?;
        let spki_sha256 = chain
            .iter()
            .map(|der| {
                let der = CertificateDer::from(*der);
                EndEntityCert::try_from(&der)
                    .map(|certificate| sha256(&certificate.subject_public_key_info()))
                    .map_err(|_| unreadable)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            leaf_not_before: leaf_begin(leaf)?,
            spki_sha256,
            root_subject: anchor.subject.as_ref().to_vec(),
            root_spki: anchor.subject_public_key_info.as_ref().to_vec(),
        })
    }

    fn has(&self, pin: &Pin) -> bool {
        self.spki_sha256
            .iter()
            .any(|key| key.as_slice() == pin.spki_sha256.as_slice())
    }
}

/// Decides about a connection to `host` over `path` at `now` (seconds since 1970).
pub fn decide(
    bundle: &Bundle,
    host: &str,
    path: &ValidatedPath,
    now: i64,
) -> Result<Allowed, ConnectionReject> {
    let freshness = bundle.freshness(now);
    let Some(api) = bundle.api(host) else {
        return Ok(Allowed {
            protection: Protection::Unprotected,
            freshness,
        });
    };
    if bundle.managed_roots == ManagedRoots::On {
        check_root(bundle, path)?;
    }
    check_pins(api, path)?;
    Ok(Allowed {
        protection: Protection::Protected { token: api.token },
        freshness,
    })
}

fn check_root(bundle: &Bundle, path: &ValidatedPath) -> Result<(), ConnectionReject> {
    let root = bundle
        .root(&path.root_subject, &path.root_spki)
        .ok_or(ConnectionReject::RootNotManaged)?;
    match root.distrust_after {
        Some(date) if path.leaf_not_before > date => Err(ConnectionReject::RootDistrusted),
        _ => Ok(()),
    }
}

fn check_pins(api: &ProtectedApi, path: &ValidatedPath) -> Result<(), ConnectionReject> {
    let met = api.pins.is_empty() || api.pins.iter().any(|pin| path.has(pin));
    met.then_some(()).ok_or(ConnectionReject::PinMismatch)
}

impl Bundle {
    /// Whether the bundle is fresh at `now`, seconds since 1970.
    pub fn freshness(&self, now: i64) -> Freshness {
        if now < self.expires_at {
            Freshness::Fresh
        } else {
            Freshness::Stale
        }
    }
}

fn leaf_begin(leaf: &[u8]) -> Result<i64, ConnectionReject> {
    der::not_before(leaf).ok_or(ConnectionReject::CertificateUnreadable)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
