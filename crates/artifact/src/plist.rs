//! Property lists, XML and binary, as Apple's signing uses them.
//!
//! Reads what is there within limits of depth and size; what a missing key means is for the callers. Written anew because
//! these lists come from strangers: depth is bounded before anything nests, and a binary list that refers to itself ends.

use std::collections::BTreeMap;

/// The most that any list here honestly has.
pub(crate) const MAX_BYTES: u64 = 4 << 20;
const MAX_DEPTH: u8 = 32;
/// Binary lists share values; a small file may stand for a huge tree.
const MAX_VALUES: usize = 200_000;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plist {
    Dictionary(BTreeMap<String, Self>),
    Array(Vec<Self>),
    Text(String),
    Data(Vec<u8>),
    Flag(bool),
    /// A number or a date, as it is written.
    Other(String),
}

impl Plist {
    /// Reads either form.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"bplist00") {
            Binary::parse(bytes)
        } else {
            Xml::parse(bytes)
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(map) => map.get(key),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn data(&self, key: &str) -> Option<&[u8]> {
        match self.get(key)? {
            Self::Data(data) => Some(data),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Self::Flag(true)))
    }

    pub(crate) fn array(&self, key: &str) -> Option<&[Self]> {
        match self.get(key)? {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn dictionary(&self, key: &str) -> Option<&BTreeMap<String, Self>> {
        match self.get(key)? {
            Self::Dictionary(map) => Some(map),
            _ => None,
        }
    }
}

struct Xml<'a> {
    rest: &'a str,
    values: usize,
}

/// `<name …>`, `</name>` or `<name/>`.
struct Tag<'a> {
    name: &'a str,
    closing: bool,
    empty: bool,
}

impl<'a> Xml<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Plist> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut xml = Self {
            rest: text.trim_start_matches('\u{feff}'),
            values: 0,
        };
        let root = xml.tag()?;
        if root.name != "plist" || root.closing || root.empty {
            return None;
        }
        let first = xml.tag()?;
        let value = xml.value(&first, 0)?;
        let end = xml.tag()?;
        (end.name == "plist" && end.closing).then_some(value)
    }

    /// The next tag; comments, declarations and text between tags are passed over.
    fn tag(&mut self) -> Option<Tag<'a>> {
        loop {
            let (_, rest) = self.rest.split_once('<')?;
            if let Some(comment) = rest.strip_prefix("!--") {
                self.rest = comment.split_once("-->")?.1;
                continue;
            }
            let (inside, after) = rest.split_once('>')?;
            self.rest = after;
            // A declaration with its own entities could make one text mean two things.
            if inside.starts_with('!') && inside.contains('[') {
                return None;
            }
            if inside.starts_with('!') || inside.starts_with('?') {
                continue;
            }
            let closing = inside.starts_with('/');
            let empty = inside.ends_with('/');
            let name = inside.trim_matches('/').split_ascii_whitespace().next()?;
            return Some(Tag {
                name,
                closing,
                empty,
            });
        }
    }

    fn value(&mut self, tag: &Tag<'a>, depth: u8) -> Option<Plist> {
        self.values = self.values.checked_add(1)?;
        if tag.closing || depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        let next = depth.checked_add(1)?;
        match (tag.name, tag.empty) {
            ("true", _) => self.closed(tag, Plist::Flag(true)),
            ("false", _) => self.closed(tag, Plist::Flag(false)),
            ("dict", true) => Some(Plist::Dictionary(BTreeMap::new())),
            ("dict", false) => self.dictionary(next),
            ("array", true) => Some(Plist::Array(Vec::new())),
            ("array", false) => self.array(next),
            ("string", true) => Some(Plist::Text(String::new())),
            ("string", false) => self.text("string").map(Plist::Text),
            ("data", true) => Some(Plist::Data(Vec::new())),
            ("data", false) => decode_base64(&self.text("data")?).map(Plist::Data),
            (name @ ("integer" | "real" | "date"), false) => self.text(name).map(Plist::Other),
            _ => None,
        }
    }

    fn closed(&mut self, tag: &Tag<'a>, value: Plist) -> Option<Plist> {
        if !tag.empty {
            let end = self.tag()?;
            if !end.closing || end.name != tag.name {
                return None;
            }
        }
        Some(value)
    }

    fn dictionary(&mut self, depth: u8) -> Option<Plist> {
        let mut map = BTreeMap::new();
        loop {
            let tag = self.tag()?;
            match (tag.name, tag.closing) {
                ("dict", true) => return Some(Plist::Dictionary(map)),
                ("key", false) => {
                    let key = if tag.empty {
                        String::new()
                    } else {
                        self.text("key")?
                    };
                    let tag = self.tag()?;
                    let value = self.value(&tag, depth)?;
                    // Two values for one key: readers differ about which counts.
                    if map.insert(key, value).is_some() {
                        return None;
                    }
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: u8) -> Option<Plist> {
        let mut items = Vec::new();
        loop {
            let tag = self.tag()?;
            if tag.name == "array" && tag.closing {
                return Some(Plist::Array(items));
            }
            items.push(self.value(&tag, depth)?);
        }
    }

    /// Text up to the closing tag, with the five entities and numeric ones resolved.
    fn text(&mut self, name: &str) -> Option<String> {
        let (raw, after) = self.rest.split_once('<')?;
        self.rest = after;
        let (inside, after) = self.rest.split_once('>')?;
        self.rest = after;
        if inside.strip_prefix('/').map(str::trim) != Some(name) {
            return None;
        }
        unescape(raw)
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let (entity, after) = after.split_once(';')?;
        text.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(dense).ok()
}

struct Binary<'a> {
    bytes: &'a [u8],
    offsets: &'a [u8],
    offset_size: usize,
    reference_size: usize,
    values: usize,
}

impl<'a> Binary<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Plist> {
        let (_, trailer) = bytes.split_last_chunk::<32>()?;
        let (offset_size, reference_size) =
            (usize::from(*trailer.get(6)?), usize::from(*trailer.get(7)?));
        let count = usize::try_from(big_endian(trailer.get(8..16)?)?).ok()?;
        let top = usize::try_from(big_endian(trailer.get(16..24)?)?).ok()?;
        let table = usize::try_from(big_endian(trailer.get(24..32)?)?).ok()?;
        if !(1..=8).contains(&offset_size) || !(1..=8).contains(&reference_size) {
            return None;
        }
        let end = table.checked_add(count.checked_mul(offset_size)?)?;
        let offsets = bytes.get(table..end)?;
        let mut binary = Self {
            bytes,
            offsets,
            offset_size,
            reference_size,
            values: 0,
        };
        binary.value(top, 0)
    }

    fn value(&mut self, reference: usize, depth: u8) -> Option<Plist> {
        self.values = self.values.checked_add(1)?;
        // A list that contains itself nests without end, so depth ends it too.
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        let at = reference.checked_mul(self.offset_size)?;
        let offset = big_endian(self.offsets.get(at..at.checked_add(self.offset_size)?)?)?;
        let object = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let (marker, body) = object.split_first()?;
        let (kind, low) = (marker >> 4, marker & 0x0f);
        let next = depth.checked_add(1)?;
        match kind {
            0x0 => match low {
                8 => Some(Plist::Flag(false)),
                9 => Some(Plist::Flag(true)),
                _ => None,
            },
            0x1 => {
                let bytes = body.get(..1_usize.checked_shl(u32::from(low))?)?;
                Some(Plist::Other(
                    big_endian(bytes.get(bytes.len().saturating_sub(8)..)?)?.to_string(),
                ))
            }
            0x2 => Some(Plist::Other("real".to_owned())),
            0x3 => Some(Plist::Other(date(*body.first_chunk()?))),
            0x4 => {
                let (length, body) = self.length(low, body)?;
                Some(Plist::Data(body.get(..length)?.to_vec()))
            }
            0x5 => {
                let (length, body) = self.length(low, body)?;
                Some(Plist::Text(
                    String::from_utf8_lossy(body.get(..length)?).into_owned(),
                ))
            }
            0x6 => {
                let (length, body) = self.length(low, body)?;
                let (units, _) = body.get(..length.checked_mul(2)?)?.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                Some(Plist::Text(String::from_utf16_lossy(&units)))
            }
            0x8 => Some(Plist::Other("uid".to_owned())),
            0xa | 0xc => self.array(low, body, next),
            0xd => self.dictionary(low, body, next),
            _ => None,
        }
    }

    fn array(&mut self, low: u8, body: &[u8], depth: u8) -> Option<Plist> {
        let (length, body) = self.length(low, body)?;
        let references = self.references(length, body)?;
        let items: Option<Vec<Plist>> = references
            .into_iter()
            .map(|r| self.value(r, depth))
            .collect();
        items.map(Plist::Array)
    }

    fn dictionary(&mut self, low: u8, body: &[u8], depth: u8) -> Option<Plist> {
        let (length, body) = self.length(low, body)?;
        let keys = self.references(length, body)?;
        let values = self.references(
            length,
            body.get(length.checked_mul(self.reference_size)?..)?,
        )?;
        let mut map = BTreeMap::new();
        for (key, value) in keys.into_iter().zip(values) {
            let Plist::Text(key) = self.value(key, depth)? else {
                return None;
            };
            if map.insert(key, self.value(value, depth)?).is_some() {
                return None;
            }
        }
        Some(Plist::Dictionary(map))
    }

    fn length<'b>(&self, low: u8, body: &'b [u8]) -> Option<(usize, &'b [u8])> {
        if low != 0x0f {
            return Some((usize::from(low), body));
        }
        let (marker, body) = body.split_first()?;
        let size = 1_usize
            .checked_shl(u32::from(marker & 0x0f))
            .filter(|size| marker >> 4 == 1 && *size <= 8)?;
        let length = usize::try_from(big_endian(body.get(..size)?)?).ok()?;
        (length <= self.bytes.len()).then_some((length, body.get(size..)?))
    }

    fn references(&self, count: usize, body: &[u8]) -> Option<Vec<usize>> {
        let bytes = body.get(..count.checked_mul(self.reference_size)?)?;
        bytes
            .chunks_exact(self.reference_size)
            .map(|r| usize::try_from(big_endian(r)?).ok())
            .collect()
    }
}

fn big_endian(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    })
}

/// Seconds since 2001, as Apple counts; enough to say when without a calendar.
fn date(bytes: [u8; 8]) -> String {
    format!("{} s after 2001", f64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(inside: &str) -> Option<Plist> {
        let head =
            "<?xml version=\"1.0\"?><!DOCTYPE plist PUBLIC \"x\" \"y\"><plist version=\"1.0\">";
        Plist::parse(format!("{head}{inside}</plist>").as_bytes())
    }

    #[test]
    fn reads_xml_with_everything_in_it() {
        let list = xml(
            "<dict><!-- <key>no</key> --><key>a &amp; b</key><string>&lt;&#65;&gt;</string>\
             <key>flag</key><true/><key>data</key><data> AAE\n= </data>\
             <key>list</key><array><integer>3</integer><dict/></array></dict>",
        )
        .unwrap();
        assert_eq!(list.text("a & b"), Some("<A>"));
        assert!(list.flag("flag"));
        assert_eq!(list.data("data"), Some(&[0, 1][..]));
        assert_eq!(list.array("list").unwrap().len(), 2);
    }

    #[test]
    fn refuses_what_two_readers_read_differently() {
        for (name, inside) in [
            (
                "a key twice",
                "<dict><key>a</key><true/><key>a</key><false/></dict>",
            ),
            ("crossed tags", "<array><string>x</array></string>"),
            ("a value without a key", "<dict><true/></dict>"),
            ("an entity of its own", "<string>&evil;</string>"),
        ] {
            assert!(xml(inside).is_none(), "{name}");
        }
        assert!(xml(&"<array>".repeat(100_000)).is_none());
    }

    #[test]
    fn reads_a_binary_list_and_stops_at_one_that_contains_itself() {
        // {"k": "v"}, then an array whose only member is itself
        let mut list = b"bplist00\xd1\x01\x02\x51k\x51v\x08\x0b\x0d".to_vec();
        let trailer = |objects: u8, table: u8| {
            let mut trailer = [0; 32];
            (trailer[6], trailer[7], trailer[15], trailer[31]) = (1, 1, objects, table);
            trailer
        };
        list.extend(trailer(3, 15));
        assert_eq!(Plist::parse(&list).unwrap().text("k"), Some("v"));
        let mut endless = b"bplist00\xa1\x00\x08".to_vec();
        endless.extend(trailer(1, 10));
        assert!(Plist::parse(&endless).is_none());
    }
}
