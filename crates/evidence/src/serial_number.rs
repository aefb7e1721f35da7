//! Certificate serial numbers, compared as numbers.
//!
//! Decides one spelling: lower-case hexadecimal without leading zeros. It exists because Google's
//! revocation list is keyed so and 23 % of its keys have an odd number of digits: a lookup by bytes,
//! two digits each, never finds those.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::HexError;

/// A non-negative serial number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(String);

impl SerialNumber {
    /// From the big-endian bytes of the number.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_digits(&hex::encode(bytes))
    }

    fn from_digits(digits: &str) -> Self {
        let significant = digits.trim_start_matches('0');
        Self(if significant.is_empty() {
            "0".to_owned()
        } else {
            significant.to_ascii_lowercase()
        })
    }

    /// Lower-case hexadecimal without leading zeros.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SerialNumber {
    type Err = HexError;

    /// Hexadecimal digits, any number of them; never decimal, which looks the same too often.
    fn from_str(text: &str) -> Result<Self, HexError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HexError);
        }
        Ok(Self::from_digits(text))
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

impl Serialize for SerialNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SerialNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_a_number_in_one_way() {
        let from_text = |text: &str| {
            text.parse::<SerialNumber>()
                .map(|serial| serial.to_string())
        };
        assert_eq!(from_text("00aBc"), Ok("abc".to_owned()));
        assert_eq!(from_text("000"), Ok("0".to_owned()));
        assert_eq!(from_text(""), Err(HexError));
        assert_eq!(from_text("12g"), Err(HexError));
        assert_eq!(
            SerialNumber::from_bytes(&[0x0A, 0xBC]),
            "abc".parse().unwrap()
        );
        assert_eq!(SerialNumber::from_bytes(&[]), "0".parse().unwrap());
    }
}
