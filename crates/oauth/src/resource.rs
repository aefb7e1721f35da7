//! A request to a resource server: the access token in its header, the proof beside it, and what a refusal means.
//!
//! A 401 can ask for three different things: a fresh nonce (sign anew, once), a fresh token (refresh), or nothing that this app
//! can give. Which it is stands in `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §9). What the resource itself says is the
//! caller's business.

use url::Url;

use crate::authentication::AuthenticationReject;
use crate::discovery::{DiscoveryReject, is_endpoint};
use crate::dpop::{self, Binding, DpopKey, Proof, ProofSeed, UnsignedProof};
use crate::entropy::EntropyFailed;
use crate::freshness::{Demand, Demands};
use crate::http::{HttpResponse, Method};
use crate::response::Refusal;
use crate::secret::SecretText;
use crate::tokens::Tokens;

const MOST_HEADER_BYTES: usize = 4096;
const MOST_PARAMETERS: usize = 32;

/// A request to one resource, as often as it may be tried.
#[derive(Debug)]
pub struct ResourceCall {
    method: Method,
    url: Url,
    access_token: SecretText,
    authorization: SecretText,
    binding: Binding,
    demands: Demands,
}

/// A resource server that did not let the token in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceReject {
    /// A fresh nonce or challenge must be signed; prove the call anew and send it once more.
    #[error("the resource server demands a fresh value to be signed")]
    Demanded(Demand),
    /// The same demand again: a loop.
    #[error("the resource server goes on demanding fresh values")]
    DemandRepeated(Demand),
    /// The access token is expired, revoked or not for this resource: refresh, then try once more.
    #[error("the resource server does not accept the access token")]
    TokenRefused,
    /// It said no for another reason.
    #[error("the resource server refused: {0}")]
    Refused(Refusal),
}

impl ResourceReject {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Demanded(demand) => demand.code(),
            Self::DemandRepeated(_) => "demand-repeated",
            Self::TokenRefused => "server-invalid-token",
            Self::Refused(refusal) => refusal.code(),
        }
    }

    /// Whether a refreshed access token may be let in.
    pub fn wants_fresh_token(&self) -> bool {
        *self == Self::TokenRefused
    }
}

impl Tokens {
    /// Prepares a request to a resource. Tokens go over https only (plain on loopback below a plain issuer).
    pub fn resource(&self, method: Method, url: &Url) -> Result<ResourceCall, DiscoveryReject> {
        if !is_endpoint(&self.issuer, url) {
            return Err(DiscoveryReject::EndpointInsecure);
        }
        Ok(ResourceCall {
            method,
            url: url.clone(),
            access_token: self.access_token.clone(),
            authorization: self.authorization(),
            binding: self.binding.clone(),
            demands: Demands::default(),
        })
    }
}

impl ResourceCall {
    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A proof for this call and this token, to be signed by the key that the login is bound to.
    pub fn prove(
        &self,
        key: &DpopKey,
        seed: ProofSeed<'_>,
    ) -> Result<UnsignedProof, EntropyFailed> {
        dpop::prove_to_resource(key, (self.method, &self.url), &self.access_token, seed)
    }

    /// The headers of a bearer token's request.
    pub fn headers(&self) -> Result<Vec<(&'static str, SecretText)>, AuthenticationReject> {
        match self.binding {
            Binding::Bearer => Ok(vec![("authorization", self.authorization.clone())]),
            Binding::Dpop(_) => Err(AuthenticationReject::DpopProofMissing),
        }
    }

    /// The headers of a bound token's request.
    pub fn headers_with_proof(
        &self,
        proof: &Proof,
    ) -> Result<Vec<(&'static str, SecretText)>, AuthenticationReject> {
        match &self.binding {
            Binding::Bearer => Err(AuthenticationReject::DpopProofUnexpected),
            Binding::Dpop(own) if *own != proof.thumbprint => {
                Err(AuthenticationReject::DpopKeyMismatch)
            }
            Binding::Dpop(_) => Ok(vec![
                ("authorization", self.authorization.clone()),
                ("dpop", proof.header().clone()),
            ]),
        }
    }

    /// Whether the token was let in. After [`ResourceReject::Demanded`] let [`crate::freshness::Freshness`] learn from the
    /// answer, prove the call anew, and send it once more.
    pub fn receive(&mut self, response: &HttpResponse) -> Result<(), ResourceReject> {
        let Some(refusal) = refusal(response) else {
            return match response.status {
                401 => Err(ResourceReject::TokenRefused),
                _ => Ok(()),
            };
        };
        match Demand::of(&refusal, response) {
            Some(demand) if self.demands.admit(demand) => Err(ResourceReject::Demanded(demand)),
            Some(demand) => Err(ResourceReject::DemandRepeated(demand)),
            None if refusal.error == "invalid_token" => Err(ResourceReject::TokenRefused),
            None => Err(ResourceReject::Refused(refusal)),
        }
    }
}

/// The refusal that a 4xx answer states in `WWW-Authenticate`, by the first challenge of ours that names an error.
pub(crate) fn refusal(response: &HttpResponse) -> Option<Refusal> {
    if !(400..500).contains(&response.status) {
        return None;
    }
    response
        .headers
        .iter()
        .filter(|(name, value)| {
            name.eq_ignore_ascii_case("www-authenticate") && value.len() <= MOST_HEADER_BYTES
        })
        .find_map(|(_, value)| stated(value))
}

fn stated(header: &str) -> Option<Refusal> {
    let mut error = None;
    let mut description = None;
    let mut ours = false;
    for part in Challenges::new(header).take(MOST_PARAMETERS) {
        match part {
            Part::Scheme(_) if error.is_some() => break,
            Part::Scheme(name) => {
                ours = name.eq_ignore_ascii_case("DPoP") || name.eq_ignore_ascii_case("Bearer");
            }
            Part::Parameter(name, value) if ours => {
                if name.eq_ignore_ascii_case("error") {
                    error = error.or(Some(value));
                } else if name.eq_ignore_ascii_case("error_description") {
                    description = description.or(Some(value));
                }
            }
            Part::Parameter(..) => {}
        }
    }
    Refusal::parse(&error?, description.as_deref())
}

/// A piece of `WWW-Authenticate` (RFC 9110 §11.6.1).
enum Part<'a> {
    Scheme(&'a str),
    Parameter(&'a str, String),
}

/// Schemes and parameters in order; what is neither ends the reading.
struct Challenges<'a> {
    rest: &'a str,
}

impl<'a> Challenges<'a> {
    fn new(header: &'a str) -> Self {
        Self { rest: header }
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.token().map(str::to_owned);
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = quoted.get(at..)?.strip_prefix('"')?;
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                plain => value.push(plain),
            }
        }
        None
    }
}

impl<'a> Iterator for Challenges<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
        let name = self.token()?;
        let after = self.rest.trim_start_matches([' ', '\t']);
        // `token68` padding (`Basic abc==`) is no value.
        match after.strip_prefix('=') {
            Some(value) => {
                self.rest = value.trim_start_matches([' ', '\t']);
                self.value().map(|value| Part::Parameter(name, value))
            }
            None => Some(Part::Scheme(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entropy::fixed::Counting;
    use crate::testing::{self, InstanceKey, NOW};

    fn answer(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse::new(status, headers.iter().map(own).collect(), vec![])
    }

    fn shelf() -> Url {
        Url::parse("https://books.example/shelves/0?max=3").unwrap()
    }

    fn bound(key: &InstanceKey) -> Tokens {
        Tokens {
            binding: Binding::Dpop(key.public().thumbprint()),
            ..testing::tokens()
        }
    }

    fn proof(call: &ResourceCall, key: &InstanceKey) -> Proof {
        let mut entropy = Counting::default();
        let seed = ProofSeed {
            nonce: None,
            now: NOW,
            entropy: &mut entropy,
        };
        key.prove(call.prove(&key.public(), seed).unwrap())
    }

    #[test]
    fn a_bound_token_goes_with_a_proof_by_its_key_and_a_bearer_token_alone() {
        let (own, other) = (InstanceKey::new(), InstanceKey::new());
        let bearer = testing::tokens().resource(Method::Get, &shelf()).unwrap();
        let bound = bound(&own).resource(Method::Get, &shelf()).unwrap();
        let names = |headers: Vec<(&'static str, SecretText)>| {
            let named = headers.iter().map(|(name, value)| {
                let scheme = value.expose().split(' ').next().unwrap().to_owned();
                (
                    *name,
                    if *name == "dpop" {
                        String::new()
                    } else {
                        scheme
                    },
                )
            });
            named.collect::<Vec<_>>()
        };
        assert_eq!(
            names(bearer.headers().unwrap()),
            [("authorization", "Bearer".to_owned())]
        );
        let with_proof = bound.headers_with_proof(&proof(&bound, &own)).unwrap();
        assert_eq!(
            names(with_proof),
            [
                ("authorization", "DPoP".to_owned()),
                ("dpop", String::new())
            ]
        );
        for (refused, reject) in [
            (bound.headers(), AuthenticationReject::DpopProofMissing),
            (
                bound.headers_with_proof(&proof(&bound, &other)),
                AuthenticationReject::DpopKeyMismatch,
            ),
            (
                bearer.headers_with_proof(&proof(&bearer, &own)),
                AuthenticationReject::DpopProofUnexpected,
            ),
        ] {
            assert_eq!(refused.err(), Some(reject));
        }
    }

    #[test]
    fn a_token_does_not_go_out_in_clear() {
        for address in [
            "http://books.example/",
            "http://127.0.0.1/",
            "ftp://books.example/",
        ] {
            let url = Url::parse(address).unwrap();
            let reject = testing::tokens().resource(Method::Get, &url).err();
            assert_eq!(reject, Some(DiscoveryReject::EndpointInsecure), "{address}");
        }
    }

    #[test]
    fn each_refusal_of_a_resource_server_is_told_from_the_others() {
        let says = |error: &'static str| answer(401, &[("WWW-Authenticate", error)]);
        let mut nonce = says(r#"DPoP error="use_dpop_nonce", algs="ES256""#);
        nonce
            .headers
            .push(("DPoP-Nonce".to_owned(), "n-1".to_owned()));
        for (response, code, refresh) in [
            (nonce, "server-use-dpop-nonce", false),
            (
                says(r#"DPoP error="use_dpop_nonce""#),
                "server-use-dpop-nonce",
                false,
            ),
            (
                says(r#"Bearer realm="a, b", error="invalid_token", error_description="\"old\"""#),
                "server-invalid-token",
                true,
            ),
            (says("DPoP"), "server-invalid-token", true),
            (answer(401, &[]), "server-invalid-token", true),
            (
                answer(
                    403,
                    &[("www-authenticate", "bearer error=insufficient_scope")],
                ),
                "server-insufficient-scope",
                false,
            ),
            (
                answer(
                    401,
                    &[("www-authenticate", "DPoP error=invalid_dpop_proof")],
                ),
                "server-invalid-dpop-proof",
                false,
            ),
            (
                answer(
                    401,
                    &[(
                        "www-authenticate",
                        r#"Basic abc==, DPoP error="invalid_token""#,
                    )],
                ),
                "server-invalid-token",
                true,
            ),
        ] {
            let mut call = testing::tokens().resource(Method::Get, &shelf()).unwrap();
            let reject = call.receive(&response).unwrap_err();
            assert_eq!((reject.code(), reject.wants_fresh_token()), (code, refresh));
        }
        for status in [200, 304, 404, 500] {
            let mut call = testing::tokens().resource(Method::Get, &shelf()).unwrap();
            assert_eq!(call.receive(&answer(status, &[])), Ok(()), "{status}");
        }
    }

    #[test]
    fn a_nonce_is_demanded_once() {
        let mut call = bound(&InstanceKey::new())
            .resource(Method::Get, &shelf())
            .unwrap();
        let demand = answer(
            401,
            &[
                ("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\""),
                ("DPoP-Nonce", "n-1"),
            ],
        );
        for code in [
            "server-use-dpop-nonce",
            "demand-repeated",
            "demand-repeated",
        ] {
            assert_eq!(call.receive(&demand).unwrap_err().code(), code);
        }
    }

    #[test]
    fn another_schemes_error_is_not_ours() {
        for header in [
            r#"Negotiate error="invalid_token""#,
            r#"error="invalid_token""#,
            r#"Bearer error="unterminated"#,
            r#"Bearer error="a"b""#,
        ] {
            let response = answer(403, &[("www-authenticate", header)]);
            let stated = refusal(&response).map(|refusal| refusal.error);
            assert_ne!(stated.as_deref(), Some("invalid_token"), "{header}");
        }
        let long = format!("Bearer error=\"invalid_token\", x=\"{}\"", "y".repeat(5000));
        assert_eq!(refusal(&answer(403, &[("www-authenticate", &long)])), None);
    }

    proptest! {
        #[test]
        fn reading_a_header_never_panics(header in "\\PC{0,300}") {
            drop(refusal(&answer(401, &[("www-authenticate", &header)])));
        }
    }
}
