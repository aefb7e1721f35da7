//! A client of its own for one instance (rung 3): registered by the service with a software statement (RFC 7591).
//!
//! The service registers, not the phone: so the initial access token and the registration access token never leave it,
//! and the registration of a device that is revoked can always be deleted (RFC 7592).

use bonafide_wire::ids::EndpointUrl;
use bonafide_wire::secret::SecretText;
use bonafide_wire::token::Jwk;
use bonafide_wire::upstream::InstanceKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Answered, AppError, Relaying, answer, authenticated};
use crate::app::release::random_id;
use crate::app::snapshot::AccountView;
use crate::app::{Service, UpstreamFault};
use crate::config::Upstream;
use crate::store::{Actor, AuditEntry, InstanceClient, StoreError};
use crate::upstream::Call;

const MOST_ANSWER: usize = 64 * 1024;
/// Life of a software statement, seconds: it is used at once.
const STATEMENT_LIFE: i64 = 300;
/// How many registrations of revoked devices are ended in one go.
const BATCH: u32 = 50;

/// What the instance's client is.
#[derive(Debug, Clone, Serialize)]
struct ClientMetadata<'a> {
    client_name: &'a str,
    software_id: &'a str,
    redirect_uris: &'a [String],
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    token_endpoint_auth_method: &'static str,
    token_endpoint_auth_signing_alg: &'static str,
    application_type: &'static str,
    jwks: &'a Keys,
}

#[derive(Debug, Serialize)]
struct Keys {
    /// With its `kid`: servers look an assertion's key up by it.
    keys: [Jwk; 1],
}

/// The same as claims, with who says so (RFC 7591 §2.3).
#[derive(Debug, Serialize)]
struct Statement<'a> {
    iss: String,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(flatten)]
    metadata: ClientMetadata<'a>,
}

#[derive(Debug, Serialize)]
struct Registration<'a> {
    #[serde(flatten)]
    metadata: ClientMetadata<'a>,
    software_statement: &'a str,
}

/// What manages a registration; sealed in the store.
#[derive(Serialize, Deserialize)]
struct Management {
    uri: String,
    token: String,
}

/// Registers the instance, or answers with the client it has already for this key.
pub(super) async fn register(
    relaying: &Relaying,
    account: &AccountView<'_>,
    (upstream, key): (&Upstream, &InstanceKey),
) -> Result<Answered, AppError> {
    let jwk = Jwk::from_point(key.public_key.as_slice()).ok_or(AppError::InstanceKeyInvalid)?;
    let store = relaying.service.store();
    let place = (&relaying.account, &relaying.payload.upstream);
    let before = store
        .instance_client(place.0, place.1, &relaying.device)
        .await?;
    match before {
        Some(client) if client.key_thumbprint == jwk.kid => return registered(&client.client_id),
        // The old key is gone with the app's data; nobody will use that client again.
        Some(client) => end(&relaying.service, &client).await?,
        None => {}
    }
    let (call, secrets) = order(relaying, account, (upstream, key))?;
    let answer = relaying.service.outbound().call(call).await?;
    let document = answer::object(&answer)?;
    answer::refuse_echo(&answer, &secrets)?;
    if !answer.is_success() {
        return refused(&answer, &document);
    }
    let client = accepted(relaying, (upstream, jwk.kid), &document)?;
    let audit = AuditEntry {
        at: relaying.now,
        account: Some(relaying.account.clone()),
        actor: Actor(relaying.device.to_string()),
        action: "instance-client.registered",
        object: relaying.payload.upstream.to_string(),
        details: serde_json::json!({
            "client_id": client.client_id, "app": relaying.app,
            "deletable": client.management.is_some(),
        }),
    };
    let client_id = client.client_id.clone();
    store.put_instance_client(client, audit).await?;
    registered(&client_id)
}

fn order(
    relaying: &Relaying,
    account: &AccountView<'_>,
    (upstream, key): (&Upstream, &InstanceKey),
) -> Result<(Call, Vec<SecretText>), AppError> {
    let missing = |what: &str| AppError::Internal(format!("an instance cannot register: {what}"));
    let endpoint = upstream.endpoints.registration.as_ref();
    let endpoint = endpoint.ok_or_else(|| missing("no registration endpoint"))?;
    let attester = account
        .attester()
        .ok_or_else(|| missing("no attester key"))?;
    let jwk = Jwk::from_point(key.public_key.as_slice()).ok_or(AppError::InstanceKeyInvalid)?;
    let keys = Keys { keys: [jwk] };
    let app = account.config.apps.get(&relaying.app);
    let metadata = ClientMetadata {
        client_name: app.map_or(relaying.app.as_str(), |app| app.name.as_str()),
        software_id: relaying.app.as_str(),
        redirect_uris: &upstream.redirect_uris,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        application_type: application_type(&upstream.redirect_uris),
        jwks: &keys,
    };
    let statement = Statement {
        iss: relaying.service.settings().issuer(&relaying.account),
        iat: relaying.now,
        exp: relaying.now.saturating_add(STATEMENT_LIFE),
        jti: random_id()?,
        metadata: metadata.clone(),
    };
    let statement = attester.sign(&relaying.grant, "JWT", &statement)?;
    let registration = Registration {
        metadata,
        software_statement: statement.expose(),
    };
    let mut call =
        Call::post_json(endpoint.as_str(), serde_json::to_vec(&registration)?).at_most(MOST_ANSWER);
    let mut secrets = Vec::new();
    if let Some(name) = &upstream.registration_secret {
        let token = authenticated::open(relaying, account, name)?;
        call = call.header("authorization", format!("Bearer {}", token.expose()));
        secrets.push(token);
    }
    Ok((call, secrets))
}

/// OpenID Connect's word for apps whose redirects no web server could receive.
fn application_type(redirect_uris: &[String]) -> &'static str {
    let web = redirect_uris.iter().all(|uri| uri.starts_with("https://"));
    if web { "web" } else { "native" }
}

/// What the server made of it. A client that authenticates in another way is of no use, and of none to us.
fn accepted(
    relaying: &Relaying,
    (upstream, key_thumbprint): (&Upstream, String),
    document: &Map<String, Value>,
) -> Result<InstanceClient, AppError> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let client_id = text("client_id").filter(|id| {
        (1..=256).contains(&id.len()) && id.bytes().all(|b| (0x20..=0x7e).contains(&b))
    });
    let client_id =
        client_id.ok_or_else(|| answer::misbehaved("a registration without a client"))?;
    if text("token_endpoint_auth_method").is_some_and(|method| method != "private_key_jwt") {
        return Err(answer::misbehaved(
            "a registration with another client authentication",
        ));
    }
    let management = match (
        text("registration_client_uri"),
        text("registration_access_token"),
    ) {
        (Some(uri), Some(token)) if same_server(upstream, uri) => {
            let management = Zeroizing::new(serde_json::to_vec(&Management {
                uri: uri.to_owned(),
                token: token.to_owned(),
            })?);
            let sealed = relaying.service.keys().seal_management(
                &relaying.account,
                &relaying.payload.upstream,
                &relaying.device,
                &management,
            )?;
            Some(sealed)
        }
        _ => {
            tracing::warn!(upstream = %relaying.payload.upstream,
                "the server gave no usable registration management: its clients cannot be deleted from here");
            None
        }
    };
    Ok(InstanceClient {
        account: relaying.account.clone(),
        upstream: relaying.payload.upstream.clone(),
        device: relaying.device.clone(),
        client_id: client_id.to_owned(),
        key_thumbprint,
        management,
        created_at: relaying.now,
    })
}

/// A registration is managed where it was made: a token for it goes to no other server.
fn same_server(upstream: &Upstream, uri: &str) -> bool {
    let origin = |url: &str| {
        let scheme = url.find("://")?.saturating_add(3);
        let rest = url.get(scheme..)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        url.get(..scheme.saturating_add(end))
            .map(str::to_ascii_lowercase)
    };
    let registration = upstream.endpoints.registration.as_ref();
    EndpointUrl::parse(uri).is_ok()
        && registration.is_some_and(|endpoint| origin(endpoint.as_str()) == origin(uri))
}

fn registered(client_id: &str) -> Result<Answered, AppError> {
    let body = serde_json::json!({
        "client_id": client_id, "token_endpoint_auth_method": "private_key_jwt",
    });
    Ok(Answered {
        status: 201,
        headers: bonafide_wire::upstream::RelayedHeaders::default(),
        body: SecretText::new(serde_json::to_string(&body)?),
        kept: false,
    })
}

/// A refusal in the words of RFC 7591 §3.2.2, and nothing else of the answer.
fn refused(
    answer: &crate::upstream::Answer,
    document: &Map<String, Value>,
) -> Result<Answered, AppError> {
    let Some(error) = document.get("error").and_then(Value::as_str) else {
        return Err(answer::misbehaved(
            "a refused registration without a reason",
        ));
    };
    let mut body = Map::new();
    body.insert("error".to_owned(), error.into());
    if let Some(why) = document.get("error_description") {
        body.insert("error_description".to_owned(), why.clone());
    }
    Ok(Answered {
        status: answer.status,
        headers: answer::headers(answer),
        body: SecretText::new(serde_json::to_string(&body)?),
        kept: false,
    })
}

/// Ends the registrations of devices that were revoked since. What a server refuses now is tried again later.
pub(in crate::app) async fn end_revoked(service: &Service) -> Result<(), AppError> {
    for client in service.store().instance_clients_of_revoked(BATCH).await? {
        if let Err(error) = end(service, &client).await {
            tracing::warn!(%error, upstream = %client.upstream,
                "the client of a revoked device is not deleted yet");
        }
    }
    Ok(())
}

/// Deletes a client at its server (RFC 7592 §2.3), then forgets it.
async fn end(service: &Service, client: &InstanceClient) -> Result<(), AppError> {
    if let Some(sealed) = &client.management {
        let opened = service.keys().open_management(
            &client.account,
            &client.upstream,
            &client.device,
            sealed,
        )?;
        let management: Management = serde_json::from_slice(&opened)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let token = Zeroizing::new(management.token);
        let call = Call::delete(management.uri)
            .header("authorization", format!("Bearer {}", *token))
            .at_most(MOST_ANSWER);
        let answer = service.outbound().call(call).await?;
        // Gone is gone, whoever did it: a client that does not exist has no token either (RFC 7592 §2.3).
        if !answer.is_success() && ![401, 404, 410].contains(&answer.status) {
            return Err(AppError::Upstream(UpstreamFault::Misbehaved(format!(
                "status {} to a deletion",
                answer.status
            ))));
        }
    }
    let audit = AuditEntry {
        at: service.now(),
        account: Some(client.account.clone()),
        actor: Actor("service".to_owned()),
        action: "instance-client.deleted",
        object: client.upstream.to_string(),
        details: serde_json::json!({
            "client_id": client.client_id, "device": client.device,
            "at_server": client.management.is_some(),
        }),
    };
    Ok(service
        .store()
        .remove_instance_client(&client.account, &client.upstream, &client.device, audit)
        .await?)
}
