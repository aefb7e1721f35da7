//! Where an artifact's bytes come from: random access, from several threads at once.
//!
//! Decides nothing. Nothing here opens a file: a caller hands over bytes or an open file, so that whoever may touch the
//! file system stays outside of this crate. Reads by position were chosen over a memory map on purpose: a map of a file
//! that somebody truncates meanwhile kills the process, and needs `unsafe`.

use std::fs::File;
use std::io;

/// Random access to the bytes of one artifact.
///
/// The bytes must not change while an inspection runs; a short read is an error, never silent padding.
pub trait Source: Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on, or fails.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(into.len())?))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, into)
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, into)
    }
}

/// An open file as a [`Source`]. Its size is the one it had when it was handed over.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Takes an open file.
    ///
    /// # Errors
    /// If the file's size cannot be read.
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let (mut offset, mut rest) = (offset, into);
        while !rest.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, rest, offset)?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            rest = rest.get_mut(read..).unwrap_or_default();
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// Reads `length` bytes at `offset` into a new buffer. Callers bound `length` first: it may come from a hostile header,
/// and the check against the source's size here only keeps a lie from becoming an allocation.
pub(crate) fn read_vec(source: &dyn Source, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let end = offset
        .checked_add(length)
        .filter(|end| *end <= source.size());
    let (Some(_), Ok(length)) = (end, usize::try_from(length)) else {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    };
    let mut bytes = vec![0; length];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
