//! The config string that an app compiles in (`bonafide sdk config`). Not a secret.
//!
//! `bonafide1:<base64url of JSON>`: where the service is, which account, and the thumbprint of the root
//! key that signs the account's trust metadata, which is all an app must know to believe nobody else (W-1).

use serde::{Deserialize, Serialize};

use crate::bytes::{self, Base64Url};
use crate::ids::AccountId;

const PREFIX: &str = "bonafide1:";
const MOST_BYTES: usize = 2048;

/// What an app must know before its first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SdkConfig {
    /// Base URL of the device listener, no trailing slash, `https://` (or loopback `http://`).
    pub service: String,
    /// The tenant.
    pub account: AccountId,
    /// SHA-256 of the trust root key's public point (65 bytes, uncompressed P-256).
    pub trust_root: Base64Url,
}

/// A config string that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigStringReject {
    /// It does not begin with `bonafide1:`.
    #[error("a config string begins with {PREFIX}; copy the whole output of `bonafide sdk config`")]
    Prefix,
    /// The rest is not what `bonafide sdk config` prints.
    #[error("the config string is damaged; copy the whole output of `bonafide sdk config`")]
    Damaged,
    /// The service is not https (or http on loopback).
    #[error("the service URL must be https without a trailing slash (http only on loopback)")]
    Service,
    /// The thumbprint does not have 32 bytes.
    #[error("the trust root's thumbprint must have 32 bytes")]
    TrustRoot,
}

impl SdkConfig {
    /// Reads a config string.
    pub fn parse(text: &str) -> Result<Self, ConfigStringReject> {
        let body = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(ConfigStringReject::Prefix)?;
        if body.len() > MOST_BYTES {
            return Err(ConfigStringReject::Damaged);
        }
        let json = bytes::decode(body).map_err(|_| ConfigStringReject::Damaged)?;
        let config: Self =
            serde_json::from_slice(&json).map_err(|_| ConfigStringReject::Damaged)?;
        if !is_service(&config.service) {
            return Err(ConfigStringReject::Service);
        }
        if config.trust_root.0.len() != 32 {
            return Err(ConfigStringReject::TrustRoot);
        }
        Ok(config)
    }

    /// Writes the config string.
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", bytes::encode(json))
    }

    /// The URL of a route below the account.
    pub fn url(&self, route: &str) -> String {
        format!("{}/v1/{}/{route}", self.service, self.account)
    }
}

/// Whether a config string may name this URL: `https`, or `http` on loopback; no trailing slash.
pub fn is_service(url: &str) -> bool {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|prefix| {
            url.strip_prefix(prefix).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(':') || rest.starts_with('/')
            })
        });
    let https = url
        .strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty());
    (https || loopback)
        && !url.ends_with('/')
        && !url.contains(['?', '#', '@', ' '])
        && url.len() <= 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(service: &str) -> SdkConfig {
        SdkConfig {
            service: service.to_owned(),
            account: AccountId::parse("acme").unwrap(),
            trust_root: Base64Url(vec![1; 32]),
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for service in ["https://attest.example.com", "http://127.0.0.1:8080"] {
            let config = config(service);
            assert_eq!(SdkConfig::parse(&config.to_text()), Ok(config));
        }
    }

    #[test]
    fn refuses_each_fault_by_its_name() {
        assert_eq!(
            SdkConfig::parse("#acme#AAAA="),
            Err(ConfigStringReject::Prefix)
        );
        assert_eq!(
            SdkConfig::parse("bonafide1:%%"),
            Err(ConfigStringReject::Damaged)
        );
        for service in [
            "http://attest.example.com",
            "https://attest.example.com/",
            "http://127.0.0.1.evil.example",
            "https://a@b",
        ] {
            assert_eq!(
                SdkConfig::parse(&config(service).to_text()),
                Err(ConfigStringReject::Service),
                "{service}"
            );
        }
        let short = SdkConfig {
            trust_root: Base64Url(vec![1; 31]),
            ..config("https://a.example")
        };
        assert_eq!(
            SdkConfig::parse(&short.to_text()),
            Err(ConfigStringReject::TrustRoot)
        );
    }
}
