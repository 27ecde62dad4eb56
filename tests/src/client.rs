//! Real MCP clients, driven from outside: what an agent's user would run.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{components, program};

/// One of the clients that the gateway promises to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `mcp` from the Python index.
    Python,
    /// `@modelcontextprotocol/sdk`.
    TypeScriptSdk,
    /// `@modelcontextprotocol/client`.
    TypeScriptClient,
    /// `@modelcontextprotocol/inspector`, on its command line.
    Inspector,
}

/// How a client reaches its server.
#[derive(Clone, Debug)]
pub enum Reach {
    /// By Streamable HTTP, with this bearer token.
    Http(String, String),
    /// By starting this command with these variables.
    Stdio(Vec<String>, Vec<(String, String)>),
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Python, Self::TypeScriptSdk, Self::TypeScriptClient, Self::Inspector];

    /// The eras that it can be told to speak.
    #[must_use]
    pub fn eras(self) -> &'static [&'static str] {
        match self {
            Self::Python | Self::TypeScriptClient => &["auto", "legacy", "2026-07-28"],
            Self::TypeScriptSdk => &["legacy"],
            Self::Inspector => &["legacy", "2026-07-28"],
        }
    }

    /// The names of the tools that it sees.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    #[track_caller]
    pub fn list(self, reach: &Reach, era: &str) -> Vec<String> {
        let answer = self.run(reach, era, &json!({"do": "list"}));
        let tools = answer["tools"].as_array().unwrap_or_else(|| panic!("{self:?} {era} could not list: {answer}"));
        let name = |tool: &Value| tool["name"].as_str().or(tool.as_str()).map(ToOwned::to_owned);
        tools.iter().filter_map(name).collect()
    }

    /// What a call of `tool` gave it: `{"content","isError"}`, or `{"error"}` where the client itself failed.
    #[must_use]
    pub fn call(self, reach: &Reach, era: &str, tool: &str, arguments: &Value) -> Value {
        self.run(reach, era, &json!({"do": "call", "tool": tool, "arguments": arguments}))
    }

    fn run(self, reach: &Reach, era: &str, order: &Value) -> Value {
        let mut command = match self {
            Self::Python => {
                scripted(program::command(components::python("python")), "python_client.py", reach, era, order)
            }
            Self::TypeScriptSdk => scripted(node(), "ts_sdk.mjs", reach, era, order),
            Self::TypeScriptClient => scripted(node(), "ts_client.mjs", reach, era, order),
            Self::Inspector => inspector(reach, era, order),
        };
        let output = program::run(&mut command, Duration::from_mins(3));
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|_| json!({"error": format!("{}{}", output.stdout, output.stderr)}))
    }
}

fn node() -> Command {
    let mut command = program::command(components::node());
    command.env("NODE_PATH", components::folder().join("node_modules"));
    command
}

fn scripted(mut command: Command, script: &str, reach: &Reach, era: &str, order: &Value) -> Command {
    let mut order = order.clone();
    order["era"] = json!(era);
    match reach {
        Reach::Http(endpoint, token) => {
            order["endpoint"] = json!(endpoint);
            order["token"] = json!(token);
        }
        Reach::Stdio(words, environment) => {
            order["command"] = json!(words);
            order["env"] = environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        }
    }
    command.arg(components::script(script)).arg(order.to_string());
    command
}

fn inspector(reach: &Reach, era: &str, order: &Value) -> Command {
    let mut command = components::node_command(&components::module(".bin/mcp-inspector"));
    command.arg("--cli");
    match reach {
        Reach::Http(endpoint, token) => {
            command.args([endpoint, "--transport", "http", "--header", &format!("Authorization: Bearer {token}")]);
        }
        Reach::Stdio(words, environment) => {
            command.args(words);
            command.args(environment.iter().flat_map(|(name, value)| ["-e".to_owned(), format!("{name}={value}")]));
        }
    }
    if era == "2026-07-28" {
        command.args(["--protocol-era", "modern"]);
    }
    match order["tool"].as_str() {
        None => command.args(["--method", "tools/list"]),
        Some(tool) => {
            let arguments = order["arguments"].to_string();
            command.args(["--method", "tools/call", "--tool-name", tool, "--tool-args-json", &arguments])
        }
    };
    command
}
