//! Parsers of foreign bytes, one by one, for `cargo fuzz`. Decides nothing; it is built under that alone.

use crate::cbor::Reader;
use crate::play::PlayKeys;

/// Any CBOR: what is passed over was well-formed, and is passed over in the same way again.
pub fn cbor(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let before = reader.rest();
        if reader.skip().is_err() {
            return;
        }
        let used = before.len().saturating_sub(reader.rest().len());
        assert!(used > 0, "nothing was read");
        let item = before.get(..used).unwrap_or_default();
        let mut again = Reader::new(item);
        assert_eq!(again.skip(), Ok(()));
        assert_eq!(again.finish(), Ok(()));
    }
}

/// Authenticator data with its COSE key, and without.
pub fn cose_key(bytes: &[u8]) {
    crate::apple::fuzz_authenticator_data(bytes);
}

/// BER: what comes out is DER, and stays what it is.
pub fn ber(bytes: &[u8]) {
    if let Ok(der) = crate::ber::to_der(bytes) {
        assert_eq!(crate::ber::to_der(&der).as_deref(), Ok(&*der));
    }
}

/// What stands inside a token that opened.
pub fn jws(bytes: &[u8], keys: &PlayKeys) {
    crate::play::fuzz_signed(bytes, keys);
}
