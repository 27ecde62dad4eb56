//! Tool servers as programs of their own: ours, listening on a free port.

use std::path::Path;
use std::time::Duration;

use crate::hostile::Mode;
use crate::program::{Program, command};
use crate::world::built;

/// A server that listens; it ends with this value.
pub struct Server {
    endpoint: String,
    program: Program,
}

impl Server {
    /// The fixture, both eras on one endpoint. `record` is where its `slow` tool leaves marks.
    #[must_use]
    #[track_caller]
    pub fn fixture(record: Option<&Path>) -> Self {
        let mut start = command(built("fixture-server"));
        start.args(["--http", "127.0.0.1:0"]);
        if let Some(record) = record {
            start.arg("--record").arg(record);
        }
        Self::started(Program::start(&mut start))
    }

    /// A hostile server.
    #[must_use]
    #[track_caller]
    pub fn hostile(mode: Mode, record: &Path) -> Self {
        let mut start = command(built("hostile-server"));
        start.args(["--mode", mode.name(), "--http", "127.0.0.1:0", "--record"]).arg(record);
        Self::started(Program::start(&mut start))
    }

    /// A bare hyper echo.
    #[must_use]
    #[track_caller]
    pub fn bare() -> Self {
        Self::started(Program::start(&mut command(built("bare-echo"))))
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Its process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    #[track_caller]
    fn started(mut program: Program) -> Self {
        let line = program.line(Duration::from_secs(10));
        let endpoint = line.strip_prefix("endpoint: ").expect("it says where it listens").to_owned();
        Self { endpoint, program }
    }
}

/// The command of a hostile server on stdio, for a gateway's config.
#[must_use]
pub fn hostile_command(mode: Mode, record: &Path) -> Vec<String> {
    let record = record.to_str().expect("the path is UTF-8").to_owned();
    vec![built("hostile-server"), "--mode".into(), mode.name().into(), "--record".into(), record]
}
