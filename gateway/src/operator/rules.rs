//! The policies in force, what they say of a call that someone has in mind, and what changed ones would have decided.

mod recorded;

use std::sync::Arc;

use audit::{Audit, Reader};
use jsonrpsee::core::RegisterMethodError;
use policies::decision::{Policies, Source, shipped_policies};
use policies::explain::{Explanation, Replay};
use policies::{Limits, ServerName, Value};
use serde::{Deserialize, Serialize};

use super::Operators;
use super::method::{Asked, Module, method};
use super::people::Needs;
use super::refused::Refused;
use super::trail::{read, unread};
use crate::clock;
use crate::config::{Config, Problem};

use recorded::Recorded;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pasted {
    /// A row of `portcullis explain`, a list of them, or one a line.
    calls: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    /// Policies in place of those in the files that the config names.
    text: String,
    /// Over so many recorded calls.
    last: usize,
}

/// The policies in force.
#[derive(Clone, Serialize)]
pub(super) struct Shown {
    hash: String,
    sources: Vec<Text>,
}

/// One text of them.
#[derive(Clone, Serialize)]
struct Text {
    name: String,
    built_in: bool,
    #[serde(rename = "text")]
    source: String,
}

/// What would be decided about one row.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Explained {
    /// This.
    So(Box<Explanation>),
    /// It cannot be read.
    Unreadable {
        /// Why.
        error: String,
    },
}

/// What changed policies would have decided.
#[derive(Clone, Serialize)]
pub(super) struct Replayed {
    /// Calls that were decided again.
    calls: usize,
    /// Calls whose arguments were not kept, or cannot be read.
    skipped: usize,
    /// Calls that would have been decided otherwise, the newest first, and no more than are worth reading.
    differ: Vec<Differs>,
    /// How many there are.
    differing: usize,
}

/// A call that would have been decided otherwise.
#[derive(Clone, Serialize)]
struct Differs {
    #[serde(flatten)]
    recorded: Recorded,
    /// What the policies in force say of it, from the same record.
    now: Explanation,
    /// What the changed ones say.
    then: Explanation,
}

/// Recorded calls that are decided again at most: some seconds of work.
const MOST: usize = 2_000;

const SHOWN: usize = 200;

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "policies_show", Needs::Read, |all, _, Nothing {}| async move { Ok(show(&all)) })?;
    method(to, "policies_explain", Needs::Read, |all, _, asked: Pasted| async move { explain(&all, asked).await })?;
    method(to, "policies_replay", Needs::Read, |all, _, asked: Changed| async move { replay(&all, asked).await })
}

fn show(all: &Operators) -> Shown {
    let policies = &all.agents.calls.policies;
    let (in_force, defaults) = (policies.in_force(), policies.files().defaults);
    let shipped = shipped_policies().into_iter().filter(|(name, _)| defaults || *name == "guard.cedar");
    let shipped = shipped.map(|(name, text)| Text { name: name.into(), built_in: true, source: text.into() });
    let own = |source: &Source| Text { name: source.name.clone(), built_in: false, source: source.text.clone() };
    let sources = in_force.sources.iter().map(own).chain(shipped).collect();
    Shown { hash: in_force.hash.to_string(), sources }
}

async fn explain(all: &Operators, asked: Pasted) -> Asked<Vec<Explained>> {
    let (policies, config) = (all.agents.calls.policies.current(), Arc::clone(&all.agents.config));
    let work = move || {
        let mut replay = replaying(&policies, &config);
        let rows = rows(&asked.calls).into_iter().enumerate();
        Ok(rows.map(|(place, row)| explained(&mut replay, place + 1, row)).collect())
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(broken()))
}

fn explained(replay: &mut Replay<'_>, line: usize, row: Result<Value, String>) -> Explained {
    let decided = row.and_then(|row| replay.row(line, &row).map_err(|error| error.to_string()));
    match decided {
        Ok(explanation) => Explained::So(Box::new(explanation)),
        Err(error) => Explained::Unreadable { error },
    }
}

/// One value, the items of a list, or one value a line.
fn rows(text: &str) -> Vec<Result<Value, String>> {
    match Value::parse(text.trim().as_bytes(), &Limits::ANSWER) {
        Ok(Value::Array(rows)) => rows.into_iter().map(Ok).collect(),
        Ok(row) => vec![Ok(row)],
        Err(error) => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let read = |line: &str| Value::parse(line.as_bytes(), &Limits::ANSWER).map_err(|error| error.to_string());
            let all: Vec<_> = lines.iter().map(|line| read(line)).collect();
            // One value over many lines with a slip in it: what is wrong with the whole says more than with each line.
            if all.iter().all(Result::is_err) { vec![Err(error.to_string())] } else { all }
        }
    }
}

async fn replay(all: &Operators, asked: Changed) -> Asked<Replayed> {
    let reloadable = &all.agents.calls.policies;
    let source = Source { name: "the changed policies".into(), text: asked.text };
    let changed = reloadable.files().compile(vec![source]).map_err(|problems| wrong(&problems))?.policies;
    let (current, config, audit) = (reloadable.current(), Arc::clone(&all.agents.config), all.audit.clone());
    let last = asked.last.clamp(1, MOST);
    read(&all.audit, move |log| replayed(log, &audit, [&current, &changed], &config, last)).await
}

fn replayed(log: &Reader, audit: &Audit, [now, then]: [&Policies; 2], config: &Config, last: usize) -> Asked<Replayed> {
    let (rows, skipped) = recorded::rows(log, audit, last).map_err(unread)?;
    let (mut now, mut then) = (replaying(now, config), replaying(then, config));
    let mut replayed = Replayed { calls: 0, skipped, differ: Vec::new(), differing: 0 };
    for (line, (recorded, row)) in rows.into_iter().enumerate() {
        let (Ok(now), Ok(then)) = (now.row(line, &row), then.row(line, &row)) else {
            replayed.skipped += 1;
            continue;
        };
        replayed.calls += 1;
        if now.verdict() != then.verdict() {
            replayed.differ.push(Differs { recorded, now, then });
        }
    }
    replayed.differing = replayed.differ.len();
    replayed.differ.reverse();
    replayed.differ.truncate(SHOWN);
    Ok(replayed)
}

fn replaying<'a>(policies: &'a Policies, config: &'a Config) -> Replay<'a> {
    let profile = |server: &ServerName, tool: &str| {
        let vouched = config.servers.get(server).is_some_and(|server| server.vouched);
        (config.profile(server, tool), vouched)
    };
    Replay::new(policies).with_profiles(profile).at(clock::now())
}

fn wrong(problems: &[Problem]) -> Refused {
    Refused::Params(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn broken() -> Refused {
    Refused::State { what: "the policies could not be asked".into(), next: "see the gateway's own log".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_taken_one_by_one_in_a_list_or_by_the_line() {
        let read = |text| rows(text).iter().map(Result::is_ok).collect::<Vec<_>>();
        assert_eq!(read("{\n \"a\": 1\n}"), [true]);
        assert_eq!(read("[{}, {}]"), [true, true]);
        assert_eq!(read("{}\n\n{\n{}"), [true, false, true]);
        assert_eq!(read("{\n \"a\": \n}"), [false]);
    }
}
