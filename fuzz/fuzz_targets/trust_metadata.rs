//! Trust metadata and server certificates: never a panic, never a version that goes back.
//!
//! Input: one byte that says what the rest is, then the rest. Payloads are signed on the way, because
//! nothing is parsed whose signature does not hold.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use bonafide_trust::author::{self, Role, signed_bytes};
use bonafide_trust::{
    Bundle, ManagedRoot, ManagedRoots, RootMetadata, TrustedSet, ValidatedPath, decide,
};
use bonafide_wire::envelope::{Envelope, key_id};
use bonafide_wire::ids::AccountId;
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_795_000_000;

struct Author {
    key: EcdsaKeyPair,
    account: AccountId,
}

static AUTHOR: LazyLock<Author> = LazyLock::new(|| Author {
    key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    account: AccountId::parse("acme").unwrap(),
});

impl Author {
    fn point(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    fn sign(&self, role: Role, payload: Vec<u8>) -> Envelope {
        let message = signed_bytes(role, &self.account, &payload);
        let signature = self.key.sign(&SystemRandom::new(), &message).unwrap();
        author::envelope(payload, &[(self.point(), signature.as_ref().to_vec())])
    }

    fn root(&self) -> Vec<u8> {
        let keys = [self.point(), self.point()];
        let root = RootMetadata::single(self.account.clone(), 1, i64::MAX, keys);
        author::root_payload(&root).unwrap()
    }

    fn bundle(&self) -> Bundle {
        Bundle {
            account: self.account.clone(),
            version: 5,
            issued_at: NOW - 10,
            expires_at: NOW + 10,
            root_version: 1,
            managed_roots: ManagedRoots::Off,
            roots: vec![],
            apis: vec![],
            upstreams: vec![],
        }
    }

    /// A set that holds root 1 and bundle 5.
    fn set(&self) -> TrustedSet {
        let mut set = TrustedSet::new(self.account.clone(), key_id(self.point()));
        let bundle = author::bundle_payload(&self.bundle()).unwrap();
        let bundle = self.sign(Role::Bundle, bundle);
        let reply = author::reply(self.sign(Role::Root, self.root()), bundle).unwrap();
        set.update(reply.as_bytes(), NOW).unwrap();
        set
    }
}

fn offer(root: Envelope, bundle: Envelope) {
    let Ok(reply) = author::reply(root, bundle) else {
        return;
    };
    let mut set = AUTHOR.set();
    let before = set.clone();
    match set.update(reply.as_bytes(), NOW) {
        Err(_) => assert_eq!(set, before),
        Ok(_) => {
            assert!(set.version() >= before.version());
            let saved = set.save().unwrap();
            let root = key_id(AUTHOR.point());
            let restored = TrustedSet::restore(AUTHOR.account.clone(), root, &saved);
            assert_eq!(restored.as_ref(), Ok(&set));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let author = &*AUTHOR;
    match kind % 4 {
        0 => {
            let mut set = author.set();
            let _ = set.update(rest, NOW);
            assert_eq!(set.version(), 5);
        }
        1 => {
            let root = author.sign(Role::Root, author.root());
            offer(root, author.sign(Role::Bundle, rest.to_vec()));
        }
        2 => {
            let bundle = author::bundle_payload(&author.bundle()).unwrap();
            let root = author.sign(Role::Root, rest.to_vec());
            offer(root, author.sign(Role::Bundle, bundle));
        }
        _ => {
            let _ = ManagedRoot::from_certificate("fuzz", rest);
            if let Ok(path) = ValidatedPath::from_certificates(&[rest]) {
                let _ = decide(&author.bundle(), "api.example.com", &path, NOW);
            }
        }
    }
});
