//! What stands around every route, with routes that misbehave.

use core::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::routing::get;
use bonafide_server::http::frame::{Frame, Limits};
use bonafide_wire::problem::ProblemCode;
use tower::ServiceExt as _;

use crate::world::problem;

fn misbehaving(limits: &Limits) -> Router {
    let routes = Router::new()
        .route("/panics", get(|| async { panics() }))
        .route("/hangs", get(core::future::pending::<()>))
        .route("/fine", get(|| async { "fine" }));
    Frame::new("test", limits).around(routes, ())
}

fn panics() {
    panic!("on purpose");
}

async fn ask(router: &Router, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_panic_is_our_fault_and_says_nothing() {
    let router = misbehaving(&Limits::default());
    let told = problem(ask(&router, "/panics").await).await;
    assert_eq!(told.code, ProblemCode::Internal);
    assert_eq!(told.detail, None);
    assert_eq!(ask(&router, "/fine").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_ended() {
    let router = misbehaving(&Limits::default());
    let response = ask(&router, "/hangs").await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response).await.code, ProblemCode::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_at_the_same_time_is_sent_away_at_once() {
    let limits = Limits {
        concurrency: 1,
        time: Duration::from_secs(15),
    };
    let router = misbehaving(&limits);
    let slow = ask(&router, "/hangs");
    let quick = async {
        tokio::task::yield_now().await;
        let response = ask(&router, "/fine").await;
        assert_eq!(response.headers()["retry-after"], "1");
        problem(response).await.code
    };
    let (_, code) = tokio::join!(slow, quick);
    assert_eq!(code, ProblemCode::Unavailable);
    assert_eq!(ask(&router, "/fine").await.status(), 200);
}
