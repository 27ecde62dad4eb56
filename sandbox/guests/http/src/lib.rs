//! `http.fetch`: one request to a host that the operator granted.

mod exchange;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

wit_bindgen::generate!({ path: "../../wit", world: "tool" });

struct Http;

export!(Http);

/// A request, as an agent writes it.
#[derive(Deserialize)]
pub(crate) struct Fetch {
    pub(crate) url: String,
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: String,
}

/// What came back.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body is longer than what is here.
    pub(crate) cut: bool,
}

impl Guest for Http {
    fn describe() -> String {
        include_str!("definitions.json").to_owned()
    }

    fn call(name: String, arguments: String) -> Result<String, ToolError> {
        match name.as_str() {
            "fetch" => fetch(&arguments),
            other => Err(ToolError::Failed(format!("there is no tool `{other}`"))),
        }
    }
}

fn fetch(arguments: &str) -> Result<String, ToolError> {
    let asked: Fetch =
        serde_json::from_str(arguments).map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
    let Fetched { status, headers, body, cut } = exchange::run(&asked)?;
    let headers: BTreeMap<_, _> = headers.into_iter().collect();
    let (body, encoding) = match String::from_utf8(body) {
        Ok(text) => (text, "text"),
        Err(error) => (STANDARD.encode(error.as_bytes()), "base64"),
    };
    let structured =
        json!({ "status": status, "headers": headers, "encoding": encoding, "complete": !cut, "body": body });
    let text = format!("HTTP {status}\n\n{body}");
    Ok(json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured }).to_string())
}
