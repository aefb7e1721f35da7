//! A registration of this instance's own (RFC 7591): the client is one installation, its key never leaves it.
//!
//! A software statement, signed by somebody the server trusts, says what the instance is; the instance brings its key. Who
//! signs statements, and for whom, this module does not know. The server may answer with other metadata than asked
//! for; what weakens the client is refused.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::discovery::{DiscoveryReject, ServerMetadata, is_endpoint};
use crate::dpop::DpopKey;
use crate::freshness::is_value;
use crate::http::{HttpRequest, HttpResponse, Method};
use crate::redirect_uri::RedirectUri;
use crate::response::{self, Answer, MOST_RESPONSE_BYTES, Refusal, ResponseReject};
use crate::seal::{Record, RecordReject};
use crate::secret::SecretText;

const METHOD: &str = "private_key_jwt";

/// What is asked for.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Where browsers come back to.
    pub redirect_uris: &'a [RedirectUri],
    /// The instance's key, which will sign its assertions.
    pub key: &'a DpopKey,
    /// By somebody the server trusts.
    pub software_statement: &'a SecretText,
    /// Where the server wants one for registration at all.
    pub initial_access_token: Option<&'a SecretText>,
}

/// A registration that came out as asked.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    client_id: String,
    management: Option<Management>,
}

/// Where the registration can be deleted (RFC 7592), and the token for that.
#[derive(Debug, Clone)]
struct Management {
    url: Url,
    token: SecretText,
}

/// A registration that did not come out as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationReject {
    /// The server takes no registrations.
    #[error(transparent)]
    Discovery(#[from] DiscoveryReject),
    /// No answer.
    #[error(transparent)]
    Response(#[from] ResponseReject),
    /// The server said no.
    #[error("the authorization server refused: {0}")]
    Refused(Refusal),
    /// The client would authenticate with something else than its key.
    #[error("the server registered another way of authentication than the instance's key")]
    MethodReplaced,
    /// Other redirect URIs than asked for.
    #[error("the server registered other redirect URIs than asked for")]
    RedirectReplaced,
}

impl RegistrationReject {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Discovery(reject) => reject.code(),
            Self::Response(reject) => reject.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::MethodReplaced => "registration-method-replaced",
            Self::RedirectReplaced => "registration-redirect-replaced",
        }
    }
}

/// The request.
pub fn begin(server: &ServerMetadata, wish: &Wish<'_>) -> Result<HttpRequest, DiscoveryReject> {
    let url = server
        .registration_endpoint
        .clone()
        .ok_or(DiscoveryReject::EndpointMissing("registration_endpoint"))?;
    let redirect_uris: Vec<_> = wish.redirect_uris.iter().map(RedirectUri::as_str).collect();
    let body = json!({
        "redirect_uris": redirect_uris,
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": METHOD,
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [wish.key.jwk()]},
        "software_statement": wish.software_statement.expose(),
    });
    let mut request = HttpRequest::post_json(url, &body, MOST_RESPONSE_BYTES);
    if let Some(token) = wish.initial_access_token {
        request = request.with_header("authorization", bearer(token));
    }
    Ok(request)
}

#[derive(Deserialize)]
struct RegistrationBody {
    client_id: String,
    token_endpoint_auth_method: Option<String>,
    redirect_uris: Option<Vec<String>>,
    registration_client_uri: Option<Url>,
    registration_access_token: Option<SecretText>,
}

/// Judges the answer.
pub fn receive(
    server: &ServerMetadata,
    wish: &Wish<'_>,
    response: &HttpResponse,
) -> Result<RegisteredClient, RegistrationReject> {
    if let Answer::Refused(refusal) = response::judge(response, MOST_RESPONSE_BYTES)? {
        return Err(RegistrationReject::Refused(refusal));
    }
    let body: RegistrationBody = response::json(response)?;
    if !is_value(&body.client_id) {
        return Err(ResponseReject::Malformed.into());
    }
    if body.token_endpoint_auth_method.as_deref() != Some(METHOD) {
        return Err(RegistrationReject::MethodReplaced);
    }
    let asked = wish.redirect_uris.iter().map(RedirectUri::as_str);
    let given = body.redirect_uris.unwrap_or_default();
    if !asked.eq(given.iter().map(String::as_str)) {
        return Err(RegistrationReject::RedirectReplaced);
    }
    let management = match (body.registration_client_uri, body.registration_access_token) {
        (Some(url), Some(token)) => {
            if !is_endpoint(&server.issuer, &url) {
                return Err(DiscoveryReject::EndpointInsecure.into());
            }
            Some(Management { url, token })
        }
        _ => None,
    };
    Ok(RegisteredClient {
        client_id: body.client_id,
        management,
    })
}

impl RegisteredClient {
    /// For every request from now on.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The request that deletes it, where the server allows that.
    pub fn delete(&self) -> Option<HttpRequest> {
        let management = self.management.as_ref()?;
        let mut request = HttpRequest::fetch(management.url.clone(), MOST_RESPONSE_BYTES);
        request.method = Method::Delete;
        Some(request.with_header("authorization", bearer(&management.token)))
    }
}

fn bearer(token: &SecretText) -> SecretText {
    SecretText::new(format!("Bearer {}", token.expose()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientRecord {
    client_id: String,
    management: Option<(Url, SecretText)>,
}

impl Record for RegisteredClient {
    const PURPOSE: &'static str = "bonafide-oauth-registration-1";

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let management = self
            .management
            .as_ref()
            .map(|management| json!([management.url, management.token.expose()]));
        let record: Value = json!({"client_id": self.client_id, "management": management});
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let record: ClientRecord =
            serde_json::from_slice(bytes).map_err(|_| RecordReject::Malformed)?;
        Ok(Self {
            client_id: record.client_id,
            management: record
                .management
                .map(|(url, token)| Management { url, token }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::tests::{html_response, json_response};
    use crate::testing::{self, InstanceKey, REDIRECT};

    fn server() -> ServerMetadata {
        let mut server = testing::server();
        server.registration_endpoint = Some(Url::parse("https://as.example/register").unwrap());
        server
    }

    fn answer() -> Value {
        json!({
            "client_id": "instance-1", "token_endpoint_auth_method": METHOD,
            "redirect_uris": [REDIRECT], "registration_access_token": "manage-1",
            "registration_client_uri": "https://as.example/register/instance-1",
            "client_secret": "unwanted",
        })
    }

    fn with_wish<T>(judge: impl FnOnce(&Wish<'_>) -> T) -> T {
        let key = InstanceKey::new().public();
        let (uris, statement) = (
            [RedirectUri::parse(REDIRECT).unwrap()],
            SecretText::new("s.t.m"),
        );
        judge(&Wish {
            redirect_uris: &uris,
            key: &key,
            software_statement: &statement,
            initial_access_token: None,
        })
    }

    #[test]
    fn the_request_brings_statement_and_key_and_the_answer_can_be_deleted_again() {
        with_wish(|wish| {
            let request = begin(&server(), wish).unwrap();
            let body: Value = serde_json::from_str(request.body.expose()).unwrap();
            assert_eq!(body["software_statement"], "s.t.m");
            assert_eq!(body["jwks"]["keys"][0], wish.key.jwk());
            let client = receive(&server(), wish, &json_response(201, &answer())).unwrap();
            assert_eq!(client.client_id(), "instance-1");
            let back = RegisteredClient::from_record(&client.to_record()).unwrap();
            let delete = back.delete().unwrap();
            assert_eq!(
                (delete.method, delete.url.path()),
                (Method::Delete, "/register/instance-1")
            );
            assert_eq!(
                delete.header("authorization").unwrap().expose(),
                "Bearer manage-1"
            );
            assert!(!format!("{client:?}").contains("manage-1"));
        });
    }

    #[test]
    fn an_answer_that_weakens_the_client_is_refused() {
        for (member, value, code) in [
            (
                "token_endpoint_auth_method",
                json!("client_secret_basic"),
                "registration-method-replaced",
            ),
            (
                "token_endpoint_auth_method",
                Value::Null,
                "registration-method-replaced",
            ),
            (
                "redirect_uris",
                json!([REDIRECT, "https://evil.example/"]),
                "registration-redirect-replaced",
            ),
            (
                "redirect_uris",
                Value::Null,
                "registration-redirect-replaced",
            ),
            ("client_id", json!(""), "response-malformed"),
            (
                "registration_client_uri",
                json!("http://as.example/"),
                "discovery-endpoint-insecure",
            ),
        ] {
            let mut broken = answer();
            broken[member] = value;
            let reject = with_wish(|wish| receive(&server(), wish, &json_response(201, &broken)));
            assert_eq!(reject.err().unwrap().code(), code, "{member}");
        }
        for (response, code) in [
            (html_response(502), "response-status"),
            (
                json_response(400, &json!({"error": "invalid_software_statement"})),
                "server-invalid-software-statement",
            ),
        ] {
            let reject = with_wish(|wish| receive(&server(), wish, &response));
            assert_eq!(reject.err().unwrap().code(), code);
        }
    }

    #[test]
    fn a_server_without_the_endpoint_takes_no_registrations() {
        let reject = with_wish(|wish| begin(&testing::server(), wish)).err();
        assert_eq!(
            reject.map(DiscoveryReject::code),
            Some("discovery-endpoint-missing")
        );
    }
}
