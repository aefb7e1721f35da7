//! Starting, restarting and stopping the whole service, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::path::Path;

use bonafide_server::tls::TlsFiles;
use bonafide_server::{ServeOptions, Server, StartError, Transport};

fn client(root: Option<&[u8]>) -> reqwest::Client {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(pem) = root {
        let root = reqwest::Certificate::from_pem(pem).unwrap();
        builder = builder.tls_certs_only([root]);
    }
    builder.build().unwrap()
}

async fn status(client: &reqwest::Client, url: String) -> u16 {
    client.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_first_start_makes_a_way_in_once_and_a_restart_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let running = Server::start(ServeOptions::on_loopback(&data))
        .await
        .unwrap();
    let credential = running.first_credential.as_ref().unwrap();
    assert_eq!(credential.credential.name, "root");
    let web = client(None);
    for address in [running.device_addr, running.admin_addr] {
        for probe in ["livez", "readyz"] {
            assert_eq!(status(&web, format!("http://{address}/{probe}")).await, 200);
        }
    }
    let device = running.device_addr;
    let admin = running.admin_addr;
    let jwks = |at: SocketAddr| format!("http://{at}/v1/default/jwks.json");
    let keys = web.get(jwks(device)).send().await.unwrap();
    let keys = keys.text().await.unwrap();
    // The two sides stay apart.
    assert_eq!(status(&web, jwks(admin)).await, 404);
    let whoami = |at: SocketAddr| format!("http://{at}/admin/v1/whoami");
    assert_eq!(status(&web, whoami(device)).await, 404);
    assert_eq!(status(&web, whoami(admin)).await, 401);
    running.stop().await;
    assert!(web.get(jwks(device)).send().await.is_err());

    let again = Server::start(ServeOptions::on_loopback(&data))
        .await
        .unwrap();
    assert!(again.first_credential.is_none());
    let same = web.get(jwks(again.device_addr)).send().await.unwrap();
    assert_eq!(same.text().await.unwrap(), keys);
    again.stop().await;
}

#[tokio::test]
async fn data_without_their_master_key_are_not_started() {
    let directory = tempfile::tempdir().unwrap();
    let running = Server::start(ServeOptions::on_loopback(directory.path()))
        .await
        .unwrap();
    running.stop().await;
    std::fs::remove_file(directory.path().join("master.key")).unwrap();
    let refused = Server::start(ServeOptions::on_loopback(directory.path())).await;
    assert!(matches!(refused, Err(StartError::Key(_))));
}

#[tokio::test]
async fn plain_http_stays_on_loopback_unless_a_proxy_speaks_tls() {
    let directory = tempfile::tempdir().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let options = |transport| ServeOptions {
        device_addr: everywhere,
        transport,
        public_url: Some("https://attest.example.com".to_owned()),
        ..ServeOptions::on_loopback(directory.path())
    };
    let refused = Server::start(options(Transport::Loopback)).await;
    assert!(matches!(refused, Err(StartError::PlainHttp { .. })));
    let running = Server::start(options(Transport::BehindProxy))
        .await
        .unwrap();
    assert_eq!(running.public_url, "https://attest.example.com");
    running.stop().await;
}

#[tokio::test]
async fn a_public_url_that_no_app_could_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for url in [
        "http://attest.example.com",
        "https://attest.example.com/",
        "attest",
    ] {
        let options = ServeOptions {
            public_url: Some(url.to_owned()),
            ..ServeOptions::on_loopback(directory.path())
        };
        let refused = Server::start(options).await;
        assert!(matches!(refused, Err(StartError::PublicUrl(_))), "{url}");
    }
}

#[tokio::test]
async fn tls_is_spoken_with_the_given_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = directory.path().join("cert.pem");
    let private_key = directory.path().join("key.pem");
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&private_key, made.signing_key.serialize_pem()).unwrap();
    let options = |certificate: &Path| ServeOptions {
        transport: Transport::Tls(TlsFiles {
            certificate: certificate.to_path_buf(),
            private_key: private_key.clone(),
        }),
        ..ServeOptions::on_loopback(directory.path().join("data"))
    };
    let running = Server::start(options(&certificate)).await.unwrap();
    let web = client(Some(made.cert.pem().as_bytes()));
    let device = format!("https://{}/livez", running.device_addr);
    assert_eq!(status(&web, device).await, 200);
    let admin = format!("http://{}/livez", running.admin_addr);
    assert_eq!(status(&web, admin).await, 200);
    running.stop().await;
    let refused = Server::start(options(&private_key)).await;
    assert!(matches!(refused, Err(StartError::Tls(_))));
}
