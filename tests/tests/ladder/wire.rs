//! The wire between phone and service: plain HTTP, every byte heard, and held back on demand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    listener: Option<TcpListener>,
    heard: Arc<Mutex<Vec<u8>>>,
    held: Arc<AtomicBool>,
}

impl Wire {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener: Some(listener),
            heard: Arc::default(),
            held: Arc::default(),
        }
    }

    pub(crate) fn lead_to(&mut self, service: SocketAddr) {
        let listener = self.listener.take().unwrap();
        let (heard, held) = (Arc::clone(&self.heard), Arc::clone(&self.held));
        tokio::spawn(async move {
            while let Ok((phone, _)) = listener.accept().await {
                let Ok(service) = TcpStream::connect(service).await else {
                    continue;
                };
                let (phone_in, phone_out) = phone.into_split();
                let (service_in, service_out) = service.into_split();
                let ear = (Arc::clone(&heard), Arc::clone(&held));
                tokio::spawn(pass(phone_in, service_out, ear.clone()));
                tokio::spawn(pass(service_in, phone_out, ear));
            }
        });
    }

    /// Nothing passes any more.
    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// New connections pass again.
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
    }

    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn carried(&self, needle: &str) -> bool {
        contains(&self.heard(), needle)
    }
}

pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    let needle = needle.as_bytes();
    bytes.windows(needle.len()).any(|window| window == needle)
}

type Ear = (Arc<Mutex<Vec<u8>>>, Arc<AtomicBool>);

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    (heard, held): Ear,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        heard.lock().unwrap().extend_from_slice(&buffer[..count]);
        if held.load(Ordering::SeqCst) {
            // Swallowed: the other side waits, as on a network that lost it.
            continue;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
