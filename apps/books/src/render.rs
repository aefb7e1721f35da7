//! What a reader sees: tables or JSON on stdout, talk on stderr.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use bonafide_books::Book;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

use crate::args::Output;

/// Talk.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(anstream::stderr(), "{text}"));
}

/// The app's alert box.
pub(crate) fn alert(text: &str) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    format!("{style}Alert{style:#}  {text}")
}

/// Books, as wished.
pub(crate) fn books(books: &[Book], output: Output) -> Result<()> {
    let mut stdout = anstream::stdout();
    match output {
        Output::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(books)?)?,
        Output::Table if books.is_empty() => say("no books found"),
        Output::Table => {
            let mut table = Table::new();
            table
                .load_style(UTF8_HORIZONTAL_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_header(["TITLE", "AUTHORS", "PUBLISHED"]);
            for book in books {
                let published = book.published.as_deref().unwrap_or("");
                table.add_row([book.title.as_str(), &book.authors.join(", "), published]);
            }
            writeln!(stdout, "{table}")?;
        }
    }
    Ok(())
}
