//! Writes the Android `KeyDescription` (OID 1.3.6.1.4.1.11129.2.1.17) as a KeyMint 3 phone does.
//!
//! Which values stand in it is the phone's affair; here is only their encoding.

use crate::der;

/// The extension's object identifier.
pub(crate) const OID: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17];

const PURPOSE_SIGN: u64 = 2;
const ALGORITHM_EC: u64 = 3;
const DIGEST_SHA256: u64 = 4;
const CURVE_P256: u64 = 1;
const ORIGIN_GENERATED: u64 = 0;

/// The state of verified boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootState {
    Verified,
    Unverified,
}

/// What the boot loader told the secure world.
#[derive(Debug, Clone)]
pub(crate) struct RootOfTrust {
    pub(crate) verified_boot_key: [u8; 32],
    pub(crate) device_locked: bool,
    pub(crate) state: BootState,
    pub(crate) verified_boot_hash: [u8; 32],
}

/// Everything a key description says.
#[derive(Debug, Clone)]
pub(crate) struct KeyDescription<'a> {
    pub(crate) keymint_version: u64,
    /// 1 trusted environment, 2 StrongBox.
    pub(crate) security_level: u8,
    pub(crate) challenge: &'a [u8],
    pub(crate) created_at_ms: u64,
    pub(crate) application_id: Vec<u8>,
    pub(crate) root_of_trust: RootOfTrust,
    /// Like 160000.
    pub(crate) os_version: u64,
    /// Like 202611.
    pub(crate) os_patch_level: u64,
    /// Like 20261105.
    pub(crate) vendor_patch_level: u64,
    /// Like 20261105.
    pub(crate) boot_patch_level: u64,
}

impl KeyDescription<'_> {
    pub(crate) fn to_der(&self) -> Vec<u8> {
        der::sequence(&[
            der::integer(self.keymint_version),
            der::enumerated(self.security_level),
            der::integer(self.keymint_version),
            der::enumerated(self.security_level),
            der::octets(self.challenge),
            der::octets(&[]),
            self.software_enforced(),
            self.hardware_enforced(),
        ])
    }

    fn software_enforced(&self) -> Vec<u8> {
        der::sequence(&[
            der::explicit(701, &der::integer(self.created_at_ms)),
            der::explicit(709, &der::octets(&self.application_id)),
        ])
    }

    fn hardware_enforced(&self) -> Vec<u8> {
        der::sequence(&[
            der::explicit(1, &der::set_of(vec![der::integer(PURPOSE_SIGN)])),
            der::explicit(2, &der::integer(ALGORITHM_EC)),
            der::explicit(3, &der::integer(256)),
            der::explicit(5, &der::set_of(vec![der::integer(DIGEST_SHA256)])),
            der::explicit(10, &der::integer(CURVE_P256)),
            der::explicit(503, &der::null()),
            der::explicit(702, &der::integer(ORIGIN_GENERATED)),
            der::explicit(704, &self.root_of_trust.to_der()),
            der::explicit(705, &der::integer(self.os_version)),
            der::explicit(706, &der::integer(self.os_patch_level)),
            der::explicit(718, &der::integer(self.vendor_patch_level)),
            der::explicit(719, &der::integer(self.boot_patch_level)),
        ])
    }
}

impl RootOfTrust {
    fn to_der(&self) -> Vec<u8> {
        der::sequence(&[
            der::octets(&self.verified_boot_key),
            if self.device_locked {
                der::truth()
            } else {
                der::falsehood()
            },
            der::enumerated(match self.state {
                BootState::Verified => 0,
                BootState::Unverified => 2,
            }),
            der::octets(&self.verified_boot_hash),
        ])
    }
}

/// The attestation application id: what the framework says about the caller.
pub(crate) fn application_id(package: &str, version_code: u64, signers: &[[u8; 32]]) -> Vec<u8> {
    let package = der::sequence(&[der::octets(package.as_bytes()), der::integer(version_code)]);
    let digests = signers.iter().map(|digest| der::octets(digest)).collect();
    der::sequence(&[der::set_of(vec![package]), der::set_of(digests)])
}
