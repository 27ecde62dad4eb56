//! `time.now`: what time it is.

mod civil;

use serde::Deserialize;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

wit_bindgen::generate!({ path: "../../wit", world: "tool" });

struct Time;

export!(Time);

#[derive(Deserialize)]
struct Now {
    #[serde(default)]
    offset: String,
}

impl Guest for Time {
    fn describe() -> String {
        DEFINITIONS.to_owned()
    }

    fn call(name: String, arguments: String) -> Result<String, ToolError> {
        match name.as_str() {
            "now" => now(&arguments),
            other => Err(ToolError::Failed(format!("there is no tool `{other}`"))),
        }
    }
}

fn now(arguments: &str) -> Result<String, ToolError> {
    let Now { offset } =
        serde_json::from_str(arguments).map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
    let minutes = civil::offset(&offset).ok_or_else(|| {
        ToolError::InvalidArguments(format!("`{offset}` is not an offset: write `Z`, `+02:00` or `-05:30`"))
    })?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| ToolError::Failed(error.to_string()))?;
    let written = civil::written(since.as_secs(), since.subsec_millis(), minutes);
    let structured = json!({ "time": written, "unix": since.as_secs() });
    Ok(json!({ "content": [{ "type": "text", "text": written }], "structuredContent": structured }).to_string())
}

const DEFINITIONS: &str = include_str!("definitions.json");
