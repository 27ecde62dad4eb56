//! `portcullis doctor` on this machine: it finds what is there, and what was broken on purpose.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
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
