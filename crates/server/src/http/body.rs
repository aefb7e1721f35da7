//! Request bodies: bounded, JSON, strict; and what a path or a reply looks like on every route.

use core::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bonafide_wire::ids::AccountId;
use bonafide_wire::problem::{FieldError, Problem, ProblemCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Failure;
use crate::app::AppError;

/// A JSON body of at most `MOST` bytes (W-2). Refused by size first, then by media type, then by shape.
#[derive(Debug)]
pub struct JsonBody<T, const MOST: usize>(pub T);

impl<T, S, const MOST: usize> FromRequest<S> for JsonBody<T, MOST>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, MOST).await?;
        if !is_json(&parts.headers) {
            return Err(Failure::new(ProblemCode::UnsupportedMediaType));
        }
        Ok(Self(parse(&bytes)?))
    }
}

/// A body must be here within this time. It holds one of the listener's places meanwhile, so whoever sends a
/// byte now and then must not hold it for long.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Reads a body up to a limit.
pub async fn read_body(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<axum::body::Bytes, Failure> {
    let too_large = || {
        Failure::from(
            Problem::new(ProblemCode::PayloadTooLarge)
                .with_detail(format!("at most {most} bytes are read here")),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |l| l > most)) {
        return Err(too_large());
    }
    let read = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, most));
    let read = read.await.map_err(|_| {
        Failure::from(
            Problem::new(ProblemCode::MalformedRequest).with_detail(format!(
                "the body was not here within {} s",
                BODY_TIME.as_secs()
            )),
        )
    })?;
    read.map_err(|error| {
        let cut = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<http_body_util::LengthLimitError>())
            .is_some();
        if cut {
            too_large()
        } else {
            Failure::from(
                Problem::new(ProblemCode::MalformedRequest)
                    .with_detail("the body could not be read to its end"),
            )
        }
    })
}

/// Whether the body says it is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        })
}

/// Parses strict JSON. The pointer to a broken value costs a second reading, so only failures pay for it.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AppError> {
    serde_json::from_slice(bytes)
        .map_err(|error| AppError::Malformed(vec![located::<T>(bytes, &error)]))
}

/// Parses a JSON document that travelled inside another one, at `pointer`.
pub fn parse_inner<T: DeserializeOwned>(pointer: &str, bytes: &[u8]) -> Result<T, AppError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let mut found = located::<T>(bytes, &error);
        found.pointer.insert_str(0, pointer);
        AppError::Malformed(vec![found])
    })
}

fn located<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> FieldError {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let pointer = serde_path_to_error::deserialize::<_, T>(&mut reader)
        .err()
        .map(|error| pointer_of(error.path()))
        .unwrap_or_default();
    FieldError {
        pointer,
        message: match error.classify() {
            // The words of serde_json name members and grammars, never more of a value than a type's name
            // or a short literal; request bodies of this service that hold secrets go through `SecretText`.
            serde_json::error::Category::Data => error.to_string(),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => "not JSON (RFC 8259)".to_owned(),
        },
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The account in a path; one that cannot exist is unknown.
#[derive(Debug)]
pub struct AccountPath(Option<AccountId>);

impl AccountPath {
    /// The account's id. Asked for after the body was read, because size and shape come first (W-6).
    pub fn id(self) -> Result<AccountId, AppError> {
        self.0.ok_or(AppError::UnknownAccount)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AccountPath {
    type Rejection = core::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, core::convert::Infallible> {
        let account = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(
            account
                .ok()
                .and_then(|Path(account)| AccountId::parse(account).ok()),
        ))
    }
}

/// A JSON reply that nobody may keep.
#[derive(Debug)]
pub struct Fresh<T>(pub T);

impl<T: Serialize> IntoResponse for Fresh<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => (
                [
                    (
                        header::CONTENT_TYPE,
                        HeaderValue::from_static("application/json"),
                    ),
                    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                ],
                body,
            )
                .into_response(),
            Err(error) => Failure::from(AppError::from(error)).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
        let refused = read_body(&HeaderMap::new(), Body::from_stream(endless), 16)
            .await
            .unwrap_err();
        assert_eq!(refused.into_response().status(), 400);
    }
}
