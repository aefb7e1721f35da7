//! Writes X.509 certificates in the shapes that phones and app developers use.
//!
//! Says how a certificate looks; what stands in it is decided by `factory`, `phone` and `apk`.

use time::OffsetDateTime;

use crate::SimulatorError;
use crate::der;
use crate::key::PrivateKey;

const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const DIGITAL_SIGNATURE: u8 = 0;
const CERTIFICATE_SIGN: u8 = 5;

/// A distinguished name: its attributes in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(Vec<u8>);

impl Name {
    pub(crate) fn new(attributes: &[(Attribute, &str)]) -> Self {
        let parts: Vec<Vec<u8>> = attributes
            .iter()
            .map(|(attribute, value)| {
                let value = match attribute {
                    Attribute::SerialNumber => der::printable(value),
                    _ => der::utf8(value),
                };
                der::set_of(vec![der::sequence(&[der::oid(attribute.oid()), value])])
            })
            .collect();
        Self(der::sequence(&parts))
    }

    pub(crate) fn as_der(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }
}

/// The attributes that occur in names here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    CommonName,
    SerialNumber,
    Organization,
    Title,
}

impl Attribute {
    fn oid(self) -> &'static [u64] {
        match self {
            Self::CommonName => &[2, 5, 4, 3],
            Self::SerialNumber => &[2, 5, 4, 5],
            Self::Organization => &[2, 5, 4, 10],
            Self::Title => &[2, 5, 4, 12],
        }
    }
}

/// From and until, seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// Everything in a certificate but the signature.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) validity: Validity,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Certificate {
    /// The signed certificate.
    pub(crate) fn sign(&self, issuer_key: &PrivateKey) -> Result<Vec<u8>, SimulatorError> {
        let algorithm = issuer_key.signature_algorithm();
        let tbs = der::sequence(&[
            der::explicit(0, &der::integer(2)),
            der::unsigned(&self.serial),
            algorithm.clone(),
            self.issuer.0.clone(),
            der::sequence(&[
                instant(self.validity.not_before)?,
                instant(self.validity.not_after)?,
            ]),
            self.subject.0.clone(),
            self.spki.clone(),
            der::explicit(3, &der::sequence(&self.extensions)),
        ]);
        let signature = issuer_key.sign(&tbs)?;
        Ok(der::sequence(&[tbs, algorithm, der::bits(&signature)]))
    }
}

/// The extensions of a certificate authority.
pub(crate) fn authority_extensions() -> Vec<Vec<u8>> {
    vec![
        critical(BASIC_CONSTRAINTS, &der::sequence(&[der::truth()])),
        critical(KEY_USAGE, &key_usage(CERTIFICATE_SIGN)),
    ]
}

/// Basic constraints of a certificate that can issue none.
pub(crate) fn not_an_authority() -> Vec<u8> {
    critical(BASIC_CONSTRAINTS, &der::sequence(&[]))
}

/// The key usage of a key that signs data.
pub(crate) fn signing_key_usage() -> Vec<u8> {
    critical(KEY_USAGE, &key_usage(DIGITAL_SIGNATURE))
}

/// A named-bit list with one bit set.
fn key_usage(bit: u8) -> Vec<u8> {
    der::tagged(0x03, &[7 - bit, 0x80 >> bit])
}

fn critical(oid: &[u64], value: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::truth(), der::octets(value)])
}

/// An extension that is not critical.
pub(crate) fn extension(oid: &[u64], value: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::octets(value)])
}

/// `UTCTime` before 2050, `GeneralizedTime` from then on (RFC 5280 §4.1.2.5).
fn instant(unix_seconds: i64) -> Result<Vec<u8>, SimulatorError> {
    let at = OffsetDateTime::from_unix_timestamp(unix_seconds)
        .map_err(|_| SimulatorError::TimeOutOfRange)?;
    let clock = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    match at.year() {
        1950..2050 => Ok(der::tagged(
            0x17,
            format!("{:02}{clock}", at.year() % 100).as_bytes(),
        )),
        2050..10_000 => Ok(der::tagged(
            0x18,
            format!("{}{clock}", at.year()).as_bytes(),
        )),
        _ => Err(SimulatorError::TimeOutOfRange),
    }
}

/// PEM text of a certificate.
pub(crate) fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut column = 0;
    for character in text.chars() {
        out.push(character);
        column += 1;
        if column == 64 {
            out.push('\n');
            column = 0;
        }
    }
    if column > 0 {
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}
