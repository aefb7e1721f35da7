//! Compact JWS, read strictly: three parts, one spelling, a closed list of algorithms.
//!
//! `none`, HMAC and everything else outside [`Algorithm`] is refused by name, before any key is looked at; so are
//! critical extensions. What the claims mean is for the caller.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::read_base64url;

const MOST_TOKEN_BYTES: usize = 16 * 1024;

/// What may sign an ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// A name outside the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm that is not accepted here")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// The JOSE name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Those that the server announced and we accept; RS256 where it says nothing (OIDC Core §3.1.3.7).
    pub(crate) fn agreed(announced: Option<&[String]>) -> Vec<Self> {
        let Some(announced) = announced else {
            return vec![Self::Rs256];
        };
        Self::ALL
            .into_iter()
            .filter(|known| announced.iter().any(|name| name == known.name()))
            .collect()
    }
}

impl From<Algorithm> for String {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name().to_owned()
    }
}

impl TryFrom<String> for Algorithm {
    type Error = UnknownAlgorithm;
    fn try_from(name: String) -> Result<Self, UnknownAlgorithm> {
        Self::parse(&name).ok_or(UnknownAlgorithm)
    }
}

/// A token that is not worth verifying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoseReject {
    /// More bytes than an honest token has.
    #[error("the token is larger than {MOST_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Not three base64url parts, or a header that cannot be read.
    #[error("the token is no compact JWS")]
    Malformed,
    /// Encrypted: five parts.
    #[error("the token is encrypted, which is not supported")]
    Encrypted,
    /// `alg` outside what was agreed with the server.
    #[error("the token is signed with an algorithm that was not agreed")]
    AlgorithmRefused,
    /// `crit`, or `b64`.
    #[error("the token demands an extension that is not supported")]
    ExtensionRefused,
    /// `typ` of another kind of token.
    #[error("the token is of another kind")]
    TypeRefused,
}

impl JoseReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token-too-large",
            Self::Malformed => "token-malformed",
            Self::Encrypted => "token-encrypted",
            Self::AlgorithmRefused => "token-algorithm-refused",
            Self::ExtensionRefused => "token-extension-refused",
            Self::TypeRefused => "token-type-refused",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
    b64: Option<serde::de::IgnoredAny>,
}

/// A token taken apart; nothing in it is believed yet.
pub(crate) struct Unverified<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) signing_input: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Unverified")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl<'a> Unverified<'a> {
    /// Takes a token apart, if its algorithm is one of `agreed`.
    pub(crate) fn parse(token: &'a str, agreed: &[Algorithm]) -> Result<Self, JoseReject> {
        if token.len() > MOST_TOKEN_BYTES {
            return Err(JoseReject::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JoseReject::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JoseReject::Malformed)?;
        match payload.matches('.').count() {
            0 => {}
            2 => return Err(JoseReject::Encrypted),
            _ => return Err(JoseReject::Malformed),
        }
        let header = read_base64url(header).ok_or(JoseReject::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| JoseReject::Malformed)?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(JoseReject::ExtensionRefused);
        }
        if header
            .typ
            .is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT"))
        {
            return Err(JoseReject::TypeRefused);
        }
        let algorithm = Algorithm::parse(&header.alg)
            .filter(|algorithm| agreed.contains(algorithm))
            .ok_or(JoseReject::AlgorithmRefused)?;
        Ok(Self {
            algorithm,
            key_id: header.kid,
            signing_input,
            payload: read_base64url(payload).ok_or(JoseReject::Malformed)?,
            signature: read_base64url(signature).ok_or(JoseReject::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::base64url;

    fn token(header: &str) -> String {
        format!("{}.{}.AAAA", base64url(header), base64url("{}"))
    }

    #[test]
    fn refuses_a_header_that_breaks_one_rule() {
        let good = token(r#"{"alg":"ES256","typ":"JWT","kid":"1","x5t":"ignored"}"#);
        assert!(Unverified::parse(&good, &Algorithm::ALL).is_ok());
        for (token, reject) in [
            (token(r#"{"alg":"none"}"#), JoseReject::AlgorithmRefused),
            (token(r#"{"alg":"None"}"#), JoseReject::AlgorithmRefused),
            (token(r#"{"alg":"HS256"}"#), JoseReject::AlgorithmRefused),
            (token(r#"{"alg":"ES384"}"#), JoseReject::AlgorithmRefused),
            (token(r#"{"alg":null}"#), JoseReject::Malformed),
            (token("{}"), JoseReject::Malformed),
            (
                token(r#"{"alg":"ES256","alg":"none"}"#),
                JoseReject::Malformed,
            ),
            (
                token(r#"{"alg":"ES256","crit":["exp"]}"#),
                JoseReject::ExtensionRefused,
            ),
            (
                token(r#"{"alg":"ES256","b64":false}"#),
                JoseReject::ExtensionRefused,
            ),
            (
                token(r#"{"alg":"ES256","typ":"at+jwt"}"#),
                JoseReject::TypeRefused,
            ),
            (format!("{good}="), JoseReject::Malformed),
            (format!("{good}.AA"), JoseReject::Malformed),
            (format!("{good}.AA.AA"), JoseReject::Encrypted),
            ("a.b".to_owned(), JoseReject::Malformed),
            (String::new(), JoseReject::Malformed),
            ("a".repeat(20_000), JoseReject::TooLarge),
        ] {
            let found = Unverified::parse(&token, &Algorithm::ALL).err();
            assert_eq!(found, Some(reject), "{token}");
        }
    }

    #[test]
    fn an_accepted_algorithm_that_was_not_agreed_is_refused() {
        let token = token(r#"{"alg":"ES256"}"#);
        let found = Unverified::parse(&token, &[Algorithm::Rs256]);
        assert_eq!(found.err(), Some(JoseReject::AlgorithmRefused));
    }

    #[test]
    fn what_is_agreed_is_the_common_part() {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        for (announced, agreed) in [
            (None, vec![Algorithm::Rs256]),
            (Some(names(&["ES256"])), vec![Algorithm::Es256]),
            (
                Some(names(&["none", "RS256", "ES256"])),
                Algorithm::ALL.to_vec(),
            ),
            (Some(names(&["none", "HS256"])), vec![]),
        ] {
            assert_eq!(Algorithm::agreed(announced.as_deref()), agreed);
        }
    }

    proptest! {
        #[test]
        fn never_panics(token in "\\PC{0,200}") {
            prop_assert!(Unverified::parse(&token, &Algorithm::ALL).is_err());
        }
    }
}
