//! Past calls like the one that is held, and how they were answered.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::card::{Page, field};
use crate::cli::line::{Ink, Line};
use crate::cli::when::short;
use crate::operator::similar::{Past, Similar};

/// How often such calls were approved and denied, and the newest of them.
pub(super) fn draw(similar: &Similar, page: &Page) -> Vec<Line> {
    let Similar { approved, denied, lapsed, latest } = similar;
    let head = Line::new().inked(Ink::Strong, "calls like it before");
    if approved + denied + lapsed == 0 {
        return vec![head, Line::new().inked(Ink::Faint, "  none: this tool was never held before")];
    }
    let count = format!("  {approved} approved, {denied} denied, {lapsed} not answered or withdrawn");
    let mut rows = vec![head, Line::new().ours(count)];
    rows.extend(latest.iter().flat_map(|past| field("", one(past, page.now, &page.zone), page)));
    rows
}

fn one(past: &Past, now: Timestamp, zone: &TimeZone) -> Line {
    let (ink, word) = match past.state.as_str() {
        "consumed" => (Ink::Good, "approved, ran"),
        "denied" => (Ink::Danger, "denied"),
        "expired" => (Ink::Faint, "nobody answered"),
        "cancelled" => (Ink::Faint, "withdrawn"),
        state => (Ink::Strong, state),
    };
    let mut line = Line::new().inked(ink, word);
    if !past.by.is_empty() {
        line = line.ours(" by ").theirs(&past.by.join(", "));
    }
    line = line.ours(format!(", {}, ", short(past.opened, now, zone)));
    line = if past.same_agent { line.ours("same agent") } else { line.ours(format!("agent {}", past.agent)) };
    line = line.ours("  ").inked(Ink::Faint, past.call.as_str());
    match &past.reason {
        Some(reason) => line.ours(": ").theirs(reason),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::text;

    #[test]
    fn past_calls_are_counted_and_the_newest_are_told_one_by_one() {
        let similar: Similar = serde_json::from_str(
            r#"{"approved":2,"denied":1,"lapsed":0,"latest":[
            {"id":"hold-abcdefghijklmnop","call":"call-abcdefghijklmnop","agent":"ci","same_agent":true,"state":"denied","by":["ann"],
             "reason":"not\u001b[2J now","opened":"2026-11-21T09:00:00Z"},
            {"id":"hold-abcdefghijklmnoq","call":"call-abcdefghijklmnoq","agent":"other","same_agent":false,"state":"consumed","by":["bob"],
             "opened":"2026-11-21T08:00:00Z"}]}"#,
        )
        .unwrap();
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        let page = Page { now, zone: TimeZone::UTC, width: 110, fold: false };
        let shown = text(&draw(&similar, &page));
        for part in [
            "2 approved, 1 denied, 0 not answered",
            "denied by ann",
            "same agent",
            "not\\u{1b}[2J now",
            "approved, ran by bob",
            "agent other",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(text(&draw(&Similar::default(), &page)).contains("never held before"));
    }
}
