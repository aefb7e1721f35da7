//! Rules for values that people write: all that are broken are named at once, by JSON Pointer.

use bonafide_wire::problem::FieldError;

use crate::app::AppError;

/// The rules broken so far.
#[derive(Debug, Default)]
pub struct Rules(Vec<FieldError>);

impl Rules {
    /// Nothing is broken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn broken(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
    }

    /// Text for people: not blank, not too long, without control characters.
    pub fn text(&mut self, pointer: &str, text: &str, most: usize) {
        if text.trim().is_empty() {
            self.broken(pointer, "must not be blank");
        }
        self.label(pointer, text, most);
    }

    /// The same, but it may be left empty.
    pub fn label(&mut self, pointer: &str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.broken(pointer, format!("must have at most {most} characters"));
        }
        if text.chars().any(char::is_control) {
            self.broken(pointer, "must not have control characters");
        }
    }

    /// A SHA-256 in the one spelling that is accepted.
    pub fn digest(&mut self, pointer: &str, text: &str) {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(hex) {
            self.broken(pointer, "must be a SHA-256 as 64 lower-case hex digits");
        }
    }

    /// A number within bounds.
    pub fn within(&mut self, pointer: &str, number: u32, bounds: core::ops::RangeInclusive<u32>) {
        if !bounds.contains(&number) {
            let (least, most) = (bounds.start(), bounds.end());
            self.broken(pointer, format!("must be {least} to {most}"));
        }
    }

    /// A list of distinct values, within bounds.
    pub fn list<T: Ord>(
        &mut self,
        pointer: &str,
        values: &[T],
        bounds: core::ops::RangeInclusive<usize>,
    ) {
        if !bounds.contains(&values.len()) {
            let (least, most) = (bounds.start(), bounds.end());
            self.broken(pointer, format!("must have {least} to {most} members"));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (at, value) in values.iter().enumerate() {
            if !seen.insert(value) {
                self.broken(format!("{pointer}/{at}"), "is there twice");
            }
        }
    }

    /// A time that is still to come, where there is one.
    pub fn future(&mut self, pointer: &str, time: Option<i64>, now: i64) {
        if time.is_some_and(|time| time <= now) {
            self.broken(pointer, "must be in the future");
        }
    }

    /// Fine, or everything that is not.
    pub fn held(self) -> Result<(), AppError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(AppError::Validation(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rules: Rules) -> Vec<String> {
        match rules.held() {
            Err(AppError::Validation(errors)) => errors.into_iter().map(|e| e.pointer).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_broken_rule_is_named() {
        let mut rules = Rules::new();
        rules.text("/name", " ", 5);
        rules.text("/long", "123456", 5);
        rules.label("/label", "a\nb", 5);
        rules.digest("/upper", &"A".repeat(64));
        rules.digest("/short", "ab");
        rules.within("/life", 0, 1..=3600);
        rules.list("/hosts", &["a", "b", "a"], 1..=8);
        rules.list::<u8>("/none", &[], 1..=8);
        rules.future("/expires_at", Some(10), 10);
        let expected = [
            "/name",
            "/long",
            "/label",
            "/upper",
            "/short",
            "/life",
            "/hosts/2",
            "/none",
            "/expires_at",
        ];
        assert_eq!(broken(rules), expected);
    }

    #[test]
    fn what_is_fine_breaks_nothing() {
        let mut rules = Rules::new();
        rules.text("", "ünïcode", 7);
        rules.label("", "", 5);
        rules.digest("", &"0f".repeat(32));
        rules.within("", 3600, 1..=3600);
        rules.list("", &[1, 2], 1..=2);
        rules.future("", None, 10);
        rules.future("", Some(11), 10);
        assert!(rules.held().is_ok());
    }
}
