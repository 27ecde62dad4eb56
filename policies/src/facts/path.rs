//! Paths: where they lead by their text alone, and what lies there.

mod holding;
mod power;

pub(super) use holding::Holding;
pub(super) use power::Power;

/// A path as a tool was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Normalised: `/` between names, `.` and `..` resolved, no `/` at the end.
    pub(super) path: String,
    /// From the root, from a drive, or from a home folder.
    pub(super) absolute: bool,
    /// Whether `..` stands in it.
    pub(super) dotted: bool,
    /// Why it is refused, if it climbs or hides.
    pub(super) climbs: Option<&'static str>,
}

impl Place {
    /// What a path means, read as the most lenient tool would read it.
    pub(super) fn of(given: &str) -> Self {
        let given = given.get(..given.floor_char_boundary(MAX_PATH)).unwrap_or_default();
        let bare = given.strip_prefix("file://").map_or(given, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
        let (decoded, encoded) = decoded(bare);
        let slashed = decoded.replace('\\', "/");
        let drive = drive(&slashed);
        let absolute = slashed.starts_with(['/', '~']) || drive || slashed.starts_with("$HOME");
        let mut parts: Vec<&str> = Vec::with_capacity(8);
        let (mut floor, mut climbs) = (false, None);
        for part in slashed.split('/') {
            // `..;` is how some servers are told `..`; three and more dots are what a filter makes of `....//`.
            let dots = part.split(';').next().unwrap_or_default().trim_end();
            match dots {
                "" | "." => {}
                ".." => {
                    let last = parts.pop();
                    floor |= last.is_none() || (absolute && parts.is_empty());
                    if last == Some("..") || (last.is_none() && !absolute) {
                        parts.extend(last);
                        parts.push("..");
                    }
                    if encoded {
                        climbs = Some("hides `..` in an encoding");
                    }
                }
                dots if dots.len() > 3 && dots.bytes().all(|byte| byte == b'.') => {
                    climbs = Some("holds a run of dots that filters turn into `..`");
                }
                _ => parts.push(part),
            }
        }
        if floor {
            climbs = climbs.or(Some("climbs above where it starts"));
        }
        if decoded.contains('\0') {
            climbs = Some("holds a NUL, where tools in C end the path");
        }
        let joined = parts.join("/");
        let path = if slashed.starts_with('/') { format!("/{joined}") } else { joined };
        let climbed = slashed.split('/').any(|part| part == "..");
        if climbed && climbs.is_none() && Holding::of(&path) >= Holding::Private {
            climbs = Some("climbs to where secrets are kept");
        }
        Self { path, absolute, dotted: climbed, climbs }
    }
}

fn drive(path: &str) -> bool {
    let mut bytes = path.bytes();
    matches!((bytes.next(), bytes.next()), (Some(letter), Some(b':')) if letter.is_ascii_alphabetic())
}

/// Percent-decoded until nothing changes, with look-alikes of dots and slashes folded; whether a dot or a slash was hidden.
fn decoded(given: &str) -> (String, bool) {
    let mut text = given.to_owned();
    let mut hidden = false;
    // Twice encoded is an attack that is known; four times is beyond any tool.
    for _ in 0..4 {
        if !text.contains('%') {
            break;
        }
        let lower = text.to_ascii_lowercase();
        hidden |= ["%2e", "%2f", "%5c", "%00", "%252", "%c0%a", "%c0%2", "%e0%80%a", "%c1%9c", "%u002", "%u221"]
            .iter()
            .any(|code| lower.contains(code));
        let next = percent(&text);
        if next == text {
            break;
        }
        text = next;
    }
    let folded: String = text
        .chars()
        .map(|letter| match letter {
            '\u{ff0e}' | '\u{2024}' | '\u{fe52}' => '.',
            '\u{ff0f}' | '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
            '\u{ff3c}' | '\u{fe68}' => '\\',
            other => other,
        })
        .collect();
    hidden |= folded != text;
    (folded, hidden)
}

/// One round of percent-decoding; overlong UTF-8 forms of `.` and `/` become what lenient decoders make of them.
fn percent(text: &str) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let two = (*first == b'%').then(|| Some((hex(*tail.first()?)?, hex(*tail.get(1)?)?))).flatten();
        if let Some((high, low)) = two {
            out.push(high * 16 + low);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    for (overlong, plain) in [
        (&[0xc0, 0xae][..], b'.'),
        (&[0xc0, 0xaf][..], b'/'),
        (&[0xc1, 0x9c][..], b'\\'),
        (&[0xe0, 0x80, 0xae][..], b'.'),
    ] {
        while let Some(at) = out.windows(overlong.len()).position(|window| window == overlong) {
            out.splice(at..at + overlong.len(), [plain]);
        }
    }
    String::from_utf8(out).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn ends(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Longer paths are beyond every file system.
pub(super) const MAX_PATH: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_climb_is_seen() {
        for path in [
            "../etc/passwd",
            "../../x",
            "a/../../b",
            "/srv/../../etc/passwd",
            "..\\..\\windows",
            "%2e%2e/%2e%2e/x",
            "/a/%2e%2e/b",
            "%252e%252e%252fx",
            "..%2f..%2fx",
            "..%c0%af..%c0%afx",
            "%c0%ae%c0%ae/x",
            "....//....//x",
            "..;/..;/x",
            "\u{ff0e}\u{ff0e}/x",
            "a\0b",
            "a%00b",
            "/home/me/../you/.ssh/id_rsa",
            "file:///../../x",
            "C:\\..\\..\\x",
            "..",
            "./..",
            "/..",
            "..%5c..%5cx",
            "..\u{2215}x",
        ] {
            assert!(Place::of(path).climbs.is_some(), "{path}");
        }
    }

    #[test]
    fn dots_that_stay_inside_are_no_climb() {
        for (path, normal) in [
            ("/home/me/src/../lib/x.rs", "/home/me/lib/x.rs"),
            ("src/./a/../b", "src/b"),
            ("/a/b/", "/a/b"),
            ("a..b/c...d", "a..b/c...d"),
            ("100%.txt", "100%.txt"),
            ("my%20file", "my file"),
            ("...", "..."),
        ] {
            let place = Place::of(path);
            assert_eq!(place.climbs, None, "{path}");
            assert_eq!(place.path, normal);
        }
    }
}
