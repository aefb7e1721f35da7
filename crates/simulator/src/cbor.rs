//! Writes CBOR (RFC 8949), as far as App Attest needs it.
//!
//! Only writes: reading foreign bytes is what `evidence` is for, and a simulator that shared its reader would agree
//! with it by construction.

/// Unsigned integer.
pub(crate) fn unsigned(value: u64) -> Vec<u8> {
    head(0, value)
}

/// Negative integer: `-1 - value`.
pub(crate) fn negative(value: u64) -> Vec<u8> {
    head(1, value)
}

/// Byte string.
pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, length(content)), content.to_vec()].concat()
}

/// Text.
pub(crate) fn text(content: &str) -> Vec<u8> {
    [
        head(3, length(content.as_bytes())),
        content.as_bytes().to_vec(),
    ]
    .concat()
}

/// Array of items that are already CBOR.
pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, length(items)), items.concat()].concat()
}

/// Map of keys and values that are already CBOR.
pub(crate) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = head(5, length(members));
    for (key, value) in members {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// Major type and argument, in the shortest form.
fn head(major: u8, argument: u64) -> Vec<u8> {
    let initial = major << 5;
    let big_endian = argument.to_be_bytes();
    match (
        u8::try_from(argument),
        u16::try_from(argument),
        u32::try_from(argument),
    ) {
        (Ok(small), _, _) if small < 24 => vec![initial | small],
        (Ok(byte), _, _) => vec![initial | 0x18, byte],
        (_, Ok(two), _) => [&[initial | 0x19][..], &two.to_be_bytes()].concat(),
        (_, _, Ok(four)) => [&[initial | 0x1a][..], &four.to_be_bytes()].concat(),
        _ => [&[initial | 0x1b][..], &big_endian].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_take_the_shortest_form() {
        assert_eq!(unsigned(23), [23]);
        assert_eq!(unsigned(24), [24, 24]);
        assert_eq!(negative(6), [0x26]);
        assert_eq!(bytes(&[7; 256])[..3], [0x59, 1, 0]);
        assert_eq!(text("fmt"), *b"\x63fmt");
        assert_eq!(unsigned(65_536), [0x1a, 0, 1, 0, 0]);
    }
}
