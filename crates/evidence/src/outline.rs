//! What evidence says of itself, line by line, before anything in it is believed.
//!
//! Decides nothing and vouches for nothing: it is for the person who asks why evidence was refused, and must see
//! which dates, names and challenge it came with. It refuses to fail: what cannot be read is left out.

use crate::UnixTime;
use crate::android::{
    ApplicationId, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, UnverifiedKeyDescription,
};
use crate::x509::Certificate;

/// One thing that evidence says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// About what.
    pub name: String,
    /// What it says.
    pub value: String,
}

fn claim(name: impl Into<String>, value: impl Into<String>) -> Claim {
    Claim {
        name: name.into(),
        value: value.into(),
    }
}

/// A chain of certificates, leaf first, and the key description of its leaf.
pub fn android_key(chain: &[Vec<u8>]) -> Vec<Claim> {
    let ders = chain.iter().map(Vec::as_slice);
    let mut claims = certificates(ders.take(MAX_CERTIFICATES));
    let description = chain
        .first()
        .and_then(|leaf| UnverifiedKeyDescription::of_certificate(leaf).ok());
    if let Some(description) = description {
        claims.extend(key_description(&description));
    }
    claims
}

/// An App Attest attestation.
pub fn app_attest(object: &[u8]) -> Vec<Claim> {
    let Ok(parts) = crate::apple::parts(object) else {
        return Vec::new();
    };
    let mut claims = certificates(parts.certificates.into_iter());
    claims.extend(authenticator_data(parts.authenticator_data));
    claims
}

/// An App Attest assertion.
pub fn app_attest_assertion(object: &[u8]) -> Vec<Claim> {
    crate::apple::signed_data(object).map_or_else(|_| Vec::new(), authenticator_data)
}

fn authenticator_data(data: &[u8]) -> Vec<Claim> {
    let part = |start: usize, end: usize| data.get(start..end).map(hex::encode);
    let lines = [
        ("app id, SHA-256", part(0, 32)),
        ("flags, hexadecimal", part(32, 33)),
        (
            "counter",
            data.get(33..37)
                .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
                .map(|bytes| u32::from_be_bytes(bytes).to_string()),
        ),
        ("world (aaguid)", data.get(37..53).and_then(world)),
        ("key id, hexadecimal", part(55, 87)),
    ];
    lines
        .into_iter()
        .filter_map(|(name, value)| Some(claim(name, value?)))
        .collect()
}

fn world(aaguid: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(aaguid).ok()?;
    Some(text.trim_end_matches('\0').escape_default().to_string())
}

fn certificates<'a>(ders: impl Iterator<Item = &'a [u8]>) -> Vec<Claim> {
    ders.zip(0..)
        .map(|(der, position): (&[u8], usize)| {
            let name = format!("certificate {position}");
            let read = (der.len() <= MAX_CERTIFICATE_BYTES)
                .then(|| Certificate::parse(der).ok())
                .flatten();
            match read {
                Some(certificate) => claim(name, certificate_line(&certificate)),
                None => claim(name, format!("{} bytes that are no certificate", der.len())),
            }
        })
        .collect()
}

fn certificate_line(certificate: &Certificate<'_>) -> String {
    format!(
        "{}; from {}; number {}; {} to {}",
        certificate.subject_name(),
        certificate.issuer_name(),
        certificate.serial(),
        certificate.not_before(),
        certificate.not_after()
    )
}

fn key_description(description: &UnverifiedKeyDescription) -> Vec<Claim> {
    let boot = description.root_of_trust().map(|boot| {
        format!(
            "{:?}, {}, boot key {}",
            boot.device_locked,
            boot.state.as_str(),
            boot.verified_boot_key
        )
    });
    let not_stated = || "not stated by hardware".to_owned();
    vec![
        claim(
            "challenge, hexadecimal",
            hex::encode(&description.challenge),
        ),
        claim(
            "lives in",
            format!(
                "{:?}, attested by {:?}, schema {}",
                description.keymint_level,
                description.attestation_level,
                description.attestation_version
            ),
        ),
        claim("boot", boot.unwrap_or_else(not_stated)),
        claim(
            "app",
            description.application().map_or_else(not_stated, app),
        ),
    ]
}

fn app(application: &ApplicationId) -> String {
    let packages: Vec<_> = application
        .packages
        .iter()
        .map(|package| format!("{:?} version {}", package.name, package.version))
        .collect();
    let signers: Vec<_> = application
        .signers
        .iter()
        .map(ToString::to_string)
        .collect();
    format!("{} signed by {}", packages.join(", "), signers.join(", "))
}

/// The moment for which the question is asked, as a line beside the dates above.
pub fn asked_at(now: UnixTime) -> Claim {
    claim("judged as of", now.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_or_left_out() {
        let lines = android_key(&[vec![0; 3], vec![0; MAX_CERTIFICATE_BYTES + 1]]);
        let values: Vec<_> = lines.iter().map(|line| line.value.as_str()).collect();
        assert_eq!(
            values,
            [
                "3 bytes that are no certificate",
                "16385 bytes that are no certificate"
            ]
        );
        assert_eq!(app_attest(b"noise"), []);
        assert_eq!(app_attest_assertion(&[0xA0]), []);
        let short = authenticator_data(&[1; 37]);
        assert_eq!(short.last().unwrap().value, "16843009");
        assert_eq!(asked_at(UnixTime(0)).value, "1970-01-01T00:00:00Z");
    }
}
