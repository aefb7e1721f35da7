//! Writes the zip of an APK: no surprises, uncompressed entries aligned to four bytes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::SimulatorError;

/// The date that Android's build tools write: 1981-01-01 01:01:02.
const DOS_TIME: u16 = 0x0821;
const DOS_DATE: u16 = 0x0221;
const ALIGNMENT: usize = 4;
/// The extra field that `zipalign` and `apksigner` pad with.
const ALIGNMENT_FIELD: u16 = 0xd935;

/// A file in the archive.
#[derive(Debug)]
pub(super) struct Entry {
    name: String,
    content: Vec<u8>,
    method: Method,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
}

impl Entry {
    pub(super) fn stored(name: &str, content: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            content,
            method: Method::Stored,
        }
    }

    pub(super) fn deflated(name: &str, content: Vec<u8>) -> Self {
        Self {
            method: Method::Deflated,
            ..Self::stored(name, content)
        }
    }

    fn compressed(&self) -> Result<Vec<u8>, SimulatorError> {
        match self.method {
            Method::Stored => Ok(self.content.clone()),
            Method::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder
                    .write_all(&self.content)
                    .and_then(|()| encoder.finish())
                    .map_err(|_| SimulatorError::TooLarge("an entry"))
            }
        }
    }

    /// What local header and central directory say alike: from "version needed" to the name's length.
    fn shared_header(&self, compressed: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let mut crc = flate2::Crc::new();
        crc.update(&self.content);
        let method: u16 = match self.method {
            Method::Stored => 0,
            Method::Deflated => 8,
        };
        let mut out = Vec::new();
        // Version 2.0; names are UTF-8.
        for half in [20, 0x0800, method, DOS_TIME, DOS_DATE] {
            out.extend_from_slice(&u16::to_le_bytes(half));
        }
        for word in [crc.sum(), size32(compressed)?, size32(&self.content)?] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let name = u16::try_from(self.name.len())
            .map_err(|_| SimulatorError::TooLarge("an entry's name"))?;
        out.extend_from_slice(&name.to_le_bytes());
        Ok(out)
    }
}

/// An archive, in the three parts that APK signatures cover.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) entries: Vec<u8>,
    pub(super) central_directory: Vec<u8>,
    count: u16,
}

impl Archive {
    /// The end of central directory record, given where the central directory begins.
    pub(super) fn end_record(
        &self,
        central_directory_at: usize,
    ) -> Result<Vec<u8>, SimulatorError> {
        let at = u32::try_from(central_directory_at)
            .map_err(|_| SimulatorError::TooLarge("the archive"))?;
        let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&size32(&self.central_directory)?.to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        Ok(out)
    }
}

/// Writes entries in their order.
pub(super) fn write(entries: &[Entry]) -> Result<Archive, SimulatorError> {
    let mut body = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let compressed = entry.compressed()?;
        let shared = entry.shared_header(&compressed)?;
        let offset = size32(&body)?;
        let extra = alignment_field(entry, body.len())?;

        body.extend_from_slice(b"PK\x03\x04");
        body.extend_from_slice(&shared);
        body.extend_from_slice(&half(&extra)?.to_le_bytes());
        body.extend_from_slice(entry.name.as_bytes());
        body.extend_from_slice(&extra);
        body.extend_from_slice(&compressed);

        // Made by version 2.0 on FAT; then no extra field, comment, disk or attributes.
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&shared);
        directory.extend_from_slice(&[0; 12]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(entry.name.as_bytes());
    }
    Ok(Archive {
        entries: body,
        central_directory: directory,
        count: u16::try_from(entries.len()).map_err(|_| SimulatorError::TooLarge("the archive"))?,
    })
}

/// Pads a stored entry so that its data begins at a multiple of four.
fn alignment_field(entry: &Entry, header_at: usize) -> Result<Vec<u8>, SimulatorError> {
    if entry.method == Method::Deflated {
        return Ok(Vec::new());
    }
    let unpadded = header_at + 30 + entry.name.len() + 6;
    let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    let length = half(&vec![0; padding + 2])?;
    let mut field = ALIGNMENT_FIELD.to_le_bytes().to_vec();
    field.extend_from_slice(&length.to_le_bytes());
    field.extend_from_slice(&half(&[0; ALIGNMENT])?.to_le_bytes());
    field.resize(field.len() + padding, 0);
    Ok(field)
}

fn size32(bytes: &[u8]) -> Result<u32, SimulatorError> {
    u32::try_from(bytes.len()).map_err(|_| SimulatorError::TooLarge("the archive"))
}

fn half(bytes: &[u8]) -> Result<u16, SimulatorError> {
    u16::try_from(bytes.len()).map_err(|_| SimulatorError::TooLarge("an extra field"))
}
