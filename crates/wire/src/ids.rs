//! Identifiers and names as types: a wrong one cannot be passed for another, a malformed one cannot exist.

use serde::{Deserialize, Serialize};

use crate::bytes;

/// A name or identifier does not follow its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {grammar}")]
pub struct MalformedId {
    /// What was to be named.
    pub what: &'static str,
    /// What it has to look like.
    pub grammar: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $grammar:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, description = $grammar))]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Reads a ", $what, ": ", $grammar, ".")]
            pub fn parse(text: impl Into<String>) -> Result<Self, MalformedId> {
                let text = text.into();
                let accepts: fn(&str) -> bool = $check;
                if accepts(&text) {
                    Ok(Self(text))
                } else {
                    Err(MalformedId { what: $what, grammar: $grammar })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;
            fn try_from(text: String) -> Result<Self, MalformedId> {
                Self::parse(text)
            }
        }

        impl core::str::FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// One tenant of a service.
    AccountId, "account", "1 to 40 lower-case letters, digits and inner hyphens", |t| is_slug(t, 40)
);
text_id!(
    /// One product under an account.
    AppId, "app", "1 to 64 lower-case letters, digits and inner hyphens", |t| is_slug(t, 64)
);
text_id!(
    /// The name of a runtime secret.
    SecretName, "secret name", "1 to 64 letters, digits, dots, hyphens and underscores, no dot or hyphen first",
    |t| within(t, 64)
        // `..` would be another route when a client puts it into a URL.
        && !t.starts_with(['.', '-'])
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
);
text_id!(
    /// A protected host: a lower-case DNS name (RFC 1123), never an IP literal, without a port.
    Host, "host", "a lower-case DNS name without port, at least two labels, not an IP literal", is_host
);
text_id!(
    /// A device: 16 bytes in base64url, derived from account and hardware key (W-7).
    DeviceId, "device id", "16 bytes in base64url (22 characters)", is_device_id
);
text_id!(
    /// The short code a refused user can read out: 8 characters of Crockford base32, hyphen in the middle.
    SupportId, "support id", "like K7Q2-9MXP", is_support_id
);
text_id!(
    /// A registration of an app.
    RegistrationId, "registration id", "reg_ and 1 to 40 lower-case letters and digits", |t| is_tagged(t, "reg_")
);
text_id!(
    /// A management credential, by its public part.
    CredentialId, "credential id", "cred_ and 1 to 40 lower-case letters and digits", |t| is_tagged(t, "cred_")
);
text_id!(
    /// A trust anchor of evidence that the account added.
    AnchorName, "anchor name", "1 to 64 lower-case letters, digits and inner hyphens", |t| is_slug(t, 64)
);
text_id!(
    /// An authorization server that an account's apps log in at.
    UpstreamName, "upstream", "1 to 40 lower-case letters, digits and inner hyphens", |t| is_slug(t, 40)
);
text_id!(
    /// An issuer identifier (RFC 8414 §2), compared byte for byte.
    Issuer, "issuer", "an https URL without user info, query and fragment (http on loopback)",
    |t| is_server_url(t) && !t.contains('?')
);
text_id!(
    /// A URL of an authorization server that the service or an app calls.
    EndpointUrl, "endpoint", "an https URL without user info and fragment (http on loopback)", is_server_url
);
text_id!(
    /// An Android package name.
    PackageName, "package", "an Android package name of at most 223 characters, at least one dot", is_package
);
text_id!(
    /// An iOS app id: what App Attest reports the SHA-256 of.
    AppleAppId, "app id",
    "a prefix of 10 upper-case letters and digits (the team), a dot and the bundle id, like A1B2C3D4E5.com.example.books",
    is_apple_app_id
);

impl DeviceId {
    /// The device id of 16 bytes.
    pub fn from_bytes(id: [u8; 16]) -> Self {
        Self(bytes::encode(id))
    }
}

impl SupportId {
    /// Forty random bits as a support id. No I, L, O, U: what is read out must be heard right.
    pub fn from_random(random: [u8; 5]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let bits = random
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let mut text = String::with_capacity(9);
        for position in 0_u32..8 {
            if position == 4 {
                text.push('-');
            }
            let shift = 35_u32.saturating_sub(position.saturating_mul(5));
            let index = usize::try_from((bits >> shift) & 31).unwrap_or_default();
            text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        }
        Self(text)
    }
}

fn within(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most
}

fn is_slug(text: &str, most: usize) -> bool {
    within(text, most)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_tagged(text: &str, tag: &str) -> bool {
    text.strip_prefix(tag).is_some_and(|rest| {
        within(rest, 40)
            && rest
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    within(text, 253)
        && labels.len() >= 2
        && labels.iter().all(|label| is_slug(label, 63))
        // An all-numeric last label would be an IPv4 literal; pins and secrets are keyed by name only.
        && labels
            .last()
            .is_some_and(|last| last.bytes().any(|b| b.is_ascii_lowercase()))
}

/// `https`, or `http` to this very machine; visible ASCII, and nothing that two readers split differently.
fn is_server_url(text: &str) -> bool {
    let authority = |rest: &str| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().to_owned()
    };
    let is_loopback = |authority: &str| {
        let name = authority
            .rsplit_once(':')
            .map_or(authority, |(name, port)| {
                let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
                if is_port { name } else { authority }
            });
        ["127.0.0.1", "localhost", "[::1]"].contains(&name)
    };
    let fits = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => authority(rest).bytes().any(|b| b.is_ascii_alphanumeric()),
        (_, Some(rest)) => is_loopback(&authority(rest)),
        (None, None) => false,
    };
    fits && within(text, 512)
        && text.bytes().all(|b| b.is_ascii_graphic())
        && !text.contains(['@', '#', '\\', '"', '<', '>'])
}

fn is_device_id(text: &str) -> bool {
    text.len() == 22 && bytes::decode(text).is_ok_and(|id| id.len() == 16)
}

fn is_support_id(text: &str) -> bool {
    text.len() == 9
        && text.bytes().enumerate().all(|(at, b)| {
            if at == 4 {
                b == b'-'
            } else {
                b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b))
            }
        })
}

fn is_package(text: &str) -> bool {
    within(text, 223)
        && text.contains('.')
        && text.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// A wildcard is no app id: it names a family of apps.
fn is_apple_app_id(text: &str) -> bool {
    let is_prefix = |prefix: &str| {
        prefix.len() == 10
            && prefix
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    within(text, 166)
        && text
            .split_once('.')
            .is_some_and(|(prefix, bundle)| is_prefix(prefix) && bundle.split('.').all(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apple_app_id_is_a_prefix_and_one_bundle() {
        for good in ["A1B2C3D4E5.com.example.books", "1234567890.Books-2"] {
            assert!(AppleAppId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "com.example.books",
            "A1B2C3D4E5",
            "A1B2C3D4E5.",
            "A1B2C3D4E5.*",
            "A1B2C3D4E5.com..books",
            "A1B2C3D4E5.com.exa_mple",
            "a1b2c3d4e5.com.example",
            "A1B2C3D4E.com.example",
            "A1B2C3D4E5.com.example.books\n",
        ] {
            assert!(AppleAppId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_are_names_and_nothing_else() {
        for good in ["oauth2.googleapis.com", "a.b", "xn--bcher-kva.example"] {
            assert!(Host::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "127.0.0.1",
            "Example.com",
            "a..b",
            "a.b:443",
            "a.b/",
            "-a.b",
            "a.b.",
            "user@a.b",
            "[::1]",
            "a.1",
        ] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn servers_are_named_by_https_urls_or_on_loopback() {
        for good in [
            "https://accounts.google.com",
            "https://as.example/realms/acme",
            "https://10.0.0.1:8443/",
            "http://127.0.0.1:9000",
            "http://localhost:9000/as",
            "http://[::1]",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "https:///path",
            "http://as.example",
            "http://127.0.0.1.evil.example",
            "http://localhost:80@evil.example",
            "https://user@as.example",
            "https://as.example/#f",
            "https://as.example/?q",
            "https://as.example/a b",
            "https://as.example\\evil",
            "ftp://as.example",
            "as.example",
        ] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
        assert!(EndpointUrl::parse("https://as.example/token?tenant=1").is_ok());
    }

    #[test]
    fn support_ids_are_readable_and_parse_back() {
        let id = SupportId::from_random([0xff, 0x00, 0x12, 0x34, 0x56]);
        assert_eq!(id.as_str(), "ZW01-4D2P");
        assert_eq!(SupportId::parse(id.as_str()), Ok(id));
        assert!(SupportId::parse("K7Q2-9MXI").is_err());
        assert!(SupportId::parse("k7q2-9mxp").is_err());
    }

    #[test]
    fn a_secret_name_cannot_walk_up_a_path() {
        assert!(SecretName::parse("client_secret").is_ok());
        for bad in ["", ".", "..", "../x", "-x", "a b"] {
            assert!(SecretName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_device_id_is_sixteen_bytes() {
        let id = DeviceId::from_bytes([7; 16]);
        assert_eq!(DeviceId::parse(id.as_str()), Ok(id));
        assert!(DeviceId::parse("BwcHBwcHBwcHBwcHBwcHBw==").is_err());
        assert!(DeviceId::parse("BwcHBwcHBwcHBwcHBwcH").is_err());
    }

    #[test]
    fn malformed_json_ids_are_refused_at_the_edge() {
        assert!(serde_json::from_str::<AccountId>("\"Acme\"").is_err());
        assert!(serde_json::from_str::<AccountId>("\"acme\"").is_ok());
    }
}
