//! `[operator]`: who answers, and where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
