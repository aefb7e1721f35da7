//! A bar on standard error while a large file is read.
//!
//! Decides when drawing is worth it: on a terminal, for files that take a while. It refuses to know what the bytes
//! are for, and reads none itself.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use bonafide_artifact::{FileSource, Source};

/// Smaller files are done before a person sees a bar.
const WORTH_DRAWING: u64 = 64 << 20;
const CELLS: u64 = 40;

/// A file that shows how far it has been read.
pub(crate) struct Watched {
    source: FileSource,
    bar: Option<Bar>,
}

struct Bar {
    whole: u64,
    read: AtomicU64,
    drawn: AtomicU64,
}

impl Watched {
    /// Opens nothing: the file is open.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let source = FileSource::new(file)?;
        let whole = source.size();
        let bar = (whole >= WORTH_DRAWING && io::stderr().is_terminal()).then(|| Bar {
            whole,
            read: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
        });
        Ok(Self { source, bar })
    }
}

impl Source for Watched {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.source.read_at(offset, into)?;
        if let Some(bar) = &self.bar {
            bar.advance(u64::try_from(into.len()).unwrap_or(0));
        }
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.bar.is_some() {
            // A terminal that went away is no reason to fail.
            drop(write!(io::stderr(), "\r\u{1b}[K"));
        }
    }
}

impl Bar {
    /// Signed by v1 too, a file is read more than once; then the bar stays full for a moment.
    fn advance(&self, bytes: u64) {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let cells = filled(read, self.whole);
        if self.drawn.fetch_max(cells, Ordering::Relaxed) < cells {
            drop(write!(io::stderr(), "\r{}", drawn(cells)));
        }
    }
}

fn filled(read: u64, whole: u64) -> u64 {
    (read / (whole / CELLS).max(1)).min(CELLS)
}

fn drawn(cells: u64) -> String {
    let cell = |at: u64| if at < cells { '#' } else { '.' };
    let bar: String = (0..CELLS).map(cell).collect();
    format!("reading [{bar}] {} %", cells * 100 / CELLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_from_empty_to_full_and_not_beyond() {
        let whole = 269 << 20;
        assert_eq!(filled(0, whole), 0);
        assert_eq!(filled(whole / 2, whole), CELLS / 2);
        assert_eq!(filled(whole, whole), CELLS);
        assert_eq!(filled(whole * 3, whole), CELLS);
        assert_eq!(filled(1, 1), 1);
        assert!(drawn(CELLS).ends_with("100 %"));
        assert!(drawn(0).ends_with(" 0 %"));
    }
}
