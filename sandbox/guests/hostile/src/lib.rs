//! A tool that tries everything that a tool must not be able to do. Each of its tools is one attempt, and says how it went.

mod places;
mod wires;

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

wit_bindgen::generate!({ path: "../../wit", world: "tool" });

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn describe() -> String {
        // Those that a gateway is to offer; tests of the sandbox call the others as well.
        let names = ["anything", "abandon", "connect", "datagram", "listen", "resolve"];
        let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
        json!({ "tools": names.map(tool) }).to_string()
    }

    fn call(name: String, arguments: String) -> Result<String, ToolError> {
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        let text = |key: &str| arguments[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| arguments[key].as_u64().unwrap_or_default();
        let said = match name.as_str() {
            "echo" => arguments.to_string(),
            "environment" => {
                format!("{:?} {:?}", std::env::vars().collect::<Vec<_>>(), std::env::args().collect::<Vec<_>>())
            }
            "read" => places::read(&text("path")),
            "write" => places::write(&text("path"), &text("content")),
            "list" => places::list(&text("path")),
            "link" => places::link(&text("from"), &text("to")),
            "symlink" => places::symlink(&text("target"), &text("name")),
            "race" => places::race(&text("path"), number("times")),
            "fill" => places::fill(&text("path")),
            "hole" => places::hole(&text("path"), number("size")),
            "names" => places::names(&text("path")),
            "hold" => places::hold(&text("path")),
            "connect" => wires::connect(&text("to")),
            "listen" => wires::listen(&text("at")),
            "datagram" => wires::datagram(&text("to")),
            "abandon" => wires::abandon(&text("host"), &text("path")),
            "resolve" => wires::resolve(&text("name")),
            "spin" => spin(),
            "sleep" => sleep(number("ms")),
            "devour" => devour(),
            "recurse" => recurse(black_box(0)).to_string(),
            "flood" => "x".repeat(number("bytes") as usize),
            "count" => COUNT.fetch_add(1, Ordering::SeqCst).to_string(),
            "panic" => panic!("\u{1b}[31mlook at this\u{1b}[0m"),
            "exit" => std::process::exit(7),
            "log" => log(number("times"), number("bytes")),
            "broken" => return Ok(text("as")),
            "fail" => return Err(ToolError::Failed(text("why"))),
            other => return Err(ToolError::Failed(format!("there is no tool `{other}`"))),
        };
        Ok(json!({ "content": [{ "type": "text", "text": said }] }).to_string())
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_mul(31).wrapping_add(1));
    }
}

fn sleep(ms: u64) -> String {
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(ms));
    began.elapsed().as_millis().to_string()
}

fn devour() -> String {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(black_box(vec![1; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "that is the attempt")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[(depth % 64) as usize]
}

fn log(times: u64, bytes: u64) -> String {
    for _ in 0..times {
        portcullis::tool::host::log(portcullis::tool::host::Level::Warning, &"é".repeat(bytes as usize));
    }
    "said".to_owned()
}
