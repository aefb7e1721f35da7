//! The APK Signing Block: an unnamed region before the central directory that holds the newer signature schemes.
//!
//! Decides where the block is and which pairs it has. Stricter than Android in two points: a block that is recognisably
//! there but broken refuses the file (Android falls back to the weaker v1 scheme), and a scheme may appear once only
//! (verifiers differ about whether the first or the last pair counts, and have been fooled by that).

use crate::cursor::Cursor;
use crate::finding::{Check, Code, Finding, OrBroken, broken};
use crate::source::{Source, read_vec};
use crate::zip::Archive;

const MAGIC: &[u8; 16] = b"APK Sig Block 42";
const FOOTER_SIZE: u64 = 24;
/// Real blocks have a few kilobytes; padding to a page is the most that tools add.
const MAX_BLOCK_BYTES: u64 = 16 << 20;

/// Ids of the pairs that decide.
pub(crate) const ID_V2: u32 = 0x7109_871a;
pub(crate) const ID_V3: u32 = 0xf053_68c0;
pub(crate) const ID_V31: u32 = 0x1b93_ad61;
pub(crate) const ID_V32: u32 = 0x70e1_c89f;
pub(crate) const ID_SOURCE_STAMP: u32 = 0x6dff_800d;
const ID_SOURCE_STAMP_V1: u32 = 0x2b09_189e;
const ID_PADDING: u32 = 0x4272_6577;
const ID_PLAY_FROSTING: u32 = 0x2146_444e;
const ID_DEPENDENCIES: u32 = 0x504b_4453;

/// The block's place and pairs.
#[derive(Debug)]
pub(crate) struct SigningBlock {
    /// Where the block starts: everything before is covered by the first digest section.
    pub(crate) offset: u64,
    /// Its whole size, both length fields and the magic included.
    pub(crate) size: u64,
    pairs: Vec<(u32, Vec<u8>)>,
}

impl SigningBlock {
    /// Reads the block in front of the central directory. `None`: there is none, only v1 can count.
    pub(crate) fn find(
        source: &dyn Source,
        archive: &Archive,
        findings: &mut Vec<Finding>,
    ) -> Check<Option<Self>> {
        let end = archive.directory_offset;
        let Some(footer_offset) = end.checked_sub(FOOTER_SIZE) else {
            return Ok(None);
        };
        let footer = read_vec(source, footer_offset, FOOTER_SIZE)?;
        let mut cursor = Cursor::new(&footer);
        let size = cursor.u64();
        if cursor.rest() != MAGIC {
            return Ok(None);
        }
        let size = size
            .filter(|size| (FOOTER_SIZE..=MAX_BLOCK_BYTES).contains(size))
            .or_broken(Code::BlockMalformed, "impossible size")?;
        let whole = size.saturating_add(8);
        let offset = end
            .checked_sub(whole)
            .or_broken(Code::BlockMalformed, "larger than the file")?;
        let block = read_vec(source, offset, whole)?;
        let mut cursor = Cursor::new(&block);
        if cursor.u64() != Some(size) {
            return broken(
                Code::BlockMalformed,
                "the sizes at its start and end differ",
            );
        }
        let pairs_length = usize::try_from(size.saturating_sub(FOOTER_SIZE)).ok();
        let pairs = pairs_length
            .and_then(|length| cursor.take(length))
            .and_then(parse_pairs)
            .or_broken(Code::BlockMalformed, "a pair does not fit")?;
        check_pairs(&pairs, findings)?;
        Ok(Some(Self {
            offset,
            size: whole,
            pairs,
        }))
    }

    /// The value of the pair with this id.
    pub(crate) fn pair(&self, id: u32) -> Option<&[u8]> {
        self.pairs
            .iter()
            .find(|(found, _)| *found == id)
            .map(|(_, value)| value.as_slice())
    }
}

fn parse_pairs(bytes: &[u8]) -> Option<Vec<(u32, Vec<u8>)>> {
    let mut cursor = Cursor::new(bytes);
    let mut pairs = Vec::new();
    while !cursor.is_empty() {
        let length = usize::try_from(cursor.u64()?).ok()?;
        let mut pair = Cursor::new(cursor.take(length)?);
        pairs.push((pair.u32()?, pair.rest().to_vec()));
    }
    Some(pairs)
}

fn check_pairs(pairs: &[(u32, Vec<u8>)], findings: &mut Vec<Finding>) -> Check<()> {
    for (position, (id, _)) in pairs.iter().enumerate() {
        let known = matches!(
            *id,
            ID_PADDING | ID_PLAY_FROSTING | ID_DEPENDENCIES | ID_SOURCE_STAMP | ID_SOURCE_STAMP_V1
        );
        let decides = matches!(*id, ID_V2 | ID_V3 | ID_V31 | ID_V32);
        let earlier = pairs.iter().take(position).any(|(other, _)| other == id);
        if decides && earlier {
            return broken(Code::BlockDuplicateScheme, format!("two pairs 0x{id:08x}"));
        }
        if !decides && !known && !earlier {
            findings.push(Finding::new(
                Code::BlockUnknownPair,
                format!("pair 0x{id:08x}"),
            ));
        }
    }
    Ok(())
}
