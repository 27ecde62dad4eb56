//! The crates stand in the order of a call's life, and what is dangerous hangs on the one crate that guards it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::program::{command, run};

const ORDER: [&str; 6] = ["policies", "audit", "vault", "sandbox", "gateway", "tests"];

/// Direct dependencies (not those of tests or build scripts) of each crate of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = command(env!("CARGO"));
    cargo.envs(std::env::vars_os()).args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--offline",
        "--manifest-path",
    ]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
    let metadata: Value = serde_json::from_str(&run(&mut cargo, Duration::from_mins(1)).success()).unwrap();
    let package = |package: &Value| {
        let normal =
            package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
        let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
        (package["name"].as_str().unwrap().to_owned(), names)
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

#[test]
fn each_crate_uses_only_those_before_it() {
    let dependencies = dependencies();
    assert_eq!(dependencies.keys().map(String::as_str).collect::<BTreeSet<_>>(), ORDER.into_iter().collect());
    for (place, name) in ORDER.iter().enumerate() {
        for later in &ORDER[place..] {
            assert!(!dependencies[*name].contains(*later), "{name} uses {later}");
        }
    }
}

#[test]
fn each_edge_of_the_spine_is_there() {
    let dependencies = dependencies();
    for pair in ORDER[..5].windows(2) {
        assert!(dependencies[pair[1]].contains(pair[0]), "{} does not use {}", pair[1], pair[0]);
    }
}

#[test]
fn what_is_dangerous_hangs_on_the_crate_that_guards_it() {
    let dependencies = dependencies();
    let guards: [(&[&str], &[&str]); 9] = [
        (&["wasmtime", "wasmtime-wasi", "bollard"], &["sandbox"]),
        (&["jsonrpsee"], &["gateway"]),
        (&["webauthn-rs"], &["gateway"]),
        (&["rusqlite"], &["audit", "tests"]),
        (&["cedar-policy"], &["policies"]),
        (&["cryptoki"], &["vault"]),
        (&["hyper", "hyper-util"], &["audit", "sandbox", "gateway", "tests"]),
        (&["reqwest", "ureq"], &["audit", "vault", "sandbox"]),
        (&["hyper-rustls"], &["audit", "vault", "sandbox", "gateway"]),
    ];
    for (names, allowed) in guards {
        for (user, used) in &dependencies {
            let wrong: Vec<_> =
                names.iter().filter(|name| used.contains(**name) && !allowed.contains(&user.as_str())).collect();
            assert!(wrong.is_empty(), "{user} uses {wrong:?}, which belongs to {allowed:?}");
        }
    }
}

#[test]
fn policies_have_no_clock_no_disk_and_no_network() {
    let used = &dependencies()["policies"];
    let impure = ["tokio", "tokio-util", "hyper", "http", "rusqlite", "rustix", "tempfile", "tracing", "ring-rand"];
    let found: Vec<_> = impure.iter().filter(|name| used.contains(**name)).collect();
    assert!(found.is_empty(), "{found:?}");
}
