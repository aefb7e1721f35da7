//! What a person or a script gets to see: data on stdout as a table or JSON, talk on stderr.
//!
//! Text that came from elsewhere is printed without its control characters, so that a label cannot drive
//! the reader's terminal.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{Cell, ContentArrangement};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::error::{Exit, Failure};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Table,
    /// For scripts; its members are API
    Json,
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const YELLOW: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();
const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();

/// The format chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    output: Output,
}

impl Console {
    /// A console that prints in this format.
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }

    /// Whether scripts read along.
    pub(crate) fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Prints data: its JSON, or the table made from it.
    pub(crate) fn data<T: Serialize + ?Sized>(
        self,
        value: &T,
        table: impl FnOnce(&T) -> Table,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Json => {
                let json = serde_json::to_string_pretty(value).map_err(|error| {
                    Failure::new(Exit::Refused, format!("cannot be written as JSON: {error}"))
                })?;
                line(&json)
            }
            Output::Table => line(&table(value).to_text()),
        }
    }
}

/// Prints one line of data as it is.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(anstream::stdout(), "{text}") {
        // Whoever read along has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::new(Exit::Refused, format!("stdout: {error}"))),
    }
}

/// Says something to the person at the terminal.
pub(crate) fn say(text: &str) {
    talk(&printable(text));
}

/// Says something that deserves a second look.
pub(crate) fn warn(text: &str) {
    talk(&format!("{YELLOW}warning:{YELLOW:#} {}", printable(text)));
}

/// Says why a command failed, and what to do next.
pub(crate) fn fail(failure: &Failure) {
    talk(&format!(
        "{RED}error:{RED:#} {}",
        printable(&failure.message)
    ));
    if let Some(hint) = &failure.hint {
        talk(&format!("{CYAN}hint:{CYAN:#} {}", printable(hint)));
    }
    if let Some(id) = &failure.request_id {
        talk(&format!("request id: {}", printable(id)));
    }
}

fn talk(text: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(anstream::stderr(), "{text}"));
}

/// A table without frills: it reads well and cuts well.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Table {
    /// A list; `empty` is said when it has no rows.
    pub(crate) fn list(empty: &'static str, header: &[&'static str]) -> Self {
        Self {
            header: header.to_vec(),
            rows: Vec::new(),
            empty,
        }
    }

    /// One object: a name and a value in each row.
    pub(crate) fn object() -> Self {
        Self::list("", &[])
    }

    /// One more row.
    #[must_use]
    pub(crate) fn row<const N: usize>(mut self, cells: [String; N]) -> Self {
        self.rows.push(cells.map(|cell| printable(&cell)).into());
        self
    }

    /// One more name and value.
    #[must_use]
    pub(crate) fn member(self, name: &str, value: impl Into<String>) -> Self {
        self.row([name.to_owned(), value.into()])
    }

    /// The same with a row for each item.
    #[must_use]
    pub(crate) fn rows<T, const N: usize>(
        self,
        items: &[T],
        cells: impl Fn(&T) -> [String; N],
    ) -> Self {
        items
            .iter()
            .fold(self, |table, item| table.row(cells(item)))
    }

    fn to_text(&self) -> String {
        if self.rows.is_empty() {
            return self.empty.to_owned();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if !self.header.is_empty() {
            table.set_header(
                self.header
                    .iter()
                    .map(|name| Cell::new(name.to_uppercase())),
            );
        }
        table.add_rows(&self.rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }
}

/// The text without control characters other than line breaks and tabs.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Seconds since 1970 as a person reads them.
pub(crate) fn moment(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| {
            at.format(format_description!(
                "[year]-[month]-[day] [hour]:[minute]:[second]Z"
            ))
            .ok()
        })
        .unwrap_or_else(|| seconds.to_string())
}

/// An optional value, or a dash.
pub(crate) fn or_dash<T: core::fmt::Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Several values in one cell.
pub(crate) fn joined<T: core::fmt::Display>(values: &[T]) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_and_no_frills() {
        let text = Table::list("none", &["name", "role"])
            .row(["ci".to_owned(), "developer".to_owned()])
            .to_text();
        assert_eq!(text, "NAME  ROLE\nci    developer");
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(
            Table::list("no apps yet", &["app"]).to_text(),
            "no apps yet"
        );
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }

    #[test]
    fn moments_are_read_in_utc() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
    }
}
