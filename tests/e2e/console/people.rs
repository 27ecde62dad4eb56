//! Operators beside ann, and how they come into a browser.

use serde_json::Value;
use tests::agent::Agent;
use tests::browser::Page;
use tests::world::World;

use super::PIN;

/// The PINs of the others.
pub(super) const BOB: &str = "518230";
pub(super) const CYN: &str = "846213";
pub(super) const EVE: &str = "730184";

/// Adds one, which ann does.
pub(super) fn join(world: &World, name: &str, role: &str, pin: &str) {
    crate::operators::add(world, name, role, None, &format!("{pin}\n{PIN}\n"));
}

/// An agent that an operator added: they answer none of its calls where others can.
pub(super) fn agent_of(world: &World, name: &str, pin: &str) -> Agent {
    let words = ["agent", "add", "ci", "--as", name, "--pin-stdin", "--json"];
    let told: Value = serde_json::from_str(&world.cli_told(&words, &format!("{pin}\n")).success()).unwrap();
    Agent::modern(world.endpoint(), told["token"].as_str().unwrap())
}

/// Signs somebody in by their name and PIN.
pub(super) fn enter(page: &Page, home: &str, name: &str, pin: &str) {
    page.goto(home);
    page.fill("input[name=name]", name);
    page.fill("input[name=pin]", pin);
    page.press("Enter");
    page.wait("#connection", "live");
}
