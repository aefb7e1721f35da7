//! One login in an app of many callers: fresh tokens for all of them by one refresh at a time.
//!
//! A refresh token that rotates is good once: two refreshes side by side end the login. So the first caller that finds the
//! tokens old is given the refresh, the others wait for how it lands. Sending, waiting and storing belong to the host; store
//! what landed before anybody uses it.

use crate::discovery::ServerMetadata;
use crate::exchange::TokenReject;
use crate::id_token::IdTokenReject;
use crate::refresh::Refresh;
use crate::secret::SecretText;
use crate::time::UnixTime;
use crate::tokens::Tokens;

/// A refresh that has not landed after so long is lost: its host was suspended, or forgot it.
const MOST_FLIGHT_SECONDS: i64 = 120;

/// The login, as the app holds it.
#[derive(Debug)]
pub struct Session {
    tokens: Option<Tokens>,
    flight: Option<(Flight, UnixTime)>,
    flights: u64,
}

/// Names one refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight(u64);

/// What a caller gets who needs an access token.
#[derive(Debug)]
pub enum Access {
    /// Use these.
    Ready(Box<Tokens>),
    /// Nobody refreshes yet: authenticate and send this, then call [`Session::land`] or [`Session::abandon`].
    Refresh(Flight, Box<Refresh>),
    /// Somebody does: wait until it has landed, then ask again.
    Wait,
    /// There is no login.
    LoggedOut,
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// New tokens. Store [`Session::tokens`], then wake who waits.
    Renewed,
    /// The login is over: forget what is stored.
    Ended,
    /// It failed for now; the login stays. Who waits gets the same error.
    Kept,
    /// It was given up before; nothing changed.
    Late,
}

impl Session {
    /// A login, or none yet.
    pub fn new(tokens: Option<Tokens>) -> Self {
        Self {
            tokens,
            flight: None,
            flights: 0,
        }
    }

    /// What is to be stored.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// For a caller that needs an access token with `margin` seconds to live.
    pub fn access(
        &mut self,
        server: &ServerMetadata,
        now: UnixTime,
        margin: i64,
    ) -> Result<Access, TokenReject> {
        match &self.tokens {
            None => Ok(Access::LoggedOut),
            Some(tokens) if tokens.fresh(now, margin) => {
                Ok(Access::Ready(Box::new(tokens.clone())))
            }
            Some(_) => self.take_off(server, now),
        }
    }

    /// For a caller whose access token a resource server refused: what replaced it in the meantime, or a refresh.
    pub fn replace(
        &mut self,
        refused: &SecretText,
        server: &ServerMetadata,
        now: UnixTime,
    ) -> Result<Access, TokenReject> {
        match &self.tokens {
            None => Ok(Access::LoggedOut),
            Some(tokens) if !tokens.access_token.matches(refused.expose()) => {
                Ok(Access::Ready(Box::new(tokens.clone())))
            }
            Some(_) => self.take_off(server, now),
        }
    }

    fn take_off(&mut self, server: &ServerMetadata, now: UnixTime) -> Result<Access, TokenReject> {
        let airborne = |(_, since): &(Flight, UnixTime)| {
            now < since.plus(MOST_FLIGHT_SECONDS) && now >= *since
        };
        if self.flight.as_ref().is_some_and(airborne) {
            return Ok(Access::Wait);
        }
        let Some(tokens) = &self.tokens else {
            return Ok(Access::LoggedOut);
        };
        let refresh = tokens.refresh(server)?;
        self.flights = self.flights.wrapping_add(1);
        let flight = Flight(self.flights);
        self.flight = Some((flight, now));
        Ok(Access::Refresh(flight, Box::new(refresh)))
    }

    /// Ends a refresh with the verified tokens, or with the reason why there are none. Only the server's `invalid_grant`
    /// and an identity that is not the user's end the login.
    pub fn land(&mut self, flight: Flight, outcome: Result<Tokens, RefreshFailure<'_>>) -> Landing {
        if !self.is_current(flight) {
            return Landing::Late;
        }
        self.flight = None;
        match outcome {
            Ok(tokens) => {
                self.tokens = Some(tokens);
                Landing::Renewed
            }
            Err(failure) if failure.ends_session() => {
                self.tokens = None;
                Landing::Ended
            }
            Err(_) => Landing::Kept,
        }
    }

    /// Gives a refresh up (its caller went away): the next one who asks flies.
    pub fn abandon(&mut self, flight: Flight) {
        if self.is_current(flight) {
            self.flight = None;
        }
    }

    /// A new login, or a logout: whatever is in flight comes too late.
    pub fn set(&mut self, tokens: Option<Tokens>) {
        self.tokens = tokens;
        self.flight = None;
    }

    fn is_current(&self, flight: Flight) -> bool {
        matches!(self.flight, Some((current, _)) if current == flight)
    }
}

/// Why a refresh brought no tokens.
#[derive(Debug, Clone, Copy)]
pub enum RefreshFailure<'a> {
    /// The token endpoint.
    Token(&'a TokenReject),
    /// The ID token that came along.
    IdToken(IdTokenReject),
    /// Nothing arrived: no network, no client authentication.
    Unsent,
}

impl RefreshFailure<'_> {
    fn ends_session(self) -> bool {
        match self {
            Self::Token(reject) => reject.ends_session(),
            Self::IdToken(reject) => reject == IdTokenReject::SubjectChanged,
            Self::Unsent => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwks::Jwks;
    use crate::response::tests::{html_response, json_response};
    use crate::testing::{self, NOW};

    fn old() -> Session {
        let mut tokens = testing::tokens();
        tokens.expires_at = Some(NOW.plus(10));
        Session::new(Some(tokens))
    }

    fn ask(session: &mut Session, now: UnixTime) -> Access {
        session.access(&testing::server(), now, 60).unwrap()
    }

    fn take_off(session: &mut Session, now: UnixTime) -> (Flight, Box<Refresh>) {
        match ask(session, now) {
            Access::Refresh(flight, refresh) => (flight, refresh),
            other => panic!("{other:?}"),
        }
    }

    fn renewed(refresh: &mut Refresh) -> Tokens {
        let body = json!({"access_token": "access-2", "token_type": "Bearer", "expires_in": 600,
            "refresh_token": "refresh-2"});
        let unverified = refresh.receive(&json_response(200, &body), NOW).unwrap();
        unverified.verify(&Jwks::default()).unwrap()
    }

    #[test]
    fn of_many_callers_one_refreshes_and_all_get_what_it_brought() {
        let mut session = old();
        let (flight, mut refresh) = take_off(&mut session, NOW);
        for _ in 0..3 {
            assert!(matches!(ask(&mut session, NOW), Access::Wait));
        }
        let landed = session.land(flight, Ok(renewed(&mut refresh)));
        assert_eq!(landed, Landing::Renewed);
        let Access::Ready(tokens) = ask(&mut session, NOW) else {
            panic!("fresh tokens");
        };
        assert!(tokens.access_token().matches("access-2"));
        assert_eq!(
            session.land(flight, Err(RefreshFailure::Unsent)),
            Landing::Late
        );
    }

    #[test]
    fn fresh_tokens_are_used_as_they_are_and_without_a_login_there_are_none() {
        let mut session = Session::new(Some(testing::tokens()));
        assert!(matches!(ask(&mut session, NOW), Access::Ready(_)));
        session.set(None);
        assert!(matches!(ask(&mut session, NOW), Access::LoggedOut));
        assert!(session.tokens().is_none());
    }

    #[test]
    fn a_refused_token_is_refreshed_once_however_many_callers_were_refused() {
        let mut session = Session::new(Some(testing::tokens()));
        let server = testing::server();
        let refused = SecretText::new("access-1");
        let Ok(Access::Refresh(flight, mut refresh)) = session.replace(&refused, &server, NOW)
        else {
            panic!("the first refreshes");
        };
        assert!(matches!(
            session.replace(&refused, &server, NOW),
            Ok(Access::Wait)
        ));
        session.land(flight, Ok(renewed(&mut refresh)));
        let Ok(Access::Ready(tokens)) = session.replace(&refused, &server, NOW) else {
            panic!("the last finds it replaced");
        };
        assert!(tokens.access_token().matches("access-2"));
    }

    #[test]
    fn only_a_dead_refresh_token_or_another_user_ends_the_login() {
        let grant = json_response(400, &json!({"error": "invalid_grant"}));
        let client = json_response(401, &json!({"error": "invalid_client"}));
        for (response, landing) in [
            (grant, Landing::Ended),
            (client, Landing::Kept),
            (html_response(502), Landing::Kept),
        ] {
            let mut session = old();
            let (flight, mut refresh) = take_off(&mut session, NOW);
            let reject = refresh.receive(&response, NOW).unwrap_err();
            let landed = session.land(flight, Err(RefreshFailure::Token(&reject)));
            assert_eq!(landed, landing);
            assert_eq!(session.tokens().is_none(), landing == Landing::Ended);
        }
        for (reject, landing) in [
            (IdTokenReject::SubjectChanged, Landing::Ended),
            (IdTokenReject::Expired, Landing::Kept),
        ] {
            let mut session = old();
            let (flight, _) = take_off(&mut session, NOW);
            let landed = session.land(flight, Err(RefreshFailure::IdToken(reject)));
            assert_eq!(landed, landing);
        }
    }

    #[test]
    fn a_refresh_that_was_given_up_or_lost_blocks_nobody() {
        let mut session = old();
        let (first, _) = take_off(&mut session, NOW);
        session.abandon(first);
        let (second, _) = take_off(&mut session, NOW);
        session.abandon(first);
        assert!(matches!(ask(&mut session, NOW.plus(119)), Access::Wait));
        let (third, mut refresh) = take_off(&mut session, NOW.plus(120));
        assert_eq!(
            session.land(second, Err(RefreshFailure::Unsent)),
            Landing::Late
        );
        assert_eq!(
            session.land(third, Ok(renewed(&mut refresh))),
            Landing::Renewed
        );
    }

    #[test]
    fn what_is_in_flight_when_the_user_logs_out_comes_too_late() {
        let mut session = old();
        let (flight, mut refresh) = take_off(&mut session, NOW);
        session.set(None);
        assert_eq!(
            session.land(flight, Ok(renewed(&mut refresh))),
            Landing::Late
        );
        assert!(session.tokens().is_none());
    }
}
