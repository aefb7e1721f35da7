//! Problem documents (RFC 9457): every failure of the service has one stable code.
//!
//! The code is API; title and detail are for people. What a refused *device* may learn is decided by
//! policy: `findings` stays absent unless rejection reasons are on (W-12).

use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::ids::{DeviceId, SupportId};

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// Every code a problem document can carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl ProblemCode {
            /// All codes, for the reference page and the coverage test.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A title that never varies between occurrences.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

problem_codes! {
    /// The request is not JSON of the documented shape.
    MalformedRequest = "malformed-request", 400, "The request is malformed";
    /// The body is larger than the route allows.
    PayloadTooLarge = "payload-too-large", 413, "The request body is too large";
    /// The body is not `application/json`.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body must be application/json";
    /// No such route or object.
    NotFound = "not-found", 404, "Not found";
    /// The route does not know this method.
    MethodNotAllowed = "method-not-allowed", 405, "Method not allowed";
    /// No such account.
    UnknownAccount = "unknown-account", 404, "No such account";
    /// The account is there, but what is stored of it cannot be used.
    AccountDamaged = "account-damaged", 503, "The stored account is damaged";
    /// The challenge was not made by this service for this account and purpose.
    ChallengeInvalid = "challenge-invalid", 400, "The challenge is not one of ours";
    /// The challenge has outlived its two minutes.
    ChallengeExpired = "challenge-expired", 400, "The challenge has expired";
    /// The challenge already enrolled a key.
    ChallengeUsed = "challenge-used", 409, "The challenge has been used";
    /// The ticket was not sealed by this service for this account, or its key is retired: enrol again.
    TicketInvalid = "ticket-invalid", 400, "The ticket cannot be opened";
    /// The ticket is older than its life: enrol again.
    TicketExpired = "ticket-expired", 400, "The ticket has expired";
    /// The proof does not verify under the enrolled key.
    ProofInvalid = "proof-invalid", 400, "The proof of possession does not verify";
    /// The counter of an App Attest assertion is not above that of the ticket: the key asserted something older, or
    /// its phone was restored.
    CounterNotGreater = "counter-not-greater", 400, "The assertion's counter is not above the last one";
    /// The evidence failed authentication.
    EvidenceRejected = "evidence-rejected", 422, "The platform evidence was rejected";
    /// Policy denies this instance.
    AttestationRefused = "attestation-refused", 403, "This app instance is refused";
    /// The operator revoked this device.
    DeviceRevoked = "device-revoked", 403, "This device is revoked";
    /// The response key cannot be sealed to.
    ResponseKeyInvalid = "response-key-invalid", 400, "The response key is not usable";
    /// The account has no such upstream, or not for this app.
    UnknownUpstream = "unknown-upstream", 404, "No such upstream";
    /// The account does not allow this rung of the ladder at this upstream.
    RungNotAllowed = "rung-not-allowed", 403, "This upstream does not allow this rung";
    /// The redirect URI is not one of the upstream's.
    RedirectUriNotAllowed = "redirect-uri-not-allowed", 400, "The redirect URI is not allowed";
    /// The instance key does not prove possession, or is the enrolled key.
    InstanceKeyInvalid = "instance-key-invalid", 400, "The instance key is not usable";
    /// The refresh token was not kept for this instance and upstream: log in again.
    RefreshTokenInvalid = "refresh-token-invalid", 400, "The refresh token is not one of ours";
    /// The very same relay request is still under way: send it again later.
    RelayInProgress = "relay-in-progress", 409, "The request is under way";
    /// The upstream cannot be reached or says that it is busy; nothing was done, ask again.
    UpstreamUnavailable = "upstream-unavailable", 503, "The upstream is unavailable";
    /// The upstream took the request and did not answer: whether it was done is unknown.
    UpstreamTimedOut = "upstream-timed-out", 504, "The upstream did not answer in time";
    /// The upstream answered something that no OAuth server answers.
    UpstreamMisbehaved = "upstream-misbehaved", 502, "The upstream's answer is not usable";
    /// The token does not verify.
    TokenInvalid = "token-invalid", 400, "The attestation token does not verify";
    /// Too many requests; wait as told.
    RateLimited = "rate-limited", 429, "Too many requests";
    /// No credential.
    Unauthenticated = "unauthenticated", 401, "Authentication is required";
    /// The role does not allow it.
    Forbidden = "forbidden", 403, "This role may not do that";
    /// A value breaks a rule; `errors` says which.
    ValidationFailed = "validation-failed", 422, "A value breaks a rule";
    /// It exists already, or the state forbids it.
    Conflict = "conflict", 409, "Conflict with the present state";
    /// `If-Match` does not match.
    PreconditionFailed = "precondition-failed", 412, "The object has changed meanwhile";
    /// `If-Match` is missing: a blind write could undo somebody else's.
    PreconditionRequired = "precondition-required", 428, "If-Match is required";
    /// The store does not answer; nothing was changed.
    StoreUnavailable = "store-unavailable", 503, "The store is unavailable";
    /// The service is shutting down or overloaded.
    Unavailable = "unavailable", 503, "The service is unavailable";
    /// Our fault.
    Internal = "internal", 500, "Internal error";
}

impl core::fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One broken rule of a request (`errors` of a validation problem).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the value.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A problem document, media type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `https://bonafide.dev/problems/<code>`
    #[serde(rename = "type")]
    pub kind: String,
    /// Fixed per code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: ProblemCode,
    /// This occurrence, for people: what happened, why, what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Finds the recorded verdict (`bonafide verdict show SUPPORT-ID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_id: Option<SupportId>,
    /// The device, where evidence authenticated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The codes of the findings, only with rejection reasons on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<String>>,
    /// A ticket for an instance that authenticated but is refused: it may ask again without a new key (W-9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Base64Url>,
    /// Broken rules of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Wait this long before trying again, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem with this code and nothing else.
    pub fn new(code: ProblemCode) -> Self {
        Self {
            kind: format!("https://bonafide.dev/problems/{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: None,
            instance: None,
            support_id: None,
            device_id: None,
            findings: None,
            ticket: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// The same with words about this occurrence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let json = serde_json::to_value(Problem::new(ProblemCode::ChallengeExpired)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "https://bonafide.dev/problems/challenge-expired",
                "title": "The challenge has expired",
                "status": 400,
                "code": "challenge-expired"
            })
        );
    }

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let mut codes: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
        assert!(
            codes
                .iter()
                .all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        );
    }
}
