//! From what the client says went wrong to what is told of it: without addresses, paths, tokens or bodies.

use std::error::Error;

use rustify::errors::ClientError as RestError;
use thiserror::Error;
use vaultrs::error::ClientError;

use crate::backend::BackendError;
use crate::own::BadCredential;

/// What a request came to. Copied, so that whoever waited for the same answer is told the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    #[error("the time was up")]
    Late,
    #[error("it is sealed")]
    Sealed,
    /// A request that is not good, or a login that is not: the status and nothing of the text.
    #[error("it refused the request")]
    Refused,
    #[error("it denied the request")]
    Denied,
    #[error("there is nothing there")]
    Missing,
    #[error("it answered with the status {0}")]
    Status(u16),
    #[error("{0}")]
    Malformed(String),
    /// The gateway's own credential cannot be read.
    #[error("{0}")]
    Credential(String),
}

impl From<BadCredential> for Fault {
    fn from(BadCredential(why): BadCredential) -> Self {
        Self::Credential(why)
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::APIError { code, errors } => Self::of_status(code, &errors.join(" ")),
            ClientError::RestClientError { source } => Self::from(source),
            ClientError::ResponseEmptyError
            | ClientError::ResponseDataEmptyError
            | ClientError::ResponseWrapError
            | ClientError::WrapInvalidError
            | ClientError::JsonParseError { .. } => Self::Malformed("its answer lacks what was asked for".to_owned()),
            ClientError::FileNotFoundError { .. }
            | ClientError::FileReadError { .. }
            | ClientError::FileWriteError { .. }
            | ClientError::InvalidLoginMethodError
            | ClientError::ParseCertificateError { .. }
            | ClientError::RestClientBuildError { .. }
            | ClientError::InvalidUpdateParameter => Self::Malformed("the request could not be made".to_owned()),
        }
    }
}

impl From<RestError> for Fault {
    fn from(error: RestError) -> Self {
        match error {
            RestError::ServerResponseError { code, content } => {
                Self::of_status(code, content.as_deref().unwrap_or_default())
            }
            RestError::RequestError { source, .. } | RestError::ResponseError { source } => {
                // Only the source knows the cause; with its address it would name the secret.
                source.downcast::<reqwest::Error>().map_or_else(|_| Self::Connection("unknown".to_owned()), Self::from)
            }
            RestError::ResponseParseError { source, .. } => Self::Malformed(unreadable(source.downcast_ref())),
            RestError::ResponseConversionError { .. } => Self::Malformed("its answer is not text".to_owned()),
            RestError::DataParseError { .. }
            | RestError::EndpointBuildError { .. }
            | RestError::GenericError { .. }
            | RestError::RequestBuildError { .. }
            | RestError::ReqwestBuildError { .. }
            | RestError::UrlBuildError { .. }
            | RestError::UrlQueryParseError { .. }
            | RestError::UrlParseError { .. } => Self::Malformed("the request could not be made".to_owned()),
        }
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::Late;
        }
        let chain = || std::iter::successors(Some(&error as &dyn Error), |error| cause(*error));
        let deepest = chain().last().map_or_else(String::new, ToString::to_string);
        if chain().any(|error| error.downcast_ref::<rustls::Error>().is_some()) {
            Self::Certificate(deepest)
        } else {
            Self::Connection(deepest)
        }
    }
}

/// The next cause; an I/O error hides what it carries from `source`.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    carried.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
}

/// Where an answer stops making sense. What stands there may be a secret: `serde_json` would quote it.
fn unreadable(error: Option<&serde_json::Error>) -> String {
    error.map_or_else(
        || "its answer is not of the expected form".to_owned(),
        |error| format!("its answer is not of the expected form, at line {}, column {}", error.line(), error.column()),
    )
}

impl Fault {
    fn of_status(code: u16, text: &str) -> Self {
        match code {
            400 => Self::Refused,
            401 | 403 => Self::Denied,
            404 => Self::Missing,
            503 if text.contains("sealed") => Self::Sealed,
            _ => Self::Status(code),
        }
    }

    /// The same of a request by which the gateway says who it is: whatever is refused there is its own credential.
    pub(super) fn of_login(self) -> Self {
        if matches!(self, Self::Refused | Self::Missing) { Self::Denied } else { self }
    }

    /// As whoever lends secrets is told, where `Denied` means what is asked for, not who asks.
    pub(super) fn told(self) -> BackendError {
        match self {
            Self::Late => BackendError::Late,
            Self::Sealed => BackendError::Sealed,
            Self::Denied => BackendError::Forbidden,
            Self::Missing => BackendError::Missing,
            Self::Credential(_) => BackendError::Unauthenticated,
            Self::Connection(_) | Self::Certificate(_) | Self::Status(_) => BackendError::Unreachable(Box::new(self)),
            Self::Refused | Self::Malformed(_) => BackendError::Malformed(Box::new(self)),
        }
    }
}
