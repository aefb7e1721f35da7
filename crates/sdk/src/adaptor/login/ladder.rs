//! The choice of a rung: pure, from what the account allows, what the server says of itself, and what the device has.
//!
//! The best rung that works is taken, or the one that the app insists on; why a better one was passed over is said. No rung
//! is ever left for a worse one because a request failed: that would let whoever can make requests fail choose.

use core::fmt;

use bonafide_oauth::ServerMetadata;
use bonafide_wire::upstream::{ClientAuthenticationMethod, Rung};
use serde::{Deserialize, Serialize};

use super::settings::Target;

/// Which rung an app wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RungWish {
    /// The best that works.
    #[default]
    Best,
    /// This one or none.
    Only(Rung),
}

/// Whether the device has keys for authorization servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceKeys {
    /// In its key store.
    Present,
    /// None.
    Absent,
}

/// How the client authenticates on a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// Attestation, and the DPoP proof as proof of possession (combined mode).
    AttestedByDpop,
    /// Attestation and a proof of its own.
    AttestedByProof,
    /// Nothing; the service adds it.
    Relay,
    /// An assertion by the instance's own key.
    OwnKey,
    /// An assertion that the service signed with a private key.
    AssertionByKey,
    /// An assertion that the service authenticated with the secret.
    AssertionBySecret,
    /// The secret in the header.
    SecretBasic,
    /// The secret in the form.
    SecretPost,
}

/// A rung that was chosen, and why no better one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The rung.
    pub rung: Rung,
    /// How the client authenticates on it.
    pub means: Means,
    /// Whether tokens obey the instance's key (DPoP).
    pub bound: bool,
    /// Whether the authorization request is pushed.
    pub pushed: bool,
    /// Better rungs, each with the reason.
    pub passed_over: Vec<PassedOver>,
}

/// A rung that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedOver {
    /// Which.
    pub rung: Rung,
    /// Why.
    pub why: Unfit,
}

/// Why a rung does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// The account does not allow it.
    NotAllowed,
    /// The app asked for another one.
    NotAskedFor,
    /// The server does not speak it.
    NotSpoken,
    /// It needs a key of the instance, and the device has none.
    NoInstanceKeys,
    /// The server demands pushed requests, and what pushes cannot authenticate.
    MustBePushed,
    /// The account lacks what it takes.
    NotConfigured,
}

impl Unfit {
    /// All of them, for the reference page.
    pub const ALL: [Self; 6] = [
        Self::NotAllowed,
        Self::NotAskedFor,
        Self::NotSpoken,
        Self::NoInstanceKeys,
        Self::MustBePushed,
        Self::NotConfigured,
    ];

    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "rung-not-allowed",
            Self::NotAskedFor => "rung-not-asked-for",
            Self::NotSpoken => "rung-not-spoken",
            Self::NoInstanceKeys => "rung-needs-instance-keys",
            Self::MustBePushed => "rung-cannot-push",
            Self::NotConfigured => "rung-not-configured",
        }
    }

    /// For people.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotAllowed => "the account does not allow it here",
            Self::NotAskedFor => "the app asked for another",
            Self::NotSpoken => "the server does not speak it",
            Self::NoInstanceKeys => "this device has no keys for it",
            Self::MustBePushed => "the server wants requests pushed, which it cannot do",
            Self::NotConfigured => "the account lacks what it takes",
        }
    }
}

/// No rung does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no rung of client authentication works here: {}", list(&self.passed_over))]
pub struct LadderReject {
    /// All of them, each with its reason.
    pub passed_over: Vec<PassedOver>,
}

impl LadderReject {
    /// Stable text; that of the rung that was insisted on, where one was.
    pub fn code(&self) -> &'static str {
        let mut reasons = self.passed_over.iter().map(|passed| passed.why);
        let asked = reasons.find(|why| *why != Unfit::NotAskedFor);
        match asked {
            Some(why) if self.insisted() => why.code(),
            _ => "no-rung",
        }
    }

    fn insisted(&self) -> bool {
        self.passed_over
            .iter()
            .any(|passed| passed.why == Unfit::NotAskedFor)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung {}, {}", self.rung.number(), self.rung)?;
        let why = list(&self.passed_over);
        if !why.is_empty() {
            write!(f, " ({why})")?;
        }
        Ok(())
    }
}

/// The rungs that were looked at; that the app asked for another one, it knows.
fn list(passed_over: &[PassedOver]) -> String {
    let each = passed_over
        .iter()
        .filter(|passed| passed.why != Unfit::NotAskedFor)
        .map(|passed| format!("{}: {}", passed.rung, passed.why.message()));
    each.collect::<Vec<_>>().join("; ")
}

/// Chooses.
pub fn choose(
    target: &Target,
    server: &ServerMetadata,
    wish: RungWish,
    keys: InstanceKeys,
) -> Result<Choice, LadderReject> {
    let mut passed_over = Vec::new();
    for rung in Rung::ALL {
        match judge(rung, target, server, (wish, keys)) {
            Ok(means) => {
                let bound = keys == InstanceKeys::Present && server.speaks_dpop();
                return Ok(Choice {
                    rung,
                    means,
                    bound,
                    pushed: pushes(means, server),
                    passed_over,
                });
            }
            Err(why) => passed_over.push(PassedOver { rung, why }),
        }
    }
    Err(LadderReject { passed_over })
}

fn judge(
    rung: Rung,
    target: &Target,
    server: &ServerMetadata,
    (wish, keys): (RungWish, InstanceKeys),
) -> Result<Means, Unfit> {
    if let RungWish::Only(asked) = wish
        && asked != rung
    {
        return Err(Unfit::NotAskedFor);
    }
    if !target.rungs.contains(&rung) {
        return Err(Unfit::NotAllowed);
    }
    let has_keys = keys == InstanceKeys::Present;
    match rung {
        Rung::AttestedClient => attested(server, keys),
        Rung::Relay if server.require_pushed_authorization_requests => Err(Unfit::MustBePushed),
        Rung::Relay => Ok(Means::Relay),
        Rung::OwnRegistration if !has_keys => Err(Unfit::NoInstanceKeys),
        Rung::OwnRegistration => {
            let registers = server.registration_endpoint.is_some();
            if registers {
                spoken(server, "private_key_jwt", Means::OwnKey)
            } else {
                Err(Unfit::NotSpoken)
            }
        }
        Rung::MintedAssertion => minted(target, server),
        Rung::DeliveredSecret => delivered(target, server),
    }
}

fn spoken(server: &ServerMetadata, method: &str, means: Means) -> Result<Means, Unfit> {
    if server.accepts(method) {
        Ok(means)
    } else {
        Err(Unfit::NotSpoken)
    }
}

/// Combined mode first: one proof does for both, and tokens are bound by the same key.
fn attested(server: &ServerMetadata, keys: InstanceKeys) -> Result<Means, Unfit> {
    let combined = server.accepts("attest_jwt_client_auth_dpop") && server.speaks_dpop();
    let means = if combined {
        Means::AttestedByDpop
    } else if server.accepts("attest_jwt_client_auth") {
        Means::AttestedByProof
    } else {
        return Err(Unfit::NotSpoken);
    };
    match keys {
        InstanceKeys::Present => Ok(means),
        InstanceKeys::Absent => Err(Unfit::NoInstanceKeys),
    }
}

fn minted(target: &Target, server: &ServerMetadata) -> Result<Means, Unfit> {
    let method = target.authentication.ok_or(Unfit::NotConfigured)?;
    let means = match method {
        ClientAuthenticationMethod::PrivateKeyJwt => Means::AssertionByKey,
        ClientAuthenticationMethod::ClientSecretJwt => Means::AssertionBySecret,
        ClientAuthenticationMethod::ClientSecretBasic
        | ClientAuthenticationMethod::ClientSecretPost => return Err(Unfit::NotConfigured),
    };
    spoken(server, method.as_str(), means)
}

/// As registered; where that is not said, in the form, which every stack can do.
fn delivered(target: &Target, server: &ServerMetadata) -> Result<Means, Unfit> {
    if target.secret.is_none() {
        return Err(Unfit::NotConfigured);
    }
    let post = server.accepts("client_secret_post");
    match target.authentication {
        Some(ClientAuthenticationMethod::ClientSecretBasic) => Ok(Means::SecretBasic),
        Some(ClientAuthenticationMethod::ClientSecretPost) => Ok(Means::SecretPost),
        Some(
            ClientAuthenticationMethod::PrivateKeyJwt | ClientAuthenticationMethod::ClientSecretJwt,
        ) => Err(Unfit::NotConfigured),
        None if post => Ok(Means::SecretPost),
        None => spoken(server, "client_secret_basic", Means::SecretBasic),
    }
}

/// Where the server takes pushed requests, except that a secret is not delivered twice and the relay does not push.
fn pushes(means: Means, server: &ServerMetadata) -> bool {
    let delivered = matches!(means, Means::SecretBasic | Means::SecretPost);
    server.pushed_authorization_request_endpoint.is_some()
        && means != Means::Relay
        && (!delivered || server.require_pushed_authorization_requests)
}

#[cfg(test)]
mod tests {
    use bonafide_oauth::{HttpResponse, Issuer};
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://as.example";

    fn server(change: impl FnOnce(&mut Value)) -> ServerMetadata {
        let mut document = json!({
            "issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "pushed_authorization_request_endpoint": format!("{ISSUER}/par"),
            "registration_endpoint": format!("{ISSUER}/register"),
            "dpop_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": [
                "attest_jwt_client_auth_dpop", "attest_jwt_client_auth", "private_key_jwt",
                "client_secret_jwt", "client_secret_basic", "client_secret_post",
            ],
        });
        change(&mut document);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let response = HttpResponse::new(200, headers, document.to_string().into_bytes());
        ServerMetadata::receive(&Issuer::parse(ISSUER).unwrap(), &response).unwrap()
    }

    fn google(document: &mut Value) {
        document["token_endpoint_auth_methods_supported"] =
            json!(["client_secret_post", "client_secret_basic"]);
        for member in [
            "dpop_signing_alg_values_supported",
            "pushed_authorization_request_endpoint",
            "registration_endpoint",
        ] {
            document.as_object_mut().unwrap().remove(member);
        }
    }

    fn target(rungs: &[Rung], method: Option<ClientAuthenticationMethod>) -> Target {
        Target {
            upstream: Some("as".parse().unwrap()),
            issuer: ISSUER.to_owned(),
            client_id: "books".to_owned(),
            rungs: rungs.to_vec(),
            authentication: method,
            secret: Some("client_secret".parse().unwrap()),
        }
    }

    fn best(target: &Target, server: &ServerMetadata) -> Option<Means> {
        let choice = choose(target, server, RungWish::Best, InstanceKeys::Present);
        choice.ok().map(|choice| choice.means)
    }

    #[test]
    fn the_best_rung_that_account_and_server_allow_is_taken() {
        use ClientAuthenticationMethod as Method;
        use Rung::{AttestedClient, DeliveredSecret, MintedAssertion, OwnRegistration, Relay};
        let modern = server(|_| ());
        let google = server(google);
        let key = Some(Method::PrivateKeyJwt);
        let secret = Some(Method::ClientSecretBasic);
        for (rungs, method, server, means) in [
            (&Rung::ALL[..], key, &modern, Some(Means::AttestedByDpop)),
            (&Rung::ALL, secret, &google, Some(Means::Relay)),
            (
                &[OwnRegistration, MintedAssertion],
                key,
                &modern,
                Some(Means::OwnKey),
            ),
            (
                &[MintedAssertion, DeliveredSecret],
                key,
                &modern,
                Some(Means::AssertionByKey),
            ),
            (
                &[MintedAssertion],
                Some(Method::ClientSecretJwt),
                &modern,
                Some(Means::AssertionBySecret),
            ),
            (
                &[DeliveredSecret],
                secret,
                &modern,
                Some(Means::SecretBasic),
            ),
            (&[DeliveredSecret], None, &google, Some(Means::SecretPost)),
            (
                &[AttestedClient, DeliveredSecret],
                secret,
                &google,
                Some(Means::SecretBasic),
            ),
            (&[AttestedClient], key, &google, None),
            (&[OwnRegistration], key, &google, None),
            (&[MintedAssertion], key, &google, None),
            (&[MintedAssertion], None, &modern, None),
            (&[MintedAssertion], secret, &modern, None),
            (&[DeliveredSecret], key, &modern, None),
            (&[Relay], None, &google, Some(Means::Relay)),
        ] {
            assert_eq!(best(&target(rungs, method), server), means, "{rungs:?}");
        }
    }

    #[test]
    fn a_server_without_combined_mode_gets_a_proof_of_its_own() {
        let target = target(&[Rung::AttestedClient], None);
        let proof_only = server(|document| {
            document["token_endpoint_auth_methods_supported"] = json!(["attest_jwt_client_auth"]);
        });
        assert_eq!(best(&target, &proof_only), Some(Means::AttestedByProof));
        let no_dpop = server(|document| {
            document["dpop_signing_alg_values_supported"] = json!(["RS256"]);
        });
        assert_eq!(best(&target, &no_dpop), Some(Means::AttestedByProof));
    }

    #[test]
    fn what_an_app_insists_on_is_taken_or_refused_and_never_replaced() {
        let all = target(
            &Rung::ALL,
            Some(ClientAuthenticationMethod::ClientSecretPost),
        );
        let google = server(google);
        let only = |rung| choose(&all, &google, RungWish::Only(rung), InstanceKeys::Present);
        assert_eq!(
            only(Rung::DeliveredSecret).unwrap().rung,
            Rung::DeliveredSecret
        );
        let reject = only(Rung::AttestedClient).unwrap_err();
        assert_eq!(reject.code(), "rung-not-spoken");
        let relay = target(&[Rung::Relay], None);
        let wish = RungWish::Only(Rung::DeliveredSecret);
        let reject = choose(&relay, &google, wish, InstanceKeys::Present).unwrap_err();
        assert_eq!(reject.code(), "rung-not-allowed");
        let attested = target(&[Rung::AttestedClient], None);
        let reject = choose(&attested, &google, RungWish::Best, InstanceKeys::Present);
        assert_eq!(reject.unwrap_err().code(), "no-rung");
    }

    #[test]
    fn without_keys_nothing_that_needs_one_is_chosen_and_tokens_are_not_bound() {
        let all = target(&Rung::ALL, Some(ClientAuthenticationMethod::PrivateKeyJwt));
        let choice = choose(&all, &server(|_| ()), RungWish::Best, InstanceKeys::Absent).unwrap();
        assert_eq!((choice.rung, choice.bound), (Rung::Relay, false));
        assert_eq!(
            choice.passed_over,
            [PassedOver {
                rung: Rung::AttestedClient,
                why: Unfit::NoInstanceKeys
            }]
        );
        assert!(choice.to_string().contains("this device has no keys"));
    }

    #[test]
    fn requests_are_pushed_where_that_costs_no_further_delivery_of_a_secret() {
        let wants = server(|document| {
            document["require_pushed_authorization_requests"] = json!(true);
        });
        let secret = Some(ClientAuthenticationMethod::ClientSecretPost);
        for (rungs, server, pushed) in [
            (&[Rung::AttestedClient][..], server(|_| ()), true),
            (&[Rung::DeliveredSecret], server(|_| ()), false),
            (&[Rung::DeliveredSecret], wants.clone(), true),
            (&[Rung::Relay], server(|_| ()), false),
            (&[Rung::AttestedClient], server(google), false),
        ] {
            let target = target(rungs, secret);
            let choice = choose(&target, &server, RungWish::Best, InstanceKeys::Present);
            assert_eq!(
                choice.is_ok_and(|choice| choice.pushed),
                pushed,
                "{rungs:?}"
            );
        }
        let relay = target(&[Rung::Relay], None);
        let reject = choose(&relay, &wants, RungWish::Best, InstanceKeys::Present).unwrap_err();
        assert_eq!(reject.passed_over[1].why, Unfit::MustBePushed);
    }
}
