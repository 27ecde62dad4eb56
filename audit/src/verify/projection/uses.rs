//! `Uses`: which tool an agent used first by which record. A first use is riskier than those after it, so whoever adds a row
//! lowers a risk.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::super::{Broken, Kind, Record, VerifyError, What};
use super::table::rows;
use crate::log::views::used_key;

/// The first uses that the records so far name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Uses {
    /// Agent, server and tool → the number of the intent.
    first: BTreeMap<String, u64>,
    /// Up to this record there may have been others: what an earlier version carried over does not name them.
    before: u64,
}

impl Uses {
    /// What is carried over where nothing was.
    pub(super) fn unknown() -> Self {
        Self { first: BTreeMap::new(), before: u64::MAX }
    }

    /// What is unknown is so up to this record, and no further.
    pub(super) fn unknown_to(&mut self, seq: u64) {
        self.before = self.before.min(seq);
    }

    pub(super) fn follow(&mut self, record: &Record) {
        if let (Kind::Intent, Some(agent), Some(server), Some(tool)) =
            (record.kind, &record.agent, &record.server, &record.tool)
        {
            self.first.entry(used_key(agent, server, tool)).or_insert(record.seq);
        }
    }

    pub(super) fn compare(&self, db: &Connection) -> Result<(), VerifyError> {
        let broken =
            |seq: u64| -> Result<(), VerifyError> { Err(Broken { seq, what: What::Projection("first use") }.into()) };
        let sql = "SELECT a.text, s.text, t.text, first FROM used LEFT JOIN name a ON a.id = agent
                   LEFT JOIN name s ON s.id = server LEFT JOIN name t ON t.id = tool";
        let stored = rows(db, sql, |row| {
            let part = |place: usize| -> rusqlite::Result<String> {
                Ok(row.get::<_, Option<String>>(place)?.unwrap_or_default())
            };
            Ok((used_key(&part(0)?, &part(1)?, &part(2)?), row.get::<_, i64>(3)?))
        })?;
        let mut there = 0;
        for (key, first) in &stored {
            let first = u64::try_from(*first).unwrap_or(0);
            let earlier = first > 0 && first <= self.before;
            match self.first.get(key) {
                Some(seq) if *seq == first || earlier => there += 1,
                Some(seq) => return broken(*seq),
                None if earlier => {}
                None => return broken(first),
            }
        }
        if there == self.first.len() {
            return Ok(());
        }
        let stored: BTreeMap<String, i64> = stored.into_iter().collect();
        broken(self.first.iter().filter(|(key, _)| !stored.contains_key(*key)).map(|(_, seq)| *seq).min().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expected;
    use super::*;
    use crate::log::tables;

    fn log(first: i64) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        tables::create(&db).unwrap();
        db.execute_batch("INSERT INTO name (text) VALUES ('ann'), ('files'), ('read')").unwrap();
        db.execute("INSERT INTO used (agent, server, tool, first) VALUES (1, 2, 3, ?1)", [first]).unwrap();
        db
    }

    #[test]
    fn what_an_earlier_version_carried_over_is_unknown_up_to_there_and_no_further() {
        let mut carried: Expected = serde_json::from_str("{}").unwrap();
        carried.unknown_to(512);
        let again: Expected = serde_json::from_str(&serde_json::to_string(&carried).unwrap()).unwrap();
        for uses in [carried.uses, again.uses] {
            assert!(uses.compare(&log(512)).is_ok());
            assert!(uses.compare(&log(513)).is_err());
        }
        let all: Expected = serde_json::from_str(&serde_json::to_string(&Expected::default()).unwrap()).unwrap();
        assert!(all.uses.compare(&log(1)).is_err(), "a use that no record names");
    }
}
