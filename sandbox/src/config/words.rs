//! A command line to words, as a shell splits it, with nothing expanded.

use super::Problem;

/// Splits at white space outside quotes. `'…'` keeps everything; in `"…"` a backslash keeps `"` and `\`; outside, any.
pub(super) fn split(text: &str) -> Result<Vec<String>, Problem> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut chars, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut chars, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().ok_or_else(unfinished)?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(chars: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), Problem> {
    loop {
        match chars.next().ok_or_else(unfinished)? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => {
                let kept = chars.next().ok_or_else(unfinished)?;
                if !matches!(kept, '"' | '\\') {
                    word.push('\\');
                }
                word.push(kept);
            }
            c => word.push(c),
        }
    }
}

fn unfinished() -> Problem {
    Problem::new("command", "a quote or backslash that nothing ends", "a command line")
}
