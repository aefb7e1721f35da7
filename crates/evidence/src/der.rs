//! A bounded DER cursor (X.690 section 10) over foreign bytes.
//!
//! Decides whether bytes are one well-formed definite-length encoding with minimal tags and
//! lengths. It refuses to know any ASN.1 type beyond tag, length and integer. It exists because two
//! readers that disagree about sloppy encodings can be shown two different attestations.
//!
//! Budgets: nesting is limited by the caller's `depth`, and the cursor allocates nothing.

/// Why bytes are not the DER that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DerFault {
    Truncated,
    IndefiniteLength,
    LengthNotMinimal,
    TagForm,
    TrailingBytes,
    TooDeep,
    UnexpectedTag,
    Integer,
}

impl DerFault {
    /// For operators.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated DER",
            Self::IndefiniteLength => "indefinite or reserved length",
            Self::LengthNotMinimal => "length not in its shortest form",
            Self::TagForm => "tag not in its shortest form, or reserved",
            Self::TrailingBytes => "bytes after the end",
            Self::TooDeep => "nested too deeply",
            Self::UnexpectedTag => "another type than expected",
            Self::Integer => "integer empty, not minimal or out of range",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Universal,
    Application,
    Context,
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) class: Class,
    pub(crate) constructed: bool,
    pub(crate) number: u32,
}

impl Tag {
    pub(crate) const BOOLEAN: Self = Self::primitive(1);
    pub(crate) const INTEGER: Self = Self::primitive(2);
    pub(crate) const OCTET_STRING: Self = Self::primitive(4);
    pub(crate) const BIT_STRING: Self = Self::primitive(3);
    pub(crate) const NULL: Self = Self::primitive(5);
    pub(crate) const OBJECT_IDENTIFIER: Self = Self::primitive(6);
    pub(crate) const ENUMERATED: Self = Self::primitive(10);
    pub(crate) const SEQUENCE: Self = Self::constructed(16);
    pub(crate) const SET: Self = Self::constructed(17);

    const fn primitive(number: u32) -> Self {
        Self {
            class: Class::Universal,
            constructed: false,
            number,
        }
    }

    /// DER knows no constructed strings (X.690 section 10.2), and a SEQUENCE that calls itself primitive
    /// hides its members from whoever walks the tree.
    const fn has_der_form(self) -> bool {
        match (self.class, self.number) {
            (Class::Universal, 0) => false,
            (Class::Universal, 8 | 11 | 16 | 17) => self.constructed,
            (Class::Universal, _) => !self.constructed,
            _ => true,
        }
    }

    const fn constructed(number: u32) -> Self {
        Self {
            class: Class::Universal,
            constructed: true,
            number,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) content: &'a [u8],
}

impl<'a> Element<'a> {
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content }
    }

    /// Value of an INTEGER or ENUMERATED that fits 64 bits.
    pub(crate) fn signed(&self) -> Result<i64, DerFault> {
        let (first, others) = self.content.split_first().ok_or(DerFault::Integer)?;
        let negative = first & 0x80 != 0;
        let padding = if negative { 0xFF } else { 0x00 };
        if let Some(second) = others.first()
            && *first == padding
            && (second & 0x80 != 0) == negative
        {
            return Err(DerFault::Integer);
        }
        if self.content.len() > 8 {
            return Err(DerFault::Integer);
        }
        let mut bytes = [padding; 8];
        for (slot, byte) in bytes.iter_mut().rev().zip(self.content.iter().rev()) {
            *slot = *byte;
        }
        Ok(i64::from_be_bytes(bytes))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may follow.
    pub(crate) fn finish(&self) -> Result<(), DerFault> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(DerFault::TrailingBytes)
        }
    }

    pub(crate) fn element(&mut self) -> Result<Element<'a>, DerFault> {
        let tag = self.tag()?;
        let length = self.length()?;
        let content = self.take(length)?;
        Ok(Element { tag, content })
    }

    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Element<'a>, DerFault> {
        let element = self.element()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(DerFault::UnexpectedTag)
        }
    }

    /// Tag, length and content of an element with `tag`.
    pub(crate) fn whole(&mut self, tag: Tag) -> Result<&'a [u8], DerFault> {
        let start = self.rest;
        self.expect(tag)?;
        let used = start.len().saturating_sub(self.rest.len());
        start.get(..used).ok_or(DerFault::Truncated)
    }

    /// The next element, if it has `tag`.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, DerFault> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut ahead = *self;
        let element = ahead.element()?;
        if element.tag != tag {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    pub(crate) fn integer(&mut self) -> Result<i64, DerFault> {
        self.expect(Tag::INTEGER)?.signed()
    }

    pub(crate) fn enumerated(&mut self) -> Result<i64, DerFault> {
        self.expect(Tag::ENUMERATED)?.signed()
    }

    pub(crate) fn octets(&mut self) -> Result<&'a [u8], DerFault> {
        Ok(self.expect(Tag::OCTET_STRING)?.content)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DerFault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DerFault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DerFault> {
        let (byte, rest) = self.rest.split_first().ok_or(DerFault::Truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn tag(&mut self) -> Result<Tag, DerFault> {
        let lead = self.byte()?;
        let class = match lead >> 6 {
            0 => Class::Universal,
            1 => Class::Application,
            2 => Class::Context,
            _ => Class::Private,
        };
        let number = match lead & 0x1F {
            0x1F => self.high_tag_number()?,
            low => u32::from(low),
        };
        let tag = Tag {
            class,
            constructed: lead & 0x20 != 0,
            number,
        };
        if tag.has_der_form() {
            Ok(tag)
        } else {
            Err(DerFault::TagForm)
        }
    }

    /// At most four base-128 digits: no ASN.1 module of ours comes near 2^28.
    fn high_tag_number(&mut self) -> Result<u32, DerFault> {
        let mut number = 0_u32;
        for position in 0..4 {
            let digit = self.byte()?;
            if position == 0 && digit == 0x80 {
                return Err(DerFault::TagForm);
            }
            number = (number << 7) | u32::from(digit & 0x7F);
            if digit & 0x80 == 0 {
                return if number < 31 {
                    Err(DerFault::TagForm)
                } else {
                    Ok(number)
                };
            }
        }
        Err(DerFault::TagForm)
    }

    fn length(&mut self) -> Result<usize, DerFault> {
        let lead = self.byte()?;
        if lead < 0x80 {
            return Ok(usize::from(lead));
        }
        let count = usize::from(lead & 0x7F);
        if count == 0 || count == 0x7F {
            return Err(DerFault::IndefiniteLength);
        }
        if count > 4 {
            return Err(DerFault::Truncated);
        }
        let mut length = 0_u32;
        for position in 0..count {
            let digit = self.byte()?;
            if position == 0 && digit == 0 {
                return Err(DerFault::LengthNotMinimal);
            }
            length = (length << 8) | u32::from(digit);
        }
        if length < 0x80 {
            return Err(DerFault::LengthNotMinimal);
        }
        usize::try_from(length).map_err(|_| DerFault::Truncated)
    }
}

/// Content of the one element with `tag` that `bytes` must be.
pub(crate) fn sole(bytes: &[u8], tag: Tag) -> Result<Reader<'_>, DerFault> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag)?;
    reader.finish()?;
    Ok(element.reader())
}

/// `bytes` are exactly one element, and so is all that is nested in it, at most `depth` levels.
pub(crate) fn check_structure(bytes: &[u8], depth: u8) -> Result<(), DerFault> {
    let mut reader = Reader::new(bytes);
    check_element(&reader.element()?, depth)?;
    reader.finish()
}

fn check_element(element: &Element<'_>, depth: u8) -> Result<(), DerFault> {
    if !element.tag.constructed {
        return Ok(());
    }
    let depth = depth.checked_sub(1).ok_or(DerFault::TooDeep)?;
    let mut reader = element.reader();
    while !reader.is_empty() {
        check_element(&reader.element()?, depth)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Element<'_>, DerFault> {
        Reader::new(bytes).element()
    }

    #[test]
    fn refuses_each_sloppy_header_by_its_own_fault() {
        let cases: [(&[u8], DerFault); 13] = [
            (&[], DerFault::Truncated),
            (&[0x30], DerFault::Truncated),
            (&[0x30, 0x80, 0, 0], DerFault::IndefiniteLength),
            (&[0x30, 0xFF, 0, 0], DerFault::IndefiniteLength),
            (&[0x04, 0x81, 0x7F], DerFault::LengthNotMinimal),
            (&[0x04, 0x82, 0x00, 0x80], DerFault::LengthNotMinimal),
            (&[0x04, 0x85, 1, 0, 0, 0, 0], DerFault::Truncated),
            (&[0x04, 0x84, 0x7F, 0xFF, 0xFF, 0xFF], DerFault::Truncated),
            (&[0x00, 0x00], DerFault::TagForm),
            (&[0x10, 0x00], DerFault::TagForm),
            (&[0x24, 0x00], DerFault::TagForm),
            (&[0xBF, 0x80, 0x01, 0x00], DerFault::TagForm),
            (&[0xBF, 0x1E, 0x00], DerFault::TagForm),
        ];
        for (bytes, fault) in cases {
            assert_eq!(first(bytes).map(|_| ()), Err(fault), "{bytes:02x?}");
        }
    }

    #[test]
    fn reads_high_tags() {
        let element = first(&[0xBF, 0x85, 0x40, 0x01, 0xAA]).unwrap();
        assert_eq!(
            element.tag,
            Tag {
                class: Class::Context,
                constructed: true,
                number: 704
            }
        );
        assert_eq!(element.content, [0xAA]);
    }

    #[test]
    fn reads_integers_in_their_shortest_form_only() {
        let value = |content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            let bytes = [&[0x02, length], content].concat();
            Reader::new(&bytes).integer()
        };
        assert_eq!(value(&[0]), Ok(0));
        assert_eq!(value(&[0x7F]), Ok(127));
        assert_eq!(value(&[0x00, 0x80]), Ok(128));
        assert_eq!(value(&[0x80]), Ok(-128));
        assert_eq!(value(&[0xFF; 1]), Ok(-1));
        assert_eq!(value(&[0x7F; 8]), Ok(0x7F7F_7F7F_7F7F_7F7F));
        for bad in [&[][..], &[0, 0x7F], &[0xFF, 0x80], &[0x7F; 9]] {
            assert_eq!(value(bad), Err(DerFault::Integer), "{bad:02x?}");
        }
    }

    #[test]
    fn limits_depth_and_refuses_what_follows() {
        let mut nested = vec![0x04, 0x00];
        for _ in 0..16 {
            let length = u8::try_from(nested.len()).unwrap();
            nested.splice(0..0, [0x30, length]);
        }
        assert_eq!(check_structure(&nested, 16), Ok(()));
        assert_eq!(check_structure(&nested, 15), Err(DerFault::TooDeep));
        nested.push(0);
        assert_eq!(check_structure(&nested, 16), Err(DerFault::TrailingBytes));
    }
}
