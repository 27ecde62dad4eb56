//! `Provenance`: for each value of a call's arguments, where it was seen first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The origin of every argument value, by JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Provenance(BTreeMap<String, Origin>);

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It occurred in what the agent has read.
    Seen(Seen),
    /// It was not found, but the session has read more than it could remember, and the value could stand for something:
    /// it is treated as if it came from there.
    Forgotten {
        /// Something untrusted was forgotten.
        untrusted: bool,
        /// Something sensitive was forgotten.
        sensitive: bool,
    },
    /// It has not occurred in anything the agent read through this gateway.
    Unseen,
}

/// One occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The number of the result in its session, from 1.
    pub result: u32,
    /// `server.tool` that gave the result.
    pub tool: Arc<str>,
    /// Whoever writes to what this tool reads may have put it there.
    pub untrusted: bool,
    /// The result was sensitive.
    pub sensitive: bool,
    /// How it was recognised.
    pub how: How,
}

/// How a value was recognised, from the surest to the least sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Byte for byte.
    Exact,
    /// But for case, width, invisible characters and white space.
    Normalised,
    /// One is a part of the other.
    Part,
    /// The result held it encoded (base64, hex, percent); the argument is plain.
    Decoded,
    /// The argument holds it encoded.
    Encoded,
    /// It is spread over neighbouring arguments.
    Split,
    /// The argument is put together from pieces that were seen.
    Assembled,
}

impl How {
    /// As records and people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::Part => "part",
            Self::Decoded => "decoded",
            Self::Encoded => "encoded",
            Self::Split => "split",
            Self::Assembled => "assembled",
        }
    }
}

impl Origin {
    /// Whether an outsider may have chosen the value.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        match self {
            Self::Seen(seen) => seen.untrusted,
            Self::Forgotten { untrusted, .. } => *untrusted,
            Self::Unseen => false,
        }
    }

    /// Whether the value came out of something sensitive.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        match self {
            Self::Seen(seen) => seen.sensitive,
            Self::Forgotten { sensitive, .. } => *sensitive,
            Self::Unseen => false,
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unseen => serializer.serialize_str("unseen"),
            Self::Forgotten { untrusted, sensitive } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("how", "forgotten")?;
                map.serialize_entry("untrusted", untrusted)?;
                map.serialize_entry("sensitive", sensitive)?;
                map.end()
            }
            Self::Seen(seen) => {
                let mut map = serializer.serialize_map(Some(5))?;
                map.serialize_entry("result", &seen.result)?;
                map.serialize_entry("tool", seen.tool.as_ref())?;
                map.serialize_entry("how", seen.how.as_str())?;
                map.serialize_entry("untrusted", &seen.untrusted)?;
                map.serialize_entry("sensitive", &seen.sensitive)?;
                map.end()
            }
        }
    }
}

impl Provenance {
    /// The origin of the value at this JSON pointer.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Origin> {
        self.0.get(pointer)
    }

    /// Every value with its origin, by pointer.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.0.iter().map(|(pointer, origin)| (pointer.as_str(), origin))
    }

    /// The values that an outsider may have chosen.
    pub fn untrusted(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.iter().filter(|(_, origin)| origin.is_untrusted())
    }

    /// The values that came out of something sensitive.
    pub fn sensitive(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.iter().filter(|(_, origin)| origin.is_sensitive())
    }

    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the call has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Origin)> for Provenance {
    fn from_iter<I: IntoIterator<Item = (String, Origin)>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}
