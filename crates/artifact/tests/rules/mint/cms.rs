//! PKCS#7 `SignedData`, as JAR signatures, Apple's code signatures and profiles use it.

use super::keys::{certificate, name, sign, tlv};

pub(crate) const SHA1: &[u8] = b"\x2b\x0e\x03\x02\x1a";
pub(crate) const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
pub(crate) const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
pub(crate) const EC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
pub(crate) const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
pub(crate) const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
pub(crate) const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// One signer of the message.
#[derive(Clone)]
pub(crate) struct InfoPlan {
    pub(crate) key: u8,
    pub(crate) digest: &'static [u8],
    pub(crate) algorithm: &'static [u8],
    /// Signed attributes: types and the content of their sets of values.
    pub(crate) attributes: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    pub(crate) spoil: bool,
}

impl InfoPlan {
    pub(crate) fn new(key: u8) -> Self {
        Self {
            key,
            digest: SHA256,
            algorithm: ECDSA_SHA256,
            attributes: None,
            spoil: false,
        }
    }

    /// With the two attributes that every standard asks for.
    pub(crate) fn with_attributes(mut self, message: &[u8]) -> Self {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(message);
        self.attributes = Some(vec![
            (CONTENT_TYPE.to_vec(), tlv(0x06, DATA)),
            (MESSAGE_DIGEST.to_vec(), tlv(0x04, &digest)),
        ]);
        self
    }

    fn build(&self, message: &[u8]) -> Vec<u8> {
        let issuer = [name(&format!("key {}", self.key)), tlv(0x02, &[self.key])];
        let attributes = self.attributes.as_ref().map(|attributes| {
            let each = attributes
                .iter()
                .map(|(oid, values)| tlv(0x30, &[tlv(0x06, oid), tlv(0x31, values)].concat()));
            each.collect::<Vec<_>>().concat()
        });
        let signed = attributes
            .as_ref()
            .map_or_else(|| message.to_vec(), |all| tlv(0x31, all));
        let mut signature = sign(self.key, &signed);
        if self.spoil {
            *signature.last_mut().unwrap() ^= 1;
        }
        let fields = [
            tlv(0x02, &[1]),
            tlv(0x30, &issuer.concat()),
            tlv(0x30, &tlv(0x06, self.digest)),
            attributes.map(|all| tlv(0xa0, &all)).unwrap_or_default(),
            tlv(0x30, &tlv(0x06, self.algorithm)),
            tlv(0x04, &signature),
        ];
        tlv(0x30, &fields.concat())
    }
}

/// The whole message.
#[derive(Clone)]
pub(crate) struct CmsPlan {
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) infos: Vec<InfoPlan>,
    /// What is carried inside.
    pub(crate) content: Option<Vec<u8>>,
}

impl CmsPlan {
    pub(crate) fn new(key: u8) -> Self {
        Self {
            certificates: vec![certificate(key)],
            infos: vec![InfoPlan::new(key)],
            content: None,
        }
    }

    pub(crate) fn build(&self, message: &[u8]) -> Vec<u8> {
        let inside = self
            .content
            .as_ref()
            .map(|content| tlv(0xa0, &tlv(0x04, content)));
        let infos: Vec<u8> = self
            .infos
            .iter()
            .flat_map(|info| info.build(message))
            .collect();
        let data = [
            tlv(0x02, &[1]),
            tlv(0x31, &tlv(0x30, &tlv(0x06, SHA256))),
            tlv(
                0x30,
                &[tlv(0x06, DATA), inside.unwrap_or_default()].concat(),
            ),
            tlv(0xa0, &self.certificates.concat()),
            tlv(0x31, &infos),
        ];
        let data = tlv(0xa0, &tlv(0x30, &data.concat()));
        tlv(0x30, &[tlv(0x06, SIGNED_DATA), data].concat())
    }
}
