//! Plain requests of the OAuth engine over a protected client.

use bonafide_oauth::{HttpRequest, Method};
use bonafide_sdk::SecretUse;

use crate::connections::{client, protect};
use crate::origin::{Authority, redirect};
use crate::service::{Secret, Service};

const HOST: &str = "oauth2.example.com";

fn request(method: Method, path: &str, body: &str) -> HttpRequest {
    let form = bonafide_oauth::secret::SecretText::new("application/x-www-form-urlencoded");
    HttpRequest {
        method,
        url: format!("https://{HOST}{path}").parse().unwrap(),
        headers: vec![("content-type", form)],
        body: bonafide_oauth::secret::SecretText::new(body),
        response_limit: 10,
    }
}

#[tokio::test]
async fn a_token_request_may_name_the_secret_instead_of_holding_it() {
    let service = Service::new();
    let public = Authority::new("public");
    let origin = public.origin(&[HOST]);
    service.change(|state| {
        protect(state, &[&public], &[HOST]);
        let secret = Secret {
            value: "GOCSPX-1/2".to_owned(),
            hosts: vec![HOST],
            uses: vec![SecretUse::Form],
        };
        state.secrets.insert("client_secret", secret);
    });
    let client = client(&service, &[(HOST, &origin)]);
    let form = "grant_type=authorization_code&client_secret=%7B%7Bbonafide%3Aclient_secret%7D%7D";
    let response = client
        .exchange(&request(Method::Post, "/token", form))
        .await;
    let response = response.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, b"hello".as_slice())
    );
    assert_eq!(
        origin.only().body,
        "grant_type=authorization_code&client_secret=GOCSPX-1%2F2"
    );

    // Redirects are the engine's to refuse, and its limit holds.
    let away = redirect(302, "https://evil.example.com/");
    let response = client.exchange(&request(Method::Get, &away, "")).await;
    assert_eq!(
        response.unwrap().header("location"),
        Some("https://evil.example.com/")
    );
    let large = client
        .exchange(&request(Method::Get, "/middling", ""))
        .await;
    assert_eq!(large.unwrap_err().code(), "api-answer-too-large");
}
