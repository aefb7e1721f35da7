//! Keys made from a byte, and certificates as small as they come.

use std::collections::BTreeMap;
use std::sync::Mutex;

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// Seeds from here on are ML-DSA-65 keys, and from 150 on ML-DSA-87, where the feature is on.
pub(crate) const ML_DSA_65: u8 = 100;
#[cfg(feature = "post-quantum")]
pub(crate) const ML_DSA_87: u8 = 150;

pub(crate) fn sign(seed: u8, message: &[u8]) -> Vec<u8> {
    #[cfg(feature = "post-quantum")]
    if seed >= ML_DSA_65 {
        return post_quantum::sign(seed, message);
    }
    let signature: p256::ecdsa::Signature = key(seed).sign(message);
    signature.to_der().as_bytes().to_vec()
}

pub(crate) fn public_key_info(seed: u8) -> Vec<u8> {
    #[cfg(feature = "post-quantum")]
    if seed >= ML_DSA_65 {
        return post_quantum::public_key_info(seed);
    }
    let point = key(seed)
        .verifying_key()
        .to_sec1_point(false)
        .as_bytes()
        .to_vec();
    let algorithm =
        b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    tlv(
        0x30,
        &[&algorithm[..], &tlv(0x03, &[&[0][..], &point].concat())].concat(),
    )
}

#[cfg(feature = "post-quantum")]
mod post_quantum {
    use ml_dsa::signature::{Keypair as _, SignatureEncoding as _, Signer as _};
    use ml_dsa::{MlDsa65, MlDsa87, SigningKey};

    use super::{ML_DSA_87, tlv};

    pub(super) fn sign(seed: u8, message: &[u8]) -> Vec<u8> {
        if seed >= ML_DSA_87 {
            let key = SigningKey::<MlDsa87>::from_seed(&[seed; 32].into());
            return key.sign(message).to_vec();
        }
        let key = SigningKey::<MlDsa65>::from_seed(&[seed; 32].into());
        key.sign(message).to_vec()
    }

    pub(super) fn public_key_info(seed: u8) -> Vec<u8> {
        let (last, bits) = if seed >= ML_DSA_87 {
            let key = SigningKey::<MlDsa87>::from_seed(&[seed; 32].into());
            (0x13, key.verifying_key().encode().to_vec())
        } else {
            let key = SigningKey::<MlDsa65>::from_seed(&[seed; 32].into());
            (0x12, key.verifying_key().encode().to_vec())
        };
        let oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, last];
        let algorithm = tlv(0x30, &tlv(0x06, &oid));
        let bits = tlv(0x03, &[&[0][..], &bits].concat());
        tlv(0x30, &[algorithm, bits].concat())
    }
}

/// A certificate, as small as they come.
pub(crate) struct CertificatePlan {
    pub(crate) seed: u8,
    pub(crate) common_name: String,
    /// The key's `SubjectPublicKeyInfo`.
    pub(crate) key: Vec<u8>,
    /// Whole extensions, one after the other.
    pub(crate) extensions: Vec<u8>,
}

impl CertificatePlan {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            seed,
            common_name: format!("key {seed}"),
            key: public_key_info(seed),
            extensions: Vec::new(),
        }
    }

    /// Adds an extension, by the last arc of its object identifier below 2.5.29.
    pub(crate) fn extension(self, arc: u8, value: &[u8]) -> Self {
        self.flagged(arc, &[], value)
    }

    /// One that everybody has to understand.
    pub(crate) fn critical(self, arc: u8, value: &[u8]) -> Self {
        self.flagged(arc, b"\x01\x01\xff", value)
    }

    fn flagged(mut self, arc: u8, flag: &[u8], value: &[u8]) -> Self {
        let oid = tlv(0x06, &[0x55, 0x1d, arc]);
        let extension = [oid.as_slice(), flag, &tlv(0x04, value)].concat();
        self.extensions.extend(tlv(0x30, &extension));
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let algorithm = tlv(0x30, b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
        let subject = name(&self.common_name);
        let times = [tlv(0x17, b"260101000000Z"), tlv(0x17, b"460101000000Z")];
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa3, &tlv(0x30, &self.extensions))
        };
        let body = [
            tlv(0xa0, b"\x02\x01\x02"),
            tlv(0x02, &[self.seed]),
            algorithm.clone(),
            subject.clone(),
            tlv(0x30, &times.concat()),
            subject,
            self.key.clone(),
            extensions,
        ];
        let body = tlv(0x30, &body.concat());
        let signature = tlv(0x03, &[&[0][..], &sign(self.seed, &body)].concat());
        tlv(0x30, &[body, algorithm, signature].concat())
    }
}

/// A distinguished name of one part.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let value = tlv(0x0c, common_name.as_bytes());
    let pair = [&b"\x06\x03\x55\x04\x03"[..], &value].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &pair)))
}

/// A self-signed certificate for the key of this seed, made once.
pub(crate) fn certificate(seed: u8) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<u8, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let made = MADE.lock().unwrap().get(&seed).cloned();
    made.unwrap_or_else(|| {
        let bytes = CertificatePlan::new(seed).build();
        MADE.lock().unwrap().insert(seed, bytes.clone());
        bytes
    })
}

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len());
    let header = match length {
        Ok(short) if short < 0x80 => vec![tag, short],
        Ok(one) => vec![tag, 0x81, one],
        Err(_) => {
            let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
            vec![tag, 0x82, high, low]
        }
    };
    [header, content.to_vec()].concat()
}
