//! The description of all routes, byte for byte.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use bonafide_server::http::openapi;
use serde_json::Value;

use crate::harness::Harness;

#[test]
fn the_description_is_this() {
    let document = openapi::document().to_pretty_json().unwrap();
    insta::assert_snapshot!("openapi", document);
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                references.insert(reference.to_owned());
            }
            members
                .values()
                .for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_admin_listener_serves_it_to_everybody() {
    let harness = Harness::start().await;
    let request = Request::get("/openapi.json");
    let answer = harness.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.ok(200)["openapi"], "3.1.0");
}
