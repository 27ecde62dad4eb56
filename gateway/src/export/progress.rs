//! `Progress`: how far an exporter has come, and why it does not get on, as its cursor and the log say it.

use audit::Reader;
use jiff::Timestamp;
use serde::Serialize;

use super::{Cursor, Trouble};
use crate::config::{Config, Export};

/// How far an exporter has come.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// Its name in the config.
    pub name: String,
    /// What it passes records on to.
    pub kind: &'static str,
    /// How records look there.
    pub format: &'static str,
    /// The last record that was taken.
    pub exported: u64,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Unknown where the log does not answer.
    pub behind: Option<u64>,
    /// How many records were refused for good, and left out.
    pub skipped: u64,
    /// Why it does not get on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Why its cursor leads nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub astray: Option<String>,
}

impl Progress {
    /// What to do about a cursor that leads nowhere.
    pub const BEGIN: &'static str = "find out who changed the log; then remove the exporter's file in `exported` of the state folder: it begins again at the first record that is there, \
         and what is sent twice has the same leaf";

    /// Of every exporter in a config. Reads files.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let reader = Reader::open(&config.state).ok();
        let of = |(name, settings): (&String, &Export)| Self::of(config, name, settings, reader.as_ref());
        config.export.iter().map(of).collect()
    }

    fn of(config: &Config, name: &str, settings: &Export, reader: Option<&Reader>) -> Self {
        let (cursor, unreadable) = match Cursor::load(&config.state, name) {
            Ok(cursor) => (cursor, None),
            Err(error) => (Cursor::default(), Some(format!("its cursor cannot be read: {error}"))),
        };
        let last = reader.and_then(|reader| reader.last().ok());
        let checked = reader.map_or(Ok(()), |reader| cursor.check(reader));
        Self {
            name: name.to_owned(),
            kind: settings.sink.kind(),
            format: settings.format.as_str(),
            exported: cursor.seq,
            at: cursor.at,
            behind: last.map(|last| last.saturating_sub(cursor.seq)),
            skipped: cursor.skipped,
            trouble: cursor.trouble,
            astray: unreadable.or_else(|| checked.err().map(|error| error.to_string())),
        }
    }

    /// How far it has come, in words.
    #[must_use]
    pub fn place(&self) -> String {
        let behind = match self.behind {
            Some(0) => "up to date".to_owned(),
            Some(behind) => format!("behind by {behind}"),
            None => "the log cannot be read".to_owned(),
        };
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("record {}, {behind}{skipped}", self.exported)
    }
}
