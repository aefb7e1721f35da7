//! A bounds-checked reader over little-endian binary formats.
//!
//! Every read either fits into what is left or returns `None`; what a missing byte means is the caller's decision.

/// The unread rest of a byte string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A `u32` length and as many bytes: the shape that all of Android's signing blocks are built of.
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn reads_until_nothing_is_left_and_never_beyond() {
        let mut cursor = Cursor::new(&[1, 0, 0, 0, 9, 7]);
        assert_eq!(cursor.prefixed(), Some(&[9][..]));
        assert_eq!(cursor.u16(), None);
        assert_eq!(cursor.u8(), Some(7));
        assert!(cursor.is_empty());
        assert_eq!(Cursor::new(&[255, 255, 255, 255, 1]).prefixed(), None);
    }
}
