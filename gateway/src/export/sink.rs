//! `Sink`: what each kind of place does with a batch, and what it says of each record.

use std::path::Path;
use std::sync::Arc;

use audit::Redactor;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use url::Url;

use super::format::Line;
use super::{OpenError, SendError, datadog, elasticsearch, file, splunk, syslog};
use crate::config;
use crate::endpoint::Reply;

/// One place that records go to.
pub(super) trait Sink: Send + Sync {
    /// Sends a batch once, in order, and waits until somebody says what became of each of its records. An error says that nothing
    /// is known of any.
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>>;

    /// The longest text that it carries.
    fn longest(&self) -> Option<usize> {
        None
    }
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there.
    Taken,
    /// It will never be taken.
    Refused {
        /// Of HTTP; 0 where none was said.
        status: u16,
        said: String,
    },
    /// Not now.
    Again { status: u16, said: String },
}

impl Fate {
    /// With what was said in other words.
    pub(super) fn said(self, other: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Taken => Self::Taken,
            Self::Refused { status, said } => Self::Refused { status, said: other(&said) },
            Self::Again { status, said } => Self::Again { status, said: other(&said) },
        }
    }
}

/// The place that a config names.
///
/// # Errors
/// [`OpenError`]
pub(super) fn open(
    sink: &config::Sink,
    authority: Option<&Path>,
    redactor: &Arc<Redactor>,
) -> Result<Box<dyn Sink>, OpenError> {
    Ok(match sink {
        config::Sink::File { path } => Box::new(file::File::new(path)),
        config::Sink::Syslog { to, facility } => Box::new(syslog::Syslog::open(to, *facility, authority)?),
        config::Sink::Splunk { url, token, index, source_type } => {
            let index = index.as_deref();
            Box::new(splunk::Splunk::open(url, token, index, source_type, authority, redactor)?)
        }
        config::Sink::Elasticsearch { url, index, login } => {
            Box::new(elasticsearch::Elasticsearch::open(url, index, login.as_ref(), authority, redactor)?)
        }
        config::Sink::Datadog { url, key } => Box::new(datadog::Datadog::open(url, key, authority, redactor)?),
    })
}

/// Every record of a batch was taken.
pub(super) fn all_taken(lines: &[Line]) -> Vec<Fate> {
    lines.iter().map(|_| Fate::Taken).collect()
}

/// A batch that is too large to be read is one that is never taken as it is.
pub(super) fn untaken(reply: Reply) -> SendError {
    match reply.taken() {
        Err(SendError::Refused { status: 413, said, .. }) => SendError::Unfit { status: 413, said },
        Err(error) => error,
        Ok(()) => SendError::Late,
    }
}

/// A path below the one that the config names.
///
/// # Errors
/// [`OpenError::Client`]
pub(super) fn below(url: &Url, path: &str) -> Result<Url, OpenError> {
    let mut below = url.clone();
    let mut segments = below.path_segments_mut().map_err(|()| OpenError::Client("the URL has no path".into()))?;
    segments.pop_if_empty().extend(path.split('/'));
    drop(segments);
    Ok(below)
}

/// The value of a header that nothing prints.
///
/// # Errors
/// [`OpenError::Client`]
pub(super) fn secret(value: &str) -> Result<HeaderValue, OpenError> {
    let mut value = HeaderValue::try_from(value).map_err(|error| OpenError::Client(error.into()))?;
    value.set_sensitive(true);
    Ok(value)
}
