//! What an upstream answered, and how much of it goes back to the instance.
//!
//! Decides that it is an answer of an OAuth server at all, that it echoes no credential of ours, and that a refresh
//! token which is kept leaves only in its sealed form.

use bonafide_wire::bytes;
use bonafide_wire::secret::SecretText;
use bonafide_wire::upstream::{RelayOrder, RelayedHeaders};
use serde_json::{Map, Value};

use super::{Answered, AppError, KEPT, Relaying};
use crate::app::UpstreamFault;
use crate::config::Upstream;
use crate::upstream::Answer;

/// How long an instance is told to wait at most, seconds.
const LONGEST_WAIT: u32 = 300;
const USUAL_WAIT: u32 = 5;

pub(super) fn read(
    relaying: &Relaying,
    upstream: &Upstream,
    (answer, secrets): (&Answer, &[SecretText]),
) -> Result<Answered, AppError> {
    let revocation = matches!(relaying.payload.request, RelayOrder::Revoke { .. });
    if revocation && answer.status == 200 {
        return Ok(Answered {
            status: 200,
            headers: headers(answer),
            body: SecretText::new(String::new()),
            kept: false,
        });
    }
    let document = object(answer)?;
    refuse_echo(answer, secrets)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if answer.status == 200 {
        if text("access_token").is_none() || text("token_type").is_none() {
            return Err(misbehaved("a token answer without a token"));
        }
    } else if text("error").is_none() || answer.is_success() {
        return Err(refusal_without_reason(answer));
    }
    let kept = upstream.keep_refresh_tokens && document.contains_key("refresh_token");
    let body = if kept {
        with_kept_token(relaying, document)?
    } else {
        SecretText::new(
            core::str::from_utf8(&answer.body)
                .map_err(|_| misbehaved("an answer that is not UTF-8"))?
                .to_owned(),
        )
    };
    Ok(Answered {
        status: answer.status,
        headers: headers(answer),
        body,
        kept,
    })
}

/// The JSON object of an answer. A server that is down speaks HTML; that is a reason to ask again, not to log out.
pub(super) fn object(answer: &Answer) -> Result<Map<String, Value>, AppError> {
    if !answer.is_json() {
        return Err(refusal_without_reason(answer));
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(misbehaved("an answer that is no JSON object")),
    }
}

fn refusal_without_reason(answer: &Answer) -> AppError {
    if answer.status == 429 || answer.status >= 500 {
        let wait = answer.retry_after().unwrap_or(USUAL_WAIT);
        return AppError::Upstream(UpstreamFault::Unavailable {
            why: format!("status {}", answer.status),
            retry_after: wait.clamp(1, LONGEST_WAIT),
        });
    }
    misbehaved(&format!("status {} without an OAuth answer", answer.status))
}

/// An upstream that sends our credential back would hand it to the phone.
pub(super) fn refuse_echo(answer: &Answer, secrets: &[SecretText]) -> Result<(), AppError> {
    let echoed = secrets.iter().any(|secret| {
        let needle = secret.expose().as_bytes();
        !needle.is_empty()
            && answer
                .body
                .windows(needle.len())
                .any(|window| window == needle)
    });
    if echoed {
        return Err(misbehaved(
            "an answer that contains the client's credential",
        ));
    }
    Ok(())
}

pub(super) fn misbehaved(what: &str) -> AppError {
    AppError::Upstream(UpstreamFault::Misbehaved(what.to_owned()))
}

pub(super) fn headers(answer: &Answer) -> RelayedHeaders {
    let text = |name: &str| {
        let value = answer.header(name)?;
        (value.len() <= 1024).then(|| value.to_owned())
    };
    RelayedHeaders {
        date: text("date"),
        dpop_nonce: text("dpop-nonce"),
        retry_after: text("retry-after"),
        content_type: text("content-type"),
    }
}

/// The same document with the refresh token in its kept form (W-25).
fn with_kept_token(
    relaying: &Relaying,
    mut document: Map<String, Value>,
) -> Result<SecretText, AppError> {
    let Some(Value::String(token)) = document.remove("refresh_token") else {
        return Err(misbehaved("a refresh token that is no text"));
    };
    let sealed = relaying.service.keys().seal_refresh_token(
        &relaying.account,
        &relaying.payload.upstream,
        &relaying.device,
        &SecretText::new(token),
    )?;
    let kept = format!("{KEPT}{}", bytes::encode(sealed));
    document.insert("refresh_token".to_owned(), Value::String(kept));
    Ok(SecretText::new(serde_json::to_string(&document)?))
}
