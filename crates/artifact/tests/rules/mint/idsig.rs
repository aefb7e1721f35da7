//! An `.idsig` file: the tree's root over a whole APK, signed.

use sha2::{Digest, Sha256};

use super::keys::{certificate, public_key_info, sign};
use super::{ECDSA_SHA256, ID_V31, prefixed};

const PAGE: usize = 4096;

/// One signature in the file.
#[derive(Clone)]
pub(crate) struct InfoPlan {
    pub(crate) key: u8,
    pub(crate) apk_digest: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) algorithm: u32,
    pub(crate) spoil: bool,
}

impl InfoPlan {
    pub(crate) fn new(key: u8, apk_digest: &[u8]) -> Self {
        Self {
            key,
            apk_digest: apk_digest.to_vec(),
            certificate: certificate(key),
            public_key: public_key_info(key),
            algorithm: ECDSA_SHA256,
            spoil: false,
        }
    }
}

/// The whole file.
#[derive(Clone)]
pub(crate) struct IdSigPlan {
    pub(crate) version: u32,
    pub(crate) log2_block: u8,
    pub(crate) salt: Vec<u8>,
    pub(crate) own: InfoPlan,
    pub(crate) rotated: Option<(u32, InfoPlan)>,
}

impl IdSigPlan {
    pub(crate) fn new(key: u8, apk_digest: &[u8]) -> Self {
        Self {
            version: 2,
            log2_block: 12,
            salt: Vec::new(),
            own: InfoPlan::new(key, apk_digest),
            rotated: None,
        }
    }

    pub(crate) fn rotate(&mut self, key: u8, apk_digest: &[u8]) {
        self.rotated = Some((ID_V31, InfoPlan::new(key, apk_digest)));
    }

    pub(crate) fn build(&self, apk: &[u8]) -> Vec<u8> {
        let mut hashing = 1_u32.to_le_bytes().to_vec();
        hashing.push(self.log2_block);
        hashing.extend(prefixed(&self.salt));
        hashing.extend(prefixed(&root(apk, &self.salt)));
        let mut infos = info(&self.own, apk.len(), &hashing);
        if let Some((id, rotated)) = &self.rotated {
            infos.extend(id.to_le_bytes());
            infos.extend(prefixed(&info(rotated, apk.len(), &hashing)));
        }
        [
            &self.version.to_le_bytes()[..],
            &prefixed(&hashing),
            &prefixed(&infos),
        ]
        .concat()
    }
}

fn info(plan: &InfoPlan, size: usize, hashing: &[u8]) -> Vec<u8> {
    let parts = [&plan.apk_digest, &plan.certificate, &Vec::new()];
    let parts: Vec<u8> = parts.iter().flat_map(|part| prefixed(part)).collect();
    let body = [&(size as u64).to_le_bytes()[..], hashing, &parts].concat();
    let whole = u32::try_from(body.len() + 4).unwrap();
    let mut signature = sign(plan.key, &[&whole.to_le_bytes()[..], &body].concat());
    if plan.spoil {
        *signature.last_mut().unwrap() ^= 1;
    }
    [
        parts,
        prefixed(&plan.public_key),
        plan.algorithm.to_le_bytes().to_vec(),
        prefixed(&signature),
    ]
    .concat()
}

/// Of a file of at most 128 pages.
fn root(file: &[u8], salt: &[u8]) -> Vec<u8> {
    let level = |data: &[u8]| -> Vec<u8> {
        let hash = |page: &[u8]| {
            let mut page = page.to_vec();
            page.resize(PAGE, 0);
            Sha256::digest([salt, &page].concat())
        };
        data.chunks(PAGE).flat_map(hash).collect()
    };
    level(&level(file))
}
