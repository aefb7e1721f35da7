//! What each noun does, refuses and leaves in the audit log.

use axum::http::{Method, header};
use bonafide_wire::admin::Role;
use serde_json::{Value, json};

use crate::harness::{Client, Harness};

const ACME: &str = "/accounts/acme";

fn build(package: &str, version: u64) -> Value {
    json!({
        "label": "1.0",
        "reference": {
            "kind": "build", "package": package, "version_code": version,
            "signers": ["ab".repeat(32)], "artifact_sha256": "cd".repeat(32),
        },
    })
}

async fn actions(client: &Client<'_>) -> Vec<String> {
    let log = client
        .get(&format!("{ACME}/audit?page_size=500"))
        .await
        .ok(200);
    let items = log["items"].as_array().unwrap();
    items
        .iter()
        .map(|event| event["action"].as_str().unwrap().to_owned())
        .collect()
}

fn trust_version(harness: &Harness) -> u64 {
    let acme = bonafide_wire::ids::AccountId::parse("acme").unwrap();
    harness.service.snapshot().configuration.accounts[&acme]
        .trust
        .version
}

#[tokio::test]
async fn a_registration_makes_the_app_of_its_package_once() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/registrations");
    let first = developer
        .post(&path, build("com.example.books", 1))
        .await
        .ok(201);
    let second = developer
        .post(&path, build("com.example.books", 2))
        .await
        .ok(201);
    assert_eq!(
        (first["app"].as_str(), second["app"].as_str()),
        (Some("books"), Some("books"))
    );
    assert_eq!(first["added_by"], harness.root_signature());
    let other = developer
        .post(&path, build("org.example.books", 1))
        .await
        .ok(201);
    assert_eq!(other["app"], "org-example-books");
    developer
        .post(&path, build("com.example.books", 2))
        .await
        .refused(409, "conflict");
    let id = first["id"].as_str().unwrap();
    assert_eq!(developer.get(&format!("{path}/{id}")).await.ok(200), first);
    assert_eq!(developer.delete(&format!("{path}/{id}")).await.status, 204);
    developer
        .get(&format!("{path}/{id}"))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_registration_that_breaks_rules_is_told_all_of_them() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/registrations");
    let mut bad = build("com.example.books", 1);
    bad["label"] = "x".repeat(201).into();
    bad["expires_at"] = 1.into();
    bad["reference"]["signers"] = json!(["AB".repeat(32)]);
    bad["reference"]["artifact_sha256"] = "".into();
    developer.post(&path, bad).await.broken(&[
        "/label",
        "/expires_at",
        "/reference/signers/0",
        "/reference/artifact_sha256",
    ]);
    let mut elsewhere = build("com.example.books", 1);
    elsewhere["app"] = "ghost".into();
    developer.post(&path, elsewhere).await.broken(&["/app"]);
    let mut unknown = build("com.example.books", 1);
    unknown["colour"] = "red".into();
    developer
        .post(&path, unknown)
        .await
        .refused(400, "malformed-request");
    let mut package = build("nodots", 1);
    package["label"] = "".into();
    let answer = developer.post(&path, package).await;
    answer.refused(400, "malformed-request");
}

#[tokio::test]
async fn apps_have_one_package_and_stay_while_something_needs_them() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/apps");
    let app = json!({ "id": "books", "name": "Books", "android_package": "com.example.books" });
    developer.post(&path, app.clone()).await.ok(201);
    developer.post(&path, app).await.refused(409, "conflict");
    let twin = json!({ "id": "twin", "name": "Twin", "android_package": "com.example.books" });
    developer.post(&path, twin).await.refused(409, "conflict");
    let made = developer
        .post(
            &format!("{ACME}/registrations"),
            build("com.example.books", 1),
        )
        .await
        .ok(201);
    developer
        .delete(&format!("{path}/books"))
        .await
        .refused(409, "conflict");
    let registration = format!("{ACME}/registrations/{}", made["id"].as_str().unwrap());
    assert_eq!(developer.delete(&registration).await.status, 204);
    assert_eq!(developer.delete(&format!("{path}/books")).await.status, 204);
    developer
        .delete(&format!("{path}/books"))
        .await
        .refused(404, "not-found");
    developer
        .delete(&format!("{path}/Not-A-Name"))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn an_ios_build_is_registered_under_the_app_that_has_it_on_android() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/registrations");
    let android = developer
        .post(&path, build("com.example.books", 1))
        .await
        .ok(201);
    assert_eq!(android["app"], "books");
    let ios = |app_id: &str| {
        json!({
            "label": "", "app": null, "expires_at": null,
            "reference": {
                "kind": "apple-build", "app_id": app_id, "version": "1.4", "build": "42",
                "environment": "production"
            }
        })
    };
    let mut under = ios("A1B2C3D4E5.com.example.books");
    under["app"] = "books".into();
    let made = developer.post(&path, under.clone()).await.ok(201);
    assert_eq!(made["app"], "books");
    developer.post(&path, under).await.refused(409, "conflict");
    let app = developer.get(&format!("{ACME}/apps/books")).await.ok(200);
    assert_eq!(app["android_package"], "com.example.books");
    assert_eq!(app["apple_app_id"], "A1B2C3D4E5.com.example.books");
    // It has a name on iOS now, so another one is another app.
    let mut second = ios("A1B2C3D4E5.com.example.other");
    second["app"] = "books".into();
    developer
        .post(&path, second)
        .await
        .broken(&["/reference/app_id"]);
    let alone = developer
        .post(&path, ios("A1B2C3D4E5.com.example.reader"))
        .await
        .ok(201);
    assert_eq!(alone["app"], "reader");
    let mut taken = ios("A1B2C3D4E5.com.example.reader");
    taken["app"] = "books".into();
    taken["reference"]["build"] = "43".into();
    developer
        .post(&path, taken)
        .await
        .broken(&["/reference/app_id"]);
}

#[tokio::test]
async fn ios_references_are_checked_member_by_member() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/registrations");
    let good = json!({
        "kind": "apple-build", "app_id": "A1B2C3D4E5.com.example.books", "version": "1.4",
        "build": "42", "environment": "development"
    });
    let register = |member: &str, value: Value| {
        let mut reference = good.clone();
        reference[member] = value;
        json!({ "label": "", "app": null, "expires_at": null, "reference": reference })
    };
    for (member, value) in [
        ("app_id", "com.example.books"),
        ("app_id", "A1B2C3D4E5.*"),
        ("environment", "any"),
    ] {
        let answer = developer.post(&path, register(member, value.into())).await;
        answer.refused(400, "malformed-request");
    }
    for (member, value) in [("build", " "), ("version", "1\n2")] {
        let answer = developer.post(&path, register(member, value.into())).await;
        answer.broken(&[&format!("/reference/{member}")]);
    }
    let wide = json!({
        "label": "", "app": null, "expires_at": null,
        "reference": { "kind": "apple-app", "app_id": "A1B2C3D4E5.com.example.books" }
    });
    developer.post(&path, wide).await.ok(201);
}

#[tokio::test]
async fn a_changed_api_is_in_the_trust_bundle_of_the_same_commit() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let before = (
        trust_version(&harness),
        harness.service.snapshot().version(),
    );
    let path = format!("{ACME}/apis/oauth2.googleapis.com");
    let made = admin
        .put(&path, json!({ "token": "no-token" }))
        .await
        .ok(200);
    let after = (
        trust_version(&harness),
        harness.service.snapshot().version(),
    );
    assert_eq!(after, (before.0 + 1, before.1 + 1));
    assert_eq!(
        admin
            .put(&path, json!({ "token": "no-token" }))
            .await
            .ok(200),
        made
    );
    assert_eq!(
        harness.service.snapshot().version(),
        after.1,
        "saying it again is no change"
    );
    admin.put(&path, json!({ "token": "token" })).await.ok(200);
    assert_eq!(admin.delete(&path).await.status, 204);
    admin.delete(&path).await.refused(404, "not-found");
    admin
        .put(
            &format!("{ACME}/apis/127.0.0.1"),
            json!({ "token": "token" }),
        )
        .await
        .broken(&["/host"]);
    assert_eq!(
        actions(&admin).await,
        ["api.added", "api.changed", "api.removed"]
    );
}

#[tokio::test]
async fn a_secret_is_written_rotated_and_never_read() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/secrets/client_secret");
    let answer = admin
        .put(
            &path,
            json!({ "value": "canary-1", "hosts": ["oauth2.googleapis.com"] }),
        )
        .await;
    assert_eq!(answer.headers[header::ETAG], "\"1\"");
    let first = answer.ok(200);
    assert_eq!(
        (first["version"].as_u64(), first["life_seconds"].as_u64()),
        (Some(1), Some(300))
    );
    assert_eq!(first["uses"], json!(["header", "form", "oauth"]));
    let rotated = admin
        .put(&path, json!({ "value": "canary-2" }))
        .await
        .ok(200);
    assert_eq!(
        (rotated["version"].as_u64(), &rotated["hosts"]),
        (Some(2), &first["hosts"])
    );
    for text in [
        admin.get(&path).await.ok(200).to_string(),
        admin
            .get(&format!("{ACME}/secrets"))
            .await
            .ok(200)
            .to_string(),
        admin.get("/audit?page_size=500").await.ok(200).to_string(),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
    for entry in std::fs::read_dir(harness.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
}

#[tokio::test]
async fn a_secret_that_breaks_rules_is_told_all_of_them_and_not_its_value() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/secrets/client_secret");
    let bad = json!({
        "value": "canary\n", "hosts": [], "uses": ["form", "form"], "life_seconds": 3601,
    });
    let answer = admin.put(&path, bad).await;
    answer.broken(&["/value", "/hosts", "/uses/1", "/life_seconds"]);
    assert!(!answer.body.to_string().contains("canary"));
    admin
        .put(&path, json!({ "value": "v" }))
        .await
        .broken(&["/hosts"]);
    let ghost = json!({ "value": "v", "hosts": ["a.example.com"], "apps": ["ghost"] });
    admin.put(&path, ghost).await.broken(&["/apps/0"]);
    let wrong = admin
        .put(
            &path,
            json!({ "value": ["canary"], "hosts": ["a.example.com"] }),
        )
        .await;
    wrong.refused(400, "malformed-request");
    assert!(
        !wrong.body.to_string().contains("canary"),
        "{:?}",
        wrong.body
    );
    let dots = format!("{ACME}/secrets/..%2fx");
    admin
        .put(&dots, json!({ "value": "v", "hosts": ["a.example.com"] }))
        .await
        .broken(&["/name"]);
}

#[tokio::test]
async fn if_match_keeps_two_admins_from_overwriting_each_other() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/secrets/s");
    let put = (Method::PUT, path.as_str());
    let body = || json!({ "value": "v", "hosts": ["a.example.com"] });
    let any = admin
        .with_header(put.clone(), ("if-match", "*"), body())
        .await;
    any.refused(412, "precondition-failed");
    admin.put(&path, body()).await.ok(200);
    for (tag, status) in [
        ("\"7\"", 412),
        ("junk", 412),
        ("W/\"1\"", 412),
        ("\"1\"", 200),
        ("\"1\"", 412),
        ("*", 200),
    ] {
        let answer = admin
            .with_header(put.clone(), ("if-match", tag), body())
            .await;
        assert_eq!(answer.status, status, "{tag}: {:?}", answer.body);
    }
    let delete = (Method::DELETE, path.as_str());
    let stale = admin
        .with_header(delete.clone(), ("if-match", "\"1\""), json!({}))
        .await;
    stale.refused(412, "precondition-failed");
    let gone = admin
        .with_header(delete, ("if-match", "\"3\""), json!({}))
        .await;
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn the_policy_changes_by_compare_and_set_and_says_what_changed() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/policy");
    let read = admin.get(&path).await;
    let tag = read.headers[header::ETAG].to_str().unwrap().to_owned();
    let mut policy = read.ok(200)["policy"].clone();
    policy["rejection_reasons"] = "on".into();
    admin
        .put(&path, policy.clone())
        .await
        .refused(428, "precondition-required");
    let put = (Method::PUT, path.as_str());
    let changed = admin
        .with_header(put.clone(), ("if-match", &tag), policy.clone())
        .await;
    assert_eq!(changed.headers[header::ETAG], "\"2\"");
    let changed = changed.ok(200);
    assert_eq!(
        (&changed["policy"]["rejection_reasons"], &changed["author"]),
        (&json!("on"), &json!(harness.root_signature()))
    );
    let again = admin
        .with_header(put.clone(), ("if-match", &tag), policy)
        .await;
    again.refused(412, "precondition-failed");
    let typo = json!({ "checks": { "bootloader": "of" } });
    let typo = admin.with_header(put, ("if-match", "\"2\""), typo).await;
    typo.refused(400, "malformed-request");
    let log = admin.get(&format!("{ACME}/audit")).await.ok(200);
    let last = log["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        last["details"]["changed"],
        json!({ "rejection-reasons": ["off", "on"] })
    );
}

#[tokio::test]
async fn overrides_have_an_owner_a_reason_and_an_end() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let device = bonafide_wire::ids::DeviceId::from_bytes([1; 16]);
    let path = format!("{ACME}/overrides/{device}");
    let set = json!({ "kind": "always-pass", "reason": "demo", "for_seconds": 600 });
    let view = developer.put(&path, set.clone()).await.ok(200);
    assert_eq!(
        view["expires_at"].as_i64().unwrap() - view["created_at"].as_i64().unwrap(),
        600
    );
    assert_eq!(
        (view["owner"].as_str(), view["reason"].as_str()),
        (Some(&*harness.root_signature()), Some("demo"))
    );
    assert_eq!(developer.get(&path).await.ok(200), view);
    let bad = json!({ "kind": "always-pass", "reason": " ", "for_seconds": 59 });
    developer
        .put(&path, bad)
        .await
        .broken(&["/reason", "/for_seconds"]);
    let latest = developer
        .put(&format!("{ACME}/overrides/latest"), set.clone())
        .await;
    latest.refused(404, "not-found");
    developer
        .put(&format!("{ACME}/overrides/newest"), set)
        .await
        .broken(&["/device"]);
    assert_eq!(developer.delete(&path).await.status, 204);
    developer.delete(&path).await.refused(404, "not-found");
}

#[tokio::test]
async fn managed_roots_turn_and_the_bundle_follows() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/managed-roots");
    let before = trust_version(&harness);
    assert_eq!(admin.get(&path).await.ok(200), json!({ "enabled": true }));
    admin.put(&path, json!({ "enabled": true })).await.ok(200);
    assert_eq!(trust_version(&harness), before);
    admin.put(&path, json!({ "enabled": false })).await.ok(200);
    assert_eq!(trust_version(&harness), before + 1);
    assert_eq!(admin.get(&path).await.ok(200), json!({ "enabled": false }));
}

#[tokio::test]
async fn a_rotation_publishes_a_key_that_signs_a_day_later() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/signing-keys");
    let published = admin.post(&path, json!({})).await.ok(201);
    assert_eq!(published["state"], "published");
    admin.post(&path, json!({})).await.refused(409, "conflict");
    harness.turn_clock(24 * 60 * 60);
    bonafide_server::app::upkeep::once(&harness.service)
        .await
        .unwrap();
    let keys = harness.admin().await.get(&path).await.ok(200);
    let states: std::collections::BTreeMap<String, Value> = keys["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["kid"].to_string(), key["state"].clone()))
        .collect();
    assert_eq!(states.len(), 2);
    assert_eq!(states[&published["kid"].to_string()], "active");
}

#[tokio::test]
async fn a_repeated_request_changes_nothing_and_hears_the_same() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/credentials");
    let post = (Method::POST, path.as_str());
    let key = ("idempotency-key", "once-1");
    let body = || json!({ "name": "ci", "role": "viewer" });
    let first = admin.with_header(post.clone(), key, body()).await.ok(201);
    let again = admin.with_header(post.clone(), key, body()).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.ok(201), first);
    let other = json!({ "name": "other", "role": "viewer" });
    admin
        .with_header(post.clone(), key, other)
        .await
        .broken(&[""]);
    admin
        .with_header(post.clone(), ("idempotency-key", ""), body())
        .await
        .broken(&[""]);
    let all = admin.get(&path).await.ok(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    harness.turn_clock(24 * 60 * 60);
    let admin = harness.admin().await;
    let later = admin.with_header(post, key, body()).await.ok(201);
    assert_ne!(later, first, "a day later the key is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_sent_many_times_at_once_is_one_change() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/registrations");
    let sends = (0..32).map(|_| {
        let mut request = admin.request(Method::POST, &path, Some(&build("com.example.books", 1)));
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        harness.send(request)
    });
    let answers = futures_util::future::join_all(sends).await;
    let first = answers[0].clone().ok(201);
    for answer in answers {
        assert_eq!(answer.ok(201), first);
    }
    assert_eq!(actions(&admin).await, ["registration.added"]);
}

#[tokio::test]
async fn lists_page_with_opaque_cursors() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    for n in 0..7 {
        admin
            .put(
                &format!("{ACME}/apis/h{n}.example.com"),
                json!({ "token": "token" }),
            )
            .await
            .ok(200);
    }
    for list in ["apis", "audit"] {
        let (mut seen, mut query) = (0, format!("{ACME}/{list}?page_size=3"));
        loop {
            let page = admin.get(&query).await.ok(200);
            seen += page["items"].as_array().unwrap().len();
            let Some(token) = page["next_page_token"].as_str() else {
                break;
            };
            query = format!("{ACME}/{list}?page_size=3&page_token={token}");
        }
        assert_eq!(seen, 7, "{list}");
    }
    admin
        .get(&format!("{ACME}/apis?page_size=0"))
        .await
        .broken(&["/page_size"]);
    admin
        .get(&format!("{ACME}/apis?page_size=501"))
        .await
        .broken(&["/page_size"]);
    admin
        .get(&format!("{ACME}/apis?page_token=*"))
        .await
        .broken(&["/page_token"]);
    admin
        .get(&format!("{ACME}/audit?page_token=YQ"))
        .await
        .broken(&["/page_token"]);
    admin
        .get(&format!("{ACME}/apis?offset=3"))
        .await
        .refused(400, "malformed-request");
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_and_holds() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    admin
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .ok(201);
    admin
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .refused(409, "conflict");
    let log = admin.get("/audit").await.ok(200);
    let told: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            format!(
                "{} {} {}",
                event["actor"], event["action"], event["account"]
            )
        })
        .collect();
    let root = harness.root_signature();
    assert_eq!(
        told,
        [
            r#""service" "service.started-first" null"#.to_owned(),
            format!(r#""{root}" "session.opened" null"#),
            format!(r#""{root}" "account.added" "other""#),
        ]
    );
    let verification = admin.get("/audit/verify").await.ok(200);
    assert_eq!(
        (&verification["intact"], &verification["events"]),
        (&json!(true), &json!(3))
    );
}

#[tokio::test]
async fn credentials_of_the_same_name_sign_differently() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let mut owners = Vec::new();
    for number in 1..=2 {
        let new = json!({ "name": "ci", "role": "developer" });
        let made = admin
            .post(&format!("{ACME}/credentials"), new)
            .await
            .ok(201);
        let secret = made["secret"].as_str().unwrap();
        let developer = harness.session(secret, Role::Developer).await;
        let registration = build("com.example.books", number);
        let path = format!("{ACME}/registrations");
        let added = developer.post(&path, registration).await.ok(201);
        let expected = format!("ci ({})", made["credential"]["id"].as_str().unwrap());
        assert_eq!(added["added_by"], expected);
        owners.push(expected);
    }
    let log = admin
        .get(&format!("{ACME}/audit?page_size=500"))
        .await
        .ok(200);
    let actors: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "registration.added")
        .map(|event| event["actor"].as_str().unwrap())
        .collect();
    assert_eq!(actors, owners);
    assert_ne!(owners[0], owners[1]);
}

#[tokio::test]
async fn a_secret_that_is_made_again_goes_on_counting() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/secrets/client_secret");
    let new = json!({ "value": "canary", "hosts": ["api.example.com"] });
    for version in [1, 2] {
        assert_eq!(
            admin.put(&path, new.clone()).await.ok(200)["version"],
            version
        );
    }
    for version in [3, 4] {
        assert_eq!(admin.delete(&path).await.status, 204);
        admin.get(&path).await.refused(404, "not-found");
        assert_eq!(
            admin.put(&path, new.clone()).await.ok(200)["version"],
            version
        );
    }
}
