//! What the gateway says of itself: its log, structured, on stderr, without argument values or secrets; and traces.

mod context;
mod export;
mod otlp;
mod span;
mod tracer;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use audit::Redactor;
use tracing_subscriber::EnvFilter;

pub use context::Remote;
pub use export::Exporter;
pub use span::{Kind, Scope, Span, Trace};
pub(crate) use tracer::ALL;
pub use tracer::Tracer;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to stderr; `PORTCULLIS_LOG` sets what is logged, `info` by default. Later calls change nothing.
pub fn start(format: Format) {
    let filter = EnvFilter::try_from_env("PORTCULLIS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Redacting);
    let started = match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
    // Only a second start in one process fails, and then the first one stands.
    started.ok();
}

/// From here on no log line holds a secret that this redactor knows. Before, there is none to know.
pub fn redact(by: &Arc<Redactor>) {
    // A process has one log.
    drop(BY.set(Arc::clone(by)));
}

static BY: OnceLock<Arc<Redactor>> = OnceLock::new();

/// Standard error. Each event is written at once, whole.
struct Redacting;

impl Write for Redacting {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        match BY.get() {
            None => io::stderr().write_all(event)?,
            Some(redactor) => {
                let event = String::from_utf8_lossy(event);
                let line = redactor.redact_text(event.trim_end_matches('\n'));
                writeln!(io::stderr(), "{line}")?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
