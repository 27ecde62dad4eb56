//! `Commands`: a server whose tools are commands. Each call runs the program once, in a sandbox of its own that is gone after it.
//!
//! ```text
//! call ─ words or JSON ─► sandbox made ─ way out opened ─ runs ─► exits ─► way out closed, sandbox removed ─► answer
//! ```

mod running;

use std::sync::Arc;

use audit::{FailureKind, Observed};
use policies::{Call, Method, Object, ServerName, Value};
use tokio::sync::Semaphore;
use vault::Placer;

use crate::config::Program;
use crate::container::Contained;
use crate::egress::Egress;
use crate::instance::Spawn;
use crate::jail::Jail;
use crate::limits::Limits;
use crate::line::{Era, Line};
use crate::mcp::Reply;
use crate::package::{DeclaredTool, definitions};
use crate::phase::{Phase, Phases};
use crate::process::Bare;
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
use policies::profile::Resources;
use running::Running;

/// A server whose tools are commands.
pub(crate) struct Commands {
    server: ServerName,
    program: Runs,
    tools: Vec<DeclaredTool>,
    resources: Arc<Resources>,
    limits: Limits,
    around: Surroundings,
    phases: Phases<Greeting>,
    /// A command that runs holds one; others wait, until their deadline.
    places: Semaphore,
}

/// What the program runs in.
pub(crate) enum Runs {
    /// A container.
    Contained(Contained),
    /// A jail, with a way out where one was granted.
    Jailed(Program, Option<Arc<Egress>>),
    /// Nothing that keeps it.
    Bare(Program),
}

/// Commands that run at once.
const AT_ONCE: usize = 16;

impl Runs {
    /// How the program is started with these words after its own.
    fn with(&self, words: Vec<String>, around: &Surroundings) -> Box<dyn Spawn> {
        let program = |program: &Program| {
            let mut program = program.clone();
            program.arguments.extend(words.clone());
            program
        };
        match self {
            Self::Contained(contained) => {
                let mut contained = contained.clone();
                contained.source.command.extend(words);
                Box::new(contained)
            }
            Self::Jailed(jailed, egress) => Box::new(Jail::new(program(jailed), egress.clone(), around.tasks.clone())),
            Self::Bare(bare) => Box::new(Bare(program(bare))),
        }
    }
}

impl Commands {
    pub(crate) fn start(
        server: ServerName,
        program: Runs,
        tools: Vec<DeclaredTool>,
        (resources, limits): (Arc<Resources>, Limits),
        around: Surroundings,
    ) -> Arc<Self> {
        let (phases, places) = (Phases::new(server.clone(), around.changes.clone()), Semaphore::new(AT_ONCE));
        let commands = Arc::new(Self { server, program, tools, resources, limits, around, phases, places });
        let ready = Arc::clone(&commands);
        // What it offers stands in its manifest; whether it can be run, the first call tells.
        commands.around.tasks.spawn(async move { ready.phases.enter(Phase::Ready(Arc::new(greeting(&ready.server)))) });
        commands
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Greeting> {
        self.phases.current()
    }

    /// What its manifest says of it.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        let greeting = self.phases.ready().await.map_err(|failure| ServerError::Down { why: failure.detail })?;
        Ok(greeting.as_ref().clone())
    }

    /// Runs a recorded call, and adds to `seen` what it tried to reach; the caller sets the deadline. Dropping it ends the
    /// command, wherever it is.
    pub(crate) async fn call(&self, call: &Call, line: &Line, (placer, seen): (&Placer, &mut Observed)) -> Reply {
        if line.resume.is_some() {
            return Reply::failed(FailureKind::Unsupported, "a command does not ask for input");
        }
        let tool = self.tools.iter().find(|tool| tool.name() == call.tool().name());
        let Some(tool) = tool.filter(|_| call.tool().method() == Method::CallTool) else {
            return Reply::failed(
                FailureKind::Unsupported,
                "a command offers the tools of its manifest, and nothing else",
            );
        };
        let words = match tool.words(call.arguments()) {
            Ok(words) => words,
            Err(error) => return Reply::said(&[&format!("the arguments do not fit: {error}")], true),
        };
        let Ok(_place) = self.places.acquire().await else { return Reply::Stopped };
        let spawn = self.program.with(words, &self.around);
        let spawned = match spawn.spawn(&self.server, placer).await {
            Ok(spawned) => spawned,
            Err(failure) => return Reply::Failed(failure),
        };
        let input = if tool.reads() { input(call) } else { Vec::new() };
        let whose = (&self.server, &self.around);
        match Running::open(spawned, (&self.resources, placer), whose, seen) {
            Ok(running) => running.finish(&input, &self.limits).await,
            Err(failure) => Reply::Failed(failure),
        }
    }

    /// Asks something that is not a call: nothing is run for it.
    pub(crate) fn ask(&self, method: &str) -> Reply {
        match method {
            "tools/list" => Reply::Result(definitions(&self.tools).into()),
            _ => Reply::failed(FailureKind::Unsupported, "a command offers tools, and nothing else"),
        }
    }
}

/// The arguments, as what was approved has them.
fn input(call: &Call) -> Vec<u8> {
    let text = if call.arguments().is_null() { "{}" } else { call.canonical().as_str() };
    [text.as_bytes(), b"\n"].concat()
}

fn greeting(server: &ServerName) -> Greeting {
    let capabilities: Object = [("tools", Object::new())].into_iter().collect();
    let info: Object =
        [("name", Value::from(server.as_str())), ("version", env!("CARGO_PKG_VERSION").into())].into_iter().collect();
    Greeting { era: Era::Modern, capabilities: capabilities.into(), info: info.into(), instructions: None }
}
