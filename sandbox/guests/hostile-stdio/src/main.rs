//! An MCP server over standard streams, as a `wasi:cli` command: a good one, and a bad one where its tools say so.

use std::io::{BufRead as _, Write as _};

use serde_json::{Value, json};

fn main() {
    let mut calls = 0;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(id) = message.get("id") else { continue };
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => say(&json!({ "jsonrpc": "2.0", "id": id, "result": {
                "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "hostile-stdio", "version": "1" } } })),
            "tools/list" => say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [
                { "name": "echo", "inputSchema": { "type": "object" } }] } })),
            "tools/call" => {
                calls += 1;
                call(id, &message["params"], calls);
            }
            _ => say(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } })),
        }
    }
}

fn call(id: &Value, params: &Value, calls: u32) {
    let arguments = &params["arguments"];
    let text = match params["name"].as_str().unwrap_or_default() {
        "echo" => arguments.to_string(),
        "count" => calls.to_string(),
        "environment" => format!("{:?}", std::env::vars().collect::<Vec<_>>()),
        "read" => std::fs::read_to_string(arguments["path"].as_str().unwrap_or_default())
            .unwrap_or_else(|error| format!("refused: {error}")),
        "spin" => loop {
            std::hint::black_box(0);
        },
        "exit" => std::process::exit(3),
        "flood" => loop {
            say(
                &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "x".repeat(8000) } }),
            );
        },
        "huge" => "x".repeat(64 << 20),
        "twice" => {
            say(&json!({ "jsonrpc": "2.0", "id": 99, "result": { "content": [] } }));
            "after".to_owned()
        }
        _ => "?".to_owned(),
    };
    say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [{ "type": "text", "text": text }] } }));
}

fn say(message: &Value) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{message}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
