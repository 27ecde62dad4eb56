use policies::Hash;
use rusqlite::params;

use super::tables::Store;
use super::terms::{Sought, Term, any};
use super::*;
use crate::log::tables;
use crate::record::GENESIS;

struct World {
    state: tempfile::TempDir,
    log: Connection,
}

impl World {
    fn new() -> Self {
        let log = Connection::open_in_memory().unwrap();
        tables::create(&log).unwrap();
        Self { state: tempfile::tempdir().unwrap(), log }
    }

    /// Records at these times, from this number on; every record's agent is its number's last digit.
    fn write(&self, first: u64, times: impl IntoIterator<Item = i64>) {
        for (seq, at) in (first..).zip(times) {
            let record = format!(
                r#"{{"v":1,"seq":{seq},"at":"2026-11-21T09:30:00Z","kind":"event","detail":{{"by":"ann","n":"n{seq}"}}}}"#
            );
            let sql = "INSERT INTO entry (seq, at, kind, agent, chain, record) VALUES (?1, ?2, 7, ?3, ?4, ?5)";
            let chain = Hash::of(&seq.to_be_bytes());
            self.log
                .execute(sql, params![signed(seq), at, signed(seq % 10), chain.as_bytes(), record.as_bytes()])
                .unwrap();
        }
    }

    fn add(&self) -> u64 {
        let store = Store::open(self.state.path(), &self.log).unwrap();
        loop {
            if let (last, false) = store.add(&self.log).unwrap() {
                break last;
            }
        }
    }

    fn index(&self) -> Index {
        Index::open(self.state.path()).unwrap()
    }

    fn found(&self, terms: &[String], numbers: RangeInclusive<u64>) -> Vec<u64> {
        let mut found = Vec::new();
        let visit = |seq| {
            found.push(seq);
            Ok(found.len() == 5)
        };
        self.index().found((terms, &[]), numbers, visit).unwrap();
        found
    }

    /// All records with a word that begins so, and with these terms.
    fn beginning(&self, text: &str, terms: &[String]) -> Vec<u64> {
        let beginnings: Vec<String> = Sought::parse(text).beginnings().collect();
        let mut found = Vec::new();
        let visit = |seq| {
            found.push(seq);
            Ok(false)
        };
        self.index().found((terms, &beginnings), 1..=u64::MAX >> 1, visit).unwrap();
        found
    }
}

fn plan(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_asked_of_the_index_is_read_in_its_order_and_bounds() {
    let world = World::new();
    world.write(1, [0]);
    world.add();
    let Index(db) = world.index();
    // M: by its terms; > and <: only within these numbers; 192: it goes by number, backwards. Nothing sorts.
    assert_eq!(plan(&db, FOUND), "SCAN term VIRTUAL TABLE INDEX 192:M1><");
    for sql in [SINCE, UNTIL] {
        assert_eq!(plan(&db, sql), "SCAN span");
    }
    assert_eq!(plan(&db, COUNTED), "SEARCH tally USING PRIMARY KEY (scale=? AND slot>? AND slot<?)");
}

#[test]
fn the_newest_of_a_range_with_all_terms_come_first() {
    let world = World::new();
    world.write(1, 0..3_000);
    assert_eq!(world.add(), 3_000);
    let three = any([Term::Agent(3)]);
    assert_eq!(world.found(std::slice::from_ref(&three), 1..=3_000), [2_993, 2_983, 2_973, 2_963, 2_953]);
    assert_eq!(world.found(std::slice::from_ref(&three), 10..=1_023), [1_023, 1_013, 1_003, 993, 983]);
    let both = [any([Term::Agent(3), Term::Agent(4)]), any([Term::operator("ann")])];
    assert_eq!(world.found(&both, 1..=14), [14, 13, 4, 3]);
    assert!(world.found(&[three, any([Term::Agent(4)])], 1..=3_000).is_empty());
}

#[test]
fn a_beginning_finds_the_records_of_every_word_that_begins_so() {
    let world = World::new();
    world.write(1, 0..3_000);
    world.add();
    let begin = |text: &str, seq: &u64| format!("n{seq}").starts_with(text);
    for text in ["n299", "n2999", "n30", "n12"] {
        let wanted: Vec<u64> = (1..=3_000).rev().filter(|seq| begin(text, seq)).collect();
        assert_eq!(world.beginning(&format!("{text}*"), &[]), wanted, "{text}");
        let threes: Vec<u64> = wanted.into_iter().filter(|seq| seq % 10 == 3).collect();
        assert_eq!(world.beginning(&format!("{text}*"), &[any([Term::Agent(3)])]), threes, "{text}");
    }
    assert_eq!(world.beginning("n29* n299*", &[]), (2_990..3_000).rev().chain([299]).collect::<Vec<_>>());
    assert!(world.beginning("zebra*", &[]).is_empty());
    // 1,111 words are asked for one by one, 3,000 are not.
    let asked = |text: &str| world.index().beginning(text).unwrap().unwrap();
    assert!(asked("n1").ends_with("OR \"n1999\")") && asked("n299").starts_with("(\"n299\" OR"));
    assert_eq!(asked("n"), "\"n\"*");
}

#[test]
fn times_bound_numbers_also_where_the_clock_was_put_back() {
    let world = World::new();
    // Spans of 1,024: the second begins after the clock went back.
    world.write(1, (0..1_024).chain(500..1_524).chain(1_524..2_000));
    world.add();
    let index = world.index();
    assert_eq!(index.numbers(None, None).unwrap().start(), &1);
    assert_eq!(index.numbers(Some(600), Some(700)).unwrap(), 1..=2_048);
    assert_eq!(index.numbers(Some(1_100), None).unwrap().start(), &1_025);
    assert_eq!(index.numbers(None, Some(400)).unwrap(), 1..=1_024);
    assert!(index.numbers(Some(9_999), None).unwrap().is_empty());
    assert!(index.numbers(None, Some(0)).unwrap().is_empty());
}

#[test]
fn an_index_of_another_log_of_another_layout_or_of_rubbish_is_made_anew() {
    let world = World::new();
    world.write(1, 0..10);
    assert_eq!(world.add(), 10);
    assert_eq!(world.index().covers(&world.log).unwrap(), 10);

    world.log.execute("UPDATE entry SET chain = ?1 WHERE seq = 10", [GENESIS]).unwrap();
    assert_eq!(world.index().covers(&world.log).unwrap(), 0, "another log");
    world.add();
    assert_eq!(world.index().covers(&world.log).unwrap(), 10);

    let file = world.state.path().join(SEARCH);
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(Index::open(world.state.path()).is_none());
    world.add();
    assert_eq!(world.index().covers(&world.log).unwrap(), 10);

    std::fs::write(&file, "rubbish ".repeat(1_000)).unwrap();
    assert!(Index::open(world.state.path()).is_none());
    world.add();
    assert_eq!(world.found(&[any([Term::Kind(7)])], 1..=10).len(), 5);
}
