//! Malformed, oversized and foreign input on every device route: a problem document, never a 500.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bonafide_wire::problem::ProblemCode;

use crate::world::{World, problem};

const POSTS: [(&str, usize); 5] = [
    ("challenges", 16 * 1024),
    ("enrolments", 160 * 1024),
    ("attestations", 32 * 1024),
    ("tokens/verify", 16 * 1024),
    ("tokens/consume", 16 * 1024),
];

const GETS: [&str; 4] = [
    "trust-bundle",
    "jwks.json",
    ".well-known/openid-configuration",
    ".well-known/oauth-authorization-server",
];

#[tokio::test]
async fn malformed_json_is_refused_everywhere() {
    let world = World::new().await;
    let deep = "[".repeat(5000);
    for (route, _) in POSTS {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "{\"purpose\"",
            "\u{0}",
            "{\"purpose\":\"enrolment\",\"purpose\":\"enrolment\"}",
            "{\"payload\":\"=\",\"proof\":{}}",
            "{\"token\":1,\"audience\":\"a\"}",
            deep.as_str(),
        ] {
            let told = problem(world.post_bytes(&world.url(route), body.to_owned()).await).await;
            assert_eq!(
                told.code,
                ProblemCode::MalformedRequest,
                "{route} {body:.40}"
            );
            assert!(!told.errors.is_empty());
        }
        let not_utf8 = vec![b'"', 0xff, b'"'];
        let told = problem(world.post_bytes(&world.url(route), not_utf8).await).await;
        assert_eq!(told.code, ProblemCode::MalformedRequest, "{route}");
    }
}

#[tokio::test]
async fn a_body_may_have_its_limit_and_not_one_byte_more() {
    let world = World::new().await;
    for (route, most) in POSTS {
        let path = world.url(route);
        let fits = problem(world.post_bytes(&path, vec![b' '; most]).await).await;
        assert_eq!(fits.code, ProblemCode::MalformedRequest, "{route}");
        let announced = problem(world.post_bytes(&path, vec![b' '; most + 1]).await).await;
        assert_eq!(announced.code, ProblemCode::PayloadTooLarge, "{route}");
        // Without a length, in pieces.
        let pieces = (0..=most / 1024).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let streamed = problem(world.post_bytes(&path, body).await).await;
        assert_eq!(streamed.code, ProblemCode::PayloadTooLarge, "{route}");
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let world = World::new().await;
    for (route, _) in POSTS {
        for media in [None, Some("text/plain"), Some("application/jsonx")] {
            let mut request = Request::post(world.url(route));
            if let Some(media) = media {
                request = request.header("content-type", media);
            }
            let request = request.body(Body::from("{}")).unwrap();
            let told = problem(world.send(request).await).await;
            assert_eq!(told.code, ProblemCode::UnsupportedMediaType, "{route}");
        }
    }
    let request = Request::post(world.url("challenges"))
        .header("content-type", "Application/JSON; charset=utf-8")
        .body(Body::from("{\"purpose\":\"enrolment\"}"))
        .unwrap();
    assert_eq!(world.send(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn unknown_accounts_routes_and_methods_have_their_codes() {
    let world = World::new().await;
    let good = "{\"purpose\":\"enrolment\"}";
    for account in ["nobody", "Acme", "a%00b", "%ff", "..", "x%2Fy"] {
        let path = format!("/v1/{account}/challenges");
        let told = problem(world.post_bytes(&path, good).await).await;
        assert_eq!(told.code, ProblemCode::UnknownAccount, "{account}");
        for route in GETS {
            let told = problem(world.get(&format!("/v1/{account}/{route}")).await).await;
            assert_eq!(told.code, ProblemCode::UnknownAccount, "{account} {route}");
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/acme",
        "/v1/acme/challenge",
        "/admin/v1/accounts",
    ] {
        let told = problem(world.get(path).await).await;
        assert_eq!(told.code, ProblemCode::NotFound, "{path}");
    }
    for (method, route) in [
        (Method::GET, "challenges"),
        (Method::PUT, "attestations"),
        (Method::DELETE, "jwks.json"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(world.url(route))
            .body(Body::empty())
            .unwrap();
        let response = world.send(request).await;
        assert!(response.headers().contains_key("allow"), "{route}");
        let told = problem(response).await;
        assert_eq!(told.code, ProblemCode::MethodNotAllowed, "{route}");
    }
}
