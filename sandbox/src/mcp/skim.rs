//! `Skim`: whose answer an oversized message is, told while it is thrown away.

/// Follows JSON text byte by byte in constant memory, and remembers the integer member `id` of the outermost object.
///
/// An answer of 100 MB must fail its own call only, not every call on the connection; yet it must not be kept.
#[derive(Default)]
pub(crate) struct Skim {
    depth: usize,
    text: Text,
    /// The last string read at depth 1 is a key while this is set; then the value follows.
    key: Key,
    /// The first bytes of the string or bare token being read.
    token: Vec<u8>,
    id: Id,
    is_request: bool,
}

#[derive(Default, PartialEq)]
enum Text {
    #[default]
    Outside,
    Inside,
    Escaped,
}

#[derive(Default, PartialEq)]
enum Key {
    /// A key comes next.
    #[default]
    Awaited,
    /// This key's value comes next.
    Read(Name),
}

#[derive(Clone, Copy, PartialEq)]
enum Name {
    Id,
    Method,
    Other,
}

#[derive(Default)]
enum Id {
    #[default]
    None,
    One(u64),
    /// Twice, or no integer.
    Unclear,
}

/// Longer than any key we look for and any `u64`.
const TOKEN: usize = 24;

impl Skim {
    /// Reads on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            if self.text == Text::Inside && (self.depth != 1 || self.token.len() == TOKEN) {
                // What a string says matters no more, only where it ends: megabytes of it are the usual case.
                let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                bytes = bytes.get(end..).unwrap_or_default();
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            match self.text {
                Text::Inside => self.inside(byte),
                Text::Escaped => {
                    self.keep(byte);
                    self.text = Text::Inside;
                }
                Text::Outside => self.outside(byte),
            }
        }
    }

    /// The one of our ids that the message answers, if that is certain.
    pub(crate) fn answers(&self) -> Option<u64> {
        match self.id {
            Id::One(id) if !self.is_request => Some(id),
            Id::One(_) | Id::None | Id::Unclear => None,
        }
    }

    fn inside(&mut self, byte: u8) {
        match byte {
            b'\\' => {
                self.keep(byte); // an escaped key is none that we look for
                self.text = Text::Escaped;
            }
            b'"' => {
                self.keep(byte);
                self.text = Text::Outside;
            }
            other => self.keep(other),
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.keep(byte);
                self.text = Text::Inside;
            }
            b'{' | b'[' => {
                self.value_is_nested();
                self.depth += 1;
            }
            b'}' | b']' => {
                self.value_ends();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 => self.key_ends(),
            b',' => self.value_ends(),
            b' ' | b'\t' | b'\r' => {}
            other => self.keep(other),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < TOKEN {
            self.token.push(byte);
        }
    }

    fn key_ends(&mut self) {
        let name = match self.token.as_slice() {
            b"\"id\"" => Name::Id,
            b"\"method\"" => Name::Method,
            _ => Name::Other,
        };
        self.is_request |= name == Name::Method;
        self.key = Key::Read(name);
        self.token.clear();
    }

    fn value_is_nested(&mut self) {
        if self.depth == 1 && self.key == Key::Read(Name::Id) {
            self.id = Id::Unclear;
        }
    }

    fn value_ends(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.key == Key::Read(Name::Id) {
            let number = std::str::from_utf8(&self.token).ok().and_then(|token| token.parse().ok());
            self.id = match (&self.id, number) {
                (Id::None, Some(id)) => Id::One(id),
                (Id::None | Id::One(_) | Id::Unclear, _) => Id::Unclear,
            };
        }
        self.key = Key::Awaited;
        self.token.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skim(text: &str) -> Option<u64> {
        let mut whole = Skim::default();
        whole.feed(text.as_bytes());
        let mut split = Skim::default();
        text.bytes().for_each(|byte| split.feed(&[byte]));
        assert_eq!(whole.answers(), split.answers());
        whole.answers()
    }

    #[test]
    fn the_id_is_found_before_and_after_the_result() {
        assert_eq!(skim(r#"{"jsonrpc":"2.0","id":12,"result":{"id":3,"a":["\"id\":4"]}}"#), Some(12));
        assert_eq!(skim(r#"{"result":{"content":[{"text":"x}\\"}]}, "id" : 12 }"#), Some(12));
    }

    #[test]
    fn what_is_not_certain_is_not_said() {
        for text in [
            r#"{"id":1,"id":1,"result":{}}"#,
            r#"{"id":"1","result":{}}"#,
            r#"{"id":1.5,"result":{}}"#,
            r#"{"id":[1],"result":{}}"#,
            r#"{"id":1,"method":"x"}"#,
            r#"{"result":{"id":1}"#,
            r#"{"id":99999999999999999999999999}"#,
            "xxxxxx",
        ] {
            assert_eq!(skim(text), None, "{text}");
        }
    }
}
