//! A `classes.dex` with a true header and map list, and no classes.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::SimulatorError;

const HEADER: u32 = 0x70;
const TYPE_HEADER: u16 = 0x0000;
const TYPE_MAP_LIST: u16 = 0x1000;

/// A dex file that carries `code` as opaque data behind its map.
pub(super) fn write(code: &[u8]) -> Result<Vec<u8>, SimulatorError> {
    let mut data = map_list();
    data.extend_from_slice(code);
    data.resize(data.len().next_multiple_of(4), 0);
    let data_size =
        u32::try_from(data.len()).map_err(|_| SimulatorError::TooLarge("classes.dex"))?;
    let file_size = data_size
        .checked_add(HEADER)
        .ok_or(SimulatorError::TooLarge("classes.dex"))?;

    let mut behind_signature = Vec::new();
    // file_size, header_size, endian_tag, link_size, link_off, map_off
    for word in [file_size, HEADER, 0x1234_5678, 0, 0, HEADER] {
        behind_signature.extend_from_slice(&word.to_le_bytes());
    }
    // Six empty tables (strings, types, prototypes, fields, methods, classes): size and offset.
    behind_signature.extend_from_slice(&[0; 48]);
    behind_signature.extend_from_slice(&data_size.to_le_bytes());
    behind_signature.extend_from_slice(&HEADER.to_le_bytes());
    behind_signature.extend_from_slice(&data);

    let mut behind_checksum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &behind_signature)
        .as_ref()
        .to_vec();
    behind_checksum.extend_from_slice(&behind_signature);

    let mut file = b"dex\n035\0".to_vec();
    file.extend_from_slice(&adler32(&behind_checksum).to_le_bytes());
    file.extend_from_slice(&behind_checksum);
    Ok(file)
}

/// Two items: the header and this list.
fn map_list() -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (kind, offset) in [(TYPE_HEADER, 0), (TYPE_MAP_LIST, HEADER)] {
        list.extend_from_slice(&kind.to_le_bytes());
        list.extend_from_slice(&[0, 0]);
        list.extend_from_slice(&1_u32.to_le_bytes());
        list.extend_from_slice(&offset.to_le_bytes());
    }
    list
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_checksum_agree_with_the_file() {
        let file = write(b"hello").unwrap();
        assert_eq!(&file[..8], b"dex\n035\0");
        assert_eq!(
            file[32..36],
            u32::try_from(file.len()).unwrap().to_le_bytes()
        );
        assert_eq!(file[8..12], adler32(&file[12..]).to_le_bytes());
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
