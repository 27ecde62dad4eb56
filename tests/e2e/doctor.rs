//! `portcullis doctor` on this machine: it finds what is there, and what was broken on purpose.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tests::engine::{Engine, Guard, Runtime, package, runsc_current};
use tests::program::Output;
use tests::world::{Setup, World};

fn checks(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(world: &World, what: &str) -> Value {
    let checks = checks(&world.cli(&["doctor", "--json"]));
    checks.into_iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("no `{what}`"))
}

#[test]
fn doctor_looks_at_everything_that_the_gateway_stands_on() {
    let world = Setup::new().start();
    let output = world.cli(&["doctor", "--json"]);
    let found: Vec<String> = checks(&output).iter().map(|check| check["what"].as_str().unwrap().to_owned()).collect();
    for what in [
        "kernel",
        "landlock",
        "namespaces",
        "seccomp",
        "jail",
        "clock",
        "nftables",
        "engine",
        "runsc",
        "disk",
        "keys",
        "log",
        "gateway",
        "liveness",
    ] {
        assert!(found.contains(&what.to_owned()), "`{what}` was not looked at: {found:?}");
    }
    assert!(checks(&output).iter().all(|check| check["health"] == "ok" || check["next"].is_string()));
    assert_eq!(check(&world, "gateway")["health"], "ok");
    assert_eq!(check(&world, "log")["health"], "ok");
    let text = world.cli(&["doctor"]);
    assert!(text.stdout.contains("kernel") && text.status.success(), "{text:?}");
}

#[test]
fn a_key_that_others_can_read_and_a_gateway_that_is_gone_are_told() {
    let mut world = Setup::new().start();
    assert_eq!(check(&world, "keys")["health"], "ok");
    let key = world.state().join("request.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let keys = check(&world, "keys");
    assert_eq!(keys["health"], "broken");
    assert!(keys["found"].as_str().unwrap().contains("request.key"), "{keys}");
    assert!(!world.cli(&["doctor"]).status.success());
    world.kill();
    assert_eq!(check(&world, "gateway")["health"], "warning");
}

/// A guard on the tests' engine, and a gateway's config that names it.
fn guarded(runtime: Runtime) -> (World, Guard<'static>) {
    let guard = Guard::start(Engine::shared(), runtime, std::path::Path::new("/nowhere"), "");
    let world = Setup::new().config(&guard.setting(runtime)).start();
    (world, guard)
}

fn looked(world: &World, what: &str) -> Value {
    let checks = checks(&world.cli(&["doctor", "--json", "--config", "portcullis.toml"]));
    let found = checks.iter().find(|check| check["what"] == what);
    found.unwrap_or_else(|| panic!("no `{what}` in {checks:#?}")).clone()
}

#[test]
fn doctor_proves_the_block_in_a_jail_by_trying_it() {
    let world = Setup::new().start();
    let block = check(&world, "block in jails");
    assert_eq!(block["health"], "ok", "{block}");
    for tried in ["tcp:198.51.100.77:80", "udp:198.51.100.77:53"] {
        assert!(block["found"].as_str().unwrap().contains(tried), "{block}");
    }
}

#[test]
fn doctor_proves_the_block_in_a_container_by_trying_it_and_shows_the_rules() {
    let mut runtimes = vec![(Runtime::Runsc, "block on gVisor"), (Runtime::Runc, "block on runc")];
    runtimes.extend(runsc_current().map(|_| (Runtime::RunscCurrent, "block on gVisor")));
    for (runtime, what) in runtimes {
        let (world, guard) = guarded(runtime);
        let block = looked(&world, what);
        assert_eq!(block["health"], "ok", "{runtime:?}: {block}\n{}", guard.said());
        let rules = looked(&world, "rules");
        assert!(rules["health"] == "ok" && rules["found"].as_str().unwrap().contains("inet test"), "{rules}");
        assert_eq!(looked(&world, "guard")["health"], "ok");
        world.eventually("the probe's end", || guard.mounts().is_empty().then_some(()));
    }
}

/// That a runtime is installed says nothing; that a program ran in it does.
#[test]
fn doctor_finds_out_that_gvisor_does_not_run() {
    let (world, mut guard) = guarded(Runtime::Broken);
    let block = looked(&world, "block on gVisor");
    assert!(block["health"] == "broken" && block["next"].is_string(), "{block}");
    assert!(!world.cli(&["doctor", "--config", "portcullis.toml"]).status.success());
    guard.kill();
    let gone = looked(&world, "guard");
    assert!(gone["health"] == "warning" && gone["next"].as_str().unwrap().contains("portcullis guard"), "{gone}");
    guard.restart();
}

#[test]
fn doctor_finds_an_image_that_is_not_there_and_a_log_that_was_changed() {
    let folder = tempfile::TempDir::new().unwrap();
    let recipe = "files = [\"image.toml\"]";
    let package = package(folder.path(), "tool", recipe, "[container]\nimage = \"image\"\ncommand = [\"/tool\"]\n");
    let mut world = Setup::new().config(&format!("[server.tool]\npackage = {package:?}\n")).start();
    let image = looked(&world, "image");
    assert!(image["health"] == "ok" && image["found"].as_str().unwrap().contains("sha256:"), "{image}");
    fs::remove_file(package.join("image/index.json")).unwrap();
    let checks = world.cli(&["doctor", "--json", "--config", "portcullis.toml"]);
    assert!(!checks.status.success(), "{}", checks.stdout);
    drop(world.cli(&["agent", "add", "another"]).success());
    world.kill();
    let database = rusqlite::Connection::open(world.state().join("portcullis.db")).unwrap();
    let changed = "UPDATE entry SET record = CAST(replace(CAST(record AS TEXT), 'another', 'nobody!') AS BLOB)";
    assert!(database.execute(changed, []).unwrap() > 0);
    drop(database);
    assert_eq!(check(&world, "log")["health"], "broken");
}
