//! An authorization list: what one party, operating system or hardware, says about a key.
//!
//! Decides the syntax of the members that something here depends on. It refuses a tag that occurs
//! twice, since two readers could disagree about it, and tolerates disorder and unknown tags, since
//! real phones produce both and neither can change what a member means.
//!
//! `AuthorizationList ::= SEQUENCE { … [tag] EXPLICIT … OPTIONAL }`

use std::collections::BTreeSet;

use super::key_description::malformed;
use super::{
    ApplicationId, BootState, Locked, Origin, Package, PatchLevel, RootOfTrust, Tolerance,
};
use crate::der::{self, Class, Element, Reader, Tag};
use crate::{Octets, Reject, Sha256Digest};

/// Most packages of one user id; the largest real one has 13.
const MOST_PACKAGES: usize = 64;
/// Most signing certificates of one user id.
const MOST_SIGNERS: usize = 16;
/// Most purposes; KeyMint knows eight.
const MOST_PURPOSES: usize = 32;

/// Tags of the schema up to version 500 that nothing here depends on.
const KNOWN: [u32; 41] = [
    2, 3, 4, 5, 6, 8, 9, 10, 11, 200, 203, 303, 305, 308, 400, 401, 402, 403, 404, 405, 502, 503,
    504, 505, 506, 507, 508, 509, 600, 601, 701, 703, 705, 710, 711, 712, 713, 714, 715, 716, 717,
];
const KNOWN_SINCE_KEYMINT: [u32; 3] = [720, 723, 724];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AuthorizationList {
    pub(super) purposes: BTreeSet<u32>,
    pub(super) origin: Option<Origin>,
    pub(super) root_of_trust: Option<RootOfTrust>,
    pub(super) os_patch: Option<PatchLevel>,
    pub(super) vendor_patch: Option<PatchLevel>,
    pub(super) boot_patch: Option<PatchLevel>,
    pub(super) application: Option<ApplicationId>,
}

impl AuthorizationList {
    pub(super) fn read(
        list: Element<'_>,
        tolerated: &mut BTreeSet<Tolerance>,
    ) -> Result<Self, Reject> {
        let mut read = Self::default();
        let mut seen = BTreeSet::new();
        let mut members = list.reader();
        while !members.is_empty() {
            let member = members.element()?;
            if member.tag.class != Class::Context || !member.tag.constructed {
                return Err(malformed("a member without an explicit tag"));
            }
            let tag = member.tag.number;
            if seen.last().is_some_and(|last| *last > tag) {
                tolerated.insert(Tolerance::AuthorizationOrder);
            }
            if !seen.insert(tag) {
                return Err(Reject::AuthorizationTagDuplicated { tag });
            }
            let mut value = member.reader();
            read.member(tag, &mut value, tolerated)?;
            value.finish()?;
        }
        Ok(read)
    }

    fn member(
        &mut self,
        tag: u32,
        value: &mut Reader<'_>,
        tolerated: &mut BTreeSet<Tolerance>,
    ) -> Result<(), Reject> {
        match tag {
            1 => self.purposes = purposes(value)?,
            702 => self.origin = Some(origin(value.integer()?)),
            704 => self.root_of_trust = Some(root_of_trust(value, tolerated)?),
            706 => self.os_patch = Some(patch_level(value)?),
            709 => self.application = Some(application(value.octets()?)?),
            718 => self.vendor_patch = Some(patch_level(value)?),
            719 => self.boot_patch = Some(patch_level(value)?),
            _ => {
                if !KNOWN.contains(&tag) && !KNOWN_SINCE_KEYMINT.contains(&tag) {
                    tolerated.insert(Tolerance::UnknownTag);
                }
                value.element()?;
            }
        }
        Ok(())
    }
}

/// `SET OF INTEGER`; DER would have it sorted, phones do not.
fn purposes(value: &mut Reader<'_>) -> Result<BTreeSet<u32>, Reject> {
    let mut members = value.expect(Tag::SET)?.reader();
    let mut purposes = BTreeSet::new();
    while !members.is_empty() {
        let number = members.integer()?;
        let number = u32::try_from(number).map_err(|_| malformed("purpose out of range"))?;
        purposes.insert(number);
        within(purposes.len(), MOST_PURPOSES)?;
    }
    Ok(purposes)
}

const fn origin(number: i64) -> Origin {
    match number {
        0 => Origin::Generated,
        1 => Origin::Derived,
        2 => Origin::Imported,
        3 => Origin::Unknown,
        4 => Origin::SecurelyImported,
        _ => Origin::Unrecognized,
    }
}

fn patch_level(value: &mut Reader<'_>) -> Result<PatchLevel, Reject> {
    let number = u32::try_from(value.integer()?);
    number
        .map(PatchLevel)
        .map_err(|_| malformed("patch level out of range"))
}

/// `SEQUENCE { verifiedBootKey OCTET STRING, deviceLocked BOOLEAN, verifiedBootState ENUMERATED,
/// verifiedBootHash OCTET STRING OPTIONAL }`; the hash came with schema 3.
fn root_of_trust(
    value: &mut Reader<'_>,
    tolerated: &mut BTreeSet<Tolerance>,
) -> Result<RootOfTrust, Reject> {
    let mut members = value.expect(Tag::SEQUENCE)?.reader();
    let verified_boot_key = Octets(members.octets()?.to_vec());
    let device_locked = if boolean(&mut members, tolerated)? == 0 {
        Locked::Unlocked
    } else {
        Locked::Locked
    };
    let state = members.enumerated()?;
    let state = BootState::from_number(state).ok_or(malformed("unknown boot state"))?;
    let verified_boot_hash = if members.is_empty() {
        None
    } else {
        Some(Octets(members.octets()?.to_vec()))
    };
    members.finish()?;
    Ok(RootOfTrust {
        verified_boot_key,
        device_locked,
        state,
        verified_boot_hash,
    })
}

/// BER's reading of a BOOLEAN, zero is false and all else true: phones write TRUE as 0x01.
fn boolean(members: &mut Reader<'_>, tolerated: &mut BTreeSet<Tolerance>) -> Result<u8, Reject> {
    let [octet] = members.expect(Tag::BOOLEAN)?.content else {
        return Err(malformed("boolean that is not one byte"));
    };
    if !matches!(octet, 0x00 | 0xFF) {
        tolerated.insert(Tolerance::Boolean);
    }
    Ok(*octet)
}

/// `AttestationApplicationId ::= SEQUENCE { package_infos SET OF SEQUENCE { package_name OCTET STRING,
/// version INTEGER }, signature_digests SET OF OCTET STRING }`, DER inside an OCTET STRING.
fn application(der: &[u8]) -> Result<ApplicationId, Reject> {
    der::check_structure(der, 8)?;
    let mut members = der::sole(der, Tag::SEQUENCE)?;
    let packages = set_of(&mut members, MOST_PACKAGES, package)?;
    let signers = set_of(&mut members, MOST_SIGNERS, |digests| {
        let digest = digests
            .octets()?
            .try_into()
            .map_err(|_| malformed("signer of another length"))?;
        Ok(Sha256Digest(digest))
    })?;
    members.finish()?;
    Ok(ApplicationId { packages, signers })
}

fn package(packages: &mut Reader<'_>) -> Result<Package, Reject> {
    let mut members = packages.expect(Tag::SEQUENCE)?.reader();
    let name =
        std::str::from_utf8(members.octets()?).map_err(|_| malformed("package not UTF-8"))?;
    let version = members.integer()?;
    let version = u64::try_from(version).map_err(|_| malformed("negative app version"))?;
    members.finish()?;
    Ok(Package {
        name: name.to_owned(),
        version,
    })
}

fn set_of<T>(
    members: &mut Reader<'_>,
    most: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Reject>,
) -> Result<Vec<T>, Reject> {
    let mut elements = members.expect(Tag::SET)?.reader();
    let mut values = Vec::new();
    while !elements.is_empty() {
        within(values.len(), most.saturating_sub(1))?;
        values.push(read(&mut elements)?);
    }
    Ok(values)
}

fn within(count: usize, most: usize) -> Result<(), Reject> {
    if count > most {
        return Err(malformed("too many members"));
    }
    Ok(())
}
