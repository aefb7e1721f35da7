//! The few HTML pages: small, without scripts, under a strict content security policy, and escaped throughout.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::grants::Ticket;
use crate::options::User;
use crate::secret::sha256;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;background:#f3f5f8;color:#1d2530;\
margin:0;display:grid;min-height:100vh;place-items:center}main{background:#fff;padding:2rem;\
border-radius:12px;box-shadow:0 2px 18px #0002;max-width:24rem;width:calc(100% - 4rem)}\
h1{font-size:1.3rem;margin:0 0 .5rem}label{display:block;margin:.8rem 0 .2rem}\
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #9aa7b8;\
border-radius:6px}button{font:inherit;padding:.5rem 1.2rem;margin:1rem .5rem 0 0;border-radius:6px;\
border:1px solid #1a56c4;background:#1a56c4;color:#fff}button.quiet{background:#fff;color:#1a56c4}\
ul{padding-left:1.2rem}.note{background:#fff6d9;border-radius:6px;padding:.5rem .8rem}\
.wrong{color:#a4161a}";

/// What stands above the password field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Wrong,
}

pub(super) fn sign_in(ticket: &Ticket, user: &User, attempt: Attempt) -> Response {
    let wrong = match attempt {
        Attempt::First => "",
        Attempt::Wrong => "<p class=\"wrong\" role=\"alert\">Wrong address or password.</p>",
    };
    let body = format!(
        "<h1>Sign in</h1><p class=\"note\">A stand-in for {issuer} on this machine, for demonstrations. \
         Address <b>{email}</b>, password <b>{password}</b>.</p>{wrong}\
         <form method=\"post\" action=\"/o/oauth2/v2/sign-in\">{hidden}\
         <label for=\"email\">Email</label>\
         <input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"username\" required autofocus>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" \
         required><button id=\"sign-in\" type=\"submit\">Next</button></form>",
        issuer = escape(ticket.interaction.asker.issuer),
        email = escape(&user.email),
        password = escape(&user.password),
        hidden = hidden(ticket),
    );
    page(StatusCode::OK, "Sign in", &body, "'self'")
}

pub(super) fn consent(ticket: &Ticket, user: &User) -> Response {
    let wishes: String = ticket
        .interaction
        .scope
        .iter()
        .map(|scope| ["<li>", &escape(describe(scope)), "</li>"].concat())
        .collect();
    let body = format!(
        "<h1>{client} wants to access your account</h1><p>{email}</p><p>This will allow {client} to:</p>\
         <ul>{wishes}</ul><form method=\"post\" action=\"/o/oauth2/v2/consent\">{hidden}\
         <button id=\"allow\" name=\"decision\" value=\"allow\" type=\"submit\">Allow</button>\
         <button id=\"deny\" name=\"decision\" value=\"deny\" type=\"submit\" class=\"quiet\">Deny</button>\
         </form>",
        client = escape(&ticket.interaction.asker.name),
        email = escape(&user.email),
        hidden = hidden(ticket),
    );
    // Browsers apply form-action to the redirect that answers the form, too.
    let action = format!("'self' {}", origin(&ticket.interaction.redirect_uri));
    page(StatusCode::OK, "Consent", &body, &action)
}

/// An error that must not redirect.
pub(crate) fn refusal(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!(
        "<h1>Access blocked</h1><p>{}</p><p>Error {}: {}</p>",
        escape(text),
        status.as_u16(),
        escape(title)
    );
    page(status, "Error", &body, "'none'")
}

fn hidden(ticket: &Ticket) -> String {
    format!(
        "<input type=\"hidden\" name=\"interaction\" value=\"{}\">\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">",
        escape(&ticket.id),
        escape(&ticket.csrf)
    )
}

fn describe(scope: &str) -> &str {
    match scope {
        "openid" => "Know who you are on this service",
        "email" => "See your email address",
        "profile" => "See your name",
        "https://www.googleapis.com/auth/books" => "Manage your Google Books",
        other => other,
    }
}

/// A CSP source for a redirect URI that was checked against the registered ones.
fn origin(uri: &str) -> String {
    url::Url::parse(uri).map_or_else(
        |_| String::new(),
        |url| match url.scheme() {
            "http" | "https" => url.origin().ascii_serialization(),
            scheme => format!("{scheme}:"),
        },
    )
}

pub(super) fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    let style = STANDARD.encode(sha256(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text for HTML, in elements and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_text() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
    }

    #[test]
    fn the_redirect_may_follow_the_consent_form() {
        for (uri, source) in [
            (
                "http://127.0.0.1:5000/oauth2redirect",
                "http://127.0.0.1:5000",
            ),
            ("https://example.com/oauth2redirect", "https://example.com"),
            ("com.example.books:/oauth2redirect", "com.example.books:"),
        ] {
            assert_eq!(origin(uri), source);
        }
    }
}
