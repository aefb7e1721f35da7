//! `ProvisioningInfo`: what Google's provisioning servers say about a phone, in an extension of its attestation
//! certificate (1.3.6.1.4.1.11129.2.1.30).
//!
//! Decides only how the count is read: CBOR `{1: certificates issued in the last 30 days, …}`. It refuses to
//! refuse: the extension is information, members come and go, and one that cannot be read says nothing.

use crate::cbor::{self, Reader};

/// The count.
const CERTIFICATES_ISSUED: i64 = 1;

/// Certificates issued in the last 30 days; `None` where that is not stated, or not readable.
pub(super) fn certificates_issued(extension: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(extension);
    let mut issued = None;
    cbor::members(&mut reader, Reader::integer, |label, value| {
        if *label == CERTIFICATES_ISSUED {
            issued = u64::try_from(value.integer()?).ok();
        } else {
            value.skip()?;
        }
        Ok(())
    })
    .and_then(|()| reader.finish())
    .ok()?;
    issued
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_count_beside_what_it_does_not_know() {
        assert_eq!(certificates_issued(&[0xA1, 0x01, 0x0C]), Some(12));
        let more = [0xA2, 0x01, 0x19, 0x01, 0x00, 0x04, 0x61, b'x'];
        assert_eq!(certificates_issued(&more), Some(256));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for odd in [
            &[][..],
            &[0xA0],
            &[0xA1, 0x01, 0x20],
            &[0xA1, 0x01, 0x61, b'x'],
            &[0xA1, 0x01],
            &[0xA1, 0x01, 0x0C, 0x00],
            &[0xA2, 0x01, 0x0C, 0x01, 0x0D],
            &[0x0C],
        ] {
            assert_eq!(certificates_issued(odd), None, "{odd:02x?}");
        }
    }
}
