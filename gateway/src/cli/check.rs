//! `portcullis check`: is the config usable, and is it wise.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use audit::Redactor;
use clap::Args;
use serde::Serialize;

use super::Global;
use super::config::ConfigFile;
use super::line::{Ink, Line};
use super::print::{self, Out};
use crate::clock;
use crate::config::{Config, Problem};
use crate::export::Exporter;
use crate::notify::{self, Channel};
use crate::operator::Peers;

/// Check the config and the policies without starting anything.
#[derive(Args)]
#[command(
    about = "Check config and policies without starting anything",
    long_about = "Reads the config and compiles the policies, and reports every problem at once with file, line and key. Warns of \
        what is usable and unwise. Nothing is started, opened or changed.\n\nExits with 1 if there is a problem."
)]
pub(crate) struct CheckCommand {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    problems: Vec<Told>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    key: String,
    found: String,
    wanted: String,
}

impl CheckCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let report = match self.config.read(global) {
            Ok(config) => Report::of(&config),
            Err(problems) => Report::refused(problems, Vec::new()),
        };
        let out = Out::stdout();
        if global.json {
            print::json(&report)?;
        } else {
            out.lines(&report.lines())?;
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Report {
    fn of(config: &Config) -> Self {
        let warnings = warnings(config);
        match config.policy.load() {
            Ok(loaded) => {
                let observed = crate::operator::observed::warnings(&loaded.policies);
                Self { ok: true, problems: Vec::new(), warnings: warnings.into_iter().chain(observed).collect() }
            }
            Err(problems) => Self::refused(problems, warnings),
        }
    }

    fn refused(mut problems: Vec<Problem>, warnings: Vec<String>) -> Self {
        problems.sort();
        Self { ok: false, problems: problems.into_iter().map(Told::from).collect(), warnings }
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.problems.iter().flat_map(Told::lines).collect();
        lines.extend(self.warnings.iter().map(|warning| Line::new().inked(Ink::Warning, "warning: ").ours(warning)));
        lines.push(match self.problems.len() {
            0 => Line::new().inked(Ink::Good, "ok"),
            1 => Line::new().inked(Ink::Danger, "1 problem"),
            many => Line::new().inked(Ink::Danger, format!("{many} problems")),
        });
        lines
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        let Problem { file, line, key, found, wanted } = problem;
        Self { file, line, key, found, wanted }
    }
}

impl Told {
    fn lines(&self) -> Vec<Line> {
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
            (Some(file), None) => format!("{}: ", file.display()),
            (None, _) => String::new(),
        };
        let mut lines = vec![
            Line::new().ours(place).inked(Ink::Strong, &self.key),
            Line::new().inked(Ink::Faint, "  found:  ").ours(&self.found),
        ];
        if !self.wanted.is_empty() {
            lines.push(Line::new().inked(Ink::Faint, "  wanted: ").ours(&self.wanted));
        }
        lines
    }
}

/// What works and should not be left so.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.servers.is_empty() {
        warnings.push("there is no tool server: agents will be offered nothing; add a [server.NAME]".to_owned());
    }
    for (name, server) in &config.servers {
        let reach = crate::app::describe(name, server);
        if reach.contains("not jailed") {
            warnings.push(format!("server `{name}` runs as a plain process: it can do whatever this user can"));
        }
        if reach.contains("runc") {
            warnings.push(format!("server `{name}` shares the host's kernel: a hole in the kernel is a way out"));
        }
        if reach.contains("withheld") {
            warnings.push(format!("server `{name}` will not run: its package cannot be used, or was never added"));
        }
        if let Some(uri) = server.reach.uri().filter(|uri| uri.scheme_str() == Some("http") && !is_local(uri)) {
            warnings.push(format!(
                "server `{name}` is reached over plain http at {uri}: anyone on the way can read and change calls"
            ));
        }
        let held = server.reach.resources().into_iter().flat_map(|resources| crate::operator::grant::held(resources));
        warnings.extend(held.map(|text| format!("server `{name}`: {text}")));
        if server.vouched {
            warnings
                .push(format!("server `{name}` is vouched for: what it says of its own tools may lower their risk"));
        }
    }
    if !config.policy.defaults && config.policy.files.is_empty() {
        warnings.push("there is no policy at all: every call is denied".to_owned());
    }
    warnings.extend(notify::unreached(config).map(str::to_owned));
    let redactor = Arc::new(Redactor::new(&clock::random()));
    for (name, settings) in &config.notify {
        if let Err(error) = Channel::open(name, settings, &redactor) {
            let why = anyhow::Error::from(error);
            warnings.push(format!("channel `{name}` cannot be used, and the gateway will not start: {why:#}"));
        }
    }
    for (name, settings) in &config.export {
        if let Err(error) = Exporter::open(name, settings, &redactor) {
            let why = anyhow::Error::from(error);
            warnings.push(format!("exporter `{name}` cannot be used, and the gateway will not start: {why:#}"));
        }
    }
    if Peers::new(&config.operators).people().len() < 2 {
        warnings.push(
            "one person answers holds: CRITICAL calls run with a single approval; add others: portcullis operator add"
                .to_owned(),
        );
    }
    warnings
}

fn is_local(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_what_and_what_was_wanted() {
        let problem = Problem {
            file: Some("p.toml".into()),
            line: Some(3),
            key: "hold.high".into(),
            found: "\"soon\"".into(),
            wanted: "a length such as \"15m\"".into(),
        };
        let lines: Vec<String> =
            Report::refused(vec![problem], Vec::new()).lines().iter().map(Line::to_string).collect();
        assert_eq!(
            lines,
            ["p.toml:3: hold.high", "  found:  \"soon\"", "  wanted: a length such as \"15m\"", "1 problem"]
        );
    }
}
