//! The headers that mirror a modern request's body: refused where they differ, and never believed where they agree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use policies::{Object, Value};
use sandbox::Era;

use crate::answer::{HEADER_MISMATCH, RpcError};

/// The version header, if there is exactly one.
///
/// # Errors
/// If it is repeated or no text.
pub fn version(headers: &HeaderMap) -> Result<Option<&str>, RpcError> {
    single(headers, "mcp-protocol-version")
}

/// Checks what every modern request mirrors.
///
/// # Errors
/// If a header is missing, repeated, or differs from the body.
pub fn check(headers: &HeaderMap, method: &str, params: &Object) -> Result<(), RpcError> {
    let body_version = Some(Era::MODERN);
    if version(headers)? != body_version {
        return Err(mismatch("MCP-Protocol-Version"));
    }
    if single(headers, "mcp-method")? != Some(method) {
        return Err(mismatch("Mcp-Method"));
    }
    let named = match method {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" => params.get("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.get("taskId"),
        _ => return Ok(()),
    };
    let header = single(headers, "mcp-name")?.map(decoded).transpose()?;
    if header.as_deref() == named.and_then(Value::as_str) { Ok(()) } else { Err(mismatch("Mcp-Name")) }
}

/// Checks `Mcp-Param-*` against the arguments that a tool's schema marks with `x-mcp-header`.
///
/// # Errors
/// If a header is missing where its argument is there, is there where its argument is not, or differs.
pub fn check_params(headers: &HeaderMap, schema: Option<&Value>, arguments: &Value) -> Result<(), RpcError> {
    let Some(properties) = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object) else {
        return Ok(());
    };
    marked(properties, &mut Vec::new(), &mut |name, path| {
        let argument = path.iter().try_fold(arguments, |value, key| value.get(key)).filter(|value| !value.is_null());
        let header = single(headers, &format!("mcp-param-{}", name.to_ascii_lowercase()))?.map(decoded).transpose()?;
        let same = match (&header, argument) {
            (None, None) => true,
            (Some(header), Some(argument)) => mirrors(header, argument),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same { Ok(()) } else { Err(mismatch(&format!("Mcp-Param-{name}"))) }
    })
}

/// Properties that are reachable by names alone, as the specification has it.
fn marked<'a>(
    properties: &'a Object,
    path: &mut Vec<&'a str>,
    check: &mut impl FnMut(&str, &[&'a str]) -> Result<(), RpcError>,
) -> Result<(), RpcError> {
    for (key, property) in properties.iter() {
        path.push(key);
        if let Some(name) = property.get("x-mcp-header").and_then(Value::as_str) {
            check(name, path)?;
        }
        if let Some(below) = property.get("properties").and_then(Value::as_object) {
            marked(below, path, check)?;
        }
        path.pop();
    }
    Ok(())
}

fn mirrors(header: &str, argument: &Value) -> bool {
    match argument {
        Value::String(text) => header == text,
        Value::Bool(truth) => header == if *truth { "true" } else { "false" },
        Value::Number(number) if header == number.as_str() => true,
        // Integers compare as numbers: `1.0` and `1` are one.
        Value::Number(number) => match (header.parse::<f64>(), number.as_f64()) {
            (Ok(one), Some(other)) => one.to_bits() == other.to_bits(),
            (Ok(_), None) | (Err(_), _) => false,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A header that two readers could read in two ways is refused: it must be there once, and visible ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text.trim())),
        (Ok(_) | Err(_), _) => Err(mismatch(name)),
    }
}

/// Text that no header can carry comes as `=?base64?…?=`.
fn decoded(header: &str) -> Result<String, RpcError> {
    let Some(encoded) = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(header.to_owned());
    };
    let bytes = STANDARD.decode(encoded).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| mismatch("a base64 header"))
}

/// A header and the body say different things.
#[must_use]
pub fn mismatch(header: &str) -> RpcError {
    RpcError::new(HEADER_MISMATCH, format!("the header `{header}` is missing, repeated, or differs from the body"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use policies::Limits;

    fn object(text: &str) -> Object {
        Value::parse(text.as_bytes(), &Limits::REQUEST).unwrap().as_object().unwrap().clone()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn headers_must_say_what_the_body_says() {
        let params = object(r#"{"name":"files.réad"}"#);
        let good = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?ZmlsZXMucsOpYWQ=?="),
        ];
        assert!(check(&headers(&good), "tools/call", &params).is_ok());
        for index in 0..good.len() {
            let mut without = good.to_vec();
            without.remove(index);
            assert!(check(&headers(&without), "tools/call", &params).is_err(), "without {index}");
            let mut twice = good.to_vec();
            twice.push(good[index]);
            assert!(check(&headers(&twice), "tools/call", &params).is_err(), "twice {index}");
        }
        assert!(check(&headers(&good), "tools/call", &object(r#"{"name":"other"}"#)).is_err());
    }

    #[test]
    fn marked_arguments_must_be_mirrored() {
        let schema = object(r#"{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"a":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}"#).into();
        let arguments = object(r#"{"region":"eu","a":{"n":1.0}}"#).into();
        let check = |pairs: &[(&'static str, &str)]| check_params(&headers(pairs), Some(&schema), &arguments).is_ok();
        assert!(check(&[("mcp-param-region", "eu"), ("mcp-param-n", "1")]));
        assert!(!check(&[("mcp-param-region", "EU"), ("mcp-param-n", "1")]));
        assert!(!check(&[("mcp-param-region", "eu")]));
        assert!(!check(&[("mcp-param-region", "eu"), ("mcp-param-n", "2")]));
    }
}
