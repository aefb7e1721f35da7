//! Certificate authorities for demonstrations: one that stands for a public CA, and others for who pretends.
//!
//! Keys live in this process only. Which of them a client trusts is the client's decision.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::clock;
use crate::options::ServerIdentity;

/// A certificate that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a demo certificate could not be made")]
pub struct DemoCaError(#[from] rcgen::Error);

/// A certificate authority made for this run.
pub struct DemoCa {
    issuer: Issuer<'static, KeyPair>,
    certificate_der: Vec<u8>,
    certificate_pem: String,
}

impl DemoCa {
    /// The CA that the demo's service is told to trust.
    pub fn public() -> Result<Self, DemoCaError> {
        Self::named("Bonafide Demo Public CA")
    }

    /// Any other one.
    pub fn named(name: &str) -> Result<Self, DemoCaError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        live(&mut params, Duration::days(3650));
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate_der: certificate.der().to_vec(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The root, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate_der
    }

    /// The root, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A server certificate for `hosts`, with a fresh key.
    pub fn server(&self, hosts: &[&str]) -> Result<ServerIdentity, DemoCaError> {
        let key = KeyPair::generate()?;
        let names: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name(hosts.first().copied().unwrap_or("demo"));
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        live(&mut params, Duration::days(90));
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().to_vec()],
            key: key.serialize_der(),
        })
    }
}

impl std::fmt::Debug for DemoCa {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DemoCa").finish_non_exhaustive()
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// From a day ago, for clocks that are behind.
fn live(params: &mut CertificateParams, life: Duration) {
    let now =
        OffsetDateTime::from_unix_timestamp(clock::now()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = now - Duration::days(1);
    params.not_after = now + life;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_authorities_of_the_same_name_have_different_keys() {
        let one = DemoCa::public().unwrap();
        let other = DemoCa::public().unwrap();
        assert_ne!(one.certificate_der(), other.certificate_der());
        assert!(one.certificate_pem().starts_with("-----BEGIN CERTIFICATE"));
        assert_eq!(one.server(&crate::HOSTS).unwrap().chain.len(), 1);
    }
}
