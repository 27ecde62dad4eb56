//! A file with one line for each thing that a tool really did: the proof of "nothing ran twice, nothing ran unasked".

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Writer of the proof; does nothing without a file.
#[derive(Clone, Debug)]
pub struct Invocations {
    file: Option<PathBuf>,
}

impl Invocations {
    /// A writer that appends to `file`.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Appends one durable line: `{"step","tool","arguments"}`. The line is whole or absent: one `write`, then `fsync`.
    pub fn mark(&self, step: &str, tool: &str, arguments: &Value) {
        let Some(file) = &self.file else { return };
        let line = format!("{}\n", json!({"step": step, "tool": tool, "arguments": arguments}));
        let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the invocation file opens");
        file.write_all(line.as_bytes()).expect("the invocation is written");
        file.sync_data().expect("the invocation is durable");
    }
}

/// One line of the file, read back by a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// `start`, `end`, `dropped`, `cancelled`, …
    pub step: String,
    /// The tool's name on its own server.
    pub tool: String,
    /// As received.
    pub arguments: Value,
}

/// Everything marked so far; an absent file is an empty one.
#[must_use]
pub fn read(file: &Path) -> Vec<Invocation> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| invocation(&line)).collect()
}

/// How many times `step` was marked by a call whose argument `note` is `note`.
#[must_use]
pub fn count(file: &Path, step: &str, note: &str) -> usize {
    read(file).iter().filter(|line| line.step == step && line.arguments["note"] == note).count()
}

fn invocation(line: &Value) -> Invocation {
    Invocation {
        step: line["step"].as_str().unwrap_or_default().to_owned(),
        tool: line["tool"].as_str().unwrap_or_default().to_owned(),
        arguments: line["arguments"].clone(),
    }
}
