//! Bytes as base64url text without padding (RFC 4648 §5), the only binary encoding on the wire.
//!
//! Strict: padding, white space and the `+/` alphabet are refused, so that one value has one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that travel as base64url text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = String, pattern = "^[A-Za-z0-9_-]*$", example = "q83vEjRW")
)]
pub struct Base64Url(pub Vec<u8>);

/// The text is not base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct NotBase64Url;

impl Base64Url {
    /// Reads base64url text.
    pub fn parse(text: &str) -> Result<Self, NotBase64Url> {
        URL_SAFE_NO_PAD
            .decode(text)
            .map(Self)
            .map_err(|_| NotBase64Url)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// Writes bytes as base64url text.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url text into bytes.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    Base64Url::parse(text).map(|bytes| bytes.0)
}

impl core::fmt::Debug for Base64Url {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Base64Url({} bytes)", self.0.len())
    }
}

impl core::fmt::Display for Base64Url {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl From<Vec<u8>> for Base64Url {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Base64Url {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Base64Url;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("base64url text without padding")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Base64Url, E> {
                Base64Url::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(encode([0xfb, 0xff]), "-_8");
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
        for other in ["-_8=", "+/8", " -_8", "-_8\n", "-_9"] {
            assert_eq!(decode(other), Err(NotBase64Url), "{other:?}");
        }
    }
}
