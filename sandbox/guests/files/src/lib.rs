//! `files.…`: a folder of the operator's, and nothing above it.

mod change;
mod look;
mod place;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

wit_bindgen::generate!({ path: "../../wit", world: "tool" });

struct Files;

export!(Files);

impl Guest for Files {
    fn describe() -> String {
        include_str!("definitions.json").to_owned()
    }

    fn call(name: String, arguments: String) -> Result<String, ToolError> {
        match name.as_str() {
            "list" => look::list(&read(&arguments)?),
            "read" => look::read(&read(&arguments)?),
            "search" => look::search(&read(&arguments)?),
            "write" => change::write(&read(&arguments)?),
            "move" => change::rename(&read(&arguments)?),
            "delete" => change::delete(&read(&arguments)?),
            other => Err(ToolError::Failed(format!("there is no tool `{other}`"))),
        }
    }
}

fn read<T: DeserializeOwned>(arguments: &str) -> Result<T, ToolError> {
    serde_json::from_str(arguments).map_err(|error| ToolError::InvalidArguments(error.to_string()))
}

/// How the bytes of a file are written in JSON.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

/// A result for people, and the same for programs.
fn result(text: impl Into<String>, structured: Value) -> Result<String, ToolError> {
    let text: String = text.into();
    Ok(json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured }).to_string())
}
