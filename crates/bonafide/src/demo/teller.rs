//! Tells the story: in colour to people, in JSON Lines to scripts.
//!
//! It shows steps and counts them. It neither runs nor judges them.

use std::io;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::scene::{Kind, Line, Step};
use crate::error::{Exit, Failure};
use crate::render::printable;

const WIDTH: usize = 100;
const INDENT: usize = 6;
/// Wide enough for "decided".
const LABEL: usize = 9;

const TITLE: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// People.
    People,
    /// Scripts.
    Scripts,
}

/// The storyteller.
#[derive(Debug)]
pub(super) struct Teller {
    audience: Audience,
    told: usize,
    otherwise: Vec<&'static str>,
}

/// The last line for scripts.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(rename = "summary")]
    outcome: &'static str,
    steps: usize,
    otherwise: &'a [&'static str],
}

impl Teller {
    pub(super) fn new(audience: Audience) -> Self {
        Self {
            audience,
            told: 0,
            otherwise: Vec::new(),
        }
    }

    /// Opens the story.
    pub(super) fn open(&self, title: &str, about: &str) -> Result<(), Failure> {
        self.for_people(|out| {
            writeln!(out, "\n  {TITLE}{title}{TITLE:#}\n")?;
            for line in wrap(about, WIDTH - 2) {
                writeln!(out, "  {line}")?;
            }
            Ok(())
        })
    }

    /// Opens a chapter.
    pub(super) fn chapter(&self, title: &str, about: &str) -> Result<(), Failure> {
        self.for_people(|out| {
            let rule = "\u{2500}".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
            writeln!(out, "\n\n  {TITLE}{title}{TITLE:#} {DIM}{rule}{DIM:#}")?;
            for line in wrap(about, WIDTH - 2) {
                writeln!(out, "  {DIM}{line}{DIM:#}")?;
            }
            Ok(())
        })
    }

    /// Tells one step.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), Failure> {
        self.told += 1;
        if !step.as_told {
            self.otherwise.push(step.name);
        }
        match self.audience {
            Audience::Scripts => json_line(step),
            Audience::People => {
                let number = self.told;
                self.for_people(|out| show(out, number, step))
            }
        }
    }

    /// Says something between steps, to people only.
    pub(super) fn say(&self, lines: &[String]) -> Result<(), Failure> {
        self.for_people(|out| {
            for line in lines {
                writeln!(out, "  {line}")?;
            }
            Ok(())
        })
    }

    /// Closes the story; how it ends is the exit code.
    pub(super) fn close(&self) -> Result<Exit, Failure> {
        let exit = if self.otherwise.is_empty() {
            Exit::Done
        } else {
            Exit::Refused
        };
        match self.audience {
            Audience::Scripts => json_line(&Summary {
                outcome: if exit == Exit::Done {
                    "as-told"
                } else {
                    "otherwise"
                },
                steps: self.told,
                otherwise: &self.otherwise,
            })?,
            Audience::People => self.for_people(|out| {
                let told = self.told;
                if self.otherwise.is_empty() {
                    writeln!(
                        out,
                        "\n\n  {GOOD}All {told} steps came out as told.{GOOD:#}\n"
                    )
                } else {
                    let names = self.otherwise.join(", ");
                    writeln!(
                        out,
                        "\n\n  {BAD}{} of {told} steps came out otherwise:{BAD:#} {names}\n",
                        self.otherwise.len()
                    )
                }
            })?,
        }
        Ok(exit)
    }

    fn for_people(
        &self,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.audience == Audience::Scripts {
            return Ok(());
        }
        finish(write(&mut anstream::stdout()))
    }
}

fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value)
        .map_err(|error| Failure::new(Exit::Refused, format!("no JSON: {error}")))?;
    crate::render::line(&json)
}

fn finish(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Refused, format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn show(out: &mut dyn io::Write, number: usize, step: &Step) -> io::Result<()> {
    let title = step.title;
    writeln!(out, "\n  {TITLE}{number:>2}  {title}{TITLE:#}")?;
    for line in &step.lines {
        show_line(out, line)?;
    }
    let took = step.took_ms;
    let margin = " ".repeat(INDENT);
    match &step.otherwise {
        None => writeln!(
            out,
            "{margin}{GOOD}\u{2713} as told{GOOD:#} {DIM}{took} ms{DIM:#}"
        ),
        Some(otherwise) => {
            writeln!(
                out,
                "{margin}{BAD}\u{2717} otherwise{BAD:#} {DIM}{took} ms{DIM:#}"
            )?;
            for line in wrap(&printable(otherwise), WIDTH - INDENT) {
                writeln!(out, "{margin}{line}")?;
            }
            Ok(())
        }
    }
}

fn show_line(out: &mut dyn io::Write, line: &Line) -> io::Result<()> {
    let text = printable(&line.text);
    let margin = " ".repeat(INDENT);
    match line.kind {
        Kind::Command => writeln!(out, "{margin}{DIM}${DIM:#} {COMMAND}{text}{COMMAND:#}"),
        Kind::Output => {
            for line in text.lines() {
                let line = cropped(line, WIDTH - INDENT - 2);
                writeln!(out, "{margin}  {DIM}{line}{DIM:#}")?;
            }
            Ok(())
        }
        Kind::Screen => labelled(out, "screen", Style::new().italic(), &text),
        Kind::Sent => labelled(out, "sent", Style::new(), &text),
        Kind::Allowed => labelled(out, "decided", GOOD, &text),
        Kind::Refused => labelled(out, "decided", REFUSED, &text),
        Kind::Why => labelled(out, "why", Style::new(), &text),
    }
}

fn labelled(out: &mut dyn io::Write, label: &str, style: Style, text: &str) -> io::Result<()> {
    let margin = " ".repeat(INDENT);
    let mut label = label;
    for line in wrap(text, WIDTH - INDENT - LABEL) {
        writeln!(
            out,
            "{margin}{DIM}{label:<LABEL$}{DIM:#}{style}{line}{style:#}"
        )?;
        label = "";
    }
    Ok(())
}

/// A line of a table that would not fit is cut: scripts get all of it.
fn cropped(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

/// Breaks text at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let taken = line.chars().count();
            if taken > 0 && taken + 1 + word.chars().count() > width {
                lines.push(core::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_at_spaces_and_never_inside_a_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("averylongword x", 5), ["averylongword", "x"]);
        assert_eq!(wrap("a\nb", 5), ["a", "b"]);
        assert_eq!(cropped("one two", 7), "one two");
        assert_eq!(cropped("one two", 5), "one\u{2026}");
    }
}
