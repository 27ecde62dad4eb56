//! Looking: `list`, `read`, `search`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::Place;
use crate::{Encoding, ToolError, result};

#[derive(Deserialize)]
pub(crate) struct List {
    #[serde(default)]
    path: String,
}

/// More names than this help no model.
const MAX_ENTRIES: usize = 1_000;

pub(crate) fn list(asked: &List) -> Result<String, ToolError> {
    let place = Place::of(&asked.path)?;
    let mut entries = Vec::new();
    let mut more = 0_usize;
    for entry in fs::read_dir(&place.path).map_err(|error| place.failed(&error))? {
        let entry = entry.map_err(|error| place.failed(&error))?;
        if entries.len() == MAX_ENTRIES {
            more += 1;
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = fs::symlink_metadata(entry.path()).map_err(|error| place.failed(&error))?;
        let kind = if metadata.is_dir() {
            "folder"
        } else if metadata.is_symlink() {
            "link"
        } else {
            "file"
        };
        entries.push((name, kind, metadata.len()));
    }
    entries.sort();
    let line = |(name, kind, size): &(String, &str, u64)| match *kind {
        "file" => format!("{name} ({size} bytes)"),
        _ => format!("{name} ({kind})"),
    };
    let mut text = entries.iter().map(line).collect::<Vec<_>>().join("\n");
    if entries.is_empty() {
        text = format!("`{}` is empty", place.shown);
    } else if more > 0 {
        text.push_str(&format!("\n({more} more)"));
    }
    let member = |(name, kind, size): (String, &str, u64)| json!({ "name": name, "type": kind, "size": size });
    let entries: Vec<Value> = entries.into_iter().map(member).collect();
    result(text, json!({ "path": place.shown, "entries": entries, "more": more }))
}

#[derive(Deserialize)]
pub(crate) struct ReadFile {
    path: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    offset: u64,
    length: Option<u64>,
}

/// What one call reads at most: more fills a model's context.
const MAX_READ: u64 = 1 << 20;

pub(crate) fn read(asked: &ReadFile) -> Result<String, ToolError> {
    let place = Place::of(&asked.path)?;
    let length = asked.length.unwrap_or(MAX_READ).min(MAX_READ);
    let (bytes, size) = part(&place.path, asked.offset, length).map_err(|error| place.failed(&error))?;
    let end = asked.offset + bytes.len() as u64;
    let (content, encoding) = match asked.encoding {
        Encoding::Base64 => (STANDARD.encode(&bytes), "base64"),
        Encoding::Text => (text(bytes, end < size, &place)?, "text"),
    };
    let structured = json!({ "path": place.shown, "encoding": encoding, "offset": asked.offset, "size": size, "complete": end >= size, "content": content });
    result(content, structured)
}

fn part(path: &Path, offset: u64, length: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok((bytes, metadata.len()))
}

/// The bytes as text; where a part ends inside a character, that character is left to the next part.
fn text(mut bytes: Vec<u8>, cut: bool, place: &Place) -> Result<String, ToolError> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        if cut && error.error_len().is_none() {
            bytes.truncate(error.valid_up_to());
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        ToolError::Failed(format!("`{}` is not text in UTF-8; read it with `encoding: \"base64\"`", place.shown))
    })
}

#[derive(Deserialize)]
pub(crate) struct Search {
    text: String,
    #[serde(default)]
    path: String,
}

/// What one search finds, and how far it goes.
const MAX_FOUND: usize = 200;
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 32;
const MAX_LINE: usize = 400;

#[derive(Default)]
struct Found {
    lines: Vec<Value>,
    shown: Vec<String>,
    files: usize,
    complete: bool,
}

pub(crate) fn search(asked: &Search) -> Result<String, ToolError> {
    if asked.text.is_empty() {
        return Err(ToolError::InvalidArguments("`text` is empty".to_owned()));
    }
    let place = Place::of(&asked.path)?;
    let mut found = Found { complete: true, ..Found::default() };
    fs::symlink_metadata(&place.path).map_err(|error| place.failed(&error))?;
    found.below(&place, &asked.text.to_lowercase(), MAX_DEPTH);
    let text =
        if found.shown.is_empty() { format!("nothing found in {} files", found.files) } else { found.shown.join("\n") };
    result(text, json!({ "found": found.lines, "files": found.files, "complete": found.complete }))
}

impl Found {
    fn below(&mut self, place: &Place, wanted: &str, depth: usize) {
        let Ok(metadata) = fs::symlink_metadata(&place.path) else { return };
        if metadata.is_file() {
            return self.inside(place, wanted);
        }
        // A link may lead in a circle; what it leads to is found where it lies.
        let entries = if metadata.is_dir() { fs::read_dir(&place.path) } else { return };
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        for name in names {
            if self.lines.len() >= MAX_FOUND || self.files >= MAX_FILES || depth == 0 {
                self.complete = false;
                return;
            }
            let shown = if place.is_root() { name.clone() } else { format!("{}/{name}", place.shown) };
            if name.to_lowercase().contains(wanted) {
                self.shown.push(shown.clone());
                self.lines.push(json!({ "path": shown }));
            }
            self.below(&Place { shown, path: place.path.join(&name) }, wanted, depth - 1);
        }
    }

    fn inside(&mut self, place: &Place, wanted: &str) {
        self.files += 1;
        let Ok((bytes, size)) = part(&place.path, 0, MAX_READ) else { return };
        self.complete &= size <= MAX_READ;
        let Ok(text) = String::from_utf8(bytes) else { return };
        for (number, line) in (1..).zip(text.lines()) {
            if self.lines.len() >= MAX_FOUND {
                self.complete = false;
                return;
            }
            if line.to_lowercase().contains(wanted) {
                let line: String = line.chars().take(MAX_LINE).collect();
                self.shown.push(format!("{}:{number}: {line}", place.shown));
                self.lines.push(json!({ "path": place.shown, "line": number, "text": line }));
            }
        }
    }
}
