//! What SQL does, in every dress.

use super::*;

fn effects(sql: &str) -> Vec<Effect> {
    let mut effects: Vec<Effect> = Sql::of(sql).found.into_iter().map(|(effect, _)| effect).collect();
    effects.sort();
    effects
}

#[test]
fn reads_are_only_reads() {
    for sql in [
        "SELECT 1",
        "select * from t where a = 'x; drop table t'",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "SHOW TABLES",
        "DESCRIBE t",
        "EXPLAIN SELECT 1",
        "PRAGMA table_info(t)",
        "-- note\nSELECT 1",
        "SELECT \"delete\" FROM t",
        "SELECT * FROM t FOR UPDATE",
        "SELECT a FROM t; SELECT b FROM t;",
        "SELECT x::int FROM t WHERE y ILIKE 'a%'",
        "EXPLAIN DELETE FROM t",
        "SELECT `a` FROM `t`",
        "SELECT replace(a, 'b', 'c') FROM t",
        "SELECT deleted, updated_at FROM t",
        "MATCH (n) RETURN n",
        "SELECT TOP 5 * FROM [t]",
    ] {
        assert_eq!(effects(sql), [], "{sql}");
    }
}

#[test]
fn what_a_statement_does_is_found_wherever_it_hides() {
    for (sql, effect) in [
        ("DELETE FROM t WHERE id = 1", Effect::Deletes),
        ("SELECT 1; DROP TABLE t", Effect::Deletes),
        ("COMMIT; DROP SCHEMA public CASCADE", Effect::Deletes),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Effect::Deletes),
        ("WITH x AS (SELECT 1) DELETE FROM t", Effect::Deletes),
        ("EXPLAIN ANALYZE DELETE FROM t", Effect::Deletes),
        ("SELECT '\\'; DROP TABLE t; -- '", Effect::Deletes),
        ("SELECT 1 /*! ; DROP TABLE t */", Effect::CommandInjection),
        ("UPDATE t SET a = 1", Effect::Overwrites),
        ("UPDATE t SET a = 1 WHERE 1=1", Effect::Overwrites),
        ("UPDATE t SET a = 1 WHERE id = 2", Effect::WritesOutsideScope),
        ("UPDATE users SET password = 'x' WHERE id = 2", Effect::ChangesIdentity),
        ("INSERT INTO t VALUES (1)", Effect::WritesOutsideScope),
        ("ALTER TABLE t DROP COLUMN a", Effect::Deletes),
        ("ALTER TABLE t ADD COLUMN a int", Effect::WritesOutsideScope),
        ("GRANT ALL ON t TO eve", Effect::Grants),
        ("CREATE USER eve", Effect::ChangesIdentity),
        ("COPY t FROM PROGRAM 'id'", Effect::RunsCode),
        ("SELECT * INTO OUTFILE '/var/www/x.php' FROM t", Effect::RunsCode),
        ("SELECT pg_read_file('/etc/passwd')", Effect::CredentialFile),
        ("EXEC xp_cmdshell 'dir'", Effect::RunsCode),
        ("MATCH (n) DETACH DELETE n", Effect::Deletes),
        ("FROBNICATE ALL", Effect::Unknown),
        ("SELECT FROM WHERE (", Effect::Unknown),
        ("DO $$ BEGIN DELETE FROM t; END $$", Effect::RunsCode),
        ("TRUNCATE t", Effect::Deletes),
        ("(DELETE FROM t)", Effect::Deletes),
    ] {
        assert!(effects(sql).contains(&effect), "{sql}: {:?}", effects(sql));
    }
}

#[test]
fn private_tables_and_columns_are_known_by_name() {
    assert!(Sql::of("SELECT email FROM people").private);
    assert!(Sql::of("SELECT * FROM users").private);
    assert!(!Sql::of("SELECT title FROM albums").private);
    assert!(!Sql::of("SELECT table_name FROM information_schema.tables").private);
}

#[test]
fn hostile_sql_is_bounded() {
    let deep = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(effects(&deep).contains(&Effect::Unknown));
    assert!(effects(&"SELECT 1;".repeat(50_000)).contains(&Effect::Unknown));
    let started = std::time::Instant::now();
    for text in [
        "(".repeat(60_000),
        "SELECT ".repeat(9_000),
        "a,".repeat(30_000),
        format!("SELECT {}", "(SELECT ".repeat(15)),
        "'".repeat(60_000),
        format!("SELECT {}1{}", "(".repeat(16), ")".repeat(16)),
        format!("SELECT {}1", "CASE WHEN ".repeat(5000)),
        format!("SELECT {}1", "NOT ".repeat(15000)),
        format!("SELECT {}", "1+".repeat(30000)),
    ] {
        drop(Sql::of(&text));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}
