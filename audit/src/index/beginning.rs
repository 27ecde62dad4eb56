//! A beginning, `invo*`, as the index is asked for it.

use rusqlite::OptionalExtension as _;

use super::Index;

/// A table of the index's words, made where it is asked: it reads what is there and takes no place.
const WORDS: &str = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word USING fts5vocab(main, term, instance)";

/// The next word from a text on. However many records have it, only the first of them is read.
const NEXT: &str = "SELECT term FROM temp.word WHERE term >= ?1 ORDER BY term LIMIT 1";

/// How many words a beginning may stand for. `SQLite` gathers all records of a beginning before it shows the first, for four
/// seconds where ten million have a thousand words that begin so; of words it goes from one record to the next. To find a
/// word takes it 0.1 ms. Where there are more they are ids, each in few records, which are gathered soon.
const MOST: usize = 2_048;

/// Stands after every character of a word, and before whatever may follow there.
const AFTER: char = '\u{1}';

impl Index {
    /// Any word that begins so; `None` if none does.
    pub(super) fn beginning(&self, text: &str) -> rusqlite::Result<Option<String>> {
        let Self(db) = self;
        db.execute_batch(WORDS)?;
        let mut next = db.prepare_cached(NEXT)?;
        let (mut from, mut words) = (text.to_owned(), Vec::new());
        while words.len() <= MOST {
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
