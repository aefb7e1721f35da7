//! A forward proxy on loopback that leads the stand-in's names to its TLS listener, and no other name anywhere.
//!
//! For programs that call servers by their names and can be told a proxy but no address: a Bonafide service that relays to
//! the stand-in (`bonafide serve --upstream-proxy`). It passes bytes; TLS stays between the two ends.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const MOST_HEAD_BYTES: usize = 4096;
const MOST_TUNNELS: usize = 64;

/// Accepts until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    hosts: Vec<&'static str>,
) -> std::io::Result<()> {
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if tunnels.len() < MOST_TUNNELS => {
                let (client, _) = accepted?;
                tunnels.spawn(tunnel(client, target, hosts.clone()));
            }
            Some(_) = tunnels.join_next() => {}
        }
    }
}

async fn tunnel(
    mut client: TcpStream,
    target: SocketAddr,
    hosts: Vec<&'static str>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MOST_HEAD_BYTES || client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    if !asked(&head).is_some_and(|host| hosts.contains(&host)) {
        return client
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .await;
    }
    let mut server = TcpStream::connect(target).await?;
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The host of `CONNECT host:443 HTTP/1.1`.
fn asked(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let target = line.strip_prefix("CONNECT ")?.split(' ').next()?;
    target.strip_suffix(":443")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tunnel_to_port_443_is_understood() {
        for (head, host) in [
            (
                "CONNECT login.library.example:443 HTTP/1.1\r\nhost: x\r\n\r\n",
                Some("login.library.example"),
            ),
            ("CONNECT login.library.example:80 HTTP/1.1\r\n\r\n", None),
            ("GET http://login.library.example/ HTTP/1.1\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(asked(head.as_bytes()), host, "{head}");
        }
    }
}
