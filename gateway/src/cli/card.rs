//! How a hold looks to the person who answers it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::{Limits, Value};

use super::line::{Ink, Line};
use super::tree::Tree;
use super::when::{left, long};
use crate::operator::card::{Card, Origin, Reason, approver};
use crate::operator::grant::Grant;

/// A card in rows.
pub(crate) struct Drawn {
    pub(crate) rows: Vec<Line>,
    /// How many rows of the arguments are not shown.
    pub(crate) folded: usize,
}

/// How it is drawn.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) width: usize,
    pub(crate) fold: bool,
}

/// What came through the gateway's own parser: the bounds only keep a broken answer from hanging the terminal.
const BOUNDS: Limits = Limits { bytes: 32 << 20, depth: 512, values: 4 << 20 };

/// The whole card: who, what, how dangerous and why, from where, with what, and what approving does.
pub(crate) fn draw(card: &Card, page: &Page) -> Drawn {
    let mut rows = vec![title(card)];
    rows.extend(facts(card, page));
    rows.extend(card.reasons.iter().enumerate().flat_map(|(place, why)| reason(why, place == 0, page)));
    rows.extend(card.grant.iter().flat_map(|grant| granted(grant, page)));
    let arguments = arguments(card, page);
    rows.push(Line::new().inked(Ink::Strong, "arguments"));
    rows.extend(arguments.rows);
    rows.extend(field(if card.is_pending() { "approve" } else { "now" }, Line::new().ours(&card.next), page));
    Drawn { rows, folded: arguments.folded }
}

fn title(card: &Card) -> Line {
    Line::new()
        .inked(card.risk.into(), card.risk.as_str())
        .ours("  ")
        .inked(Ink::Strong, format!("{}.", card.server))
        .theirs_in(Ink::Strong, &card.tool)
        .ours(format!("  for agent {}  ", card.agent))
        .inked(Ink::Faint, card.id.as_str())
}

fn facts(card: &Card, page: &Page) -> Vec<Line> {
    let time = if card.is_open() {
        format!("{} left (until {})", left(card.expires, page.now), long(card.expires, &page.zone))
    } else {
        format!("opened {}", long(card.opened, &page.zone))
    };
    let mut rows = field("state", Line::new().ours(format!("{}, {time}", card.state)), page);
    if card.method != "tools/call" {
        rows.extend(field("request", Line::new().theirs(&card.method), page));
    }
    if card.required > 1 || card.of_role.is_some() || !card.approvals.is_empty() {
        let by = card.approvals.iter().map(|approval| match approval.pass {
            Some(_) => format!("{} (by a pass)", approval.operator),
            None => approver(approval),
        });
        let by: Vec<String> = by.collect();
        let by = if by.is_empty() { String::new() } else { format!(": {}", by.join(", ")) };
        let needs = card.needs.as_ref().map(|needs| format!("; {needs}")).unwrap_or_default();
        let given = format!("{} of {} approvals{by}{needs}", card.approvals.len(), card.required);
        rows.extend(field("answers", Line::new().ours(given), page));
    }
    if let Some(short) = &card.short {
        rows.extend(field("warning", Line::new().inked(Ink::Warning, format!("nobody can let it run: {short}")), page));
    }
    if let Some(glass) = &card.glass {
        let by = Line::new().inked(Ink::Alarm, format!("broken by {}: ", glass.by));
        rows.extend(field("glass", by.theirs(&glass.reason).ours("; ").theirs(&glass.because), page));
    }
    if let Some(note) = &card.note {
        let by = card.by.as_ref().map(|by| format!("{by}: ")).unwrap_or_default();
        rows.extend(field("note", Line::new().ours(by).theirs(note), page));
    }
    if !card.policies.is_empty() {
        rows.extend(field("policy", Line::new().theirs(&card.policies.join(", ")), page));
    }
    for observed in &card.observed {
        let would = format!(" only watches, and would {} it", observed.would.as_str());
        rows.extend(field("observed", Line::new().theirs(&observed.policy).ours(would), page));
    }
    rows
}

fn reason(why: &Reason, first: bool, page: &Page) -> Vec<Line> {
    let mut text = Line::new().theirs(&why.text);
    if let Some(at) = &why.at {
        text = text.ours(" (at ").theirs(at).ours(")");
    }
    field(if first { "why" } else { "" }, text.ours("  ").inked(Ink::Faint, &why.id), page)
}

/// What an approval opens for the time of the call.
pub(crate) fn granted(grant: &Grant, page: &Page) -> Vec<Line> {
    let listed = |items: &[String], none: &str| {
        let none = Line::new().inked(Ink::Faint, none);
        let parts = items.iter().enumerate().map(|(place, item)| {
            let comma = if place == 0 { "" } else { ", " };
            Line::new().ours(comma).theirs(item)
        });
        if items.is_empty() { none } else { parts.fold(Line::new(), Line::then) }
    };
    let mut rows = field("sandbox", Line::new().ours(&grant.sandbox), page);
    rows.extend(field("network", listed(&grant.network, "none"), page));
    if !grant.secrets.is_empty() {
        rows.extend(field("secrets", listed(&grant.secrets, "none"), page));
    }
    rows.extend(field("folders", listed(&grant.folders, "none"), page));
    rows.extend(field("limits", listed(&grant.limits, "none"), page));
    rows.extend(
        grant.warnings.iter().flat_map(|warning| field("warning", Line::new().inked(Ink::Warning, warning), page)),
    );
    rows
}

/// A name and a text that may wrap under itself.
pub(crate) fn field(name: &str, text: Line, page: &Page) -> Vec<Line> {
    let start = Line::new().ours("  ").inked(Ink::Faint, format!("{name:<9}"));
    start.then(text).wrap(page.width, &Line::new().ours(" ".repeat(11)))
}

fn arguments(card: &Card, page: &Page) -> Drawn {
    let Some(raw) = &card.arguments else {
        let gone = Line::new().inked(Ink::Faint, "  kept only while the hold is open");
        return Drawn { rows: vec![gone], folded: 0 };
    };
    // Read with our own parser: numbers stay as they are written.
    let Ok(value) = Value::parse(raw.get().as_bytes(), &BOUNDS) else {
        let unreadable = Line::new().inked(Ink::Alarm, "  cannot be shown; do not approve what you cannot read");
        return Drawn { rows: vec![unreadable], folded: 0 };
    };
    let notes: BTreeMap<String, Line> =
        card.provenance.iter().filter_map(|(at, origin)| Some((at.clone(), note(origin)?))).collect();
    let drawn = Tree { value: &value, notes: &notes, width: page.width, fold: page.fold }.draw();
    Drawn { rows: drawn.rows, folded: drawn.folded }
}

/// Where a value came from, if the agent did not make it up itself.
fn note(origin: &Origin) -> Option<Line> {
    let Origin::From { result, tool, how, untrusted, sensitive } = origin else { return None };
    let (ink, start) = if *untrusted { (Ink::Warning, "← ") } else { (Ink::Faint, "← ") };
    let how = match how.as_str() {
        "exact" => "from",
        "normalised" => "but for case and spacing from",
        "part" => "in part from",
        "decoded" | "encoded" => "encoded, from",
        "split" => "spread over several values, from",
        "assembled" => "put together from",
        _ => "may be from",
    };
    let mut line = Line::new().inked(ink, format!("{start}{how} "));
    line = match (result, tool) {
        (Some(result), Some(tool)) => line.inked(ink, format!("result #{result} of ")).theirs_in(ink, tool),
        _ => line.inked(ink, "something that was read too long ago to name"),
    };
    line = if *untrusted { line.inked(ink, ", which outsiders can write to") } else { line };
    Some(if *sensitive { line.inked(ink, ", sensitive") } else { line })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A card of a hostile call.
    pub(crate) fn hostile() -> Card {
        serde_json::from_str(
            r#"{"id":"hold-abcdefghijklmnop","call":"call-abcdefghijklmnop","agent":"claude","server":"mail",
            "tool":"send\u001b[2J","method":"tools/call","risk":"HIGH",
            "reasons":[{"id":"untrusted-recipient","text":"sends to an address from mail","at":"/to"}],
            "provenance":{"/to":{"result":3,"tool":"mail.read","how":"exact","untrusted":true,"sensitive":false},"/n":"unseen"},
            "policies":["hold-high"],"state":"pending","digest":"0000000000000000000000000000000000000000000000000000000000000000","required":2,"approvals":[],
            "opened":"2026-11-21T10:00:00Z","expires":"2026-11-21T10:05:00Z","next":"the call runs once",
            "arguments":{"to":"x\u202e@y","n":10000000000000000000000001,"body":"hi\n\u001b[31mapproved"}}"#,
        )
        .unwrap()
    }

    fn text(card: &Card) -> String {
        let now = "2026-11-21T10:00:30Z".parse().unwrap();
        let page = Page { now, zone: TimeZone::UTC, width: 90, fold: true };
        crate::cli::line::text(&draw(card, &page).rows)
    }

    #[test]
    fn a_card_says_who_what_why_from_where_and_what_happens_next() {
        assert_eq!(
            text(&hostile()),
            concat!(
                "HIGH  mail.send\\u{1b}[2J  for agent claude  hold-abcdefghijklmnop\n",
                "  state    pending, 4 min 30 s left (until 2026-11-21 10:05:00 +00:00)\n",
                "  answers  0 of 2 approvals\n",
                "  policy   hold-high\n",
                "  why      sends to an address from mail (at /to)  untrusted-recipient\n",
                "arguments\n",
                "  to: \"x\\u{202e}@y\"   ← from result #3 of mail.read, which outsiders can write to\n",
                "  n: 10000000000000000000000001\n",
                "  body: 2 lines, 16 characters\n",
                "    │ hi\n",
                "    │ \\u{1b}[31mapproved\n",
                "  approve  the call runs once\n",
            )
        );
    }

    #[test]
    fn a_card_says_who_is_still_needed_and_that_too_few_may_approve_it() {
        let (needs, short) = (Some("1 admin still needed".into()), Some("it needs 2 approvals more".into()));
        let text = text(&Card { needs, short, ..hostile() });
        assert!(text.contains("0 of 2 approvals; 1 admin still needed\n"), "{text}");
        assert!(text.contains("nobody can let it run: it needs 2 approvals more"), "{text}");
    }

    #[test]
    fn nothing_is_said_of_arguments_that_are_gone() {
        let card = Card { arguments: None, state: "denied".into(), ..hostile() };
        assert!(text(&card).contains("kept only while the hold is open"));
    }
}
