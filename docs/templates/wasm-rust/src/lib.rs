//! A tool for Portcullis: it greets whoever is named.

use serde_json::{Value, json};

wit_bindgen::generate!({ path: "wit", world: "tool" });

struct Greeter;

export!(Greeter);

impl Guest for Greeter {
    fn describe() -> String {
        let schema = json!({
            "type": "object",
            "properties": { "name": { "type": "string", "description": "Whom to greet." } },
            "required": ["name"],
            "additionalProperties": false
        });
        let greet = json!({
            "name": "greet",
            "description": "Gets a greeting.",
            "inputSchema": schema,
            "annotations": { "readOnlyHint": true, "openWorldHint": false }
        });
        json!({ "tools": [greet] }).to_string()
    }

    fn call(name: String, arguments: String) -> Result<String, ToolError> {
        if name != "greet" {
            return Err(ToolError::Failed(format!("there is no tool `{name}`")));
        }
        let arguments: Value =
            serde_json::from_str(&arguments).map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
        let whom = arguments["name"].as_str().unwrap_or("you");
        let text = format!("Hello, {whom}!");
        Ok(json!({ "content": [{ "type": "text", "text": text }] }).to_string())
    }
}
