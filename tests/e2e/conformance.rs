//! The conformance suite: the fixture alone passes every scored scenario, and through the gateway nothing more fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tests::badge::Badge;
use tests::components::{module, node_command};
use tests::program::run;
use tests::server::Server;
use tests::world::Setup;

/// Runs the scenarios that a revision requires, and returns the checks that did not succeed: `scenario check STATUS`.
fn failures(endpoint: &str, revision: &str) -> BTreeSet<String> {
    let folder = TempDir::new().unwrap();
    let mut suite = node_command(&module("@modelcontextprotocol/conformance/dist/index.js"));
    suite.args(["server", "--url", endpoint, "--requirements", revision, "--output-dir"]).arg(folder.path());
    let output = run(&mut suite, Duration::from_mins(10));
    let mut failures = BTreeSet::new();
    for scenario in fs::read_dir(folder.path()).unwrap_or_else(|error| panic!("{error}: {}", output.stderr)) {
        let scenario = scenario.unwrap().path();
        let name = scenario_name(&scenario);
        let checks: Value = serde_json::from_slice(&fs::read(scenario.join("checks.json")).unwrap()).unwrap();
        for check in checks.as_array().unwrap() {
            let status = check["status"].as_str().unwrap();
            if !["SUCCESS", "INFO"].contains(&status) {
                failures.insert(format!("{name} {} {status}", check["id"].as_str().unwrap()));
            }
        }
    }
    assert!(output.stdout.contains("passed"), "the suite did not run: {}{}", output.stdout, output.stderr);
    failures
}

/// `server-tools-list-2026-11-21T04-24-30-650Z` is `tools-list`.
fn scenario_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let end = name.rfind('T').and_then(|time| time.checked_sub(11)).unwrap();
    name.get(..end).unwrap().trim_start_matches("server-").to_owned()
}

/// What is known not to succeed, one line each as `failures` writes them; what follows `#` is the reason.
fn known(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(file);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split('#').next().unwrap().trim())
        .filter(|line| !line.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn fixture_alone(revision: &str) {
    let fixture = Server::fixture(None);
    let found = failures(fixture.endpoint(), revision);
    assert_eq!(found, known(&format!("{revision}.txt")), "the committed list is not what the suite finds");
}

fn through_the_gateway(revision: &str) {
    let fixture = Server::fixture(None);
    let world =
        Setup::new().remote_with("fixture", fixture.endpoint(), "prefix = \"\"\nvouched = true").allow_all().start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    let badge = Badge::start(world.endpoint(), world.token());
    let mut allowed = known(&format!("{revision}.txt"));
    allowed.extend(known(&format!("{revision}-gateway.txt")));
    let more: Vec<String> = failures(badge.endpoint(), revision).difference(&allowed).cloned().collect();
    assert!(more.is_empty(), "more fails through the gateway than without it: {more:#?}");
    world.verify();
}

#[test]
fn the_fixture_alone_passes_every_scored_scenario_of_2026_07_28() {
    fixture_alone("2026-07-28");
}

#[test]
fn the_fixture_alone_passes_every_scored_scenario_of_2025_11_25() {
    fixture_alone("2025-11-25");
}

#[test]
fn nothing_more_of_2026_07_28_fails_through_the_gateway() {
    through_the_gateway("2026-07-28");
}

#[test]
fn nothing_more_of_2025_11_25_fails_through_the_gateway() {
    through_the_gateway("2025-11-25");
}
