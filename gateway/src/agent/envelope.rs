//! `Message`: the JSON-RPC envelope, read strictly and once.

use policies::{Limits, Object, ParseError, Value};
use thiserror::Error;

/// What one POST or one line holds.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// A request; it will be answered.
    Request(Request),
    /// A notification; it will not.
    Notification {
        /// Its method.
        method: String,
        /// Its params; empty where it had none.
        params: Object,
    },
    /// The agent's answer to a request that a tool's server sent it.
    Answer {
        /// The id that we gave the request.
        id: Id,
        /// The result, or the JSON-RPC error object.
        answer: Result<Value, Value>,
    },
}

/// A request.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The agent's id for it.
    pub id: Id,
    /// Its method.
    pub method: String,
    /// Its params; empty where it had none.
    pub params: Object,
}

/// A request's id: a string or an integer, negative ones too; sent back as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Id(Value);

impl Id {
    /// An id of our own making.
    #[must_use]
    pub fn ours(text: String) -> Self {
        Self(text.into())
    }

    /// The id as JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    fn read(value: Value) -> Result<Self, EnvelopeError> {
        match &value {
            Value::String(text) if text.len() <= 256 => Ok(Self(value)),
            // An integer token: no fraction, no exponent. Longer than any 128-bit number serves nobody.
            Value::Number(number) if number.as_str().len() <= 40 && !number.as_str().contains(['.', 'e', 'E']) => {
                Ok(Self(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Err(EnvelopeError::Id)
            }
        }
    }
}

/// Why bytes are not a message.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not JSON as we read it.
    #[error("the body is not acceptable JSON")]
    Json(#[from] ParseError),
    /// An array: JSON-RPC batches are not accepted in any version.
    #[error("batches are not accepted; send one message at a time")]
    Batch,
    /// Not an object.
    #[error("a message is a JSON object")]
    NotAnObject,
    /// `jsonrpc` is missing or not `"2.0"`.
    #[error("`jsonrpc` must be \"2.0\"")]
    Version,
    /// `id` is neither a string nor an integer.
    #[error("`id` must be a string or an integer")]
    Id,
    /// `method` is missing or not a string.
    #[error("`method` must be a string")]
    Method,
    /// `params` is not an object.
    #[error("`params` must be an object")]
    Params,
    /// A member that JSON-RPC does not know: a reader that takes it for something would see another message.
    #[error("a message has no members but `jsonrpc`, `id`, `method`, `params`, `result` and `error`")]
    UnknownMember,
    /// `result` and `error` together, or with `method`.
    #[error("a message is one of request, notification and answer")]
    Ambiguous,
}

/// What was read of a message before it was refused.
#[derive(Debug, PartialEq)]
pub struct Refused {
    /// The id to answer to, where one was readable.
    pub id: Option<Id>,
    /// Why.
    pub error: EnvelopeError,
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// [`Refused`] with the reason, and with the id where one could be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let mut members = match Value::parse(bytes, &Limits::REQUEST) {
            Ok(Value::Object(members)) => members,
            Ok(Value::Array(_)) => return Err(Refused { id: None, error: EnvelopeError::Batch }),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                return Err(Refused { id: None, error: EnvelopeError::NotAnObject });
            }
            Err(error) => return Err(Refused { id: None, error: error.into() }),
        };
        let version = members.remove("jsonrpc");
        let id = match members.remove("id").map(Id::read).transpose() {
            Ok(id) => id,
            Err(error) => return Err(Refused { id: None, error }),
        };
        if version.as_ref().and_then(Value::as_str) != Some("2.0") {
            return Err(Refused { id, error: EnvelopeError::Version });
        }
        Self::read(members, id.clone()).map_err(|error| Refused { id, error })
    }

    fn read(mut members: Object, id: Option<Id>) -> Result<Self, EnvelopeError> {
        let (method, params) = (members.remove("method"), members.remove("params"));
        let (result, error) = (members.remove("result"), members.remove("error"));
        if !members.is_empty() {
            return Err(EnvelopeError::UnknownMember);
        }
        match (method, result, error, id) {
            (Some(Value::String(method)), None, None, id) => {
                let params = match params {
                    None => Object::new(),
                    Some(Value::Object(params)) => params,
                    Some(_) => return Err(EnvelopeError::Params),
                };
                Ok(match id {
                    Some(id) => Self::Request(Request { id, method, params }),
                    None => Self::Notification { method, params },
                })
            }
            (None, Some(result), None, Some(id)) if params.is_none() => Ok(Self::Answer { id, answer: Ok(result) }),
            (None, None, Some(error), Some(id)) if params.is_none() => Ok(Self::Answer { id, answer: Err(error) }),
            (_, None, None, _) => Err(EnvelopeError::Method),
            _ => Err(EnvelopeError::Ambiguous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> EnvelopeError {
        Message::parse(text.as_bytes()).unwrap_err().error
    }

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let Message::Request(request) = Message::parse(br#"{"jsonrpc":"2.0","id":-7,"method":"ping"}"#).unwrap() else {
            panic!("not a request")
        };
        assert_eq!((request.id.value().to_string().as_str(), request.method.as_str()), ("-7", "ping"));
        assert!(matches!(
            Message::parse(br#"{"jsonrpc":"2.0","method":"a","params":{}}"#),
            Ok(Message::Notification { .. })
        ));
        assert!(matches!(
            Message::parse(br#"{"jsonrpc":"2.0","id":"x","result":null}"#),
            Ok(Message::Answer { answer: Ok(_), .. })
        ));
        assert!(matches!(
            Message::parse(br#"{"jsonrpc":"2.0","id":"x","error":{}}"#),
            Ok(Message::Answer { answer: Err(_), .. })
        ));
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        assert!(matches!(error(r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#), EnvelopeError::Json(_)));
        assert_eq!(error(r#"[{"jsonrpc":"2.0","id":1,"method":"a"}]"#), EnvelopeError::Batch);
        assert_eq!(error(r#"{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}"#), EnvelopeError::UnknownMember);
        assert_eq!(error(r#"{"jsonrpc":"2.0","id":1,"method":"a","result":1}"#), EnvelopeError::Ambiguous);
        assert_eq!(error(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#), EnvelopeError::Params);
        assert_eq!(error(r#"{"jsonrpc":"2.0","id":1,"method":7}"#), EnvelopeError::Method);
        assert_eq!(error(r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#), EnvelopeError::Version);
        for id in ["null", "1.5", "1e3", "[1]", "true"] {
            assert_eq!(error(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a"}}"#)), EnvelopeError::Id);
        }
    }

    #[test]
    fn a_refusal_keeps_the_id_it_could_read() {
        let refused = Message::parse(br#"{"jsonrpc":"2.0","id":3,"method":"a","params":1}"#).unwrap_err();
        assert_eq!(refused.id.unwrap().value().to_string(), "3");
    }
}
