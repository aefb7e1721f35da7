//! When protection fails, nothing is sent (W-20), and the reader learns what to do.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use bonafide_books::browser::{Click, ClickingBrowser, Pages};
use bonafide_books::{BooksApp, BooksSetup, PACKAGE, Provider};
use bonafide_provider::demo_ca::DemoCa;
use bonafide_provider::{ClientSecret, HOSTS, ProviderOptions, Running};
use bonafide_sdk::SdkConfig;
use bonafide_sdk::adaptor::{Roots, Url};
use bonafide_simulator::apk::{Apk, SigningKey};
use bonafide_simulator::{Factory, KeyKind, Phone};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::AccountId;

const NOW: i64 = 1_795_600_000;

fn phone() -> Phone {
    let factory = Factory::new(NOW).unwrap();
    let phone = Phone::builder("Test phone").build(&factory, NOW).unwrap();
    let developer = SigningKey::generate(KeyKind::EcP256, "developer", NOW).unwrap();
    phone
        .install(&Apk::builder(PACKAGE).sign(&developer).unwrap())
        .unwrap();
    phone
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

fn app(state: &Path, provider: &Running, ca: &DemoCa) -> BooksApp {
    let config = SdkConfig {
        service: format!("http://{}", nobody()),
        account: AccountId::parse("default").unwrap(),
        trust_root: Base64Url(vec![0; 32]),
    };
    let google = Provider::google(provider.client_id()).stand_in(provider.addr());
    let mut setup = BooksSetup::new(config, phone(), state.join("books"), google);
    setup.device_roots = Roots::Only(vec![ca.certificate_der().to_vec()]);
    BooksApp::open(setup).unwrap()
}

#[tokio::test]
async fn without_the_service_nothing_reaches_the_provider() {
    let ca = DemoCa::public().unwrap();
    let identity = ca.server(&HOSTS).unwrap();
    let options = ProviderOptions::demo(identity, ClientSecret::generate());
    let provider = bonafide_provider::Provider::start(options).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let app = app(state.path(), &provider, &ca);

    let search = app.search("frankenstein").await.unwrap_err();
    let pages = Url::parse(&format!("http://{}", provider.browser_addr().unwrap())).unwrap();
    let user = provider.user();
    let reader = (user.email.as_str(), user.password.as_str());
    let browser = ClickingBrowser::new(Pages::at(pages), reader, Click::Allow);
    let mut steps = Vec::new();
    let login = app
        .login(&browser, &mut |step| steps.push(step))
        .await
        .unwrap_err();
    let favorites = app.favorites().await.unwrap_err();
    app.logout().await.unwrap();

    assert_eq!(
        (search.code(), search.retryable()),
        ("service-unreachable", true)
    );
    assert_eq!(login.code(), "service-unreachable");
    assert_eq!(
        login.to_string(),
        "login failed while discovering the provider's configuration: \
         no connection (service-unreachable); try again"
    );
    assert_eq!(
        favorites.to_string(),
        "favorites failed: log in first (`books login`)"
    );
    assert_eq!(provider.seen(), [], "nothing was sent unprotected");
    provider.stop().await;
}
