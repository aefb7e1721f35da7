//! Pages of lists: opaque cursors over names or row numbers, never offsets, so that nothing is skipped or repeated
//! when the list changes between two pages.

use core::ops::Bound;
use std::collections::BTreeMap;

use bonafide_wire::admin::Page;
use bonafide_wire::bytes;

use crate::app::AppError;
use crate::store::{Rows, Window};

/// Most items of a page.
pub const MOST: u32 = 500;
/// Items of a page where nothing is said.
pub const USUAL: u32 = 50;

/// Which page is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    size: u32,
    after: Option<String>,
}

impl Wanted {
    /// From what the caller said.
    pub fn new(size: Option<u32>, token: Option<&str>) -> Result<Self, AppError> {
        let size = size.unwrap_or(USUAL);
        if !(1..=MOST).contains(&size) {
            return Err(AppError::invalid(
                "/page_size",
                format!("must be 1 to {MOST}"),
            ));
        }
        let after = token.map(|token| {
            let text = bytes::decode(token)
                .ok()
                .and_then(|t| String::from_utf8(t).ok());
            text.ok_or_else(not_ours)
        });
        Ok(Self {
            size,
            after: after.transpose()?,
        })
    }

    /// A page of a map that is in memory.
    pub fn of_map<'a, K, V, T>(
        &self,
        map: &'a BTreeMap<K, V>,
        view: impl Fn(&'a K, &'a V) -> T,
    ) -> Result<Page<T>, AppError>
    where
        K: Ord + core::str::FromStr + core::fmt::Display,
    {
        let after: Option<K> = self
            .after
            .as_ref()
            .map(|after| after.parse().map_err(|_| not_ours()))
            .transpose()?;
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = map.range((start, Bound::Unbounded));
        let mut last = None;
        let mut items = Vec::new();
        for (key, value) in rest.by_ref().take(usize::try_from(self.size).unwrap_or(1)) {
            items.push(view(key, value));
            last = Some(key);
        }
        let more = rest.next().is_some();
        Ok(Page {
            items,
            next_page_token: last
                .filter(|_| more)
                .map(|key| bytes::encode(key.to_string())),
        })
    }

    /// The store's window for this page.
    pub fn window(&self) -> Result<Window, AppError> {
        let after = self
            .after
            .as_ref()
            .map(|after| after.parse().map_err(|_| not_ours()));
        let after: Option<u64> = after.transpose()?;
        // Row numbers are kept in 63 bits.
        if after.is_some_and(|after| i64::try_from(after).is_err()) {
            return Err(not_ours());
        }
        Ok(Window {
            after,
            limit: self.size,
        })
    }
}

/// The store's rows as a page.
pub fn of_rows<T>(rows: Rows<T>) -> Page<T> {
    Page {
        items: rows.items,
        next_page_token: rows.next.map(|next| bytes::encode(next.to_string())),
    }
}

fn not_ours() -> AppError {
    AppError::invalid("/page_token", "must be a next_page_token of the same list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_map_neither_skip_nor_repeat_when_it_changes() {
        let mut map: BTreeMap<String, u32> = (0..10).map(|n| (format!("k{n}"), n)).collect();
        let view = |_: &String, value: &u32| *value;
        let first = Wanted::new(Some(4), None)
            .unwrap()
            .of_map(&map, view)
            .unwrap();
        assert_eq!(first.items, [0, 1, 2, 3]);
        map.remove("k3");
        map.insert("k11".to_owned(), 11);
        let token = first.next_page_token.unwrap();
        let rest = Wanted::new(Some(9), Some(&token))
            .unwrap()
            .of_map(&map, view)
            .unwrap();
        assert_eq!(rest.items, [4, 5, 6, 7, 8, 9]);
        assert_eq!(rest.next_page_token, None);
    }

    #[test]
    fn a_full_last_page_promises_nothing() {
        let map = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let page = Wanted::new(Some(2), None)
            .unwrap()
            .of_map(&map, |_, v| *v)
            .unwrap();
        assert_eq!((page.items.len(), page.next_page_token), (2, None));
    }

    #[test]
    fn foreign_cursors_and_sizes_are_refused() {
        assert!(Wanted::new(Some(0), None).is_err());
        assert!(Wanted::new(Some(501), None).is_err());
        assert!(Wanted::new(None, Some("=")).is_err());
        for number in ["x", "-1", "18446744073709551615"] {
            let token = bytes::encode(number);
            assert!(Wanted::new(None, Some(&token)).unwrap().window().is_err());
        }
    }
}
