//! Text from outside, made safe to show: nothing that an agent or a server wrote can paint, move, hide or imitate.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A stretch of shown text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it was written.
    Plain(String),
    /// An escape that stands for a character which would not show as itself.
    Escape(String),
}

/// How many combining marks may sit on one character: two serve every living script we know of; more are there to
/// paint over the neighbouring lines.
const MARKS: usize = 2;

/// The text in pieces, each safe on a terminal. Escapes are reversible: two different texts never show alike.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    split(text, |c| c == '\\')
}

/// As [`pieces`], and with `"` escaped, for use between quotes.
pub(crate) fn quoted_pieces(text: &str) -> Vec<Piece> {
    split(text, |c| matches!(c, '\\' | '"'))
}

/// Our own words on their way out: only what could harm a terminal is escaped. A second net, should text from outside
/// ever take the wrong door.
pub(crate) fn harmless(text: &str) -> String {
    split(text, |_| false).into_iter().map(|piece| piece.text().to_owned()).collect()
}

/// JSON text whose strings may hold anything, with every character that could harm a terminal as `\uXXXX`. The value stays
/// the same.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Line ends stand between JSON lines, not in strings: serde_json escapes those.
        if c == '\n' || !is_hidden(c) {
            safe.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _infallible = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

/// How many cells of a terminal the text takes.
pub(crate) fn cells(text: &str) -> usize {
    text.width()
}

impl Piece {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Escape(text) => text,
        }
    }
}

fn split(text: &str, also: impl Fn(char) -> bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    // As if a full stack of marks came before: a mark at the start would sit on a character of ours.
    let mut marks = MARKS;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if !also(c) && !is_hidden(c) && marks <= MARKS {
            plain.push(c);
            continue;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Escape(escape(c)));
        marks = MARKS;
    }
    if !plain.is_empty() {
        pieces.push(Piece::Plain(plain));
    }
    pieces
}

fn escape(c: char) -> String {
    match c {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{{{:x}}}", u32::from(other)),
    }
}

/// A mark that sits on the character before it.
fn is_mark(c: char) -> bool {
    c.width() == Some(0) && !is_hidden(c)
}

/// Whether a character moves, reorders, hides, or passes for another one without showing itself.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || is_blank(c)
        || is_private(c)
        || matches!(c,
            // Formatting: soft hyphen, Arabic signs, bidirectional controls, zero-width, invisible operators.
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Joiners, fillers and vowels that leave nothing on the screen.
            | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            // Variation selectors and tags: a whole text hides in them.
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// Blanks that are not the space.
fn is_blank(c: char) -> bool {
    c != ' ' && (c.is_whitespace() || c == '\u{2800}')
}

/// Characters whose picture each font invents, and code points that are none.
fn is_private(c: char) -> bool {
    let code = u32::from(c);
    matches!(code, 0xe000..=0xf8ff | 0xf_0000..) || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        pieces(text).iter().map(Piece::text).collect()
    }

    /// The inverse of `shown`.
    fn read_back(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match rest.next().unwrap() {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'u' => {
                    let code: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    text.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                }
                same => text.push(same),
            }
        }
        text
    }

    #[test]
    fn escape_sequences_and_direction_overrides_are_spelled_out() {
        assert_eq!(shown("\u{1b}[2J\u{1b}]0;owned\u{7}"), "\\u{1b}[2J\\u{1b}]0;owned\\u{7}");
        assert_eq!(shown("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(shown("pay\u{200b}pal"), "pay\\u{200b}pal");
        assert_eq!(shown("a\u{9b}31mred"), "a\\u{9b}31mred");
        assert_eq!(shown("tag\u{e0041}"), "tag\\u{e0041}");
        assert_eq!(shown("two\nlines\t\r"), "two\\nlines\\t\\r");
    }

    #[test]
    fn letters_of_every_script_stay_readable() {
        for text in ["naïve", "e\u{301}", "Пётр", "日本語", "한국어", "🎉", "हिन्दी"] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_spelled_out_escape_cannot_be_forged() {
        assert_ne!(shown("\\u{202e}"), shown("\u{202e}"));
        assert_eq!(shown("\\u{202e}"), "\\\\u{202e}");
    }

    #[test]
    fn stacked_marks_cannot_paint_over_the_line_above() {
        let tower = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(shown(&tower).matches('\u{301}').count(), MARKS);
        assert!(shown("\u{301}x").starts_with('\\'));
    }

    #[test]
    fn json_keeps_its_value() {
        let json = serde_json::to_string("a\u{202e}b\u{9b}\u{7f}\u{e0041}\n").unwrap();
        let safe = harmless_json(&json);
        assert!(safe.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), "a\u{202e}b\u{9b}\u{7f}\u{e0041}\n");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_ever_shown(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(is_hidden));
            prop_assert!(!harmless(&text).chars().any(is_hidden));
            prop_assert!(!harmless_json(&serde_json::to_string(&text).unwrap()).chars().any(is_hidden));
        }

        #[test]
        fn different_texts_show_differently(text in any::<String>()) {
            prop_assert_eq!(read_back(&shown(&text)), text);
        }

        #[test]
        fn hostile_characters_in_any_company_are_spelled_out(
            text in proptest::collection::vec(prop_oneof![
                Just('\u{1b}'), Just('\u{202e}'), Just('\u{2066}'), Just('\u{200d}'), Just('\\'), Just('"'), Just('\u{301}'),
                Just('\u{e0020}'), any::<char>(),
            ], 0..40)
        ) {
            let text: String = text.into_iter().collect();
            prop_assert!(!shown(&text).chars().any(is_hidden));
            prop_assert_eq!(read_back(&shown(&text)), text);
        }
    }
}
