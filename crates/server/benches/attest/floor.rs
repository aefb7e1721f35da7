//! The same cryptography and nothing else.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use bonafide_wire::device::{AttestationRequest, reply_info};
use bonafide_wire::proof::{Purpose, signed_bytes};
use bonafide_wire::seal::{OpeningKey, Suite, seal};
use zeroize::Zeroizing;

use super::cpu;
use super::world::{Instance, World};

/// Size of a sealed reply with one token.
const REPLY: usize = 2048;

pub(crate) struct Material {
    message: Vec<u8>,
    signature: Vec<u8>,
    point: Vec<u8>,
    ticket_key: LessSafeKey,
    ticket: Vec<u8>,
    signer: EcdsaKeyPair,
    claims: Vec<u8>,
    response_key: OpeningKey,
    info: Vec<u8>,
}

impl Material {
    /// Messages of the sizes that the real request has.
    pub(crate) fn of(world: &World, phone: &Instance, request: &AttestationRequest) -> Self {
        let message = signed_bytes(
            Purpose::Attestation,
            &world.account,
            phone.ticket.as_slice(),
            request.payload.as_slice(),
        );
        let phone_key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let signature = phone_key.sign(&SystemRandom::new(), &message).unwrap();
        let ticket_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
        let mut ticket = vec![1; phone.ticket.as_slice().len()];
        ticket_key
            .seal_in_place_append_tag(nonce(), Aad::empty(), &mut ticket)
            .unwrap();
        Self {
            signature: signature.as_ref().to_vec(),
            point: phone_key.public_key().as_ref().to_vec(),
            message,
            ticket_key,
            ticket,
            signer: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            claims: vec![b'a'; 600],
            response_key: OpeningKey::generate(Suite::X25519).unwrap(),
            info: reply_info(&world.account),
        }
    }

    /// Open the ticket, verify P-256, sign ES256, seal by HPKE X25519.
    pub(crate) fn attestations(&self, times: usize) -> f64 {
        cpu::of_this(times, || {
            for _ in 0..times {
                let mut ticket = self.ticket.clone();
                self.ticket_key
                    .open_in_place(nonce(), Aad::empty(), &mut ticket)
                    .unwrap();
                self.verify();
                let token = self.signer.sign(&SystemRandom::new(), &self.claims);
                std::hint::black_box(token.unwrap());
                let reply = Zeroizing::new(vec![2; REPLY]);
                let to = self.response_key.public_key();
                let sealed = seal(Suite::X25519, to, &self.info, &[3; 32], reply);
                std::hint::black_box(sealed.unwrap());
            }
        })
    }

    /// The two signatures of an enrolment whose upper chain is known: proof and leaf.
    pub(crate) fn enrolments(&self, times: usize) -> f64 {
        cpu::of_this(times, || {
            for _ in 0..times {
                self.verify();
                self.verify();
            }
        })
    }

    fn verify(&self) {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point)
            .verify(&self.message, &self.signature)
            .unwrap();
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
