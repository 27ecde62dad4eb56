//! A beginning, `invo*`, as the index is asked for it.

use rusqlite::OptionalExtension as _;

use super::Index;

/// A table of the index's words, made where it is asked: it reads what is there and takes no place.
const WORDS: &str = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word USING fts5vocab(main, term, instance)";

/// The next word from a text on. However many records have it, only the first of them is read.
const NEXT: &str = "SELECT term FROM temp.word WHERE term >= ?1 ORDER BY term LIMIT 1";

/// How many words a beginning may stand for, where nothing else is asked. `SQLite` gathers all records of a beginning before it
/// shows the first, half a second for ten million; of so many words it shows the newest of each at once.
const ALONE: usize = 256;

/// The same beside other terms: for each record that those find, each word is looked up.
const BESIDE: usize = 64;

/// Stands after every character of a word, and before whatever may follow there.
const AFTER: char = '\u{1}';

impl Index {
    /// Any word that begins so; `None` if none does.
    pub(super) fn beginning(&self, text: &str, alone: bool) -> rusqlite::Result<Option<String>> {
        let Self(db) = self;
        db.execute_batch(WORDS)?;
        let mut next = db.prepare_cached(NEXT)?;
        let (mut from, mut words) = (text.to_owned(), Vec::new());
        while words.len() <= if alone { ALONE } else { BESIDE } {
            let word: Option<String> = next.query_row([&from], |row| row.get(0)).optional()?;
            let Some(word) = word.filter(|word| word.starts_with(text)) else {
                return Ok((!words.is_empty()).then(|| format!("({})", words.join(" OR "))));
            };
            words.push(format!("\"{word}\""));
            from = word;
            from.push(AFTER);
        }
        Ok(Some(format!("\"{text}\"*")))
    }
}
