//! The factory of virtual phones: a root of its own and what hangs beneath it.
//!
//! Chains have the shapes of real phones: *factory* (attestation key burnt in, subject with serial number and
//! title) and *remote* (short-lived attestation certificates below `Droid CA2` and `Droid CA3`). The only thing
//! that tells them from real ones is the root, which a service trusts only when told to, as `development`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::SimulatorError;
use crate::certificate::{Attribute, Certificate, Name, Validity, authority_extensions, pem};
use crate::key::{KeyKind, PrivateKey, SavedKey, random};
use crate::phone::SecurityLevel;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// How a phone came to its attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provisioning {
    /// Burnt in at the factory: four certificates with the root.
    Factory,
    /// Remote key provisioning: five certificates with the root, the attestation certificate good for 30 days.
    Remote,
}

/// A certificate authority that makes phones.
#[derive(Debug)]
pub struct Factory {
    root: Authority,
    made_at: i64,
}

#[derive(Debug)]
struct Authority {
    name: Name,
    key: PrivateKey,
    certificate: Vec<u8>,
}

/// An attestation key with the certificates that vouch for it.
#[derive(Debug)]
pub(crate) struct AttestationKey {
    pub(crate) subject: Name,
    pub(crate) key: PrivateKey,
    /// The key's own certificate first, the root last.
    pub(crate) chain: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedFactory {
    name: String,
    made_at: i64,
    key: SavedKey,
    certificate: String,
}

impl Factory {
    /// A new factory with a new root; `now` in seconds since 1970.
    pub fn new(now: i64) -> Result<Self, SimulatorError> {
        let serial = hex::encode(random::<8>()?);
        let name = Name::new(&[
            (Attribute::SerialNumber, &serial),
            (
                Attribute::CommonName,
                "Bonafide simulator, not for production",
            ),
        ]);
        let key = PrivateKey::generate(KeyKind::EcP384)?;
        let certificate = Certificate {
            serial: positive_serial()?,
            issuer: name.clone(),
            subject: name.clone(),
            validity: Validity {
                not_before: now - 2 * YEAR,
                not_after: now + 18 * YEAR,
            },
            spki: key.spki()?,
            extensions: authority_extensions(),
        }
        .sign(&key)?;
        Ok(Self {
            root: Authority {
                name,
                key,
                certificate,
            },
            made_at: now,
        })
    }

    /// The root certificate, DER: what a service must be told to trust.
    pub fn root_certificate_der(&self) -> &[u8] {
        &self.root.certificate
    }

    /// The root certificate as PEM text.
    pub fn root_certificate_pem(&self) -> String {
        pem(&self.root.certificate)
    }

    /// The factory with its root key, to be kept in a file that others cannot read.
    pub fn to_saved(&self) -> Result<String, SimulatorError> {
        let saved = SavedFactory {
            name: STANDARD.encode(self.root.name.as_der()),
            made_at: self.made_at,
            key: self.root.key.to_saved(),
            certificate: STANDARD.encode(&self.root.certificate),
        };
        serde_json::to_string_pretty(&saved).map_err(|_| SimulatorError::Unreadable("factory"))
    }

    /// The factory that [`Self::to_saved`] wrote.
    pub fn from_saved(text: &str) -> Result<Self, SimulatorError> {
        let unreadable = || SimulatorError::Unreadable("factory");
        let saved: SavedFactory = serde_json::from_str(text).map_err(|_| unreadable())?;
        Ok(Self {
            root: Authority {
                name: Name::from_der(STANDARD.decode(&saved.name).map_err(|_| unreadable())?),
                key: PrivateKey::from_saved(&saved.key)?,
                certificate: STANDARD
                    .decode(&saved.certificate)
                    .map_err(|_| unreadable())?,
            },
            made_at: saved.made_at,
        })
    }

    /// Makes an attestation key for a new phone.
    pub(crate) fn provision(
        &self,
        provisioning: Provisioning,
        level: SecurityLevel,
        now: i64,
    ) -> Result<AttestationKey, SimulatorError> {
        match provisioning {
            Provisioning::Factory => self.provision_in_factory(level),
            Provisioning::Remote => self.provision_remotely(level, now),
        }
    }

    /// Makes the authority that attests App Attest keys: as Apple's, it is on P-384 and beneath the root. (Apple's
    /// signs leaves with SHA-256; here it is SHA-384, which verifiers take as well.)
    pub(crate) fn app_attest_authority(&self, now: i64) -> Result<AttestationKey, SimulatorError> {
        let name = Name::new(&[
            (Attribute::CommonName, "App Attestation CA 1"),
            (Attribute::Organization, "Bonafide simulator"),
        ]);
        let validity = Validity {
            not_before: now - YEAR,
            not_after: now + 4 * YEAR,
        };
        let authority = self.root.issue(name, KeyKind::EcP384, validity)?;
        Ok(authority.into_attestation_key(Vec::new()))
    }

    fn provision_in_factory(&self, level: SecurityLevel) -> Result<AttestationKey, SimulatorError> {
        let since = self.made_at - YEAR;
        let burnt_in = Validity {
            not_before: since,
            not_after: since + 10 * YEAR,
        };
        let title = level.title();
        let batch_name = Name::new(&[
            (Attribute::SerialNumber, &hex::encode(random::<8>()?)),
            (Attribute::Title, title),
        ]);
        let batch = self.root.issue(batch_name, KeyKind::EcP384, burnt_in)?;
        let name = Name::new(&[
            (Attribute::SerialNumber, &hex::encode(random::<8>()?)),
            (Attribute::Title, title),
        ]);
        let attestation = batch.issue(name, KeyKind::EcP256, burnt_in)?;
        Ok(
            attestation
                .into_attestation_key(vec![batch.certificate, self.root.certificate.clone()]),
        )
    }

    fn provision_remotely(
        &self,
        level: SecurityLevel,
        now: i64,
    ) -> Result<AttestationKey, SimulatorError> {
        let around = |before: i64, after: i64| Validity {
            not_before: now - before * DAY,
            not_after: now + after * DAY,
        };
        let google = |name: &str| {
            Name::new(&[
                (Attribute::CommonName, name),
                (Attribute::Organization, "Google LLC"),
            ])
        };
        let upper = self
            .root
            .issue(google("Droid CA2"), KeyKind::EcP384, around(365, 3650))?;
        let lower = upper.issue(google("Droid CA3"), KeyKind::EcP256, around(7, 60))?;
        let name = Name::new(&[
            (Attribute::CommonName, &hex::encode(random::<16>()?)),
            (Attribute::Organization, level.title()),
        ]);
        let attestation = lower.issue(name, KeyKind::EcP256, around(2, 28))?;
        Ok(attestation.into_attestation_key(vec![
            lower.certificate,
            upper.certificate,
            self.root.certificate.clone(),
        ]))
    }
}

impl Authority {
    /// Issues a certificate for a new authority below this one.
    fn issue(&self, name: Name, kind: KeyKind, validity: Validity) -> Result<Self, SimulatorError> {
        let key = PrivateKey::generate(kind)?;
        let certificate = Certificate {
            serial: positive_serial()?,
            issuer: self.name.clone(),
            subject: name.clone(),
            validity,
            spki: key.spki()?,
            extensions: authority_extensions(),
        }
        .sign(&self.key)?;
        Ok(Self {
            name,
            key,
            certificate,
        })
    }

    fn into_attestation_key(self, above: Vec<Vec<u8>>) -> AttestationKey {
        let mut chain = vec![self.certificate];
        chain.extend(above);
        AttestationKey {
            subject: self.name,
            key: self.key,
            chain,
        }
    }
}

/// Sixteen random bytes, the first bit clear so that DER needs no padding.
fn positive_serial() -> Result<Vec<u8>, SimulatorError> {
    let mut serial = random::<16>()?;
    serial[0] = (serial[0] & 0x3f) | 0x40;
    Ok(serial.to_vec())
}
