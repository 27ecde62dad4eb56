//! `portcullis export`: how far the records have been passed on, and whether they can be.

use std::process::ExitCode;
use std::sync::Arc;

use audit::{Reader, Redactor};
use clap::{Args, Subcommand};
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
use crate::export::{Exporter, Progress, Source};

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
    let rows = Progress::all(config);
    if global.json {
        rows.iter().try_for_each(print::json)?;
    } else {
        tell(&Out::stdout(), &rows)?;
    }
    let stuck = rows.iter().any(|row| row.trouble.is_some() || row.astray.is_some());
    Ok(if stuck { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(out: &Out, rows: &[Progress]) -> anyhow::Result<()> {
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
            out.say(format!("  next: {}", Progress::BEGIN))?;
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
