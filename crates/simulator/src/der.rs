//! Writes DER, as far as certificates and key descriptions need it.
//!
//! Only writes: reading foreign bytes is what `evidence` is for, and a simulator that shared its reader
//! would agree with it by construction.

/// The contents under a tag byte.
pub(crate) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    write_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    let bytes = length.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [one] if *one < 0x80 => out.push(*one),
        more => {
            // A length of a length is at most 8, so the conversion cannot saturate.
            out.push(0x80 | u8::try_from(more.len()).unwrap_or(0x7f));
            out.extend_from_slice(more);
        }
    }
}

/// SEQUENCE of parts that are already DER.
pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

/// SET OF parts that are already DER, sorted as DER demands.
pub(crate) fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    tagged(0x31, &parts.concat())
}

/// INTEGER of an unsigned number.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// INTEGER of an unsigned big-endian number.
pub(crate) fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = big_endian.iter().copied().skip_while(|b| *b == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tagged(0x02, &content)
}

/// ENUMERATED of a small number.
pub(crate) fn enumerated(value: u8) -> Vec<u8> {
    tagged(0x0a, &[value])
}

/// BOOLEAN TRUE.
pub(crate) fn truth() -> Vec<u8> {
    tagged(0x01, &[0xff])
}

/// BOOLEAN FALSE.
pub(crate) fn falsehood() -> Vec<u8> {
    tagged(0x01, &[0])
}

/// NULL.
pub(crate) fn null() -> Vec<u8> {
    tagged(0x05, &[])
}

/// OCTET STRING.
pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    tagged(0x04, content)
}

/// BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    tagged(0x03, &[&[0], content].concat())
}

/// `UTF8String`.
pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tagged(0x0c, text.as_bytes())
}

/// `PrintableString`; the caller keeps to its alphabet.
pub(crate) fn printable(text: &str) -> Vec<u8> {
    tagged(0x13, text.as_bytes())
}

/// OBJECT IDENTIFIER from its arcs.
pub(crate) fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut content = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        write_base128(
            &mut content,
            first.saturating_mul(40).saturating_add(*second),
        );
        for arc in rest {
            write_base128(&mut content, *arc);
        }
    }
    tagged(0x06, &content)
}

/// `[number] EXPLICIT` around DER, also for tag numbers above 30.
pub(crate) fn explicit(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = match u8::try_from(number) {
        Ok(low) if low < 31 => vec![0xa0 | low],
        _ => {
            let mut high = vec![0xbf];
            write_base128(&mut high, number);
            high
        }
    };
    write_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

fn write_base128(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let seven = u8::try_from((value >> (group * 7)) & 0x7f).unwrap_or(0);
        out.push(if group == 0 { seven } else { seven | 0x80 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_take_the_shortest_form() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(0x7f), [2, 1, 0x7f]);
        assert_eq!(integer(0x80), [2, 2, 0, 0x80]);
        assert_eq!(integer(300), [2, 2, 1, 0x2c]);
        assert_eq!(octets(&[]), [4, 0]);
        assert_eq!(octets(&[7; 127])[..2], [4, 127]);
        assert_eq!(octets(&[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(octets(&[7; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn tags_and_arcs_above_thirty_take_more_bytes() {
        assert_eq!(explicit(3, &[5, 0]), [0xa3, 2, 5, 0]);
        assert_eq!(explicit(702, &[2, 1, 0]), [0xbf, 0x85, 0x3e, 3, 2, 1, 0]);
        assert_eq!(
            oid(&[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17]),
            [6, 10, 0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 1, 17]
        );
    }
}
