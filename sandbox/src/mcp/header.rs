//! The headers that repeat a modern request's body: `Mcp-Name` and `Mcp-Param-*`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue};
use policies::{Call, Method, Value};

/// What `Mcp-Name` must say of this call, if it has to say anything.
pub(crate) fn named(call: &Call) -> Option<HeaderValue> {
    let name = match call.tool().method() {
        Method::CallTool => call.tool().name(),
        Method::ReadResource => call.arguments().get("uri")?.as_str()?,
        Method::GetPrompt => call.arguments().get("name")?.as_str()?,
        Method::Complete => return None,
    };
    encoded(name)
}

/// The arguments that the tool's schema marks with `x-mcp-header`. Marks that no header can carry are passed over: the
/// server that wrote them refuses its own schema.
pub(crate) fn parameters(call: &Call) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    if let (Method::CallTool, Some(schema)) = (call.tool().method(), call.tool().input_schema()) {
        collect(schema, call.arguments(), &mut headers);
    }
    headers
}

fn collect(schema: &Value, value: &Value, headers: &mut Vec<(HeaderName, HeaderValue)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties.iter() {
        let Some(value) = value.get(name) else { continue };
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            headers.extend(parameter(header, value));
        }
        collect(property, value, headers);
    }
}

fn parameter(header: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(format!("mcp-param-{header}").as_bytes()).ok()?;
    let value = match value {
        Value::String(text) => encoded(text)?,
        Value::Bool(truth) => HeaderValue::from_static(if *truth { "true" } else { "false" }),
        Value::Number(number) => HeaderValue::from_str(number.as_str()).ok()?,
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some((name, value))
}

/// As it is where a header can carry it unchanged, else `=?base64?…?=`.
fn encoded(text: &str) -> Option<HeaderValue> {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && text.trim_matches(' ') == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if plain {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::from_str(&format!("=?base64?{}?=", BASE64_STANDARD.encode(text))).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policies::{AgentId, CallId, Limits, ServerName, SessionKey, Standing, Tool};

    use super::*;

    fn call(schema: &str, arguments: &str) -> Call {
        let json = |text: &str| Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap();
        let definition = json(&format!(r#"{{"name":"tö","inputSchema":{schema}}}"#));
        let tool =
            Tool::new(ServerName::parse("s").unwrap(), Method::CallTool, definition, Standing::default()).unwrap();
        let (id, agent) = (CallId::from_random([0; 10]), AgentId::authenticated("a"));
        Call::new(id, agent, SessionKey::parse("k").unwrap(), Arc::new(tool), json(arguments))
    }

    #[test]
    fn marked_arguments_become_headers_at_every_depth() {
        let call = call(
            r#"{"properties":{"r":{"x-mcp-header":"Region"},"o":{"properties":{"n":{"x-mcp-header":"N"}}},"p":{}}}"#,
            r#"{"r":" eu","o":{"n":1.50},"p":"x"}"#,
        );
        let headers = parameters(&call);
        let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(shown, [("mcp-param-region", "=?base64?IGV1?="), ("mcp-param-n", "1.50")]);
        assert_eq!(named(&call).unwrap(), "=?base64?dMO2?=");
    }

    #[test]
    fn a_mark_cannot_smuggle_a_header() {
        let call = call(
            r#"{"properties":{"r":{"x-mcp-header":"a\r\nX: y"},"s":{"x-mcp-header":"S"}}}"#,
            r#"{"r":"v","s":"a\r\nb"}"#,
        );
        let headers = parameters(&call);
        assert_eq!(headers.len(), 1);
        assert!(headers[0].1.to_str().unwrap().starts_with("=?base64?"));
    }
}
