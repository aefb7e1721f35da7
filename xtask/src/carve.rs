//! Seeds for the parsers of artifacts: whole small files, and the pieces that can be cut out of them without parsing.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// Larger seeds only slow a fuzzer down.
const MAX_SEED: usize = 64 << 10;

/// The seeds of one target from every file below `folder`.
pub(crate) fn seeds(target: &str, folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path)?;
            seeds.extend(
                pieces(target, &bytes)
                    .into_iter()
                    .filter(|seed| seed.len() <= MAX_SEED),
            );
        }
    }
    seeds.sort();
    seeds.dedup();
    Ok(seeds)
}

fn pieces(target: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
    match target {
        "artifact" | "zip" if bytes.starts_with(b"PK") => vec![bytes.to_vec()],
        "signers" => [
            [0x1a, 0x87, 0x09, 0x71],
            [0xc0, 0x68, 0x53, 0xf0],
            [0x61, 0xad, 0x93, 0x1b],
            [0x9f, 0xc8, 0xe1, 0x70],
        ]
        .iter()
        .filter_map(|id| pair(bytes, id))
        .collect(),
        "pkcs7" => signed_data(bytes),
        "manifest" if bytes.starts_with(&[3, 0, 8, 0]) => vec![bytes.to_vec()],
        "executable" if is_macho(bytes) => vec![bytes.to_vec()],
        "profile" => {
            let mut all = signed_data(bytes);
            all.extend(list(bytes));
            all
        }
        _ => Vec::new(),
    }
}

/// The value of a pair of the signing block: eight bytes of length, four of id, the value.
fn pair(bytes: &[u8], id: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(4).position(|window| window == id)?;
    let length = bytes
        .get(at.checked_sub(8)?..at)?
        .first_chunk::<4>()
        .copied()
        .map(u32::from_le_bytes)?;
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(at + 4..end).map(<[u8]>::to_vec)
}

fn signed_data(bytes: &[u8]) -> Vec<Vec<u8>> {
    const IDENTIFIER: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let starts = bytes
        .windows(IDENTIFIER.len())
        .enumerate()
        .filter(|(_, window)| *window == IDENTIFIER);
    let piece = |at: usize| {
        let start = at.checked_sub(4)?;
        let [0x30, 0x82, high, low] = *bytes.get(start..at)?.first_chunk::<4>()? else {
            return None;
        };
        bytes
            .get(start..at + usize::from(u16::from_be_bytes([high, low])))
            .map(<[u8]>::to_vec)
    };
    starts.filter_map(|(at, _)| piece(at)).collect()
}

fn list(bytes: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8] = b"</plist>";
    if bytes.starts_with(b"bplist00") {
        return Some(bytes.to_vec());
    }
    let start = bytes.windows(5).position(|window| window == b"<?xml")?;
    let end = bytes.windows(END.len()).position(|window| window == END)?;
    bytes.get(start..end + END.len()).map(<[u8]>::to_vec)
}

fn is_macho(bytes: &[u8]) -> bool {
    [
        b"\xca\xfe\xba\xbe",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
    ]
    .iter()
    .any(|magic| bytes.starts_with(*magic))
}
