//! What every answer must be before anyone looks inside: small enough, no redirect, right type, JSON.
//!
//! A gateway's HTML page is not an OAuth error, and a redirect is never followed with credentials in hand.
//! What the JSON means is for the step that asked.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::HttpResponse;

/// Most bytes of an ordinary answer.
pub(crate) const MOST_RESPONSE_BYTES: usize = 64 * 1024;
/// Most bytes of a discovery document or key set.
pub(crate) const MOST_DOCUMENT_BYTES: usize = 256 * 1024;

/// An answer that is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseReject {
    /// More bytes than an honest answer has.
    #[error("the server's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It points elsewhere; credentials do not follow.
    #[error("the server answered with a redirect ({0}), which is not followed")]
    Redirect(u16),
    /// Neither success nor an OAuth error: a gateway, an outage.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// Not the media type the protocol demands.
    #[error("the server's answer has the wrong content type")]
    ContentType,
    /// Not the JSON the protocol demands.
    #[error("the server's answer cannot be read")]
    Malformed,
}

impl ResponseReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge(_) => "response-too-large",
            Self::Redirect(_) => "response-redirects",
            Self::Status(_) => "response-status",
            Self::ContentType => "response-content-type",
            Self::Malformed => "response-malformed",
        }
    }

    /// Whether asking again later may help.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Status(status) if status >= 500 || status == 429 || status == 408)
    }
}

/// An error that the server stated in OAuth's own words (RFC 6749 §4.1.2.1 and §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `error`, as sent: printable ASCII, at most 64 characters.
    pub error: String,
    /// `error_description`, cut to 200 characters without control characters. For people, never for decisions.
    pub description: Option<String>,
}

impl Refusal {
    pub(crate) fn parse(error: &str, description: Option<&str>) -> Option<Self> {
        let printable = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if error.is_empty() || error.len() > 64 || !error.bytes().all(printable) {
            return None;
        }
        let description =
            description.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect());
        Some(Self {
            error: error.to_owned(),
            description,
        })
    }

    /// Stable text: `server-` and the registered error, or `server-refused` for one of their own making.
    pub fn code(&self) -> &'static str {
        match self.error.as_str() {
            "access_denied" => "server-access-denied",
            "consent_required" => "server-consent-required",
            "interaction_required" => "server-interaction-required",
            "account_selection_required" => "server-account-selection-required",
            "insufficient_scope" => "server-insufficient-scope",
            "invalid_client" => "server-invalid-client",
            "invalid_client_attestation" => "server-invalid-client-attestation",
            "invalid_dpop_proof" => "server-invalid-dpop-proof",
            "invalid_grant" => "server-invalid-grant",
            "invalid_request" => "server-invalid-request",
            "invalid_redirect_uri" => "server-invalid-redirect-uri",
            "invalid_client_metadata" => "server-invalid-client-metadata",
            "invalid_software_statement" => "server-invalid-software-statement",
            "unapproved_software_statement" => "server-unapproved-software-statement",
            "invalid_scope" => "server-invalid-scope",
            "invalid_token" => "server-invalid-token",
            "login_required" => "server-login-required",
            "redirect_uri_mismatch" => "server-redirect-uri-mismatch",
            "server_error" => "server-error",
            "temporarily_unavailable" => "server-temporarily-unavailable",
            "unauthorized_client" => "server-unauthorized-client",
            "unsupported_grant_type" => "server-unsupported-grant-type",
            "unsupported_response_type" => "server-unsupported-response-type",
            "unsupported_token_type" => "server-unsupported-token-type",
            "use_attestation_challenge" => "server-use-attestation-challenge",
            "use_dpop_nonce" => "server-use-dpop-nonce",
            "use_fresh_attestation" => "server-use-fresh-attestation",
            _ => "server-refused",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(formatter, "{} ({description})", self.error),
            None => formatter.write_str(&self.error),
        }
    }
}

/// Either an outcome that could be read, or the server's own refusal.
#[derive(Debug)]
pub(crate) enum Answer {
    Success,
    Refused(Refusal),
}

#[derive(Deserialize)]
struct RefusalBody {
    error: String,
    error_description: Option<String>,
}

/// Judges size, redirects and status; a JSON error body of a 4xx is the server's refusal.
pub(crate) fn judge(response: &HttpResponse, limit: usize) -> Result<Answer, ResponseReject> {
    if response.body.len() > limit {
        return Err(ResponseReject::TooLarge(limit));
    }
    match response.status {
        200..=299 => Ok(Answer::Success),
        300..=399 => Err(ResponseReject::Redirect(response.status)),
        400..=499 => refusal(response)
            .map(Answer::Refused)
            .ok_or(ResponseReject::Status(response.status)),
        other => Err(ResponseReject::Status(other)),
    }
}

fn refusal(response: &HttpResponse) -> Option<Refusal> {
    if response.media_type().as_deref() != Some("application/json") {
        return None;
    }
    let body: RefusalBody = serde_json::from_slice(&response.body).ok()?;
    Refusal::parse(&body.error, body.error_description.as_deref())
}

/// Reads the JSON of a success.
pub(crate) fn json<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, ResponseReject> {
    if response.media_type().as_deref() != Some("application/json") {
        return Err(ResponseReject::ContentType);
    }
    serde_json::from_slice(&response.body).map_err(|_| ResponseReject::Malformed)
}

/// Judges and reads a document that has no error form of its own (discovery, JWKS).
pub(crate) fn document<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, ResponseReject> {
    match judge(response, MOST_DOCUMENT_BYTES)? {
        Answer::Success => json(response),
        Answer::Refused(_) => Err(ResponseReject::Status(response.status)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn json_response(status: u16, body: &Value) -> HttpResponse {
        let header = ("Content-Type".to_owned(), "application/json".to_owned());
        HttpResponse::new(status, vec![header], body.to_string().into_bytes())
    }

    pub(crate) fn html_response(status: u16) -> HttpResponse {
        let header = ("Content-Type".to_owned(), "text/html".to_owned());
        HttpResponse::new(status, vec![header], b"<h1>Bad Gateway</h1>".to_vec())
    }

    #[test]
    fn an_answer_that_is_no_answer_is_named() {
        let large = HttpResponse::new(200, vec![], vec![b' '; MOST_DOCUMENT_BYTES + 1]);
        for (response, code, retryable) in [
            (large, "response-too-large", false),
            (html_response(502), "response-status", true),
            (html_response(404), "response-status", false),
            (html_response(429), "response-status", true),
            (html_response(307), "response-redirects", false),
            (html_response(200), "response-content-type", false),
            (json_response(200, &json!([])), "response-malformed", false),
            (
                json_response(400, &json!({"error": {"code": 400}})),
                "response-status",
                false,
            ),
            (
                json_response(503, &json!({"error": "invalid_grant"})),
                "response-status",
                true,
            ),
        ] {
            let reject = document::<RefusalBody>(&response).err().unwrap();
            assert_eq!((reject.code(), reject.retryable()), (code, retryable));
        }
    }

    #[test]
    fn a_deep_document_does_not_exhaust_the_stack() {
        let body = "[".repeat(200_000);
        let header = ("content-type".to_owned(), "application/json".to_owned());
        let response = HttpResponse::new(200, vec![header], body.into_bytes());
        assert_eq!(document::<Value>(&response), Err(ResponseReject::Malformed));
    }

    #[test]
    fn a_refusal_shows_no_control_characters_and_no_novel() {
        let long = format!("line\n\u{1b}[31m{}", "x".repeat(500));
        let refusal = Refusal::parse("invalid_grant", Some(&long)).unwrap();
        let shown = refusal.to_string();
        assert!(shown.len() < 250 && !shown.contains(['\n', '\u{1b}']));
        assert_eq!(refusal.code(), "server-invalid-grant");
        assert_eq!(
            Refusal::parse("org_internal", None).unwrap().code(),
            "server-refused"
        );
        for bad in ["", "a\"b", "a\nb", &"x".repeat(65)] {
            assert_eq!(Refusal::parse(bad, None), None, "{bad}");
        }
    }
}
