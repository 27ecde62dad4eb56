//! `Carried`: what records led to that are gone: where a verification of those that are left begins.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::Hash;
use rusqlite::Connection;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::passkeys::Passkeys;
use super::projection::Expected;
use super::succession::{Named, Succession};
use super::{Broken, QueryError, VerifyError, What};
use crate::log::pruned::{self, Pruned};
use crate::record::GENESIS;
use crate::tile::WIDTH;

/// What the records up to one led to. The record of the pruning has the hash of its text, so it is as sure as that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Carried {
    /// How many records.
    pub(crate) records: u64,
    /// The chain's value after them.
    pub(crate) chain: Hash,
    /// When the log's first record was made.
    pub(crate) first: Option<Timestamp>,
    /// How many of them had a body that was erased when they went.
    pub(crate) gone: u64,
    /// The keys that they named, each as the one before it vouched for it.
    pub(crate) keys: Vec<Named>,
    /// What they said of agents, tools, holds and people.
    pub(crate) expected: Expected,
    /// What they said of passkeys, and the nonces that were signed.
    pub(crate) passkeys: Passkeys,
}

/// Where a walk over the records begins.
pub(super) struct Base {
    /// What is gone, or is to go.
    pub(super) pruned: Option<Pruned>,
    /// What it led to.
    pub(super) carried: Option<Carried>,
}

impl Base {
    pub(super) fn load(db: &Connection) -> Result<Self, VerifyError> {
        let Some(pruned) = pruned::load(db).map_err(QueryError::from)? else {
            return Ok(Self { pruned: None, carried: None });
        };
        let broken = || VerifyError::from(Broken { seq: pruned.minimum + 1, what: What::Pruned });
        let mut carried: Carried = serde_json::from_str(&pruned.state).map_err(|_| broken())?;
        carried.expected.unknown_to(carried.records);
        let whole = [pruned.minimum, pruned.done].into_iter().all(|seq| seq.is_multiple_of(WIDTH));
        let sound = whole
            && pruned.done <= pruned.minimum
            && carried.records == pruned.minimum
            && (pruned.done < pruned.minimum || pruned.chain == carried.chain);
        if sound { Ok(Self { pruned: Some(pruned), carried: Some(carried) }) } else { Err(broken()) }
    }

    /// The last record whose row is gone, and the chain's value after it.
    pub(super) fn done(&self) -> (u64, Hash) {
        self.pruned.as_ref().map_or((0, Hash::from_bytes(GENESIS)), |pruned| (pruned.done, pruned.chain))
    }

    /// The last record that counts no more.
    pub(super) fn minimum(&self) -> u64 {
        self.pruned.as_ref().map_or(0, |pruned| pruned.minimum)
    }

    /// The keys that gone records named, each checked anew.
    pub(super) fn keys(&self, keys: &mut Succession) -> Result<(), VerifyError> {
        for named in self.carried.iter().flat_map(|carried| &carried.keys) {
            keys.take(named.clone()).map_err(|what| Broken { seq: named.seq, what })?;
        }
        Ok(())
    }

    /// The last record about a pruning must say what the database says, and be one of those that are signed: the chain has no
    /// key, so anyone who writes the database can make a record that says that others were to go, and what they led to.
    pub(super) fn compare(&self, said: Option<&Said>, signed: u64) -> Result<(), VerifyError> {
        let stored = self.pruned.as_ref().map(|pruned| Said {
            record: pruned.record,
            to: pruned.minimum,
            state: Hash::of(pruned.state.as_bytes()).to_string(),
        });
        if let Some(said) = said.filter(|said| said.record > signed) {
            return Err(Broken { seq: said.record, what: What::Unsigned }.into());
        }
        if stored.as_ref() == said {
            return Ok(());
        }
        Err(Broken { seq: said.map_or(self.minimum() + 1, |said| said.record), what: What::Pruned }.into())
    }
}

/// What a record says of a pruning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(super) record: u64,
    pub(super) to: u64,
    pub(super) state: String,
}

/// Maps whose keys are no texts, as lists of pairs.
pub(super) mod pairs {
    use super::{BTreeMap, Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::verify) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(in crate::verify) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
