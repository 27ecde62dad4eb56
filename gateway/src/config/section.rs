//! `Section`: one table of the file, read key by key; what is wrong is collected, what is left over is unknown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// The file that is read, and what is wrong with it so far.
pub(super) struct Sheet<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    pub(super) fn problem(
        &self,
        at: usize,
        key: impl Into<String>,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        self.problems.borrow_mut().push(Problem {
            file: Some(self.file.to_owned()),
            line: Some(line),
            key: key.into(),
            found: found.into(),
            wanted: wanted.into(),
        });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// A path as it is meant: relative to the file that names it.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(text)
    }
}

/// One table of the file.
pub(super) struct Section<'a> {
    sheet: &'a Sheet<'a>,
    name: String,
    table: Option<&'a DeTable<'a>>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(sheet: &'a Sheet<'a>, name: impl Into<String>, table: Option<&'a DeTable<'a>>) -> Self {
        Self { sheet, name: name.into(), table, read: RefCell::default() }
    }

    /// A table below this one; an empty one where there is none.
    pub(super) fn below(&self, key: &str) -> Self {
        let table = self.take(key).and_then(|(value, at)| {
            if value.as_table().is_none() {
                self.sheet.problem(at, self.key(key), kind(value), "a table");
            }
            value.as_table()
        });
        Self::new(self.sheet, self.key(key), table)
    }

    /// Whether it stands in the file.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Whether it has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.keys().any(|name| name.get_ref() == key))
    }

    /// The keys that have not been read yet.
    pub(super) fn rest(&self) -> Vec<&'a str> {
        let read = self.read.borrow();
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        keys.map(|key| key.get_ref().as_ref()).filter(|key| !read.contains(*key)).collect()
    }

    pub(super) fn string(&self, key: &str) -> Option<(String, usize)> {
        let (value, at) = self.take(key)?;
        let text = value.as_str().map(|text| (text.to_owned(), at));
        self.or_problem(text, key, value, at, "a string")
    }

    pub(super) fn strings(&self, key: &str) -> Option<Vec<String>> {
        let (value, at) = self.take(key)?;
        let items = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect());
        self.or_problem(items, key, value, at, "an array of strings")
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let (value, at) = self.take(key)?;
        self.or_problem(value.as_bool(), key, value, at, "true or false")
    }

    pub(super) fn count<T: TryFrom<i64>>(&self, key: &str, least: i64, most: i64) -> Option<T> {
        let (value, at) = self.take(key)?;
        let number =
            integer(value).filter(|number| (least..=most).contains(number)).and_then(|number| T::try_from(number).ok());
        self.or_problem(number, key, value, at, &format!("a whole number from {least} to {most}"))
    }

    pub(super) fn duration(&self, key: &str) -> Option<SignedDuration> {
        let (value, at) = self.take(key)?;
        let duration = value.as_str().and_then(|text| text.parse().ok()).filter(SignedDuration::is_positive);
        self.or_problem(duration, key, value, at, "a time like \"90s\", \"10m\" or \"1h\"")
    }

    /// Any value, for a reader that knows what it wants.
    pub(super) fn json(&self, key: &str) -> Option<(Value, usize)> {
        self.take(key).map(|(value, at)| (json(value), at))
    }

    /// Where the section stands.
    pub(super) fn at(&self, key: &str) -> usize {
        self.table
            .and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key))
            .map_or(0, |(name, _)| name.span().start)
    }

    /// The whole name of one of its keys.
    pub(super) fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Reports every key that nobody read.
    pub(super) fn finish(self, known: &[&str]) {
        for key in self.rest() {
            self.sheet.problem(self.at(key), self.key(key), "an unknown key", format!("one of {}", known.join(", ")));
        }
    }

    fn take(&self, key: &str) -> Option<(&'a DeValue<'a>, usize)> {
        self.read.borrow_mut().insert(key.to_owned());
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((value.get_ref(), value.span().start))
    }

    fn or_problem<T>(&self, found: Option<T>, key: &str, value: &DeValue<'_>, at: usize, wanted: &str) -> Option<T> {
        if found.is_none() {
            self.sheet.problem(at, self.key(key), kind(value), wanted);
        }
        found
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(_) => integer(value).into(),
        DeValue::Float(float) => float.as_str().parse::<f64>().ok().into(),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect())
        }
    }
}

/// What a value is, shortly; a long one is not repeated, nor one that may be a secret: those are strings of tables.
fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.len() <= 60 && !text.chars().any(char::is_control) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::String(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            format!("a value of type {}", value.type_str())
        }
    }
}
