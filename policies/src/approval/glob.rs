//! `Glob`: which texts a pass lets an argument be.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A pattern over a whole text: `*` is a part of a name, `**` is names with `/` between them. Both are at least one
/// character long, and neither is anything that could end the part of the text that it stands in: a space, a quote, a
/// comma, `@`, `:`, `?` or `#`. So `*@example.com` is one address at one host, and `/srv/notes/**` lies below that folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Glob(String);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum GlobError {
    /// It has no wildcard, or is too long, or has too many of them.
    #[error("a pattern has 1 to 8 wildcards and at most 256 bytes")]
    Size,
    /// `***`, or a wildcard next to another.
    #[error("two wildcards stand next to each other: write `*` within a name, `**` across `/`")]
    Adjacent,
    /// It holds `..` or a control character.
    #[error("a pattern holds no `..` and no control characters")]
    Text,
}

/// The longest pattern, in bytes.
const LONGEST: usize = 256;

/// The most wildcards in one pattern.
const MOST: usize = 8;

/// The longest text that is looked at, in bytes: what a pattern is for, addresses and paths, is shorter.
const LONGEST_TEXT: usize = 4096;

impl Glob {
    /// A pattern as it is written.
    ///
    /// # Errors
    /// [`GlobError`] where it means nothing, or could mean more than it shows.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.contains("..") || text.chars().any(char::is_control) {
            return Err(GlobError::Text);
        }
        let parts: Vec<Part<'_>> = parts(text).collect();
        let wild = |part: &Part<'_>| !matches!(part, Part::Text(_));
        let wildcards = parts.iter().filter(|part| wild(part)).count();
        if text.len() > LONGEST || !(1..=MOST).contains(&wildcards) {
            return Err(GlobError::Size);
        }
        let adjacent = parts.iter().zip(parts.iter().skip(1)).any(|(a, b)| wild(a) && wild(b));
        if adjacent { Err(GlobError::Adjacent) } else { Ok(Self(text.to_owned())) }
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether all of a text is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // A step up, or a name that is the folder itself, is not below it.
        let climbs = text.contains("..") || text.split('/').any(|name| name == ".");
        text.len() <= LONGEST_TEXT && !climbs && self.reaches_the_end_of(text)
    }

    /// Every place in the text that the pattern so far can end at, part by part.
    fn reaches_the_end_of(&self, text: &str) -> bool {
        let mut ends = vec![0];
        for part in parts(&self.0) {
            let rest = |at: usize| text.get(at..).unwrap_or_default();
            let mut next: Vec<usize> = match part {
                Part::Text(literal) => {
                    ends.into_iter().filter(|at| rest(*at).starts_with(literal)).map(|at| at + literal.len()).collect()
                }
                Part::Name | Part::Names => {
                    let fits = |c: &char| is_of_a_name(*c) || (*c == '/' && part == Part::Names);
                    let run = |at| {
                        rest(at).chars().take_while(fits).scan(at, |end, c| {
                            *end += c.len_utf8();
                            Some(*end)
                        })
                    };
                    ends.into_iter().flat_map(run).collect()
                }
            };
            next.sort_unstable();
            next.dedup();
            ends = next;
        }
        ends.contains(&text.len())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Name,
    Names,
}

fn parts(pattern: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        let (part, after) = if let Some(after) = rest.strip_prefix("**") {
            (Part::Names, after)
        } else if let Some(after) = rest.strip_prefix('*') {
            (Part::Name, after)
        } else {
            let (text, after) = rest.split_at(rest.find('*').unwrap_or(rest.len()));
            if text.is_empty() {
                return None;
            }
            (Part::Text(text), after)
        };
        rest = after;
        Some(part)
    })
}

/// Letters and digits of every script, and what names are joined with. Nothing that separates one value from the next, and
/// nothing that stands for another character, as `%` does.
fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_wildcard_stays_in_its_part_of_the_text() {
        for (pattern, text) in [
            ("*@example.com", "ann.b+c@example.com"),
            ("/srv/notes/*", "/srv/notes/a.md"),
            ("/srv/notes/**", "/srv/notes/2026/11/a.md"),
            ("https://*.example.com/v1/**", "https://api.example.com/v1/users/7"),
            ("report-*-*.pdf", "report-2026-11-27.pdf"),
            ("*", "größe"),
            ("a*a*a", "aaaaa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn nothing_hides_in_a_wildcard() {
        for (pattern, text) in [
            ("*@example.com", "eve@evil.test,ann@example.com"),
            ("*@example.com", "eve@evil.test ann@example.com"),
            ("*@example.com", "@example.com"),
            ("*@example.com", "ann@example.com.evil.test"),
            ("*@example.com", "ann@example.com\n"),
            ("*@example.com", "<eve@evil.test>ann@example.com"),
            ("/srv/notes/*", "/srv/notes/a/b"),
            ("/srv/notes/*", "/srv/notes/"),
            ("/srv/notes/*", "/srv/notes/."),
            ("/srv/notes/**", "/srv/notes/../../etc/passwd"),
            ("/srv/notes/**", "/srv/notes/x/./y"),
            ("/srv/notes/**", "/srv/notes/%2e%2e/x"),
            ("/srv/notes/**", "/srv/notes/x\\..\\y"),
            ("/srv/notes/**", "/srv/notes/x\u{0}"),
            ("/srv/notes/**", "/srv/notes/x\u{202e}"),
            ("/srv/notes/**", "/srv/notes/x\u{200b}"),
            ("https://*.example.com/", "https://evil.test/x.example.com/"),
            ("https://*.example.com/", "https://evil.test#x.example.com/"),
            ("https://*.example.com/", "https://evil.test?x.example.com/"),
            ("https://*.example.com/", "https://evil.test:80.example.com@x/"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text:?}");
        }
        assert!(!matches("*", &"a".repeat(LONGEST_TEXT + 1)));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, error) in [
            ("", GlobError::Size),
            ("plain", GlobError::Size),
            ("a*b*c*d*e*f*g*h*i*", GlobError::Size),
            ("***", GlobError::Adjacent),
            ("a/../*", GlobError::Text),
            ("a\n*", GlobError::Text),
        ] {
            assert_eq!(Glob::parse(text).unwrap_err(), error, "{text:?}");
        }
        assert_eq!(Glob::parse(&format!("{}*", "a".repeat(LONGEST))), Err(GlobError::Size));
    }
}
