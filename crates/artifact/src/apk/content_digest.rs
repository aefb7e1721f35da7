//! The digests over a whole APK that v2 and newer schemes sign, computed in one parallel pass in constant memory.
//!
//! Decides nothing: computes what was asked for. The sections and chunks are those of
//! <https://source.android.com/docs/security/features/apksigning/v2#integrity-protected-contents>.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256, Sha512};

use crate::inspection::Sha256Digest;
use crate::source::{Source, read_vec};

mod one_pass;

const CHUNK: u64 = 1 << 20;
const CHUNK_BYTES: usize = 1 << 20;
/// The salt of verity digests inside an APK.
const APK_SALT: [u8; 8] = [0; 8];
pub(crate) const PAGE: usize = 4096;
const MAX_THREADS: usize = 8;
/// Where the end record names the central directory's offset.
const DIRECTORY_OFFSET_FIELD: std::ops::Range<usize> = 16..20;

/// A kind of digest over the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ContentDigest {
    /// SHA-256 over chunks of 1 MiB.
    Sha256,
    /// SHA-512 over chunks of 1 MiB.
    Sha512,
    /// SHA-256 Merkle tree over pages of 4 KiB.
    Verity,
}

/// The parts of the file that are covered, and where they are.
#[derive(Debug)]
pub(crate) struct Sections {
    /// Everything before the signing block.
    pub(crate) block_offset: u64,
    /// Size of the signing block, which is not covered.
    pub(crate) block_size: u64,
    /// The end record, with the directory's offset replaced by the block's: so the block can grow without a new digest.
    end_record: Vec<u8>,
    directory: (u64, u64),
}

impl Sections {
    pub(crate) fn new(
        source: &dyn Source,
        (block_offset, block_size): (u64, u64),
        (directory_offset, end_offset): (u64, u64),
    ) -> io::Result<Self> {
        let end_size = source.size().saturating_sub(end_offset);
        let mut end_record = read_vec(source, end_offset, end_size)?;
        let patched = u32::try_from(block_offset)
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        if let Some(field) = end_record.get_mut(DIRECTORY_OFFSET_FIELD) {
            field.copy_from_slice(&patched);
        }
        Ok(Self {
            block_offset,
            block_size,
            end_record,
            directory: (
                directory_offset,
                end_offset.saturating_sub(directory_offset),
            ),
        })
    }

    /// Verity digests are defined only over whole pages around the block.
    pub(crate) const fn is_page_aligned(&self) -> bool {
        self.block_offset.is_multiple_of(PAGE as u64) && self.block_size.is_multiple_of(PAGE as u64)
    }

    /// The whole file in order, cut so that each covered piece is one chunk.
    fn pieces(&self) -> Vec<Piece> {
        let (directory_offset, directory_size) = self.directory;
        let end = directory_offset.saturating_add(directory_size);
        let end_size = u64::try_from(self.end_record.len()).unwrap_or(u64::MAX);
        let mut pieces = cut(0, self.block_offset, Cover::Entries);
        pieces.extend(cut(self.block_offset, self.block_size, Cover::Outside));
        pieces.extend(cut(directory_offset, directory_size, Cover::Directory));
        pieces.extend(cut(end, end_size, Cover::Outside));
        pieces
    }
}

/// What covers a piece of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// Nothing: the signing block, and the end record, which is covered in another form.
    Outside,
    /// The entries' section.
    Entries,
    /// The central directory's section.
    Directory,
}

/// A run of at most a chunk's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) length: usize,
    pub(crate) cover: Cover,
}

fn cut(start: u64, length: u64, cover: Cover) -> Vec<Piece> {
    let end = start.saturating_add(length);
    let mut offset = start;
    let mut pieces = Vec::new();
    while offset < end {
        let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(CHUNK_BYTES);
        pieces.push(Piece {
            offset,
            length,
            cover,
        });
        offset = offset.saturating_add(CHUNK);
    }
    pieces
}

/// What the pass over the file yields.
#[derive(Debug)]
pub(crate) struct Digests {
    pub(crate) file: Sha256Digest,
    pub(crate) content: BTreeMap<ContentDigest, Vec<u8>>,
}

/// Reads the file once and computes its own SHA-256 beside the wanted content digests, in parallel.
pub(crate) fn compute(
    source: &dyn Source,
    sections: Option<&Sections>,
    wanted: &BTreeSet<ContentDigest>,
) -> io::Result<Digests> {
    let pieces = sections.map_or_else(|| cut(0, source.size(), Cover::Outside), Sections::pieces);
    let wanted: BTreeSet<ContentDigest> = wanted
        .iter()
        .copied()
        .filter(|digest| {
            let aligned = sections.is_some_and(Sections::is_page_aligned);
            *digest != ContentDigest::Verity || aligned
        })
        .collect();
    let passed = one_pass::run(source, &pieces, &wanted)?;
    let mut content = BTreeMap::new();
    for digest in wanted {
        let Some(sections) = sections else { continue };
        let value = match digest {
            ContentDigest::Sha256 => top::<Sha256>(&passed.of(digest), &sections.end_record),
            ContentDigest::Sha512 => top::<Sha512>(&passed.of(digest), &sections.end_record),
            ContentDigest::Verity => apk_verity(source, sections, passed.of(digest).concat())?,
        };
        content.insert(digest, value);
    }
    Ok(Digests {
        file: passed.file,
        content,
    })
}

/// The SHA-256 of all bytes.
pub(crate) fn file_sha256(source: &dyn Source) -> io::Result<Sha256Digest> {
    Ok(compute(source, None, &BTreeSet::new())?.file)
}

/// A worker that panicked would be a defect of this crate; to the caller it is a file that could not be read.
fn joined<T>(result: std::thread::Result<io::Result<T>>) -> io::Result<T> {
    result.unwrap_or_else(|_| Err(io::Error::other("a hashing thread failed")))
}

/// How many threads are worth having.
fn threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS)
}

/// The digest of one chunk, as the schemes define it.
fn chunk_digest<H: Digest>(data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    H::new()
        .chain_update([0xa5])
        .chain_update(length)
        .chain_update(data)
        .finalize()
        .to_vec()
}

/// The digest over all chunks; those of the end record, which is kept changed in memory, come last.
fn top<H: Digest>(chunks: &[&[u8]], end_record: &[u8]) -> Vec<u8> {
    let last: Vec<Vec<u8>> = end_record
        .chunks(CHUNK_BYTES)
        .map(chunk_digest::<H>)
        .collect();
    let count = chunks.len().saturating_add(last.len());
    let count = u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    let mut top = H::new().chain_update([0x5a]).chain_update(count);
    for digest in chunks.iter().copied().chain(last.iter().map(Vec::as_slice)) {
        top.update(digest);
    }
    top.finalize().to_vec()
}

/// Runs `work` over all items on a few threads; each keeps one buffer, so that memory stays constant.
pub(crate) fn in_parallel<I: Sync, O: Send>(
    items: &[I],
    work: impl for<'b> Fn(&'b I, &'b mut Vec<u8>) -> io::Result<O> + Sync,
) -> io::Result<Vec<O>> {
    let threads = threads();
    let next = AtomicUsize::new(0);
    let drain = || -> io::Result<Vec<(usize, O)>> {
        let mut buffer = Vec::new();
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return Ok(done);
            };
            done.push((index, work(item, &mut buffer)?));
        }
    };
    let mut done = std::thread::scope(|scope| -> io::Result<Vec<(usize, O)>> {
        let others: Vec<_> = (1..threads.min(items.len()))
            .map(|_| scope.spawn(drain))
            .collect();
        let mut done = drain()?;
        for other in others {
            done.extend(joined(other.join())?);
        }
        Ok(done)
    })?;
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, output)| output).collect())
}

fn apk_verity(
    source: &dyn Source,
    sections: &Sections,
    mut leaves: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let (directory_offset, directory_size) = sections.directory;
    let mut tail = read_vec(source, directory_offset, directory_size)?;
    tail.extend_from_slice(&sections.end_record);
    // The block starts on a page, so that what follows it starts on one too, in the tree as in the file.
    hash_pages(&tail, &APK_SALT, &mut leaves);
    let total = sections
        .block_offset
        .saturating_add(u64::try_from(tail.len()).unwrap_or(u64::MAX));
    let mut digest = merkle_root(leaves, &APK_SALT);
    digest.extend_from_slice(&total.to_le_bytes());
    Ok(digest)
}

/// The root of the Merkle tree over the whole file, as `.idsig` files sign it.
pub(crate) fn file_merkle_root(source: &dyn Source, salt: &[u8]) -> io::Result<Vec<u8>> {
    Ok(merkle_root(file_leaves(source, source.size(), salt)?, salt))
}

fn file_leaves(source: &dyn Source, length: u64, salt: &[u8]) -> io::Result<Vec<u8>> {
    let parts = in_parallel(&cut(0, length, Cover::Entries), |piece, buffer| {
        buffer.resize(piece.length, 0);
        source.read_at(piece.offset, buffer)?;
        let mut hashes = Vec::new();
        hash_pages(buffer, salt, &mut hashes);
        Ok(hashes)
    })?;
    Ok(parts.concat())
}

/// Hashes page by page, the last one filled up with zeros.
fn hash_pages(data: &[u8], salt: &[u8], hashes: &mut Vec<u8>) {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    for page in data.chunks(PAGE) {
        let padding = ZEROS.get(page.len()..).unwrap_or_default();
        let hash = Sha256::new()
            .chain_update(salt)
            .chain_update(page)
            .chain_update(padding);
        hashes.extend_from_slice(&hash.finalize());
    }
}

fn merkle_root(leaves: Vec<u8>, salt: &[u8]) -> Vec<u8> {
    let mut level = leaves;
    loop {
        let mut above = Vec::new();
        hash_pages(&level, salt, &mut above);
        if level.len() <= PAGE {
            return above;
        }
        level = above;
    }
}
