//! How a record looks: as a row of a table, as a line, and whole.

use std::collections::BTreeMap;

use audit::{Decided, Found, Kind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::Value;

use crate::cli::line::{Ink, Line};
use crate::cli::table::Table;
use crate::cli::tree::Tree;
use crate::cli::when::{long, short};

/// Records as a table.
pub(super) fn table(found: &[Found], now: Timestamp, zone: &TimeZone) -> Table {
    let mut table = Table::new(&["SEQ", "TIME", "KIND", "RISK", "VERDICT", "AGENT", "TOOL", "WHAT"]);
    for found in found {
        table.row(cells(found, now, zone));
    }
    table
}

/// One record in one line.
pub(super) fn line(found: &Found, now: Timestamp, zone: &TimeZone) -> Line {
    let cells = cells(found, now, zone).into_iter().filter(|cell| cell.cells() > 0);
    cells.reduce(|line, cell| line.ours("  ").then(cell)).unwrap_or_default()
}

fn cells(found: &Found, now: Timestamp, zone: &TimeZone) -> Vec<Line> {
    let record = &found.record;
    vec![
        Line::new().ours(record.seq.to_string()),
        Line::new().ours(short(record.at, now, zone)),
        Line::new().ours(record.kind.as_str()),
        record.risk.map_or_else(Line::new, |risk| Line::new().inked(risk.into(), risk.as_str())),
        record.verdict.map_or_else(Line::new, verdict),
        record.agent.as_deref().map_or_else(Line::new, |agent| Line::new().theirs(agent)),
        tool(found),
        what(found),
    ]
}

pub(in crate::cli) fn verdict(verdict: Decided) -> Line {
    let ink = match verdict {
        Decided::Allow => Ink::Good,
        Decided::Hold => Ink::Warning,
        Decided::Deny => Ink::Danger,
    };
    Line::new().inked(ink, verdict.as_str())
}

fn tool(found: &Found) -> Line {
    match (&found.record.server, &found.record.tool) {
        (Some(server), Some(tool)) => Line::new().theirs(server).ours(".").theirs(tool),
        (Some(server), None) => Line::new().theirs(server),
        (None, _) => Line::new(),
    }
}

/// What the record says in a few words, and the call or hold that `log show` takes.
pub(in crate::cli) fn what(found: &Found) -> Line {
    let record = &found.record;
    let of = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_str);
    let call = record.call.as_ref().map(policies::CallId::as_str).unwrap_or_default();
    match record.kind {
        Kind::Intent => {
            let line = Line::new().ours("runs ").inked(Ink::Faint, call);
            let line = match (of("/because/by"), of("/because/operator")) {
                (Some("break-glass"), Some(operator)) => {
                    line.ours(" ").inked(Ink::Alarm, "by glass that was broken by ").theirs(operator)
                }
                (Some(_) | None, _) => line,
            };
            watched(record, line)
        }
        Kind::Outcome => {
            let words = [of("/outcome"), of("/failure"), of("/detail")].into_iter().flatten();
            let line = joined(words).ours(" ").inked(Ink::Faint, call);
            if undeclared(record) { line.ours(" ").inked(Ink::Alarm, "tried what it had not declared") } else { line }
        }
        Kind::Refusal => {
            let rule = of("/refused/rule").unwrap_or("refused");
            let line = Line::new().theirs(rule).ours(": ").theirs(of("/refused/reason").unwrap_or_default());
            watched(record, line.ours(" ").inked(Ink::Faint, call))
        }
        Kind::Hold => watched(record, Line::new().ours("waits as ").theirs(of("/hold").unwrap_or_default())),
        Kind::Step => {
            let by = of("/step/by").or(of("/by")).map(|by| Line::new().ours(" by ").theirs(by)).unwrap_or_default();
            let by = match (of("/step/lent/by"), record.detail.pointer("/step/lent/delegation").and_then(Value::as_u64))
            {
                (Some(lent), Some(id)) => by.ours(" for ").theirs(lent).ours(format!(", delegation {id},")),
                (_, _) => by,
            };
            let by = if of("/step/proof/by") == Some("passkey") { by.ours(", signed by their passkey,") } else { by };
            let hold = Line::new().ours(" ").theirs(of("/hold").unwrap_or_default());
            match of("/step/step").or(of("/step")).unwrap_or("changed") {
                "break-glass" => Line::new().inked(Ink::Alarm, "broke the glass").then(by).then(hold),
                step => Line::new().theirs(step).then(by).then(hold),
            }
        }
        Kind::Relay => {
            joined([of("/direction"), of("/message")].into_iter().flatten()).ours(" ").inked(Ink::Faint, call)
        }
        Kind::Event => event(&record.detail),
    }
}

/// With the policies that only watch and would have decided otherwise.
fn watched(record: &audit::Record, line: Line) -> Line {
    let observed = record.detail.pointer("/assessment/observed").and_then(Value::as_array).unwrap_or_default();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    observed.iter().fold(line, |line, one| {
        line.ours(" ")
            .inked(Ink::Warning, "observed ")
            .theirs(&text(one, "policy"))
            .ours(" would ")
            .theirs(&text(one, "would"))
    })
}

fn undeclared(record: &audit::Record) -> bool {
    record.detail.pointer("/sandbox/undeclared").and_then(Value::as_bool) == Some(true)
}

/// What the sandbox saw: one row an attempt.
fn tried(record: &audit::Record) -> Vec<Line> {
    let observed = record.detail.pointer("/sandbox/observed").and_then(Value::as_array).unwrap_or_default();
    observed.iter().map(attempt).collect()
}

fn attempt(attempt: &Value) -> Line {
    let text = |name: &str| attempt.get(name).and_then(Value::as_str);
    let number = |name: &str| attempt.get(name).and_then(Value::as_u64);
    let place = text("host").or(text("address")).unwrap_or_default();
    let mut line =
        Line::new().ours("  ").inked(Ink::Faint, "tried    ").theirs(text("protocol").unwrap_or("something"));
    line = line.ours(" ").theirs(place);
    line = number("port").map_or(line.clone(), |port| line.ours(format!(":{port}")));
    line = text("request").map_or(line.clone(), |request| line.ours(" ").theirs(request));
    line = match text("denied") {
        Some(why) => line.inked(Ink::Alarm, "  denied: ").theirs_in(Ink::Alarm, why),
        None => line.inked(Ink::Good, "  allowed"),
    };
    match number("times") {
        Some(times) if times > 1 => line.ours(format!("  {times} times")),
        Some(_) | None => line,
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Line {
    let mut line = Line::new();
    for (place, word) in words.enumerate() {
        line = if place == 0 { line.theirs(word) } else { line.ours(", ").theirs(word) };
    }
    line
}

/// An event's name and its simple values; `log show` has the rest.
fn event(detail: &Value) -> Line {
    let mut line = Line::new().theirs(detail.get("event").and_then(Value::as_str).unwrap_or("event"));
    for (key, value) in
        detail.as_object().into_iter().flat_map(policies::Object::iter).filter(|(key, _)| *key != "event")
    {
        let text = match value {
            Value::String(text) if !is_hash(text) => text.clone(),
            Value::Number(_) | Value::Bool(true) => value.to_string(),
            Value::String(_) | Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => continue,
        };
        line = line.ours(" ").inked(Ink::Faint, format!("{key}=")).theirs(&text);
    }
    line
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A record with all that it says.
pub(super) fn whole(found: &Found, zone: &TimeZone, width: usize) -> Vec<Line> {
    let record = &found.record;
    let mut head = Line::new().inked(Ink::Strong, format!("#{} {}", record.seq, record.kind.as_str()));
    head = head.ours(format!("  {}", long(record.at, zone)));
    if let Some(risk) = record.risk {
        head = head.ours("  ").inked(risk.into(), risk.as_str());
    }
    if let Some(decided) = record.verdict {
        head = head.ours("  ").then(verdict(decided));
    }
    let mut lines = vec![head];
    let names = [
        ("call", record.call.as_ref().map(policies::CallId::as_str)),
        ("agent", record.agent.as_deref()),
        ("session", record.session.as_deref()),
        ("method", record.method.as_deref()),
    ];
    for (name, value) in names.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        lines.push(Line::new().ours("  ").inked(Ink::Faint, format!("{name:<8} ")).theirs(value));
    }
    if tool(found).cells() > 0 {
        lines.push(Line::new().ours("  ").inked(Ink::Faint, "tool     ").then(tool(found)));
    }
    lines.extend(tried(record));
    lines.push(Line::new().ours("  ").inked(Ink::Strong, "detail"));
    lines.extend(drawn(&record.detail, width));
    lines.extend(body(found, width));
    lines.push(Line::new());
    lines
}

fn body(found: &Found, width: usize) -> Vec<Line> {
    let name = match found.record.kind {
        Kind::Intent | Kind::Refusal | Kind::Hold => "arguments",
        Kind::Outcome => "result",
        Kind::Relay => "message",
        Kind::Step | Kind::Event => "body",
    };
    match (&found.body, &found.record.body) {
        (Some(body), _) => {
            let mut lines = vec![Line::new().ours("  ").inked(Ink::Strong, name)];
            lines.extend(drawn(body, width));
            lines
        }
        (None, Some(size)) => {
            let why = if size.kept { "erased since" } else { "not kept" };
            let gone = format!("{} bytes, {why}; SHA-256 {}", size.bytes, size.sha256);
            vec![Line::new().ours("  ").inked(Ink::Strong, name).ours(": ").inked(Ink::Faint, gone)]
        }
        (None, None) => Vec::new(),
    }
}

fn drawn(value: &Value, width: usize) -> Vec<Line> {
    let tree = Tree { value, notes: &BTreeMap::new(), width: width.saturating_sub(2), fold: false }.draw();
    tree.rows.into_iter().map(|row| Line::new().ours("  ").then(row)).collect()
}

#[cfg(test)]
mod tests {
    use audit::Record;
    use policies::Limits;

    use super::*;
    use crate::cli::line::text;

    fn found(json: &str) -> Found {
        Found { record: Record::parse(json.as_bytes()).unwrap(), body: None }
    }

    fn refusal() -> Found {
        found(
            r#"{"v":1,"seq":7,"at":"2026-11-21T09:30:00.123456Z","kind":"refusal","call":"call-abcdefghijklmnop","agent":"claude",
            "session":"s","server":"mail","tool":"send\u001b[2J","method":"tools/call","risk":"CRITICAL","verdict":"deny",
            "detail":{"refused":{"rule":"deny-metadata","reason":"reaches \u202e169.254","next":"no"}}}"#,
        )
    }

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_record_fits_a_line_and_cannot_paint() {
        assert_eq!(
            line(&refusal(), now(), &TimeZone::UTC).to_string(),
            "7  09:30:00  refusal  CRITICAL  deny  claude  mail.send\\u{1b}[2J  deny-metadata: reaches \\u{202e}169.254 \
             call-abcdefghijklmnop"
        );
    }

    #[test]
    fn an_event_shows_its_simple_values() {
        let event = found(
            r#"{"v":1,"seq":1,"at":"2026-11-21T09:30:00Z","kind":"event","detail":{"event":"agent-added","name":"ci","by":"uid:ann"}}"#,
        );
        assert!(line(&event, now(), &TimeZone::UTC).to_string().ends_with("agent-added name=ci by=uid:ann"));
    }

    #[test]
    fn a_body_that_was_not_kept_leaves_its_size_and_hash() {
        let hash = policies::Hash::of(b"");
        let mut found = found(&format!(
            r#"{{"v":1,"seq":8,"at":"2026-11-21T09:30:00Z","kind":"intent","detail":{{}},
            "body":{{"bytes":70000,"sha256":"{hash}","kept":false}}}}"#
        ));
        let shown = text(&whole(&found, &TimeZone::UTC, 100));
        assert!(shown.contains("arguments: 70000 bytes, not kept; SHA-256 e3b0"));
        found.body = Some(Value::parse(br#"{"to":"x"}"#, &Limits::ANSWER).unwrap());
        let shown = text(&whole(&found, &TimeZone::UTC, 100));
        assert!(shown.contains("to: \"x\""));
    }
}
