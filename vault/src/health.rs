//! `Health`: how each backend answered last, for whoever looks at how things are going.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::backend::BackendError;
use crate::vault::Vault;

/// How a backend answered when a call last needed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// By its name in the config.
    pub backend: String,
    /// When that was; `None` if no call has needed it since the gateway started.
    pub at: Option<Timestamp>,
    /// Why it gave nothing.
    pub fault: Option<String>,
}

/// The last answers, by backend. Nobody is asked for the sake of this: a login is an entry in somebody's trail.
#[derive(Default)]
pub(crate) struct Health(Mutex<BTreeMap<String, (Timestamp, Option<String>)>>);

impl Health {
    pub(crate) fn note<T>(&self, backend: &str, at: Timestamp, answer: &Result<T, BackendError>) {
        let fault = answer.as_ref().err().filter(|error| is_its_own(error)).map(ToString::to_string);
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(backend.to_owned(), (at, fault));
    }

    fn of(&self, backend: &str) -> Answer {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, fault) = answers.get(backend).cloned().map_or((None, None), |(at, fault)| (Some(at), fault));
        Answer { backend: backend.to_owned(), at, fault }
    }
}

/// One that says that there is no such secret is well.
fn is_its_own(error: &BackendError) -> bool {
    match error {
        BackendError::Unreachable(_)
        | BackendError::Late
        | BackendError::Sealed
        | BackendError::Unauthenticated
        | BackendError::Malformed(_) => true,
        BackendError::Forbidden | BackendError::Missing | BackendError::Short => false,
    }
}

impl Vault {
    /// How each backend that a secret is kept in answered last.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        let Some(lender) = &self.0 else { return Vec::new() };
        let mut backends: Vec<&str> = lender.secrets.values().map(|source| source.backend.as_str()).collect();
        backends.sort_unstable();
        backends.dedup();
        backends.into_iter().map(|backend| lender.health.of(backend)).collect()
    }
}
