//! `application/x-www-form-urlencoded`, as OAuth wants it; wiped afterwards.

use zeroize::Zeroizing;

/// Bytes that any order needs at most: every value three times its length, and the names.
const MOST: usize = 64 * 1024;

/// A form under way.
pub(super) struct Form(Zeroizing<Vec<u8>>);

impl Form {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(MOST)))
    }

    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(b'&');
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        append(&mut self.0, value);
        self
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// One value, encoded.
pub(super) fn encoded(value: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(value.len().saturating_mul(3)));
    append(&mut out, value);
    out
}

fn append(out: &mut Vec<u8>, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        match byte {
            b' ' => out.push(b'+'),
            b if b.is_ascii_alphanumeric() || b"-._*".contains(&b) => out.push(b),
            b => {
                out.push(b'%');
                for nibble in [b >> 4, b & 15] {
                    out.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_url_standard_does() {
        let form = Form::new()
            .field("code", "4/0A b")
            .field("secret", "a+b&c=ü~*")
            .into_bytes();
        assert_eq!(
            String::from_utf8(form.to_vec()).unwrap(),
            "code=4%2F0A+b&secret=a%2Bb%26c%3D%C3%BC%7E*"
        );
    }
}
