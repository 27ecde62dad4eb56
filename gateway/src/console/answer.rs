//! The console's answers: what goes with each, and how each refusal reads.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use jsonrpsee::server::{HttpBody, HttpResponse};
use serde::Serialize;

use crate::operator::refused::Refused;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Failure {
    /// `Host` is not ours.
    Host,
    /// Another site's page sent it, or something that is no page.
    Origin,
    /// The page's token is missing or another's.
    Csrf,
    /// No session, or one that is over.
    NoSession,
    /// The body is not what is taken.
    NotJson,
    /// It is too long, or cannot be read.
    Body,
    /// The method is not for this path.
    Method,
    /// There is nothing.
    NotFound,
    /// The one-time code is used up, too old, or none.
    Code,
    /// The name and PIN do not sign in.
    Refused(Refused),
    /// The socket's own server failed.
    Broken,
}

#[derive(Serialize)]
struct Told<'a> {
    error: String,
    next: &'a str,
}

/// Pages load nothing from elsewhere, run nothing that is not a file of ours, and are shown in no one's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// With what every answer bears.
pub(super) fn protected(mut answer: HttpResponse) -> HttpResponse {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let same = HeaderValue::from_static("same-origin");
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(HeaderName::from_static(name), same.clone());
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// JSON of our own making.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    let mut answer = HttpResponse::new(HttpBody::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A refusal, for whoever reads it.
pub(super) fn failed(failure: &Failure) -> HttpResponse {
    let refused;
    let (status, error, next) = match failure {
        Failure::Host => (
            StatusCode::FORBIDDEN,
            "this console does not answer to that `Host`",
            "open it as `portcullis console` says, or name the host in `[operator] console_hosts`",
        ),
        Failure::Origin => (
            StatusCode::FORBIDDEN,
            "the request does not come from a page of this console",
            "send it from the console, or with an `Origin` that is its own",
        ),
        Failure::Csrf => {
            (StatusCode::FORBIDDEN, "the page's token is missing or not this session's", "load the page again")
        }
        Failure::NoSession => (StatusCode::UNAUTHORIZED, "nobody is signed in", "portcullis console"),
        Failure::NotJson => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not JSON", "send `Content-Type: application/json`")
        }
        Failure::Body => (StatusCode::BAD_REQUEST, "the body cannot be used", "send what the reference shows"),
        Failure::Method => (StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method", "see the reference"),
        Failure::NotFound => (StatusCode::NOT_FOUND, "there is nothing here", "begin at /"),
        Failure::Code => {
            (StatusCode::UNAUTHORIZED, "the link was used, or is too old", "make another one: portcullis console")
        }
        Failure::Refused(why) => {
            refused = (why.to_string(), why.next());
            (status(why), refused.0.as_str(), refused.1.as_str())
        }
        Failure::Broken => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the request could not be served", "see the gateway's log")
        }
    };
    json(status, &Told { error: error.to_owned(), next })
}

fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Locked { .. } | Refused::Busy => StatusCode::TOO_MANY_REQUESTS,
        Refused::Unrecorded(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Params(_) => StatusCode::BAD_REQUEST,
        Refused::Role { .. } => StatusCode::FORBIDDEN,
        Refused::Unknown { .. }
        | Refused::Ambiguous { .. }
        | Refused::State { .. }
        | Refused::Gone
        | Refused::Nobody
        | Refused::NeedsPin { .. }
        | Refused::NeedsPasskey { .. }
        | Refused::WrongPin
        | Refused::Passkey { .. }
        | Refused::NoConsole => StatusCode::UNAUTHORIZED,
    }
}

impl Failure {
    /// What the log says of it; a page that is gone, or a session that ended, is nobody's attack.
    pub(super) fn recorded(&self) -> Option<&'static str> {
        match self {
            Self::Host => Some("a `Host` that is not the console's"),
            Self::Origin => Some("a page of another site"),
            Self::Csrf => Some("without the page's token"),
            Self::Code => Some("a sign-in link that is no good"),
            // A PIN has its own record, where it has a name.
            Self::Refused(_)
            | Self::NoSession
            | Self::NotJson
            | Self::Body
            | Self::Method
            | Self::NotFound
            | Self::Broken => None,
        }
    }
}
