use jiff::Timestamp;
use policies::Risk;

use super::*;
use crate::log::tables;
use crate::record::Decided;

fn plan(filter: &Filter) -> String {
    let db = Connection::open_in_memory().unwrap();
    tables::create(&db).unwrap();
    db.execute_batch("INSERT INTO name (text) VALUES ('ann'), ('read')").unwrap();
    let (sql, values) = filter.query(&db).unwrap().unwrap();
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_selective_filter_goes_by_an_index_and_none_sorts() {
    let name = |name: &str| Some(name.to_owned());
    let before = Some(1_000);
    for (filter, index) in [
        (Filter { agent: name("ann"), before, ..Filter::default() }, "entry_agent"),
        (Filter { tool: name("read"), before, ..Filter::default() }, "entry_tool"),
        (Filter { verdict: Some(Decided::Deny), before, ..Filter::default() }, "entry_verdict"),
        (Filter { verdict: Some(Decided::Hold), ..Filter::default() }, "entry_verdict"),
        (Filter { before, ..Filter::default() }, "INTEGER PRIMARY KEY"),
        (Filter::default(), "SCAN entry"),
    ] {
        let plan = plan(&filter);
        assert!(plan.contains(index), "{filter:?}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
    // A range over several risks goes by number, the newest first: it ends at the page's last row.
    let risk = Filter { risk: Some(Risk::High), ..Filter::default() };
    assert!(plan(&risk).contains("entry"), "{}", plan(&risk));
    assert!(plan(&Filter { since: Some(Timestamp::UNIX_EPOCH), ..Filter::default() }).contains("SCAN entry"));
}
