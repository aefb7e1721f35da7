//! Redirects: each hop decided anew, nothing carried over to another origin (W-17).

use std::sync::Arc;

use bonafide_sdk::SecretUse;
use bonafide_sdk::adaptor::{Method, ProtectedClient, ProtectedRequest, Redirects};

use crate::connections::{client, protect};
use crate::origin::{Authority, Origin, redirect};
use crate::service::{Secret, Service};

const API: &str = "api.example.com";
const WWW: &str = "www.example.com";

/// `api` and `www` are protected under a managed root; `evil` has a root of its own.
struct World {
    client: ProtectedClient,
    api: Origin,
    www: Origin,
    evil: Origin,
    _service: Arc<Service>,
}

impl World {
    fn new() -> Self {
        let service = Service::new();
        let public = Authority::new("public");
        let api = public.origin(&[API]);
        let www = public.origin(&[WWW]);
        let evil = Authority::new("evil").origin(&["evil.example.com", WWW]);
        service.change(|state| {
            protect(state, &[&public], &[API, WWW]);
            let secret = Secret {
                value: "canary".to_owned(),
                hosts: vec![API],
                uses: vec![SecretUse::Header],
            };
            state.secrets.insert("key", secret);
        });
        let routes = [(API, &api), (WWW, &www), ("evil.example.com", &evil)];
        Self {
            client: client(&service, &routes),
            api,
            www,
            evil,
            _service: service,
        }
    }

    async fn code(&self, request: ProtectedRequest) -> &'static str {
        match self.client.send(request).await {
            Ok(response) => {
                assert_eq!(response.status(), 200);
                "sent"
            }
            Err(error) => error.code(),
        }
    }
}

fn to(method: Method, path: &str) -> ProtectedRequest {
    ProtectedRequest::new(method, &format!("https://api.example.com{path}"))
        .unwrap()
        .header("x-api-key", "{{bonafide:key}}")
        .unwrap()
        .header("authorization", "Bearer mine")
        .unwrap()
}

#[tokio::test]
async fn within_the_origin_the_request_stays_the_same() {
    let world = World::new();
    let request = to(Method::POST, &redirect(307, "/next?a=1")).form(&[("f", "1")]);
    assert_eq!(world.code(request).await, "sent");
    let seen = world.api.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (seen[1].method.as_str(), seen[1].target.as_str()),
        ("POST", "/next?a=1")
    );
    for hop in &seen {
        assert_eq!(hop.header("x-api-key"), Some("canary"));
        assert_eq!(hop.header("authorization"), Some("Bearer mine"));
        assert_eq!(
            hop.header("bonafide-token"),
            Some("token-for-api.example.com")
        );
        assert_eq!(hop.body, "f=1");
    }
}

#[tokio::test]
async fn a_post_becomes_a_get_where_http_says_so() {
    for (status, method, body) in [
        (301, "GET", ""),
        (302, "GET", ""),
        (303, "GET", ""),
        (308, "POST", "f=1"),
    ] {
        let world = World::new();
        let request = to(Method::POST, &redirect(status, "/next")).form(&[("f", "1")]);
        assert_eq!(world.code(request).await, "sent");
        let next = &world.api.seen()[1];
        assert_eq!(
            (next.method.as_str(), next.body.as_str()),
            (method, body),
            "{status}"
        );
        assert_eq!(next.header("content-type").is_some(), status == 308);
    }
}

#[tokio::test]
async fn another_origin_gets_nothing_but_its_own_protection() {
    let world = World::new();
    let request = to(Method::GET, &redirect(302, "https://www.example.com/x"));
    assert_eq!(world.code(request).await, "sent");
    let seen = world.www.only();
    assert_eq!(seen.header("x-api-key"), None);
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.header("referer"), None);
    assert_eq!(
        seen.header("bonafide-token"),
        Some("token-for-www.example.com")
    );
    // Coming back does not bring anything back.
    let there_and_back = redirect(
        302,
        &format!(
            "https://www.example.com{}",
            redirect(302, "https://api.example.com/end")
        ),
    );
    assert_eq!(world.code(to(Method::GET, &there_and_back)).await, "sent");
    let end = world.api.seen().pop().unwrap();
    assert_eq!(end.target, "/end");
    assert_eq!(end.header("x-api-key"), None);
}

#[tokio::test]
async fn another_port_is_another_origin() {
    let world = World::new();
    let port = world.api.address.port();
    let target = format!("https://api.example.com:{port}/x");
    assert_eq!(
        world.code(to(Method::GET, &redirect(302, &target))).await,
        "sent"
    );
    let end = world.api.seen().pop().unwrap();
    assert_eq!(end.target, "/x");
    assert_eq!(end.header("authorization"), None);
}

#[tokio::test]
async fn an_origin_that_is_not_trusted_gets_no_bytes() {
    let world = World::new();
    for (status, target, expected) in [
        (302, "https://evil.example.com/", "root-unknown"),
        (302, "http://api.example.com/", "redirect-refused"),
        (302, "https://user@api.example.com/", "redirect-refused"),
        (302, "https://:443:1/", "redirect-refused"),
        (302, "data:text/plain,x", "redirect-refused"),
        (302, "/?a={{bonafide:key}}", "placeholder-from-redirect"),
        (
            302,
            "/%7B%7Bbonafide:key%7D%7D",
            "placeholder-from-redirect",
        ),
        (
            302,
            "https://www.example.com/?a=%7b%7bbonafide:key%7d%7d",
            "placeholder-from-redirect",
        ),
    ] {
        let code = world.code(to(Method::GET, &redirect(status, target))).await;
        assert_eq!(code, expected, "{target}");
    }
    let with_body =
        to(Method::POST, &redirect(307, "https://www.example.com/")).form(&[("f", "1")]);
    assert_eq!(world.code(with_body).await, "redirect-with-body");
    assert!(world.evil.seen().is_empty());
    assert!(world.www.seen().is_empty());
    assert!(
        world
            .api
            .seen()
            .iter()
            .all(|seen| seen.target.starts_with("/redirect/"))
    );
}

#[tokio::test]
async fn redirects_end() {
    let world = World::new();
    let endless = (0..8).fold("/end".to_owned(), |target, _| redirect(302, &target));
    assert_eq!(
        world.code(to(Method::GET, &endless)).await,
        "redirect-refused"
    );
    assert_eq!(world.api.seen().len(), 6);
}

#[tokio::test]
async fn redirects_may_be_returned() {
    let world = World::new();
    let request = to(Method::GET, &redirect(302, "/next")).redirects(Redirects::Return);
    let response = world.client.send(request).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("location"), Some("/next"));
    assert_eq!(world.api.seen().len(), 1);
}
