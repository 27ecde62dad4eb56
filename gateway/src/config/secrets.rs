//! `[vault.NAME]`, `[secret.NAME]`, `[redact]`: where secrets are kept, and what is never shown.

use std::path::Path;
use std::time::Duration;

use audit::Personal;
use policies::profile::Profile;
use serde_json::{Map, Value};
use vault::Tables;

use super::section::{Section, Sheet};
use super::{Config, Problem, Redaction};

/// The vault's tables, read by the vault.
pub(super) fn vault(sheet: &Sheet<'_>, root: &Section<'_>, state: &Path) -> vault::Config {
    let (vault, secret) = (table(sheet, root, "vault"), table(sheet, root, "secret"));
    let base = sheet.file.parent().unwrap_or(Path::new(""));
    let tables = Tables { vault: &vault, secret: &secret, base, state };
    match vault::Config::parse(&tables) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems {
                sheet.problem(at(root, &problem.key), &problem.key, &problem.found, &problem.wanted);
            }
            vault::Config::default()
        }
    }
}

fn table(sheet: &Sheet<'_>, root: &Section<'_>, name: &str) -> Map<String, Value> {
    match root.json(name) {
        None => Map::new(),
        Some((Value::Object(table), _)) => table,
        Some((Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_), at)) => {
            sheet.problem(at, name, "no table", format!("[{name}.NAME]"));
            Map::new()
        }
    }
}

/// Where a key such as `vault.team.address` stands: as much of it as there is.
fn at(root: &Section<'_>, key: &str) -> usize {
    let mut names = key.splitn(3, '.');
    let table = names.next().unwrap_or_default();
    let Some(name) = names.next() else { return root.at(table) };
    let section = root.below(table);
    let member = names.next().map_or(0, |member| section.below(name).at(member));
    [member, section.at(name), root.at(table)].into_iter().find(|at| *at > 0).unwrap_or(0)
}

/// `[redact]`
pub(super) fn redaction(sheet: &Sheet<'_>, section: Section<'_>) -> Redaction {
    let default = Redaction::default();
    let grace = section.duration("grace").and_then(|grace| Duration::try_from(grace).ok());
    let personal = section.strings("personal").map(|kinds| personal(sheet, &section, &kinds));
    let redaction = Redaction { grace: grace.unwrap_or(default.grace), personal: personal.unwrap_or(default.personal) };
    section.finish(&["grace", "personal"]);
    redaction
}

fn personal(sheet: &Sheet<'_>, section: &Section<'_>, kinds: &[String]) -> Personal {
    let names = if kinds.is_empty() { "none".to_owned() } else { kinds.join(",") };
    names.parse().unwrap_or_else(|error: audit::UnknownPersonal| {
        sheet.problem(section.at("personal"), section.key("personal"), error.to_string(), "some of these");
        Personal::default()
    })
}

/// A secret that a tool names must be placed, and one that is placed must be kept somewhere: else its first call would fail.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let known: Vec<&str> = config.vault.secrets().collect();
    for (name, server) in &config.servers {
        let key = format!("server.{name}");
        let placed: Vec<&str> = placed(&server.profile);
        for secret in placed.iter().filter(|secret| !known.contains(*secret)) {
            problems.push(problem(format!("{key}.secret"), secret, "a [secret.NAME]"));
        }
        unplaced(&server.profile, &placed, &format!("{key}.secrets"), problems);
        let prefix = format!("{name}.");
        for (tool, profile) in config.tools.iter().filter(|(tool, _)| tool.starts_with(&prefix)) {
            unplaced(profile, &placed, &format!("tool.{tool}.secrets"), problems);
        }
    }
}

fn placed(profile: &Profile) -> Vec<&str> {
    let resources = profile.resources().into_iter();
    resources.flat_map(|resources| &resources.secrets).map(|placement| placement.secret.as_str()).collect()
}

fn unplaced(profile: &Profile, placed: &[&str], key: &str, problems: &mut Vec<Problem>) {
    for secret in profile.secrets().iter().filter(|secret| !placed.contains(&secret.as_str())) {
        problems.push(problem(key.to_owned(), secret, "a secret that [[server.NAME.secret]] places"));
    }
}

fn problem(key: String, secret: &str, wanted: &str) -> Problem {
    Problem { file: None, line: None, key, found: format!("`{secret}`"), wanted: wanted.to_owned() }
}
