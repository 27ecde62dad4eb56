//! `[operator]` and `[approve]`: who answers, where, and how many of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use policies::approval::{MOST_PEOPLE, OfRole, Quorum, Quorums};
use policies::{Risk, Role};

use super::read::tls;
use super::section::{Section, Sheet};
use super::{ConsoleAt, TlsFiles};

/// Uids, and the console.
pub(super) fn operators(sheet: &Sheet<'_>, section: Section<'_>) -> (Vec<u32>, Option<ConsoleAt>) {
    let uids = section.json("uids").map(|(value, at)| {
        serde_json::from_value(value).unwrap_or_else(|_| {
            sheet.problem(at, "operator.uids", "something else", "an array of user ids");
            Vec::new()
        })
    });
    let hosts = section.strings("console_hosts").unwrap_or_default();
    let files = tls(sheet, &section, "operator.tls");
    let console = console(sheet, &section, hosts, files);
    section.finish(&["uids", "console", "console_hosts", "tls"]);
    (uids.unwrap_or_default(), console)
}

fn console(sheet: &Sheet<'_>, section: &Section<'_>, hosts: Vec<String>, tls: Option<TlsFiles>) -> Option<ConsoleAt> {
    let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7733);
    let Some((value, at)) = section.json("console") else {
        return Some(ConsoleAt { address: usual, chosen: false, hosts, tls });
    };
    if value == serde_json::Value::Bool(false) {
        return None;
    }
    let address = match value.as_str().and_then(|text| text.parse::<SocketAddr>().ok()) {
        Some(address) => address,
        None if value == serde_json::Value::Bool(true) => usual,
        None => {
            let wanted = "an address and port like \"127.0.0.1:7733\", or false";
            sheet.problem(at, "operator.console", value.to_string(), wanted);
            usual
        }
    };
    if !address.ip().is_loopback() && tls.is_none() {
        let wanted = "a loopback address, or `[operator.tls]` with `certificate` and `key`: sessions must not cross a network in the clear";
        sheet.problem(at, "operator.console", address.to_string(), wanted);
    }
    Some(ConsoleAt { address, chosen: true, hosts, tls })
}

/// How many people approve a call of each risk, and how many of them as what.
pub(super) fn quorums(sheet: &Sheet<'_>, section: Section<'_>) -> Quorums {
    let of = |risk: Risk| quorum(sheet, &section, &risk.as_str().to_ascii_lowercase());
    let quorums =
        Quorums { low: of(Risk::Low), medium: of(Risk::Medium), high: of(Risk::High), critical: of(Risk::Critical) };
    section.finish(&["low", "medium", "high", "critical"]);
    quorums
}

/// `{ people = 3, role = "admin", of_role = 1 }`: all of them have the role unless it is said how many.
fn quorum(sheet: &Sheet<'_>, section: &Section<'_>, risk: &str) -> Option<Quorum> {
    let at = section.at(risk);
    let below = section.below(risk);
    if !below.is_there() {
        return None;
    }
    let people = below.count::<u8>("people", 1, i64::from(MOST_PEOPLE));
    let role = below.string("role").and_then(|(name, at)| {
        let role = Role::parse(&name);
        if role.is_none() {
            sheet.problem(at, below.key("role"), format!("\"{name}\""), "\"operator\" or \"admin\"");
        }
        role
    });
    let of_role = below.count::<u8>("of_role", 1, i64::from(MOST_PEOPLE));
    if people.is_none() && !below.has("people") {
        sheet.problem(at, below.key("people"), "nothing", "how many people approve");
    }
    if of_role.is_some() && !below.has("role") {
        sheet.problem(at, below.key("of_role"), "no `role` beside it", "`role = \"admin\"`");
    }
    below.finish(&["people", "role", "of_role"]);
    let people = people?;
    let of_role = role.map(|role| OfRole { role, people: of_role.unwrap_or(people) });
    let quorum = Quorum::new(people, of_role);
    if let Err(error) = quorum {
        sheet.problem(at, section.key(risk), "a quorum that nobody reaches", error.to_string());
    }
    quorum.ok()
}
