//! The Library's refusals, in the words of RFC 6749 §5.2.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::proof::ProofReject;
use crate::grants::GrantReject;
use crate::http::google_error;

/// A refusal of one of the endpoints that clients call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) fn bad(error: &'static str, description: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
        }
    }

    pub(super) fn client(description: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description,
        }
    }

    pub(super) fn render(&self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        google_error::json(self.status, &body)
    }
}

impl From<ProofReject> for Refusal {
    fn from(reject: ProofReject) -> Self {
        match reject {
            ProofReject::Invalid(text) => Self::bad("invalid_dpop_proof", text),
            ProofReject::NonceDemanded => {
                Self::bad("use_dpop_nonce", "The DPoP proof lacks the newest nonce.")
            }
        }
    }
}

impl From<GrantReject> for Refusal {
    fn from(reject: GrantReject) -> Self {
        Self::bad(
            "invalid_grant",
            match reject {
                GrantReject::MalformedCode => "There is no such code.",
                GrantReject::Spent => "The code was used or has expired.",
                GrantReject::RedirectMismatch => "The redirect URI is another one.",
                GrantReject::VerifierMissing => "The code verifier is missing.",
                GrantReject::VerifierWrong => "The code verifier is wrong.",
                GrantReject::RefreshRevoked => "The refresh token is dead.",
                GrantReject::HolderMismatch => "It belongs to another client or key.",
            },
        )
    }
}
