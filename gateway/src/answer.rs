//! Every end of a request to JSON-RPC and HTTP, and nowhere else: what an agent may read is chosen here, not printed.

use audit::{Answer, AuditError, Failure, FailureKind, Receipt, Refusal};
use http::StatusCode;
use jsonrpsee::types::ErrorObjectOwned;
use policies::{HoldId, Method, Object, ParseError, Value};
use sandbox::Era;

use crate::agent::auth::Rejected;
use crate::agent::envelope::{EnvelopeError, Id};

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// The code: the standard's, MCP's, or one of ours outside -32768..-32000.
    pub code: i32,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Value>,
}

/// Not JSON.
pub const PARSE: i32 = -32700;
/// Not a request.
pub const INVALID_REQUEST: i32 = -32600;
/// No such method.
pub const NO_METHOD: i32 = -32601;
/// Not these params.
pub const INVALID_PARAMS: i32 = -32602;
/// 2025-11-25 and before: no such resource.
pub const NO_RESOURCE: i32 = -32002;
/// A header and the body differ.
pub const HEADER_MISMATCH: i32 = -32020;
/// The client did not declare a capability that the request needs.
pub const MISSING_CAPABILITY: i32 = -32021;
/// A protocol version that is not spoken here.
pub const UNSUPPORTED_VERSION: i32 = -32022;
/// Ours: a rule or a person refused the request.
pub const REFUSED: i32 = -31_000;
/// Ours: the log cannot be written, so nothing runs.
pub const UNRECORDED: i32 = -31_001;
/// Ours: too many or too fast; try again.
pub const BUSY: i32 = -31_002;
/// Ours: the tool's server gave no answer that can be passed on.
pub const FAILED: i32 = -31_003;
/// Ours: a person has not answered yet.
pub const PENDING: i32 = -31_004;

/// The key of a refusal in `_meta`: what its text says, for programs.
pub const REFUSAL: &str = "dev.portcullis/refusal";

impl RpcError {
    /// An error without data.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same with data.
    #[must_use]
    pub fn with(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The whole message.
    #[must_use]
    pub fn to_message(&self, id: Option<&Id>) -> Value {
        let mut error = Object::new();
        error.insert("code", self.code);
        error.insert("message", self.message.as_str());
        if let Some(data) = &self.data {
            error.insert("data", data.clone());
        }
        message(id, "error", error.into())
    }
}

/// A JSON-RPC response with this member.
#[must_use]
pub fn message(id: Option<&Id>, member: &str, value: Value) -> Value {
    let id = id.map_or(Value::Null, |id| id.value().clone());
    [("jsonrpc", Value::from("2.0")), ("id", id), (member, value)].into_iter().collect::<Object>().into()
}

/// The HTTP status of a JSON-RPC error. Legacy clients take 404 for a lost session, so they get 200 where modern ones
/// are told more.
#[must_use]
pub fn status(code: i32, era: Era) -> StatusCode {
    match (code, era) {
        (BUSY, _) => StatusCode::TOO_MANY_REQUESTS,
        (UNRECORDED, _) => StatusCode::SERVICE_UNAVAILABLE,
        (PARSE | INVALID_REQUEST | HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION, _) => {
            StatusCode::BAD_REQUEST
        }
        (NO_METHOD, Era::Modern) => StatusCode::NOT_FOUND,
        (_, Era::Modern | Era::Legacy(_)) => StatusCode::OK,
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code, error.message, error.data)
    }
}

impl From<&EnvelopeError> for RpcError {
    fn from(error: &EnvelopeError) -> Self {
        match error {
            EnvelopeError::Json(cause @ (ParseError::DuplicateKey { .. } | ParseError::LoneSurrogate { .. })) => {
                Self::new(PARSE, format!("refused: {cause}; readers of it could differ"))
            }
            EnvelopeError::Json(cause) => Self::new(PARSE, format!("not acceptable JSON: {cause}")),
            EnvelopeError::Batch
            | EnvelopeError::NotAnObject
            | EnvelopeError::Version
            | EnvelopeError::Id
            | EnvelopeError::Method
            | EnvelopeError::Params
            | EnvelopeError::UnknownMember
            | EnvelopeError::Ambiguous => Self::new(INVALID_REQUEST, error.to_string()),
        }
    }
}

impl From<Rejected> for (StatusCode, RpcError) {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::NoToken => {
                let next = "send `Authorization: Bearer TOKEN`; `portcullis agent add NAME` makes a token";
                (StatusCode::UNAUTHORIZED, RpcError::new(REFUSED, format!("no agent token; {next}")))
            }
            Rejected::BadToken => {
                let next = "it is unknown, expired or removed; `portcullis agent add NAME` makes a new one";
                (StatusCode::UNAUTHORIZED, RpcError::new(REFUSED, format!("this agent token is not accepted; {next}")))
            }
            Rejected::TooFast => {
                (StatusCode::TOO_MANY_REQUESTS, RpcError::new(BUSY, "too many requests a second; slow down"))
            }
            Rejected::TooMany => {
                let next = "wait for some to be answered";
                (StatusCode::TOO_MANY_REQUESTS, RpcError::new(BUSY, format!("too many requests in flight; {next}")))
            }
        }
    }
}

impl From<&AuditError> for RpcError {
    fn from(error: &AuditError) -> Self {
        if *error == AuditError::NoAuthor {
            return Self::new(UNRECORDED, format!("{error}, so nothing ran; ask again as who you are now"));
        }
        let what = "this gateway cannot record, so it does not act";
        Self::new(UNRECORDED, format!("{what}: {error}; try again later, or tell the operator"))
    }
}

/// A recorded answer, as the agent's era wants it.
///
/// # Errors
/// Where the answer is an error by nature.
pub fn receipt(receipt: Receipt, method: Method, era: Era) -> Result<Value, RpcError> {
    let call = receipt.call_id().clone();
    match receipt.into_answer() {
        Answer::Result(result) => Ok(result_for(result, era)),
        Answer::Error(error) => Err(upstream_error(&error, era)),
        Answer::Failed(failure) => failed(&failure, call.as_str(), method, era),
        Answer::Cancelled => Err(RpcError::new(FAILED, "the call was cancelled; it may have had effects")),
        Answer::Interrupted => {
            Err(RpcError::new(FAILED, "the gateway stopped while the call ran; it may have had effects"))
        }
    }
}

/// A recorded refusal: for a tool a result with `isError`, because clients show those to the model.
///
/// # Errors
/// For methods whose results cannot say that something went wrong.
pub fn refusal(refusal: &Refusal, method: Method, era: Era) -> Result<Value, RpcError> {
    let refused = refusal.refused();
    let text = format!("Refused by rule `{}`: {} {}", refused.rule, sentence(&refused.reason), sentence(&refused.next));
    let reasons: Vec<Value> = refusal.reasons().iter().map(|reason| reason.id.into()).collect();
    let data = [
        ("rule", Value::from(refused.rule.as_str())),
        ("reason", refused.reason.as_str().into()),
        ("next", refused.next.as_str().into()),
        ("risk", refusal.risk().as_str().into()),
        ("reasons", reasons.into()),
        ("call", refusal.call_id().as_str().into()),
    ];
    told(REFUSED, text, data.into_iter().collect(), method, era)
}

/// A call that still waits for a person when its agent must be answered.
///
/// # Errors
/// For methods whose results cannot say that something went wrong.
pub fn pending(hold: &HoldId, method: Method, era: Era) -> Result<Value, RpcError> {
    let text = format!(
        "Approval {hold} is pending: a person has to allow this call and has not answered yet. Nothing has run. Send the same \
         call again, unchanged, to wait on or to collect the answer."
    );
    let data = [
        ("rule", "held"),
        ("reason", "a person has to allow this call"),
        ("next", "send the same call again"),
        ("hold", hold.as_str()),
    ];
    told(PENDING, text, data.into_iter().collect(), method, era)
}

/// Arguments that the tool's schema does not allow.
///
/// # Errors
/// For methods whose results cannot say that something went wrong.
pub fn invalid_arguments(text: &str, era: Era) -> Result<Value, RpcError> {
    let data = [("rule", "invalid-arguments"), ("reason", text), ("next", "correct the arguments and call again")];
    told(
        INVALID_PARAMS,
        format!("The arguments do not fit the tool's input schema: {text}"),
        data.into_iter().collect(),
        Method::CallTool,
        era,
    )
}

/// A tool that is not offered as it is now.
///
/// # Errors
/// Never: this is for `tools/call`, whose result can say that something went wrong.
pub fn withheld(rule: &str, reason: &str, era: Era) -> Result<Value, RpcError> {
    let next = "ask the operator to look at it with `portcullis tools list` and `portcullis tools accept`";
    let text = format!("Refused by rule `{rule}`: {} {}", sentence(reason), sentence(next));
    let data = [("rule", rule), ("reason", reason), ("next", next)];
    told(REFUSED, text, data.into_iter().collect(), Method::CallTool, era)
}

/// A task whose call cannot go on.
///
/// # Errors
/// For methods whose results cannot say that something went wrong.
pub fn lost(text: &str, method: Method, era: Era) -> Result<Value, RpcError> {
    let data = [("rule", "held"), ("reason", text), ("next", "send the call again if it is still wanted")];
    told(REFUSED, sentence(text), data.into_iter().collect(), method, era)
}

fn failed(failure: &Failure, call: &str, method: Method, era: Era) -> Result<Value, RpcError> {
    let ran = !matches!(
        failure.kind,
        FailureKind::Unreachable | FailureKind::Busy | FailureKind::Lease | FailureKind::NoSandbox
    );
    let effects = if ran {
        "It may have had effects: look before you repeat it."
    } else {
        "Nothing ran; it is safe to try again."
    };
    let text = format!("The tool gave no answer ({}): {} {effects}", failure.kind.as_str(), sentence(&failure.detail));
    let data =
        [("rule", failure.kind.as_str()), ("reason", failure.detail.as_str()), ("next", effects), ("call", call)];
    told(FAILED, text, data.into_iter().collect(), method, era)
}

fn told(code: i32, text: String, data: Object, method: Method, era: Era) -> Result<Value, RpcError> {
    if method != Method::CallTool {
        return Err(RpcError::new(code, text).with(data));
    }
    let block = [("type", "text".into()), ("text", Value::from(text))].into_iter().collect::<Object>();
    let meta = [(REFUSAL, Value::from(data))].into_iter().collect::<Object>();
    let result = [("content", Value::from(vec![block.into()])), ("isError", true.into()), ("_meta", meta.into())];
    Ok(result_for(result.into_iter().collect::<Object>().into(), era))
}

/// `resultType` came with 2026-07-28: required there, unknown before.
#[must_use]
pub fn result_for(mut result: Value, era: Era) -> Value {
    if let Some(members) = result.as_object_mut() {
        match era {
            Era::Modern if !members.contains_key("resultType") => drop(members.insert("resultType", "complete")),
            Era::Modern => {}
            Era::Legacy(_) => drop(members.remove("resultType")),
        }
    }
    result
}

/// The server's own error, redacted, with the codes that one era has and the other has not exchanged.
fn upstream_error(error: &Value, era: Era) -> RpcError {
    let code = error.get("code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok()).unwrap_or(FAILED);
    let code = match (code, era) {
        (NO_RESOURCE, Era::Modern) => INVALID_PARAMS,
        (code, _) => code,
    };
    let message = error.get("message").and_then(Value::as_str).unwrap_or("the tool's server answered with an error");
    RpcError { code, message: message.to_owned(), data: error.get("data").cloned() }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
