//! Every MCP method goes the way of a call, or is listed here; and nothing of the agent's but its call goes on.

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::fixture::{META_CAPABILITIES, META_VERSION, MODERN};
use tests::ledger::{Kind, Ledger};
use tests::server::Server;
use tests::wire::Wire;
use tests::world::{Setup, World, built};

/// Methods that reach a tool: each leaves an intent and an outcome.
fn calls() -> [(&'static str, Value); 4] {
    [
        ("tools/call", json!({"name": "fixture.echo", "arguments": {"text": "x"}})),
        ("resources/read", json!({"uri": "test://static-text"})),
        ("prompts/get", json!({"name": "fixture.test_simple_prompt"})),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "fixture.test_prompt_with_arguments"},
                "argument": {"name": "arg1", "value": "par"},
            }),
        ),
    ]
}

/// Methods that the gateway answers by itself, from what it knows: they reach no tool.
const OWN_MODERN: [&str; 5] =
    ["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"];
const OWN_LEGACY: [&str; 7] = [
    "initialize",
    "ping",
    "logging/setLevel",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
];

/// Methods that exist in MCP and that this gateway answers neither by itself nor by a tool.
const FOREIGN: [&str; 7] = [
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "tasks/list",
    "tasks/result",
    "skills/list",
    "resources/directory/read",
];

fn world(fixture: &Server) -> World {
    let world = Setup::new().remote_with("fixture", fixture.endpoint(), "vouched = true").allow_all().start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    world
}

#[test]
fn every_method_that_reaches_a_tool_leaves_an_intent_and_an_outcome() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    for agent in [world.modern(), world.legacy()] {
        for (method, params) in calls() {
            let ledger = Ledger::open(world.state()).unwrap();
            let (intents, outcomes) = (ledger.count(Kind::Intent), ledger.count(Kind::Outcome));
            let answer = agent.ask(method, params);
            assert!(answer.code().is_none(), "{method}: {}", answer.text);
            assert_eq!(ledger.count(Kind::Intent), intents + 1, "{method}");
            assert_eq!(ledger.count(Kind::Outcome), outcomes + 1, "{method}");
        }
    }
    world.verify();
}

#[test]
fn every_other_method_is_answered_by_the_gateway_itself_or_unknown() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let ledger = Ledger::open(world.state()).unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}, "level": "info"});
    for method in OWN_MODERN {
        let answer = world.modern().ask(method, json!({}));
        assert!(answer.code().is_none(), "{method}: {}", answer.text);
        assert_eq!(answer.result()["resultType"], "complete", "{method}");
        assert_eq!(answer.result()["cacheScope"], "private", "{method}: who else may see this list?");
    }
    for method in OWN_LEGACY {
        let answer = world.legacy().ask(method, hello.clone());
        assert!(answer.code().is_none(), "{method}: {}", answer.text);
    }
    for method in FOREIGN {
        for agent in [world.modern(), world.legacy()] {
            let answer = agent.ask(method, json!({"name": "fixture.echo"}));
            assert!(answer.code().is_some(), "{method}: {}", answer.text);
        }
    }
    assert_eq!(ledger.count(Kind::Intent), 0, "one of them reached a tool");
}

#[test]
fn nothing_of_the_agents_request_but_its_call_reaches_a_server_on_http() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let mut params = json!({"name": "fixture.reveal", "arguments": {}});
    params["_meta"] = json!({
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "secret.example/key": "meta-of-the-agent",
        "io.modelcontextprotocol/clientInfo": {"name": "agents-own-client", "version": "1"},
    });
    let agent = world.modern();
    let text = String::from_utf8(agent.posted(&agent.request("tools/call", params).to_string())).unwrap();
    let text = text.replacen("Accept:", "Cookie: session=agents-cookie\r\nX-Agent: agents-header\r\nAccept:", 1);
    let mut wire = Wire::connect(world.endpoint()).unwrap();
    wire.send(text.as_bytes()).unwrap();
    let body = wire.response().unwrap().body;
    assert!(body.contains("headers"), "{body}");
    for leaked in [world.token(), "authorization", "agents-cookie", "agents-header", "meta-of-the-agent"] {
        assert!(!body.contains(leaked), "{leaked} reached the server: {body}");
    }
    assert!(body.contains("0af7651916cd43dd8448eb211c80319c"), "the trace was not passed on: {body}");
    assert!(body.contains(META_VERSION) && body.contains(META_CAPABILITIES) && body.contains(MODERN), "{body}");
}

#[test]
fn a_server_that_the_gateway_starts_sees_nothing_of_its_environment() {
    let setup = Setup::new().environment("SECRET_OF_THE_GATEWAY", "x").environment("PORTCULLIS_TOKEN", "y");
    let world = setup
        .command_with("fixture", &[&built("fixture-server")], "vouched = true\nenv = { GIVEN = \"1\" }")
        .allow_all()
        .start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    let answer = world.modern().call("fixture.reveal", &json!({}));
    let environment = &answer.result()["structuredContent"]["environment"];
    assert!(environment.to_string().contains("GIVEN"), "{}", answer.text);
    for name in ["SECRET_OF_THE_GATEWAY", "PORTCULLIS_TOKEN"] {
        assert!(!environment.to_string().contains(name), "{name} reached the server: {environment}");
    }
}

#[test]
fn an_agents_id_never_reaches_a_server() {
    let folder = TempDir::new().unwrap();
    let fixture = Server::fixture(Some(&folder.path().join("record")));
    let world = world(&fixture);
    let agent = world.modern();
    let mut request = agent.request("tools/call", json!({"name": "fixture.reveal", "arguments": {}}));
    request["id"] = json!("id-of-the-agent");
    let answer = agent.post(&request.to_string()).unwrap();
    assert_eq!(answer.message["id"], "id-of-the-agent");
    let learned = answer.result()["structuredContent"].to_string();
    assert!(!learned.contains("id-of-the-agent"), "{learned}");
}

#[test]
fn only_what_a_server_lists_can_be_watched() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let refused = world.legacy().ask("resources/subscribe", json!({"uri": "test://template/what-an-agent-knows/data"}));
    assert_eq!(refused.code(), Some(-32602), "{}", refused.text);
    let taken = world.legacy().ask("resources/subscribe", json!({"uri": "test://watched-resource"}));
    assert_eq!(taken.code(), None, "{}", taken.text);
}
