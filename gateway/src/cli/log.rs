//! `portcullis log`: what happened, with a gateway running or without one.

mod checked;
mod key;
mod proof;
mod prune;
pub(super) mod row;

use std::process::ExitCode;
use std::time::Duration;

use audit::{Decided, Filter, Found, Kind, Life, Reader, ShowError};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::risk::Risk;
use tokio::signal::unix::{SignalKind, signal};

pub(super) use key::Kept;

use super::Global;
use super::print::{self, Out, Trouble};
use super::when::When;
use crate::clock;
use crate::config::Format;
use crate::export::{self, Source};

/// Ask what happened.
#[derive(Args)]
#[command(
    about = "Ask what happened, and check that nobody changed the record of it",
    long_about = "Reads the log in the state folder. It works beside a running gateway and without one, and changes nothing.\n\n\
        A call leaves an intent before it runs and an outcome before its answer leaves; refusals, holds, answers to holds, \
        failed authentications and changes to agents, tools and policies are records too. Arguments and results are redacted \
        before they are written. Records are the leaves of a signed Merkle tree: `verify` checks it, `prove` shows a record, or \
        some of its fields, to someone who need not trust this machine."
)]
pub(crate) struct LogCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List records, the newest first
    #[command(after_help = "Examples:\n  portcullis log list --since 1h --verdict deny\n  \
        portcullis log list --agent claude --tool files.write_file --risk high\n  \
        portcullis log list --operator ann --kind step --since 7d\n  \
        portcullis log list --text invoice --json")]
    List {
        #[command(flatten)]
        which: Which,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = Filter::PAGE)]
        limit: usize,
        /// Only records before this number: the last one of the page before
        #[arg(long, value_name = "SEQ")]
        before: Option<u64>,
        /// In this format, a line a record, as exporters send it
        #[arg(long, value_name = "FORMAT")]
        format: Option<Format>,
    },
    /// Show the whole life of a call, by the id of the call or its hold, or the number of a record
    #[command(after_help = "Examples:\n  portcullis log show call-k3v7qx2m4n5p6r7s\n  portcullis log show 4711")]
    Show {
        /// A call's id or the beginning of one, a hold's id, or a record's number
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Print the newest records and then each new one, until Ctrl-C
    Tail {
        #[command(flatten)]
        which: Which,
        /// Of the records that are there already, so many
        #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
        lines: usize,
    },
    Verify(checked::Verify),
    Prove(proof::Prove),
    CheckProof(proof::CheckProof),
    Export(checked::Export),
    Key(key::Key),
    Accept(key::Accept),
    Prune(prune::Prune),
    Submit(super::witness::Submit),
}

/// Which records. All that is given must hold.
#[derive(Args)]
struct Which {
    /// Of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Of this tool: `server.tool`, or its name at its server
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Answered, changed or asked for by this operator
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Of this kind, or of one of several with commas between
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).map(|name| kind(&name)))]
    kinds: Vec<Kind>,
    /// Of this risk or more
    #[arg(long, value_name = "RISK", ignore_case = true, value_parser = PossibleValuesParser::new(Risk::ALL.map(Risk::as_str)).map(|name| risk(&name)))]
    risk: Option<Risk>,
    /// With this verdict
    #[arg(long, value_name = "VERDICT", value_parser = PossibleValuesParser::new(Decided::ALL.map(Decided::as_str)).map(|name| verdict(&name)))]
    verdict: Option<Decided>,
    /// Not before: `30m`, `2h`, `7d` (ago), `2026-11-20`, or `2026-11-20T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Before this time, in the same forms
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// With all of these words in the record, its arguments or its result; `invo*` begins a word
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

/// New records are looked for so often. The log is the gateway's own file: it is not asked.
const POLL: Duration = Duration::from_millis(250);

/// Records that are read at once.
const BATCH: usize = 500;

// Clap lets only the names through; what it lets through by mistake is the mildest filter.
fn risk(name: &str) -> Risk {
    Risk::ALL.into_iter().find(|risk| risk.as_str().eq_ignore_ascii_case(name)).unwrap_or(Risk::Low)
}

fn kind(name: &str) -> Kind {
    Kind::parse(name).unwrap_or(Kind::Event)
}

fn verdict(name: &str) -> Decided {
    Decided::parse(name).unwrap_or(Decided::Allow)
}

impl LogCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        match self.action {
            Action::List { which, limit, before, format } => {
                let filter = Filter { limit: Some(limit), before, ..which.filter()? };
                let reader = open(global)?;
                let found = reader.list(&filter)?;
                match format {
                    Some(format) => formatted(&reader, found, format)?,
                    None => list(global, &out, &reader, &found, limit)?,
                }
            }
            Action::Show { id } => show(global, &out, &id)?,
            Action::Tail { which, lines } => super::block_on(tail(global, &out, &which.filter()?, lines))?,
            Action::Verify(command) => return command.run(global, &out),
            Action::Prove(command) => command.run(global, &out)?,
            Action::CheckProof(command) => return command.run(global, &out),
            Action::Export(command) => command.run(global, &out)?,
            Action::Key(command) => command.run(global, &out)?,
            Action::Accept(command) => command.run(global, &out)?,
            Action::Prune(command) => command.run(global, &out)?,
            Action::Submit(command) => command.run(global, &out)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Which {
    fn filter(self) -> anyhow::Result<Filter> {
        let (now, zone) = (clock::now(), TimeZone::system());
        let instant = |when: Option<When>| -> anyhow::Result<Option<Timestamp>> {
            let Some(when) = when else { return Ok(None) };
            let instant = when.instant(now, &zone);
            Ok(Some(instant.ok_or_else(|| Trouble::new("there is no such time: it is too far away"))?))
        };
        let (server, tool) = named(self.server, self.tool);
        Ok(Filter {
            agent: self.agent,
            server,
            tool,
            operator: self.operator,
            kinds: self.kinds,
            risk: self.risk,
            verdict: self.verdict,
            since: instant(self.since)?,
            until: instant(self.until)?,
            text: self.text,
            before: None,
            limit: None,
        })
    }
}

/// No server's name has a dot, so `server.tool` splits one way; with `--server` the tool is taken as it is.
fn named(server: Option<String>, tool: Option<String>) -> (Option<String>, Option<String>) {
    match (server, tool.as_deref().and_then(|tool| tool.split_once('.'))) {
        (None, Some((server, tool))) => (Some(server.to_owned()), Some(tool.to_owned())),
        (server, _) => (server, tool),
    }
}

fn open(global: &Global) -> anyhow::Result<Reader> {
    let state = global.state()?;
    Reader::open(&state).map_err(|error| {
        let what = format!("cannot read the log in {}", state.display());
        let next = "name the state folder of the gateway that you mean: --state DIR";
        Trouble::new(what).because(error).next(next).into()
    })
}

/// As exporters send them: whoever reads it is a program.
fn formatted(reader: &Reader, found: Vec<Found>, format: Format) -> anyhow::Result<()> {
    let source = Source::of(reader)?.unwrap_or_else(Source::unsigned);
    for found in found {
        let line = export::line(format, &reader.with_leaf(found)?, &source)?;
        print::raw(format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

fn list(global: &Global, out: &Out, reader: &Reader, found: &[Found], limit: usize) -> anyhow::Result<()> {
    if global.json {
        return found.iter().try_for_each(print::json);
    }
    if found.is_empty() {
        prune::note(reader).iter().for_each(print::aside);
        return Ok(out.say("no record is like that")?);
    }
    out.lines(&row::table(found, clock::now(), &TimeZone::system()).lines(out.width()))?;
    if let Some(last) = found.last().filter(|_| found.len() >= limit && print::interactive()) {
        print::aside(format!("older ones: --before {}", last.record.seq));
    } else if let Some(note) = prune::note(reader) {
        print::aside(note);
    }
    Ok(())
}

fn show(global: &Global, out: &Out, id: &str) -> anyhow::Result<()> {
    let life = life(global, id)?;
    if global.json {
        return print::json(&life);
    }
    let zone = TimeZone::system();
    for found in &life.records {
        out.lines(&row::whole(found, &zone, out.text_width()))?;
    }
    Ok(())
}

/// The records of a call, or the record, that an id stands for.
pub(super) fn life(global: &Global, id: &str) -> anyhow::Result<Life> {
    let reader = open(global)?;
    let life = reader.show(id).map_err(|error| {
        let next = match &error {
            // Whatever has this id may be among what is gone.
            ShowError::Unknown(_) if let Some(note) = prune::note(&reader) => note,
            ShowError::Ambiguous { calls, .. } => {
                let calls: Vec<&str> = calls.iter().map(policies::CallId::as_str).collect();
                format!("give more of the id: {}", calls.join(", "))
            }
            ShowError::Pruned { missing, .. } => format!("portcullis log show {}", missing.record),
            ShowError::Unknown(_) | ShowError::Query(_) | _ => "`portcullis log list` shows ids and numbers".to_owned(),
        };
        Trouble::new("nothing to show").because(error).next(next)
    });
    Ok(life?)
}

async fn tail(global: &Global, out: &Out, filter: &Filter, lines: usize) -> anyhow::Result<()> {
    let reader = open(global)?;
    let mut seen = reader.last()?;
    let mut there =
        reader.list(&Filter { limit: Some(lines), before: Some(seen.saturating_add(1)), ..filter.clone() })?;
    there.reverse();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let zone = TimeZone::system();
    loop {
        for found in &there {
            if global.json {
                print::json(found)?;
            } else {
                out.line(&row::line(found, clock::now(), &zone))?;
            }
        }
        let news = reader.tail(seen, BATCH)?;
        seen = news.last().map_or(seen, |last| last.record.seq);
        let full = news.len() == BATCH;
        there = news.into_iter().filter(|found| filter.matches(found)).collect();
        if !full && there.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = interrupted.recv() => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        which: Which,
    }

    fn typed(args: &[&str]) -> Result<Filter, clap::Error> {
        let args = std::iter::once(&"log").chain(args);
        Ok(Typed::try_parse_from(args)?.which.filter().unwrap())
    }

    #[test]
    fn filters_are_taken_as_people_type_them() {
        let filter = typed(&["--tool", "files.write_file", "--risk", "high", "--verdict", "deny"]).unwrap();
        assert_eq!((filter.server.as_deref(), filter.tool.as_deref()), (Some("files"), Some("write_file")));
        assert_eq!((filter.risk, filter.verdict), (Some(Risk::High), Some(Decided::Deny)));
        let answers = typed(&["--operator", "ann", "--kind", "step,event", "--kind", "hold"]).unwrap();
        assert_eq!(answers.operator.as_deref(), Some("ann"));
        assert_eq!(answers.kinds, [Kind::Step, Kind::Event, Kind::Hold]);
        let dotted = typed(&["--server", "files", "--tool", "a.b"]).unwrap();
        assert_eq!(dotted.tool.as_deref(), Some("a.b"));
    }

    #[test]
    fn what_is_no_risk_verdict_kind_or_time_is_a_usage_error() {
        for wrong in [["--risk", "huge"], ["--verdict", "maybe"], ["--since", "soon"], ["--kind", "answer"]] {
            assert_eq!(typed(&wrong).err().unwrap().exit_code(), 2);
        }
    }
}
