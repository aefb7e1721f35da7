//! The archive, read strictly through its central directory.
//!
//! Decides which entries exist and where their bytes are; refuses every archive that two readers could understand
//! differently, because then one of them checks what another runs. Knows nothing of Android beyond that. Budgets hold
//! before anything is allocated: a header's word is never believed.
//!
//! Format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3 and 4.4.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use crate::cursor::Cursor;
use crate::finding::{Check, Code, Finding, OrBroken, broken};
use crate::source::{Source, read_vec};

const END_RECORD_SIZE: u64 = 22;
const END_RECORD_SIGNATURE: u32 = 0x0605_4b50;
const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const ZIP64_LOCATOR_SIZE: u64 = 20;
const DIRECTORY_SIGNATURE: u32 = 0x0201_4b50;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const LOCAL_HEADER_SIZE: u64 = 30;
const FLAG_ENCRYPTED: u16 = 0x0001;
const FLAG_DESCRIPTOR: u16 = 0x0008;
/// 65,535 entries with names and extra fields of 500 bytes each: more than any app has, less than hurts.
const MAX_DIRECTORY_BYTES: u64 = 32 << 20;

/// One entry, as the central directory has it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed: u64,
    pub(crate) uncompressed: u64,
    /// Upper half of the external attributes: the Unix mode, where symbolic links show.
    pub(crate) unix_mode: u16,
    flags: u16,
    local_header: u64,
    data: u64,
}

impl Entry {
    /// The name for people and for findings.
    pub(crate) fn display_name(&self) -> String {
        String::from_utf8_lossy(&self.name)
            .chars()
            .take(200)
            .collect()
    }

    /// Where the (compressed) data starts in the file.
    pub(crate) const fn data_offset(&self) -> u64 {
        self.data
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.method == 0
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.name.ends_with(b"/")
    }
}

/// A whole archive whose structure has been checked.
#[derive(Debug)]
pub(crate) struct Archive {
    /// In the order of the central directory.
    pub(crate) entries: Vec<Entry>,
    /// Where the central directory starts: the signing block, if there is one, ends here.
    pub(crate) directory_offset: u64,
    /// Where the end record starts.
    pub(crate) end_offset: u64,
    /// Whether anything but a local header stands at the file's very start.
    pub(crate) odd_start: bool,
}

impl Archive {
    /// Reads and checks the archive's structure. Oddities that Android tolerates go to `findings`.
    pub(crate) fn open(source: &dyn Source, findings: &mut Vec<Finding>) -> Check<Self> {
        let end = EndRecord::find(source)?;
        let directory = end.read_directory(source)?;
        let mut entries = parse_directory(&directory, end.entries)?;
        check_names(&entries)?;
        for entry in &mut entries {
            resolve_local_header(source, entry, end.directory_offset, findings)?;
        }
        check_overlaps(&entries)?;
        let mut first = [0; 4];
        source.read_at(0, &mut first)?;
        Ok(Self {
            entries,
            directory_offset: end.directory_offset,
            end_offset: end.offset,
            odd_start: u32::from_le_bytes(first) != LOCAL_SIGNATURE,
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name == name.as_bytes())
    }
}

/// Whether the source looks like an archive at all. Says nothing about whether it is a good one.
pub(crate) fn resembles_archive(source: &dyn Source) -> std::io::Result<bool> {
    let mut first = [0; 2];
    if source.size() < END_RECORD_SIZE {
        return Ok(false);
    }
    source.read_at(0, &mut first)?;
    Ok(&first == b"PK" || EndRecord::find(source).is_ok())
}

struct EndRecord {
    offset: u64,
    entries: u16,
    directory_offset: u64,
    directory_size: u64,
}

impl EndRecord {
    /// Looks backwards for the record whose comment ends exactly where the file ends.
    ///
    /// "The last signature in the file" would take a record planted inside the comment; "any comment length" would take
    /// an archive that other bytes follow. Of several that fit, the first found (the shortest comment) counts, as on Android.
    fn find(source: &dyn Source) -> Check<Self> {
        let size = source.size();
        let span = size.min(END_RECORD_SIZE.saturating_add(u64::from(u16::MAX)));
        let start = size.saturating_sub(span);
        let tail = read_vec(source, start, span)?;
        let mut signature_seen = false;
        for position in (0..tail.len().saturating_sub(21)).rev() {
            let candidate = tail.get(position..).unwrap_or_default();
            if !candidate.starts_with(&END_RECORD_SIGNATURE.to_le_bytes()) {
                continue;
            }
            signature_seen = true;
            let comment = candidate
                .get(20..22)
                .and_then(|b| b.try_into().ok())
                .map(u16::from_le_bytes);
            if comment.map(usize::from) == candidate.len().checked_sub(22) {
                let offset = start.saturating_add(u64::try_from(position).unwrap_or(u64::MAX));
                return Self::parse(source, offset, candidate);
            }
        }
        if signature_seen {
            return broken(
                Code::ZipTrailingBytes,
                "no end record ends exactly at the end of the file",
            );
        }
        broken(
            Code::ZipNoEndRecord,
            "no end record within the last 65,557 bytes",
        )
    }

    fn parse(source: &dyn Source, offset: u64, record: &[u8]) -> Check<Self> {
        let fields = |record: &[u8]| {
            let mut cursor = Cursor::new(record);
            cursor.u32()?;
            let disks = (cursor.u16()?, cursor.u16()?);
            let entries = (cursor.u16()?, cursor.u16()?);
            Some((disks, entries, cursor.u32()?, cursor.u32()?))
        };
        let (disks, (here, total), size, start) =
            fields(record).or_broken(Code::ZipNoEndRecord, "end record is cut short")?;
        if has_zip64_locator(source, offset)?
            || total == u16::MAX
            || size == u32::MAX
            || start == u32::MAX
        {
            return broken(Code::Zip64, "ZIP64 locator or marker at the end record");
        }
        if disks != (0, 0) || here != total {
            return broken(Code::ZipMultiDisk, "end record names other disks");
        }
        let (directory_offset, directory_size) = (u64::from(start), u64::from(size));
        if directory_offset.checked_add(directory_size) != Some(offset) {
            return broken(
                Code::ZipDirectoryGap,
                format!(
                    "directory at {directory_offset}, {directory_size} bytes; end record at {offset}"
                ),
            );
        }
        Ok(Self {
            offset,
            entries: total,
            directory_offset,
            directory_size,
        })
    }

    fn read_directory(&self, source: &dyn Source) -> Check<Vec<u8>> {
        if self.directory_size > MAX_DIRECTORY_BYTES {
            return broken(
                Code::ZipBudget,
                format!("central directory of {} bytes", self.directory_size),
            );
        }
        Ok(read_vec(
            source,
            self.directory_offset,
            self.directory_size,
        )?)
    }
}

fn has_zip64_locator(source: &dyn Source, end_offset: u64) -> std::io::Result<bool> {
    let Some(offset) = end_offset.checked_sub(ZIP64_LOCATOR_SIZE) else {
        return Ok(false);
    };
    let mut signature = [0; 4];
    source.read_at(offset, &mut signature)?;
    Ok(u32::from_le_bytes(signature) == ZIP64_LOCATOR_SIGNATURE)
}

fn parse_directory(directory: &[u8], count: u16) -> Check<Vec<Entry>> {
    let mut cursor = Cursor::new(directory);
    let mut entries = Vec::new();
    for index in 0..count {
        let entry = parse_record(&mut cursor).or_broken(
            Code::ZipDirectoryMalformed,
            &format!("record {index} of {count}"),
        )?;
        if entry.flags & FLAG_ENCRYPTED != 0 {
            return broken(Code::ZipEncrypted, entry.display_name());
        }
        if [entry.compressed, entry.uncompressed, entry.local_header].contains(&u64::from(u32::MAX))
        {
            return broken(
                Code::Zip64,
                format!("ZIP64 marker in {}", entry.display_name()),
            );
        }
        entries.push(entry);
    }
    if !cursor.is_empty() {
        return broken(
            Code::ZipDirectoryMalformed,
            format!("{} bytes after the last record", cursor.rest().len()),
        );
    }
    Ok(entries)
}

fn parse_record(cursor: &mut Cursor<'_>) -> Option<Entry> {
    if cursor.u32()? != DIRECTORY_SIGNATURE {
        return None;
    }
    cursor.take(4)?; // versions
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.take(4)?; // time and date
    let (crc32, compressed, uncompressed) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    let (name, extra, comment) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    cursor.take(6)?; // disk, internal and low external attributes
    let unix_mode = cursor.u16()?;
    let local_header = cursor.u32()?;
    let name = cursor.take(usize::from(name))?.to_vec();
    cursor.take(usize::from(extra))?;
    cursor.take(usize::from(comment))?;
    Some(Entry {
        name,
        method,
        crc32,
        compressed: u64::from(compressed),
        uncompressed: u64::from(uncompressed),
        unix_mode,
        flags,
        local_header: u64::from(local_header),
        data: 0,
    })
}

fn check_names(entries: &[Entry]) -> Check<()> {
    let mut seen = BTreeSet::new();
    for entry in entries {
        if !seen.insert(entry.name.as_slice()) {
            return broken(Code::ZipDuplicateName, entry.display_name());
        }
        if is_bad_name(&entry.name) {
            return broken(Code::ZipBadName, entry.display_name());
        }
    }
    Ok(())
}

fn is_bad_name(name: &[u8]) -> bool {
    name.is_empty()
        || name.starts_with(b"/")
        || name
            .iter()
            .any(|byte| matches!(byte, 0 | b'\r' | b'\n' | b'\\'))
        || name.split(|byte| *byte == b'/').any(|part| part == b"..")
}

/// Checks the local header against the directory and notes where the data starts.
///
/// Android's runtime opens an entry by the directory and then refuses it if name, sizes or checksum differ here; tools
/// that stream from the front see only this header. Where the two differ, somebody is being shown another file.
fn resolve_local_header(
    source: &dyn Source,
    entry: &mut Entry,
    directory_offset: u64,
    findings: &mut Vec<Finding>,
) -> Check<()> {
    let wanted =
        LOCAL_HEADER_SIZE.saturating_add(u64::try_from(entry.name.len()).unwrap_or(u64::MAX));
    let fits = entry
        .local_header
        .checked_add(wanted)
        .is_some_and(|end| end <= directory_offset);
    if !fits {
        return broken(
            Code::ZipLocalHeader,
            format!("{}: outside of the archive", entry.display_name()),
        );
    }
    let header = read_vec(source, entry.local_header, wanted)?;
    let local = parse_local(&header, entry.name.len()).or_broken(
        Code::ZipLocalHeader,
        &format!("{}: no header", entry.display_name()),
    )?;
    if local.name != entry.name {
        return broken(
            Code::ZipLocalHeader,
            format!("{}: another name", entry.display_name()),
        );
    }
    let sizes = (entry.crc32, entry.compressed, entry.uncompressed);
    if local.flags & FLAG_DESCRIPTOR == 0 && local.sizes != sizes {
        return broken(
            Code::ZipLocalHeader,
            format!("{}: other sizes or checksum", entry.display_name()),
        );
    }
    if local.method != entry.method {
        findings.push(Finding::new(
            Code::ZipMethodDiffers,
            format!(
                "{}: {} and {}",
                entry.display_name(),
                local.method,
                entry.method
            ),
        ));
    }
    if !matches!(entry.method, 0 | 8) {
        findings.push(Finding::new(
            Code::ZipOddMethod,
            format!("{}: method {}", entry.display_name(), entry.method),
        ));
    }
    entry.data = entry
        .local_header
        .saturating_add(wanted)
        .saturating_add(u64::from(local.extra_length));
    if entry.data.saturating_add(entry.stored_bytes()) > directory_offset {
        return broken(
            Code::ZipOverlap,
            format!("{}: runs into the directory", entry.display_name()),
        );
    }
    Ok(())
}

impl Entry {
    const fn stored_bytes(&self) -> u64 {
        self.compressed
    }
}

struct LocalHeader<'a> {
    flags: u16,
    method: u16,
    sizes: (u32, u64, u64),
    extra_length: u16,
    name: &'a [u8],
}

fn parse_local(header: &[u8], name_length: usize) -> Option<LocalHeader<'_>> {
    let mut cursor = Cursor::new(header);
    if cursor.u32()? != LOCAL_SIGNATURE {
        return None;
    }
    cursor.take(2)?; // version
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.take(4)?; // time and date
    let sizes = (
        cursor.u32()?,
        u64::from(cursor.u32()?),
        u64::from(cursor.u32()?),
    );
    let (name, extra_length) = (cursor.u16()?, cursor.u16()?);
    // A longer name would move the data; a shorter one would pass for a prefix.
    let name = if usize::from(name) == name_length {
        cursor.take(name_length)?
    } else {
        &[]
    };
    Some(LocalHeader {
        flags,
        method,
        sizes,
        extra_length,
        name,
    })
}

fn check_overlaps(entries: &[Entry]) -> Check<()> {
    let mut spans: Vec<_> = entries
        .iter()
        .map(|e| (e.local_header, e.data.saturating_add(e.stored_bytes()), e))
        .collect();
    spans.sort_unstable_by_key(|(start, end, _)| (*start, *end));
    for pair in spans.windows(2) {
        if let [(_, end, first), (start, _, second)] = pair
            && start < end
        {
            return broken(
                Code::ZipOverlap,
                format!("{} and {}", first.display_name(), second.display_name()),
            );
        }
    }
    Ok(())
}

/// How much may still be inflated in one inspection.
#[derive(Debug)]
pub(crate) struct Allowance(u64);

impl Allowance {
    /// Honest apps expand a few times; deflate alone reaches a thousand times. So that a small bomb stays small, the
    /// allowance grows with the file.
    pub(crate) fn for_file(size: u64) -> Self {
        Self(size.saturating_mul(64).saturating_add(128 << 20))
    }

    /// Uses up this much, if it is there.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

/// Expands one entry into `sink`, checking size and checksum. Method 0 is stored, every other is deflate, as on Android.
///
/// What it may cost has been taken from an [`Allowance`] before.
pub(crate) fn expand(source: &dyn Source, entry: &Entry, sink: &mut dyn Write) -> Check<()> {
    let raw = SourceReader {
        source,
        position: entry.data,
        left: entry.compressed,
    };
    let mut crc = flate2::Crc::new();
    let written = if entry.is_stored() {
        pump(raw, entry, &mut crc, sink)?
    } else {
        let buffered = std::io::BufReader::with_capacity(64 << 10, raw);
        pump(
            flate2::bufread::DeflateDecoder::new(buffered),
            entry,
            &mut crc,
            sink,
        )?
    };
    if written != entry.uncompressed || crc.sum() != entry.crc32 {
        return broken(
            Code::ZipEntryUnreadable,
            format!(
                "{}: other size or checksum than promised",
                entry.display_name()
            ),
        );
    }
    Ok(())
}

/// Expands one entry into memory, but no further than `cap` bytes.
pub(crate) fn expand_to_vec(
    source: &dyn Source,
    entry: &Entry,
    allowance: &mut Allowance,
    cap: u64,
) -> Check<Vec<u8>> {
    if entry.uncompressed > cap || allowance.take(entry.uncompressed).is_none() {
        return broken(
            Code::ZipBudget,
            format!(
                "{}: {} bytes, at most {cap} are read",
                entry.display_name(),
                entry.uncompressed
            ),
        );
    }
    let mut bytes = Vec::new();
    expand(source, entry, &mut bytes)?;
    Ok(bytes)
}

fn pump(
    mut from: impl Read,
    entry: &Entry,
    crc: &mut flate2::Crc,
    sink: &mut dyn Write,
) -> Check<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut written = 0_u64;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(written),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                return broken(
                    Code::ZipEntryUnreadable,
                    format!("{}: bad deflate data", entry.display_name()),
                );
            }
            Err(error) => return Err(error.into()),
        };
        let piece = buffer.get(..read).unwrap_or_default();
        written = written.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if written > entry.uncompressed {
            return broken(
                Code::ZipEntryUnreadable,
                format!("{}: expands beyond its promised size", entry.display_name()),
            );
        }
        crc.update(piece);
        sink.write_all(piece)?;
    }
}

struct SourceReader<'a> {
    source: &'a dyn Source,
    position: u64,
    left: u64,
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        self.source
            .read_at(self.position, buffer.get_mut(..length).unwrap_or_default())?;
        let advanced = u64::try_from(length).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(advanced);
        self.left = self.left.saturating_sub(advanced);
        Ok(length)
    }
}
