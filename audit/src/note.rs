//! `Note`: a text with signatures, as C2SP's `signed-note` has them.
//!
//! ```text
//! text, any lines, each ended by a line feed
//!
//! — name BASE64(key id ‖ signature)
//! ```

mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

pub use key::{BadKey, FileKey, KeyType, Signer, VerifierKey};

/// A text and who signed it. Nothing of it counts before a signature by a known key is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The key's name.
    pub(crate) name: String,
    /// The key's id.
    pub(crate) id: [u8; 4],
    /// The bytes after the id.
    pub(crate) bytes: Vec<u8>,
}

/// Why bytes are not a note, or not one by this key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadNote {
    /// Not a text, a blank line and signatures.
    #[error("it is not a signed note")]
    Form,
    /// There is no signature by the wanted key.
    #[error("it is not signed by the key `{0}`")]
    Unsigned(String),
    /// There is one, and it does not fit the text.
    #[error("the signature of `{0}` does not fit its text")]
    Signature(String),
}

/// More than any checkpoint: text of three lines, and at least 16 signatures.
const LONGEST: usize = 64 << 10;

/// No note of ours has more; verifiers accept at least 16.
const SIGNATURES: usize = 64;

impl Note {
    /// A text, signed by nobody yet. It ends with a line feed.
    pub(crate) fn new(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Reads a note, to the byte: what it prints again is what was read.
    ///
    /// # Errors
    /// [`BadNote::Form`].
    pub fn parse(note: &str) -> Result<Self, BadNote> {
        let allowed = |c: char| c == '\n' || c >= ' ';
        if note.len() > LONGEST || !note.chars().all(allowed) {
            return Err(BadNote::Form);
        }
        let blank = note.rfind("\n\n").ok_or(BadNote::Form)?;
        let (text, rest) = note.split_at_checked(blank + 1).ok_or(BadNote::Form)?;
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n')).ok_or(BadNote::Form)?;
        let signatures = lines.split('\n').map(Signature::parse).collect::<Option<Vec<_>>>().ok_or(BadNote::Form)?;
        if signatures.len() > SIGNATURES || text.is_empty() {
            return Err(BadNote::Form);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, unchecked.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    pub(crate) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The text with this key's signature alone: anyone can add lines to a note.
    pub(crate) fn by(&self, key: &VerifierKey) -> Self {
        let ours = self.signatures.iter().filter(|line| line.name == key.name() && line.id == key.id());
        Self { text: self.text.clone(), signatures: ours.take(1).cloned().collect() }
    }

    /// Whether this key signed the text. Of a cosignature, answers when it was made, in seconds.
    ///
    /// # Errors
    /// [`BadNote::Unsigned`] if no line is by the key; [`BadNote::Signature`] if one is and does not fit.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, BadNote> {
        let ours = self.signatures.iter().filter(|line| line.name == key.name() && line.id == key.id());
        let mut found = Err(BadNote::Unsigned(key.to_string()));
        for line in ours {
            found = Ok(key.check(&self.text, &line.bytes).ok_or_else(|| BadNote::Signature(key.name().to_owned()))?);
        }
        found
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Signature {
    /// Reads a line without its line feed.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, coded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = BASE64.decode(coded).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (key::is_name(name) && !bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, BASE64.encode([self.id.as_slice(), &self.bytes].concat()))
    }
}

#[cfg(test)]
mod tests;
