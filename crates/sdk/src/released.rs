//! What the SDK gives to an app: tokens, secrets, trust. Secrets print nothing and wipe themselves.

use std::sync::Arc;

use bonafide_trust::{Bundle, Freshness};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::{Host, SecretName, UpstreamName};
use bonafide_wire::secret::SecretText;

use crate::error::SdkError;

/// Something an app wants from the service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// To be enrolled, no more.
    Enrolment,
    /// An attestation token for a protected API.
    Token {
        /// The API.
        audience: Host,
        /// SHA-256 of caller data that the token shall be bound to.
        binding: Option<Base64Url>,
    },
    /// A runtime secret for one host.
    Secret {
        /// Its name.
        name: SecretName,
        /// Where it is about to go.
        host: Host,
    },
    /// A client attestation for the instance's key at one authorization server (rung 1).
    ClientAttestation {
        /// The server.
        upstream: UpstreamName,
        /// The instance's public key there; an attestation for another one is none.
        public_key: Base64Url,
    },
    /// A client assertion for one request to one authorization server (rung 4). Each is asked for anew.
    ClientAssertion {
        /// The server.
        upstream: UpstreamName,
        /// Tells two requests apart: no assertion serves both.
        request: u64,
    },
}

/// What makes the instance the app's client at an authorization server, for minutes or for one request.
#[derive(Debug, Clone)]
pub struct ClientCredential {
    pub(crate) upstream: UpstreamName,
    pub(crate) value: SecretText,
}

impl ClientCredential {
    /// The one server it is for.
    pub fn upstream(&self) -> &UpstreamName {
        &self.upstream
    }

    /// The compact JWS. Every call is a place to review.
    pub fn expose(&self) -> &str {
        self.value.expose()
    }
}

/// What an authorization server answered through the relay.
#[derive(Debug, Clone)]
pub struct Relayed {
    /// Its HTTP status.
    pub status: u16,
    /// Its headers that matter, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: SecretText,
    /// Whether a refresh token in the body stays with the service: good there, and for this instance only.
    pub refresh_token_kept: bool,
}

/// A short JWT for the header `Bonafide-Token` of one protected API.
#[derive(Debug, Clone)]
pub struct AttestationToken {
    pub(crate) audience: Host,
    pub(crate) token: SecretText,
}

impl AttestationToken {
    /// The API that it is for.
    pub fn audience(&self) -> &Host {
        &self.audience
    }

    /// The compact JWS. Every call is a place to review.
    pub fn expose(&self) -> &str {
        self.token.expose()
    }
}

/// A secret, released for one host. Use it at once and drop it.
#[derive(Debug, Clone)]
pub struct RuntimeSecret {
    pub(crate) name: SecretName,
    pub(crate) host: Host,
    pub(crate) uses: Vec<SecretUse>,
    pub(crate) version: u64,
    pub(crate) value: SecretText,
}

impl RuntimeSecret {
    /// Its name.
    pub fn name(&self) -> &SecretName {
        &self.name
    }

    /// The one host it may go to.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether it may stand in that place of a request.
    pub fn allows(&self, place: SecretUse) -> bool {
        self.uses.contains(&place)
    }

    /// Its version; grows with each rotation.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The value. Every call is a place to review.
    pub fn expose(&self) -> &str {
        self.value.expose()
    }
}

/// The trust metadata in force.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) freshness: Freshness,
    pub(crate) problem: Option<SdkError>,
}

impl Trust {
    /// The bundle; [`bonafide_trust::decide()`] takes it.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Its version: a new one means new connections and no resumed sessions.
    pub fn epoch(&self) -> u64 {
        self.bundle.version
    }

    /// Whether it is before its expiry.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Why the last attempt to renew it failed; what is held stays in force.
    pub fn problem(&self) -> Option<&SdkError> {
        self.problem.as_ref()
    }
}
