//! `Tree`: arguments as people read them, each value with where it came from, nothing hidden without saying so.

use std::collections::BTreeMap;

use policies::{Object, Value};

use super::line::{Ink, Line};

/// Rows of one value that are shown before its middle is folded, its end, and of all values together. The end is kept: that
/// is where an addition hides.
const HEAD: usize = 8;
const TAIL: usize = 3;
const ROWS: usize = 80;

/// What is drawn, and how.
pub(crate) struct Tree<'a> {
    /// The arguments.
    pub(crate) value: &'a Value,
    /// JSON pointer → what is said beside the value.
    pub(crate) notes: &'a BTreeMap<String, Line>,
    /// Cells in a row.
    pub(crate) width: usize,
    /// Whether long values are folded.
    pub(crate) fold: bool,
}

/// The drawing.
pub(crate) struct Drawn {
    pub(crate) rows: Vec<Line>,
    /// How many rows are not shown.
    pub(crate) folded: usize,
}

impl Tree<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Drawn {
        let mut drawn = Drawn { rows: Vec::new(), folded: 0 };
        if let Some(object) = members(self.value) {
            self.members(object, "", 0, &mut drawn);
        } else if let Some(items) = items(self.value) {
            self.items(items, "", 0, &mut drawn);
        } else {
            self.leaf(Line::new(), self.value, "", 0, &mut drawn);
        }
        if self.fold && drawn.rows.len() > ROWS {
            fold(&mut drawn, ROWS - TAIL);
        }
        drawn
    }

    fn members(&self, object: &Object, pointer: &str, depth: usize, drawn: &mut Drawn) {
        for (key, value) in object.iter() {
            let below = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            let name = if is_plain(key) { Line::new().inked(Ink::Strong, key) } else { Line::new().quoted(key) };
            self.node(name.ours(": "), value, &below, depth, drawn);
        }
    }

    fn items(&self, items: &[Value], pointer: &str, depth: usize, drawn: &mut Drawn) {
        for (place, value) in items.iter().enumerate() {
            let name = Line::new().inked(Ink::Faint, format!("[{place}] "));
            self.node(name, value, &format!("{pointer}/{place}"), depth, drawn);
        }
    }

    fn node(&self, name: Line, value: &Value, pointer: &str, depth: usize, drawn: &mut Drawn) {
        if let Some(object) = members(value) {
            self.put(name.then(self.note(pointer)), depth, drawn);
            self.members(object, pointer, depth + 1, drawn);
        } else if let Some(items) = items(value) {
            let count = if items.len() == 1 { "1 item".to_owned() } else { format!("{} items", items.len()) };
            self.put(name.inked(Ink::Faint, count).then(self.note(pointer)), depth, drawn);
            self.items(items, pointer, depth + 1, drawn);
        } else {
            self.leaf(name, value, pointer, depth, drawn);
        }
    }

    fn leaf(&self, name: Line, value: &Value, pointer: &str, depth: usize, drawn: &mut Drawn) {
        let start = drawn.rows.len();
        match value {
            Value::String(text) if text.contains('\n') => self.block(name, text, pointer, depth, drawn),
            Value::String(text) => self.put(name.quoted(text).then(self.note(pointer)), depth, drawn),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.put(name.theirs(&value.to_string()).then(self.note(pointer)), depth, drawn);
            }
        }
        if self.fold {
            fold_from(drawn, start);
        }
    }

    /// A text of several lines, each behind a bar that the text itself cannot cross.
    fn block(&self, name: Line, text: &str, pointer: &str, depth: usize, drawn: &mut Drawn) {
        let size = format!("{} lines, {} characters", text.split('\n').count(), text.chars().count());
        self.put(name.inked(Ink::Faint, size).then(self.note(pointer)), depth, drawn);
        let (bar, goes_on) = (self.indent(depth).ours("  │ "), self.indent(depth).ours("  ┆ "));
        for line in text.split('\n') {
            drawn.rows.extend(bar.clone().theirs(line).wrap(self.width, &goes_on));
        }
    }

    fn put(&self, line: Line, depth: usize, drawn: &mut Drawn) {
        let goes_on = self.indent(depth).ours("  ┆ ");
        drawn.rows.extend(self.indent(depth).then(line).wrap(self.width, &goes_on));
    }

    /// Deep values keep half the width: an argument nested 60 deep must not be pushed off the screen.
    fn indent(&self, depth: usize) -> Line {
        Line::new().ours(" ".repeat((2 + depth * 2).min(self.width / 2)))
    }

    fn note(&self, pointer: &str) -> Line {
        self.notes.get(pointer).map_or_else(Line::new, |note| Line::new().ours("   ").then(note.clone()))
    }
}

fn fold_from(drawn: &mut Drawn, start: usize) {
    let rows = drawn.rows.len() - start;
    if rows > HEAD + TAIL + 1 {
        fold(drawn, start + HEAD);
    }
}

/// Replaces the rows from `from` on, but for the last, by a word that says so.
fn fold(drawn: &mut Drawn, from: usize) {
    let until = drawn.rows.len() - TAIL;
    let hidden = until - from;
    drawn.folded += hidden;
    let notice = Line::new().inked(Ink::Warning, format!("    … {hidden} rows folded: `v` shows all of it …"));
    drawn.rows.splice(from..until, [notice]);
}

/// What an object holds, if it holds anything.
fn members(value: &Value) -> Option<&Object> {
    value.as_object().filter(|object| !object.is_empty())
}

fn items(value: &Value) -> Option<&[Value]> {
    value.as_array().filter(|items| !items.is_empty())
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$'))
}

#[cfg(test)]
mod tests {
    use policies::Limits;
    use proptest::prelude::*;

    use super::*;

    fn draw(json: &str, fold: bool) -> Drawn {
        let value = Value::parse(json.as_bytes(), &Limits { bytes: 1 << 20, depth: 64, values: 1 << 16 }).unwrap();
        Tree { value: &value, notes: &BTreeMap::new(), width: 60, fold }.draw()
    }

    fn text(drawn: &Drawn) -> String {
        crate::cli::line::text(&drawn.rows)
    }

    #[test]
    fn a_tree_reads_like_a_form() {
        let drawn = draw(
            r#"{"path":"/srv/a","edits":[{"old":"x","new":"y"},7],"dry run":false,"big":12345678901234567890123.10,"none":{}}"#,
            true,
        );
        assert_eq!(
            text(&drawn),
            concat!(
                "  path: \"/srv/a\"\n",
                "  edits: 2 items\n",
                "    [0] \n",
                "      old: \"x\"\n",
                "      new: \"y\"\n",
                "    [1] 7\n",
                "  \"dry run\": false\n",
                "  big: 12345678901234567890123.10\n",
                "  none: {}\n",
            )
        );
    }

    #[test]
    fn lines_of_a_text_stay_behind_the_bar() {
        let drawn = draw(r#"{"body":"hello\nrisk: LOW\n"}"#, true);
        assert_eq!(text(&drawn), "  body: 3 lines, 16 characters\n    │ hello\n    │ risk: LOW\n    │ \n");
    }

    #[test]
    fn a_note_stands_beside_its_value() {
        let notes = BTreeMap::from([("/to".to_owned(), Line::new().ours("← from result #3 of mail.read"))]);
        let value = Value::parse(br#"{"to":"x@y"}"#, &Limits { bytes: 99, depth: 9, values: 9 }).unwrap();
        let drawn = Tree { value: &value, notes: &notes, width: 80, fold: true }.draw();
        assert_eq!(text(&drawn), "  to: \"x@y\"   ← from result #3 of mail.read\n");
    }

    #[test]
    fn long_values_fold_in_the_middle_and_say_how_much() {
        let body = (0..500).map(|line| format!("line {line}\\n")).collect::<Vec<_>>().concat();
        let json = format!("{{\"body\":\"{body}\"}}");
        let folded = draw(&json, true);
        assert!(folded.rows.len() <= HEAD + TAIL + 1);
        assert!(folded.folded > 400);
        assert!(text(&folded).contains("rows folded"));
        assert!(text(&folded).contains("line 499"), "the end is shown");
        let whole = draw(&json, false);
        assert_eq!(whole.folded, 0);
        assert!(text(&whole).contains("line 250"));
    }

    #[test]
    fn ten_thousand_values_fold_too() {
        let json = format!("[{}]", vec!["1"; 10_000].join(","));
        let folded = draw(&json, true);
        assert!(folded.rows.len() <= ROWS + 1);
        assert_eq!(draw(&json, false).rows.len(), 10_000);
    }

    proptest! {
        #[test]
        fn every_row_begins_with_our_own_indent(text in any::<String>(), key in any::<String>()) {
            let value: Value = [(key.as_str(), Value::from(text.as_str()))].into_iter().collect::<Object>().into();
            let drawn = Tree { value: &value, notes: &BTreeMap::new(), width: 40, fold: false }.draw();
            for row in &drawn.rows {
                prop_assert!(row.to_string().starts_with("  "));
                prop_assert!(row.cells() <= 40);
            }
        }
    }
}
