//! What somebody puts into the database beside the log's own tables: nothing of it is obeyed, and all of it is found.

use std::path::Path;
use std::time::Duration;

use audit::{Broken, Verified, VerifyError, What};
use rusqlite::Connection;

use crate::world::{World, start, try_start};

fn change(state: &Path, sql: &str) {
    let db = Connection::open(state.join("portcullis.db")).unwrap();
    db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Verifies, and fails where that does not end.
async fn verified(state: &Path) -> Result<Verified, VerifyError> {
    let state = state.to_owned();
    let ends = tokio::task::spawn_blocking(move || audit::verify(&state));
    tokio::time::timeout(Duration::from_mins(1), ends).await.expect("it goes on for ever").unwrap()
}

async fn found(state: &Path) -> String {
    match verified(state).await {
        Err(VerifyError::Broken(Broken { what: What::Database(what), .. })) => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_drops_no_record_and_is_found() {
    let mut world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let before = world.verify().unwrap().records;
    for (name, sql) in [
        ("quiet", "CREATE TRIGGER quiet BEFORE INSERT ON entry WHEN NEW.kind = 1 BEGIN SELECT RAISE(IGNORE); END"),
        ("gone", "CREATE TRIGGER gone AFTER INSERT ON hold BEGIN DELETE FROM hold WHERE id = NEW.id; END"),
    ] {
        change(world.state.path(), sql);
        assert_eq!(found(world.state.path()).await, format!("the trigger `{name}` is not the log's"));
    }
    world.audit = start(world.state.path()).0;
    drop(world.call("{}", "{}").await);
    let hold = world.hold("{}").await;
    assert!(world.audit.find_hold(hold.id()).unwrap().is_some(), "a trigger took a hold away");
    assert!(world.audit.stop().await);
    change(world.state.path(), "DROP TRIGGER quiet; DROP TRIGGER gone");
    assert_eq!(world.verify().unwrap().records, before + 3, "a trigger kept a record out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_in_the_place_of_a_table_is_not_read() {
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)";
    for (name, columns) in [
        ("head", "1 AS id, x AS seq, zeroblob(32) AS chain"),
        ("pruned", "1 AS id, x AS minimum, x AS record, '' AS state, x AS done, zeroblob(32) AS chain"),
        ("erased", "1 AS id, x AS bodies, x AS freed"),
    ] {
        let world = World::new();
        drop(world.call("{}", "{}").await);
        assert!(world.audit.stop().await);
        let view = format!("DROP TABLE {name}; CREATE VIEW {name} AS {endless} SELECT {columns} FROM n WHERE x < 0");
        change(world.state.path(), &view);
        assert_eq!(found(world.state.path()).await, format!("the view `{name}` is not as the log makes it"));
        let state = world.state.path().to_owned();
        let begins = tokio::task::spawn_blocking(move || try_start(&state).is_ok());
        let began = tokio::time::timeout(Duration::from_mins(1), begins).await.expect("it goes on for ever").unwrap();
        assert!(!began, "`{name}`: a start read a view");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_the_log_makes_it_is_named() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let narrow = "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'risk > 2', 'risk > 3') WHERE name = 'entry_risk'";
    for (sql, what) in [
        ("CREATE TABLE other (a INTEGER)", "the table `other` is not the log's"),
        ("CREATE INDEX other ON entry (at)", "the index `other` is not the log's"),
        ("CREATE VIEW other AS SELECT 1", "the view `other` is not the log's"),
        ("DROP INDEX entry_call", "the index `entry_call` is missing"),
        ("ALTER TABLE agent ADD COLUMN other TEXT", "the table `agent` is not as the log makes it"),
        (narrow, "the index `entry_risk` is not as the log makes it"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        change(copy.path(), sql);
        assert_eq!(found(copy.path()).await, what, "{sql}");
    }
    verified(world.state.path()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_analyze_leaves_is_no_fault_changes_no_answer_and_goes_with_a_start() {
    let mut world = World::new();
    for _ in 0..8 {
        drop(world.call("{}", "{}").await);
    }
    let hold = world.hold("{}").await;
    assert!(world.audit.stop().await);
    let before = world.verify().unwrap();
    let figures = |world: &World| {
        let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite\\_stat%' ESCAPE '\\'";
        db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    change(world.state.path(), "ANALYZE");
    assert!(figures(&world) > 0);
    assert_eq!(verified(world.state.path()).await.unwrap(), before);
    // Figures that lie: as if there were no record, or as if every one had one call.
    for lie in ["UPDATE sqlite_stat1 SET stat = '1000000000 1000000000'", "UPDATE sqlite_stat1 SET stat = '0 0'"] {
        change(world.state.path(), lie);
        assert_eq!(verified(world.state.path()).await.unwrap(), before, "{lie}");
    }
    let shown = "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat,more)' WHERE name = 'sqlite_stat1'";
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
    change(copy.path(), shown);
    assert_eq!(found(copy.path()).await, "the table `sqlite_stat1` is not the log's");
    world.audit = start(world.state.path()).0;
    assert!(world.audit.find_hold(hold.id()).unwrap().is_some());
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    assert_eq!(figures(&world), 0, "a start goes by figures that anybody can write");
    assert_eq!(world.verify().unwrap().records, before.records + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_leaves_a_record_out_is_found() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    world.hold("{}").await;
    assert!(world.audit.stop().await);
    // Made with other rows, and then named as it was.
    let swap = |index: &str, other: &str| {
        format!(
            "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '{index}';
             DROP INDEX {index}; CREATE INDEX {index} ON {other};
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '{index}';"
        )
    };
    for (index, other) in [
        ("entry_call", "entry (call) WHERE call IS NOT NULL AND seq <> 3"),
        // As many rows, of which one is found where another belongs.
        ("entry_call", "entry (seq) WHERE call IS NOT NULL"),
        ("hold_open", "hold (open) WHERE open = 9"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        change(copy.path(), &swap(index, other));
        let found = found(copy.path()).await;
        assert!(found.contains(index), "{other}: {found}");
    }
    verified(world.state.path()).await.unwrap();
}
