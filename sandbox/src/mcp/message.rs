//! `Message`: one JSON-RPC message from a server.

use policies::{Limits, Object, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// One JSON-RPC message from a server. What is in it is as it was sent.
#[derive(Debug)]
pub(crate) enum Message {
    /// An answer: `result` or `error`.
    Answer {
        /// Our id; `None` where it is nothing that we could have sent.
        id: Option<u64>,
        /// The `result`, or the `error` object.
        outcome: Result<Value, Value>,
    },
    /// A request to us, or to an agent.
    Request {
        /// The server's id, to be given back as it is.
        id: Value,
        /// Its method.
        method: String,
        /// Its params, `null` where it has none.
        params: Value,
    },
    /// A notification.
    Notification {
        /// Its method.
        method: String,
        /// Its params, `null` where it has none.
        params: Value,
    },
}

/// Text that is no message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    /// What is wrong with it; says nothing of what it says.
    pub(crate) why: String,
    /// The one of our ids that it claims to answer, as far as that can be told.
    pub(crate) answers: Option<u64>,
}

impl Message {
    /// Reads one message strictly: what two readers could read differently is no message.
    pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Garbage> {
        let value = Value::parse(bytes, limits).map_err(|error| Garbage::new(error.to_string(), bytes))?;
        let Value::Object(object) = value else { return Err(Garbage::new("not an object", bytes)) };
        Self::read(object).map_err(|why| Garbage::new(why, bytes))
    }

    fn read(mut object: Object) -> Result<Self, &'static str> {
        if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err("not JSON-RPC 2.0");
        }
        let (id, method) = (object.remove("id"), object.remove("method"));
        let (result, error) = (object.remove("result"), object.remove("error"));
        let params = object.remove("params").unwrap_or_default();
        match (method, id, result, error) {
            (Some(Value::String(method)), None, None, None) => Ok(Self::Notification { method, params }),
            (Some(Value::String(method)), Some(id @ (Value::String(_) | Value::Number(_))), None, None) => {
                Ok(Self::Request { id, method, params })
            }
            (None, id, Some(result), None) => {
                if result.as_object().is_none() {
                    return Err("a result that is not an object");
                }
                Ok(Self::Answer { id: ours(id.as_ref()), outcome: Ok(result) })
            }
            (None, id, None, Some(error)) => {
                if !is_error(&error) {
                    return Err("an error without code and message");
                }
                Ok(Self::Answer { id: ours(id.as_ref()), outcome: Err(error) })
            }
            (Some(_) | None, _, _, _) => Err("neither request, notification nor answer"),
        }
    }
}

fn ours(id: Option<&Value>) -> Option<u64> {
    id.and_then(Value::as_u64)
}

fn is_error(error: &Value) -> bool {
    error.get("code").and_then(Value::as_i64).is_some() && error.get("message").and_then(Value::as_str).is_some()
}

impl Garbage {
    fn new(why: impl Into<String>, bytes: &[u8]) -> Self {
        Self { why: why.into(), answers: claimed(bytes) }
    }
}

/// The id that a broken message claims to answer. Only ever used to fail that call: a server can do that anyway.
fn claimed(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claim {
        id: u64,
        #[serde(default)]
        method: Option<IgnoredAny>,
    }
    let claim: Claim = serde_json::from_slice(bytes).ok()?;
    claim.method.is_none().then_some(claim.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, Garbage> {
        Message::parse(text.as_bytes(), &Limits::ANSWER)
    }

    #[test]
    fn an_answer_keeps_what_no_library_knows() {
        let text =
            r#"{"jsonrpc":"2.0","id":7,"result":{"n":123456789012345678901234567890,"x":1.0,"_meta":{"v/y":[]}}}"#;
        let Ok(Message::Answer { id: Some(7), outcome: Ok(result) }) = parse(text) else { panic!() };
        assert_eq!(result.to_string(), r#"{"n":123456789012345678901234567890,"x":1.0,"_meta":{"v/y":[]}}"#);
    }

    #[test]
    fn an_id_that_is_not_ours_is_no_id() {
        for id in ["\"7\"", "7.0", "-7", "null", "[7]", "1e1"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            assert!(matches!(parse(&text), Ok(Message::Answer { id: None, .. })), "{id}");
        }
    }

    #[test]
    fn a_broken_answer_still_names_the_call_that_it_fails() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":[]}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":"1"}}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"id":7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{"a":"\ud800"}}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().answers, Some(7), "{text}");
        }
        let invalid = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":\"\xff\"}}";
        assert_eq!(Message::parse(invalid, &Limits::ANSWER).unwrap_err().answers, Some(7));
    }

    #[test]
    fn what_claims_two_ids_or_is_a_request_fails_nobody() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"id":8,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":1,"a":2}}"#,
            "garbage",
            r#"[{"jsonrpc":"2.0","id":7,"result":{}}]"#,
            "",
        ] {
            assert_eq!(parse(text).unwrap_err().answers, None, "{text}");
        }
    }

    #[test]
    fn requests_and_notifications_are_told_apart() {
        let request = r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#;
        assert!(matches!(parse(request), Ok(Message::Request { params: Value::Null, .. })));
        assert!(matches!(parse(r#"{"jsonrpc":"2.0","method":"m","params":{}}"#), Ok(Message::Notification { .. })));
        assert!(parse(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#).is_err());
    }
}
