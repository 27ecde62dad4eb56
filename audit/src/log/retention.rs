//! `Retention`: bodies that are older than a config wants them are erased; their records, with size and hash, stay.
//!
//! ```text
//! due ─► looking: how far are all records old? ─► erasing: a batch a tick, each with its record ─► wiping: the write-ahead log
//!  ▲                                                                                                     │
//!  └─────────────────────── a day later, or an eighth of the time that bodies are kept ◄─────────────────┘
//! ```
//!
//! Erasing cannot be taken back, so clocks are believed only where they agree: no record counts as older than one before it,
//! one from the future counts for nothing, and while the gateway runs, its clock is not believed to run faster than time.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::json;

use super::pen::{micros, signed};
use super::recover::number;
use super::work::Work;
use crate::record::{Draft, Kind};

/// Records whose times are looked at in one turn.
const LOOKED: u64 = 10_000;

/// The most bodies, and about the most bytes, that are erased in one transaction, of which there are five a second: callers
/// wait for the writer meanwhile.
const BODIES: u64 = 500;
const BYTES: u64 = 1 << 20;

/// The longest pause between two sweeps, and the shortest: after each the search index is made anew.
const DAY: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_secs(5);

/// How long until a write-ahead log that someone reads is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How far the clock may be put forward while the gateway runs.
const LEAP: SignedDuration = SignedDuration::from_hours(1);

/// So many records behind the last erased one, the space of a body is given back. Until then it is zeros in its place: a row
/// that shrinks may have its neighbours moved about in their pages, and `SQLite` promises to overwrite what is deleted, not
/// where something lay that was moved. No page has so many rows.
pub(crate) const BEHIND: u64 = 1_024;

/// When bodies are erased, and how far that is.
pub(crate) struct Retention {
    keep: SignedDuration,
    began: (Timestamp, Instant),
    phase: Phase,
    /// Whether the write-ahead log may still hold what was erased.
    unwiped: bool,
}

enum Phase {
    Due(Instant),
    Looking(Look),
    Erasing { from: u64, target: u64 },
    Wiping(Instant),
}

/// How far the times of records were looked at.
#[derive(Clone, Copy)]
struct Look {
    now: i64,
    old: i64,
    seen: u64,
    /// The newest time so far that fits those before it.
    newest: i64,
    /// The last record whose time fits, and is old: all before it are older.
    target: u64,
}

/// What there is to do.
pub(crate) enum Turn {
    Nothing,
    /// Erase the bodies up to this record.
    Erase(u64, Box<Work>),
    /// Empty the write-ahead log.
    Wipe,
}

impl Retention {
    /// Bodies are kept so long. What was erased before the last stop may still be in the write-ahead log.
    pub(crate) fn new(keep: SignedDuration, now: Timestamp, erased: u64) -> Self {
        let began = (now, Instant::now());
        Self { keep, began, phase: Phase::Due(began.1), unwiped: erased > 0 }
    }

    /// Whether bodies are being erased: the search index is made anew after that.
    pub(crate) fn is_erasing(&self) -> bool {
        !matches!(self.phase, Phase::Due(_))
    }

    /// The next thing to do; `erased` is the last record whose body is gone.
    pub(crate) fn turn(&mut self, db: &Connection, erased: u64, clock: Timestamp) -> rusqlite::Result<Turn> {
        match &self.phase {
            Phase::Due(at) if Instant::now() < *at => Ok(Turn::Nothing),
            Phase::Due(_) => {
                self.phase = Phase::Looking(self.begin(db, erased, clock)?);
                Ok(Turn::Nothing)
            }
            Phase::Looking(look) => {
                let (look, more) = look.on(db)?;
                let (from, target) = (erased, look.target);
                self.phase = if more { Phase::Looking(look) } else { Phase::Erasing { from, target } };
                Ok(Turn::Nothing)
            }
            &Phase::Erasing { from, target } => self.erase(db, from, target, erased, clock),
            Phase::Wiping(at) if Instant::now() < *at => Ok(Turn::Nothing),
            Phase::Wiping(_) => Ok(Turn::Wipe),
        }
    }

    fn begin(&self, db: &Connection, erased: u64, clock: Timestamp) -> rusqlite::Result<Look> {
        let (then, since) = self.began;
        let passed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX).saturating_add(LEAP);
        let now = then.saturating_add(passed).unwrap_or(clock).min(clock);
        let old = now.saturating_sub(self.keep).unwrap_or(Timestamp::MIN);
        let newest = db.query_row("SELECT at FROM entry WHERE seq = ?1", [signed(erased)], |row| row.get(0));
        let newest = newest.optional()?.unwrap_or(i64::MIN);
        Ok(Look { now: micros(now), old: micros(old), seen: erased, newest, target: erased })
    }

    fn erase(&mut self, db: &Connection, from: u64, target: u64, erased: u64, at: Timestamp) -> rusqlite::Result<Turn> {
        if from >= target {
            let wipe = if self.unwiped { Phase::Wiping(Instant::now()) } else { self.over() };
            self.phase = wipe;
            return Ok(Turn::Nothing);
        }
        let until = target.min(from + LOOKED);
        let sql = "SELECT seq, length(body) FROM entry WHERE seq > ?1 AND seq <= ?2 AND body IS NOT NULL
                   ORDER BY seq LIMIT ?3";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([signed(from), signed(until), signed(BODIES)])?;
        let (mut last, mut count, mut bytes) = (until, 0_u64, 0);
        while let Some(row) = rows.next()? {
            (count, bytes) = (count + 1, bytes + number(row, 1)?);
            if count == BODIES || bytes >= BYTES {
                last = number(row, 0)?;
                break;
            }
        }
        self.phase = Phase::Erasing { from: last, target };
        if count == 0 {
            return Ok(Turn::Nothing);
        }
        self.unwiped = true;
        let detail = json!({ "event": "bodies-erased", "from": erased + 1, "to": last, "count": count, "bytes": bytes,
            "kept": format!("{:#}", self.keep) });
        let draft = Draft::new(Kind::Event, at, detail.to_string().into_bytes());
        Ok(Turn::Erase(last, Box::new(Work::Erase { draft, last })))
    }

    /// The batch could not be written: it is looked for again.
    pub(crate) fn failed(&mut self) {
        self.phase = Phase::Due(Instant::now() + AGAIN);
    }

    /// Whether the write-ahead log is empty now; else someone reads it, and it is tried again.
    pub(crate) fn wiped(&mut self, empty: bool) {
        self.unwiped = !empty;
        self.phase = if empty { self.over() } else { Phase::Wiping(Instant::now() + AGAIN) };
    }

    fn over(&self) -> Phase {
        let pause = Duration::try_from(self.keep / 8).unwrap_or(PAUSE).clamp(PAUSE, DAY);
        Phase::Due(Instant::now() + pause)
    }
}

impl Look {
    /// Looks at the next records; says whether there are more to look at.
    fn on(mut self, db: &Connection) -> rusqlite::Result<(Self, bool)> {
        let mut statement = db.prepare_cached("SELECT seq, at FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let mut rows = statement.query([signed(self.seen), signed(LOOKED)])?;
        let first = self.seen;
        while let Some(row) = rows.next()? {
            let (seq, at): (u64, i64) = (number(row, 0)?, row.get(1)?);
            self.seen = seq;
            // The clock was put back before it, or it is from the future: the next time that fits decides.
            if at < self.newest || at > self.now {
                continue;
            }
            if at >= self.old {
                return Ok((self, false));
            }
            (self.newest, self.target) = (at, seq);
        }
        Ok((self, self.seen - first == LOOKED))
    }
}

/// The last record that is older than this time, with all before it, as clocks agree; `after` is looked at no more.
pub(crate) fn old(db: &Connection, after: u64, now: Timestamp, before: Timestamp) -> rusqlite::Result<u64> {
    let mut look = Look { now: micros(now), old: micros(before), seen: after, newest: i64::MIN, target: after };
    loop {
        let (next, more) = look.on(db)?;
        if !more {
            return Ok(next.target);
        }
        look = next;
    }
}

/// The last record whose body was erased, with those of all before it; 0 where none was.
pub(crate) fn erased(db: &Connection) -> rusqlite::Result<u64> {
    if !db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'erased'")?.exists([])? {
        return Ok(0);
    }
    let last = db.query_row("SELECT bodies FROM erased", [], |row| number(row, 0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// Whether a body was erased where its record says that it was kept: nothing, or zeros, lie in its place. No JSON is zeros.
pub(crate) fn is_erased(stored: Option<&[u8]>) -> bool {
    stored.is_none_or(|bytes| !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::log::tables;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn days(days: i32) -> Timestamp {
        noon().saturating_add(DAY * days).unwrap()
    }

    /// A log of records with bodies, made at these times.
    fn log(times: &[Timestamp]) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        tables::create(&db).unwrap();
        tables::complete(&db).unwrap();
        for (seq, at) in (1..).zip(times) {
            let sql = "INSERT INTO entry (seq, at, kind, chain, record, body) VALUES (?1, ?2, 7, x'', x'', x'7b7d')";
            db.execute(sql, params![signed(seq), micros(*at)]).unwrap();
        }
        db
    }

    /// Up to where bodies are erased in one sweep, by a gateway that started at one time and thinks it is another.
    fn sweep(db: &Connection, started: Timestamp, clock: Timestamp) -> u64 {
        let mut retention = Retention::new(DAY * 90, started, 0);
        let mut erased = 0;
        loop {
            match retention.turn(db, erased, clock).unwrap() {
                Turn::Erase(last, _) => erased = last,
                Turn::Wipe => retention.wiped(true),
                Turn::Nothing => {}
            }
            if !retention.is_erasing() {
                break erased;
            }
        }
    }

    #[test]
    fn only_what_is_old_with_all_before_it_is_erased() {
        let db = log(&[days(0), days(1), days(50), days(2), days(51)]);
        assert_eq!(sweep(&db, days(90), days(90)), 0, "to the day it is kept");
        assert_eq!(sweep(&db, days(92), days(92)), 2, "what follows a later record is no older");
        assert_eq!(sweep(&db, days(141), days(141)), 3);
        assert_eq!(sweep(&db, days(142), days(142)), 5);
        assert_eq!(sweep(&log(&[]), days(142), days(142)), 0);
    }

    #[test]
    fn a_clock_that_leaps_while_the_gateway_runs_is_not_believed() {
        let db = log(&[days(0), days(1)]);
        assert_eq!(sweep(&db, days(2), days(4_000)), 0);
        assert_eq!(sweep(&db, days(200), days(2)), 0, "nor is it where it goes back");
        // What is from the future tells nothing of what is before it.
        let db = log(&[days(0), days(40_000), days(1), days(199)]);
        assert_eq!(sweep(&db, days(200), days(200)), 3);
    }

    #[test]
    fn nothing_but_zeros_stands_for_what_was_erased() {
        assert!(is_erased(None) && is_erased(Some(&[0, 0])));
        assert!(!is_erased(Some(&[])) && !is_erased(Some(b"{}")) && !is_erased(Some(&[0, 1])));
    }
}
