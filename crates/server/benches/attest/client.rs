//! A client that costs the server nothing but the requests: blocking sockets, prepared bytes, no pipelining.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::cpu;

const CONNECTIONS: usize = 8;

pub(crate) struct Client {
    connections: Vec<TcpStream>,
    /// The thread that serves.
    server: u64,
}

/// The bytes of a request.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: attest.example.com\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

impl Client {
    pub(crate) fn new(address: SocketAddr, server: u64) -> Self {
        let connect = |_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        Self {
            connections: (0..CONNECTIONS).map(connect).collect(),
            server,
        }
    }

    /// Sends the same request so often; gives the server's microseconds for one.
    pub(crate) fn send(&mut self, request: &[u8], times: usize) -> cpu::Spent {
        let all = vec![request; times];
        self.measure(&all)
    }

    pub(crate) fn send_each(&mut self, requests: &[Vec<u8>]) -> cpu::Spent {
        let all: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
        self.measure(&all)
    }

    fn measure(&mut self, requests: &[&[u8]]) -> cpu::Spent {
        cpu::of_others(self.server, requests.len(), || {
            for batch in requests.chunks(CONNECTIONS) {
                for (stream, request) in self.connections.iter_mut().zip(batch) {
                    stream.write_all(request).unwrap();
                }
                for (stream, _) in self.connections.iter_mut().zip(batch) {
                    read_answer(stream);
                }
            }
        })
    }
}

fn read_answer(stream: &mut TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        if let Some(length) = whole_length(&buffer[..filled])
            && filled >= length
        {
            return;
        }
    }
}

/// How long the whole answer is, once its head is there.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    Some(head_end + length.parse::<usize>().unwrap())
}
