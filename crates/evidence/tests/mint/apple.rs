//! Mints App Attest objects and assertions, so that a test can break exactly one rule.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, AppAttestFacts, Assertion, AssertionFacts, ExpectedKeyId, verify_assertion,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, Facts, Reject, Sha256Digest, UnixTime, verify,
};

use super::{Certificate, der, name};

pub const NOW: UnixTime = UnixTime(1_793_491_200); // 2026-11-01
pub const APP_ID: &str = "TEAM123456.com.example.books";
pub const CLIENT_DATA_HASH: &[u8] = &[5; 32];
pub const AUTHORITY: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xFF];

pub mod cbor {
    pub fn head(major: u8, value: usize) -> Vec<u8> {
        match value {
            0..24 => vec![major << 5 | u8::try_from(value).unwrap()],
            24..256 => vec![major << 5 | 0x18, u8::try_from(value).unwrap()],
            _ => [
                vec![major << 5 | 0x19],
                u16::try_from(value).unwrap().to_be_bytes().to_vec(),
            ]
            .concat(),
        }
    }

    pub fn text(text: &str) -> Vec<u8> {
        [head(3, text.len()), text.into()].concat()
    }

    pub fn bytes(bytes: &[u8]) -> Vec<u8> {
        [head(2, bytes.len()), bytes.into()].concat()
    }

    pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
        [head(4, items.len()), items.concat()].concat()
    }

    pub fn map_of(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let pairs = members
            .iter()
            .flat_map(|(key, value)| [key.clone(), value.clone()]);
        [head(5, members.len()), pairs.collect::<Vec<_>>().concat()].concat()
    }

    pub fn integer(value: i64) -> Vec<u8> {
        if value < 0 {
            head(1, usize::try_from(-1 - value).unwrap())
        } else {
            head(0, usize::try_from(value).unwrap())
        }
    }
}

/// A good attestation in parts.
pub struct Blueprint {
    pub format: &'static str,
    pub app_id: &'static str,
    pub flags: u8,
    pub counter: u32,
    pub aaguid: &'static [u8; 16],
    pub credential_id: Option<Vec<u8>>,
    pub credential_id_length: [u8; 2],
    pub cose: Vec<(Vec<u8>, Vec<u8>)>,
    pub behind_key: Vec<u8>,
    pub nonce: fn(&[u8]) -> Vec<Vec<u8>>,
    pub leaf: Certificate,
    pub intermediate: Certificate,
    pub extra_certificates: Vec<Vec<u8>>,
    pub behind_object: Vec<u8>,
    pub keys: [EcdsaKeyPair; 3],
}

pub fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap()
}

pub fn nonce_extension(wrapped: &[u8]) -> Vec<u8> {
    super::extension(&[1, 2, 840, 113_635, 100, 8, 2], wrapped)
}

pub fn good_nonce(nonce: &[u8]) -> Vec<Vec<u8>> {
    vec![nonce_extension(&der::sequence(&[der::explicit(
        1,
        &der::octets(nonce),
    )]))]
}

impl Blueprint {
    pub fn good() -> Self {
        let keys = [new_key(), new_key(), new_key()];
        let point = keys[0].public_key().as_ref().to_vec();
        let intermediate_name = name(&[(3, "Apple App Attestation CA 1")]);
        let certificate = |subject: Vec<u8>, issuer: Vec<u8>, at: usize| {
            let mut template = super::Blueprint::factory().certificates[0].clone();
            template.subject = subject;
            template.issuer = issuer;
            template.spki = super::p256(keys[at].public_key().as_ref());
            template.signer = at + 1;
            template
        };
        let leaf = certificate(name(&[(3, "key")]), intermediate_name.clone(), 0);
        let mut intermediate = certificate(intermediate_name, name(&[(3, "Root")]), 1);
        intermediate
            .extensions
            .push(super::critical_extension(&[2, 5, 29, 19], AUTHORITY));
        Self {
            format: "apple-appattest",
            app_id: APP_ID,
            flags: 0x40,
            counter: 0,
            aaguid: b"appattest\0\0\0\0\0\0\0",
            credential_id: None,
            credential_id_length: [0, 32],
            cose: vec![
                (cbor::integer(1), cbor::integer(2)),
                (cbor::integer(3), cbor::integer(-7)),
                (cbor::integer(-1), cbor::integer(1)),
                (cbor::integer(-2), cbor::bytes(&point[1..33])),
                (cbor::integer(-3), cbor::bytes(&point[33..])),
            ],
            behind_key: Vec::new(),
            nonce: good_nonce,
            leaf,
            intermediate,
            extra_certificates: Vec::new(),
            behind_object: Vec::new(),
            keys,
        }
    }

    pub fn point(&self) -> &[u8] {
        self.keys[0].public_key().as_ref()
    }

    pub fn authenticator_data(&self) -> Vec<u8> {
        let key_id = Sha256Digest::of(self.point()).0.to_vec();
        [
            &Sha256Digest::of(self.app_id.as_bytes()).0[..],
            &[self.flags],
            &self.counter.to_be_bytes(),
            self.aaguid,
            &self.credential_id_length,
            self.credential_id.as_ref().unwrap_or(&key_id),
            &cbor::map_of(&self.cose),
            &self.behind_key,
        ]
        .concat()
    }

    pub fn mint(&self) -> Vec<u8> {
        let data = self.authenticator_data();
        let nonce = Sha256Digest::of(&[&data, CLIENT_DATA_HASH].concat()).0;
        let mut leaf = self.leaf.clone();
        leaf.extensions.extend((self.nonce)(&nonce));
        let sign =
            |certificate: &Certificate| super::sign(certificate, &self.keys[certificate.signer]);
        let mut x5c = vec![
            cbor::bytes(&sign(&leaf)),
            cbor::bytes(&sign(&self.intermediate)),
        ];
        x5c.extend(
            self.extra_certificates
                .iter()
                .map(|extra| cbor::bytes(extra)),
        );
        let statement = [
            (cbor::text("x5c"), cbor::array(&x5c)),
            (cbor::text("receipt"), cbor::bytes(b"receipt")),
        ];
        let object = cbor::map_of(&[
            (cbor::text("fmt"), cbor::text(self.format)),
            (cbor::text("attStmt"), cbor::map_of(&statement)),
            (cbor::text("authData"), cbor::bytes(&data)),
        ]);
        [object, self.behind_object.clone()].concat()
    }

    pub fn ask(&self, object: &[u8], key_id: ExpectedKeyId<'_>) -> Result<AppAttestFacts, Reject> {
        let root = super::p256(self.keys[2].public_key().as_ref());
        let anchors = Anchors::none().with_operator(&root).unwrap();
        let context = Context {
            now: NOW,
            challenge: ExpectedChallenge::Exactly(CLIENT_DATA_HASH),
            anchors: &anchors,
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let evidence = Evidence::AppAttest(AppAttest {
            object,
            app_id: APP_ID,
            key_id,
        });
        let Facts::AppAttest(facts) = verify(&evidence, &context)? else {
            panic!("another kind")
        };
        Ok(facts)
    }

    pub fn verdict(&self) -> Result<AppAttestFacts, Reject> {
        let key_id = Sha256Digest::of(self.point());
        self.ask(&self.mint(), ExpectedKeyId::Exactly(&key_id.0))
    }
}

/// An assertion in parts.
pub struct Request {
    pub app_id: &'static str,
    pub counter: u32,
    pub behind_counter: Vec<u8>,
    pub behind_object: Vec<u8>,
    pub previous_counter: u32,
    pub hashed_again: bool,
}

impl Request {
    pub fn good() -> Self {
        Self {
            app_id: APP_ID,
            counter: 6,
            behind_counter: Vec::new(),
            behind_object: Vec::new(),
            previous_counter: 5,
            hashed_again: true,
        }
    }

    pub fn verdict(&self) -> Result<AssertionFacts, Reject> {
        let key = new_key();
        self.asked_of(&key, &self.mint(&key))
    }

    /// The assertion, signed.
    pub fn mint(&self, key: &EcdsaKeyPair) -> Vec<u8> {
        let app = Sha256Digest::of(self.app_id.as_bytes()).0;
        let data = [
            &app[..],
            &[0x40],
            &self.counter.to_be_bytes(),
            &self.behind_counter,
        ]
        .concat();
        let signed = [&data, CLIENT_DATA_HASH].concat();
        let message = if self.hashed_again {
            Sha256Digest::of(&signed).0.to_vec()
        } else {
            signed
        };
        let signature = key.sign(&SystemRandom::new(), &message).unwrap();
        let object = cbor::map_of(&[
            (cbor::text("signature"), cbor::bytes(signature.as_ref())),
            (cbor::text("authenticatorData"), cbor::bytes(&data)),
        ]);
        [object, self.behind_object.clone()].concat()
    }

    /// What comes of an assertion that is said to be this one.
    pub fn asked_of(&self, key: &EcdsaKeyPair, object: &[u8]) -> Result<AssertionFacts, Reject> {
        verify_assertion(&Assertion {
            object,
            app_id: APP_ID,
            client_data_hash: CLIENT_DATA_HASH,
            public_key: key.public_key().as_ref(),
            previous_counter: self.previous_counter,
        })
    }
}

pub fn extension_map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| (cbor::text(name), value.clone()))
        .collect();
    cbor::map_of(&members)
}
