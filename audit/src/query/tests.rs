use jiff::Timestamp;
use policies::Risk;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::activity::{FROM, NAME};
use super::*;
use crate::index::tally::{AT, NEWER};
use crate::log::tables;
use crate::record::{Decided, Kind};

fn log() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    tables::create(&db).unwrap();
    db.execute_batch("INSERT INTO name (text) VALUES ('ann'), ('files'), ('read')").unwrap();
    db
}

fn plan(db: &Connection, (sql, values): (String, Vec<Sql>)) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

/// Every filter by itself, and all at once.
fn filters() -> Vec<Filter> {
    let name = |name: &str| Some(name.to_owned());
    let mut filters = vec![
        Filter::default(),
        Filter { agent: name("ann"), ..Filter::default() },
        Filter { server: name("files"), ..Filter::default() },
        Filter { tool: name("read"), ..Filter::default() },
        Filter { operator: name("ann"), ..Filter::default() },
        Filter { risk: Some(Risk::Low), ..Filter::default() },
        Filter { risk: Some(Risk::High), ..Filter::default() },
        Filter { risk: Some(Risk::Critical), ..Filter::default() },
        Filter { verdict: Some(Decided::Allow), ..Filter::default() },
        Filter { verdict: Some(Decided::Deny), ..Filter::default() },
        Filter { kinds: vec![Kind::Relay, Kind::Event], ..Filter::default() },
        Filter { text: name("invoice pdf*"), ..Filter::default() },
        Filter { since: Some(Timestamp::UNIX_EPOCH), until: Some(Timestamp::UNIX_EPOCH), ..Filter::default() },
    ];
    filters.push(Filter {
        agent: name("ann"),
        server: name("files"),
        tool: name("read"),
        operator: name("ann"),
        risk: Some(Risk::High),
        verdict: Some(Decided::Hold),
        kinds: vec![Kind::Step],
        text: name("invoice"),
        since: Some(Timestamp::UNIX_EPOCH),
        until: Some(Timestamp::UNIX_EPOCH),
        ..Filter::default()
    });
    filters
}

#[test]
fn every_page_goes_by_number_or_index_and_none_sorts() {
    let db = log();
    for filter in filters() {
        let question = filter.question(&db).unwrap().unwrap();
        let one = plan(&db, question.of_one(7));
        assert_eq!(one, "SEARCH entry USING INTEGER PRIMARY KEY (rowid=?)", "{filter:?}");
        let range = plan(&db, question.of_range(1, 1_000));
        assert!(range.starts_with("SEARCH entry USING "), "{filter:?}: {range}");
        assert!(!range.contains("TEMP B-TREE"), "{filter:?}: {range}");
    }
}

/// Without the index, what has an index of its own in the log goes by that.
#[test]
fn a_log_without_its_index_is_asked_by_the_indexes_of_its_columns() {
    let db = log();
    let name = |name: &str| Some(name.to_owned());
    for (filter, index) in [
        (Filter { agent: name("ann"), ..Filter::default() }, "entry_agent"),
        (Filter { tool: name("read"), ..Filter::default() }, "entry_tool"),
        (Filter { verdict: Some(Decided::Deny), ..Filter::default() }, "entry_verdict"),
        (Filter { verdict: Some(Decided::Hold), ..Filter::default() }, "entry_verdict"),
        (Filter { risk: Some(Risk::Critical), ..Filter::default() }, "entry_risk"),
        (Filter { risk: Some(Risk::High), ..Filter::default() }, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (Filter::default(), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ] {
        let plan = plan(&db, filter.question(&db).unwrap().unwrap().of_range(1, 1_000));
        assert!(plan.contains(index), "{filter:?}: {plan}");
    }
}

#[test]
fn every_other_query_has_the_plan_that_it_is_meant_to_have() {
    let db = log();
    let number = "SEARCH entry USING INTEGER PRIMARY KEY (rowid=?)";
    let onward = "SEARCH entry USING INTEGER PRIMARY KEY (rowid>?)";
    for (sql, wanted) in [
        (TAIL, onward),
        (LAST, "SEARCH entry"),
        (ONE, number),
        (LIFE, "SEARCH entry USING INDEX entry_call (call=?)"),
        (CALLS, "SEARCH entry USING INDEX entry_call (call>? AND call<?)"),
        (HOLDS, "SCAN hold"),
        (SEALED, "SEARCH hold USING INDEX sqlite_autoindex_hold_1 (id=?)"),
        (NAME, "SEARCH name USING COVERING INDEX sqlite_autoindex_name_1 (text=?)"),
        (FROM, onward),
        (AT, number),
        (NEWER, onward),
    ] {
        let nothing = vec![Sql::Null; db.prepare(sql).unwrap().parameter_count()];
        assert_eq!(plan(&db, (sql.to_owned(), nothing)), wanted, "{sql}");
    }
}

/// Every text of the crate's source that begins as a query does.
fn queries() -> Vec<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    let query = regex::Regex::new(r#""(SELECT [^"]*)""#).unwrap();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(query.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    found
}

/// Whoever reads all of the log goes by its numbers, so that they can stop; a plan that goes through it to find a few records, or
/// that sorts them, is a planner's trap.
#[test]
fn no_query_goes_through_the_whole_log_or_sorts_it() {
    let db = log();
    let (mut asked, mut whole) = (0, Vec::new());
    for sql in queries() {
        // Those that are put together, and those of the index, are looked at elsewhere.
        let Ok(statement) = db.prepare(&sql) else { continue };
        let nothing = vec![Sql::Null; statement.parameter_count()];
        let plan = plan(&db, (sql.clone(), nothing));
        if plan.contains("SCAN entry") || (sql.contains("FROM entry") && plan.contains("TEMP B-TREE")) {
            whole.push(sql);
        }
        asked += usize::from(plan.contains("entry"));
    }
    assert_eq!(whole, Vec::<String>::new());
    assert!(asked >= 20, "only {asked} queries of the log were found");
}
