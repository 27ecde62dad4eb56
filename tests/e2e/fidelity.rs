//! What a server says arrives as it was said: fields, content types and numbers that no library knows.

use std::collections::BTreeMap;

use rmcp::model::{CallToolRequestParams, ProtocolVersion, Tool};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::hostile::{Mode, odd_result, odd_tool};
use tests::server::{Server, hostile_command};
use tests::wire::Wire;
use tests::world::{Setup, World};

/// Parts of the odd definition and result, as the bytes must appear in what an agent receives.
const ODD_IN_TOOL: [&str; 8] = [
    r#""x-vendor-schema":{"keep":[1,2.50,1e2]}"#,
    r#""vendorHint":"kept""#,
    r#""execution":{"taskSupport":"forbidden"}"#,
    r#""title":"Odd""#,
    r#""big":123456789012345678901234567890"#,
    r#""fraction":0.10"#,
    r#""exponent":1E400"#,
    r#""x-vendor":{"#,
];
const ODD_IN_RESULT: [&str; 8] = [
    r#"{"type":"hologram","frames":[1,2,3],"x":{"deep":true}}"#,
    r#""x-block":"kept""#,
    r#""big":123456789012345678901234567890"#,
    r#""fraction":1.10"#,
    r#""exponent":1e400"#,
    r#""zero":-0.0"#,
    r#""x-result":{"kept":"yes"}"#,
    r#""vendor.example/key":1"#,
];

/// The odd server behind the gateway, on stdio and on HTTP. The servers' folder and process live as long.
fn odd_world() -> (World, Server, TempDir) {
    let folder = TempDir::new().unwrap();
    let remote = Server::hostile(Mode::Odd, &folder.path().join("remote"));
    let words = hostile_command(Mode::Odd, &folder.path().join("local"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let setup = Setup::new().command_with("local", &words, "vouched = true");
    let world = setup.remote_with("remote", remote.endpoint(), "vouched = true").start();
    // By the text: the list holds numbers that serde_json cannot.
    world.eventually("both tools", || {
        let listed = world.modern().ask("tools/list", json!({})).text;
        (listed.contains("local.read_note") && listed.contains("remote.read_note")).then_some(())
    });
    (world, remote, folder)
}

#[test]
fn unknown_fields_and_numbers_of_a_definition_arrive_as_they_were_sent() {
    assert!(ODD_IN_TOOL.iter().all(|part| odd_tool().contains(part)), "the test and its server disagree");
    let (world, _remote, _folder) = odd_world();
    for agent in [world.modern(), world.legacy()] {
        let text = agent.ask("tools/list", json!({})).text;
        for part in ODD_IN_TOOL {
            assert_eq!(text.matches(part).count(), 2, "{part} is not in both definitions: {text}");
        }
    }
}

#[test]
fn unknown_fields_content_types_and_numbers_of_a_result_arrive_as_they_were_sent() {
    assert!(ODD_IN_RESULT.iter().all(|part| odd_result("", "").contains(part)), "the test and its server disagree");
    let (world, _remote, _folder) = odd_world();
    for agent in [world.modern(), world.legacy()] {
        for server in ["local", "remote"] {
            let text = agent.call(&format!("{server}.read_note"), &json!({"note": "x"})).text;
            for part in ODD_IN_RESULT {
                assert!(text.contains(part), "{server}: {part} is not in {text}");
            }
        }
    }
}

#[test]
fn numbers_in_arguments_reach_the_server_as_the_agent_wrote_them() {
    let (world, _remote, _folder) = odd_world();
    for agent in [world.modern(), world.legacy()] {
        for server in ["local", "remote"] {
            for number in ["123456789012345678901234567890", "0.10", "1e2", "-0.0", "9007199254740993"] {
                let call =
                    json!({"name": format!("{server}.read_note"), "arguments": {"note": "x", "number": "PLACE"}});
                let request = agent.request("tools/call", call);
                let body = request.to_string().replace("\"PLACE\"", number);
                let mut wire = Wire::connect(world.endpoint()).unwrap();
                wire.send(&agent.posted_as(&request, &body)).unwrap();
                let answer = wire.response().unwrap().body;
                // The server quotes the request as it arrived.
                let quoted = format!("\\\"number\\\":{number}");
                assert!(answer.contains(&quoted), "{server} {number}: {answer}");
            }
        }
    }
}

type Oracle = RunningService<RoleClient, ()>;

async fn connected(endpoint: &str, token: &str, lifecycle: ClientLifecycleMode) -> Oracle {
    // One provider of cryptography is built in, and the library asks for it by name.
    rustls::crypto::ring::default_provider().install_default().ok();
    let config = StreamableHttpClientTransportConfig::with_uri(endpoint).auth_header(token);
    ().serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle).await.unwrap()
}

/// What a client library sees of the tools, by name.
async fn tools(oracle: &Oracle) -> BTreeMap<String, Value> {
    let tools: Vec<Tool> = oracle.list_all_tools().await.unwrap();
    tools.into_iter().map(|tool| (tool.name.to_string(), serde_json::to_value(tool).unwrap())).collect()
}

async fn called(oracle: &Oracle, tool: &'static str) -> Value {
    let result = oracle.call_tool(CallToolRequestParams::new(tool)).await.unwrap();
    let mut result = serde_json::to_value(result).unwrap();
    result.as_object_mut().unwrap().remove("_meta"); // names the server that answered
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_library_sees_the_same_through_the_gateway_as_without_it() {
    let fixture = Server::fixture(None);
    let setup = Setup::new().remote_with("fixture", fixture.endpoint(), "prefix = \"\"\nvouched = true");
    let world = setup.allow_all().start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    let modern = || ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::LATEST] };
    for lifecycle in [modern, || ClientLifecycleMode::Initialize] {
        let direct = connected(fixture.endpoint(), "unused", lifecycle()).await;
        let through = connected(world.endpoint(), world.token(), lifecycle()).await;
        assert_eq!(tools(&through).await, tools(&direct).await);
        for tool in [
            "test_simple_text",
            "test_image_content",
            "test_audio_content",
            "test_embedded_resource",
            "test_multiple_content_types",
            "test_error_handling",
        ] {
            assert_eq!(called(&through, tool).await, called(&direct, tool).await, "{tool}");
        }
        let resources = |oracle: &Oracle| {
            let peer = oracle.peer().clone();
            async move {
                let mut resources = peer.list_all_resources().await.unwrap();
                resources.sort_by(|one, other| one.uri.cmp(&other.uri)); // the gateway's order is its own
                serde_json::to_value(resources).unwrap()
            }
        };
        assert_eq!(resources(&through).await, resources(&direct).await);
        direct.cancel().await.unwrap();
        through.cancel().await.unwrap();
    }
}

#[test]
fn lists_are_the_same_each_time_and_private() {
    let fixture = Server::fixture(None);
    let world = Setup::new().remote("fixture", fixture.endpoint()).start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    let first = world.modern().ask("tools/list", json!({}));
    assert_eq!(first.result()["cacheScope"], "private");
    for _ in 0..5 {
        assert_eq!(world.modern().ask("tools/list", json!({})).result()["tools"], first.result()["tools"]);
    }
    let other = Agent::modern(world.endpoint(), &world.add_agent("other"));
    assert_eq!(other.names(), world.modern().names());
}
