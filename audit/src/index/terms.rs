//! `Term`: what a record is found by, and the text that people look for.

use std::collections::BTreeSet;
use std::fmt;

use policies::{Hash, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::record::{Kind, Record};

/// What a record is found by. Columns stand as their numbers, so that the index meets every filter at once instead of
/// reading each record that has a frequent word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Term {
    Agent(i64),
    Server(i64),
    Tool(i64),
    Kind(i64),
    Risk(i64),
    Verdict(i64),
    /// A hash: names of operators have signs of their own.
    Operator(String),
    Word(String),
}

/// The index's tokenizer is told that `:` is a letter. No word has one, so no text can name a column.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => write!(f, ":a{id}"),
            Self::Server(id) => write!(f, ":s{id}"),
            Self::Tool(id) => write!(f, ":t{id}"),
            Self::Kind(code) => write!(f, ":k{code}"),
            Self::Risk(level) => write!(f, ":r{level}"),
            Self::Verdict(code) => write!(f, ":v{code}"),
            Self::Operator(name) => write!(f, ":o{name}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl Term {
    pub(crate) fn operator(name: &str) -> Self {
        Self::Operator(Hash::of(name.as_bytes()).to_string())
    }
}

/// The longest word, in characters: long runs are encoded data, and their beginning tells them apart.
const LONGEST: usize = 32;

/// The shortest beginning that is looked for: a shorter one would gather most of the index.
const SHORTEST: usize = 3;

/// How many words of a text the index is asked for.
const MOST: usize = 32;

/// How many beginnings of words: each may stand for many.
const MOST_BEGINNINGS: usize = 4;

/// The words of a text: runs of letters and digits, without case, marks and forms. Scripts that leave no spaces have
/// one word a character.
pub(crate) fn words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        let runs = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| !run.is_empty());
        return runs.map(|run| run.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()).collect()).collect();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut finish = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word).chars().take(LONGEST).collect());
        }
    };
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if !c.is_alphanumeric() || is_alone(c) {
            finish(&mut word);
        }
        if c.is_alphanumeric() {
            word.push(c);
        }
        if is_alone(c) {
            finish(&mut word);
        }
    }
    finish(&mut word);
    words
}

/// Kana, and the ideographs that Chinese, Japanese and Korean share.
fn is_alone(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Every word that a record holds: of its values, and of the names and values of its body.
pub(crate) fn of(record: &Record, body: Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut take = |text: &str| found.extend(words(text));
    let named = [&record.agent, &record.session, &record.server, &record.tool, &record.method];
    named.into_iter().flatten().for_each(|name| take(name));
    if let Some(call) = &record.call {
        take(call.as_str());
    }
    texts(&record.detail, false, &mut take);
    if let Some(body) = body {
        texts(body, true, &mut take);
    }
    found
}

fn texts(value: &Value, names: bool, take: &mut impl FnMut(&str)) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => take(number.as_str()),
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| texts(value, names, take)),
        Value::Object(members) => {
            for (name, value) in members.iter() {
                if names {
                    take(name);
                }
                texts(value, names, take);
            }
        }
    }
}

/// The operators that a record names: those of holds' steps and of events stand as `by` and nowhere else.
pub(crate) fn operators(record: &Record) -> Vec<&str> {
    let mut found = Vec::new();
    match record.kind {
        Kind::Step | Kind::Event => by(&record.detail, &mut found),
        Kind::Intent | Kind::Outcome | Kind::Refusal | Kind::Hold | Kind::Relay => {}
    }
    found
}

fn by<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(values) => values.iter().for_each(|value| by(value, found)),
        Value::Object(members) => {
            for (name, value) in members.iter() {
                found.extend(value.as_str().filter(|_| name == "by"));
                by(value, found);
            }
        }
    }
}

/// What someone looks for: every one of these words, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    words: Vec<String>,
    /// Words of which only the beginning was given, as `invo*`.
    beginnings: Vec<String>,
}

impl Sought {
    pub(crate) fn parse(text: &str) -> Self {
        let mut sought = Self { words: Vec::new(), beginnings: Vec::new() };
        for part in text.split_inclusive('*') {
            let mut words = words(part);
            let starred = part.strip_suffix('*').is_some_and(|text| text.ends_with(char::is_alphanumeric));
            if let Some(last) = words.pop_if(|last| starred && last.chars().count() >= SHORTEST) {
                sought.beginnings.push(last);
            }
            sought.words.append(&mut words);
        }
        sought
    }

    /// Text without a letter or a digit is in no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.beginnings.is_empty()
    }

    pub(crate) fn fits(&self, found: &BTreeSet<String>) -> bool {
        let begins = |beginning: &String| {
            found.range::<String, _>(beginning..).next().is_some_and(|word| word.starts_with(beginning.as_str()))
        };
        !self.is_empty() && self.words.iter().all(|word| found.contains(word)) && self.beginnings.iter().all(begins)
    }

    /// Its words, as the index is asked. Of a long text the first are enough: what they find is compared with all of it.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = String> {
        self.words.iter().map(|word| format!("\"{word}\"")).take(MOST)
    }

    /// What some of its words begin with; of many the first are enough, too.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = String> {
        self.beginnings.iter().take(MOST_BEGINNINGS).cloned()
    }
}

/// Any of these terms, as the index is asked.
pub(crate) fn any(terms: impl IntoIterator<Item = Term>) -> String {
    let quoted: Vec<String> = terms.into_iter().map(|term| format!("\"{term}\"")).collect();
    format!("({})", quoted.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_case_no_marks_and_no_signs() {
        assert_eq!(words("Invoice_17.pdf, «Müller» İ"), ["invoice", "17", "pdf", "muller", "i"]);
        assert_eq!(words("/srv/a-b@example.com:80"), ["srv", "a", "b", "example", "com", "80"]);
        assert_eq!(words("ｆｕｌｌ 東京タワ x"), ["full", "東", "京", "タ", "ワ", "x"]);
        assert_eq!(words(&"a".repeat(99)), ["a".repeat(LONGEST)]);
        assert!(words(" %_*\u{0}").is_empty() && words("").is_empty());
    }

    #[test]
    fn a_star_stands_for_the_rest_of_a_word_and_other_signs_for_nothing() {
        let found: BTreeSet<String> = ["invoice", "pdf", "may"].map(str::to_owned).into();
        for (text, fits) in [
            ("pdf INVOICE", true),
            ("invo", false),
            ("invo*", true),
            ("invo* ma", false),
            ("in*", false),
            ("invoice.pdf", true),
            ("invoice* pdf*", true),
            ("zz*", false),
            ("\"may\" OR zebra", false),
        ] {
            assert_eq!(Sought::parse(text).fits(&found), fits, "{text}");
        }
        assert!(Sought::parse("*** %").is_empty() && !Sought::parse("*** %").fits(&found));
    }

    #[test]
    fn no_text_can_name_a_column_or_leave_its_quotes() {
        let sought = Sought::parse(":a1 \" OR \":k2\" NOT x* NEAR(a b)*");
        assert!(sought.beginnings().all(|beginning| !beginning.contains([':', '"'])));
        assert!(sought.expressions().all(|term| !term.contains(':') && term.matches('"').count() == 2));
    }
}
