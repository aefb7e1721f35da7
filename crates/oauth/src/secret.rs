//! Text that cannot be printed: codes, verifiers, access, refresh and ID tokens, client secrets.
//!
//! No `Display`, no `Serialize`, no `PartialEq`; `Debug` is redacted; the bytes are wiped on drop. Leaving is
//! explicit ([`SecretText::expose`]). What the text means, the module does not know.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes ownership; the caller's other copies are the caller's business.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the bytes that leave.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in time that depends on the length only.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", SecretText::new("canary")), "[redacted]");
        assert_eq!(
            format!("{:?}", Some(vec![SecretText::new("canary")])),
            "Some([[redacted]])"
        );
    }

    #[test]
    fn comparison_is_of_the_whole_text() {
        let secret = SecretText::new("abc");
        assert!(secret.matches("abc"));
        for other in ["", "ab", "abd", "abcd"] {
            assert!(!secret.matches(other), "{other}");
        }
    }
}
