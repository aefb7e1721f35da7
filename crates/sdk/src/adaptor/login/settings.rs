//! What an app says about a login, and what the trust bundle makes of it. Decides which client the app is; refuses to know
//! any credential.

use bonafide_oauth::Issuer;
use bonafide_trust::{Bundle, Upstream};
use bonafide_wire::ids::{SecretName, UpstreamName};
use bonafide_wire::upstream::{ClientAuthenticationMethod, Rung};

use super::error::{LoginError, LoginFault};
use super::ladder::RungWish;

/// How an app logs in.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Where.
    pub authority: Authority,
    /// Scopes, in order. With `openid` there is a verified identity.
    pub scope: Vec<String>,
    /// Further parameters of the authorization request (`prompt`, `access_type`, …).
    pub extra: Vec<(String, String)>,
    /// Which rung.
    pub rung: RungWish,
}

impl LoginSettings {
    /// At an upstream of the account (`bonafide upstream add NAME …`), by its best rung.
    pub fn at(upstream: UpstreamName, scope: &[&str]) -> Self {
        Self {
            authority: Authority::Upstream(upstream),
            scope: scope.iter().map(|scope| (*scope).to_owned()).collect(),
            extra: Vec::new(),
            rung: RungWish::Best,
        }
    }
}

/// An authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// An upstream of the account: issuer, client id and allowed rungs come over the air.
    Upstream(UpstreamName),
    /// This client of this server, which is an upstream of the account or else gets a runtime secret (rung 5).
    Client {
        /// The server.
        issuer: String,
        /// The client.
        client_id: String,
        /// The secret, where the account has no such upstream.
        secret: SecretName,
    },
}

/// How far a login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStage {
    /// Fetching the server's metadata and choosing a rung.
    Discovering,
    /// Asking the service for what proves that this is the app.
    Proving,
    /// Trading the code for tokens.
    Exchanging,
    /// Verifying who logged in.
    Verifying,
}

/// The client that the app is at one server, as far as it is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in the account, where the account knows it.
    pub upstream: Option<UpstreamName>,
    /// The server.
    pub issuer: String,
    /// The client.
    pub client_id: String,
    /// What the account allows, best first.
    pub rungs: Vec<Rung>,
    /// What the client is registered for, where it has a credential.
    pub authentication: Option<ClientAuthenticationMethod>,
    /// The secret of rung 5.
    pub secret: Option<SecretName>,
}

impl From<&Upstream> for Target {
    fn from(upstream: &Upstream) -> Self {
        Self {
            upstream: Some(upstream.name.clone()),
            issuer: upstream.issuer.as_str().to_owned(),
            client_id: upstream.client_id.clone(),
            rungs: upstream.rungs.clone(),
            authentication: upstream.authentication,
            secret: upstream.secret.clone(),
        }
    }
}

impl Target {
    /// For the OAuth engine.
    pub(super) fn issuer(&self) -> Result<Issuer, LoginError> {
        Issuer::parse(&self.issuer).map_err(|reject| LoginError::OAuth(reject.into()))
    }

    /// The name in the account; a rung that needs one is only chosen where there is one.
    pub(super) fn named(&self) -> Result<&UpstreamName, LoginError> {
        let unknown = LoginFault::UpstreamUnknown;
        self.upstream.as_ref().ok_or(LoginError::Login(unknown))
    }
}

impl Authority {
    /// What the bundle says about it.
    pub(super) fn target(&self, bundle: &Bundle) -> Result<Target, LoginError> {
        match self {
            Self::Upstream(name) => bundle
                .upstream(name)
                .map(Target::from)
                .ok_or(LoginError::Login(LoginFault::UpstreamUnknown)),
            Self::Client {
                issuer,
                client_id,
                secret,
            } => {
                let known = bundle.upstreams.iter().find(|upstream| {
                    upstream.issuer.as_str() == issuer && upstream.client_id == *client_id
                });
                Ok(known.map_or_else(
                    || Target {
                        upstream: None,
                        issuer: issuer.clone(),
                        client_id: client_id.clone(),
                        rungs: vec![Rung::DeliveredSecret],
                        authentication: None,
                        secret: Some(secret.clone()),
                    },
                    Target::from,
                ))
            }
        }
    }

    /// Tells logins apart in the vault.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Upstream(name) => format!("upstream\0{name}"),
            Self::Client {
                issuer, client_id, ..
            } => format!("client\0{issuer}\0{client_id}"),
        }
    }
}
