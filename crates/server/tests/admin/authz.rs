//! Walks the OpenAPI document: every admin route refuses strangers, roles that are not enough, and other accounts.

use axum::body::Body;
use axum::http::{Method, Request, header};
use bonafide_server::http::openapi;
use bonafide_wire::admin::Role;
use serde_json::Value;

use crate::harness::{Answer, Client, Harness};

/// One operation of the document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) role: Option<Role>,
}

impl Operation {
    /// The path with everything filled in.
    pub(crate) fn path_in(&self, account: &str) -> String {
        self.path
            .trim_start_matches("/admin/v1")
            .replace("{account}", account)
            .replace("{id}", "AAAAAAAAAAAAAAAAAAAAAA")
            .replace("{device}", "AAAAAAAAAAAAAAAAAAAAAA")
            .replace("{host}", "api.example.com")
            .replace("{name}", "a-name")
            .replace("{support_id}", "K7Q2-9MXP")
    }

    fn in_account(&self) -> bool {
        self.path.contains("{account}")
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/admin/") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let role: Option<Role> = operation
                .get("x-required-role")
                .map(|role| serde_json::from_value(role.clone()).unwrap());
            operations.push(Operation {
                method: method.to_ascii_uppercase().parse().unwrap(),
                path: path.clone(),
                role,
            });
        }
    }
    operations
}

async fn send(client: &Client<'_>, operation: &Operation, account: &str) -> Answer {
    let body = Value::Object(serde_json::Map::new());
    let path = operation.path_in(account);
    let body =
        (operation.method != Method::GET && operation.method != Method::DELETE).then_some(&body);
    client
        .harness
        .send(client.request(operation.method.clone(), &path, body))
        .await
}

#[test]
fn the_document_has_all_routes_and_every_one_but_sessions_a_role() {
    let operations = operations();
    assert!(operations.len() >= 50, "{}", operations.len());
    let open: Vec<_> = operations.iter().filter(|o| o.role.is_none()).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].method.as_str(), open[0].path.as_str()),
        ("POST", "/admin/v1/sessions")
    );
    assert!(operations.iter().all(|o| o.path.starts_with("/admin/v1/")));
}

#[tokio::test]
async fn every_route_refuses_strangers() {
    let harness = Harness::start().await;
    let credential = harness.root.clone();
    let other = harness.admin().await.bearer;
    let last = if other.ends_with('A') { 'E' } else { 'A' };
    let damaged = format!("{}{last}", &other[..other.len() - 1]);
    for operation in operations() {
        let path = format!("/admin/v1{}", operation.path_in("acme"));
        let strangers = [
            None,
            Some("Bearer".to_owned()),
            Some("Bearer ".to_owned()),
            Some("Bearer bfs_".to_owned()),
            Some(format!("Bearer {damaged}")),
            Some(format!("Basic {other}")),
            Some(format!("Bearer {}", credential.replace("bfc_", "bfs_"))),
        ];
        for authorization in strangers {
            let mut request = Request::builder()
                .method(operation.method.clone())
                .uri(&path);
            if let Some(value) = &authorization {
                request = request.header(header::AUTHORIZATION, value);
            }
            let request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(r#"{"role":"viewer"}"#))
                .unwrap();
            let answer = harness.send(request).await;
            answer.refused(401, "unauthenticated");
            assert_eq!(
                answer.headers[header::WWW_AUTHENTICATE],
                "Bearer",
                "{path} {authorization:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_route_refuses_every_role_that_is_not_enough_and_no_other() {
    let harness = Harness::start().await;
    let mut cells = 0;
    for role in Role::ALL {
        for operation in operations() {
            let Some(needed) = operation.role else {
                continue;
            };
            let session = harness.session(&harness.root, role).await;
            let answer = send(&session, &operation, "acme").await;
            let what = format!("{} {} as {role:?}", operation.method, operation.path);
            if role.covers(needed) {
                assert!(
                    ![401, 403].contains(&answer.status.as_u16()),
                    "{what}: {answer:?}"
                );
            } else {
                assert_eq!(answer.code(), "forbidden", "{what}");
                assert_eq!(answer.status, 403, "{what}");
            }
            assert!(answer.status.as_u16() < 500, "{what}: {answer:?}");
            cells += 1;
        }
    }
    assert_eq!(cells, (operations().len() - 1) * 4);
}

#[tokio::test]
async fn every_route_refuses_other_accounts_as_if_they_did_not_exist() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    admin
        .post(
            "/accounts",
            serde_json::json!({ "id": "other", "name": "Other" }),
        )
        .await
        .ok(201);
    let credential = harness.credential_in("acme", Role::Admin).await;
    for operation in operations().iter().filter(|o| o.in_account()) {
        let session = harness.session(&credential, Role::Admin).await;
        for account in ["other", "never-made", "Not%20a%20name"] {
            send(&session, operation, account)
                .await
                .refused(404, "unknown-account");
        }
        let own = send(&session, operation, "acme").await;
        assert_ne!(own.code(), "unknown-account", "{}", operation.path);
    }
}

#[tokio::test]
async fn what_concerns_the_whole_service_refuses_sessions_of_one_account() {
    let harness = Harness::start().await;
    let credential = harness.credential_in("acme", Role::Admin).await;
    let session = harness.session(&credential, Role::Admin).await;
    for path in ["/credentials", "/audit", "/audit/verify"] {
        session.get(path).await.refused(403, "forbidden");
    }
    let new = serde_json::json!({ "id": "mine", "name": "Mine" });
    session
        .post("/accounts", new)
        .await
        .refused(403, "forbidden");
    let accounts = session.get("/accounts").await.ok(200);
    assert_eq!(accounts["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    admin.get("/nothing").await.refused(404, "not-found");
    admin
        .delete("/whoami")
        .await
        .refused(405, "method-not-allowed");
}
