//! `portcullis servers`: the tool servers, what keeps them, and what each is granted.

use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use super::Global;
use super::card::granted;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::long;
use crate::operator::client::Client;
use crate::operator::rows::ServerRow;

/// See the tool servers, and what each is granted.
#[derive(Args)]
#[command(
    about = "See the tool servers, what keeps them, and what each is granted",
    long_about = "Shows each tool server with its sandbox, how it is, what its sandbox opens for a call (folders, network, secrets, \
        limits), and whether it is in quarantine since it tried what it had not declared. `portcullis tools accept NAME` takes it out.",
    after_help = "Examples:\n  portcullis servers\n  portcullis servers notes\n  portcullis servers --json"
)]
pub(crate) struct ServersCommand {
    /// This one alone, with all that it is granted
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl ServersCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let mut servers = all(&client).await?;
            if let Some(name) = &self.name {
                servers.retain(|server| server.name == *name);
                if servers.is_empty() {
                    let next = "`portcullis servers` shows which there are";
                    return Err(Trouble::new(format!("there is no server `{name}`")).next(next).into());
                }
            }
            if global.json {
                servers.iter().try_for_each(print::json)?;
            } else if self.name.is_some() {
                servers.iter().try_for_each(|server| out.lines(&whole(server, out.text_width())))?;
            } else if servers.is_empty() {
                out.say("no server: name one in portcullis.toml, or add a package: portcullis tools add")?;
            } else {
                out.lines(&table(&servers).lines(out.width()))?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Every server.
pub(super) async fn all(client: &Client) -> anyhow::Result<Vec<ServerRow>> {
    Ok(client.ask("servers_list", &[]).await?)
}

/// The servers, with what keeps them.
pub(super) fn table(servers: &[ServerRow]) -> Table {
    let mut table = Table::new(&["SERVER", "SANDBOX", "STATUS", "PACKAGE", "NOTE"]);
    for server in servers {
        let note = match (&server.quarantine, &server.why) {
            (Some(quarantine), _) => {
                let tried = format!("in quarantine: {} tried what it had not declared", quarantine.tool);
                Line::new().theirs_in(Ink::Alarm, &tried)
            }
            (None, Some(why)) => Line::new().theirs(why),
            (None, None) => {
                let warnings = server.grant.iter().flat_map(|grant| &grant.warnings);
                warnings.fold(Line::new(), |line, warning| line.inked(Ink::Warning, warning))
            }
        };
        table.row(vec![
            Line::new().theirs(&server.name),
            Line::new().ours(&server.kind),
            status(server),
            server.version.as_deref().map_or_else(Line::new, |version| Line::new().theirs(version)),
            note,
        ]);
    }
    table
}

fn status(server: &ServerRow) -> Line {
    let ink = if server.status == "ready" { Ink::Good } else { Ink::Danger };
    Line::new().inked(ink, &server.status)
}

fn whole(server: &ServerRow, width: usize) -> Vec<Line> {
    let page = super::card::Page { now: crate::clock::now(), zone: TimeZone::system(), width, fold: false };
    let field = |name: &str, text: Line| super::card::field(name, text, &page);
    let mut rows = vec![Line::new().theirs_in(Ink::Strong, &server.name).ours("  ").then(status(server))];
    rows.extend(field("kind", Line::new().ours(&server.kind)));
    rows.extend(server.version.iter().flat_map(|version| field("package", Line::new().theirs(version))));
    rows.extend(server.why.iter().flat_map(|why| field("why", Line::new().theirs(why))));
    if let Some(quarantine) = &server.quarantine {
        let since = long(quarantine.since, &page.zone);
        let tried = Line::new().theirs_in(Ink::Alarm, &quarantine.tool);
        rows.extend(field("alarm", tried.inked(Ink::Alarm, format!(" tried what it had not declared, since {since}"))));
    }
    match &server.grant {
        Some(grant) => rows.extend(granted(grant, &page)),
        None => rows.extend(field("grant", Line::new().inked(Ink::Faint, "not known: it runs elsewhere"))),
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::text;

    #[test]
    fn a_server_is_shown_with_its_grant_and_its_quarantine_and_cannot_paint() {
        let server: ServerRow = serde_json::from_str(
            r#"{"name":"notes","kind":"jail","status":"ready","version":"1.0\u001b[2J",
            "grant":{"sandbox":"jail","folders":["/srv/notes (read)"],"network":["https://a.test:443"],"limits":["time 1m"],"warnings":["odd"]},
            "quarantine":{"tool":"notes.read","since":"2026-11-21T10:00:00Z"}}"#,
        )
        .unwrap();
        let shown = text(&whole(&server, 120));
        for part in [
            "notes  ready",
            "1.0\\u{1b}[2J",
            "notes.read tried what it had not declared",
            "/srv/notes (read)",
            "time 1m",
            "odd",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(text(&table(&[server]).lines(None)).contains("in quarantine: notes.read"));
    }
}
