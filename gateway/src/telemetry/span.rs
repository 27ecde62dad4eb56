//! `Span`: one stretch of a request's life; it is told when it is dropped.
//!
//! No argument and no result is ever put into one, and every text in it passes the redactor before it leaves.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::context::{Remote, carried};
use super::tracer::Tracer;
use crate::clock;

/// One stretch of a request's life.
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    within: Scope,
    since: Instant,
    told: Option<Told>,
}

/// A span that others can be made within.
#[derive(Clone)]
pub struct Scope {
    tracer: Arc<Tracer>,
    trace: [u8; 16],
    id: [u8; 8],
    state: Option<Arc<str>>,
}

/// What a call carries of the trace that it is part of.
#[derive(Clone, Default)]
pub struct Trace {
    /// What goes on where we have no span: what the agent said, if it said something usable.
    carried: Vec<(String, String)>,
    scope: Option<Scope>,
}

/// Which side of an exchange a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A step of our own.
    Internal,
    /// We were asked.
    Server,
    /// We ask.
    Client,
}

/// An ended span.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) state: Option<Arc<str>>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Vec<(&'static str, Cow<'static, str>)>,
    pub(super) error: Option<Cow<'static, str>>,
}

impl Span {
    /// The first span of a request, below the agent's own where it named one.
    pub(super) fn first(tracer: &Arc<Tracer>, trace: [u8; 16], remote: Option<&Remote>, name: &'static str) -> Self {
        let state = remote.and_then(|remote| remote.state.as_deref()).map(Arc::from);
        let scope = Scope { tracer: Arc::clone(tracer), trace, id: clock::random(), state };
        Self::begin(scope, remote.map(|remote| remote.parent), Kind::Server, Cow::Borrowed(name))
    }

    fn begin(within: Scope, parent: Option<[u8; 8]>, kind: Kind, name: Cow<'static, str>) -> Self {
        let start = clock::now();
        let (trace, id, state) = (within.trace, within.id, within.state.clone());
        let (attributes, error) = (Vec::new(), None);
        let told = Told { trace, id, parent, state, name, kind, start, end: start, attributes, error };
        Self { within, since: Instant::now(), told: Some(told) }
    }

    /// Says something of it.
    pub fn set(&mut self, key: &'static str, text: impl Into<Cow<'static, str>>) {
        if let Some(told) = &mut self.told {
            told.attributes.push((key, text.into()));
        }
    }

    /// It failed for this reason, of which there are few: the first one stands.
    pub fn fail(&mut self, why: impl Into<Cow<'static, str>>) {
        if let Some(told) = &mut self.told {
            told.error.get_or_insert(why.into());
        }
    }

    /// Its name, once it is known what it is about.
    pub fn rename(&mut self, name: String) {
        if let Some(told) = &mut self.told {
            told.name = Cow::Owned(name);
        }
    }

    /// Others can be made within it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.within.clone()
    }

    /// What a tool server is told: that its own span is below this one.
    fn carried(&self) -> Vec<(String, String)> {
        carried(&self.within.trace, &self.within.id, true, self.within.state.as_deref())
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(mut told) = self.told.take() else { return };
        // A clock that is set back meanwhile must not make a span end before it began.
        let took = SignedDuration::try_from(self.since.elapsed()).unwrap_or_default();
        told.end = told.start.checked_add(took).unwrap_or(told.start);
        self.within.tracer.tell(told);
    }
}

impl Scope {
    /// A span within this one.
    pub fn span(&self, kind: Kind, name: impl Into<Cow<'static, str>>) -> Span {
        Span::begin(Self { id: clock::random(), ..self.clone() }, Some(self.id), kind, name.into())
    }
}

impl Trace {
    /// What a request brought, and the span that it is answered in.
    #[must_use]
    pub fn new(remote: Option<&Remote>, scope: Option<Scope>) -> Self {
        Self { carried: remote.map(Remote::carried).unwrap_or_default(), scope }
    }

    /// A step of ours, if the request is traced.
    #[must_use]
    pub fn step(&self, name: &'static str) -> Option<Span> {
        self.scope.as_ref().map(|scope| scope.span(Kind::Internal, name))
    }

    /// Asking somebody else, if the request is traced.
    #[must_use]
    pub fn ask(&self, name: String) -> Option<Span> {
        self.scope.as_ref().map(|scope| scope.span(Kind::Client, name))
    }

    /// What goes on to whom is asked in this span.
    #[must_use]
    pub fn carried(&self, asking: Option<&Span>) -> Vec<(String, String)> {
        asking.map_or_else(|| self.carried.clone(), Span::carried)
    }
}
