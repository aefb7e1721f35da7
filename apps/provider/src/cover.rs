//! Book covers, drawn from the catalogue's own words.

use crate::catalogue::Book;
use crate::http::escape;

const WIDTH: usize = 16;

/// An SVG of 128 by 192.
pub(crate) fn draw(book: &Book) -> String {
    let hue = u32::from(book.year.unsigned_abs()).wrapping_mul(47) % 360;
    let lines: Vec<_> = wrap(book.title)
        .iter()
        .zip((48..).step_by(16))
        .map(|(line, y)| format!("<text x=\"64\" y=\"{y}\">{}</text>", escape(line)))
        .collect();
    let lines = lines.concat();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"128\" height=\"192\" \
         viewBox=\"0 0 128 192\"><rect width=\"128\" height=\"192\" fill=\"hsl({hue} 40% 30%)\"/>\
         <rect x=\"8\" y=\"8\" width=\"112\" height=\"176\" fill=\"none\" stroke=\"hsl({hue} 50% 75%)\"/>\
         <g fill=\"#fff\" font-family=\"Georgia,serif\" font-size=\"13\" text-anchor=\"middle\">{lines}\
         <text x=\"64\" y=\"168\" font-size=\"10\">{author}</text></g></svg>",
        author = escape(book.author),
    )
}

fn wrap(title: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len().saturating_add(word.len()) < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_book_has_a_cover_with_its_title_on_it() {
        for book in catalogue::all() {
            let svg = draw(book);
            let word = book.title.split(' ').next().unwrap();
            assert!(svg.contains(&escape(word)), "{svg}");
        }
    }
}
