//! How the gateway fares, as operators are shown it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::exporters::ExporterRow;
use crate::witness::Stand;

/// How the gateway is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// `ok`, or why the log cannot be written: then no call runs.
    pub log: String,
    /// How many holds wait.
    pub holds: usize,
    /// `ok`, `off`, `not tried yet`, or what did not hold when the gateway tried itself.
    #[serde(default)]
    pub liveness: String,
    /// The defaults that decide nothing because they are only observed, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<String>,
    /// The quorums of the config that the operators there are cannot reach, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quorums: Vec<String>,
    /// How many tools are offered.
    pub offered: usize,
    /// How many are withheld, changed ones included.
    pub withheld: usize,
    /// The witnesses that the config names.
    #[serde(default)]
    pub witnesses: Vec<WitnessRow>,
    /// The backends that secrets are kept in.
    #[serde(default)]
    pub backends: Vec<BackendRow>,
    /// The exporters that the config names.
    #[serde(default)]
    pub exporters: Vec<ExporterRow>,
}

/// A backend of secrets, and how it answered last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRow {
    /// Its name.
    pub name: String,
    /// When a call last needed it.
    pub at: Option<Timestamp>,
    /// `ok`, `not asked yet`, or why it gave nothing.
    pub state: String,
}

impl From<vault::Answer> for BackendRow {
    fn from(answer: vault::Answer) -> Self {
        let well = if answer.at.is_some() { "ok" } else { "not asked yet" };
        Self { name: answer.backend, at: answer.at, state: answer.fault.unwrap_or_else(|| well.to_owned()) }
    }
}

/// A witness, and how far it has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessRow {
    /// Its name.
    pub name: String,
    /// How many records it signed last; 0 if it has signed none since the gateway started.
    pub signed: u64,
    /// When it did.
    pub at: Option<Timestamp>,
    /// How many signed records of the log it has not signed.
    pub lag: u64,
    /// `ok`, or why it does not sign.
    pub state: String,
    /// It said, since the gateway started, that it signed more records than there are, or others: the log was put back or
    /// rewritten, or the witness lies.
    pub conflict: bool,
}

impl From<Stand> for WitnessRow {
    fn from(stand: Stand) -> Self {
        let conflict = stand.conflict.map(|(_, why)| why);
        let (signed, at) = stand.signed.map_or((0, None), |(size, at)| (size, Some(at)));
        Self {
            name: stand.name,
            signed,
            at,
            lag: stand.size.saturating_sub(signed),
            conflict: conflict.is_some(),
            state: conflict
                .or(stand.failing)
                .unwrap_or_else(|| if at.is_some() { "ok" } else { "not asked yet" }.to_owned()),
        }
    }
}
