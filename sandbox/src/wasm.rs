//! `Wasm`: a tool server that is a component. It has no process: each call makes an instance, and throws it away.
//!
//! ```text
//! Starting ─ read, compile or load, describe ─► Ready        Starting ─ fails ─► Down ─ backoff ─► Starting
//! ```

mod binary;
mod bundled;
mod cache;
mod disk;
mod ending;
mod engine;
mod guest;
mod host;
mod limiter;
mod shelf;
mod stdio;

use std::sync::Arc;
use std::time::Duration;

use audit::{FailureKind, Observed};
use policies::{Call, Object, ServerName};
use tokio::time::Instant;
use vault::Placer;

use crate::config::WasmSource;
use crate::egress::Opening;
use crate::limits::Limits;
use crate::line::Line;
use crate::mcp::Reply;
use crate::phase::{Backoff, Phase, Phases};
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
pub(crate) use guest::Guest;
use guest::{Asked, Surround};
use host::Seen;

pub use bundled::{Bundled, Web, bundled, bundled_http, bundled_offers};

/// A tool server that is a component.
pub(crate) struct Wasm {
    server: ServerName,
    source: WasmSource,
    limits: Limits,
    around: Surroundings,
    phases: Phases<Guest>,
}

impl Wasm {
    /// Compiles it in the background, or loads what was compiled before.
    pub(crate) fn start(server: ServerName, source: WasmSource, limits: Limits, around: Surroundings) -> Arc<Self> {
        let phases = Phases::new(server.clone(), around.changes.clone());
        let wasm = Arc::new(Self { server, source, limits, around, phases });
        wasm.around.tasks.spawn(Arc::clone(&wasm).make_ready());
        wasm
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Guest> {
        self.phases.current()
    }

    /// What it said of itself, once it is there.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        let guest = self.phases.ready().await.map_err(|failure| ServerError::Down { why: failure.detail })?;
        Ok(guest.greeting())
    }

    /// Runs a recorded call in an instance of its own, and adds to `seen` what it tried to reach; the caller sets the
    /// deadline. Dropping it ends the guest, wherever it is.
    pub(crate) async fn call(&self, call: &Call, line: &Line, (placer, seen): (&Placer, &mut Observed)) -> Reply {
        let guest = match self.phases.ready().await {
            Ok(guest) => guest,
            Err(failure) => return Reply::Failed(failure),
        };
        if line.resume.is_some() {
            let detail = "the server does not know how to go on with a call that asked for input";
            return Reply::failed(FailureKind::Unsupported, detail);
        }
        let exit = match &self.around.egress {
            Ok(egress) => egress.exit(&self.server),
            Err(why) => return Reply::failed(FailureKind::NoSandbox, why.as_str()),
        };
        let opening = match exit.open(&self.source.resources, placer.clone()) {
            Ok(opening) => opening,
            Err(in_use) => return Reply::failed(FailureKind::NoSandbox, in_use.to_string()),
        };
        // Dropped last, also where this future is dropped: the guest is gone by then, and everything it tried is told.
        let visit = Visit { opening: Some(opening), beside: Seen::default(), seen };
        let around = Surround { exit: Some(exit), seen: visit.beside.clone(), placer: placer.clone() };
        guest.run(Asked::Call(call, line), around).await
    }

    /// Asks something that is not a call: no folder and no host is open to what answers it.
    pub(crate) async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        match self.phases.ready().await {
            Ok(guest) => guest.run(Asked::Plain(method, params), Surround::default()).await,
            Err(failure) => Reply::Failed(failure),
        }
    }

    async fn make_ready(self: Arc<Self>) {
        let mut backoff = Backoff::new();
        while !self.around.stop.is_cancelled() {
            self.phases.enter(Phase::Starting);
            let began = Instant::now();
            let prepared = tokio::select! {
                prepared = self.prepare() => prepared,
                () = self.around.stop.cancelled() => return,
            };
            let why = match prepared {
                Ok(guest) => return self.phases.enter(Phase::Ready(Arc::new(guest))),
                Err(why) => why,
            };
            let wait = backoff.after(began.elapsed());
            self.phases.enter(Phase::Down { kind: FailureKind::NoSandbox, why, retry_at: Instant::now() + wait });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.around.stop.cancelled() => {}
            }
        }
    }

    async fn prepare(&self) -> Result<Guest, String> {
        let (source, server, limits) = (self.source.clone(), self.server.clone(), self.limits);
        // Compiling takes a processor for a second; that must not be one that answers others.
        let cache = self.around.compiled.clone();
        let compiled = move || Guest::compile(server, &source, &cache, limits);
        let compiled = self.around.tasks.spawn_blocking(compiled).await;
        let guest = compiled.map_err(|_| "its compiler came to an unexpected end".to_owned())??;
        let described = tokio::time::timeout(DESCRIBE, guest.described(self.around.changes.clone())).await;
        described.map_err(|_| format!("it did not describe itself within {} s", DESCRIBE.as_secs()))?
    }
}

/// A component says what it is without doing anything.
const DESCRIBE: Duration = Duration::from_secs(10);

/// One call's way out and what it tried, told when the call is over, however it ends.
struct Visit<'a> {
    opening: Option<Opening>,
    /// What the edge does not see.
    beside: Seen,
    seen: &'a mut Observed,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.seen.merge(self.opening.take().map(Opening::close).unwrap_or_default());
        self.seen.merge(self.beside.take());
    }
}
