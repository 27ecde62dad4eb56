//! `portcullis export`: how far the records have been passed on, and whether they can be.

use std::process::ExitCode;
use std::sync::Arc;

use audit::{Reader, Redactor};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Global;
use super::config::{self, ConfigFile};
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::long;
use crate::clock;
use crate::config::Config;
use crate::export::{self, Cursor, Exporter, Source};

/// Look after the exporters.
#[derive(Args)]
#[command(
    about = "See how far records have been passed on to a SIEM, and try an exporter out",
    long_about = "Looks after the exporters of the config, `[export.NAME]`, by which a running gateway passes the records of the log on: \
        to a file, a syslog collector, Splunk, Elasticsearch or Datadog.\n\n\
        No gateway has to run; one that runs is not asked. `portcullis log export` is something else: it writes the log as tiles."
)]
pub(crate) struct ExportCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show how far each exporter has come, and why one does not get on
    #[command(
        long_about = "Shows of each exporter how far it has come, by how many records it is behind, how many were refused for \
        good and skipped, and the last error, if it does not get on.\n\nExits with 1 if one does not get on."
    )]
    Status {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Send one record that says that it is a test, and say what became of it
    #[command(
        long_about = "Sends one record through an exporter, once, and says what became of it. It says that it is a test \
            (`export-test`), has the number 0, and is in no log.\n\nExits with 1 if nobody says that it was taken.",
        after_help = "Examples:\n  portcullis export test splunk\n  portcullis export test siem --config /etc/portcullis/portcullis.toml"
    )]
    Test {
        /// The exporter's name in the config
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// How far an exporter has come.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: &'static str,
    format: &'static str,
    /// The last record that was taken.
    exported: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// Unknown where the log does not answer.
    pub(super) behind: Option<u64>,
    skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<export::Trouble>,
    /// Why its cursor leads nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) astray: Option<String>,
}

impl Row {
    /// What to do about a cursor that leads nowhere.
    pub(super) const BEGIN: &'static str = "find out who changed the log; then remove the exporter's file in `exported` of the state folder: it begins again at the first record that is there, \
         and what is sent twice has the same leaf";

    /// Of every exporter in a config.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let reader = Reader::open(&config.state);
        let of = |(name, settings): (&String, &crate::config::Export)| {
            let (cursor, unreadable) = match Cursor::load(&config.state, name) {
                Ok(cursor) => (cursor, None),
                Err(error) => (Cursor::default(), Some(format!("its cursor cannot be read: {error}"))),
            };
            let reader = reader.as_ref().ok();
            let last = reader.and_then(|reader| reader.last().ok());
            let checked = reader.map_or(Ok(()), |reader| cursor.check(reader));
            Self {
                name: name.clone(),
                kind: settings.sink.kind(),
                format: settings.format.as_str(),
                exported: cursor.seq,
                at: cursor.at,
                behind: last.map(|last| last.saturating_sub(cursor.seq)),
                skipped: cursor.skipped,
                trouble: cursor.trouble,
                astray: unreadable.or_else(|| checked.err().map(|error| error.to_string())),
            }
        };
        config.export.iter().map(of).collect()
    }

    /// How far it has come, in words.
    pub(super) fn place(&self) -> String {
        let behind = match self.behind {
            Some(0) => "up to date".to_owned(),
            Some(behind) => format!("behind by {behind}"),
            None => "the log cannot be read".to_owned(),
        };
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("record {}, {behind}{skipped}", self.exported)
    }
}

impl ExportCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Status { config } => status(global, &config.load(global)?),
            Action::Test { name, config } => {
                super::block_on(test(global, &config.load(global)?, &name))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn status(global: &Global, config: &Config) -> anyhow::Result<ExitCode> {
    let rows = Row::all(config);
    if global.json {
        rows.iter().try_for_each(print::json)?;
    } else {
        tell(&Out::stdout(), &rows)?;
    }
    let stuck = rows.iter().any(|row| row.trouble.is_some() || row.astray.is_some());
    Ok(if stuck { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(out: &Out, rows: &[Row]) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(out.say("the config has no exporter: add an [export.NAME]; docs/guide/siem.md")?);
    }
    let zone = TimeZone::system();
    let mut table = Table::new(&["NAME", "KIND", "FORMAT", "LAST", "EXPORTED"]);
    for row in rows {
        let (last, place) = (row.at.map_or_else(|| "never".to_owned(), |at| long(at, &zone)), row.place());
        let cells = [row.name.as_str(), row.kind, row.format, &last, &place];
        table.row(cells.into_iter().map(|cell| Line::new().ours(cell)).collect());
    }
    out.lines(&table.lines(out.width()))?;
    for row in rows {
        let name = Line::new().inked(Ink::Strong, &row.name).ours(": ");
        if let Some(why) = &row.astray {
            out.line(&name.inked(Ink::Alarm, why))?;
            out.say(format!("  next: {}", Row::BEGIN))?;
        } else if let Some(trouble) = &row.trouble {
            let since = long(trouble.since, &zone);
            let tried = format!("{} (since {since}, tried {} times)", trouble.error, trouble.failures);
            out.line(&name.inked(Ink::Warning, tried))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Sent<'a> {
    exporter: &'a str,
    kind: &'a str,
    leaf: policies::Hash,
}

async fn test(global: &Global, config: &Config, name: &str) -> anyhow::Result<()> {
    let Some(settings) = config.export.get(name) else {
        let exporters = config::Table { what: "exporter", name: "export", guide: "siem.md" };
        return Err(exporters.lacks(name, config.export.keys()));
    };
    let kind = settings.sink.kind();
    // Of its own: what it learns here is known to nobody else.
    let redactor = Arc::new(Redactor::new(&clock::random()));
    let unusable = |error| Trouble::new(format!("the exporter `{name}` cannot be used")).because(error);
    let exporter = Exporter::open(name, settings, &redactor).map_err(unusable)?;
    let source = Reader::open(&config.state).ok().and_then(|reader| Source::of(&reader).ok().flatten());
    let source = source.unwrap_or_else(Source::unsigned);
    let untaken =
        |error| Trouble::new(format!("the exporter `{name}` ({kind}) did not get a record taken")).because(error);
    let leaf = exporter.test(u64::from_be_bytes(clock::random()), clock::now(), &source).await.map_err(untaken)?;
    if global.json {
        return print::json(&Sent { exporter: name, kind, leaf });
    }
    Ok(Out::stdout().say(format!("the exporter `{name}` ({kind}) sent the record {leaf}; see that it arrived"))?)
}
