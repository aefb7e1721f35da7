//! The gate before every admin handler: who asks, whether the account is theirs to see, whether the role is enough.
//!
//! In this order, so that a stranger learns nothing about accounts, and a foreign account looks like no account.

use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bonafide_wire::admin::Role;
use bonafide_wire::ids::AccountId;
use bonafide_wire::secret::SecretText;

use super::super::State;
use super::super::problem::Failure;
use crate::app::admin::{Caller, Scope, sessions};
use crate::app::{AppError, Service};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever shows a management credential; the handler proves it.
    Credential,
    /// A session of this role, of whichever account.
    Session(Role),
    /// A session of this role that is good for the whole service.
    ServiceWide(Role),
    /// A session of this role, in the account of the path.
    Account(Role),
}

impl Access {
    /// The narrowest role, where it takes a session.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Self::Credential => None,
            Self::Session(role) | Self::ServiceWide(role) | Self::Account(role) => Some(role),
        }
    }
}

/// Lets a request through to its handler, with who asks (and where) in its extensions.
pub(super) async fn guard(
    service: State,
    access: Access,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&service, access, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn admit(service: &Service, access: Access, request: &mut Request) -> Result<(), AppError> {
    let Some(role) = access.role() else {
        return Ok(());
    };
    let bearer = bearer(request.headers())?;
    let caller = sessions::authenticate(service, &bearer).await?;
    let scope = match access {
        Access::Account(_) => {
            let account = account_of(request).await.ok_or(AppError::UnknownAccount)?;
            Some(Scope::enter(service, caller.clone(), account)?)
        }
        Access::ServiceWide(_) if caller.account.is_some() => return Err(AppError::NotServiceWide),
        Access::ServiceWide(_) | Access::Session(_) | Access::Credential => None,
    };
    if !caller.role.covers(role) {
        return Err(AppError::Forbidden { needed: role });
    }
    request.extensions_mut().insert::<Caller>(caller);
    if let Some(scope) = scope {
        request.extensions_mut().insert::<Scope>(scope);
    }
    Ok(())
}

/// The bearer value (RFC 6750), the one way to say who asks.
pub(super) fn bearer(headers: &HeaderMap) -> Result<SecretText, AppError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(AppError::Unauthenticated);
    };
    let text = value.to_str().map_err(|_| AppError::Unauthenticated)?;
    match text.split_once(' ') {
        Some((scheme, bearer)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(SecretText::new(bearer.trim().to_owned()))
        }
        _ => Err(AppError::Unauthenticated),
    }
}

async fn account_of(request: &mut Request) -> Option<AccountId> {
    let (mut parts, body) = core::mem::take(request).into_parts();
    let parameters = RawPathParams::from_request_parts(&mut parts, &()).await;
    *request = Request::from_parts(parts, body);
    let parameters = parameters.ok()?;
    let (_, account) = parameters.iter().find(|(name, _)| *name == "account")?;
    AccountId::parse(account).ok()
}
