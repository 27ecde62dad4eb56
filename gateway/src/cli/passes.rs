//! `portcullis passes`: what lets further calls run without a person; and how one is given with an approval.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::Global;
use super::line::Line;
use super::print::{self, Out};
use super::table::Table;
use super::when::{Length, left, long};
use crate::clock;
use crate::operator::client::Client;
use crate::operator::rows::PassRow;

/// See and revoke passes.
#[derive(Args)]
#[command(
    about = "See and revoke passes: approvals that count for further calls",
    long_about = "Lists the passes that can be used, and revokes them.\n\n\
        A pass is given with an approval (`portcullis holds approve ID --times 10`). It lets further calls of the same agent to \
        the same tool run, as often and as long as it says, if their arguments are within it, and if they are no riskier, and \
        risky for no other reason, than the call that was shown. Each such call is held and recorded as ever; the pass answers \
        for its operator, and only while they could approve the call themselves. A changed tool, profile or policy ends it."
)]
pub(crate) struct PassesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the passes that can be used
    List,
    /// Revoke one: no further call runs by it
    Revoke {
        /// The id of the hold that it was given with, or at least its first 6 characters after `hold-`
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// How far an approval goes beyond the call that is shown.
#[derive(Args)]
#[command(next_help_heading = "A pass for calls like it")]
pub(super) struct Giving {
    /// Let so many further calls run, 1 to 1000 [default with any of these: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    times: Option<u16>,
    /// For so long, a minute to a day [default with any of these: 1h]
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Length>,
    /// Where this argument is a text like this: `*` is a part of a name, `**` is names with `/` between
    #[arg(long, value_name = "ARGUMENT=PATTERN", value_parser = like)]
    like: Vec<(String, String)>,
    /// Whatever this argument is
    #[arg(long, value_name = "ARGUMENT")]
    any: Vec<String>,
}

fn like(text: &str) -> Result<(String, String), String> {
    let (name, pattern) = text.split_once('=').ok_or("wanted ARGUMENT=PATTERN, such as path=/srv/notes/*")?;
    policies::approval::Glob::parse(pattern).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), pattern.to_owned()))
}

impl Giving {
    /// The parameter of `holds_approve`, if a pass is wanted.
    pub(super) fn leeway(self) -> Option<Value> {
        let Self { times, lasts, like, any } = self;
        if times.is_none() && lasts.is_none() && like.is_empty() && any.is_empty() {
            return None;
        }
        let mut arguments = Map::new();
        arguments.extend(like.into_iter().map(|(name, pattern)| (name, json!({ "like": pattern }))));
        arguments.extend(any.into_iter().map(|name| (name, json!("any"))));
        let lasts = lasts.map_or(3_600, Length::seconds);
        Some(json!({ "times": times.unwrap_or(10), "lasts": format!("{lasts}s"), "arguments": arguments }))
    }
}

impl PassesCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            match self.action {
                Action::List => tell(global, &out, &client.ask::<Vec<PassRow>>("passes_list", &[]).await?)?,
                Action::Revoke { id } => {
                    let pass: PassRow = global.ask(&client, "passes_revoke", &[("id", &id)]).await?;
                    if global.json {
                        print::json(&pass)?;
                    } else {
                        let what = Line::new().ours(format!("the pass for {}.", pass.server)).theirs(&pass.tool);
                        out.line(&what.ours(format!(" of agent {} is revoked", pass.agent)))?;
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn tell(global: &Global, out: &Out, passes: &[PassRow]) -> anyhow::Result<()> {
    if global.json {
        return passes.iter().try_for_each(print::json);
    }
    if passes.is_empty() {
        return Ok(out.say("no pass is in force: every held call waits for a person")?);
    }
    let (now, zone) = (clock::now(), TimeZone::system());
    let mut table = Table::new(&["ID", "AGENT", "TOOL", "ARGUMENTS", "USED", "LEFT", "BY", "SINCE"]);
    for pass in passes {
        let differ = pass.arguments.iter().filter(|(_, allowed)| *allowed != "the same");
        let differ: Vec<String> = differ.map(|(name, allowed)| format!("{name} {allowed}")).collect();
        let differ = if differ.is_empty() { "the same".to_owned() } else { differ.join(", ") };
        table.row(vec![
            Line::new().ours(pass.id.as_str()),
            Line::new().ours(pass.agent.as_str()),
            Line::new().ours(format!("{}.", pass.server)).theirs(&pass.tool),
            Line::new().theirs(&differ),
            Line::new().ours(format!("{}/{}", pass.used, pass.times)),
            Line::new().ours(left(pass.expires, now).to_string()),
            Line::new().ours(pass.by.as_str()),
            Line::new().ours(long(pass.made, &zone)),
        ]);
    }
    Ok(out.lines(&table.lines(out.width()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_the_leeway_of_a_pass() {
        let giving = |times, like: &[&str], any: &[&str]| Giving {
            times,
            lasts: None,
            like: like.iter().map(|text| super::like(text).unwrap()).collect(),
            any: any.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(giving(None, &[], &[]).leeway(), None);
        let leeway = giving(Some(3), &["path=/srv/*"], &["text"]).leeway().unwrap();
        let wanted =
            json!({ "times": 3, "lasts": "3600s", "arguments": { "path": { "like": "/srv/*" }, "text": "any" } });
        assert_eq!(leeway, wanted);
        let read: policies::approval::Leeway = serde_json::from_value(leeway).unwrap();
        assert_eq!((read.times, read.lasts), (3, jiff::SignedDuration::from_hours(1)));
        assert!(super::like("path").is_err() && super::like("path=/srv/../*").is_err());
    }
}
