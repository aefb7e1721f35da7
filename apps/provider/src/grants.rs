//! What the user agreed to: interactions under way, codes, tokens. A pure table with `now` as argument.
//!
//! A code is good once, for one client, one redirect URI and one verifier; used again, it takes its whole grant with it
//! (RFC 6749 §4.1.2). Who may ask is judged before, in `http`.

use std::collections::BTreeMap;

use crate::secret::{base64url, random_text, sha256};

const CODE_SECONDS: i64 = 300;
const INTERACTION_SECONDS: i64 = 900;
pub(crate) const ACCESS_SECONDS: i64 = 3599;
/// More than that of a kind, and the oldest of it goes.
const MOST: usize = 10_000;
const MOST_WRONG_PASSWORDS: u8 = 5;

/// Who asks for authorization, and at which of the two servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) issuer: &'static str,
    pub(crate) client_id: String,
    pub(crate) name: String,
}

/// An authorization request that a browser is busy with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interaction {
    pub(crate) asker: Asker,
    /// The thumbprint of the key that the code obeys.
    pub(crate) bound_to: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) offline: Offline,
}

/// Whether a refresh token was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offline {
    Yes,
    No,
}

/// PKCE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    S256(String),
    Plain(String),
}

impl Challenge {
    fn met_by(&self, verifier: &str) -> bool {
        match self {
            Self::S256(challenge) => *challenge == base64url(sha256(verifier.as_bytes())),
            Self::Plain(challenge) => challenge == verifier,
        }
    }
}

struct Busy {
    interaction: Interaction,
    browser: String,
    csrf: String,
    signed_in: bool,
    wrong_passwords: u8,
    until: i64,
}

struct Code {
    grant: u64,
    interaction: Interaction,
    until: i64,
    used: bool,
}

#[derive(Clone)]
struct Grant {
    issuer: &'static str,
    scope: Vec<String>,
    client_id: String,
    dpop: Option<String>,
    instance: Option<String>,
    revoked: bool,
}

/// Who came with a code or refresh token, as far as it was proven: the client, and thumbprints of keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer<'a> {
    pub(crate) client_id: &'a str,
    /// The key of the DPoP proof.
    pub(crate) dpop: Option<&'a str>,
    /// The attested key.
    pub(crate) instance: Option<&'a str>,
}

impl<'a> Bearer<'a> {
    /// A client that proved no key.
    pub(crate) fn client(client_id: &'a str) -> Self {
        Self {
            client_id,
            dpop: None,
            instance: None,
        }
    }

    fn holds(&self, thumbprint: &str) -> bool {
        self.dpop == Some(thumbprint) || self.instance == Some(thumbprint)
    }
}

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// It stays good.
    None,
    /// A new one replaces it.
    Always,
}

#[derive(Clone, Copy)]
struct Refresh {
    number: u64,
    replaced: bool,
}

struct Access {
    grant: u64,
    until: i64,
}

/// Handles of a page that was shown.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: String,
    pub(crate) csrf: String,
    pub(crate) interaction: Interaction,
    pub(crate) signed_in: bool,
}

/// What a browser sent back with a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) id: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) browser: &'a str,
}

/// A form that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale;

/// Why a code or refresh token yields nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantReject {
    MalformedCode,
    Spent,
    RedirectMismatch,
    VerifierMissing,
    VerifierWrong,
    RefreshRevoked,
    HolderMismatch,
}

/// What a code or refresh token yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: Vec<String>,
    pub(crate) nonce: Option<String>,
    /// The key that the access token obeys.
    pub(crate) bound_to: Option<String>,
}

/// What an access token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) issuer: &'static str,
    pub(crate) scope: Vec<String>,
    pub(crate) bound_to: Option<String>,
}

/// A code exchange as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redemption<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: Option<&'a str>,
    pub(crate) bearer: Bearer<'a>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Grants {
    busy: BTreeMap<String, Busy>,
    codes: BTreeMap<String, Code>,
    agreed: BTreeMap<u64, Grant>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    next: u64,
}

impl Grants {
    /// A browser begins; it is known again by `browser`, its cookie.
    pub(crate) fn begin(&mut self, interaction: Interaction, browser: &str, now: i64) -> Ticket {
        self.busy.retain(|_, busy| now < busy.until);
        if self.busy.len() >= MOST {
            self.busy.pop_first();
        }
        let id = random_text();
        let busy = Busy {
            interaction,
            browser: browser.to_owned(),
            csrf: random_text(),
            signed_in: false,
            wrong_passwords: 0,
            until: now.saturating_add(INTERACTION_SECONDS),
        };
        let ticket = busy.ticket(&id);
        self.busy.insert(id, busy);
        ticket
    }

    /// The page that a browser may look at.
    pub(crate) fn look(&self, id: &str, browser: &str, now: i64) -> Result<Ticket, Stale> {
        self.busy
            .get(id)
            .filter(|busy| busy.browser == browser && now < busy.until)
            .map(|busy| busy.ticket(id))
            .ok_or(Stale)
    }

    fn answered(&mut self, answer: Answer<'_>, now: i64) -> Result<&mut Busy, Stale> {
        self.busy
            .get_mut(answer.id)
            .filter(|busy| busy.browser == answer.browser && busy.csrf == answer.csrf)
            .filter(|busy| now < busy.until)
            .ok_or(Stale)
    }

    /// The user typed the right password.
    pub(crate) fn sign_in(&mut self, answer: Answer<'_>, now: i64) -> Result<Ticket, Stale> {
        let busy = self.answered(answer, now)?;
        busy.signed_in = true;
        Ok(busy.ticket(answer.id))
    }

    /// The user typed a wrong password; after a few, the interaction is over.
    pub(crate) fn wrong_password(&mut self, answer: Answer<'_>, now: i64) -> Result<Ticket, Stale> {
        let busy = self.answered(answer, now)?;
        busy.wrong_passwords = busy.wrong_passwords.saturating_add(1);
        if busy.wrong_passwords >= MOST_WRONG_PASSWORDS {
            self.busy.remove(answer.id);
            return Err(Stale);
        }
        Ok(busy.ticket(answer.id))
    }

    /// The user decided; only somebody who signed in can. The interaction is over.
    pub(crate) fn decide(&mut self, answer: Answer<'_>, now: i64) -> Result<Interaction, Stale> {
        if !self.answered(answer, now)?.signed_in {
            return Err(Stale);
        }
        let busy = self.busy.remove(answer.id).ok_or(Stale)?;
        Ok(busy.interaction)
    }

    /// A code for what the user agreed to.
    pub(crate) fn agree(&mut self, interaction: Interaction, now: i64) -> String {
        if self.codes.len() >= MOST {
            self.codes.pop_first();
        }
        self.next = self.next.saturating_add(1);
        let grant = Grant {
            issuer: interaction.asker.issuer,
            scope: interaction.scope.clone(),
            client_id: interaction.asker.client_id.clone(),
            dpop: None,
            instance: None,
            revoked: false,
        };
        self.agreed.insert(self.next, grant);
        let code = format!("4/0A{}", random_text());
        let entry = Code {
            grant: self.next,
            interaction,
            until: now.saturating_add(CODE_SECONDS),
            used: false,
        };
        self.codes.insert(code.clone(), entry);
        code
    }

    /// A code for tokens.
    pub(crate) fn redeem(
        &mut self,
        redemption: Redemption<'_>,
        now: i64,
    ) -> Result<Issued, GrantReject> {
        let code = self
            .codes
            .get_mut(redemption.code)
            .ok_or(GrantReject::MalformedCode)?;
        if code.used {
            if let Some(grant) = self.agreed.get_mut(&code.grant) {
                grant.revoked = true;
            }
            return Err(GrantReject::Spent);
        }
        if now >= code.until {
            return Err(GrantReject::Spent);
        }
        let bearer = redemption.bearer;
        let own = code.interaction.asker.client_id == bearer.client_id;
        let bound_to = code.interaction.bound_to.as_deref();
        if !own || bound_to.is_some_and(|key| !bearer.holds(key)) {
            return Err(GrantReject::HolderMismatch);
        }
        if code.interaction.redirect_uri != redemption.redirect_uri {
            return Err(GrantReject::RedirectMismatch);
        }
        match (&code.interaction.challenge, redemption.verifier) {
            (None, None) => {}
            (Some(_), None) => return Err(GrantReject::VerifierMissing),
            (Some(challenge), Some(verifier)) if challenge.met_by(verifier) => {}
            (_, Some(_)) => return Err(GrantReject::VerifierWrong),
        }
        code.used = true;
        let (grant, nonce) = (code.grant, code.interaction.nonce.clone());
        let offline = code.interaction.offline;
        if let Some(agreed) = self.agreed.get_mut(&grant) {
            agreed.dpop = bearer.dpop.map(str::to_owned);
            agreed.instance = bearer.instance.map(str::to_owned);
        }
        let refresh_token = (offline == Offline::Yes).then(|| self.refresh_token(grant));
        let issued = self.issue(grant, now).ok_or(GrantReject::Spent)?;
        Ok(Issued {
            refresh_token,
            nonce,
            ..issued
        })
    }

    fn refresh_token(&mut self, grant: u64) -> String {
        let token = format!("1//0{}", random_text());
        let number = grant;
        let fresh = Refresh {
            number,
            replaced: false,
        };
        self.refresh.insert(token.clone(), fresh);
        token
    }

    /// A refresh token for a new access token. One that was replaced takes its grant with it when it comes back.
    pub(crate) fn refresh(
        &mut self,
        (token, rotation): (&str, Rotation),
        bearer: Bearer<'_>,
        now: i64,
    ) -> Result<Issued, GrantReject> {
        let known = self.refresh.get(token).copied();
        let grant = known.ok_or(GrantReject::RefreshRevoked)?;
        let agreed = self.agreed.get_mut(&grant.number);
        let agreed = agreed.ok_or(GrantReject::RefreshRevoked)?;
        let keys = [&agreed.dpop, &agreed.instance];
        let holds = |key: &Option<String>| key.as_deref().is_none_or(|key| bearer.holds(key));
        if agreed.client_id != bearer.client_id || !keys.into_iter().all(holds) {
            return Err(GrantReject::HolderMismatch);
        }
        if grant.replaced {
            agreed.revoked = true;
        }
        let issued = self
            .issue(grant.number, now)
            .ok_or(GrantReject::RefreshRevoked)?;
        let refresh_token = match rotation {
            Rotation::None => None,
            Rotation::Always => {
                let number = grant.number;
                let replaced = Refresh {
                    number,
                    replaced: true,
                };
                self.refresh.insert(token.to_owned(), replaced);
                Some(self.refresh_token(number))
            }
        };
        Ok(Issued {
            refresh_token,
            ..issued
        })
    }

    fn issue(&mut self, grant: u64, now: i64) -> Option<Issued> {
        let agreed = self.agreed.get(&grant).filter(|grant| !grant.revoked)?;
        let (scope, bound_to) = (agreed.scope.clone(), agreed.dpop.clone());
        self.access.retain(|_, access| now < access.until);
        if self.access.len() >= MOST {
            self.access.pop_first();
        }
        let access_token = format!("ya29.{}", random_text());
        let access = Access {
            grant,
            until: now.saturating_add(ACCESS_SECONDS),
        };
        self.access.insert(access_token.clone(), access);
        Some(Issued {
            access_token,
            refresh_token: None,
            scope,
            nonce: None,
            bound_to,
        })
    }

    /// What a living access token is good for.
    pub(crate) fn authority_of(&self, access_token: &str, now: i64) -> Option<Authority> {
        let access = self.access.get(access_token)?;
        let grant = self.agreed.get(&access.grant)?;
        (now < access.until && !grant.revoked).then(|| Authority {
            issuer: grant.issuer,
            scope: grant.scope.clone(),
            bound_to: grant.dpop.clone(),
        })
    }

    /// Access tokens die, refresh tokens live.
    pub(crate) fn expire_access_tokens(&mut self) {
        self.access.clear();
    }

    /// Every grant dies.
    pub(crate) fn withdraw_all(&mut self) {
        for grant in self.agreed.values_mut() {
            grant.revoked = true;
        }
    }

    /// Revokes a grant by either of its tokens; says whether there was one.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let by_access = self.access.get(token).map(|access| access.grant);
        let Some(grant) =
            by_access.or_else(|| self.refresh.get(token).map(|refresh| refresh.number))
        else {
            return false;
        };
        self.refresh.retain(|_, of| of.number != grant);
        self.access.retain(|_, access| access.grant != grant);
        match self.agreed.get_mut(&grant) {
            Some(grant) => !std::mem::replace(&mut grant.revoked, true),
            None => false,
        }
    }
}

impl Busy {
    fn ticket(&self, id: &str) -> Ticket {
        Ticket {
            id: id.to_owned(),
            csrf: self.csrf.clone(),
            interaction: self.interaction.clone(),
            signed_in: self.signed_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "https://example.com/oauth2redirect";
    const CLIENT: &str = "books";
    // RFC 7636 appendix B
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn interaction() -> Interaction {
        Interaction {
            asker: Asker {
                issuer: "https://as.example",
                client_id: CLIENT.to_owned(),
                name: "Books".to_owned(),
            },
            bound_to: None,
            redirect_uri: REDIRECT.to_owned(),
            scope: vec!["openid".to_owned()],
            state: None,
            nonce: Some("n".to_owned()),
            challenge: Some(Challenge::S256(CHALLENGE.to_owned())),
            offline: Offline::Yes,
        }
    }

    fn redemption(code: &str) -> Redemption<'_> {
        Redemption {
            code,
            redirect_uri: REDIRECT,
            verifier: Some(VERIFIER),
            bearer: Bearer::client(CLIENT),
        }
    }

    #[test]
    fn a_code_is_good_once_and_used_again_takes_its_grant_with_it() {
        let mut grants = Grants::default();
        let code = grants.agree(interaction(), 0);
        let issued = grants.redeem(redemption(&code), 1).unwrap();
        let refresh = issued.refresh_token.clone().unwrap();
        assert!(grants.authority_of(&issued.access_token, 1).is_some());
        assert_eq!(grants.redeem(redemption(&code), 2), Err(GrantReject::Spent));
        assert_eq!(grants.authority_of(&issued.access_token, 2), None);
        assert_eq!(
            grants.refresh((&refresh, Rotation::None), Bearer::client(CLIENT), 2),
            Err(GrantReject::RefreshRevoked)
        );
    }

    #[test]
    fn a_redemption_that_breaks_one_rule_yields_nothing_and_spends_nothing() {
        let mut grants = Grants::default();
        let code = grants.agree(interaction(), 0);
        let good = redemption(&code);
        for (redemption, now, reject) in [
            (
                Redemption {
                    code: "4/0Ax",
                    ..good
                },
                1,
                GrantReject::MalformedCode,
            ),
            (
                Redemption {
                    redirect_uri: "https://example.com/",
                    ..good
                },
                1,
                GrantReject::RedirectMismatch,
            ),
            (
                Redemption {
                    verifier: None,
                    ..good
                },
                1,
                GrantReject::VerifierMissing,
            ),
            (
                Redemption {
                    verifier: Some("x"),
                    ..good
                },
                1,
                GrantReject::VerifierWrong,
            ),
            (
                Redemption {
                    verifier: Some(CHALLENGE),
                    ..good
                },
                1,
                GrantReject::VerifierWrong,
            ),
            (good, CODE_SECONDS, GrantReject::Spent),
        ] {
            assert_eq!(grants.redeem(redemption, now), Err(reject));
        }
        assert!(grants.redeem(good, CODE_SECONDS - 1).is_ok());
    }

    #[test]
    fn a_code_obeys_its_client_and_key_and_what_it_yields_obeys_them_too() {
        let mut grants = Grants::default();
        let bound = Interaction {
            bound_to: Some("key".to_owned()),
            ..interaction()
        };
        let code = grants.agree(bound, 0);
        let own = Bearer {
            dpop: Some("key"),
            ..Bearer::client(CLIENT)
        };
        let other = Bearer {
            dpop: Some("other"),
            ..own
        };
        let strangers = [
            Bearer::client(CLIENT),
            other,
            Bearer {
                client_id: "other",
                ..own
            },
        ];
        for bearer in strangers {
            let redemption = Redemption {
                bearer,
                ..redemption(&code)
            };
            let outcome = grants.redeem(redemption, 1);
            assert_eq!(outcome, Err(GrantReject::HolderMismatch));
        }
        let redemption = Redemption {
            bearer: own,
            ..redemption(&code)
        };
        let issued = grants.redeem(redemption, 1).unwrap();
        assert_eq!(issued.bound_to.as_deref(), Some("key"));
        let refresh = issued.refresh_token.unwrap();
        for bearer in strangers {
            let outcome = grants.refresh((&refresh, Rotation::Always), bearer, 1);
            assert_eq!(outcome, Err(GrantReject::HolderMismatch));
        }
        assert!(grants.refresh((&refresh, Rotation::Always), own, 1).is_ok());
    }

    #[test]
    fn a_refresh_token_that_was_replaced_takes_the_grant_with_it_when_it_comes_back() {
        let mut grants = Grants::default();
        let code = grants.agree(interaction(), 0);
        let first = grants.redeem(redemption(&code), 1).unwrap();
        let first = first.refresh_token.unwrap();
        let who = Bearer::client(CLIENT);
        let issued = grants.refresh((&first, Rotation::Always), who, 1).unwrap();
        assert!(grants.authority_of(&issued.access_token, 1).is_some());
        let again = grants.refresh((&first, Rotation::Always), who, 1);
        assert_eq!(again, Err(GrantReject::RefreshRevoked));
        assert!(grants.authority_of(&issued.access_token, 1).is_none());
    }

    #[test]
    fn a_verifier_without_a_challenge_is_refused() {
        let mut grants = Grants::default();
        let plain = Interaction {
            challenge: None,
            ..interaction()
        };
        let code = grants.agree(plain, 0);
        let reject = grants.redeem(redemption(&code), 1);
        assert_eq!(
            reject,
            Err(GrantReject::VerifierWrong),
            "downgrade (RFC 9700 §2.1.1)"
        );
    }

    #[test]
    fn revoking_either_token_ends_the_grant() {
        for by_refresh in [false, true] {
            let mut grants = Grants::default();
            let code = grants.agree(interaction(), 0);
            let issued = grants.redeem(redemption(&code), 1).unwrap();
            let refresh = issued.refresh_token.clone().unwrap();
            let token = if by_refresh {
                &refresh
            } else {
                &issued.access_token
            };
            assert!(grants.revoke(token));
            assert!(!grants.revoke(token));
            assert_eq!(grants.authority_of(&issued.access_token, 1), None);
            assert_eq!(
                grants.refresh((&refresh, Rotation::None), Bearer::client(CLIENT), 1),
                Err(GrantReject::RefreshRevoked)
            );
        }
    }

    #[test]
    fn access_tokens_expire_and_refresh_tokens_come_only_when_asked_for() {
        let mut grants = Grants::default();
        let online = Interaction {
            offline: Offline::No,
            ..interaction()
        };
        let code = grants.agree(online, 0);
        let issued = grants.redeem(redemption(&code), 0).unwrap();
        assert_eq!(issued.refresh_token, None);
        assert!(
            grants
                .authority_of(&issued.access_token, ACCESS_SECONDS - 1)
                .is_some()
        );
        assert_eq!(
            grants.authority_of(&issued.access_token, ACCESS_SECONDS),
            None
        );
    }

    #[test]
    fn a_form_counts_only_from_the_same_browser_with_its_csrf_value_in_order() {
        let mut grants = Grants::default();
        let ticket = grants.begin(interaction(), "browser", 0);
        let good = Answer {
            id: &ticket.id,
            csrf: &ticket.csrf,
            browser: "browser",
        };
        assert_eq!(grants.decide(good, 1), Err(Stale), "not signed in");
        for bad in [
            Answer { id: "x", ..good },
            Answer { csrf: "x", ..good },
            Answer {
                browser: "x",
                ..good
            },
        ] {
            assert!(grants.sign_in(bad, 1).is_err());
        }
        assert!(grants.sign_in(good, INTERACTION_SECONDS).is_err());
        assert!(grants.sign_in(good, 1).unwrap().signed_in);
        assert_eq!(grants.decide(good, 1), Ok(interaction()));
        assert_eq!(grants.decide(good, 1), Err(Stale), "only once");
    }

    #[test]
    fn a_few_wrong_passwords_end_the_interaction() {
        let mut grants = Grants::default();
        let ticket = grants.begin(interaction(), "browser", 0);
        let answer = Answer {
            id: &ticket.id,
            csrf: &ticket.csrf,
            browser: "browser",
        };
        for _ in 1..MOST_WRONG_PASSWORDS {
            assert!(grants.wrong_password(answer, 1).is_ok());
        }
        assert!(grants.wrong_password(answer, 1).is_err());
        assert!(grants.sign_in(answer, 1).is_err());
    }
}
