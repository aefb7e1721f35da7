//! The browser's return: is it the answer to our question, from the server we asked?
//!
//! `state` and `iss` are checked on refusals too: a forged error must not end somebody's login. Until a redirect is
//! proven to be ours the pending authorization stays as it is. What the code is worth, the exchange finds out.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::pending::PendingAuthorization;
use crate::redirect_uri::RedirectUri;
use crate::response::Refusal;
use crate::seal::{Record, RecordReject};
use crate::secret::SecretText;

const MOST_QUERY_BYTES: usize = 8 * 1024;
const MOST_PARAMETERS: usize = 32;

/// The user agreed: a code, and what the exchange needs besides.
#[derive(Debug)]
pub struct Authorized {
    pub(crate) pending: PendingAuthorization,
    pub(crate) code: SecretText,
}

impl Record for Authorized {
    const PURPOSE: &'static str = "bonafide-oauth-authorized-1";

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let mut record = Zeroizing::new(self.code.expose().as_bytes().to_vec());
        record.push(b'\n');
        record.extend_from_slice(&self.pending.to_record());
        record
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (code, pending) = end
            .and_then(|end| bytes.split_at_checked(end))
            .ok_or(RecordReject::Malformed)?;
        let code = std::str::from_utf8(code).map_err(|_| RecordReject::Malformed)?;
        Ok(Self {
            pending: PendingAuthorization::from_record(pending)?,
            code: SecretText::new(code),
        })
    }
}

/// A redirect that brings no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectReject {
    /// The URL is not our redirect URI.
    #[error("the browser came back to another address")]
    Elsewhere,
    /// Too long, or too many parameters.
    #[error("the redirect is larger than any honest one")]
    TooLarge,
    /// A parameter twice.
    #[error("the redirect repeats a parameter")]
    ParameterRepeated,
    /// No `state`.
    #[error("the redirect carries no state")]
    StateMissing,
    /// Somebody else's `state`.
    #[error("the redirect does not belong to this login")]
    StateMismatch,
    /// No `iss` although the server announces it.
    #[error("the redirect does not say which server it comes from")]
    IssuerMissing,
    /// `iss` of another server (RFC 9207).
    #[error("the redirect comes from another server than the one asked")]
    IssuerMismatch,
    /// The server, or the user, said no.
    #[error("the authorization server refused: {0}")]
    Refused(Refusal),
    /// `error` is not what RFC 6749 allows.
    #[error("the redirect carries an unreadable error")]
    ErrorMalformed,
    /// A code and an error at once.
    #[error("the redirect carries both a code and an error")]
    Ambiguous,
    /// Neither code nor error.
    #[error("the redirect carries no code")]
    CodeMissing,
}

impl RedirectReject {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Elsewhere => "redirect-elsewhere",
            Self::TooLarge => "redirect-too-large",
            Self::ParameterRepeated => "redirect-parameter-repeated",
            Self::StateMissing => "redirect-state-missing",
            Self::StateMismatch => "redirect-state-mismatch",
            Self::IssuerMissing => "redirect-issuer-missing",
            Self::IssuerMismatch => "redirect-issuer-mismatch",
            Self::Refused(refusal) => refusal.code(),
            Self::ErrorMalformed => "redirect-error-malformed",
            Self::Ambiguous => "redirect-ambiguous",
            Self::CodeMissing => "redirect-code-missing",
        }
    }

    /// Whether the login is over. A redirect that may be forged ends nothing: keep waiting.
    pub fn ends_login(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::ErrorMalformed | Self::Ambiguous | Self::CodeMissing
        )
    }
}

impl PendingAuthorization {
    /// Judges the URL that the browser came back with.
    pub fn receive(&self, arrived: &str) -> Result<Authorized, RedirectReject> {
        let parameters = parameters_of(arrived, &self.redirect_uri)?;
        self.check_origin(&parameters)?;
        let code = parameters.get("code").filter(|code| !code.is_empty());
        match (code, parameters.get("error")) {
            (Some(_), Some(_)) => Err(RedirectReject::Ambiguous),
            (None, None) => Err(RedirectReject::CodeMissing),
            (Some(code), None) => Ok(Authorized {
                pending: self.clone(),
                code: SecretText::new(code.as_str()),
            }),
            (None, Some(error)) => {
                let description = parameters.get("error_description").map(String::as_str);
                Err(Refusal::parse(error, description)
                    .map_or(RedirectReject::ErrorMalformed, RedirectReject::Refused))
            }
        }
    }

    fn check_origin(&self, parameters: &BTreeMap<String, String>) -> Result<(), RedirectReject> {
        let state = parameters
            .get("state")
            .ok_or(RedirectReject::StateMissing)?;
        if !self.state.matches(state) {
            return Err(RedirectReject::StateMismatch);
        }
        match parameters.get("iss") {
            Some(issuer) if issuer != self.issuer.as_str() => Err(RedirectReject::IssuerMismatch),
            None if self.issuer_in_response => Err(RedirectReject::IssuerMissing),
            _ => Ok(()),
        }
    }
}

/// The parameters of a URL that arrived at `redirect_uri`.
pub(crate) fn parameters_of(
    arrived: &str,
    redirect_uri: &RedirectUri,
) -> Result<BTreeMap<String, String>, RedirectReject> {
    if arrived.len() > MOST_QUERY_BYTES {
        return Err(RedirectReject::TooLarge);
    }
    parse(
        redirect_uri
            .query_of(arrived)
            .ok_or(RedirectReject::Elsewhere)?,
    )
}

fn parse(query: &str) -> Result<BTreeMap<String, String>, RedirectReject> {
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if parameters.len() >= MOST_PARAMETERS {
            return Err(RedirectReject::TooLarge);
        }
        if parameters
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return Err(RedirectReject::ParameterRepeated);
        }
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{self, REDIRECT};

    fn good(pending: &PendingAuthorization) -> String {
        format!(
            "{REDIRECT}?state={}&iss=https%3A%2F%2Fas.example&code=4%2F0Acode&scope=openid&authuser=0",
            pending.state.expose()
        )
    }

    #[test]
    fn accepts_googles_shape_and_decodes_the_code() {
        let pending = testing::begin().pending;
        let authorized = pending.receive(&good(&pending)).unwrap();
        assert_eq!(authorized.code.expose(), "4/0Acode");
    }

    #[test]
    fn a_redirect_that_may_be_forged_is_refused_and_ends_nothing() {
        let pending = testing::begin().pending;
        let state = pending.state.expose().to_owned();
        let good = good(&pending);
        let forged = format!("{REDIRECT}?error=access_denied&iss=https://as.example&state=other");
        let foreign = forged.replace("state=other", &format!("state={state}"));
        let foreign = foreign.replace("as.example", "evil.example");
        let elsewhere = good.replace(REDIRECT, "http://127.0.0.1:1/callback");
        let long = format!("{good}&{}", "x".repeat(9000));
        let many = format!("{good}{}", numbered(40));
        for (arrived, code) in [
            (elsewhere, "redirect-elsewhere"),
            (good.replace(&state, "other"), "redirect-state-mismatch"),
            (good.replace(&state, ""), "redirect-state-mismatch"),
            (good.replace("state=", "stat="), "redirect-state-missing"),
            (
                good.replace("as.example", "evil.example"),
                "redirect-issuer-mismatch",
            ),
            (
                good.replace("as.example", "as.example%2F"),
                "redirect-issuer-mismatch",
            ),
            (good.replace("iss=", "is="), "redirect-issuer-missing"),
            (format!("{good}&code=other"), "redirect-parameter-repeated"),
            (
                format!("{good}&state={state}"),
                "redirect-parameter-repeated",
            ),
            (format!("{good}&iss=x"), "redirect-parameter-repeated"),
            (long, "redirect-too-large"),
            (many, "redirect-too-large"),
            (forged, "redirect-state-mismatch"),
            (foreign, "redirect-issuer-mismatch"),
        ] {
            let reject = pending.receive(&arrived).err().unwrap();
            assert_eq!(
                (reject.code(), reject.ends_login()),
                (code, false),
                "{arrived}"
            );
        }
    }

    #[test]
    fn a_proven_redirect_without_a_code_ends_the_login() {
        let pending = testing::begin().pending;
        let good = good(&pending);
        let denied = good.replace("code=4%2F0Acode", "error=access_denied");
        for (arrived, code) in [
            (denied.clone(), "server-access-denied"),
            (
                denied.replace("access_denied", "%00"),
                "redirect-error-malformed",
            ),
            (format!("{good}&error=access_denied"), "redirect-ambiguous"),
            (good.replace("code=", "cod="), "redirect-code-missing"),
            (good.replace("4%2F0Acode", ""), "redirect-code-missing"),
        ] {
            let reject = pending.receive(&arrived).err().unwrap();
            assert_eq!(
                (reject.code(), reject.ends_login()),
                (code, true),
                "{arrived}"
            );
        }
    }

    fn numbered(count: usize) -> String {
        let names: Vec<_> = (0..count).map(|n| format!("&p{n}=1")).collect();
        names.concat()
    }

    #[test]
    fn a_server_that_never_announced_iss_may_leave_it_out_but_not_lie() {
        let mut pending = testing::begin().pending;
        pending.issuer_in_response = false;
        let good = good(&pending);
        assert!(pending.receive(&good.replace("iss=", "is=")).is_ok());
        let reject = pending.receive(&good.replace("as.example", "evil.example"));
        assert_eq!(reject.err(), Some(RedirectReject::IssuerMismatch));
    }

    #[test]
    fn a_code_survives_the_death_of_the_process_before_its_exchange() {
        let pending = testing::begin().pending;
        let authorized = pending.receive(&good(&pending)).unwrap();
        let back = Authorized::from_record(&authorized.to_record()).unwrap();
        assert_eq!(back.code.expose(), "4/0Acode");
        assert_eq!(back.to_record(), authorized.to_record());
        for broken in [&b""[..], b"code", b"code\n{}", b"\xff\n{}"] {
            let reject = Authorized::from_record(broken).err();
            assert_eq!(reject, Some(RecordReject::Malformed));
        }
    }

    proptest! {
        #[test]
        fn no_redirect_without_our_state_is_ever_accepted(query in "[ -~]{0,200}") {
            let pending = testing::begin().pending;
            let accepted = pending.receive(&format!("{REDIRECT}?{query}"));
            prop_assert!(accepted.is_err());
        }
    }
}
