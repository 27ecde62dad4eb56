//! What a record looks like where it goes: one line of text in each format, made of what the log holds, redacted as it is there.

mod cef;
mod ecs;
mod meaning;
mod ocsf;
#[cfg(test)]
mod tests;

use audit::{Leaf, QueryError, Reader};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::text;
use crate::config::Format;

use meaning::Meaning;

/// The gateway that records come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The log's name, as its checkpoints have it.
    pub log: String,
    /// The machine.
    pub host: String,
}

/// How much it matters, from 1 to 5, as OCSF counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Information = 1,
    Low,
    Medium,
    High,
    Critical,
}

/// A record as it goes out.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The record's number.
    pub(super) seq: u64,
    /// What tells it from every other one, and its repetition from it: its leaf.
    pub(super) id: policies::Hash,
    pub(super) at: Timestamp,
    /// The record's kind.
    pub(super) kind: &'static str,
    pub(super) severity: Severity,
    /// One line, without its end.
    pub(super) text: String,
    /// Whether the text is a JSON object.
    pub(super) is_json: bool,
}

impl Source {
    /// This machine, and the log that a reader reads; `None` until something of it is signed: it has said its name to nobody.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn of(reader: &Reader) -> Result<Option<Self>, QueryError> {
        Ok(reader.checkpoint()?.map(|checkpoint| Self { log: checkpoint.origin, host: host() }))
    }

    /// This machine, and no log.
    #[must_use]
    pub fn unsigned() -> Self {
        Self { log: "portcullis".to_owned(), host: host() }
    }
}

/// The record in one line.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn line(format: Format, leaf: &Leaf, source: &Source) -> serde_json::Result<String> {
    let meaning = Meaning::of(&leaf.found);
    if format == Format::Cef {
        return Ok(cef::line(leaf, &meaning, source));
    }
    let original = json(&Named { log: &source.log, leaf })?;
    match format {
        Format::Json | Format::Cef => Ok(original),
        // As one text: arguments and results have any form, and a SIEM that gives each member a type refuses what has another.
        Format::Ocsf => json(&ocsf::event(leaf, &meaning, source, &original)),
        Format::Ecs => json(&ecs::document(leaf, &meaning, source, &original)),
    }
}

/// The record as `log list --json` shows it, with the log that it is of and its leaf.
#[derive(Serialize)]
struct Named<'a> {
    log: &'a str,
    #[serde(flatten)]
    leaf: &'a Leaf,
}

/// What moves, hides or reorders text is spelled out: SIEMs show what agents and servers wrote to people.
fn json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| text::harmless_json(&text))
}

/// How records look where an exporter sends them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) format: Format,
    /// The longest text that is carried there.
    pub(super) longest: Option<usize>,
}

impl Form {
    /// A record as it goes out: where it is too long for what carries it, without what is long in it.
    pub(super) fn line(self, leaf: &Leaf, source: &Source) -> serde_json::Result<Line> {
        let record = &leaf.found.record;
        let whole = line(self.format, leaf, source)?;
        let fits = self.longest.is_none_or(|longest| whole.len() <= longest);
        Ok(Line {
            seq: record.seq,
            id: leaf.hash,
            at: record.at,
            kind: record.kind.as_str(),
            severity: Meaning::of(&leaf.found).severity,
            text: if fits { whole } else { line(self.format, &shortened(leaf), source)? },
            is_json: self.format != Format::Cef,
        })
    }
}

/// Names, numbers, hashes and what happened; of the detail only what is short.
fn shortened(leaf: &Leaf) -> Leaf {
    let mut leaf = leaf.clone();
    leaf.found.body = None;
    if let Some(detail) = leaf.found.record.detail.as_object_mut() {
        let long: Vec<String> =
            detail.iter().filter(|(_, value)| value.to_bytes().len() > SHORT).map(|(key, _)| key.to_owned()).collect();
        for key in long {
            drop(detail.remove(&key));
        }
        drop(detail.insert("shortened", true));
    }
    leaf
}

/// As long may one member of a detail be that stays in a record which is shortened.
const SHORT: usize = 1 << 10;

/// The machine's name, for collectors that keep machines apart.
pub(super) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}
