//! What an authorization server supports, which rung of the ladder is best there, and why.
//!
//! Reads the server's metadata and says what follows; it changes nothing and tries no login.

use bonafide_wire::admin::{CheckUpstream, RungReport, RungSupport, UpstreamReport};
use bonafide_wire::ids::Issuer;
use bonafide_wire::upstream::Rung;

use super::Scope;
use super::upstreams::not_discovered;
use crate::app::discovered::{self, Discovered, Metadata};
use crate::app::{AppError, Service};
use crate::config::{ClientAuthentication, Upstream};

/// Asks the server and reports.
pub async fn check(
    service: &Service,
    scope: &Scope,
    wanted: &CheckUpstream,
) -> Result<UpstreamReport, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?.config;
    let (issuer, upstream) = match (&wanted.upstream, &wanted.issuer) {
        (Some(name), None) => {
            let upstream = account.upstreams.get(name);
            let upstream = upstream.ok_or(AppError::NotFound("upstream"))?;
            (&upstream.issuer, Some(upstream))
        }
        (None, Some(issuer)) => (issuer, None),
        _ => {
            let message = "name an upstream of the account or an issuer, one of the two";
            return Err(AppError::invalid("", message));
        }
    };
    let found = discovered::discover(service.outbound(), issuer)
        .await
        .map_err(not_discovered)?;
    Ok(report(issuer, upstream, found))
}

fn report(issuer: &Issuer, upstream: Option<&Upstream>, found: Discovered) -> UpstreamReport {
    let rungs: Vec<RungReport> = Rung::ALL
        .into_iter()
        .map(|rung| {
            let (support, why) = support(rung, &found);
            RungReport {
                rung,
                support,
                allowed: upstream.map(|upstream| upstream.allows(rung)),
                why,
            }
        })
        .collect();
    UpstreamReport {
        issuer: issuer.clone(),
        metadata_url: found.url.clone(),
        auth_methods: found.metadata.auth_methods(),
        features: features(&found.metadata),
        best: best(&rungs),
        warnings: warnings(upstream, &found, &rungs),
        endpoints: found.endpoints,
        rungs,
    }
}

/// The first that the server names; one that it may support only where it names none.
fn best(rungs: &[RungReport]) -> Option<Rung> {
    let usable = |wanted: RungSupport| {
        rungs
            .iter()
            .find(|report| report.support == wanted && report.allowed != Some(false))
            .map(|report| report.rung)
    };
    usable(RungSupport::Yes).or_else(|| usable(RungSupport::Maybe))
}

fn support(rung: Rung, found: &Discovered) -> (RungSupport, String) {
    let methods = found.metadata.auth_methods();
    let offers = |wanted: &[&str]| -> Vec<String> {
        let offered = methods.iter();
        offered
            .filter(|method| wanted.contains(&method.as_str()))
            .cloned()
            .collect()
    };
    match rung {
        Rung::AttestedClient => by_methods(
            &offers(&["attest_jwt_client_auth", "attest_jwt_client_auth_dpop"]),
            "it takes client attestations",
            "it takes no client attestations",
        ),
        Rung::Relay => by_methods(
            &offers(&[
                "client_secret_basic",
                "client_secret_post",
                "client_secret_jwt",
                "private_key_jwt",
            ]),
            "the service can authenticate and forward",
            "it has no client authentication that the service speaks",
        ),
        Rung::OwnRegistration => own_registration(found, &offers(&["private_key_jwt"])),
        Rung::MintedAssertion => by_methods(
            &offers(&["private_key_jwt", "client_secret_jwt"]),
            "it takes client assertions",
            "it takes no client assertions",
        ),
        Rung::DeliveredSecret => by_methods(
            &offers(&["client_secret_basic", "client_secret_post"]),
            "it takes a client secret",
            "it takes no client secret",
        ),
    }
}

fn by_methods(offered: &[String], yes: &str, no: &str) -> (RungSupport, String) {
    if offered.is_empty() {
        (RungSupport::No, no.to_owned())
    } else {
        (RungSupport::Yes, format!("{yes} ({})", offered.join(", ")))
    }
}

fn own_registration(found: &Discovered, offered: &[String]) -> (RungSupport, String) {
    match (&found.endpoints.registration, offered.is_empty()) {
        (None, _) => (
            RungSupport::No,
            "it has no registration endpoint".to_owned(),
        ),
        (Some(_), true) => (
            RungSupport::No,
            "its clients cannot authenticate with a key (private_key_jwt)".to_owned(),
        ),
        (Some(_), false) => (
            RungSupport::Maybe,
            "it registers clients; metadata do not say whether it checks software statements"
                .to_owned(),
        ),
    }
}

fn features(metadata: &Metadata) -> Vec<String> {
    let s256 = metadata
        .code_challenge_methods_supported
        .iter()
        .any(|method| method == "S256");
    [
        (s256, "pkce-s256"),
        (
            !metadata.dpop_signing_alg_values_supported.is_empty(),
            "dpop",
        ),
        (
            metadata.pushed_authorization_request_endpoint.is_some(),
            "pushed-requests",
        ),
        (
            metadata.authorization_response_iss_parameter_supported,
            "iss-in-redirects",
        ),
    ]
    .into_iter()
    .filter(|(there, _)| *there)
    .map(|(_, name)| name.to_owned())
    .collect()
}

fn warnings(upstream: Option<&Upstream>, found: &Discovered, rungs: &[RungReport]) -> Vec<String> {
    let mut warnings = Vec::new();
    let metadata = &found.metadata;
    let s256 = metadata
        .code_challenge_methods_supported
        .iter()
        .any(|method| method == "S256");
    if !s256 {
        warnings.push(
            "it does not say that it checks PKCE (S256); it is sent anyway, ask its operator"
                .to_owned(),
        );
    }
    if metadata.dpop_signing_alg_values_supported.is_empty() {
        warnings.push(
            "without DPoP its tokens are bearer tokens: whoever has one can use it".to_owned(),
        );
    }
    let Some(upstream) = upstream else {
        return warnings;
    };
    if upstream.endpoints != found.endpoints {
        warnings.push(
            "its endpoints have changed since the upstream was added; `bonafide upstream add` takes over the new ones"
                .to_owned(),
        );
    }
    let method = upstream
        .authentication
        .as_ref()
        .map(ClientAuthentication::method);
    if let Some(method) = method
        && !metadata.auth_methods().iter().any(|m| m == method.as_str())
    {
        warnings.push(format!(
            "the upstream authenticates by {}, which the server does not name",
            method.as_str()
        ));
    }
    for report in rungs {
        if report.allowed == Some(true) && report.support == RungSupport::No {
            warnings.push(format!("{} is allowed, but {}", report.rung, report.why));
        }
    }
    if upstream.allows(Rung::DeliveredSecret) {
        warnings.push(
            "delivered-secret lets every instance that is compromised later keep the app-wide secret; prefer relay"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use bonafide_wire::admin::UpstreamEndpoints;
    use bonafide_wire::ids::EndpointUrl;

    use super::*;

    fn found(methods: Option<&[&str]>, registration: Option<&str>) -> Discovered {
        let url = |text: &str| EndpointUrl::parse(text).unwrap();
        Discovered {
            metadata: Metadata {
                token_endpoint_auth_methods_supported: methods
                    .map(|methods| methods.iter().map(|m| (*m).to_owned()).collect()),
                ..Metadata::default()
            },
            url: url("https://as.example/.well-known/openid-configuration"),
            endpoints: UpstreamEndpoints {
                token: url("https://as.example/token"),
                revocation: None,
                registration: registration.map(url),
            },
        }
    }

    #[test]
    fn the_best_rung_follows_from_what_the_server_says() {
        let google: &[&str] = &["client_secret_post", "client_secret_basic"];
        let cases = [
            ("Google", Some(google), None, Some(Rung::Relay)),
            ("silent", None, None, Some(Rung::Relay)),
            (
                "attesting",
                Some(&["attest_jwt_client_auth", "client_secret_basic"] as &[_]),
                Some("https://as.example/reg"),
                Some(Rung::AttestedClient),
            ),
            (
                "public clients only",
                Some(&["none"]),
                Some("https://as.example/reg"),
                None,
            ),
        ];
        let issuer = Issuer::parse("https://as.example").unwrap();
        for (what, methods, registration, best) in cases {
            let report = report(&issuer, None, found(methods, registration));
            assert_eq!(report.best, best, "{what}");
            assert_eq!(report.rungs.len(), Rung::ALL.len());
        }
    }
}
