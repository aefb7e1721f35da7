//! Secrets cannot be written down by accident: what holds one has neither `Serialize` nor `Display`, and what authenticates
//! the client cannot become a record at all. The compiler checks it; these functions need not run.

use std::fmt::Display;

use bonafide_oauth::authentication::{self, AuthenticatedCall};
use bonafide_oauth::dpop::{Proof, UnsignedProof};
use bonafide_oauth::exchange::CodeExchange;
use bonafide_oauth::jwt::UnsignedJwt;
use bonafide_oauth::logout::Logout;
use bonafide_oauth::par::Push;
use bonafide_oauth::pkce::Verifier;
use bonafide_oauth::refresh::Refresh;
use bonafide_oauth::registration::RegisteredClient;
use bonafide_oauth::resource::ResourceCall;
use bonafide_oauth::seal::{Record, SealKey};
use bonafide_oauth::session::Session;
use bonafide_oauth::{
    Authorization, Authorized, ClientAuthentication, HttpRequest, HttpResponse,
    PendingAuthorization, SecretText, Tokens, UnverifiedTokens,
};
use serde::Serialize;

/// Ambiguous, and so no program, for a type that has the trait.
macro_rules! has_not {
    ($type:ty: $($bound:path),+) => {{
        $({
            trait AmbiguousIfPresent<Marker> {
                fn witness() {}
            }
            impl<T: ?Sized> AmbiguousIfPresent<()> for T {}
            struct Present;
            impl<T: ?Sized + $bound> AmbiguousIfPresent<Present> for T {}
            <$type as AmbiguousIfPresent<_>>::witness();
        })+
    }};
}

macro_rules! none_can_be_written {
    ($($type:ty),+ $(,)?) => {{ $(has_not!($type: Serialize, Display);)+ }};
}

#[test]
fn what_holds_a_secret_can_be_neither_serialised_nor_displayed() {
    none_can_be_written!(
        SecretText,
        Verifier,
        SealKey,
        ClientAuthentication,
        authentication::Assertion,
        AuthenticatedCall,
        HttpRequest,
        HttpResponse,
        UnsignedJwt,
        UnsignedProof,
        Proof,
        Authorization,
        PendingAuthorization,
        Authorized,
        CodeExchange,
        Refresh,
        Push,
        UnverifiedTokens,
        Tokens,
        Session,
        ResourceCall,
        Logout,
        RegisteredClient,
    );
}

/// AppAuth-iOS archived the client secret with the request; here there is no way to.
#[test]
fn what_authenticates_the_client_cannot_become_a_record() {
    has_not!(ClientAuthentication: Record, Clone);
    has_not!(authentication::Assertion: Record, Clone);
    has_not!(AuthenticatedCall: Record);
    has_not!(CodeExchange: Record);
    has_not!(Refresh: Record);
    has_not!(HttpRequest: Record);
    has_not!(SecretText: PartialEq);
}
