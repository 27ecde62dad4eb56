//! Changing: `write`, `move`, `delete`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::place::Place;
use crate::{Encoding, ToolError, result};

#[derive(Deserialize)]
pub(crate) struct WriteFile {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    overwrite: bool,
}

pub(crate) fn write(asked: &WriteFile) -> Result<String, ToolError> {
    let place = below(&asked.path)?;
    let bytes = match asked.encoding {
        Encoding::Text => asked.content.clone().into_bytes(),
        Encoding::Base64 => STANDARD
            .decode(&asked.content)
            .map_err(|error| ToolError::InvalidArguments(format!("`content` is not Base64: {error}")))?,
    };
    parents(&place)?;
    let written = if asked.overwrite { replace(&place.path, &bytes) } else { create(&place.path, &bytes) };
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ToolError::Failed(format!(
            "`{}` exists already; `overwrite: true` replaces it, and needs approval",
            place.shown
        )),
        _ => place.failed(&error),
    })?;
    result(
        format!("wrote {} bytes to `{}`", bytes.len(), place.shown),
        json!({ "path": place.shown, "bytes": bytes.len() }),
    )
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).inspect_err(|_| {
        // Half a file must not look like one.
        fs::remove_file(path).ok();
    })
}

/// Whoever reads meanwhile sees the old file or the new one, never half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    create(&beside, bytes)?;
    fs::rename(&beside, path).inspect_err(|_| {
        fs::remove_file(&beside).ok();
    })
}

#[derive(Deserialize)]
pub(crate) struct Move {
    path: String,
    new_path: String,
}

pub(crate) fn rename(asked: &Move) -> Result<String, ToolError> {
    let (source, destination) = (below(&asked.path)?, below(&asked.new_path)?);
    let metadata = fs::symlink_metadata(&source.path).map_err(|error| source.failed(&error))?;
    parents(&destination)?;
    let moved = if metadata.is_file() {
        // Unlike a rename, a link never replaces what is there.
        fs::hard_link(&source.path, &destination.path).and_then(|()| fs::remove_file(&source.path))
    } else if fs::symlink_metadata(&destination.path).is_ok() {
        Err(io::ErrorKind::AlreadyExists.into())
    } else {
        fs::rename(&source.path, &destination.path)
    };
    moved.map_err(|error| destination.failed(&error))?;
    result(
        format!("moved `{}` to `{}`", source.shown, destination.shown),
        json!({ "source": source.shown, "destination": destination.shown }),
    )
}

#[derive(Deserialize)]
pub(crate) struct Delete {
    path: String,
    #[serde(default)]
    recursive: bool,
}

pub(crate) fn delete(asked: &Delete) -> Result<String, ToolError> {
    let place = below(&asked.path)?;
    let metadata = fs::symlink_metadata(&place.path).map_err(|error| place.failed(&error))?;
    let deleted = match (metadata.is_dir(), asked.recursive) {
        (false, _) => fs::remove_file(&place.path),
        (true, false) => fs::remove_dir(&place.path),
        (true, true) => fs::remove_dir_all(&place.path),
    };
    deleted.map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => {
            ToolError::Failed(format!("`{}` is not empty; `recursive: true` deletes what is in it too", place.shown))
        }
        _ => place.failed(&error),
    })?;
    result(format!("deleted `{}`", place.shown), json!({ "path": place.shown }))
}

fn below(given: &str) -> Result<Place, ToolError> {
    let place = Place::of(given)?;
    if place.is_root() {
        Err(ToolError::InvalidArguments("name something in the folder".to_owned()))
    } else {
        Ok(place)
    }
}

fn parents(place: &Place) -> Result<(), ToolError> {
    let Some(parent) = place.path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|error| place.failed(&error))
}
