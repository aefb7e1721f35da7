//! TLS as the trust bundle wants it: a verifier that decides per host on the validated path, no resumption,
//! and time from the service's clock. It remembers nothing between connections.

use core::time::Duration;
use std::sync::Arc;

use bonafide_trust::connection::{Presented, authenticate};
use bonafide_trust::{Bundle, ConnectionReject};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::driver::Bonafide;
use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};

/// Roots that vouch for servers where the trust bundle does not say otherwise.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// The compiled-in copy of the Mozilla programme.
    #[default]
    Mozilla,
    /// These certificates (DER) only.
    Only(Vec<Vec<u8>>),
}

impl Roots {
    pub(super) fn anchors(&self) -> Result<Vec<TrustAnchor<'static>>, SdkError> {
        match self {
            Self::Mozilla => Ok(webpki_roots::TLS_SERVER_ROOTS.to_vec()),
            Self::Only(certificates) => certificates
                .iter()
                .map(|der| {
                    webpki::anchor_from_trusted_cert(&CertificateDer::from(der.as_slice()))
                        .map(|anchor| anchor.to_owned())
                        .map_err(|_| Fault::Request(RequestFault::Client).into())
                })
                .collect(),
        }
    }
}

#[derive(Debug)]
struct BundleVerifier {
    bundle: Arc<Bundle>,
    device_roots: Arc<[TrustAnchor<'static>]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for BundleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented {
            server: server_name,
            end_entity,
            intermediates,
            now,
        };
        match authenticate(&presented, &self.bundle, &self.device_roots) {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(reject) => {
                let reject = OtherError(Arc::new(reject));
                Err(Error::InvalidCertificate(CertificateError::Other(reject)))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The service's clock, for certificate lifetimes.
struct ServiceTime(Bonafide);

impl core::fmt::Debug for ServiceTime {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ServiceTime")
    }
}

impl TimeProvider for ServiceTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// The configuration of one trust epoch.
pub(super) fn of_epoch(
    bonafide: &Bonafide,
    bundle: Arc<Bundle>,
    device_roots: Arc<[TrustAnchor<'static>]>,
) -> Result<ClientConfig, SdkError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = BundleVerifier {
        bundle,
        device_roots,
        provider: Arc::clone(&provider),
    };
    let time = Arc::new(ServiceTime(bonafide.clone()));
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .map_err(|_| Fault::Request(RequestFault::Client))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    finish(&mut config);
    Ok(config)
}

/// The configuration of the service's own channel: ordinary validation against `roots`.
pub(super) fn of_service(roots: &Roots) -> Result<ClientConfig, SdkError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = RootCertStore {
        roots: roots.anchors()?,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Fault::Request(RequestFault::Client))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    finish(&mut config);
    Ok(config)
}

fn finish(config: &mut ClientConfig) {
    // A resumed session skips the verifier, and with it every change of trust since.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
}

/// Why the verifier refused, if it was the verifier.
pub(super) fn reject_of(error: &Error) -> Option<ConnectionReject> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref::<ConnectionReject>().copied()
        }
        Error::InvalidCertificate(_) => Some(ConnectionReject::CertificateInvalid),
        _ => None,
    }
}
