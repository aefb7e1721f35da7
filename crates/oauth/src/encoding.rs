//! The spellings OAuth needs: base64url without padding, form bodies, SHA-256.
//!
//! Strict in what it reads (other base64 spellings are refused). What is encoded, the module does not know.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// base64url without padding (RFC 7515 §2).
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding; anything else is `None`.
pub fn read_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn base64_standard(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// `application/x-www-form-urlencoded` of one value (RFC 6749 appendix B).
pub(crate) fn form_encoded(value: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(value.as_bytes()).collect())
}

/// A form body of names and values, in order.
pub(crate) fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> SecretText {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    serializer.extend_pairs(fields);
    SecretText::new(serializer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_the_one_spelling() {
        assert_eq!(read_base64url("-_8"), Some(vec![0xfb, 0xff]));
        for other in ["+/8", "-_8=", "-_9", " -_8", "-"] {
            assert_eq!(read_base64url(other), None, "{other}");
        }
    }

    #[test]
    fn forms_encode_what_rfc_6749_appendix_b_says() {
        // The example of RFC 6749 appendix B: " %&+£€"
        assert_eq!(
            form_encoded(" %&+\u{a3}\u{20ac}").as_str(),
            "+%25%26%2B%C2%A3%E2%82%AC"
        );
        assert_eq!(form([("a", "1 2"), ("b", "&")]).expose(), "a=1+2&b=%26");
    }
}
