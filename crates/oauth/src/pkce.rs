//! Proof Key for Code Exchange (RFC 7636), S256 only and always.
//!
//! There is no `plain` and no way to leave it out, whatever else authenticates the client.

use crate::encoding::{base64url, sha256};
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::secret::SecretText;

/// What is kept back until the exchange: 43 to 128 unreserved characters.
#[derive(Debug, Clone)]
pub struct Verifier(SecretText);

/// A verifier outside RFC 7636 §4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~")]
pub struct VerifierReject;

impl Verifier {
    /// A new one of 256 bits.
    pub fn draw(entropy: &mut dyn Entropy) -> Result<Self, EntropyFailed> {
        entropy::text(entropy).map(|text| Self(SecretText::new(text)))
    }

    /// Reads one, from a record or a vector.
    pub fn parse(text: &str) -> Result<Self, VerifierReject> {
        let fits = (43..=128).contains(&text.len());
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if fits && text.bytes().all(unreserved) {
            Ok(Self(SecretText::new(text)))
        } else {
            Err(VerifierReject)
        }
    }

    /// `code_challenge` for the authorization request.
    pub fn challenge(&self) -> String {
        base64url(sha256(self.0.expose().as_bytes()))
    }

    /// `code_verifier` for the exchange.
    pub fn secret(&self) -> &SecretText {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn agrees_with_rfc_7636_appendix_b() {
        let verifier = Verifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(
            verifier.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn draws_verifiers_it_would_itself_accept_and_never_twice_the_same() {
        let first = Verifier::draw(&mut SystemEntropy).unwrap();
        let second = Verifier::draw(&mut SystemEntropy).unwrap();
        assert!(Verifier::parse(first.secret().expose()).is_ok());
        assert_ne!(first.challenge(), second.challenge());
    }

    #[test]
    fn refuses_verifiers_outside_the_grammar() {
        let short = "a".repeat(42);
        let long = "a".repeat(129);
        let foreign = format!("{}+", "a".repeat(43));
        for text in [short.as_str(), long.as_str(), foreign.as_str()] {
            assert_eq!(Verifier::parse(text).err(), Some(VerifierReject), "{text}");
        }
    }
}
