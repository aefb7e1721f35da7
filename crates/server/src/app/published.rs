//! A document that is served as it is, often: its bytes, and the tag by which a client knows it has them.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_wire::bytes;

/// Bytes to serve and their strong `ETag`.
#[derive(Debug, Clone)]
pub struct Published {
    bytes: Arc<[u8]>,
    etag: Arc<str>,
}

impl Published {
    /// Tags a document by its digest.
    pub fn new(document: String) -> Self {
        let hash = digest(&SHA256, document.as_bytes());
        let etag = format!("\"{}\"", bytes::encode(hash));
        Self {
            bytes: document.into_bytes().into(),
            etag: etag.into(),
        }
    }

    /// The document.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Its tag, with the quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}
