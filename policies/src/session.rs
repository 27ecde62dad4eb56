//! `Session`: what an agent has read, and where each value came from. Pure, and bounded in memory and work.
//!
//! A session remembers fragments of what it saw, as 64-bit hashes with the number of the result they came from: whole
//! values, addresses, paths, ids, numbers, quoted and proper names, and runs of words. An argument is looked up the same
//! way, also decoded, joined with its neighbours and cut in two. Who said a value first owns it: what the agent itself
//! sent is indexed before the answer that echoes it.
//!
//! What does not fit is forgotten, oldest first, and then the session says so: values that could stand for something
//! count as coming from what was forgotten.

mod decode;
mod index;
mod look;
mod provenance;
mod text;
mod trivial;

use std::sync::Arc;

use crate::call::Call;
use crate::canon::{Limits, Value};
use crate::profile::Content;

use index::{Index, Source};
pub use provenance::{How, Origin, Provenance, Seen};

/// What an agent has been exposed to in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SessionFacts {
    /// It has read what outsiders can write: web pages, mail, issues.
    pub untrusted: bool,
    /// It has read what must not get out.
    pub sensitive: bool,
}

/// What an agent has read and sent in one session.
#[derive(Clone, Debug, Default)]
pub struct Session {
    facts: SessionFacts,
    forgotten: SessionFacts,
    results: u32,
    index: Index,
}

/// The most text of one result, or of one call's arguments, that is looked at, in bytes. At about 20 MB/s this bounds the
/// work for a result to 50 ms.
const RESULT_BYTES: usize = 1 << 20;
const ARGUMENT_BYTES: usize = 256 << 10;

/// JSON inside a text block inside JSON: tools nest this deep, no deeper.
const NESTED: u8 = 3;

impl Session {
    /// A session that has read nothing.
    #[must_use]
    pub fn fresh() -> Self {
        Self::default()
    }

    /// A session whose past is unknown, as after a restart: it counts as having read everything.
    #[must_use]
    pub fn lost() -> Self {
        let all = SessionFacts { untrusted: true, sensitive: true };
        Self { facts: all, forgotten: all, ..Self::default() }
    }

    /// What the agent has been exposed to.
    #[must_use]
    pub fn facts(&self) -> SessionFacts {
        self.facts
    }

    /// How many results it has read.
    #[must_use]
    pub fn results(&self) -> u32 {
        self.results
    }

    /// Takes in what a call answered. `reads` says what kind of content its tool yields.
    pub fn observe(&mut self, call: &Call, reads: Content, result: &Value) {
        let (untrusted, sensitive) = (reads.untrusted(), reads.sensitive());
        self.results = self.results.saturating_add(1);
        self.facts.untrusted |= untrusted;
        self.facts.sensitive |= sensitive;
        self.take_in(call.arguments(), Source::own(), ARGUMENT_BYTES);
        let tool: Arc<str> = format!("{}.{}", call.tool().server(), call.tool().name()).into();
        let source = self.index.source(self.results, &tool, untrusted, sensitive);
        self.take_in(result, source, RESULT_BYTES);
    }

    /// Where each value of these arguments was seen first.
    #[must_use]
    pub fn provenance(&self, arguments: &Value) -> Provenance {
        look::provenance(self, arguments)
    }

    fn take_in(&mut self, value: &Value, source: Source, bytes: usize) {
        let mut intake = Intake { index: &mut self.index, source, left: bytes, complete: true };
        intake.value(value, NESTED);
        let complete = intake.complete;
        let evicted = self.index.end_of_source();
        let lost = if complete { evicted } else { evicted.and(source) };
        self.forgotten.untrusted |= lost.untrusted;
        self.forgotten.sensitive |= lost.sensitive;
    }
}

/// Feeds one value into the index.
struct Intake<'a> {
    index: &'a mut Index,
    source: Source,
    left: usize,
    complete: bool,
}

impl Intake<'_> {
    fn value(&mut self, value: &Value, nested: u8) {
        match value {
            Value::String(text) => self.text(text, nested),
            Value::Number(number) => self.text(number.as_str(), 0),
            Value::Array(items) => items.iter().for_each(|item| self.value(item, nested)),
            Value::Object(object) => {
                for (key, value) in object.iter() {
                    // An outsider may name members as well as fill them.
                    self.text(key, 0);
                    self.value(value, nested);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, text: &str, nested: u8) {
        let (text, cut) = text::prefix(text, self.left);
        self.left -= text.len();
        self.complete &= !cut;
        if let Some(inner) = nested_json(text, nested) {
            return self.value(&inner, nested - 1);
        }
        self.complete &= self.index.learn(text, self.source, false);
        let mut complete = true;
        complete &= decode::each(text, &mut |plain| complete &= self.index.learn(plain, self.source, true));
        self.complete &= complete;
    }
}

/// A text block that is JSON is what it says, not prose.
fn nested_json(text: &str, nested: u8) -> Option<Value> {
    if nested == 0 || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    Value::parse(text.trim().as_bytes(), &Limits { depth: 64, ..Limits::ANSWER }).ok()
}

#[cfg(test)]
mod tests;
