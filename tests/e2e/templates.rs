//! The templates of the guide make tools that work: each is built as the guide says, added as a package, and called by a real client.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::client::{Client, Reach};
use tests::program::{command, run};
use tests::world::{Setup, World};
use tests::{attacker, components};

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/templates").join(name)
}

/// A copy of a template's files and of the interface, to build and to add.
fn copy(name: &str, files: &[&str], folder: &Path) {
    fs::create_dir(folder.join("wit")).unwrap();
    for file in files.iter().chain(&["portcullis-tool.toml", "wit/tool.wit"]) {
        fs::copy(template(name).join(file), folder.join(file)).unwrap();
    }
}

/// A gateway with the package in this folder.
fn added(package: &Path, server: &str) -> World {
    let mut world = Setup::new().config(&format!("[server.{server}]\nstart_timeout = \"300s\"\n")).prepare();
    drop(world.cli(&["tools", "add", package.to_str().unwrap(), "--yes"]).success());
    world.start();
    // An interpreter is compiled first, which takes its time on a loaded machine.
    let end = Instant::now() + Duration::from_mins(5);
    while world.modern().names().is_empty() {
        assert!(Instant::now() < end, "no tool in time; the gateway said:\n{}", world.said());
        thread::sleep(Duration::from_millis(200));
    }
    world
}

fn call(world: &World, client: Client, tool: &str, arguments: &Value) -> Value {
    let reach = Reach::Http(world.endpoint().to_owned(), world.token().to_owned());
    client.call(&reach, client.eras()[0], tool, arguments)
}

#[test]
fn the_rust_template_is_a_tool_that_works() {
    let folder = TempDir::with_prefix("portcullis-template-").unwrap();
    copy("wasm-rust", &[], folder.path());
    let built = attacker::component(&template("wasm-rust").join("Cargo.toml"), &[], "guests");
    fs::copy(built.join("greeter.wasm"), folder.path().join("greeter.wasm")).unwrap();
    let world = added(folder.path(), "greeter");
    for client in Client::ALL {
        let answer = call(&world, client, "greeter.greet", &json!({"name": "Ada"}));
        assert!(answer["isError"] != true && answer.to_string().contains("Hello, Ada!"), "{client:?} {answer}");
    }
}

#[test]
fn the_python_template_is_a_tool_that_works() {
    let folder = TempDir::with_prefix("portcullis-template-").unwrap();
    copy("wasm-python", &["app.py"], folder.path());
    let mut componentize = command(components::componentize());
    componentize.args(["-d", "wit", "-w", "tool", "componentize", "--stub-wasi", "app", "-o", "counter.wasm"]);
    drop(run(componentize.current_dir(folder.path()), Duration::from_mins(5)).success());
    let world = added(folder.path(), "counter");
    for client in Client::ALL {
        let answer = call(&world, client, "counter.count", &json!({"text": "one two three"}));
        assert!(answer["isError"] != true && answer.to_string().contains("3 words"), "{client:?} {answer}");
    }
    // The agent is told what it did wrong.
    let answer = call(&world, Client::Python, "counter.count", &json!({"text": 7}));
    assert!(answer["isError"] == true, "{answer}");
}

#[test]
fn every_template_has_the_interface_of_this_version() {
    let interface = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/wit/tool.wit");
    let interface = fs::read_to_string(interface).unwrap();
    for name in ["wasm-rust", "wasm-python"] {
        assert_eq!(fs::read_to_string(template(name).join("wit/tool.wit")).unwrap(), interface, "{name}");
    }
}
