//! Mach-O executables: their slices, and where each one's code signature and encryption are.
//!
//! Decides nothing about signatures. Format: `<mach-o/loader.h>` and `<mach-o/fat.h>`.

use crate::cursor::Cursor;

const FAT: u32 = 0xcafe_babe;
const FAT_64: u32 = 0xcafe_babf;
const THIN_32: u32 = 0xfeed_face;
const THIN_64: u32 = 0xfeed_facf;
const LC_CODE_SIGNATURE: u32 = 0x1d;
const LC_ENCRYPTION_INFO: u32 = 0x21;
const LC_ENCRYPTION_INFO_64: u32 = 0x2c;
const MAX_SLICES: u32 = 16;
const MAX_COMMANDS: u32 = 10_000;

/// One slice: the code for one kind of processor.
#[derive(Debug)]
pub(crate) struct Slice<'a> {
    /// Processor type and subtype in hex, as in `100000c/0`.
    pub(crate) arch: String,
    pub(crate) bytes: &'a [u8],
    /// Offset and size of the signature within the slice; `None`: it is not signed.
    pub(crate) signature: Option<(usize, usize)>,
    /// Whether the code is encrypted (`FairPlay`): then its pages cannot be judged off the device.
    pub(crate) encrypted: bool,
}

/// All slices. `None`: this is no Mach-O file, or it does not hold together.
pub(crate) fn slices(bytes: &[u8]) -> Option<Vec<Slice<'_>>> {
    let magic = u32::from_be_bytes(*bytes.first_chunk()?);
    if magic != FAT && magic != FAT_64 {
        return Some(vec![slice(bytes)?]);
    }
    let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let count = word(4).filter(|count| (1..=MAX_SLICES).contains(count))?;
    let mut slices: Vec<Slice<'_>> = Vec::new();
    for index in 0..usize::try_from(count).ok()? {
        let (offset, size) = if magic == FAT {
            let at = 8_usize.checked_add(index.checked_mul(20)?)?;
            (
                u64::from(word(at.checked_add(8)?)?),
                u64::from(word(at.checked_add(12)?)?),
            )
        } else {
            let at = 8_usize.checked_add(index.checked_mul(32)?)?;
            let long = |at: usize| Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
            (long(at.checked_add(8)?)?, long(at.checked_add(16)?)?)
        };
        let (offset, size) = (usize::try_from(offset).ok()?, usize::try_from(size).ok()?);
        slices.push(slice(bytes.get(offset..offset.checked_add(size)?)?)?);
    }
    Some(slices)
}

fn slice(bytes: &[u8]) -> Option<Slice<'_>> {
    let mut cursor = Cursor::new(bytes);
    let magic = cursor.u32()?;
    if magic != THIN_32 && magic != THIN_64 {
        return None;
    }
    let (kind, subtype) = (cursor.u32()?, cursor.u32()?);
    cursor.u32()?;
    let count = cursor.u32().filter(|count| *count <= MAX_COMMANDS)?;
    let size = usize::try_from(cursor.u32()?).ok()?;
    cursor.take(if magic == THIN_64 { 8 } else { 4 })?;
    let mut commands = Cursor::new(cursor.take(size)?);
    let mut slice = Slice {
        arch: format!("{kind:x}/{subtype:x}"),
        bytes,
        signature: None,
        encrypted: false,
    };
    for _ in 0..count {
        let mut peek = commands;
        let (command, size) = (peek.u32()?, usize::try_from(peek.u32()?).ok()?);
        let mut body = Cursor::new(commands.take(size)?);
        body.take(8)?;
        match command {
            LC_CODE_SIGNATURE => {
                let place = (
                    usize::try_from(body.u32()?).ok()?,
                    usize::try_from(body.u32()?).ok()?,
                );
                // Two signatures in one slice: which one counts?
                if slice.signature.replace(place).is_some() {
                    return None;
                }
            }
            LC_ENCRYPTION_INFO | LC_ENCRYPTION_INFO_64 => {
                body.take(8)?;
                slice.encrypted |= body.u32()? != 0;
            }
            _ => {}
        }
    }
    Some(slice)
}
