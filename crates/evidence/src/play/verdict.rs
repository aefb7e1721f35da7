//! The verdict's JSON: which request it answers, when it was made, and what it says.
//!
//! Decides the binding, the package that asked and the freshness: a token has no audience and no expiry of
//! its own. It refuses text where a list belongs and absent members where a rule needs them; members of
//! which it knows nothing are passed over, since Google adds some every year.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::{Binding, Freshness, PlayApplication, PlayFacts, PlayIntegrity, VerdictOrigin};
use crate::android::ChallengeComparison;
use crate::{Reject, Sha256Digest, strict_json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    request_details: Option<RequestDetails>,
    #[serde(default)]
    app_integrity: AppIntegrity,
    #[serde(default)]
    device_integrity: DeviceIntegrity,
    #[serde(default)]
    account_details: AccountDetails,
    #[serde(default)]
    environment_details: EnvironmentDetails,
    #[serde(default)]
    testing_details: TestingDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestDetails {
    request_package_name: Option<String>,
    timestamp_millis: Option<Value>,
    nonce: Option<String>,
    request_hash: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppIntegrity {
    app_recognition_verdict: Option<String>,
    package_name: Option<String>,
    #[serde(default)]
    certificate_sha256_digest: Vec<String>,
    version_code: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceIntegrity {
    #[serde(default)]
    device_recognition_verdict: BTreeSet<String>,
    #[serde(default)]
    recent_device_activity: RecentDeviceActivity,
    #[serde(default)]
    device_attributes: DeviceAttributes,
    #[serde(default)]
    device_recall: DeviceRecall,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecentDeviceActivity {
    device_activity_level: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceAttributes {
    sdk_version: Option<u32>,
}

#[derive(Default, Deserialize)]
struct DeviceRecall {
    #[serde(default)]
    values: BTreeMap<String, bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountDetails {
    app_licensing_verdict: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvironmentDetails {
    play_protect_verdict: Option<String>,
    #[serde(default)]
    app_access_risk_verdict: AppAccessRiskVerdict,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppAccessRiskVerdict {
    apps_detected: Option<BTreeSet<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestingDetails {
    #[serde(default)]
    is_testing_response: bool,
}

pub(super) fn read(json: &[u8], evidence: &PlayIntegrity<'_>) -> Result<PlayFacts, Reject> {
    let document = strict_json::parse(json).map_err(|_| Reject::VerdictMalformed)?;
    if document.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Reject::VerdictMalformed);
    }
    let payload: Payload =
        serde_json::from_value(document).map_err(|_| Reject::VerdictMalformed)?;
    let request = payload
        .request_details
        .as_ref()
        .ok_or(Reject::RequestDetailsMissing)?;
    if request.request_package_name.as_deref() != Some(evidence.package) {
        return Err(Reject::RequestPackageMismatch);
    }
    let binding = bound(request, evidence.binding)?;
    let timestamp_ms = fresh(request.timestamp_millis.as_ref(), evidence.freshness)?;
    let device = payload.device_integrity;
    Ok(PlayFacts {
        package: evidence.package.to_owned(),
        timestamp_ms,
        binding,
        application: application(&payload.app_integrity)?,
        app_verdict: payload.app_integrity.app_recognition_verdict,
        device_labels: device.device_recognition_verdict,
        activity_level: device.recent_device_activity.device_activity_level,
        sdk_version: device.device_attributes.sdk_version,
        recall_bits: device.device_recall.values,
        licence: payload.account_details.app_licensing_verdict,
        play_protect: payload.environment_details.play_protect_verdict,
        apps_detected: payload
            .environment_details
            .app_access_risk_verdict
            .apps_detected,
        origin: if payload.testing_details.is_testing_response {
            VerdictOrigin::Testing
        } else {
            VerdictOrigin::Evaluated
        },
    })
}

/// Exactly one of the two is there, it is the one that was asked for, and it is equal.
fn bound(request: &RequestDetails, binding: Binding<'_>) -> Result<ChallengeComparison, Reject> {
    let given = (request.nonce.as_deref(), request.request_hash.as_deref());
    let equal = match (binding, given) {
        (Binding::Nonce(expected), (Some(nonce), None)) => nonce == expected,
        (Binding::RequestHash(expected), (None, Some(hash))) => hash == expected,
        (Binding::Either(expected), (Some(text), None) | (None, Some(text))) => text == expected,
        (Binding::NotCompared, _) => return Ok(ChallengeComparison::NotCompared),
        _ => false,
    };
    if equal {
        Ok(ChallengeComparison::Equal)
    } else {
        Err(Reject::RequestBindingMismatch)
    }
}

/// A whole number, as such or as text, inside the window. Seconds, fractions and signs are other times than
/// Google wrote.
fn fresh(timestamp: Option<&Value>, freshness: Freshness) -> Result<i64, Reject> {
    let timestamp = timestamp
        .and_then(whole_number)
        .and_then(|number| i64::try_from(number).ok());
    let timestamp = timestamp.ok_or(Reject::VerdictNotFresh)?;
    let earliest = freshness.now_ms.saturating_sub(freshness.max_age_ms);
    let latest = freshness.now_ms.saturating_add(freshness.max_future_ms);
    if (earliest..=latest).contains(&timestamp) {
        Ok(timestamp)
    } else {
        Err(Reject::VerdictNotFresh)
    }
}

/// Protocol buffers write 64-bit numbers as text in JSON; either spelling is read, digits only.
fn whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// Absent as a whole where Google did not evaluate the app; a version that is no number is no verdict.
fn application(app: &AppIntegrity) -> Result<Option<PlayApplication>, Reject> {
    let Some(package) = app.package_name.clone() else {
        return Ok(None);
    };
    let version = match &app.version_code {
        None => None,
        Some(value) => Some(whole_number(value).ok_or(Reject::VerdictMalformed)?),
    };
    let digest = |text: &String| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Sha256Digest)
    };
    let signers: Option<Vec<Sha256Digest>> =
        app.certificate_sha256_digest.iter().map(digest).collect();
    let signers = signers.ok_or(Reject::VerdictMalformed)?;
    Ok(Some(PlayApplication {
        package,
        version,
        signers,
    }))
}
