//! Somebody on the wire between phone and service: copies every byte, changes none.
//!
//! The device protocol claims that no secret depends on the transport (W-2, W-10), so the story lets an
//! eavesdropper read everything and send it again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Most bytes kept of one direction of one connection.
const MOST: usize = 1 << 20;

/// A wire about to be tapped: the phone's end of it exists, the service's not yet.
#[derive(Debug)]
pub(super) struct LooseEnd {
    address: SocketAddr,
    listener: TcpListener,
}

/// A tapped wire.
#[derive(Debug)]
pub(super) struct Tap {
    heard: Arc<Mutex<Vec<Heard>>>,
    accepting: JoinHandle<()>,
}

/// One connection as it was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// From the phone.
    pub(super) up: Vec<u8>,
    /// From the service.
    pub(super) down: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl LooseEnd {
    /// Listens on loopback.
    pub(super) async fn new() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// Where the phone thinks the service is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes everything on from now on.
    pub(super) fn lead_to(self, service: SocketAddr) -> Tap {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let accepting = tokio::spawn(accept(self.listener, service, Arc::clone(&heard)));
        Tap { heard, accepting }
    }
}

impl Tap {
    /// Everything heard so far.
    pub(super) fn heard(&self) -> Vec<Heard> {
        lock(&self.heard).clone()
    }

    /// Forgets what was heard.
    pub(super) fn forget(&self) {
        for connection in lock(&self.heard).iter_mut() {
            *connection = Heard::default();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, heard: Arc<Mutex<Vec<Heard>>>) {
    while let Ok((phone, _)) = listener.accept().await {
        let Ok(service) = TcpStream::connect(upstream).await else {
            continue;
        };
        let number = {
            let mut heard = lock(&heard);
            heard.push(Heard::default());
            heard.len() - 1
        };
        let (phone_in, phone_out) = phone.into_split();
        let (service_in, service_out) = service.into_split();
        let ear = Ear {
            heard: Arc::clone(&heard),
            number,
        };
        tokio::spawn(pass(phone_in, service_out, ear.clone(), Direction::Up));
        tokio::spawn(pass(service_in, phone_out, ear, Direction::Down));
    }
}

#[derive(Clone)]
struct Ear {
    heard: Arc<Mutex<Vec<Heard>>>,
    number: usize,
}

impl Ear {
    fn hear(&self, direction: Direction, bytes: &[u8]) {
        let mut heard = lock(&self.heard);
        let Some(connection) = heard.get_mut(self.number) else {
            return;
        };
        let kept = match direction {
            Direction::Up => &mut connection.up,
            Direction::Down => &mut connection.down,
        };
        let room = MOST.saturating_sub(kept.len()).min(bytes.len());
        kept.extend(bytes.iter().take(room));
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    ear: Ear,
    direction: Direction,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        ear.hear(direction, bytes);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    drop(to.shutdown().await);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
