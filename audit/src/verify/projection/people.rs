//! Who may answer for whom, by the records: owners of agents, operators, and how often in a row they failed to prove who they are.

use policies::Hash;
use rusqlite::Connection;

use super::super::VerifyError;
use super::Expected;
use super::table::{rows, same};

impl Expected {
    pub(super) fn people(&mut self, seq: u64, text: &impl Fn(&str) -> Option<String>, uid: Option<u64>) {
        let Some(name) = text("name") else { return };
        let door = || [name.clone(), text("door").unwrap_or_default()];
        match text("event").as_deref() {
            Some("agent-added") => {
                self.owners.insert(name, (seq, text("by")));
            }
            Some("agent-removed") => {
                self.owners.insert(name, (seq, None));
            }
            Some("operator-added") => {
                let uid = uid.map(|uid| uid.to_string()).unwrap_or_default();
                let row = [text("role").unwrap_or_default(), uid, text("pin").unwrap_or_default()];
                self.operators.insert(name, (seq, Some(row)));
            }
            Some("pin-changed") => {
                if let Some((last, Some([_, _, pin]))) = self.operators.get_mut(&name) {
                    (*last, *pin) = (seq, text("pin").unwrap_or_default());
                }
            }
            Some("operator-removed") => {
                self.failures.iter_mut().filter(|(key, _)| key[0] == name).for_each(|(_, row)| *row = (seq, None));
                self.operators.insert(name, (seq, None));
            }
            Some("pin-refused" | "passkey-refused") => {
                let row = self.failures.entry(door()).or_default();
                *row = (seq, Some(row.1.unwrap_or(0) + 1));
            }
            Some("passkey-used") => {
                if let Some(row @ (_, Some(_))) = self.failures.get_mut(&door()) {
                    *row = (seq, Some(0));
                }
            }
            Some("pin-accepted") => {
                self.failures.insert(door(), (seq, Some(0)));
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn compare_people(&self, db: &Connection) -> Result<(), VerifyError> {
        // A log that an older version wrote has no such tables; its next start makes them, by its records.
        let there = rows(db, "SELECT name FROM sqlite_schema WHERE name = 'operator'", |row| row.get::<_, String>(0))?;
        if there.is_empty() && self.operators.is_empty() {
            return Ok(());
        }
        let stored = rows(db, "SELECT agent, operator FROM owner", |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let wanted = self.owners.iter().filter_map(|(agent, (seq, owner))| Some((agent, *seq, owner.clone()?)));
        let last = |agent: &String| self.owners.get(agent).map_or(0, |(seq, _)| *seq);
        same("owner", wanted, &stored.into_iter().collect(), last)?;
        let stored = rows(db, "SELECT name, role, uid, pin FROM operator", |row| {
            let uid = row.get::<_, Option<u32>>(2)?.map(|uid| uid.to_string()).unwrap_or_default();
            let pin = Hash::of(row.get::<_, String>(3)?.as_bytes());
            Ok((row.get::<_, String>(0)?, format!("{} {uid} {pin}", row.get::<_, String>(1)?)))
        })?;
        let wanted = self.operators.iter().filter_map(|(name, (seq, row))| Some((name, *seq, row.as_ref()?.join(" "))));
        let last = |name: &String| self.operators.get(name).map_or(0, |(seq, _)| *seq);
        same("operator", wanted, &stored.into_iter().collect(), last)?;
        let stored = rows(db, "SELECT name, door, count FROM failure", |row| {
            Ok(([row.get::<_, String>(0)?, row.get(1)?], row.get::<_, i64>(2)?.to_string()))
        })?;
        let wanted =
            self.failures.iter().filter_map(|(key, (seq, count))| Some((key, *seq, count.as_ref()?.to_string())));
        let last = |key: &[String; 2]| self.failures.get(key).map_or(0, |(seq, _)| *seq);
        same("count of failed sign-ins", wanted, &stored.into_iter().collect(), last)
    }
}
