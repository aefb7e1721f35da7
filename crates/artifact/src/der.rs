//! A tolerant BER reader, for certificates, keys, signatures and PKCS#7 as Android and Apple accept them.
//!
//! Decides only where one value ends and the next begins. It accepts what strict DER readers refuse (redundant length
//! bytes, indefinite lengths), because digests and signatures are over the bytes as they are and Android verifies such
//! files; but it never guesses: every length must fit and nesting has a limit.

/// How deep indefinite lengths may nest before the reader gives up.
const MAX_DEPTH: u8 = 24;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// One value: its tag byte, its content and all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// A reader over the values inside.
    pub(crate) const fn inside(self) -> Reader<'a> {
        Reader { rest: self.content }
    }

    /// The bits of a BIT STRING without unused ones.
    pub(crate) fn whole_bits(self) -> Option<&'a [u8]> {
        let (unused, bits) = self.content.split_first()?;
        (self.tag == BIT_STRING && *unused == 0).then_some(bits)
    }

    /// The magnitude of an INTEGER, read as if it had no sign: some signers write a large modulus as a negative number.
    pub(crate) fn magnitude(self) -> Option<&'a [u8]> {
        if self.tag != INTEGER || self.content.is_empty() {
            return None;
        }
        let zeros = self.content.iter().take_while(|byte| **byte == 0).count();
        self.content.get(zeros..)
    }

    /// An OCTET STRING's bytes, also when BER cuts it into pieces.
    pub(crate) fn octets(self) -> Option<Vec<u8>> {
        const CONSTRUCTED: u8 = OCTET_STRING | 0x20;
        match self.tag {
            OCTET_STRING => Some(self.content.to_vec()),
            CONSTRUCTED => {
                let mut whole = Vec::new();
                let mut reader = self.inside();
                while !reader.is_empty() {
                    whole.extend_from_slice(reader.expect_tag(OCTET_STRING)?.content);
                }
                Some(whole)
            }
            _ => None,
        }
    }
}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, whatever it is.
    pub(crate) fn value(&mut self) -> Option<Value<'a>> {
        let (value, rest) = parse(self.rest, 0)?;
        self.rest = rest;
        Some(value)
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect_tag(&mut self, tag: u8) -> Option<Value<'a>> {
        let before = self.rest;
        let value = self.value()?;
        if value.tag == tag {
            return Some(value);
        }
        self.rest = before;
        None
    }

    /// The next value if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        if self.rest.first() == Some(&tag) {
            self.value()
        } else {
            None
        }
    }

    /// A reader over the next value, which must be a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Option<Self> {
        self.expect_tag(SEQUENCE).map(Value::inside)
    }
}

fn parse(bytes: &[u8], depth: u8) -> Option<(Value<'_>, &[u8])> {
    let (tag, after_tag) = bytes.split_first()?;
    // Tags of 31 and more take further bytes; none of the formats read here has one.
    if tag & 0x1f == 0x1f || depth > MAX_DEPTH {
        return None;
    }
    let (first, after_length) = after_tag.split_first()?;
    if *first == 0x80 {
        return parse_indefinite(bytes, after_length, depth);
    }
    let (length, after_length) = if *first < 0x80 {
        (usize::from(*first), after_length)
    } else {
        long_length(usize::from(first & 0x7f), after_length)?
    };
    let (content, rest) = after_length.split_at_checked(length)?;
    let raw = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
    Some((
        Value {
            tag: *tag,
            content,
            raw,
        },
        rest,
    ))
}

fn long_length(count: usize, bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(count)?;
    let mut length = 0_usize;
    for digit in digits {
        length = length.checked_mul(256)?.checked_add(usize::from(*digit))?;
    }
    Some((length, rest))
}

fn parse_indefinite<'a>(
    bytes: &'a [u8],
    body: &'a [u8],
    depth: u8,
) -> Option<(Value<'a>, &'a [u8])> {
    let tag = *bytes.first()?;
    if tag & 0x20 == 0 {
        return None;
    }
    let mut rest = body;
    loop {
        if let Some(after) = rest.strip_prefix(&[0, 0]) {
            let content = body.get(..body.len().checked_sub(rest.len())?)?;
            let raw = bytes.get(..bytes.len().checked_sub(after.len())?)?;
            return Some((Value { tag, content, raw }, after));
        }
        rest = parse(rest, depth.checked_add(1)?)?.1;
    }
}

/// An object identifier in dotted form; `None` for a malformed one.
pub(crate) fn dotted(oid: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for byte in oid {
        arc = arc.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first.to_string());
                arc = arc.saturating_sub(first.saturating_mul(40));
            }
            arcs.push(arc.to_string());
            arc = 0;
        }
    }
    (!arcs.is_empty() && oid.last()? & 0x80 == 0).then(|| arcs.join("."))
}

#[cfg(test)]
mod tests {
    use super::{INTEGER, OCTET_STRING, Reader, SEQUENCE, dotted};

    #[test]
    fn reads_redundant_and_indefinite_lengths_but_no_lies() {
        for (name, bytes, good) in [
            ("short", &[0x30, 0x03, 0x02, 0x01, 0x05][..], true),
            (
                "redundant length byte",
                &[0x30, 0x81, 0x03, 0x02, 0x01, 0x05][..],
                true,
            ),
            (
                "indefinite",
                &[0x30, 0x80, 0x02, 0x01, 0x05, 0, 0][..],
                true,
            ),
            (
                "indefinite without end",
                &[0x30, 0x80, 0x02, 0x01, 0x05][..],
                false,
            ),
            (
                "length beyond the end",
                &[0x30, 0x04, 0x02, 0x01, 0x05][..],
                false,
            ),
            (
                "length of nine bytes",
                &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0][..],
                false,
            ),
        ] {
            let inside = Reader::new(bytes)
                .sequence()
                .and_then(|mut s| s.expect_tag(INTEGER));
            assert_eq!(inside.is_some(), good, "{name}");
        }
    }

    #[test]
    fn nesting_without_end_stops() {
        assert!(
            Reader::new(&[SEQUENCE, 0x80].repeat(5_000))
                .value()
                .is_none()
        );
    }

    #[test]
    fn joins_an_octet_string_in_pieces() {
        let bytes = [OCTET_STRING | 0x20, 0x80, 4, 1, 7, 4, 1, 8, 0, 0];
        let value = Reader::new(&bytes).value().unwrap();
        assert_eq!(value.octets().unwrap(), [7, 8]);
    }

    #[test]
    fn prints_object_identifiers() {
        assert_eq!(
            dotted(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]).unwrap(),
            "1.2.840.10045.2.1"
        );
        assert_eq!(dotted(&[0x60, 0x86, 0x48, 1]).unwrap(), "2.16.840.1");
        assert_eq!(dotted(&[0x2a, 0x86]), None);
    }
}
