//! Form bodies and queries, read strictly: a name that comes twice is refused.

use std::collections::BTreeMap;

/// Names and values.
pub(crate) type Form = BTreeMap<String, String>;

/// A parameter was sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

pub(crate) fn read(bytes: &[u8]) -> Result<Form, Repeated> {
    let mut form = Form::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        if form.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Repeated);
        }
    }
    Ok(form)
}

pub(crate) fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default()
}
