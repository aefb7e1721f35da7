//! What servers want repeated to them: DPoP nonces and attestation challenges, the newest of each origin.
//!
//! Authorization and resource servers are kept apart because they are other origins. A server may demand a fresh value
//! once per call and kind; after that it is a loop, and the loop ends. Signing again is the caller's business.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use crate::http::HttpResponse;
use crate::response::Refusal;

const NONCE_HEADER: &str = "dpop-nonce";
const CHALLENGE_HEADER: &str = "oauth-client-attestation-challenge";
const MOST_BYTES: usize = 1024;

/// A fresh value that the server demands; it is remembered by [`Freshness::learn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// `use_dpop_nonce`: sign a new proof with the newest nonce.
    DpopNonce,
    /// `use_attestation_challenge`: sign a new attestation proof with the newest challenge.
    AttestationChallenge,
    /// `use_fresh_attestation`: obtain a new attestation; the old one is valid but too old for this server.
    FreshAttestation,
}

impl Demand {
    /// Stable text.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::DpopNonce => "server-use-dpop-nonce",
            Self::AttestationChallenge => "server-use-attestation-challenge",
            Self::FreshAttestation => "server-use-fresh-attestation",
        }
    }

    /// What the refusal demands, if the answer also brings the fresh value (a new attestation comes from elsewhere).
    pub(crate) fn of(refusal: &Refusal, response: &HttpResponse) -> Option<Self> {
        let (demand, header) = match refusal.error.as_str() {
            "use_dpop_nonce" => (Self::DpopNonce, NONCE_HEADER),
            "use_attestation_challenge" => (Self::AttestationChallenge, CHALLENGE_HEADER),
            "use_fresh_attestation" => return Some(Self::FreshAttestation),
            _ => return None,
        };
        value(response, header).map(|_| demand)
    }
}

/// Demands that one call has met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demands(BTreeSet<Demand>);

impl Demands {
    /// Whether this is the first of its kind.
    pub(crate) fn admit(&mut self, demand: Demand) -> bool {
        self.0.insert(demand)
    }
}

/// The newest values, by origin.
#[derive(Debug, Clone, Default)]
pub struct Freshness {
    nonces: BTreeMap<String, String>,
    challenges: BTreeMap<String, String>,
}

impl Freshness {
    /// Remembers what an answer from `url` brings; every answer may bring something, refusals too.
    pub fn learn(&mut self, url: &Url, response: &HttpResponse) {
        let origin = url.origin().ascii_serialization();
        if let Some(nonce) = value(response, NONCE_HEADER) {
            self.nonces.insert(origin.clone(), nonce.to_owned());
        }
        if let Some(challenge) = value(response, CHALLENGE_HEADER) {
            self.challenges.insert(origin, challenge.to_owned());
        }
    }

    /// The newest DPoP nonce for requests to `url`.
    pub fn nonce(&self, url: &Url) -> Option<&str> {
        self.nonces
            .get(&url.origin().ascii_serialization())
            .map(String::as_str)
    }

    /// The newest attestation challenge for requests to `url`.
    pub fn challenge(&self, url: &Url) -> Option<&str> {
        self.challenges
            .get(&url.origin().ascii_serialization())
            .map(String::as_str)
    }

    pub(crate) fn learn_challenge(&mut self, url: &Url, challenge: String) {
        self.challenges
            .insert(url.origin().ascii_serialization(), challenge);
    }
}

fn value<'a>(response: &'a HttpResponse, header: &str) -> Option<&'a str> {
    response.header(header).filter(|text| is_value(text))
}

/// Whether the answer carries a DPoP nonce that can be repeated.
pub(crate) fn brings_nonce(response: &HttpResponse) -> bool {
    value(response, NONCE_HEADER).is_some()
}

pub(crate) fn is_value(text: &str) -> bool {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    !text.is_empty() && text.len() <= MOST_BYTES && printable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> HttpResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        HttpResponse::new(400, headers, vec![])
    }

    #[test]
    fn the_newest_value_of_each_origin_counts_and_origins_do_not_mix() {
        let server = Url::parse("https://as.example/token").unwrap();
        let same = Url::parse("https://as.example/par?x").unwrap();
        let resource = Url::parse("https://rs.example/").unwrap();
        let mut freshness = Freshness::default();
        freshness.learn(&server, &answer(&[("DPoP-Nonce", "a")]));
        freshness.learn(&server, &answer(&[("DPoP-Nonce", "b")]));
        freshness.learn(&resource, &answer(&[("DPoP-Nonce", "r")]));
        freshness.learn(&server, &answer(&[(CHALLENGE_HEADER, "c")]));
        assert_eq!(freshness.nonce(&same), Some("b"));
        assert_eq!(freshness.nonce(&resource), Some("r"));
        assert_eq!(freshness.challenge(&same), Some("c"));
        assert_eq!(freshness.challenge(&resource), None);
    }

    #[test]
    fn a_value_that_cannot_be_repeated_is_not_remembered() {
        let server = Url::parse("https://as.example/token").unwrap();
        let mut freshness = Freshness::default();
        for bad in ["", "a b", "a\u{1}", &"x".repeat(MOST_BYTES + 1)] {
            freshness.learn(&server, &answer(&[("dpop-nonce", bad)]));
            assert_eq!(freshness.nonce(&server), None, "{bad}");
        }
    }

    #[test]
    fn a_demand_without_the_value_it_demands_is_an_ordinary_refusal() {
        let refusal = |error: &str| Refusal::parse(error, None).unwrap();
        let nonce = answer(&[("DPoP-Nonce", "a")]);
        let challenge = answer(&[(CHALLENGE_HEADER, "a")]);
        for (error, response, demand) in [
            ("use_dpop_nonce", &nonce, Some(Demand::DpopNonce)),
            ("use_dpop_nonce", &challenge, None),
            (
                "use_attestation_challenge",
                &challenge,
                Some(Demand::AttestationChallenge),
            ),
            (
                "use_fresh_attestation",
                &nonce,
                Some(Demand::FreshAttestation),
            ),
            ("invalid_grant", &nonce, None),
        ] {
            assert_eq!(Demand::of(&refusal(error), response), demand);
        }
    }

    #[test]
    fn a_kind_of_demand_is_admitted_once() {
        let mut demands = Demands::default();
        assert!(demands.admit(Demand::DpopNonce));
        assert!(demands.admit(Demand::AttestationChallenge));
        assert!(!demands.admit(Demand::DpopNonce));
    }
}
