//! Mints Android attestation chains under a root of its own, so that a test can break exactly one rule.
//!
//! A [`Blueprint`] is a good chain in parts; change a part, then mint.

pub mod apple;
pub mod play;
pub mod receipt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

pub const CHALLENGE: &[u8] = b"a challenge of thirty-two bytes!";
pub const PACKAGE: &str = "com.example.books";
pub const SIGNER: [u8; 32] = [7; 32];

const SHA256_WITH_ECDSA: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
pub const SHA384_WITH_ECDSA: &[u64] = &[1, 2, 840, 10045, 4, 3, 3];
pub const SHA1_WITH_ECDSA: &[u64] = &[1, 2, 840, 10045, 4, 1];
pub const EC_PUBLIC_KEY: &[u64] = &[1, 2, 840, 10045, 2, 1];
pub const SECP256K1: &[u64] = &[1, 3, 132, 0, 10];
const P256: &[u64] = &[1, 2, 840, 10045, 3, 1, 7];
const KEY_DESCRIPTION: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17];
const COMMON_NAME: u64 = 3;
const SERIAL_NUMBER: u64 = 5;
const ORGANIZATION: u64 = 10;
const TITLE: u64 = 12;

pub mod der {
    pub fn tlv(tag: &[u8], content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let bytes = length.to_be_bytes();
        let digits: Vec<u8> = bytes.into_iter().skip_while(|digit| *digit == 0).collect();
        let header = match length {
            0..0x80 => vec![u8::try_from(length).unwrap()],
            _ => [vec![0x80 | u8::try_from(digits.len()).unwrap()], digits].concat(),
        };
        [tag, &header, content].concat()
    }

    pub fn sequence(members: &[Vec<u8>]) -> Vec<u8> {
        tlv(&[0x30], &members.concat())
    }

    pub fn set(members: &[Vec<u8>]) -> Vec<u8> {
        tlv(&[0x31], &members.concat())
    }

    pub fn octets(content: &[u8]) -> Vec<u8> {
        tlv(&[0x04], content)
    }

    pub fn bits(content: &[u8]) -> Vec<u8> {
        tlv(&[0x03], &[&[0], content].concat())
    }

    /// A non-negative INTEGER.
    pub fn integer(number: u64) -> Vec<u8> {
        unsigned(0x02, &number.to_be_bytes())
    }

    pub fn enumerated(number: u64) -> Vec<u8> {
        unsigned(0x0A, &number.to_be_bytes())
    }

    pub fn unsigned(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut content: Vec<u8> = bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        if content.first().is_none_or(|byte| byte & 0x80 != 0) {
            content.insert(0, 0);
        }
        tlv(&[tag], &content)
    }

    fn base128(mut number: u64) -> Vec<u8> {
        let mut digits = vec![u8::try_from(number & 0x7F).unwrap()];
        while number > 0x7F {
            number >>= 7;
            digits.insert(0, 0x80 | u8::try_from(number & 0x7F).unwrap());
        }
        digits
    }

    pub fn oid(arcs: &[u64]) -> Vec<u8> {
        let first = base128(arcs[0] * 40 + arcs[1]);
        let others = arcs[2..].iter().flat_map(|arc| base128(*arc));
        tlv(
            &[0x06],
            &first.into_iter().chain(others).collect::<Vec<u8>>(),
        )
    }

    /// `[tag] EXPLICIT`
    pub fn explicit(tag: u64, content: &[u8]) -> Vec<u8> {
        if tag < 31 {
            return tlv(&[0xA0 | u8::try_from(tag).unwrap()], content);
        }
        tlv(&[vec![0xBF], base128(tag)].concat(), content)
    }
}

/// One certificate before it is signed.
#[derive(Clone)]
pub struct Certificate {
    pub serial: Vec<u8>,
    pub issuer: Vec<u8>,
    pub subject: Vec<u8>,
    /// `GeneralizedTime`
    pub not_before: &'static str,
    pub not_after: &'static str,
    pub spki: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    pub inner_algorithm: &'static [u64],
    pub outer_algorithm: &'static [u64],
    /// Which of the blueprint's keys signs.
    pub signer: usize,
}

/// A chain in parts, leaf first.
pub struct Blueprint {
    pub certificates: Vec<Certificate>,
    /// Keys of the certificates, in their order.
    pub keys: Vec<EcdsaKeyPair>,
    /// Goes onto the leaf.
    pub description: Description,
}

/// A key description in parts.
#[derive(Clone)]
pub struct Description {
    pub versions: [u64; 2],
    pub levels: [u64; 2],
    pub challenge: Vec<u8>,
    pub software: Vec<Vec<u8>>,
    pub hardware: Vec<Vec<u8>>,
}

pub fn name(attributes: &[(u64, &str)]) -> Vec<u8> {
    let parts: Vec<_> = attributes
        .iter()
        .map(|(attribute, text)| {
            let text = der::tlv(&[0x0C], text.as_bytes());
            der::set(&[der::sequence(&[der::oid(&[2, 5, 4, *attribute]), text])])
        })
        .collect();
    der::sequence(&parts)
}

pub fn extension(oid: &[u64], value: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::octets(value)])
}

pub fn critical_extension(oid: &[u64], value: &[u8]) -> Vec<u8> {
    der::sequence(&[
        der::oid(oid),
        der::tlv(&[0x01], &[0xFF]),
        der::octets(value),
    ])
}

pub fn key_description_extension(value: &[u8]) -> Vec<u8> {
    extension(KEY_DESCRIPTION, value)
}

pub fn critical_key_description(value: &[u8]) -> Vec<u8> {
    critical_extension(KEY_DESCRIPTION, value)
}

pub fn spki(curve: &[u64], point: &[u8]) -> Vec<u8> {
    der::sequence(&[
        der::sequence(&[der::oid(EC_PUBLIC_KEY), der::oid(curve)]),
        der::bits(point),
    ])
}

pub fn p256(point: &[u8]) -> Vec<u8> {
    spki(P256, point)
}

fn spki_of(key: &EcdsaKeyPair) -> Vec<u8> {
    p256(key.public_key().as_ref())
}

impl Description {
    /// What a good phone says.
    pub fn good() -> Self {
        Self {
            versions: [300, 300],
            levels: [1, 1],
            challenge: CHALLENGE.to_vec(),
            software: vec![
                der::explicit(701, &der::integer(1_793_491_200_000)),
                application(&[(PACKAGE, 7)], &[SIGNER.to_vec()]),
            ],
            hardware: vec![
                der::explicit(1, &der::set(&[der::integer(2)])),
                der::explicit(2, &der::integer(3)),
                der::explicit(702, &der::integer(0)),
                root_of_trust(&[9; 32], 0xFF, 0),
                der::explicit(706, &der::integer(202_610)),
                der::explicit(718, &der::integer(20_261_005)),
            ],
        }
    }

    pub fn to_der(&self) -> Vec<u8> {
        der::sequence(&self.members())
    }

    pub fn members(&self) -> Vec<Vec<u8>> {
        vec![
            der::integer(self.versions[0]),
            der::enumerated(self.levels[0]),
            der::integer(self.versions[1]),
            der::enumerated(self.levels[1]),
            der::octets(&self.challenge),
            der::octets(&[]),
            der::sequence(&self.software),
            der::sequence(&self.hardware),
        ]
    }
}

pub fn application(packages: &[(&str, u64)], signers: &[Vec<u8>]) -> Vec<u8> {
    let packages: Vec<_> = packages
        .iter()
        .map(|(name, version)| {
            der::sequence(&[der::octets(name.as_bytes()), der::integer(*version)])
        })
        .collect();
    let signers: Vec<_> = signers.iter().map(|digest| der::octets(digest)).collect();
    let id = der::sequence(&[der::set(&packages), der::set(&signers)]);
    der::explicit(709, &der::octets(&id))
}

pub fn root_of_trust(boot_key: &[u8], locked: u8, state: u64) -> Vec<u8> {
    let members = [
        der::octets(boot_key),
        der::tlv(&[0x01], &[locked]),
        der::enumerated(state),
        der::octets(&[8; 32]),
    ];
    der::explicit(704, &der::sequence(&members))
}

impl Blueprint {
    /// Leaf, attestation certificate, batch authority, root.
    pub fn factory() -> Self {
        Self::with_names(&[
            name(&[(COMMON_NAME, "Android Keystore Key")]),
            name(&[(TITLE, "TEE"), (SERIAL_NUMBER, "a1b2c3d4e5f60002")]),
            name(&[(TITLE, "TEE"), (SERIAL_NUMBER, "a1b2c3d4e5f60001")]),
            name(&[(SERIAL_NUMBER, "f92009e853b6b045")]),
        ])
    }

    /// Leaf, attestation certificate, two servers, root.
    pub fn remote() -> Self {
        Self::with_names(&[
            name(&[(COMMON_NAME, "Android Keystore Key")]),
            name(&[(COMMON_NAME, "3f2a"), (ORGANIZATION, "TEE")]),
            name(&[(COMMON_NAME, "Droid CA3"), (ORGANIZATION, "Google LLC")]),
            name(&[(COMMON_NAME, "Droid CA2"), (ORGANIZATION, "Google LLC")]),
            name(&[
                (COMMON_NAME, "Key Attestation CA1"),
                (ORGANIZATION, "Google LLC"),
            ]),
        ])
    }

    fn with_names(names: &[Vec<u8>]) -> Self {
        let random = SystemRandom::new();
        let keys: Vec<EcdsaKeyPair> = names
            .iter()
            .map(|_| {
                let pkcs8 =
                    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap()
            })
            .collect();
        let last = names.len() - 1;
        let certificates = names
            .iter()
            .enumerate()
            .map(|(at, subject)| Certificate {
                serial: vec![0x0B, 0xC0 + u8::try_from(at).unwrap()],
                issuer: names[last.min(at + 1)].clone(),
                subject: subject.clone(),
                not_before: "20260101000000Z",
                not_after: "20270101000000Z",
                spki: spki_of(&keys[at]),
                extensions: Vec::new(),
                inner_algorithm: SHA256_WITH_ECDSA,
                outer_algorithm: SHA256_WITH_ECDSA,
                signer: last.min(at + 1),
            })
            .collect();
        Self {
            certificates,
            keys,
            description: Description::good(),
        }
    }

    pub fn leaf(&mut self) -> &mut Certificate {
        &mut self.certificates[0]
    }

    pub fn attestation(&mut self) -> &mut Certificate {
        &mut self.certificates[1]
    }

    /// The certificate under the root.
    pub fn under_root(&mut self) -> &mut Certificate {
        let at = self.certificates.len() - 2;
        &mut self.certificates[at]
    }

    /// The classic attack: the attested key signs one more leaf, with a description of its own.
    pub fn extend_by_a_forged_leaf(&mut self) {
        let genuine = self.description.to_der();
        self.leaf()
            .extensions
            .push(key_description_extension(&genuine));
        let mut forged = self.certificates[0].clone();
        forged.issuer.clone_from(&self.certificates[0].subject);
        forged.extensions.clear();
        self.certificates.insert(0, forged);
        for certificate in &mut self.certificates {
            certificate.signer += 1;
        }
        self.certificates[0].signer = 1;
        let last = self.certificates.len() - 1;
        self.certificates[last].signer = last;
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        self.certificates[0].spki = spki_of(&key);
        self.keys.insert(0, key);
    }

    /// The chain with the description on its leaf.
    pub fn mint(&self) -> Vec<Vec<u8>> {
        self.mint_with_leaf_extensions(&[key_description_extension(&self.description.to_der())])
    }

    pub fn mint_with_leaf_extensions(&self, extensions: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut certificates = self.certificates.clone();
        certificates[0].extensions.extend_from_slice(extensions);
        certificates
            .iter()
            .map(|certificate| sign(certificate, &self.keys[certificate.signer]))
            .collect()
    }

    /// DER of the root's key.
    pub fn root_key(&self) -> &[u8] {
        &self.certificates.last().unwrap().spki
    }
}

/// The certificate, signed.
pub fn sign(certificate: &Certificate, key: &EcdsaKeyPair) -> Vec<u8> {
    let time = |text: &str| der::tlv(&[0x18], text.as_bytes());
    let algorithm = |arcs| der::sequence(&[der::oid(arcs)]);
    let mut tbs = vec![
        der::explicit(0, &der::integer(2)),
        der::unsigned(0x02, &certificate.serial),
        algorithm(certificate.inner_algorithm),
        certificate.issuer.clone(),
        der::sequence(&[time(certificate.not_before), time(certificate.not_after)]),
        certificate.subject.clone(),
        certificate.spki.clone(),
    ];
    if !certificate.extensions.is_empty() {
        tbs.push(der::explicit(3, &der::sequence(&certificate.extensions)));
    }
    let tbs = der::sequence(&tbs);
    let signature = key.sign(&SystemRandom::new(), &tbs).unwrap();
    der::sequence(&[
        tbs,
        algorithm(certificate.outer_algorithm),
        der::bits(signature.as_ref()),
    ])
}
