//! A certificate's SHA-256 as the Play Console, `keytool` and `apksigner` print it.
//!
//! Decides which spellings are one digest. It refuses shorter digests instead of comparing what they do not bind.

use std::str::FromStr;

/// Lower-case hexadecimal SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) String);

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let named = text
            .split_at_checked(7)
            .filter(|(name, _)| name.eq_ignore_ascii_case("sha256:"));
        let text = named.map_or(text, |(_, digest)| digest.trim());
        let bare: String = text.chars().filter(|c| *c != ':' && *c != ' ').collect();
        if bare.bytes().all(|b| b.is_ascii_hexdigit()) {
            return match bare.len() {
                64 => Ok(Self(bare.to_ascii_lowercase())),
                40 => Err(
                    "that is a SHA-1, which does not bind a certificate; take the SHA-256"
                        .to_owned(),
                ),
                32 => Err(
                    "that is an MD5, which does not bind a certificate; take the SHA-256"
                        .to_owned(),
                ),
                digits => Err(format!("a SHA-256 has 64 hexadecimal digits, not {digits}")),
            };
        }
        let url = bare
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        match bonafide_wire::bytes::decode(&url) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(hex::encode(bytes))),
            _ => Err(
                "expected a SHA-256: 64 hexadecimal digits, with colons or without, or base64"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "fb5dbd3c669af9fc236c6991e6387b7f11ff0590997f22d0f5c74ff40e04fca8";

    #[test]
    fn one_digest_has_many_spellings() {
        let bytes = hex::decode(HEX).unwrap();
        let colons: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let url = bonafide_wire::bytes::encode(&bytes);
        let standard = format!("{}=", url.replace('-', "+").replace('_', "/"));
        let colons = colons.join(":");
        let named = format!("SHA256: {colons}");
        for text in [HEX, &HEX.to_uppercase(), &colons, &named, &url, &standard] {
            assert_eq!(text.parse(), Ok(Fingerprint(HEX.to_owned())), "{text}");
        }
    }

    fn digits(count: usize) -> String {
        HEX.chars().take(count).collect()
    }

    #[test]
    fn what_does_not_bind_a_certificate_is_refused_by_name() {
        for (text, word) in [
            (digits(40), "SHA-1"),
            (digits(32), "MD5"),
            (digits(62), "not 62"),
            (String::new(), "not 0"),
            ("hello".to_owned(), "expected a SHA-256"),
        ] {
            let error = text.parse::<Fingerprint>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
