//! Thirty books that are in the public domain nearly everywhere.

/// A book.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Book {
    number: u16,
    pub(crate) title: &'static str,
    pub(crate) author: &'static str,
    pub(crate) year: i16,
    pub(crate) language: &'static str,
    pub(crate) category: &'static str,
}

const fn book(
    number: u16,
    title: &'static str,
    author: &'static str,
    (year, language, category): (i16, &'static str, &'static str),
) -> Book {
    Book {
        number,
        title,
        author,
        year,
        language,
        category,
    }
}

const FICTION: &str = "Fiction";
const SCIENCE: &str = "Science";

const BOOKS: [Book; 30] = [
    book(
        1,
        "Pride and Prejudice",
        "Jane Austen",
        (1813, "en", FICTION),
    ),
    book(2, "Emma", "Jane Austen", (1815, "en", FICTION)),
    book(3, "Frankenstein", "Mary Shelley", (1818, "en", FICTION)),
    book(4, "Moby-Dick", "Herman Melville", (1851, "en", FICTION)),
    book(5, "Jane Eyre", "Charlotte Brontë", (1847, "en", FICTION)),
    book(
        6,
        "Wuthering Heights",
        "Emily Brontë",
        (1847, "en", FICTION),
    ),
    book(
        7,
        "A Tale of Two Cities",
        "Charles Dickens",
        (1859, "en", FICTION),
    ),
    book(
        8,
        "Great Expectations",
        "Charles Dickens",
        (1861, "en", FICTION),
    ),
    book(9, "Middlemarch", "George Eliot", (1871, "en", FICTION)),
    book(
        10,
        "Treasure Island",
        "Robert Louis Stevenson",
        (1883, "en", FICTION),
    ),
    book(
        11,
        "Kidnapped",
        "Robert Louis Stevenson",
        (1886, "en", FICTION),
    ),
    book(12, "Dracula", "Bram Stoker", (1897, "en", FICTION)),
    book(13, "The Time Machine", "H. G. Wells", (1895, "en", FICTION)),
    book(
        14,
        "The War of the Worlds",
        "H. G. Wells",
        (1898, "en", FICTION),
    ),
    book(
        15,
        "The Adventures of Sherlock Holmes",
        "Arthur Conan Doyle",
        (1892, "en", FICTION),
    ),
    book(
        16,
        "The Hound of the Baskervilles",
        "Arthur Conan Doyle",
        (1902, "en", FICTION),
    ),
    book(
        17,
        "Alice's Adventures in Wonderland",
        "Lewis Carroll",
        (1865, "en", FICTION),
    ),
    book(
        18,
        "Adventures of Huckleberry Finn",
        "Mark Twain",
        (1884, "en", FICTION),
    ),
    book(
        19,
        "Little Women",
        "Louisa May Alcott",
        (1868, "en", FICTION),
    ),
    book(
        20,
        "The Picture of Dorian Gray",
        "Oscar Wilde",
        (1890, "en", FICTION),
    ),
    book(
        21,
        "Heart of Darkness",
        "Joseph Conrad",
        (1899, "en", FICTION),
    ),
    book(
        22,
        "Faust",
        "Johann Wolfgang von Goethe",
        (1808, "de", FICTION),
    ),
    book(23, "Les Misérables", "Victor Hugo", (1862, "fr", FICTION)),
    book(
        24,
        "Le Comte de Monte-Cristo",
        "Alexandre Dumas",
        (1844, "fr", FICTION),
    ),
    book(
        25,
        "Don Quijote de la Mancha",
        "Miguel de Cervantes",
        (1605, "es", FICTION),
    ),
    book(
        26,
        "On the Origin of Species",
        "Charles Darwin",
        (1859, "en", SCIENCE),
    ),
    book(
        27,
        "The Voyage of the Beagle",
        "Charles Darwin",
        (1839, "en", SCIENCE),
    ),
    book(
        28,
        "A Room with a View",
        "E. M. Forster",
        (1908, "en", FICTION),
    ),
    book(
        29,
        "The Chemical History of a Candle",
        "Michael Faraday",
        (1861, "en", SCIENCE),
    ),
    book(30, "Flatland", "Edwin A. Abbott", (1884, "en", SCIENCE)),
];

/// What the demo's reader likes.
const FAVORITES: [u16; 5] = [3, 13, 17, 29, 30];

impl Book {
    /// In the shape of Google's: twelve characters.
    pub(crate) fn id(&self) -> String {
        format!("bfBooks{:05}", self.number)
    }
}

pub(crate) fn find(id: &str) -> Option<&'static Book> {
    BOOKS.iter().find(|book| book.id() == id)
}

pub(crate) fn favorites() -> Vec<&'static Book> {
    BOOKS
        .iter()
        .filter(|book| FAVORITES.contains(&book.number))
        .collect()
}

/// Every word must be in title or author; `intitle:` and `inauthor:` narrow one word.
pub(crate) fn search(query: &str) -> Vec<&'static Book> {
    let words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
    let fits = |book: &&Book| {
        let (title, author) = (book.title.to_lowercase(), book.author.to_lowercase());
        words.iter().all(|word| {
            if let Some(word) = word.strip_prefix("intitle:") {
                title.contains(word)
            } else if let Some(word) = word.strip_prefix("inauthor:") {
                author.contains(word)
            } else {
                title.contains(word.as_str()) || author.contains(word.as_str())
            }
        })
    };
    BOOKS.iter().filter(fits).collect()
}

#[cfg(test)]
pub(crate) fn all() -> &'static [Book] {
    &BOOKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_words_of_title_and_author() {
        for (query, count) in [
            ("Frankenstein", 1),
            ("charles", 4),
            ("charles darwin", 2),
            ("inauthor:darwin", 2),
            ("intitle:darwin", 0),
            ("intitle:beagle inauthor:darwin", 1),
            ("MISÉRABLES", 1),
            ("zzz", 0),
        ] {
            assert_eq!(search(query).len(), count, "{query}");
        }
    }

    #[test]
    fn ids_are_distinct_and_lead_back() {
        for book in all() {
            assert_eq!(find(&book.id()), Some(book));
            assert_eq!(book.id().len(), 12);
        }
        assert_eq!(favorites().len(), FAVORITES.len());
    }
}
