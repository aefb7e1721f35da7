//! Errors in Google's two shapes: the token endpoint's, and the platform's.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// Pretty-printed JSON that nobody may store.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let text = serde_json::to_string_pretty(body).unwrap_or_default();
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, max-age=0, must-revalidate"),
    );
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRefusal {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: String,
}

impl TokenRefusal {
    pub(crate) fn bad(error: &'static str, description: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.to_owned(),
        }
    }

    pub(crate) fn client(description: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description: description.to_owned(),
        }
    }

    pub(crate) fn render(&self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        json(self.status, &body)
    }
}

/// An error of the platform (Books API, user information).
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlatformError {
    status: StatusCode,
    message: &'static str,
    reason: &'static str,
    name: &'static str,
    detail: Option<&'static str>,
}

impl PlatformError {
    pub(crate) const LOGIN_REQUIRED: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        message: "Request is missing required authentication credential. Expected OAuth 2 access \
                  token, login cookie or other valid authentication credential.",
        reason: "required",
        name: "UNAUTHENTICATED",
        detail: Some("CREDENTIALS_MISSING"),
    };
    pub(crate) const INVALID_CREDENTIALS: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        message: "Invalid Credentials",
        reason: "authError",
        name: "UNAUTHENTICATED",
        detail: None,
    };
    pub(crate) const SCOPE_INSUFFICIENT: Self = Self {
        status: StatusCode::FORBIDDEN,
        message: "Request had insufficient authentication scopes.",
        reason: "insufficientPermissions",
        name: "PERMISSION_DENIED",
        detail: Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
    };
    pub(crate) const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        message: "The requested resource could not be found.",
        reason: "notFound",
        name: "NOT_FOUND",
        detail: None,
    };
    pub(crate) const QUERY_MISSING: Self = Self {
        status: StatusCode::BAD_REQUEST,
        message: "Missing query.",
        reason: "queryRequired",
        name: "INVALID_ARGUMENT",
        detail: None,
    };

    pub(crate) fn render(self) -> Response {
        let login = if self.reason == "required" {
            "Login Required."
        } else {
            self.message
        };
        let mut error = json!({
            "code": self.status.as_u16(),
            "message": self.message,
            "errors": [{"message": login, "domain": "global", "reason": self.reason}],
            "status": self.name,
        });
        let unauthorized = self.status == StatusCode::UNAUTHORIZED;
        if unauthorized {
            error["errors"][0]["location"] = json!("Authorization");
            error["errors"][0]["locationType"] = json!("header");
        }
        if let Some(detail) = self.detail {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": detail,
                "domain": "googleapis.com",
                "metadata": {"service": "books.googleapis.com"},
            }]);
        }
        let mut response = json(self.status, &json!({ "error": error }));
        if unauthorized {
            let challenge =
                "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"";
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        response
    }
}
