//! What handlers are given: who asks and where, names in paths, bodies of requests that may come twice, pages,
//! versions.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bonafide_wire::problem::{Problem, ProblemCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::State;
use super::super::body::{self, Fresh};
use super::super::problem::Failure;
use crate::app::admin::once::Once;
use crate::app::admin::page::Wanted;
use crate::app::admin::{Caller, Scope};
use crate::app::{AppError, Service};
use crate::store::ReplyKey;

/// Largest body of an admin request, bytes.
pub(super) const MOST_BODY: usize = 64 * 1024;

/// A JSON body.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);
/// What a handler gives.
pub(super) type Reply<T> = Result<Fresh<T>, Failure>;
/// What a handler that removes gives.
pub(super) type Removed = Result<StatusCode, Failure>;

fn not_guarded() -> Failure {
    Failure::from(AppError::Internal(
        "a route without a gate was reached".to_owned(),
    ))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get().cloned().ok_or_else(not_guarded)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get().cloned().ok_or_else(not_guarded)
    }
}

/// The name of an object: the last parameter of the path. Where it is to be made a wrong one breaks a rule;
/// where it is to be found there is no such object.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    T: core::str::FromStr<Err: core::fmt::Display>,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|_| missing())?;
        let (name, text) = parameters.iter().last().ok_or_else(missing)?;
        text.parse().map(Self).map_err(|error: T::Err| {
            if parts.method == Method::PUT {
                AppError::invalid(format!("/{name}"), error.to_string()).into()
            } else {
                missing()
            }
        })
    }
}

/// `?page_size=…&page_token=…`
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// 1 to 500; 50 where absent.
    #[param(minimum = 1, maximum = 500)]
    page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    page_token: Option<String>,
}

/// Which page is wanted.
#[derive(Debug)]
pub(super) struct Paged(pub(super) Wanted);

impl<S: Send + Sync> FromRequestParts<S> for Paged {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<PageQuery>::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|error| {
            Failure::from(
                Problem::new(ProblemCode::MalformedRequest).with_detail(error.body_text()),
            )
        })?;
        Ok(Self(Wanted::new(
            query.page_size,
            query.page_token.as_deref(),
        )?))
    }
}

/// A body that makes something, and the key under which it may come twice.
#[derive(Debug)]
pub(super) struct Post<T> {
    /// The body.
    pub(super) value: T,
    /// With an `Idempotency-Key`.
    pub(super) once: Option<Once>,
}

/// `Idempotency-Key: …`
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header; the extractor reads it")]
pub(super) struct IdempotencyHeader {
    /// 1 to 255 visible ASCII characters of the caller's choice. Within 24 hours the same request with the same key
    /// changes nothing and is answered as the first one was.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255
    )]
    idempotency_key: Option<String>,
}

impl<T: DeserializeOwned> FromRequest<State> for Post<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = read_json(&parts.headers, body).await?;
        let once = match idempotency_key(&parts.headers)? {
            Some(key) => Some(once(&parts, &key, &bytes)?),
            None => None,
        };
        Ok(Self {
            value: body::parse(&bytes)?,
            once,
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = read_json(&parts.headers, body).await?;
        Ok(Self(body::parse(&bytes)?))
    }
}

async fn read_json(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Failure> {
    let bytes = body::read_body(headers, body, MOST_BODY).await?;
    if body::is_json(headers) {
        Ok(bytes)
    } else {
        Err(Failure::new(ProblemCode::UnsupportedMediaType))
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, AppError> {
    const NAME: HeaderName = HeaderName::from_static("idempotency-key");
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    let fine = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fine {
        Ok(Some(key.to_owned()))
    } else {
        let message = "Idempotency-Key must have 1 to 255 visible ASCII characters";
        Err(AppError::invalid("", message))
    }
}

fn once(parts: &Parts, key: &str, body: &[u8]) -> Result<Once, Failure> {
    let caller = parts.extensions.get::<Caller>().ok_or_else(not_guarded)?;
    let mut request = format!("{}\0{}\0", parts.method, parts.uri.path()).into_bytes();
    request.extend_from_slice(body);
    Ok(Once {
        key: ReplyKey {
            credential: caller.credential.clone(),
            key: key.to_owned(),
        },
        request_sha256: crate::app::admin::sha256(&request),
    })
}

/// Makes something, unless an earlier request with the same key made it: then answers as that one was answered.
pub(super) async fn created<T: Serialize>(
    service: &Service,
    once: Option<Once>,
    making: impl Future<Output = Result<T, AppError>>,
) -> Result<Response, Failure> {
    let Some(once) = once else {
        return Ok((StatusCode::CREATED, Fresh(making.await?)).into_response());
    };
    if let Some(earlier) = once.earlier(service).await? {
        return Ok(replayed(earlier));
    }
    match making.await {
        Ok(made) => Ok((StatusCode::CREATED, Fresh(made)).into_response()),
        // The same request may have come at the same time, and have been faster.
        Err(AppError::Conflict(why)) => match once.earlier(service).await? {
            Some(earlier) => Ok(replayed(earlier)),
            None => Err(AppError::Conflict(why).into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn replayed(body: Vec<u8>) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        ),
    ];
    (StatusCode::CREATED, headers, body).into_response()
}

/// `If-Match`: the version that the caller saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Nothing is said.
    Absent,
    /// Any version that exists.
    Any,
    /// This one.
    Version(u64),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self::Absent);
        };
        let text = value.to_str().unwrap_or_default();
        if text == "*" {
            return Ok(Self::Any);
        }
        // A tag that is not one of ours matches nothing (RFC 9110 §13.1.1).
        let version = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .and_then(|text| text.parse().ok());
        version
            .map(Self::Version)
            .ok_or_else(|| AppError::PreconditionFailed.into())
    }
}

/// `If-Match: "…"`
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header; the extractor reads it")]
pub(super) struct IfMatchHeader {
    /// The `ETag` of what was read: nothing is changed if it has changed since.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
}

/// A versioned object and its `ETag`.
pub(super) fn tagged<T: Serialize>(version: u64, value: T) -> Response {
    let mut response = Fresh(value).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
