//! `Raw`: what came from outside and has not been redacted, so it can go nowhere but into the log's hands.

use policies::Value;

/// A value from outside, unredacted. It can be made anywhere and read only here: the way out is
/// [`Redactor::redact`](crate::Redactor::redact) or a recorded answer.
///
/// It cannot be printed:
///
/// ```compile_fail
/// fn print(raw: audit::Raw) -> String {
///     format!("{raw:?}")
/// }
/// ```
///
/// ```compile_fail
/// fn show(raw: audit::Raw) -> String {
///     raw.to_string()
/// }
/// ```
///
/// nor copied, compared or serialised:
///
/// ```compile_fail
/// fn twice(raw: audit::Raw) -> (audit::Raw, audit::Raw) {
///     (raw.clone(), raw)
/// }
/// ```
///
/// ```compile_fail
/// fn same(a: audit::Raw, b: audit::Raw) -> bool {
///     a == b
/// }
/// ```
///
/// ```compile_fail
/// fn send(raw: audit::Raw) -> String {
///     serde_json::to_string(&raw).unwrap()
/// }
/// ```
#[must_use = "what a tool answered must be recorded"]
pub struct Raw {
    value: Value,
    state: Option<String>,
}

/// What kind of answer a result is, as far as the gateway must know before it is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    /// The final answer; also what servers send that know no `resultType`.
    Complete,
    /// The server asks the client for input and wants the call again.
    InputRequired,
    /// The server made a task of it.
    Task,
    /// A kind that no specification we know has: not an answer.
    Other,
}

impl Raw {
    /// Takes a value from outside. An `input_required` result's `requestState` is set apart: it is the server's own sealed
    /// text, which redaction must not touch and the log must not hold.
    pub fn new(mut value: Value) -> Self {
        let state = take_state(&mut value);
        Self { value, state }
    }

    /// What kind of answer this is.
    #[must_use]
    pub fn result_type(&self) -> ResultType {
        result_type(&self.value)
    }

    /// Whether it says of itself that the tool failed.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.value.get("isError").and_then(Value::as_bool) == Some(true)
    }

    /// The `requestState` of an `input_required` result, as the server sent it. Once taken, or dropped with this value, it is gone.
    #[must_use]
    pub fn take_state(&mut self) -> Option<String> {
        self.state.take()
    }

    pub(crate) fn into_value(self) -> Value {
        self.value
    }
}

fn result_type(value: &Value) -> ResultType {
    match value.get("resultType") {
        None => ResultType::Complete,
        Some(kind) => match kind.as_str() {
            Some("complete") => ResultType::Complete,
            Some("input_required") => ResultType::InputRequired,
            Some("task") => ResultType::Task,
            Some(_) | None => ResultType::Other,
        },
    }
}

fn take_state(value: &mut Value) -> Option<String> {
    if result_type(value) != ResultType::InputRequired {
        return None;
    }
    match value.as_object_mut()?.remove("requestState")? {
        Value::String(state) => Some(state),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use policies::Limits;

    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::new(Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap())
    }

    #[test]
    fn a_request_state_is_set_apart_and_leaves_once() {
        let mut raw = raw(r#"{"resultType":"input_required","requestState":"opaque","inputRequests":{}}"#);
        assert_eq!(raw.result_type(), ResultType::InputRequired);
        assert_eq!(raw.take_state().as_deref(), Some("opaque"));
        assert_eq!(raw.take_state(), None);
        assert_eq!(raw.into_value().to_string(), r#"{"resultType":"input_required","inputRequests":{}}"#);
    }

    #[test]
    fn a_complete_answer_keeps_a_member_that_is_named_like_state() {
        let mut raw = raw(r#"{"resultType":"complete","requestState":"mine"}"#);
        assert_eq!(raw.take_state(), None);
        assert_eq!(raw.into_value().to_string(), r#"{"resultType":"complete","requestState":"mine"}"#);
    }

    #[test]
    fn an_unknown_kind_is_not_an_answer() {
        assert_eq!(raw(r#"{"resultType":"surprise"}"#).result_type(), ResultType::Other);
        assert_eq!(raw(r#"{"resultType":7}"#).result_type(), ResultType::Other);
        assert_eq!(raw(r#"{"content":[]}"#).result_type(), ResultType::Complete);
        assert_eq!(raw(r#"{"resultType":"task"}"#).result_type(), ResultType::Task);
    }
}
