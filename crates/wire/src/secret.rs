//! Secrets cannot be printed (DESIGN law 6).
//!
//! A [`SecretText`] has no `Display`, no `PartialEq`, a redacted `Debug`, and is wiped when dropped. It
//! serialises only through [`SecretText::expose`] at the two places where it must become bytes: the
//! plaintext of a sealed reply, and the request body of the admin who sets it.

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret value.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a value into custody.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretText([redacted])")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(serialize_with)]` on the few members that put a secret into bytes on purpose.
pub fn expose_into<S: serde::Serializer>(
    secret: &SecretText,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// The same for a member that may be absent.
pub fn expose_some<S: serde::Serializer>(
    secret: &Option<SecretText>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        let secret = SecretText::new("GOCSPX-canary".to_owned());
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
