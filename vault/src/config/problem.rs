//! `Problem`: one thing wrong with a config.

use std::fmt;

/// One thing wrong with a config. Never repeats a value that may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, below the table that is read.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
}

impl Problem {
    /// By key, what was found there, and what was wanted.
    pub fn new(key: impl Into<String>, found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { key: key.into(), found: found.into(), wanted: wanted.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: found {}, wanted {}", self.key, self.found, self.wanted)
    }
}
