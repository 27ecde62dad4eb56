//! `Tail`: redacts words that follow each other and cannot wait for one another, such as progress or lines of standard error:
//! each is searched together with the end of those before it.
//!
//! What was shown cannot be taken back: of a secret that is split over two words, the part in the first has passed, if it was
//! under twelve characters. The rest does not.

use std::sync::Arc;

use policies::Value;

use super::{Finding, Redacted, Redactor, WITHHELD};
use crate::raw::Raw;

/// The end of what was said so far.
pub struct Tail {
    redactor: Arc<Redactor>,
    before: String,
}

/// How much of it is kept, in bytes: the longest encoded secret that is known again across two words.
const KEPT: usize = 4 << 10;

impl Tail {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, before: String::new() }
    }

    /// A word as it may be shown.
    #[must_use]
    pub fn word(&mut self, word: &str) -> String {
        let (from, whole) = self.add(word);
        match self.redactor.find(&whole) {
            Ok(found) => self.redactor.replaced(word, within(&found, from).as_slice()),
            Err(_) => WITHHELD.to_owned(),
        }
    }

    /// A notification as it may be shown; withheld where a secret reaches into it from the one before.
    #[must_use]
    pub fn notice(&mut self, params: Raw) -> Redacted {
        let (params, mut said) = (params.into_value(), String::new());
        for name in ["message", "data"] {
            params.get(name).into_iter().for_each(|value| texts(value, &mut said));
        }
        let (from, whole) = self.add(&said);
        let redacted = self.redactor.redact(Raw::new(params));
        let crosses = |found: &[Finding]| found.iter().any(|finding| finding.start < from && from < finding.end);
        if from == 0 || self.redactor.find(&whole).is_ok_and(|found| !crosses(&found)) {
            redacted
        } else {
            redacted.hidden()
        }
    }

    /// Everything that is searched, and where the new word begins in it.
    fn add(&mut self, word: &str) -> (usize, String) {
        let (from, whole) = (self.before.len(), std::mem::take(&mut self.before) + word);
        let at = (0..=whole.len().saturating_sub(KEPT)).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        whole.get(at..).unwrap_or_default().clone_into(&mut self.before);
        (from, whole)
    }
}

/// The findings that reach beyond `from`, as they stand in what comes after it.
fn within(found: &[Finding], from: usize) -> Vec<Finding> {
    let reach = found.iter().filter(|finding| finding.end > from);
    let moved = |finding: &Finding| Finding {
        start: finding.start.saturating_sub(from),
        end: finding.end - from,
        ..finding.clone()
    };
    reach.map(moved).collect()
}

fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => into.push_str(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(members) => members.iter().for_each(|(_, member)| texts(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use policies::Limits;

    use super::*;

    const SECRET: &str = "k7Qp-Zr2x_Vn9wLtB4mJc6Hd";

    fn tail() -> (Tail, super::super::Learned) {
        let redactor = Arc::new(Redactor::new(&[7; 32]));
        let learned = redactor.learn(SECRET.as_bytes());
        (redactor.tail(), learned)
    }

    #[test]
    fn a_secret_that_is_split_over_lines_shows_its_first_part_at_most() {
        let (mut tail, _learned) = tail();
        let (first, rest) = SECRET.split_at(8);
        let (second, third) = rest.split_at(8);
        assert_eq!(tail.word(first), first);
        for part in [second, third] {
            let shown = tail.word(part);
            assert!(!shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn progress_that_goes_on_with_a_secret_is_withheld() {
        let (mut tail, _learned) = tail();
        let say = |tail: &mut Tail, text: &str| {
            let params = format!(r#"{{"progressToken":"t","progress":1,"message":"{text}"}}"#);
            tail.notice(Raw::new(Value::parse(params.as_bytes(), &Limits::ANSWER).unwrap()))
        };
        let (begin, end) = SECRET.split_at(9);
        assert!(!say(&mut tail, begin).withheld());
        let second = say(&mut tail, end);
        assert!(second.withheld() || second.redactions() > 0);
        assert!(!second.value().to_string().contains(end), "{second:?}");
        assert_eq!(second.value().get("progressToken").and_then(Value::as_str), Some("t"));
        assert!(!say(&mut tail, "half done").withheld());
    }

    #[test]
    fn ordinary_words_pass_as_they_are() {
        let (mut tail, _learned) = tail();
        for word in ["listening on port 8080", "", "é".repeat(5_000).as_str(), "done"] {
            assert_eq!(tail.word(word), word);
        }
    }
}
