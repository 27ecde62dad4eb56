//! `[sandbox]`, `[egress]`, `[wasm]`, `[bundled]`, `[liveness]`: where tools run, and what comes with the gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use policies::profile::Isolation;
use sandbox::{Settings, Web};
use serde_json::Value;

use super::section::{Section, Sheet};
use super::{Bundled, Config, Origin, Problem, Server};

pub(super) fn settings(sheet: &Sheet<'_>, root: &Section<'_>, state: &Path) -> (Settings, Isolation) {
    let section = root.below("sandbox");
    let guard = section.string("guard").map(|(path, _)| sheet.path(&path));
    let runtime = match section.string("runtime") {
        None => Isolation::Gvisor,
        Some((name, _)) if name == "gvisor" => Isolation::Gvisor,
        Some((name, _)) if name == "runc" => Isolation::Runc,
        Some((name, at)) => {
            sheet.problem(
                at,
                "sandbox.runtime",
                format!("\"{name}\""),
                "\"gvisor\", or \"runc\" to share the host's kernel",
            );
            Isolation::Gvisor
        }
    };
    section.finish(&["guard", "runtime"]);
    let (resolvers, authorities) = egress(sheet, root.below("egress"));
    let section = root.below("wasm");
    let cache = section.string("cache").map_or_else(|| state.join("wasm"), |(path, _)| sheet.path(&path));
    section.finish(&["cache"]);
    (Settings { redactor: None, resolvers, authorities, cache, guard }, runtime)
}

fn egress(sheet: &Sheet<'_>, section: Section<'_>) -> (Vec<SocketAddr>, Vec<PathBuf>) {
    let at = section.at("resolvers");
    let mut resolvers = Vec::new();
    for text in section.strings("resolvers").unwrap_or_default() {
        // A resolver is an address, since nobody could look its name up; port 53 unless said otherwise.
        match text.parse().or_else(|_| text.parse().map(|address| SocketAddr::new(address, 53))) {
            Ok(resolver) => resolvers.push(resolver),
            Err(_) => sheet.problem(at, "egress.resolvers", format!("\"{text}\""), "addresses like \"192.0.2.53\""),
        }
    }
    let authorities = section.strings("authorities").unwrap_or_default().iter().map(|file| sheet.path(file)).collect();
    section.finish(&["resolvers", "authorities"]);
    (resolvers, authorities)
}

pub(super) fn bundled(sheet: &Sheet<'_>, section: &Section<'_>) -> Bundled {
    let files = choice(sheet, section, "files", |table, at| match table.get("folder").and_then(Value::as_str) {
        Some(folder) if table.len() == 1 => Some(sheet.path(folder)),
        Some(_) | None => {
            sheet.problem(at, "bundled.files", "another table", "true, false, or { folder = \"…\" }");
            None
        }
    });
    let http = choice(sheet, section, "http", |table, at| match sandbox::web(table) {
        Ok(web) => Some(web),
        Err(problems) => {
            for problem in problems {
                sheet.problem(at, format!("bundled.http.{}", problem.key), problem.found, problem.wanted);
            }
            None
        }
    });
    let time = section.boolean("time").unwrap_or(true);
    for key in section.rest() {
        sheet.problem(section.at(key), section.key(key), "an unknown key", "one of files, http, time");
    }
    let files = match files {
        Choice::Off => None,
        Choice::Default => Some(None),
        Choice::Table(folder) => Some(Some(folder)),
    };
    let http = match http {
        Choice::Off => None,
        Choice::Default => Some(Web::default()),
        Choice::Table(web) => Some(web),
    };
    Bundled { files, http, time }
}

/// What a key that is `true`, `false` or a table says.
enum Choice<T> {
    Off,
    /// `true`, or nothing.
    Default,
    Table(T),
}

fn choice<T>(
    sheet: &Sheet<'_>,
    section: &Section<'_>,
    key: &str,
    table: impl Fn(&serde_json::Map<String, Value>, usize) -> Option<T>,
) -> Choice<T> {
    match section.json(key) {
        None | Some((Value::Bool(true), _)) => Choice::Default,
        Some((Value::Bool(false), _)) => Choice::Off,
        Some((Value::Object(members), at)) => table(&members, at).map_or(Choice::Off, Choice::Table),
        Some((Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_), at)) => {
            sheet.problem(at, section.key(key), "something else", "true, false, or a table");
            Choice::Off
        }
    }
}

pub(super) fn liveness(sheet: &Sheet<'_>, section: Section<'_>) -> Option<SignedDuration> {
    let (every, wanted) = (section.string("every"), "a time like \"1m\" from 5 s to 1 day, or \"off\"");
    let every = match every {
        None => Some(SignedDuration::from_mins(1)),
        Some((text, _)) if text == "off" => None,
        Some((text, at)) => {
            let every: Option<SignedDuration> = text.parse().ok();
            let fits = |every: &SignedDuration| (5..=86_400).contains(&every.as_secs());
            if !every.as_ref().is_some_and(fits) {
                sheet.problem(at, "liveness.every", format!("\"{text}\""), wanted);
            }
            every
        }
    };
    section.finish(&["every"]);
    every
}

/// The tools that come with the gateway, where no server of the config has their name.
pub(super) fn bundle(config: &mut Config, problems: &mut Vec<Problem>) {
    let Bundled { files, http, time } = config.bundled.clone();
    let folder = files.clone().flatten().unwrap_or_else(|| config.state.join("files"));
    // A folder is granted by its whole path.
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let (on, web) = ([("files", files.is_some()), ("http", http.is_some()), ("time", time)], http.unwrap_or_default());
    let bundled = match sandbox::bundled(&folder, web) {
        Ok(bundled) => bundled,
        Err(error) => {
            let key = "bundled.files".to_owned();
            let (found, wanted) = (error.to_string(), "another folder, or `files = false`".to_owned());
            return problems.push(Problem { file: None, line: None, key, found, wanted });
        }
    };
    for sandbox::Bundled { name, config: reach, profile } in bundled {
        let wanted = on.iter().any(|(which, on)| *which == name.as_str() && *on);
        if wanted && !config.servers.contains_key(&name) {
            let server = Server { profile, origin: Origin::Bundled, ..Server::new(&name, reach) };
            config.servers.insert(name, server);
        }
    }
}

/// What is declared becomes what is granted, and what is granted becomes part of what approvals are bound to.
pub(super) fn settle(config: &mut Config, no_jail: bool) {
    let runtime = config.runtime;
    for server in config.servers.values_mut() {
        let mut reach = server.reach.clone().declared(&server.profile).on(runtime);
        if no_jail {
            reach = reach.unjailed();
        }
        server.profile = reach.profile(std::mem::take(&mut server.profile));
        server.reach = reach;
    }
}
