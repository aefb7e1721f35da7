//! Mints App Attest receipts (CMS), so that a test can break exactly one rule.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _};
use bonafide_evidence::android::Anchors;
use bonafide_evidence::apple::{ExpectedPublicKey, Receipt, ReceiptFacts, verify_receipt};
use bonafide_evidence::{Reject, Sha256Digest};

use super::apple::{APP_ID, AUTHORITY, NOW, new_key};
use super::{Certificate, der, name};

const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const MARKER: &[u64] = &[1, 2, 840, 113_635, 100, 12, 15];

/// A good receipt in parts.
pub struct Blueprint {
    /// Number and value of each field.
    pub fields: Vec<(u64, Vec<u8>)>,
    pub signer: Certificate,
    pub intermediate: Certificate,
    /// Signer, intermediate, root.
    pub keys: [EcdsaKeyPair; 3],
    /// The digest among the signed attributes; that of the content where none is said.
    pub digest: Option<Vec<u8>>,
    /// What the signature is over.
    pub signs: Signs,
    pub behind: Vec<u8>,
    /// The attested key.
    pub point: Vec<u8>,
}

#[derive(PartialEq, Eq)]
pub enum Signs {
    Attributes,
    /// As in August and September of 2020: attributes are there, and signed is the content.
    Content,
}

impl Blueprint {
    pub fn good() -> Self {
        let keys = [new_key(), new_key(), new_key()];
        let attested = new_key();
        let point = attested.public_key().as_ref().to_vec();
        let issuer = name(&[(3, "Apple Application Integration CA 5")]);
        let certificate = |subject: Vec<u8>, issuer: Vec<u8>, at: usize| {
            let mut template = super::Blueprint::factory().certificates[0].clone();
            template.subject = subject;
            template.issuer = issuer;
            template.spki = super::p256(keys[at].public_key().as_ref());
            template.signer = at + 1;
            template
        };
        let mut signer = certificate(name(&[(3, "Receipt Signing")]), issuer.clone(), 0);
        signer.extensions.push(super::extension(MARKER, &[5, 0]));
        let mut intermediate = certificate(issuer, name(&[(3, "Root")]), 1);
        let authority = super::critical_extension(&[2, 5, 29, 19], AUTHORITY);
        intermediate.extensions.push(authority);
        let mut about = super::Blueprint::factory().certificates[0].clone();
        about.spki = super::p256(&point);
        let about = super::sign(&about, &keys[0]);
        Self {
            fields: vec![
                (2, APP_ID.into()),
                (3, about),
                (6, b"RECEIPT".to_vec()),
                (7, b"production".to_vec()),
                (12, b"2026-10-30T00:00:00Z".to_vec()),
                (17, b"3".to_vec()),
                (19, b"2026-10-31T00:00:00Z".to_vec()),
                (21, b"2027-01-28T00:00:00Z".to_vec()),
            ],
            signer,
            intermediate,
            keys,
            digest: None,
            signs: Signs::Attributes,
            behind: Vec::new(),
            point,
        }
    }

    pub fn field(&mut self, number: u64) -> &mut Vec<u8> {
        let field = self.fields.iter_mut().find(|(found, _)| *found == number);
        &mut field.unwrap().1
    }

    fn content(&self) -> Vec<u8> {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(number, value)| {
                der::sequence(&[der::integer(*number), der::integer(1), der::octets(value)])
            })
            .collect();
        der::set(&fields)
    }

    pub fn mint(&self) -> Vec<u8> {
        self.mint_with_behind_signer(&[])
    }

    /// The receipt with something behind its one signer.
    pub fn mint_with_behind_signer(&self, behind: &[u8]) -> Vec<u8> {
        let content = self.content();
        let digest = Sha256Digest::of(&content).0.to_vec();
        let digest = self.digest.as_ref().unwrap_or(&digest);
        let attribute =
            |oid: &[u64], value: Vec<u8>| der::sequence(&[der::oid(oid), der::set(&[value])]);
        let attributes = [
            attribute(CONTENT_TYPE, der::oid(DATA)),
            attribute(MESSAGE_DIGEST, der::octets(digest)),
        ]
        .concat();
        let message = match self.signs {
            Signs::Attributes => der::tlv(&[0x31], &attributes),
            Signs::Content => content.clone(),
        };
        let signature = self.keys[0].sign(&SystemRandom::new(), &message).unwrap();
        let algorithm = |oid: &[u64]| der::sequence(&[der::oid(oid)]);
        let identifier = [
            self.signer.issuer.clone(),
            der::unsigned(0x02, &self.signer.serial),
        ];
        let info = der::sequence(&[
            der::integer(1),
            der::sequence(&identifier),
            algorithm(SHA256),
            der::tlv(&[0xA0], &attributes),
            algorithm(ECDSA_WITH_SHA256),
            der::octets(signature.as_ref()),
        ]);
        let certificates = [&self.signer, &self.intermediate]
            .map(|certificate| super::sign(certificate, &self.keys[certificate.signer]));
        let encapsulated =
            der::sequence(&[der::oid(DATA), der::explicit(0, &der::octets(&content))]);
        let signed = der::sequence(&[
            der::integer(1),
            der::set(&[algorithm(SHA256)]),
            encapsulated,
            der::tlv(&[0xA0], &certificates.concat()),
            der::set(&[info, behind.to_vec()]),
        ]);
        let object = der::sequence(&[der::oid(SIGNED_DATA), der::explicit(0, &signed)]);
        [object, self.behind.clone()].concat()
    }

    pub fn ask(&self, object: &[u8]) -> Result<ReceiptFacts, Reject> {
        let root = super::p256(self.keys[2].public_key().as_ref());
        verify_receipt(&Receipt {
            object,
            app_id: APP_ID,
            public_key: ExpectedPublicKey::Exactly(&self.point),
            anchors: &Anchors::none().with_operator(&root).unwrap(),
            now: NOW,
        })
    }
}
