//! What goes the other way: servers' questions to the agent's client, news of changed lists; and TLS in front of it all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::components;
use tests::ledger::{Kind, Ledger};
use tests::program;
use tests::server::Server;
use tests::wire::Wire;
use tests::world::{Setup, World, built};

/// A server of the old era alone, and one that is spoken to in the new one, each as a child of the gateway.
fn both_eras() -> World {
    let (node, everything) =
        (components::node(), components::module("@modelcontextprotocol/server-everything/dist/index.js"));
    let setup = Setup::new().command("old", &[&node, &everything]).command("new", &[&built("fixture-server")]);
    let world = setup.allow_all().start();
    let offered = |name: &str| world.modern().names().iter().any(|tool| tool.starts_with(name));
    world.eventually("both servers", || (offered("old.") && offered("new.")).then_some(()));
    world
}

fn asked(world: &World, era: &str, tool: &str, arguments: &Value) -> Value {
    let order = json!({
        "endpoint": world.endpoint(), "token": world.token(), "era": era, "tool": tool, "arguments": arguments,
    });
    let mut command = program::command(components::python("python"));
    command.arg(components::script("python_asked.py")).arg(order.to_string());
    let output = program::run(&mut command, Duration::from_mins(2));
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}{}", output.stdout, output.stderr))
}

#[test]
fn a_servers_question_reaches_the_agents_client_in_every_pairing_of_eras_and_is_recorded() {
    let world = both_eras();
    let rows = [
        ("old.trigger-sampling-request", json!({"prompt": "x", "maxTokens": 9}), "sampling/createMessage", "said by"),
        ("old.trigger-elicitation-request", json!({}), "elicitation/create", "Ann"),
        ("new.test_input_required_result_elicitation", json!({}), "elicitation/create", "Ann"),
        ("new.test_input_required_result_sampling", json!({}), "sampling/createMessage", ""),
    ];
    for era in ["legacy", "2026-07-28"] {
        for (tool, arguments, method, heard) in &rows {
            let answer = asked(&world, era, tool, arguments);
            assert_eq!(answer["asked"], json!([method]), "{era} {tool}: {answer}");
            assert_eq!(answer["isError"], false, "{era} {tool}: {answer}");
            assert!(answer["text"].as_str().unwrap().contains(heard), "{era} {tool}: {answer}");
        }
    }
    let relayed = Ledger::open(world.state()).unwrap().count(Kind::Relay);
    // A question and its answer each, but where a modern agent takes a modern server's question as its call's answer.
    assert!(relayed >= 12, "only {relayed} questions and answers were recorded");
    world.verify();
}

#[test]
fn a_client_that_cannot_be_asked_is_not_and_its_call_ends() {
    let world = both_eras();
    for agent in [world.modern(), world.legacy()] {
        let answer = agent.call("old.trigger-sampling-request", &json!({"prompt": "x", "maxTokens": 9}));
        assert!(!answer.text.contains("said by"), "{}", answer.text);
    }
    world.verify();
}

/// Reads a stream until it says this.
fn hears(wire: &mut Wire, what: &str) {
    let begun = Instant::now();
    let mut said = String::new();
    while !said.contains(what) {
        assert!(begun.elapsed() < Duration::from_mins(1), "`{what}` never came: {said}");
        let chunk = wire.chunk().unwrap().unwrap_or_else(|| panic!("the stream ended before `{what}`: {said}"));
        said.push_str(&String::from_utf8_lossy(&chunk));
    }
}

#[test]
fn agents_of_both_eras_hear_that_a_list_changed() {
    let fixture = Server::fixture(None);
    let world = Setup::new().remote("fixture", fixture.endpoint()).allow_all().start();
    world.eventually("the tools", || (world.modern().names().len() > 20).then_some(()));

    let mut modern =
        world.modern().begin("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})).unwrap();
    assert_eq!(modern.head().unwrap().status, 200);
    hears(&mut modern, "notifications/subscriptions/acknowledged");
    let mut legacy = Wire::connect(world.endpoint()).unwrap();
    legacy.patience(Duration::from_mins(2));
    let get = format!(
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
        tests::wire::authority(world.endpoint()),
        world.token()
    );
    legacy.send(get.as_bytes()).unwrap();
    assert_eq!(legacy.head().unwrap().status, 200);

    assert!(world.modern().call("fixture.test_trigger_tool_change", &json!({})).ran());
    hears(&mut modern, "notifications/tools/list_changed");
    hears(&mut legacy, "notifications/tools/list_changed");
}

#[test]
fn a_client_reaches_the_gateway_over_tls_and_nothing_is_answered_in_the_clear() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let python = |words: &[&str]| {
        let mut command = program::command(components::python("python"));
        command.arg(components::script("python_tls.py")).args(words);
        program::run(&mut command, Duration::from_mins(1)).success()
    };
    drop(python(&["make", path]));
    let fixture = Server::fixture(None);
    let tls = format!("[listen.tls]\ncertificate = \"{path}/chain.pem\"\nkey = \"{path}/key.pem\"\n");
    let world = Setup::new().remote("fixture", fixture.endpoint()).config(&tls).start();
    assert!(world.endpoint().starts_with("https://"), "{}", world.endpoint());
    let listed = python(&["list", path, world.endpoint(), world.token()]);
    assert!(listed.contains("fixture.echo"), "{listed}");
    let clear = Agent::legacy(&world.endpoint().replace("https://", "http://"), world.token());
    assert!(clear.try_ask("tools/list", json!({})).is_err(), "plain HTTP was answered on the TLS port");
}
