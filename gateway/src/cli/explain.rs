//! `portcullis explain`: what would be decided, and why.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use policies::explain::{Explanation, Replay};

use super::Global;
use super::config::ConfigFile;
use super::line::{Ink, Line};
use super::print::{self, Out};
use super::serve::refused;
use crate::clock;
use crate::config::{Origin, Server};

/// Explain what would be decided about calls.
#[derive(Args)]
#[command(
    about = "Explain what would be decided about calls, without running them",
    long_about = "Decides calls as the gateway would, and says why, without running anything.\n\n\
        Rows are JSON, one a line: {\"session\",\"agent\",\"server\",\"tool\":{\"name\",\"description\"?,\"inputSchema\"?,\
        \"annotations\"?},\"arguments\",\"result\"?}. Rows of one session are taken in order: a row's `result` is what its tool \
        answered, and the rows after it have seen it. The tools count as pinned and known. What the config declares of a server \
        holds for its rows, and what comes with the gateway is declared too; a tool that no bundled server has is another server's.\n\n\
        With --json each row gives one line {\"risk\",\"reasons\",\"verdict\",\"policies\",\"provenance\"}. A row that cannot be read \
        is reported on stderr with its line number, gives {\"error\"}, and the exit code is 1.",
    after_help = "Examples:\n  portcullis explain --calls calls.jsonl\n  \
        portcullis explain --calls - --policies strict.cedar --json < calls.jsonl"
)]
pub(crate) struct ExplainCommand {
    /// The rows; `-` for stdin
    #[arg(long, value_name = "FILE")]
    calls: PathBuf,
    /// Policies to try instead of those that the config names. May be given more than once
    #[arg(long, value_name = "FILE", num_args = 1..)]
    policies: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

/// The longest row. A result may be large; a file without line ends must not fill the memory.
const ROW: usize = 64 << 20;

impl ExplainCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let mut config = self.config.load(global)?;
        if !self.policies.is_empty() {
            config.policy.files = self.policies;
        }
        let policies = config.policy.load().map_err(|problems| refused(&problems))?.policies;
        let profile = |server: &policies::ServerName, tool: &str| {
            let found = config.servers.get(server);
            // A row may speak of a server that is yet to come, under a name that a bundled one has until then.
            let other = |server: &Server| server.origin == Origin::Bundled;
            if found.is_some_and(other) && !sandbox::bundled_offers(server.as_str(), tool) {
                return (Arc::default(), false);
            }
            (config.profile(server, tool), found.is_some_and(|server| server.vouched))
        };
        let mut replay = Replay::new(&policies).with_profiles(profile).at(clock::now());
        let mut rows = open(&self.calls)?;
        let out = Out::stdout();
        let (mut number, mut failed) = (0, false);
        while let Some(row) = next(&mut rows).with_context(|| format!("cannot read {}", self.calls.display()))? {
            number += 1;
            if row.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match replay.line(number, &row) {
                Ok(explanation) if global.json => print::json(&explanation)?,
                Ok(explanation) => out.lines(&lines(number, &explanation))?,
                Err(error) => {
                    failed = true;
                    let told = told(&anyhow::Error::from(error));
                    if global.json {
                        // A line for every row: whoever reads them counts along.
                        print::json(&serde_json::json!({ "error": told }))?;
                    }
                    print::aside(told);
                }
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The error with its causes; what a cause only says again is left out.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        said if said.ends_with(&cause) => told,
        said => format!("{said}: {cause}"),
    })
}

fn open(calls: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if calls == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(calls).with_context(|| format!("cannot open {}", calls.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// The next row without its line end.
fn next(rows: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut row = Vec::new();
    let read = rows.take(u64::try_from(ROW).unwrap_or(u64::MAX)).read_until(b'\n', &mut row)?;
    if read == ROW && row.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a row is longer than 64 MiB"));
    }
    Ok((read > 0).then_some(row))
}

fn lines(number: usize, explanation: &Explanation) -> Vec<Line> {
    let text = explanation.to_string();
    let mut lines = text.lines();
    let head = Line::new().inked(Ink::Faint, format!("{number:>4}  "));
    let first = head.inked(explanation.risk().into(), lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| Line::new().ours("    ").ours(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_line_by_line_and_the_last_needs_no_end() {
        let mut rows: &[u8] = b"{}\n\n{\"a\":1}";
        assert_eq!(next(&mut rows).unwrap().unwrap(), b"{}\n");
        assert_eq!(next(&mut rows).unwrap().unwrap(), b"\n");
        assert_eq!(next(&mut rows).unwrap().unwrap(), b"{\"a\":1}");
        assert_eq!(next(&mut rows).unwrap(), None);
    }
}
