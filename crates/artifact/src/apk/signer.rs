//! One signer of APK Signature Scheme v2 or newer: its signature, certificate, digests and attributes.
//!
//! Decides whether the signed data is what the holder of the certificate's key signed. Nothing of the signed data is
//! looked at before a signature over it has verified. What the data then demands of the file (digests) or of other
//! signers (attributes) is for others to compare.

use crate::apk::algorithm::{Algorithm, to_verify};
use crate::apk::lineage::Lineage;
use crate::certificate::Certificate;
use crate::cursor::Cursor;
use crate::finding::{ApiRange, Check, Code, Finding, LATEST_API, OrBroken, Stop, broken};
use crate::inspection::Scheme;
use crate::public_key::PublicKey;

const MAX_SIGNERS: usize = 10;
/// The first level that knows v3.2.
pub(crate) const V32_SINCE: u32 = 37;

/// A signer whose signature verified with the key of its own certificate.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) scheme: Scheme,
    /// The Android levels it claims (all, in v2).
    pub(crate) api: ApiRange,
    /// First is the signer's own; the others decide nothing.
    pub(crate) certificates: Vec<Certificate>,
    /// The algorithms whose signatures were verified.
    pub(crate) verified: Vec<Algorithm>,
    /// Signed content digests by algorithm id.
    pub(crate) digests: Vec<(u32, Vec<u8>)>,
    pub(crate) attributes: Vec<(u32, Vec<u8>)>,
    /// The key's history; empty without rotation.
    pub(crate) lineage: Lineage,
}

impl Signer {
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// Whether it is of the kind that Android takes beside a classical signer only.
    pub(crate) fn is_post_quantum(&self) -> bool {
        let key = self
            .certificate()
            .map(|certificate| &certificate.public_key_info);
        key.and_then(|info| PublicKey::parse(info))
            .is_some_and(|key| key.is_post_quantum())
    }

    /// The value of the first attribute with this id.
    pub(crate) fn attribute(&self, id: u32) -> Option<&[u8]> {
        self.attributes
            .iter()
            .find(|(found, _)| *found == id)
            .map(|(_, value)| value.as_slice())
    }

    /// An attribute that holds one number.
    pub(crate) fn number_attribute(&self, id: u32) -> NumberAttribute {
        match self.attribute(id).map(|value| Cursor::new(value).u32()) {
            None => NumberAttribute::Absent,
            Some(None) => NumberAttribute::Malformed,
            Some(Some(number)) => NumberAttribute::Is(number),
        }
    }
}

/// A signed number, which may be absent but never half there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberAttribute {
    Absent,
    Malformed,
    Is(u32),
}

/// Whether signers carry a range of Android levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Plain,
    WithSdkRange,
}

impl Layout {
    pub(crate) const fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::V3 | Scheme::V31 | Scheme::V32 => Self::WithSdkRange,
            Scheme::V1 | Scheme::V2 | Scheme::V4 | Scheme::Apple => Self::Plain,
        }
    }
}

/// The levels that the signers of a scheme's pair claim, before anything is believed.
pub(crate) fn claimed_ranges(scheme: Scheme, value: &[u8]) -> Check<Vec<ApiRange>> {
    let malformed = |what: &str| {
        Finding::new(
            Code::SignersMalformed,
            format!("{}: {what}", scheme.as_str()),
        )
    };
    let signers = Cursor::new(value).prefixed();
    let mut signers = signers
        .map(Cursor::new)
        .ok_or_else(|| malformed("the sequence of signers"))?;
    let mut ranges = Vec::new();
    while !signers.is_empty() {
        let record = signers
            .prefixed()
            .and_then(|record| Record::parse(record, Layout::of(scheme)));
        ranges.push(record.ok_or_else(|| malformed("a signer"))?.api_range()?);
        if ranges.len() > MAX_SIGNERS {
            return broken(Code::TooManySigners, scheme.as_str());
        }
    }
    Ok(ranges)
}

/// Authenticates all signers in the value of a scheme's pair. One bad signer spoils the scheme, as on Android.
pub(crate) fn authenticate_all(
    scheme: Scheme,
    value: &[u8],
    findings: &mut Vec<Finding>,
) -> Check<Vec<Signer>> {
    let mut cursor = Cursor::new(value);
    let mut signers = cursor.prefixed().map(Cursor::new).or_broken(
        Code::SignersMalformed,
        &format!("{}: the sequence of signers", scheme.as_str()),
    )?;
    if !cursor.is_empty() {
        let detail = format!("{}: {} bytes", scheme.as_str(), cursor.rest().len());
        findings.push(Finding::new(Code::SignersTrailingBytes, detail));
    }
    let mut authenticated = Vec::new();
    while !signers.is_empty() {
        let place = format!(
            "{} signer {}",
            scheme.as_str(),
            authenticated.len().saturating_add(1)
        );
        if authenticated.len() == MAX_SIGNERS {
            return broken(Code::TooManySigners, scheme.as_str());
        }
        let record = signers
            .prefixed()
            .and_then(|record| Record::parse(record, Layout::of(scheme)))
            .or_broken(Code::SignersMalformed, &place)?;
        authenticated.push(
            record
                .authenticate(scheme, findings)
                .map_err(|stop| stop.at(&place))?,
        );
    }
    if authenticated.is_empty() {
        return broken(Code::NoSigners, scheme.as_str());
    }
    Ok(authenticated)
}

impl Stop {
    /// Says where it happened.
    fn at(self, place: &str) -> Self {
        match self {
            Self::Broken(finding) => {
                let detail = match finding.detail() {
                    "" => place.to_owned(),
                    detail => format!("{place}: {detail}"),
                };
                Self::Broken(Finding::new(finding.code(), detail))
            }
            Self::Unreadable(error) => Self::Unreadable(error),
        }
    }
}

type Known<'a> = Vec<(Algorithm, &'a [u8])>;

/// A signer as it is written, before anything is believed.
pub(crate) struct Record<'a> {
    signed_data: &'a [u8],
    sdk: Option<(u32, u32)>,
    signatures: &'a [u8],
    public_key: &'a [u8],
    layout: Layout,
}

impl<'a> Record<'a> {
    fn parse(record: &'a [u8], layout: Layout) -> Option<Self> {
        let mut cursor = Cursor::new(record);
        let signed_data = cursor.prefixed()?;
        let sdk = match layout {
            Layout::Plain => None,
            Layout::WithSdkRange => Some((cursor.u32()?, cursor.u32()?)),
        };
        let (signatures, public_key) = (cursor.prefixed()?, cursor.prefixed()?);
        Some(Self {
            signed_data,
            sdk,
            signatures,
            public_key,
            layout,
        })
    }

    fn authenticate(&self, scheme: Scheme, findings: &mut Vec<Finding>) -> Check<Signer> {
        let api = self.api_range()?;
        let (ids, known) = self.known_signatures(findings)?;
        let levels = match scheme {
            Scheme::V2 => ApiRange::new(24, LATEST_API),
            // A preview of the first Android that knows the scheme still calls itself by the level before.
            Scheme::V32 => ApiRange::new(api.from.max(V32_SINCE), api.to),
            _ => api,
        };
        let chosen = to_verify(&known, levels.from, levels.to)
            .or_broken(Code::SignatureMissing, "none by a known algorithm")?;
        let key = PublicKey::parse(self.public_key).or_broken(Code::PublicKeyUnusable, "")?;
        for (algorithm, signature) in &chosen {
            if !key.verify(
                algorithm.padding,
                algorithm.hash,
                self.signed_data,
                signature,
            ) {
                return broken(
                    Code::SignatureWrong,
                    format!("algorithm 0x{:04x}", algorithm.id),
                );
            }
        }
        let data = SignedData::parse(self.signed_data, self.layout)
            .or_broken(Code::SignersMalformed, "signed data")?;
        if data.sdk != self.sdk {
            return broken(
                Code::SdkRangeInvalid,
                "differs inside and outside of the signed data",
            );
        }
        let certificates = data.certificates()?;
        check_key(self.public_key, &key, &certificates, findings)?;
        let digests = data
            .digests()
            .or_broken(Code::SignersMalformed, "digests")?;
        if !digests.iter().map(|(id, _)| *id).eq(ids) {
            return broken(Code::AlgorithmListsDiffer, "");
        }
        let attributes = data.attributes().or_broken(Code::AttributeMalformed, "")?;
        let verified = chosen.into_iter().map(|(algorithm, _)| algorithm).collect();
        Ok(Signer {
            scheme,
            api,
            certificates,
            verified,
            digests,
            attributes,
            lineage: Lineage::default(),
        })
    }

    fn api_range(&self) -> Check<ApiRange> {
        let (from, to) = self.sdk.unwrap_or((0, LATEST_API));
        if from > to || to > LATEST_API {
            return broken(Code::SdkRangeInvalid, format!("{from} to {to}"));
        }
        Ok(ApiRange::new(from, to))
    }

    /// All algorithm ids in order, and the signatures by algorithms that are known.
    fn known_signatures(&self, findings: &mut Vec<Finding>) -> Check<(Vec<u32>, Known<'a>)> {
        let pairs = numbered(self.signatures).or_broken(Code::SignersMalformed, "signatures")?;
        if pairs.is_empty() {
            return broken(Code::SignatureMissing, "");
        }
        let mut known = Vec::new();
        for (id, signature) in &pairs {
            match Algorithm::by_id(*id) {
                Some(algorithm) => known.push((algorithm, *signature)),
                None => findings.push(Finding::new(
                    Code::SignatureAlgorithmUnknown,
                    format!("0x{id:08x}"),
                )),
            }
        }
        Ok((pairs.into_iter().map(|(id, _)| id).collect(), known))
    }
}

/// A sequence of prefixed `(u32 id, prefixed bytes)`.
pub(crate) fn numbered(bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut cursor = Cursor::new(bytes);
    let mut pairs = Vec::new();
    while !cursor.is_empty() {
        let mut pair = Cursor::new(cursor.prefixed()?);
        pairs.push((pair.u32()?, pair.prefixed()?));
    }
    Some(pairs)
}

struct SignedData<'a> {
    digests: &'a [u8],
    certificates: &'a [u8],
    sdk: Option<(u32, u32)>,
    attributes: &'a [u8],
}

impl<'a> SignedData<'a> {
    fn parse(bytes: &'a [u8], layout: Layout) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (digests, certificates) = (cursor.prefixed()?, cursor.prefixed()?);
        let sdk = match layout {
            Layout::Plain => None,
            Layout::WithSdkRange => Some((cursor.u32()?, cursor.u32()?)),
        };
        Some(Self {
            digests,
            certificates,
            sdk,
            attributes: cursor.prefixed()?,
        })
    }

    fn certificates(&self) -> Check<Vec<Certificate>> {
        let mut cursor = Cursor::new(self.certificates);
        let mut certificates = Vec::new();
        while !cursor.is_empty() {
            let certificate = cursor
                .prefixed()
                .and_then(Certificate::parse)
                .or_broken(Code::CertificateMalformed, "")?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return broken(Code::CertificateMissing, "");
        }
        Ok(certificates)
    }

    fn digests(&self) -> Option<Vec<(u32, Vec<u8>)>> {
        Some(
            numbered(self.digests)?
                .into_iter()
                .map(|(id, d)| (id, d.to_vec()))
                .collect(),
        )
    }

    fn attributes(&self) -> Option<Vec<(u32, Vec<u8>)>> {
        let mut cursor = Cursor::new(self.attributes);
        let mut attributes = Vec::new();
        while !cursor.is_empty() {
            let mut attribute = Cursor::new(cursor.prefixed()?);
            attributes.push((attribute.u32()?, attribute.rest().to_vec()));
        }
        Some(attributes)
    }
}

/// The key that verified must be the certificate's, byte for byte: otherwise any certificate could be shown beside an
/// attacker's own key. One exception, which Android makes too: a modulus written as a negative number.
fn check_key(
    public_key: &[u8],
    parsed: &PublicKey,
    certificates: &[Certificate],
    findings: &mut Vec<Finding>,
) -> Check<()> {
    let certificate = certificates
        .first()
        .or_broken(Code::CertificateMissing, "")?;
    if certificate.public_key_info == public_key {
        return Ok(());
    }
    let own = PublicKey::parse(&certificate.public_key_info);
    if own.is_some_and(|own| own.is_same_rsa(parsed)) {
        findings.push(Finding::new(Code::CertificateKeyReencoded, ""));
        return Ok(());
    }
    broken(Code::CertificateKeyDiffers, "")
}
