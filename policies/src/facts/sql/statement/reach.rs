//! What a statement reaches: functions that leave the database, and names that say what is private.

use sqlparser::tokenizer::Token;

use super::{Effect, Statement, name, shown};
use crate::facts::lexicon::{thing as t, word};
use crate::facts::words::words;

impl Statement<'_> {
    /// Functions that reach out of the database.
    pub(in crate::facts::sql) fn inside(&self) -> Vec<(Effect, String)> {
        let called = |at: usize| matches!(self.tokens.get(at + 1), Some(Token::LParen));
        let named = |(at, token): (usize, &&Token)| name(token).map(|name| (at, name.to_ascii_lowercase()));
        let names = self.tokens.iter().enumerate().filter_map(named);
        names
            .filter_map(|(at, name)| {
                let (effect, what) = OUTWARD
                    .iter()
                    .find(|(_, _, list)| list.contains(&name.as_str()))
                    .map(|(effect, what, _)| (*effect, *what))?;
                (called(at) || name == "xp_cmdshell").then(|| (effect, format!("{what} by `{}`", shown(&name))))
            })
            .collect()
    }

    /// Whether a name says that private data is read; collects the tables' names.
    pub(in crate::facts::sql) fn private(&self, tables: &mut Vec<String>) -> bool {
        let mut private = false;
        let mut table_next = false;
        for (at, token) in self.tokens.iter().enumerate() {
            let Token::Word(name) = token else {
                table_next = false;
                continue;
            };
            let bare = self.word(at);
            if table_next && !matches!(bare, "select" | "only" | "if" | "exists" | "lateral" | "not") {
                let table = shown(&name.value);
                if !tables.contains(&table) {
                    tables.push(table);
                }
            }
            let sorts = matches!(bare, "order" | "group") && self.word(at + 1) == "by";
            private |= at > 0
                && !sorts
                && (says_private(&name.value) || matches!(bare, "pg_shadow" | "pg_authid" | "pg_user_mapping"));
            table_next = matches!(bare, "from" | "join" | "into" | "update" | "table")
                || (table_next && matches!(bare, "only" | "if" | "not" | "exists"));
        }
        private && !self.has("information_schema") && !self.has("pg_catalog")
    }
}

fn says_private(name: &str) -> bool {
    let parts = words(name);
    let private = parts.iter().any(|part| {
        word(part).is_some_and(|found| found.things & (t::PRIVATE | t::SECRET) != 0 && found.things & t::CALENDAR == 0)
    });
    private && !parts.iter().any(|part| matches!(part.as_str(), "id" | "ids" | "count" | "type" | "price" | "name"))
        || parts
            .iter()
            .any(|part| matches!(part.as_str(), "phone" | "dob" | "birthdate" | "token" | "hash" | "surname"))
        || (parts.iter().any(|part| part == "name")
            && parts.iter().any(|part| matches!(part.as_str(), "first" | "last" | "full")))
}

const OUTWARD: &[(Effect, &str, &[&str])] = &[
    (
        Effect::CredentialFile,
        "reads files of the database's server",
        &[
            "pg_read_file",
            "pg_read_binary_file",
            "pg_ls_dir",
            "lo_import",
            "load_file",
            "readfile",
            "openrowset",
            "bulk_insert",
            "read_text",
            "read_blob",
            "pg_stat_file",
            "utl_file",
        ],
    ),
    (
        Effect::RunsCode,
        "runs code outside of the database's grammar",
        &[
            "xp_cmdshell",
            "sp_oacreate",
            "sys_exec",
            "sys_eval",
            "load_extension",
            "lo_export",
            "writefile",
            "dbms_scheduler",
            "sp_executesql",
            "dblink_exec",
            "query_to_xml",
            "pg_execute_server_program",
            "edit",
            "eval",
            "system",
            "shell",
        ],
    ),
    (
        Effect::NewDestination,
        "reaches another server",
        &[
            "dblink",
            "dblink_connect",
            "opendatasource",
            "openquery",
            "http_get",
            "http_post",
            "http",
            "utl_http",
            "url",
            "s3",
            "remote",
            "postgres_scan",
            "mysql",
            "net_http_post",
            "extracturl",
            "xp_dirtree",
        ],
    ),
    (
        Effect::Operates,
        "ends other sessions",
        &["pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal"],
    ),
    (Effect::ChangesPolicy, "changes settings", &["set_config"]),
    (Effect::Deletes, "removes a stored object", &["lo_unlink", "pg_drop_replication_slot"]),
];
