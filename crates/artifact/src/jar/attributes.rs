//! The text format of `MANIFEST.MF` and `.SF`: attributes in sections, with continuation lines.
//!
//! Decides where a section starts and ends, byte by byte, because digests are over the raw bytes: nothing is ever
//! written anew. Line ends may be CR LF, LF or CR.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::finding::ApiRange;
use crate::public_key::Hash;

/// A digest and its kind.
pub(crate) type Digest = (Hash, Vec<u8>);

/// The level from which Android takes the strongest digest instead of the first that `Digest-Algorithms` names.
const STRONGEST_SINCE: u32 = 18;

/// One section: where its bytes are, and its attributes.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) range: Range<usize>,
    attributes: Vec<(String, String)>,
}

/// A whole file: its bytes, the main section first.
#[derive(Debug)]
pub(crate) struct Sections {
    pub(crate) bytes: Vec<u8>,
    pub(crate) main: Section,
    individual: Vec<Section>,
}

impl Sections {
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut lines = Lines {
            bytes: &bytes,
            offset: 0,
        };
        let main = lines.section()?;
        let individual = std::iter::from_fn(|| lines.section()).collect();
        Some(Self {
            bytes,
            main,
            individual,
        })
    }

    pub(crate) fn individual(&self) -> &[Section] {
        &self.individual
    }

    pub(crate) fn raw(&self, section: &Section) -> &[u8] {
        self.bytes.get(section.range.clone()).unwrap_or_default()
    }
}

impl Section {
    /// The entry that the section is about.
    pub(crate) fn name(&self) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case("Name"));
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of this name; names are compared without case.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let found = self
            .attributes
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// Whether a name comes twice: readers differ about which one counts.
    pub(crate) fn has_duplicates(&self) -> bool {
        let mut names: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// All kinds of entry digests that this section names, whichever would be compared.
    pub(crate) fn digest_kinds(&self) -> Vec<Hash> {
        let mut kinds: Vec<Hash> = self
            .attributes
            .iter()
            .filter_map(|(name, _)| {
                let lower = name.to_ascii_lowercase();
                hash_by_name(lower.strip_suffix("-digest")?)
            })
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The digests that Android compares somewhere in `range`. Empty: there is none, or below level 18 none that counts there.
    pub(crate) fn digests_to_verify(
        &self,
        suffix: &str,
        range: ApiRange,
    ) -> Result<Vec<Digest>, NotBase64> {
        let mut digests = Vec::new();
        if range.from < STRONGEST_SINCE {
            match self.first_named(suffix, range.from)? {
                Some(digest) => digests.push(digest),
                None => return Ok(Vec::new()),
            }
        }
        if range.to >= STRONGEST_SINCE
            && let Some(digest) = self.strongest(suffix)?
            && !digests.contains(&digest)
        {
            digests.push(digest);
        }
        Ok(digests)
    }

    fn first_named(&self, suffix: &str, level: u32) -> Result<Option<Digest>, NotBase64> {
        let names = self
            .value("Digest-Algorithms")
            .unwrap_or_else(|| "SHA SHA1".to_owned());
        for name in names.split_ascii_whitespace() {
            let Some(text) = self.value(&format!("{name}{suffix}")) else {
                continue;
            };
            let Some(hash) = hash_by_name(&name.to_ascii_lowercase()) else {
                continue;
            };
            if matches!(hash, Hash::Sha384 | Hash::Sha512) && level < 9 {
                continue;
            }
            return Ok(Some((hash, decode(&text)?)));
        }
        Ok(None)
    }

    fn strongest(&self, suffix: &str) -> Result<Option<Digest>, NotBase64> {
        for (name, hash) in [
            ("SHA-512", Hash::Sha512),
            ("SHA-384", Hash::Sha384),
            ("SHA-256", Hash::Sha256),
            ("SHA1", Hash::Sha1),
        ] {
            if let Some(text) = self.value(&format!("{name}{suffix}")) {
                return Ok(Some((hash, decode(&text)?)));
            }
        }
        Ok(None)
    }
}

/// A digest is there but is not Base64: passing over it would let a weaker one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

fn hash_by_name(lower: &str) -> Option<Hash> {
    Some(match lower {
        "md5" => Hash::Md5,
        "sha" | "sha1" | "sha-1" => Hash::Sha1,
        "sha-256" => Hash::Sha256,
        "sha-384" => Hash::Sha384,
        "sha-512" => Hash::Sha512,
        _ => return None,
    })
}

fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    const LENIENT_PADDING: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT_PADDING.decode(text).map_err(|_| NotBase64)
}

struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Lines<'_> {
    /// The next section with its closing blank line; blank lines before it belong to nobody.
    fn section(&mut self) -> Option<Section> {
        let (mut start, mut line) = (self.offset, self.line()?);
        while line.is_empty() {
            (start, line) = (self.offset, self.line()?);
        }
        let mut attributes: Vec<Vec<u8>> = vec![line.to_vec()];
        while let Some(line) = self.line() {
            match (line.split_first(), attributes.last_mut()) {
                (None, _) => break,
                (Some((b' ', rest)), Some(continued)) => continued.extend_from_slice(rest),
                (Some(_), _) => attributes.push(line.to_vec()),
            }
        }
        let attributes = attributes
            .iter()
            .map(|line| split_attribute(line))
            .collect();
        Some(Section {
            range: start..self.offset,
            attributes,
        })
    }

    fn line(&mut self) -> Option<&[u8]> {
        let rest = self
            .bytes
            .get(self.offset..)
            .filter(|rest| !rest.is_empty())?;
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n'))
            .unwrap_or(rest.len());
        let (line, end) = rest.split_at_checked(length)?;
        let end_length = match end {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        self.offset = self
            .offset
            .saturating_add(length)
            .saturating_add(end_length);
        Some(line)
    }
}

fn split_attribute(line: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(line);
    match text.split_once(": ") {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text.into_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Sections {
        Sections::parse(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_section_owns_its_closing_blank_line_whatever_the_line_ends_are() {
        for end in ["\r\n", "\n", "\r"] {
            let text = format!("A: 1{end}B: 2{end} 3{end}{end}{end}Name: x{end}C: 4{end}{end}");
            let file = parse(&text);
            assert_eq!(file.main.value("b").unwrap(), "23");
            let section = &file.individual()[0];
            assert_eq!(section.value("C").unwrap(), "4");
            assert_eq!(
                file.raw(section),
                format!("Name: x{end}C: 4{end}{end}").as_bytes()
            );
        }
    }

    #[test]
    fn the_level_decides_which_digest_counts() {
        let file = parse("SHA1-Digest: AAAA\r\nSHA-256-Digest: BBBB\r\n\r\n");
        let kinds = |from, to| -> Vec<Hash> {
            let digests = file
                .main
                .digests_to_verify("-Digest", ApiRange::new(from, to))
                .unwrap();
            digests.into_iter().map(|(hash, _)| hash).collect()
        };
        assert_eq!(kinds(24, 30), [Hash::Sha256]);
        assert_eq!(kinds(9, 17), [Hash::Sha1]);
        assert_eq!(kinds(9, 30), [Hash::Sha1, Hash::Sha256]);
        let md5_only = parse("Digest-Algorithms: MD5\r\nMD5-Digest: AAAA\r\n\r\n");
        let range = ApiRange::new(18, 30);
        assert!(
            md5_only
                .main
                .digests_to_verify("-Digest", range)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn base64_that_is_none_is_not_skipped() {
        let file = parse("SHA-256-Digest: !!!!\r\n\r\n");
        assert!(
            file.main
                .digests_to_verify("-Digest", ApiRange::new(24, 30))
                .is_err()
        );
    }

    #[test]
    fn an_attribute_twice_is_noticed() {
        assert!(
            parse("Name: x\nSHA1-Digest: AAAA\nsha1-digest: BBBB\n\n")
                .main
                .has_duplicates()
        );
    }
}
