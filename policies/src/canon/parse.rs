//! Bytes to `Value`, by RFC 8259 and nothing beyond it.

use std::collections::HashSet;

use thiserror::Error;

use super::value::{Number, Object, Value};

/// What one text may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The deepest nesting of arrays and objects; the parser recurses, so this also bounds its stack.
    pub depth: usize,
    /// The most values of any kind: a megabyte of `[[],[],…` would otherwise cost forty in memory.
    pub values: usize,
}

impl Limits {
    /// For what agents send.
    pub const REQUEST: Self = Self { bytes: 4 << 20, depth: 64, values: 200_000 };
    /// For what tools' servers answer.
    pub const ANSWER: Self = Self { bytes: 16 << 20, depth: 128, values: 1_000_000 };
}

/// Why a text was refused. `at` is the byte offset; no message repeats the text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// Longer than `Limits::bytes`.
    #[error("the text has {found} bytes, more than the {limit} allowed")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// Nested deeper than `Limits::depth`.
    #[error("nested deeper than {limit} levels at byte {at}")]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
        /// Where the next level began.
        at: usize,
    },
    /// More values than `Limits::values`.
    #[error("more than {limit} values")]
    TooMany {
        /// The most allowed.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("invalid UTF-8 at byte {at}")]
    Utf8 {
        /// Where the invalid sequence begins.
        at: usize,
    },
    /// Two members of one object have the same key.
    #[error("a key occurs twice in one object; the second ends at byte {at}")]
    DuplicateKey {
        /// Where the second occurrence ends.
        at: usize,
    },
    /// A `\u` escape is half a surrogate pair.
    #[error("a lone surrogate at byte {at}")]
    LoneSurrogate {
        /// Where the escape ends.
        at: usize,
    },
    /// Not JSON.
    #[error("expected {wanted} at byte {at}")]
    Syntax {
        /// What JSON allows there.
        wanted: &'static str,
        /// Where it was missing.
        at: usize,
    },
}

impl Value {
    /// Reads one JSON text, strictly.
    ///
    /// # Errors
    /// [`ParseError`] says what was found and where.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        if bytes.len() > limits.bytes {
            return Err(ParseError::TooLong { found: bytes.len(), limit: limits.bytes });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| ParseError::Utf8 { at: error.valid_up_to() })?;
        let mut parser = Parser { text, bytes, at: 0, depth: 0, values: 0, limits };
        let value = parser.value()?;
        parser.space();
        if parser.at < bytes.len() { Err(parser.expected("the end of the text")) } else { Ok(value) }
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
    limits: &'a Limits,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Value, ParseError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(ParseError::TooMany { limit: self.limits.values });
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => Err(self.expected("a value")),
        }
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Value, ParseError>) -> Result<Value, ParseError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(ParseError::TooDeep { limit: self.limits.depth, at: self.at });
        }
        self.at += 1; // the opening bracket
        let value = parse(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            self.require(b',', "`,` or `]`")?;
        }
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        let mut members = Members::default();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(members.finish()));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key"));
            }
            let key = self.string()?;
            if members.contains(&key) {
                return Err(ParseError::DuplicateKey { at: self.at });
            }
            self.space();
            self.require(b':', "`:`")?;
            let value = self.value()?;
            members.push(key, value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(members.finish()));
            }
            self.require(b',', "`,` or `}`")?;
        }
    }

    fn string(&mut self) -> Result<String, ParseError> {
        self.at += 1; // the opening quote
        let mut out = String::new();
        loop {
            let plain_from = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            // Stops only at ASCII or the end, so this is on character boundaries.
            out.push_str(self.text.get(plain_from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.expected("no control character in a string")),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let escaped = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) | None => return Err(self.expected("an escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, ParseError> {
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !(self.take(b'\\') && self.take(b'u')) {
                return Err(ParseError::LoneSurrogate { at: self.at });
            }
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(ParseError::LoneSurrogate { at: self.at });
            }
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        // What is left out of `char` is exactly a trailing surrogate that came alone.
        char::from_u32(code).ok_or(ParseError::LoneSurrogate { at: self.at })
    }

    fn hex4(&mut self) -> Result<u32, ParseError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let from = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Value::Number(Number(self.text.get(from..self.at).unwrap_or_default().into())))
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, ParseError> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.expected("a value"))
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn require(&mut self, byte: u8, wanted: &'static str) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    fn expected(&self, wanted: &'static str) -> ParseError {
        ParseError::Syntax { wanted, at: self.at }
    }
}

/// Members as they arrive, with a check for equal keys that stays cheap for few and linear for many.
#[derive(Default)]
struct Members {
    list: Vec<(String, Value)>,
    seen: HashSet<String>,
}

impl Members {
    /// Up to here a scan is faster than a set; beyond it a scan would be quadratic in what an attacker sends.
    const SCANNED: usize = 16;

    fn contains(&self, key: &str) -> bool {
        if self.seen.is_empty() { self.list.iter().any(|(seen, _)| seen == key) } else { self.seen.contains(key) }
    }

    fn push(&mut self, key: String, value: Value) {
        if !self.seen.is_empty() {
            self.seen.insert(key.clone());
        }
        self.list.push((key, value));
        if self.list.len() == Self::SCANNED {
            self.seen = self.list.iter().map(|(key, _)| key.clone()).collect();
        }
    }

    fn finish(self) -> Object {
        Object(self.list)
    }
}
