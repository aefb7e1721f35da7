//! The loopback redirect (RFC 8252 §7.3) without the socket: what the browser sent, and what it is shown.
//!
//! The host listens on `127.0.0.1`, hands the request's head in and writes the page back. Whether the
//! redirect is ours is judged by [`crate::pending::PendingAuthorization::receive`].

use crate::redirect_uri::RedirectUri;

/// Most bytes of a request head that are read.
pub const MOST_HEAD_BYTES: usize = 16 * 1024;

/// What a connection to the loopback listener wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knock {
    /// The browser comes back, with this URL.
    Redirect(String),
    /// Something else (a favicon, a port scan): answer [`not_found`] and keep waiting.
    Other,
}

/// Reads the head of an HTTP/1.1 request.
pub fn read(head: &[u8], redirect_uri: &RedirectUri) -> Knock {
    let line = head
        .split(|byte| *byte == b'\n')
        .next()
        .and_then(|line| std::str::from_utf8(line).ok())
        .unwrap_or_default()
        .trim_end_matches('\r');
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let is_http = version.is_some_and(|version| version.starts_with("HTTP/1."));
    let (Some("GET"), Some(target), true, None) = (method, target, is_http, words.next()) else {
        return Knock::Other;
    };
    let arrived = format!("{}{target}", origin(redirect_uri));
    if target.starts_with('/') && redirect_uri.query_of(&arrived).is_some() {
        Knock::Redirect(arrived)
    } else {
        Knock::Other
    }
}

fn origin(redirect_uri: &RedirectUri) -> &str {
    let text = redirect_uri.as_str();
    let after_scheme = text.find("://").map_or(0, |at| at.saturating_add(3));
    let path = text
        .get(after_scheme..)
        .and_then(|rest| rest.find('/'))
        .map_or(text.len(), |at| at.saturating_add(after_scheme));
    text.get(..path).unwrap_or(text)
}

/// The page that ends the browser's part. Says nothing of the outcome, carries nothing of the URL.
pub fn done() -> String {
    page(
        "200 OK",
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Back to the app</title>\
         <p>You may close this page and return to the app.</p></html>",
    )
}

/// The answer to anything but the redirect.
pub fn not_found() -> String {
    page("404 Not Found", "")
}

fn page(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_the_redirect_path_is_the_redirect() {
        let uri = RedirectUri::parse("http://127.0.0.1:5000/callback").unwrap();
        assert_eq!(
            read(
                b"GET /callback?code=1&state=2 HTTP/1.1\r\nHost: x\r\n\r\n",
                &uri
            ),
            Knock::Redirect("http://127.0.0.1:5000/callback?code=1&state=2".to_owned())
        );
        for head in [
            "GET /favicon.ico HTTP/1.1\r\n",
            "POST /callback?code=1 HTTP/1.1\r\n",
            "GET /callback/x?code=1 HTTP/1.1\r\n",
            "GET http://127.0.0.1:5000/callback HTTP/1.1\r\n",
            "GET /callback?code=1",
            "GET /callback?code=1 SPDY/3\r\n",
            "GET /callback?code=1 HTTP/1.1 x\r\n",
            "",
            "\u{0}\u{1}",
        ] {
            assert_eq!(read(head.as_bytes(), &uri), Knock::Other, "{head}");
        }
    }

    #[test]
    fn the_pages_have_honest_lengths() {
        for page in [done(), not_found()] {
            let (head, body) = page.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())));
        }
    }
}
