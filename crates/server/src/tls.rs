//! TLS of the listeners: certificate and key from PEM files.

use std::path::PathBuf;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM, PKCS#8, PKCS#1 or SEC 1. An ECDSA key costs a fifth of an RSA key per connection.
    pub private_key: PathBuf,
}

/// Certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up with {path}: {problem}")]
pub struct TlsError {
    path: PathBuf,
    problem: String,
}

impl TlsFiles {
    pub(crate) fn load(&self) -> Result<RustlsConfig, TlsError> {
        let fail = |path: &PathBuf, problem: String| TlsError {
            path: path.clone(),
            problem,
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| fail(&self.certificate, error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&self.private_key)
            .map_err(|error| fail(&self.private_key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(&self.certificate, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| fail(&self.certificate, error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }
}
