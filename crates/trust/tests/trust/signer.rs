//! Keys and documents to break.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_trust::author::{self, Role, signed_bytes};
use bonafide_trust::{Bundle, ManagedRoot, ManagedRoots, ProtectedApi, RootMetadata};
use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::{Envelope, key_id};
use bonafide_wire::ids::{AccountId, Host};

/// Everything in these tests happens about then.
pub(crate) const NOW: i64 = 1_795_000_000;

/// A key that signs trust metadata.
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(crate) fn id(&self) -> Base64Url {
        key_id(self.point())
    }

    fn sign(&self, role: Role, payload: &[u8]) -> Vec<u8> {
        let message = signed_bytes(role, &account(), payload);
        self.0
            .sign(&SystemRandom::new(), &message)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("acme").unwrap()
}

pub(crate) fn envelope(role: Role, payload: &[u8], signers: &[&Signer]) -> Envelope {
    let signatures: Vec<(&[u8], Vec<u8>)> = signers
        .iter()
        .map(|signer| (signer.point(), signer.sign(role, payload)))
        .collect();
    author::envelope(payload.to_vec(), &signatures)
}

pub(crate) fn reply(root: Envelope, bundle: Envelope) -> Vec<u8> {
    serde_json::to_vec(&bonafide_wire::envelope::TrustReply { root, bundle }).unwrap()
}

pub(crate) fn root(version: u64, root: &Signer, bundle: &Signer) -> RootMetadata {
    RootMetadata::single(
        account(),
        version,
        NOW + 1_000_000,
        [root.point(), bundle.point()],
    )
}

pub(crate) fn bundle(version: u64) -> Bundle {
    Bundle {
        account: account(),
        version,
        issued_at: NOW - 10,
        expires_at: NOW + 1000,
        root_version: 1,
        managed_roots: ManagedRoots::On,
        roots: vec![ManagedRoot {
            name: "root".to_owned(),
            subject: Base64Url(vec![1]),
            spki: Base64Url(vec![2]),
            name_constraints: None,
            distrust_after: None,
        }],
        apis: vec![ProtectedApi {
            host: Host::parse("api.example.com").unwrap(),
            token: TokenMode::Token,
            pins: vec![],
        }],
        upstreams: vec![],
    }
}
