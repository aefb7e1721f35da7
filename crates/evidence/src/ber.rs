//! BER rewritten as DER, for the one format here that is not DER already: Apple's receipts are CMS with
//! indefinite lengths and strings in pieces.
//!
//! Decides lengths and pieces, nothing else: what comes out is read by the strict cursor like everything
//! else, and what was DER stays byte for byte what it was, so signatures over it still verify.
//!
//! Budgets: nesting of 16, and an output no longer than the input (each piece only loses bytes).

use crate::der::DerFault;

const MOST_DEPTH: u8 = 16;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;

/// The one element that `bytes` must be, in definite lengths.
pub(crate) fn to_der(bytes: &[u8]) -> Result<Vec<u8>, DerFault> {
    let mut rest = bytes;
    let mut out = Vec::with_capacity(bytes.len());
    element(&mut rest, MOST_DEPTH, &mut out)?;
    if rest.is_empty() {
        Ok(out)
    } else {
        Err(DerFault::TrailingBytes)
    }
}

fn element(rest: &mut &[u8], depth: u8, out: &mut Vec<u8>) -> Result<(), DerFault> {
    let tag = tag(rest)?;
    let lead = tag.first().copied().unwrap_or_default();
    let content = match length(rest)? {
        Some(length) => take(rest, length)?,
        None if lead & CONSTRUCTED != 0 => {
            let mut content = Vec::new();
            let depth = depth.checked_sub(1).ok_or(DerFault::TooDeep)?;
            while !ends(rest) {
                element(rest, depth, &mut content)?;
            }
            return write(tag, &content, out);
        }
        None => return Err(DerFault::IndefiniteLength),
    };
    if lead & CONSTRUCTED == 0 {
        return write(tag, content, out);
    }
    let depth = depth.checked_sub(1).ok_or(DerFault::TooDeep)?;
    let (mut members, mut inner) = (content, Vec::new());
    while !members.is_empty() {
        element(&mut members, depth, &mut inner)?;
    }
    write(tag, &inner, out)
}

/// Writes an element; a string in pieces becomes one.
fn write(tag: &[u8], content: &[u8], out: &mut Vec<u8>) -> Result<(), DerFault> {
    if *tag == [OCTET_STRING | CONSTRUCTED] {
        let mut whole = Vec::with_capacity(content.len());
        let mut pieces = crate::der::Reader::new(content);
        while !pieces.is_empty() {
            whole.extend_from_slice(pieces.octets()?);
        }
        return write(&[OCTET_STRING], &whole, out);
    }
    out.extend_from_slice(&definite_with(tag, content)?);
    Ok(())
}

fn definite_with(tag: &[u8], content: &[u8]) -> Result<Vec<u8>, DerFault> {
    let length = u32::try_from(content.len())
        .map_err(|_| DerFault::Truncated)?
        .to_be_bytes();
    let digits = length
        .iter()
        .position(|digit| *digit != 0)
        .and_then(|first| length.get(first..));
    let digits = digits.unwrap_or(&[0]);
    let header = match digits {
        [short @ 0..=0x7F] => vec![*short],
        long => [&[0x80 | u8::try_from(long.len()).unwrap_or_default()], long].concat(),
    };
    Ok([tag, &header, content].concat())
}

/// One element with a tag of one byte.
pub(crate) fn definite(tag: u8, content: &[u8]) -> Result<Vec<u8>, DerFault> {
    definite_with(&[tag], content)
}

/// Passes over the end-of-contents octets, if they are next.
fn ends(rest: &mut &[u8]) -> bool {
    match rest.strip_prefix(&[0, 0]) {
        Some(behind) => {
            *rest = behind;
            true
        }
        None => false,
    }
}

fn tag<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DerFault> {
    let lead = rest.first().ok_or(DerFault::Truncated)?;
    if lead & 0x1F == 0x1F {
        return Err(DerFault::TagForm); // no CMS structure of ours has a tag above 30
    }
    take(rest, 1)
}

/// `None` is indefinite.
fn length(rest: &mut &[u8]) -> Result<Option<usize>, DerFault> {
    let [lead] = *take(rest, 1)? else {
        return Err(DerFault::Truncated);
    };
    match lead {
        0..=0x7F => Ok(Some(usize::from(lead))),
        0x80 => Ok(None),
        0x81..=0x84 => {
            let digits = take(rest, usize::from(lead & 0x7F))?;
            let length = digits
                .iter()
                .fold(0_u32, |length, digit| (length << 8) | u32::from(*digit));
            usize::try_from(length)
                .map(Some)
                .map_err(|_| DerFault::Truncated)
        }
        _ => Err(DerFault::Truncated),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DerFault> {
    let (taken, behind) = rest.split_at_checked(length).ok_or(DerFault::Truncated)?;
    *rest = behind;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_stays_what_it_is() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        for der in [&[0x30, 0x03, 0x02, 0x01, 0x05][..], &[0x05, 0x00], &long] {
            assert_eq!(to_der(der).as_deref(), Ok(der));
        }
    }

    #[test]
    fn indefinite_lengths_and_pieces_become_one() {
        let ber = [
            0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0xAA, 0x04, 0x02, 0xBB, 0xCC, 0, 0, 0x02, 0x01, 5,
            0, 0,
        ];
        assert_eq!(
            to_der(&ber).unwrap(),
            [0x30, 8, 0x04, 3, 0xAA, 0xBB, 0xCC, 0x02, 1, 5]
        );
        let long_form = [0x30, 0x82, 0x00, 0x02, 0x05, 0x00];
        assert_eq!(to_der(&long_form).unwrap(), [0x30, 2, 0x05, 0x00]);
    }

    #[test]
    fn refuses_what_has_no_end_or_no_bottom() {
        let deep = [[0x30, 0x80]; 40].concat();
        assert_eq!(to_der(&deep), Err(DerFault::TooDeep));
        assert_eq!(to_der(&[0x30, 0x80]), Err(DerFault::Truncated));
        assert_eq!(to_der(&[0x04, 0x80, 0, 0]), Err(DerFault::IndefiniteLength));
        assert_eq!(to_der(&[0x05, 0x00, 0x00]), Err(DerFault::TrailingBytes));
        assert_eq!(
            to_der(&[0x24, 0x03, 0x02, 0x01, 0x05]),
            Err(DerFault::UnexpectedTag)
        );
        assert_eq!(
            to_der(&[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
            Err(DerFault::Truncated)
        );
    }
}
