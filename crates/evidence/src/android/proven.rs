//! The authorities of a chain, proven once.
//!
//! Decides that certificates sign one another up to a key. That is arithmetic: it stays true whatever
//! the time, the revocation list or the anchors, so a [`ProvenAuthorities`] can be remembered without
//! ever going stale, and everything that can change is asked anew by [`chain`](super::chain). It refuses
//! to remember a refusal.
//!
//! Phones of one model share their factory authorities and all phones share Google's provisioning
//! authorities, so with a memory an enrolment costs one or two P-256 verifications instead of RSA-4096
//! and P-384 ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::certificate::Certificate;
use super::{Provisioning, SecurityLevel, SerialNumber, provisioning_info};
use crate::x509::{COMMON_NAME, IssuerKey, ORGANIZATION, SERIAL_NUMBER, TITLE};
use crate::{Reject, Sha256Digest, UnixTime};

/// Certificates that sign one another, from one of them up to a root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenAuthorities {
    /// DER `SubjectPublicKeyInfo` of the key at the end. Whether it is trusted is asked at each use.
    pub(super) root: Vec<u8>,
    /// Nearest the leaf first; without the root.
    pub(super) authorities: Vec<Authority>,
    /// What signs the next certificate towards the leaf.
    issuer: Issuer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Issuer {
    /// `None` for a key that can sign no attestation.
    key: Option<IssuerKey>,
    /// `None` for a root that was not sent: then the key alone says who it is.
    subject: Option<Vec<u8>>,
}

/// What the rules ask of a certificate between leaf and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) serial: SerialNumber,
    /// The `serialNumber` attribute of its subject, where that is a number.
    pub(super) subject_serial: Option<SerialNumber>,
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    /// Its key description, where it has one: no authority of the key store does.
    description: Option<Vec<u8>>,
    /// SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub(super) key: Sha256Digest,
    /// What Google's servers issued to the phone lately.
    pub(super) certificates_issued: Option<u64>,
    pub(super) level: SecurityLevel,
    /// What it would make of the chain as the one under the root.
    pub(super) provisioning: Option<Provisioning>,
}

impl Authority {
    fn of(certificate: &Certificate<'_>) -> Self {
        Self {
            serial: certificate.x509.serial(),
            subject_serial: certificate
                .x509
                .subject_texts(&SERIAL_NUMBER)
                .find_map(|text| text.parse().ok()),
            not_before: certificate.x509.not_before(),
            not_after: certificate.x509.not_after(),
            description: certificate.description().map(<[u8]>::to_vec),
            key: Sha256Digest::of(certificate.x509.spki()),
            certificates_issued: certificate
                .provisioning_info()
                .and_then(provisioning_info::certificates_issued),
            level: level(certificate),
            provisioning: provisioning(certificate),
        }
    }

    pub(super) const fn describes_key(&self) -> bool {
        self.description.is_some()
    }

    pub(super) fn description(&self) -> Option<&[u8]> {
        self.description.as_deref()
    }
}

/// Factory certificates write it as title, provisioned ones as organization.
fn level(certificate: &Certificate<'_>) -> SecurityLevel {
    let chip = [TITLE, ORGANIZATION]
        .iter()
        .any(|attribute| certificate.x509.subject_has(attribute, "StrongBox"));
    if chip {
        SecurityLevel::StrongBox
    } else {
        SecurityLevel::TrustedEnvironment
    }
}

fn provisioning(certificate: &Certificate<'_>) -> Option<Provisioning> {
    let remote = certificate.x509.subject_has(&COMMON_NAME, "Droid CA2")
        && certificate.x509.subject_has(&ORGANIZATION, "Google LLC");
    if remote {
        return Some(Provisioning::Remote);
    }
    certificate
        .x509
        .subject_texts(&SERIAL_NUMBER)
        .next()
        .map(|_| Provisioning::Factory)
}

impl ProvenAuthorities {
    /// The end of a chain whose last certificate is the root itself. Of that certificate nothing but
    /// the name and key is used, neither its dates nor its own signature.
    pub(super) fn root(certificate: &Certificate<'_>) -> Self {
        Self {
            root: certificate.x509.spki().to_vec(),
            authorities: Vec::new(),
            issuer: Issuer {
                key: certificate.x509.key(),
                subject: Some(certificate.x509.subject().to_vec()),
            },
        }
    }

    /// The end of a chain without its root: `key` is that of a pinned one.
    pub(super) const fn unsent_root(spki: Vec<u8>, key: IssuerKey) -> Self {
        Self {
            root: spki,
            authorities: Vec::new(),
            issuer: Issuer {
                key: Some(key),
                subject: None,
            },
        }
    }

    /// Something that this root key signed, whatever: for kinds with rules of their own about the certificates.
    pub(crate) const fn signed_by(spki: Vec<u8>) -> Self {
        Self {
            root: spki,
            authorities: Vec::new(),
            issuer: Issuer {
                key: None,
                subject: None,
            },
        }
    }

    /// DER `SubjectPublicKeyInfo` of the key at the end.
    pub(crate) fn root_key(&self) -> &[u8] {
        &self.root
    }

    /// `certificate` is issued by the lowest authority: the names chain and the signature verifies.
    pub(super) fn issued(&self, certificate: &Certificate<'_>) -> Result<(), Reject> {
        if let Some(subject) = &self.issuer.subject {
            certificate.names_issuer(subject)?;
        }
        certificate.is_signed_by(self.issuer.key.as_ref())
    }

    /// The same with one more authority below.
    pub(super) fn extended(&self, certificate: &Certificate<'_>) -> Result<Self, Reject> {
        self.issued(certificate)?;
        let mut authorities = Vec::with_capacity(self.authorities.len().saturating_add(1));
        authorities.push(Authority::of(certificate));
        authorities.extend(self.authorities.iter().cloned());
        Ok(Self {
            root: self.root.clone(),
            authorities,
            issuer: Issuer {
                key: certificate.x509.key(),
                subject: Some(certificate.x509.subject().to_vec()),
            },
        })
    }
}

/// The identity of certificates: SHA-256 over each one's length and bytes.
pub(super) fn identity(certificates: &[Vec<u8>]) -> Sha256Digest {
    let lengths = certificates
        .iter()
        .map(|der| u64::try_from(der.len()).unwrap_or(u64::MAX));
    let framed: Vec<u8> = certificates
        .iter()
        .zip(lengths)
        .flat_map(|(der, length)| [&length.to_be_bytes()[..], der].concat())
        .collect();
    Sha256Digest::of(&framed)
}

/// Where proven authorities are remembered. Keys are digests of the certificates, so an
/// implementation that mixes them up is the only way to go wrong.
pub trait AuthorityMemory: fmt::Debug + Sync {
    /// What was kept under `identity`.
    fn find(&self, identity: &Sha256Digest) -> Option<Arc<ProvenAuthorities>>;
    /// Keeps; may forget at any time.
    fn keep(&self, identity: Sha256Digest, authorities: Arc<ProvenAuthorities>);
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl AuthorityMemory for NoMemory {
    fn find(&self, _: &Sha256Digest) -> Option<Arc<ProvenAuthorities>> {
        None
    }

    fn keep(&self, _: Sha256Digest, _: Arc<ProvenAuthorities>) {}
}

/// Remembers what was used lately, in bounded space. What is kept is proven, so only holders of
/// genuine phones can fill it, and what is asked for often stays.
#[derive(Debug)]
pub struct RecentAuthorities {
    generations: Mutex<Generations>,
    capacity: usize,
}

/// Two generations: what is found among the old moves to the young; when the young are full, they
/// become the old and the old are forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<Sha256Digest, Arc<ProvenAuthorities>>,
    old: BTreeMap<Sha256Digest, Arc<ProvenAuthorities>>,
}

impl RecentAuthorities {
    /// Keeps at most `2 * capacity` entries of about 1 KiB each.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            generations: Mutex::default(),
            capacity: capacity.max(1),
        }
    }
}

impl RecentAuthorities {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        let generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        generations
            .young
            .len()
            .saturating_add(generations.old.len())
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Generations {
    fn keep(&mut self, identity: Sha256Digest, found: Arc<ProvenAuthorities>, capacity: usize) {
        if self.young.len() >= capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(identity, found);
    }
}

impl AuthorityMemory for RecentAuthorities {
    fn find(&self, identity: &Sha256Digest) -> Option<Arc<ProvenAuthorities>> {
        // A thread that died inside left whole entries behind: each is inserted in one step.
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = generations.young.get(identity) {
            return Some(Arc::clone(found));
        }
        let found = generations.old.remove(identity)?;
        generations.keep(*identity, Arc::clone(&found), self.capacity);
        Some(found)
    }

    fn keep(&self, identity: Sha256Digest, authorities: Arc<ProvenAuthorities>) {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        generations.keep(identity, authorities, self.capacity);
    }
}
