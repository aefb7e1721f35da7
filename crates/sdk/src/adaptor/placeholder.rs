//! Placeholders (W-19): where `{{bonafide:NAME}}` may stand, and putting the secret there.
//!
//! Pure and strict: a whole header value (after a scheme word or not), a whole query value, a whole form
//! field. Anywhere else, in any spelling that decodes to it, it is an error.

use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::SecretName;
use bonafide_wire::secret::SecretText;
use reqwest::header::{HeaderMap, HeaderValue};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::request::{ProtectedRequest, sensitive};
use crate::error::SdkError;
use crate::fault::{Fault, PlaceholderReject};

const BEGIN: &str = "{{bonafide:";
const END: &str = "}}";

/// Gives the secret for a placeholder, or says why not.
pub(super) type Lookup<'a> =
    dyn FnMut(&SecretName, SecretUse) -> Result<SecretText, SdkError> + Send + 'a;

/// The placeholders of a request, in the order of their places.
pub(super) fn find(request: &ProtectedRequest) -> Result<Vec<(SecretName, SecretUse)>, SdkError> {
    let mut found = Vec::new();
    substitute(&mut request.clone(), &mut |name, place| {
        found.push((name.clone(), place));
        Ok(SecretText::new("stand-in".to_owned()))
    })?;
    Ok(found)
}

/// Replaces every placeholder of a request.
pub(super) fn substitute(
    request: &mut ProtectedRequest,
    lookup: &mut Lookup<'_>,
) -> Result<(), SdkError> {
    if request.redirected && contains(request.url.as_str().as_bytes()) {
        return Err(Fault::Placeholder(PlaceholderReject::FromRedirect).into());
    }
    substitute_headers(&mut request.headers, lookup)?;
    substitute_query(&mut request.url, lookup)?;
    if request.is_form() {
        let form = core::str::from_utf8(&request.body).map_err(|_| misplaced())?;
        if let Some(form) = pairs(form, SecretUse::Form, lookup)? {
            request.body = Zeroizing::new(form.as_bytes().to_vec());
        }
    } else if contains(&request.body) {
        return Err(misplaced());
    }
    Ok(())
}

fn substitute_headers(headers: &mut HeaderMap, lookup: &mut Lookup<'_>) -> Result<(), SdkError> {
    for value in headers.values_mut() {
        if let Some(secret) = header(value, lookup)? {
            *value = secret;
        }
    }
    Ok(())
}

fn header(value: &HeaderValue, lookup: &mut Lookup<'_>) -> Result<Option<HeaderValue>, SdkError> {
    let bytes = value.as_bytes();
    let Ok(text) = core::str::from_utf8(bytes) else {
        return if contains(bytes) {
            Err(misplaced())
        } else {
            Ok(None)
        };
    };
    let (scheme, rest) = match text.split_once(' ') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    };
    let Some(name) = whole(rest)? else {
        // `scheme` itself cannot hold a placeholder: it consists of token characters.
        return Ok(None);
    };
    let secret = lookup(&name, SecretUse::Header)?;
    let full = match scheme {
        Some(scheme) => SecretText::new(format!("{scheme} {}", secret.expose())),
        None => secret,
    };
    sensitive(&full)
        .map(Some)
        .ok_or_else(|| Fault::Placeholder(PlaceholderReject::Unfit).into())
}

fn is_scheme(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn substitute_query(url: &mut Url, lookup: &mut Lookup<'_>) -> Result<(), SdkError> {
    if contains(url.path().as_bytes()) || contains(url.fragment().unwrap_or_default().as_bytes()) {
        return Err(misplaced());
    }
    let Some(query) = url.query() else {
        return Ok(());
    };
    if let Some(query) = pairs(query, SecretUse::Query, lookup)? {
        url.set_query(Some(&query));
    }
    Ok(())
}

/// Replaces whole values of `name=value` pairs; every other byte stays as it was. `None`: nothing to do.
fn pairs(
    text: &str,
    place: SecretUse,
    lookup: &mut Lookup<'_>,
) -> Result<Option<Zeroizing<String>>, SdkError> {
    let mut result = Zeroizing::new(String::with_capacity(text.len().saturating_add(256)));
    let mut replaced = false;
    for (number, pair) in text.split('&').enumerate() {
        if number > 0 {
            result.push('&');
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(name).contains(BEGIN) {
            return Err(misplaced());
        }
        match whole(&decode(value))? {
            None => result.push_str(pair),
            Some(secret) => {
                let secret = lookup(&secret, place)?;
                result.push_str(name);
                result.push('=');
                push_encoded(&mut result, secret.expose(), place);
                replaced = true;
            }
        }
    }
    Ok(replaced.then_some(result))
}

/// In a form a space is `+`; in a query `%20`, which everybody reads alike.
fn push_encoded(to: &mut String, secret: &str, place: SecretUse) {
    for piece in form_urlencoded::byte_serialize(secret.as_bytes()) {
        match piece {
            "+" if place == SecretUse::Query => to.push_str("%20"),
            piece => to.push_str(piece),
        }
    }
}

/// The name, where the text is one placeholder and nothing else; an error where it holds one among others.
fn whole(text: &str) -> Result<Option<SecretName>, SdkError> {
    if !text.contains(BEGIN) {
        return Ok(None);
    }
    let name = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .filter(|name| !name.contains(['{', '}']))
        .ok_or_else(misplaced)?;
    SecretName::parse(name)
        .map(Some)
        .map_err(|_| Fault::Placeholder(PlaceholderReject::MalformedName).into())
}

/// Percent and plus decoding of one component.
fn decode(text: &str) -> String {
    // A leading name keeps `parse` from splitting: the component itself holds no `&` or raw `=` that matters.
    let text = text.replace('=', "%3D");
    form_urlencoded::parse(format!("={text}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// Whether bytes hold the beginning of a placeholder, plain or percent-encoded.
fn contains(bytes: &[u8]) -> bool {
    let has = |bytes: &[u8]| {
        bytes
            .windows(BEGIN.len())
            .any(|window| window == BEGIN.as_bytes())
    };
    has(bytes) || has(decode(&String::from_utf8_lossy(bytes).replace('&', "%26")).as_bytes())
}

fn misplaced() -> SdkError {
    Fault::Placeholder(PlaceholderReject::Misplaced).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(query: &[(String, String)], form: &[(String, String)]) -> ProtectedRequest {
        let mut url = Url::parse("https://api.example.com/p").unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        ProtectedRequest::to_url(reqwest::Method::POST, url)
            .unwrap()
            .form(&form)
    }

    fn pairs_strategy() -> impl Strategy<Value = Vec<(String, String)>> {
        proptest::collection::vec((".{0,8}", ".{0,8}"), 0..4)
    }

    fn with_placeholder(pairs: &[(String, String)], at: usize) -> Vec<(String, String)> {
        let mut pairs = pairs.to_vec();
        let at = at.min(pairs.len());
        pairs.insert(at, ("key".to_owned(), "{{bonafide:k}}".to_owned()));
        pairs
    }

    fn expected(pairs: &[(String, String)], secret: &str) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| match value.as_str() {
                "{{bonafide:k}}" => (name.clone(), secret.to_owned()),
                _ => (name.clone(), value.clone()),
            })
            .collect()
    }

    proptest! {
        /// Whatever the secret and whatever stands beside it: the server reads exactly the secret there, and
        /// everything else as it was.
        #[test]
        fn a_server_reads_the_secret_and_nothing_else_changed(
            query in pairs_strategy(),
            form in pairs_strategy(),
            at in 0_usize..4,
            secret in "\\PC{0,24}",
        ) {
            let query = with_placeholder(&query, at);
            let form = with_placeholder(&form, at);
            let mut request = request(&query, &form);
            substitute(&mut request, &mut |_, _| Ok(SecretText::new(secret.clone()))).unwrap();
            let read = |bytes: &[u8]| -> Vec<(String, String)> {
                form_urlencoded::parse(bytes).into_owned().collect()
            };
            let got = read(request.url.query().unwrap_or_default().as_bytes());
            prop_assert_eq!(got, expected(&query, &secret));
            prop_assert_eq!(read(&request.body), expected(&form, &secret));
        }

        /// A request without a placeholder keeps every byte.
        #[test]
        fn nothing_to_replace_changes_nothing(query in pairs_strategy(), form in pairs_strategy()) {
            let before = request(&query, &form);
            let mut after = before.clone();
            substitute(&mut after, &mut |_, _| Err(misplaced())).unwrap();
            prop_assert_eq!(before.url.as_str(), after.url.as_str());
            prop_assert_eq!(&*before.body, &*after.body);
        }

        /// Text around a placeholder is never sent, in any place and spelling that decodes to it.
        #[test]
        fn a_placeholder_among_other_text_is_an_error(before in ".{0,4}", after in ".{0,4}") {
            prop_assume!(!(before.is_empty() && after.is_empty()));
            let text = format!("{before}{{{{bonafide:k}}}}{after}");
            let pair = [("key".to_owned(), text)];
            for (query, form) in [(&pair[..], &[][..]), (&[][..], &pair[..])] {
                prop_assert!(find(&request(query, form)).is_err());
            }
        }
    }
}
