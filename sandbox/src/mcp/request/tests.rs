use std::sync::Arc;

use policies::{AgentId, CallId, Limits, ServerName, SessionKey, Standing, Tool};

use super::*;

fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
}

fn call(method: Method, definition: &str, arguments: &str) -> Call {
    let server = ServerName::parse("s").unwrap();
    let tool = Tool::new(server, method, json(definition), Standing::default()).unwrap();
    let agent = AgentId::authenticated("a");
    Call::new(CallId::from_random([0; 10]), agent, SessionKey::parse("k").unwrap(), Arc::new(tool), json(arguments))
}

fn written(body: &Body<'_>, meta: &Meta<'_>) -> String {
    let bytes = body.write(7, meta).unwrap();
    json(std::str::from_utf8(&bytes).unwrap());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_tool_is_called_with_the_canonical_arguments() {
    let call = call(Method::CallTool, r#"{"name":"a\"b"}"#, r#"{"z":1.0,"a":1e2}"#);
    assert_eq!(
        written(&Body::Call(&call, None), &Meta::own(Era::Legacy("2025-11-25"))),
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a\"b","arguments":{"a":1e2,"z":1.0}}}"#
    );
}

#[test]
fn a_call_without_arguments_is_sent_without_them() {
    let call = call(Method::CallTool, r#"{"name":"t"}"#, "null");
    let text = written(&Body::Call(&call, None), &Meta::own(Era::Legacy("2025-11-25")));
    assert!(text.ends_with(r#""params":{"name":"t"}}"#), "{text}");
}

#[test]
fn a_modern_request_describes_itself_and_declares_no_extension() {
    let call = call(Method::ReadResource, r#"{"name":"resources/read"}"#, r#"{"uri":"test://x"}"#);
    let capabilities =
        json(r#"{"elicitation":{"url":{}},"extensions":{"io.modelcontextprotocol/tasks":{}},"tasks":{},"roots":null}"#);
    let trace = [("traceparent".to_owned(), "00-x".to_owned()), ("authorization".to_owned(), "no".to_owned())];
    let meta = Meta {
        era: Era::Modern,
        progress: true,
        capabilities: Some(&capabilities),
        trace: &trace,
        log_level: Some("info"),
    };
    let sent = json(&written(&Body::Call(&call, None), &meta));
    assert_eq!(sent.pointer("/params/uri").unwrap().as_str(), Some("test://x"));
    let meta = sent.pointer("/params/_meta").unwrap();
    assert_eq!(
        meta.get("io.modelcontextprotocol/clientCapabilities").unwrap().to_string(),
        r#"{"elicitation":{"url":{}}}"#
    );
    assert_eq!(meta.get("io.modelcontextprotocol/protocolVersion").unwrap().as_str(), Some("2026-07-28"));
    assert_eq!(meta.get("io.modelcontextprotocol/logLevel").unwrap().as_str(), Some("info"));
    assert_eq!(meta.get("progressToken").unwrap().as_u64(), Some(7));
    assert_eq!(meta.get("traceparent").unwrap().as_str(), Some("00-x"));
    assert!(meta.get("authorization").is_none());
}

#[test]
fn a_call_goes_on_with_state_and_responses() {
    let call = call(Method::CallTool, r#"{"name":"t"}"#, "{}");
    let resume = Resume { state: Some("s\"1".to_owned()), responses: Some(json(r#"{"q":{"action":"accept"}}"#)) };
    let sent = json(&written(&Body::Call(&call, Some(&resume)), &Meta::own(Era::Modern)));
    assert_eq!(sent.pointer("/params/requestState").unwrap().as_str(), Some("s\"1"));
    assert_eq!(sent.pointer("/params/inputResponses/q/action").unwrap().as_str(), Some("accept"));
}

#[test]
fn params_cannot_overwrite_what_is_the_gateways_to_set() {
    for arguments in [r#"{"uri":"x","_meta":{}}"#, r#"{"uri":"x","requestState":"s"}"#, "[]"] {
        let call = call(Method::ReadResource, r#"{"name":"resources/read"}"#, arguments);
        assert!(Body::Call(&call, None).write(1, &Meta::own(Era::Modern)).is_err(), "{arguments}");
    }
}
