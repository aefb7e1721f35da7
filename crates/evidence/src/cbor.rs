//! A bounded CBOR cursor (RFC 8949) over foreign bytes.
//!
//! Decides whether bytes are well-formed items of definite length with shortest-form heads. It refuses
//! tags, floats and indefinite lengths, which nothing here needs, and maps with a key that occurs twice,
//! about which two decoders could disagree. It allocates nothing and believes no length it was told
//! before the bytes are there.

/// Why bytes are not the CBOR that was asked for; the text is for operators.
pub(crate) type CborFault = &'static str;

const TRUNCATED: CborFault = "truncated CBOR";
const UNEXPECTED: CborFault = "another CBOR type than expected";
/// Nesting that real objects stay below.
const MOST_DEPTH: u8 = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may follow.
    pub(crate) const fn finish(&self) -> Result<(), CborFault> {
        if self.is_empty() {
            Ok(())
        } else {
            Err("bytes after the end")
        }
    }

    /// How many pairs follow. No length is trusted beyond what the remaining bytes could hold.
    pub(crate) fn map(&mut self) -> Result<usize, CborFault> {
        let count = self.expect(5)?;
        self.plausible(count.saturating_mul(2))?;
        usize::try_from(count).map_err(|_| TRUNCATED)
    }

    /// How many items follow.
    pub(crate) fn array(&mut self) -> Result<usize, CborFault> {
        let count = self.expect(4)?;
        self.plausible(count)?;
        usize::try_from(count).map_err(|_| TRUNCATED)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborFault> {
        let length = self.expect(2)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborFault> {
        let length = self.expect(3)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "text that is not UTF-8")
    }

    /// An integer of either sign.
    pub(crate) fn integer(&mut self) -> Result<i64, CborFault> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| "integer out of range")?;
        match major {
            0 => Ok(value),
            1 => Ok(!value), // -1 - value
            _ => Err(UNEXPECTED),
        }
    }

    /// Passes over one item, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), CborFault> {
        self.skip_within(MOST_DEPTH)
    }

    fn skip_within(&mut self, depth: u8) -> Result<(), CborFault> {
        let (major, value) = self.head()?;
        let items = match major {
            0 | 1 | 7 => 0,
            2 | 3 => {
                self.take(value)?;
                0
            }
            4 => value,
            5 => value.saturating_mul(2),
            _ => return Err("a CBOR tag"),
        };
        self.plausible(items)?;
        if items > 0 {
            let depth = depth.checked_sub(1).ok_or("nested too deeply")?;
            for _ in 0..items {
                self.skip_within(depth)?;
            }
        }
        Ok(())
    }

    /// Each item takes a byte at least.
    fn plausible(&self, items: u64) -> Result<(), CborFault> {
        let left = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        if items > left { Err(TRUNCATED) } else { Ok(()) }
    }

    fn expect(&mut self, major: u8) -> Result<u64, CborFault> {
        let (found, value) = self.head()?;
        if found == major {
            Ok(value)
        } else {
            Err(UNEXPECTED)
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborFault> {
        let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Major type and argument. Of major type 7 only simple values: floats are longer than one byte.
    fn head(&mut self) -> Result<(u8, u64), CborFault> {
        let [initial] = *self.take(1)? else {
            return Err(TRUNCATED);
        };
        let major = initial >> 5;
        let (length, least) = match initial & 0x1F {
            short @ 0..=23 => return Ok((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err("indefinite or reserved CBOR length"),
        };
        if major == 7 {
            return Err("a CBOR float");
        }
        let argument = self.take(length)?;
        let value = argument
            .iter()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if value < least {
            return Err("CBOR argument not in its shortest form");
        }
        Ok((major, value))
    }
}

/// Calls `member` with each key of a map; the callee reads the value. A key that occurs twice is refused.
pub(crate) fn members<'a, K: PartialEq>(
    reader: &mut Reader<'a>,
    key: impl Fn(&mut Reader<'a>) -> Result<K, CborFault>,
    mut member: impl FnMut(&K, &mut Reader<'a>) -> Result<(), CborFault>,
) -> Result<(), CborFault> {
    const MOST_MEMBERS: usize = 32;
    let count = reader.map()?;
    if count > MOST_MEMBERS {
        return Err("too many map members");
    }
    let mut seen = Vec::with_capacity(count);
    for _ in 0..count {
        let name = key(reader)?;
        if seen.contains(&name) {
            return Err("a map key occurs twice");
        }
        member(&name, reader)?;
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_type_it_knows() {
        let mut reader = Reader::new(&[0xA1, 0x61, b'a', 0x20, 0x42, 1, 2, 0x18, 24, 0x80]);
        assert_eq!(reader.map(), Ok(1));
        assert_eq!(reader.text(), Ok("a"));
        assert_eq!(reader.integer(), Ok(-1));
        assert_eq!(reader.bytes(), Ok(&[1, 2][..]));
        assert_eq!(reader.integer(), Ok(24));
        assert_eq!(reader.array(), Ok(0));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn refuses_each_sloppy_or_hostile_item() {
        let skip = |bytes: &[u8]| Reader::new(bytes).skip();
        let cases: [(&[u8], CborFault); 11] = [
            (&[], TRUNCATED),
            (&[0x18, 23], "CBOR argument not in its shortest form"),
            (&[0x19, 0, 0xFF], "CBOR argument not in its shortest form"),
            (&[0x5F, 0xFF], "indefinite or reserved CBOR length"),
            (&[0x1C], "indefinite or reserved CBOR length"),
            (
                &[0x7B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                TRUNCATED,
            ),
            (
                &[0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                TRUNCATED,
            ),
            (&[0xC0, 0x00], "a CBOR tag"),
            (&[0xFA, 0, 0, 0, 0], "a CBOR float"),
            (&[0x81, 0x81, 0x81, 0x81, 0x81, 0x00], "nested too deeply"),
            (&[0x41], TRUNCATED),
        ];
        for (bytes, fault) in cases {
            assert_eq!(skip(bytes), Err(fault), "{bytes:02x?}");
        }
        assert_eq!(
            Reader::new(&[0x3B, 0xFF, 0, 0, 0, 0, 0, 0, 0]).integer(),
            Err("integer out of range")
        );
        assert_eq!(
            Reader::new(&[0x61, 0xFF]).text(),
            Err("text that is not UTF-8")
        );
        assert_eq!(Reader::new(&[0x61, b'a']).integer(), Err(UNEXPECTED));
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused() {
        let mut reader = Reader::new(&[0xA2, 0x61, b'a', 0, 0x61, b'a', 1]);
        let read = members(&mut reader, Reader::text, |_, r| r.skip());
        assert_eq!(read, Err("a map key occurs twice"));
    }
}
