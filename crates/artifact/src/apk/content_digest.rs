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

const CHUNK: u64 = 1 << 20;
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

    fn chunks(&self) -> Vec<Chunk<'_>> {
        let (directory_offset, directory_size) = self.directory;
        let mut chunks = cut(0, self.block_offset);
        chunks.extend(cut(directory_offset, directory_size));
        chunks.extend(self.end_record.chunks(1 << 20).map(Chunk::Bytes));
        chunks
    }
}

enum Chunk<'a> {
    File { offset: u64, length: u64 },
    Bytes(&'a [u8]),
}

fn cut<'a>(start: u64, length: u64) -> Vec<Chunk<'a>> {
    let end = start.saturating_add(length);
    let mut offset = start;
    let mut chunks = Vec::new();
    while offset < end {
        let length = CHUNK.min(end.saturating_sub(offset));
        chunks.push(Chunk::File { offset, length });
        offset = offset.saturating_add(length);
    }
    chunks
}

/// What the pass over the file yields.
#[derive(Debug)]
pub(crate) struct Digests {
    pub(crate) file: Sha256Digest,
    pub(crate) content: BTreeMap<ContentDigest, Vec<u8>>,
}

/// Reads the file and computes its own SHA-256 beside the wanted content digests, in parallel.
pub(crate) fn compute(
    source: &dyn Source,
    sections: Option<&Sections>,
    wanted: &BTreeSet<ContentDigest>,
) -> io::Result<Digests> {
    let mut content = BTreeMap::new();
    let file = std::thread::scope(|scope| -> io::Result<Sha256Digest> {
        let file = scope.spawn(|| file_sha256(source));
        if let Some(sections) = sections {
            if wanted.contains(&ContentDigest::Sha256) {
                content.insert(ContentDigest::Sha256, chunked::<Sha256>(source, sections)?);
            }
            if wanted.contains(&ContentDigest::Sha512) {
                content.insert(ContentDigest::Sha512, chunked::<Sha512>(source, sections)?);
            }
            if wanted.contains(&ContentDigest::Verity) && sections.is_page_aligned() {
                content.insert(ContentDigest::Verity, apk_verity(source, sections)?);
            }
        }
        joined(file.join())
    })?;
    Ok(Digests { file, content })
}

/// The SHA-256 of all bytes.
pub(crate) fn file_sha256(source: &dyn Source) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = Vec::new();
    for chunk in cut(0, source.size()) {
        hasher.update(load(source, &chunk, &mut buffer)?);
    }
    Ok(Sha256Digest(hasher.finalize().into()))
}

/// A worker that panicked would be a defect of this crate; to the caller it is a file that could not be read.
fn joined<T>(result: std::thread::Result<io::Result<T>>) -> io::Result<T> {
    result.unwrap_or_else(|_| Err(io::Error::other("a hashing thread failed")))
}

fn load<'a>(
    source: &dyn Source,
    chunk: &Chunk<'a>,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    match chunk {
        Chunk::Bytes(bytes) => Ok(bytes),
        Chunk::File { offset, length } => {
            buffer.resize(usize::try_from(*length).unwrap_or(0), 0);
            source.read_at(*offset, buffer)?;
            Ok(buffer)
        }
    }
}

fn chunked<H: Digest>(source: &dyn Source, sections: &Sections) -> io::Result<Vec<u8>> {
    let chunks = sections.chunks();
    let digests = in_parallel(&chunks, |chunk, buffer| {
        let data = load(source, chunk, buffer)?;
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        Ok(H::new()
            .chain_update([0xa5])
            .chain_update(length)
            .chain_update(data)
            .finalize()
            .to_vec())
    })?;
    let count = u32::try_from(chunks.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    let mut top = H::new().chain_update([0x5a]).chain_update(count);
    for digest in &digests {
        top.update(digest);
    }
    Ok(top.finalize().to_vec())
}

/// Runs `work` over all items on a few threads; each keeps one buffer, so that memory stays constant.
pub(crate) fn in_parallel<I: Sync, O: Send>(
    items: &[I],
    work: impl for<'b> Fn(&'b I, &'b mut Vec<u8>) -> io::Result<O> + Sync,
) -> io::Result<Vec<O>> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS);
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

fn apk_verity(source: &dyn Source, sections: &Sections) -> io::Result<Vec<u8>> {
    let (directory_offset, directory_size) = sections.directory;
    let mut tail = read_vec(source, directory_offset, directory_size)?;
    tail.extend_from_slice(&sections.end_record);
    // The block starts on a page, so that what follows it starts on one too, in the tree as in the file.
    let salt = [0; 8];
    let mut leaves = file_leaves(source, sections.block_offset, &salt)?;
    hash_pages(&tail, &salt, &mut leaves);
    let total = sections
        .block_offset
        .saturating_add(u64::try_from(tail.len()).unwrap_or(u64::MAX));
    let mut digest = merkle_root(leaves, &salt);
    digest.extend_from_slice(&total.to_le_bytes());
    Ok(digest)
}

/// The root of the Merkle tree over the whole file, as `.idsig` files sign it.
pub(crate) fn file_merkle_root(source: &dyn Source, salt: &[u8]) -> io::Result<Vec<u8>> {
    Ok(merkle_root(file_leaves(source, source.size(), salt)?, salt))
}

fn file_leaves(source: &dyn Source, length: u64, salt: &[u8]) -> io::Result<Vec<u8>> {
    let parts = in_parallel(&cut(0, length), |chunk, buffer| {
        let mut hashes = Vec::new();
        hash_pages(load(source, chunk, buffer)?, salt, &mut hashes);
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
