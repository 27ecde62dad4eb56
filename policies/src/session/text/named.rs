//! Names: what a text sets apart by quotes, marks, capitals, or a line of its own.

use super::normalise;

/// A name is not longer.
const LONGEST: usize = 200;

/// Every name in a text as it was written; visited normalised.
pub(super) fn each(text: &str, visit: &mut impl FnMut(&str)) {
    let mut name = |piece: &str| {
        let piece = piece.trim();
        if (4..=LONGEST).contains(&piece.len()) {
            visit(&normalise(piece));
        }
    };
    lines(text, &mut name);
    quoted(text, &mut name);
    mentioned(text, &mut name);
    capitalised(text, &mut name);
}

/// `Account holder: Mallory Ltd`, list items, table cells.
fn lines(text: &str, name: &mut impl FnMut(&str)) {
    for line in text.lines() {
        for cell in line.split(['|', '\t']) {
            let item = cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '*' | '#' | '>' | '•'));
            if item.len() <= LONGEST && item.len() < text.len() {
                name(item);
            }
            if let Some((_, value)) = item.split_once(':').filter(|(key, _)| key.len() <= 40) {
                name(value);
            }
        }
    }
}

fn quoted(text: &str, name: &mut impl FnMut(&str)) {
    // Opening and closing are not told apart: what stands between two words begins or ends with a space.
    for piece in text.split(['"', '\'', '`', '“', '”', '„', '‘', '’', '«', '»']).skip(1) {
        if !piece.starts_with(char::is_whitespace) && !piece.ends_with(char::is_whitespace) {
            name(piece);
        }
    }
}

/// `@mallory`, `#exfil-drop`.
fn mentioned(text: &str, name: &mut impl FnMut(&str)) {
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation() && !matches!(c, '@' | '#'));
        if let Some(mention) = word.strip_prefix(['@', '#']) {
            name(mention);
            name(word);
        }
    }
}

/// `Mallory Malone`: two to four words in a row that begin with a capital.
fn capitalised(text: &str, name: &mut impl FnMut(&str)) {
    let mut run: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.chars().next().is_some_and(char::is_uppercase) && bare.chars().count() > 1;
        if capital {
            run.push(bare);
        }
        if !capital || word.len() != bare.len() || run.len() == 4 {
            end(&mut run, name);
        }
    }
    end(&mut run, name);
}

fn end(run: &mut Vec<&str>, name: &mut impl FnMut(&str)) {
    if run.len() >= 2 {
        name(&run.join(" "));
    }
    if run.len() > 2 {
        // `Mallory Malone Ltd`, `Contact Mallory Malone`: the name may be less than the run.
        let ends = [run.first_chunk::<2>(), run.last_chunk::<2>()];
        ends.into_iter().flatten().for_each(|pair| name(&pair.join(" ")));
    }
    run.clear();
}
