//! The bytes that App Attest gives: attestation objects and assertions, in the shapes of iOS 26 and 27.
//!
//! Says how they look; when the phone makes one is decided in [`super`].

use aws_lc_rs::digest::{SHA256, digest};

use super::{IosApp, IosRelease, IosVersion};
use crate::SimulatorError;
use crate::cbor;
use crate::certificate::{
    Attribute, Certificate, Name, Validity, extension, not_an_authority, signing_key_usage,
};
use crate::der;
use crate::factory::AttestationKey;
use crate::key::{PrivateKey, random};

/// The extension with the nonce.
const NONCE: &[u64] = &[1, 2, 840, 113_635, 100, 8, 2];
/// Extended key usage, and what Apple writes there since January 2026.
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const APP_ATTEST_USAGE: &[u64] = &[1, 2, 840, 113_635, 100, 4, 24];
/// Apple's leaves are good for three days.
const LEAF_SECONDS: i64 = 3 * 86_400;
/// Attested credential data follows; assertions have the flag too, though nothing follows.
const FLAGS: u8 = 0x40;

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// An attestation object over a client data hash.
pub(super) fn attestation(
    authority: &AttestationKey,
    (app, version): (&IosApp, IosVersion),
    key: &PrivateKey,
    client_data_hash: &[u8; 32],
    now: i64,
) -> Result<Vec<u8>, SimulatorError> {
    let point = key.point()?;
    let key_id = sha256(&point);
    let data = [
        &header(app, 0)[..],
        app.release.aaguid(),
        &[0, 32],
        &key_id,
        &cose_key(&point),
        &release(app, version),
    ]
    .concat();
    let nonce = sha256(&[&data[..], client_data_hash].concat());
    let leaf = Certificate {
        serial: random::<6>()?.to_vec(),
        issuer: authority.subject.clone(),
        subject: Name::new(&[
            (Attribute::CommonName, &hex::encode(key_id)),
            (Attribute::Organization, "Bonafide simulator"),
        ]),
        validity: Validity {
            not_before: now - 86_400,
            not_after: now + LEAF_SECONDS,
        },
        spki: key.spki()?,
        extensions: vec![
            not_an_authority(),
            signing_key_usage(),
            extension(
                EXTENDED_KEY_USAGE,
                &der::sequence(&[der::oid(APP_ATTEST_USAGE)]),
            ),
            extension(
                NONCE,
                &der::sequence(&[der::explicit(1, &der::octets(&nonce))]),
            ),
        ],
    }
    .sign(&authority.key)?;
    // The root stays out, as it does on a real phone.
    let intermediate = authority.chain.first().cloned().unwrap_or_default();
    let statement = cbor::map(&[
        (
            cbor::text("x5c"),
            cbor::array(&[cbor::bytes(&leaf), cbor::bytes(&intermediate)]),
        ),
        // Receipts are signed by Apple's fraud service, of which there is no simulation.
        (cbor::text("receipt"), cbor::bytes(&[])),
    ]);
    Ok(cbor::map(&[
        (cbor::text("fmt"), cbor::text("apple-appattest")),
        (cbor::text("attStmt"), statement),
        (cbor::text("authData"), cbor::bytes(&data)),
    ]))
}

/// An assertion over a client data hash.
pub(super) fn assertion(
    (app, version): (&IosApp, IosVersion),
    key: &PrivateKey,
    counter: u32,
    client_data_hash: &[u8; 32],
) -> Result<Vec<u8>, SimulatorError> {
    let data = [header(app, counter), release(app, version)].concat();
    // The signature is over the nonce, so its message is hashed twice.
    let nonce = sha256(&[&data[..], client_data_hash].concat());
    let signature = key.sign(&nonce)?;
    Ok(cbor::map(&[
        (cbor::text("signature"), cbor::bytes(&signature)),
        (cbor::text("authenticatorData"), cbor::bytes(&data)),
    ]))
}

fn header(app: &IosApp, counter: u32) -> Vec<u8> {
    [
        &sha256(app.app_id.as_bytes())[..],
        &[FLAGS],
        &counter.to_be_bytes(),
    ]
    .concat()
}

/// EC2 on P-256 for ES256.
fn cose_key(point: &[u8]) -> Vec<u8> {
    let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
    cbor::map(&[
        (cbor::unsigned(1), cbor::unsigned(2)),
        (cbor::unsigned(3), cbor::negative(6)),
        (cbor::negative(0), cbor::unsigned(1)),
        (cbor::negative(1), cbor::bytes(x)),
        (cbor::negative(2), cbor::bytes(y)),
    ])
}

/// What iOS 27 says about the app's release.
fn release(app: &IosApp, version: IosVersion) -> Vec<u8> {
    match version {
        IosVersion::Ios26 => Vec::new(),
        IosVersion::Ios27 => cbor::map(&[
            (
                cbor::text("apple_validation_category_01"),
                cbor::bytes(&app.release.category().to_le_bytes()),
            ),
            (
                cbor::text("apple_bundle_version_01"),
                cbor::text(&app.build),
            ),
        ]),
    }
}

impl IosRelease {
    fn aaguid(self) -> &'static [u8; 16] {
        match self {
            Self::AppStore | Self::TestFlight => b"appattest\0\0\0\0\0\0\0",
            Self::Development => b"appattestdevelop",
        }
    }

    fn category(self) -> u32 {
        match self {
            Self::AppStore => 4,
            Self::TestFlight => 2,
            Self::Development => 3,
        }
    }
}
