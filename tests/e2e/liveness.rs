//! Gate liveness: the gateway tries itself, and says so when the gate does not hold.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::world::{Setup, World};

const TOOL: &str = "portcullis-liveness.fetch";

fn liveness(world: &World) -> Value {
    let output = world.cli(&["doctor", "--json"]);
    let mut checks = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    checks.find(|check| check["what"] == "liveness").expect("doctor looks at it")
}

/// Longer than other waits: a component is compiled first, in a debug build.
fn settled(world: &World) -> Value {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        let check = liveness(world);
        if check["found"] != "not tried yet" {
            return check;
        }
        assert!(Instant::now() < end, "the gate was never tried: {}", world.said());
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn the_gate_is_tried_held_denied_and_bothers_nobody() {
    let world = Setup::new().liveness("5s").start();
    let check = settled(&world);
    assert_eq!(check["health"], "ok", "{check}");
    assert!(world.holds().is_empty(), "an operator is asked about the gateway's own trial");
    assert!(!world.modern().names().contains(&TOOL.to_owned()), "an agent is offered it");
    let refused = world.modern().call(TOOL, &json!({"url": "http://127.0.0.1/"}));
    assert!(!refused.ran(), "an agent may call it");

    let mine: Vec<Value> = world.list(&["log", "list", "--agent", "portcullis:liveness", "--limit", "100"]);
    let kinds: Vec<&str> = mine.iter().filter_map(|record| record["kind"].as_str()).collect();
    assert!(kinds.contains(&"hold") && kinds.contains(&"refusal"), "{kinds:?}");
    assert!(!kinds.contains(&"intent"), "the trial ran");
    let passed = world.log().into_iter().filter(|record| record["detail"]["event"] == "liveness-checked").count();
    assert_eq!(passed, 1, "only changes are recorded as events");
    world.verify();
}

#[test]
fn a_gate_that_does_not_hold_is_an_alert() {
    let shut = "@id(\"nobody-calls\")\nforbid (principal, action == Action::\"call\", resource);\n";
    let world = Setup::new().liveness("5s").policies(shut).start();
    let check = settled(&world);
    assert_eq!(check["health"], "broken", "{check}");
    assert!(check["found"].as_str().unwrap().contains("nobody-calls"), "{check}");
    assert!(!world.cli(&["doctor"]).status.success());
    assert!(world.said().contains("ALERT"), "{}", world.said());
}

#[test]
fn nobody_takes_the_gateways_own_name() {
    let world = Setup::new().start();
    for name in ["portcullis:liveness", "Portcullis:x", "operator:root"] {
        assert!(!world.cli(&["agent", "add", name]).status.success(), "{name}");
    }
}
