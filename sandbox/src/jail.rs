//! `Jail`: a tool server as a process with its own view of the machine: its files, its processes, its network, its kernel.
//!
//! A helper of the same binary builds it ([`main`]) from one value (`Spec`) that comes over an inherited socket:
//!
//! ```text
//! gateway ─ outside: namespaces, control group ─ inside: files, network, limits, Landlock, system calls ─ the program
//! ```
//!
//! A jail that cannot be built in full is refused: nothing runs with less.

mod bounds;
mod drops;
mod fetches;
mod filter;
mod group;
mod helper;
mod inside;
mod lacks;
mod mounts;
mod network;
mod outside;
mod spec;
mod talk;
mod view;
mod walls;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use audit::{Failure, FailureKind};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use policies::ServerName;
use tokio_util::task::TaskTracker;
use vault::Placer;

use crate::config::Program;
use crate::egress::Egress;
use crate::instance::{Spawn, Spawned, hand};
use helper::Helper;
pub use lacks::{lacks, landlock};

/// The helper's own entry: `portcullis jail outside` and `portcullis jail inside`. To be called before anything starts a
/// thread: the kernel lets only a process with one thread into new namespaces.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let ran = match arguments {
        [side] if side == "outside" => outside::run(),
        [side, user @ ..] if side == "inside" => inside::run(user.first().map(String::as_str)),
        _ => return ExitCode::from(2),
    };
    if ran.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A program that is started in a jail.
pub(crate) struct Jail {
    program: Program,
    /// `None` where it was granted no network.
    egress: Option<Arc<Egress>>,
    tasks: TaskTracker,
}

impl Jail {
    pub(crate) fn new(program: Program, egress: Option<Arc<Egress>>, tasks: TaskTracker) -> Self {
        Self { program, egress, tasks }
    }

    async fn start(&self, server: &ServerName, placer: &Placer) -> Result<Spawned, Failure> {
        let exit = self.egress.as_ref().map(|egress| egress.exit(server));
        let mut spec = view::spec(&self.program, exit.as_deref())
            .map_err(|detail| Failure { kind: FailureKind::Unreachable, detail })?;
        let resources = &self.program.resources;
        let (lent, files) = hand::over(placer).map_err(|error| talk::no_jail(&error))?;
        spec.environment.extend(hand::stand_ins(resources, placer));
        spec.lent = lent;
        let (mut helper, mut streams, opened) = Helper::start(&spec, &files, &self.tasks).await?;
        drop(files);
        hand::input(&mut streams.stdin, resources, placer).await.map_err(|error| talk::no_jail(&error))?;
        if let (Some(exit), Some(opened)) = (&exit, opened) {
            helper.tells(opened.serve(exit, &self.tasks).map_err(|error| talk::no_jail(&error))?);
        }
        Ok(Spawned { streams, body: Box::new(helper), exit })
    }
}

impl Spawn for Jail {
    fn spawn<'a>(&'a self, server: &'a ServerName, placer: &'a Placer) -> BoxFuture<'a, Result<Spawned, Failure>> {
        self.start(server, placer).boxed()
    }

    fn is_disposable(&self) -> bool {
        true
    }

    fn advice(&self) -> Option<&'static str> {
        fetches::instead(&self.program)
    }
}
