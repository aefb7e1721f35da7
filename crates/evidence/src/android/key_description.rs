//! The key description: what the key store says about a key, in an extension of its certificate.
//!
//! Decides the syntax and nothing else, hence *unverified*: whoever holds one has not yet looked at a
//! single signature. It refuses to gate on versions (1 to 500 were seen, each new Android brings
//! another): members are found by tag.
//!
//! `KeyDescription ::= SEQUENCE { attestationVersion INTEGER, attestationSecurityLevel ENUMERATED,
//! keyMintVersion INTEGER, keyMintSecurityLevel ENUMERATED, attestationChallenge OCTET STRING,
//! uniqueId OCTET STRING, softwareEnforced AuthorizationList, hardwareEnforced AuthorizationList }`

use std::collections::BTreeSet;

use super::authorization_list::AuthorizationList;
use super::certificate::Certificate;
use super::{
    ApplicationId, MAX_CERTIFICATE_BYTES, Origin, PatchLevel, RootOfTrust, SecurityLevel, Tolerance,
};
use crate::Reject;
use crate::der::{self, DerFault, Reader, Tag};

/// Nesting that real descriptions stay far below.
const MOST_DEPTH: u8 = 16;

/// A key description as somebody sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedKeyDescription {
    /// Version of the schema.
    pub attestation_version: u32,
    /// Where the description was made.
    pub attestation_level: SecurityLevel,
    /// Version of the key store.
    pub keymint_version: u32,
    /// Where the key lives.
    pub keymint_level: SecurityLevel,
    /// What it was made for.
    pub challenge: Vec<u8>,
    /// What the operating system says.
    pub(super) software: AuthorizationList,
    /// What hardware says.
    pub(super) hardware: AuthorizationList,
    /// Faults of encoding that were let pass.
    pub tolerated: BTreeSet<Tolerance>,
}

impl UnverifiedKeyDescription {
    /// Reads the extension's value.
    pub fn parse(value: &[u8]) -> Result<Self, Reject> {
        if value.len() > MAX_CERTIFICATE_BYTES {
            return Err(malformed("larger than 16 KiB"));
        }
        der::check_structure(value, MOST_DEPTH)?;
        let mut members = der::sole(value, Tag::SEQUENCE)?;
        let mut tolerated = BTreeSet::new();
        let description = Self {
            attestation_version: version(&mut members)?,
            attestation_level: level(&mut members)?,
            keymint_version: version(&mut members)?,
            keymint_level: level(&mut members)?,
            challenge: members.octets()?.to_vec(),
            software: {
                members.octets()?; // uniqueId: personal, of no use, not kept
                AuthorizationList::read(members.expect(Tag::SEQUENCE)?, &mut tolerated)?
            },
            hardware: AuthorizationList::read(members.expect(Tag::SEQUENCE)?, &mut tolerated)?,
            tolerated: BTreeSet::new(),
        };
        members.finish()?;
        Ok(Self {
            tolerated,
            ..description
        })
    }

    /// Reads the description of one certificate, and checks nothing else about it.
    pub fn of_certificate(der: &[u8]) -> Result<Self, Reject> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(Reject::CertificateTooLarge { position: 0 });
        }
        let certificate = Certificate::parse(der, 0)?;
        Self::parse(
            certificate
                .description()
                .ok_or(Reject::KeyDescriptionMissing)?,
        )
    }

    /// Hardware's word on the key's birth. The same tag in the software list is what emulators and
    /// forgers fill in, so it is not a second source.
    pub const fn origin(&self) -> Option<Origin> {
        self.hardware.origin
    }

    /// Hardware's word on how the phone booted; the software list is no source here either.
    pub const fn root_of_trust(&self) -> Option<&RootOfTrust> {
        self.hardware.root_of_trust.as_ref()
    }

    /// What the key may do by either list.
    pub fn purposes(&self) -> Vec<u32> {
        self.hardware
            .purposes
            .union(&self.software.purposes)
            .copied()
            .collect()
    }

    /// Hardware's patch levels: operating system, vendor partition, boot partition.
    pub const fn patch_levels(&self) -> [Option<PatchLevel>; 3] {
        [
            self.hardware.os_patch,
            self.hardware.vendor_patch,
            self.hardware.boot_patch,
        ]
    }

    /// The operating system's word on the app: hardware has none.
    pub const fn application(&self) -> Option<&ApplicationId> {
        self.software.application.as_ref()
    }
}

impl From<DerFault> for Reject {
    fn from(fault: DerFault) -> Self {
        malformed(fault.as_str())
    }
}

pub(super) const fn malformed(reason: &'static str) -> Reject {
    Reject::KeyDescriptionMalformed { reason }
}

fn version(members: &mut Reader<'_>) -> Result<u32, Reject> {
    u32::try_from(members.integer()?).map_err(|_| malformed("version out of range"))
}

fn level(members: &mut Reader<'_>) -> Result<SecurityLevel, Reject> {
    match members.enumerated()? {
        0 => Ok(SecurityLevel::Software),
        1 => Ok(SecurityLevel::TrustedEnvironment),
        2 => Ok(SecurityLevel::StrongBox),
        _ => Err(malformed("unknown security level")),
    }
}
