//! Whoever removes records by themselves, or has a pruning remove others than its record says, is found.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_removes_records_without_a_record_or_others_than_it_says_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let key = old_log(state).await;
    let whole = fs::read(state.join("portcullis.db")).unwrap();
    prune(state).unwrap();
    let pruned = fs::read(state.join("portcullis.db")).unwrap();
    let found = |database: &[u8], sql: &str| {
        fs::write(state.join("portcullis.db"), database).unwrap();
        Connection::open(state.join("portcullis.db")).unwrap().execute_batch(sql).unwrap();
        match audit::verify_with(state, &with(&key)) {
            Err(VerifyError::Broken(Broken { seq, what })) => (seq, what),
            other => panic!("{sql}: {other:?}"),
        }
    };
    // Of a log that was never pruned: rows alone, and with a row that says that they were.
    let rows = "DELETE FROM entry WHERE seq <= 512; DELETE FROM tile WHERE level = 0 AND place < 2;";
    assert_eq!(found(&whole, rows), (1, What::Missing));
    fs::write(state.join("copy.db"), &pruned).unwrap();
    let copy = state.join("copy.db").display().to_string();
    let copied =
        format!("ATTACH '{copy}' AS other; INSERT INTO pruned SELECT * FROM other.pruned; DELETE FROM hold; {rows}");
    assert_eq!(found(&whole, &copied).1, What::Pruned);
    // Of one that was: further than its record says, less far, and with something slipped in.
    assert_eq!(found(&pruned, "DELETE FROM entry WHERE seq <= 520"), (513, What::Missing));
    let further = "DELETE FROM entry WHERE seq <= 768; UPDATE pruned SET done = 768, minimum = 768";
    assert_eq!(found(&pruned, further).1, What::Pruned);
    assert_eq!(found(&pruned, "UPDATE pruned SET done = 768").1, What::Pruned);
    assert_eq!(found(&pruned, "UPDATE pruned SET minimum = 256, done = 256").1, What::Pruned);
    assert!(
        matches!(found(&pruned, "UPDATE pruned SET done = 256").1, What::Tile(_)),
        "its tile of level 0 is gone too"
    );
    assert_eq!(found(&pruned, "UPDATE pruned SET record = record - 1").1, What::Pruned);
    assert_eq!(found(&pruned, "DELETE FROM pruned"), (1, What::Missing));
    let added = "INSERT INTO agent (name, token, added) VALUES ('eve', zeroblob(32), 0)";
    assert_eq!(found(&pruned, added).1, What::Projection("agent"));
    let carried = format!("{added}; UPDATE pruned SET state = replace(state, '\"ann\":', '\"eve\":')");
    assert!(matches!(found(&pruned, &carried).1, What::Pruned | What::Projection(_)));
    for (column, what) in [
        ("UPDATE agent SET expires = 1 WHERE name = 'ann'", "agent"),
        ("UPDATE agent SET added = 0 WHERE name = 'ann'", "agent"),
        ("UPDATE used SET first = first + 1", "first use"),
        ("DELETE FROM used", "first use"),
    ] {
        assert_eq!(found(&pruned, column).1, What::Projection(what), "{column}");
    }
    let lost = "DELETE FROM agent WHERE name = 'ann'";
    assert_eq!(found(&pruned, lost).1, What::Projection("agent"));
    let slipped =
        "INSERT INTO entry SELECT 5, at, kind, call, agent, server, tool, risk, verdict, chain, record, body, salt
                   FROM entry WHERE seq = 600";
    assert_eq!(found(&pruned, slipped), (513, What::Missing));
    assert_eq!(found(&pruned, "UPDATE pruned SET chain = zeroblob(32)").1, What::Pruned);
    let (_, what) = found(&pruned, "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1");
    assert!(matches!(what, What::Tile(_) | What::Root), "{what:?}");
    let tile = "INSERT INTO tile (level, place, hashes) VALUES (0, 0, zeroblob(8192))";
    assert!(matches!(found(&pruned, tile).1, What::Tile(_)));
    // A checkpoint of before is compared with what is left only where that still can be told.
    fs::write(state.join("portcullis.db"), &pruned).unwrap();
    let checkpoint = audit::verify(state).unwrap().signed.unwrap().0;
    for (size, what) in [(300, What::Unreachable(512)), (512, What::SplitView(512)), (9_999, What::RolledBack(9_999))] {
        let kept = audit::Checkpoint { size, ..checkpoint.clone() };
        match audit::verify_with(state, &Trusted { key: None, checkpoint: Some(kept) }) {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken.what, what),
            other => panic!("{size}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_forged_pruning_took_are_missing_and_nobody_signs_it() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state = folder.path();
    let key = old_log(state).await;
    let kept = audit::verify(state).unwrap().signed.unwrap().0;
    // What the first 512 records led to, anyone can work out who reads them.
    for file in fs::read_dir(state).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), other.path().join(file.file_name())).unwrap();
    }
    prune(other.path()).unwrap();
    let text = |sql: &str| {
        let db = Connection::open(other.path().join("portcullis.db")).unwrap();
        db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    let hash = Hash::of(text("SELECT state FROM pruned").as_bytes());
    let detail = serde_json::json!({ "event": "records-pruned", "from": 1, "to": 512, "state": hash });
    let record = crate::forged::append(state, &detail);
    let row = format!(
        "ATTACH '{}' AS other; INSERT INTO pruned SELECT id, minimum, {record}, state, done, chain FROM other.pruned;
         DELETE FROM hold WHERE id NOT IN (SELECT id FROM other.hold);",
        other.path().join("portcullis.db").display()
    );
    drop(fs::remove_file(state.join("search.db")));
    let whole = fs::read(state.join("portcullis.db")).unwrap();
    // All of it gone already, or left to the gateway.
    for rest in [
        "DELETE FROM entry WHERE seq <= 512; DELETE FROM tile WHERE level = 0 AND place < 2;",
        "UPDATE pruned SET done = 0, chain = zeroblob(32);",
    ] {
        fs::write(state.join("portcullis.db"), &whole).unwrap();
        Connection::open(state.join("portcullis.db")).unwrap().execute_batch(&format!("{row} {rest}")).unwrap();
        let left = count(state, "SELECT MIN(seq) FROM entry");
        let trusted = Trusted { key: Some(key.clone()), checkpoint: Some(kept.clone()) };
        match audit::verify_with(state, &trusted) {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken, Broken { seq: record, what: What::Unsigned }),
            other => panic!("{rest}: {other:?}"),
        }
        let refused = Audit::start(config(state, later(400 * DAY)), redactor()).map(|_| ());
        assert!(matches!(refused, Err(audit::StartError::Broken { seq, .. }) if seq == record), "{refused:?}");
        assert_eq!(count(state, "SELECT MIN(seq) FROM entry"), left);
        assert_eq!(count(state, "SELECT MAX(seq) FROM entry"), i64::try_from(record).unwrap(), "nothing is added");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_because_of_a_row_that_no_record_stands_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    old_log(state).await;
    let row =
        "INSERT INTO pruned (id, minimum, record, state, done, chain) VALUES (1, 256, 610, '{}', 0, zeroblob(32))";
    Connection::open(state.join("portcullis.db")).unwrap().execute_batch(row).unwrap();
    let refused = Audit::start(config(state, later(400 * DAY)), redactor());
    assert!(matches!(refused, Err(audit::StartError::Broken { seq: 610, .. })), "{:?}", refused.err());
    assert!(matches!(prune(state), Err(PruneError::Start(_))));
    assert_eq!(count(state, "SELECT MIN(seq) FROM entry"), 1);
}
