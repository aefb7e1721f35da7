//! HTTP/1.1 as an attacker does it: takes requests out of what was heard on a wire, and puts bytes on it.

use std::net::SocketAddr;

use bonafide_wire::device::{AttestationPayload, AttestationRequest, ResponseKey, SealedReply};
use bonafide_wire::problem::Problem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::scene::{OrOtherwise as _, Otherwise, Told};

const HEAD_END: &[u8] = b"\r\n\r\n";
const MOST: u64 = 1 << 20;

/// A request as it was heard: head and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// What a service answered to bytes.
#[derive(Debug)]
pub(super) struct Answer {
    /// Like `200 OK`.
    pub(super) status: String,
    pub(super) body: Vec<u8>,
}

impl Captured {
    /// All the requests in what one end of a connection sent.
    pub(super) fn all(mut wire: &[u8]) -> Vec<Self> {
        let mut requests = Vec::new();
        while let Some((captured, rest)) = Self::first(wire) {
            requests.push(captured);
            wire = rest;
        }
        requests
    }

    fn first(wire: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = split_head(wire)?;
        let length = header(&head, "content-length").map_or(Some(0), |text| text.parse().ok())?;
        let (body, rest) = rest.split_at_checked(length)?;
        let body = body.to_vec();
        Some((Self { head, body }, rest))
    }

    /// The value of a header.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        header(&self.head, name).map(str::to_owned)
    }

    /// A field of its form.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(&self.body);
        let field = fields.find(|(known, _)| known == name);
        field.map(|(_, value)| value.into_owned())
    }

    /// How many bytes it has on the wire.
    pub(super) fn len(&self) -> usize {
        self.head.len() + HEAD_END.len() + self.body.len()
    }

    /// The same with another body.
    pub(super) fn with_body(&self, body: Vec<u8>) -> Self {
        let lines = self.head.split("\r\n").map(|line| {
            if header(line, "content-length").is_some() {
                format!("content-length: {}", body.len())
            } else {
                line.to_owned()
            }
        });
        Self {
            head: lines.collect::<Vec<_>>().join("\r\n"),
            body,
        }
    }

    /// The same attestation, asking for a reply to another key. The signature under it stays the phone's.
    pub(super) fn with_response_key(&self, key: ResponseKey) -> Result<Self, Otherwise> {
        let mut request: AttestationRequest =
            serde_json::from_slice(&self.body).or_otherwise("the captured request")?;
        let mut payload: AttestationPayload =
            serde_json::from_slice(request.payload.as_slice()).or_otherwise("its payload")?;
        payload.response_key = key;
        request.payload = serde_json::to_vec(&payload)
            .or_otherwise("a payload")?
            .into();
        let body = serde_json::to_vec(&request).or_otherwise("a request")?;
        Ok(self.with_body(body))
    }

    /// Puts it on the wire and reads the answer.
    pub(super) async fn send(&self, to: SocketAddr) -> Result<Answer, Otherwise> {
        let mut stream = TcpStream::connect(to).await.or_otherwise("connecting")?;
        let bytes = [self.head.as_bytes(), HEAD_END, &self.body].concat();
        stream.write_all(&bytes).await.or_otherwise("sending")?;
        Answer::read(stream).await
    }
}

impl Answer {
    /// Reads one answer; the connection may stay open behind it.
    async fn read(stream: TcpStream) -> Result<Self, Otherwise> {
        let mut stream = stream.take(MOST);
        let mut heard = Vec::new();
        loop {
            if let Some(answer) = Self::parse(&heard) {
                return Ok(answer);
            }
            let read = stream.read_buf(&mut heard).await.or_otherwise("reading")?;
            if read == 0 {
                return Err(Otherwise("the service hung up".to_owned()));
            }
        }
    }

    fn parse(wire: &[u8]) -> Option<Self> {
        let (head, rest) = split_head(wire)?;
        let length: usize = header(&head, "content-length")?.parse().ok()?;
        let (_, status) = head.lines().next()?.split_once(' ')?;
        Some(Self {
            status: status.to_owned(),
            body: rest.get(..length)?.to_vec(),
        })
    }

    /// The problem code of a refusal.
    pub(super) fn problem_code(&self) -> Result<String, Otherwise> {
        let problem: Problem =
            serde_json::from_slice(&self.body).or_otherwise("no problem document")?;
        Ok(problem.code.as_str().to_owned())
    }

    /// Holds if it is nothing but a sealed reply.
    pub(super) fn must_be_sealed(&self) -> Told {
        let reply: Result<SealedReply, _> = serde_json::from_slice(&self.body);
        reply
            .map(|_| ())
            .or_otherwise("the answer is not a sealed reply")
    }
}

fn split_head(wire: &[u8]) -> Option<(String, &[u8])> {
    let at = super::find(wire, HEAD_END)?;
    let (head, rest) = wire.split_at_checked(at)?;
    let head = String::from_utf8(head.to_vec()).ok()?;
    Some((head, rest.get(HEAD_END.len()..)?))
}

/// The value of a header.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_out_of_a_wire_one_by_one() {
        let heard = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiPOST /half";
        let all = Captured::all(heard);
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].body, b"hi");
        let longer = all[1].with_body(b"hello".to_vec());
        assert_eq!(longer.head, "POST /b HTTP/1.1\r\ncontent-length: 5");
    }
}
