//! `Filter`: which records are listed, and the query for them.

use jiff::Timestamp;
use policies::Risk;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension};

use crate::log::pen::{micros, signed};
use crate::record::{Decided, Kind};

/// Which records to list. All that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By this agent.
    pub agent: Option<String>,
    /// Of this server.
    pub server: Option<String>,
    /// Of this tool, by its name at its server.
    pub tool: Option<String>,
    /// Answered, changed or asked for by this operator.
    pub operator: Option<String>,
    /// Of this risk or more.
    pub risk: Option<Risk>,
    /// With this verdict.
    pub verdict: Option<Decided>,
    /// Of one of these kinds; of any, if there is none.
    pub kinds: Vec<Kind>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// With this text anywhere in the record or its body, in any case.
    pub text: Option<String>,
    /// Before this record: the last one of the page before.
    pub before: Option<u64>,
    /// At most so many; [`Filter::PAGE`] if not set.
    pub limit: Option<usize>,
}

impl Filter {
    /// How many records a page has.
    pub const PAGE: usize = 50;

    /// The query and its values; `None` if a name was never recorded, so nothing can match.
    pub(super) fn query(&self, db: &Connection) -> rusqlite::Result<Option<(String, Vec<Sql>)>> {
        let mut query = Query::default();
        for (column, name) in [("agent", &self.agent), ("server", &self.server), ("tool", &self.tool)] {
            if let Some(name) = name {
                let sql = "SELECT id FROM name WHERE text = ?1";
                let Some(id) = db.prepare_cached(sql)?.query_row([name], |row| row.get::<_, i64>(0)).optional()? else {
                    return Ok(None);
                };
                query.and(&format!("{column} = ?"), Sql::Integer(id));
            }
        }
        if let Some(risk) = self.risk {
            // The partial index is used only where its own condition stands in the query.
            let partial = if risk.level() > 2 { "risk > 2 AND risk >= ?" } else { "risk >= ?" };
            query.and(partial, Sql::Integer(risk.level()));
        }
        if let Some(verdict) = self.verdict {
            let partial = if verdict == Decided::Allow { "verdict = ?" } else { "verdict > 1 AND verdict = ?" };
            query.and(partial, Sql::Integer(verdict.code()));
        }
        if !self.kinds.is_empty() {
            let codes: Vec<String> = self.kinds.iter().map(|kind| kind.code().to_string()).collect();
            query.wheres.push(format!("kind IN ({})", codes.join(",")));
        }
        if let Some(operator) = &self.operator {
            // Records of holds' steps and of events name their operator as `by` and nowhere else.
            let named = serde_json::Value::from(operator.as_str());
            let like = Sql::Text(format!("%\"by\":{}%", escaped(&named.to_string())));
            let kinds = format!("kind IN ({},{})", Kind::Step.code(), Kind::Event.code());
            query.and(&format!("{kinds} AND CAST(record AS TEXT) LIKE ? ESCAPE '\\'"), like);
        }
        if let Some(since) = self.since {
            query.and("at >= ?", Sql::Integer(micros(since)));
        }
        if let Some(until) = self.until {
            query.and("at < ?", Sql::Integer(micros(until)));
        }
        if let Some(text) = &self.text {
            let like = Sql::Text(format!("%{}%", escaped(text)));
            query.and("(CAST(record AS TEXT) LIKE ? ESCAPE '\\'", like.clone());
            if let Some(last) = query.wheres.last_mut() {
                last.push_str(" OR CAST(body AS TEXT) LIKE ? ESCAPE '\\')");
            }
            query.values.push(like);
        }
        if let Some(before) = self.before {
            query.and("seq < ?", Sql::Integer(signed(before)));
        }
        let limit = i64::try_from(self.limit.unwrap_or(Self::PAGE)).unwrap_or(i64::MAX);
        Ok(Some(query.finish(limit)))
    }
}

#[derive(Default)]
struct Query {
    wheres: Vec<String>,
    values: Vec<Sql>,
}

impl Query {
    fn and(&mut self, condition: &str, value: Sql) {
        self.wheres.push(condition.to_owned());
        self.values.push(value);
    }

    fn finish(mut self, limit: i64) -> (String, Vec<Sql>) {
        let wheres = if self.wheres.is_empty() { "1".to_owned() } else { self.wheres.join(" AND ") };
        self.values.push(Sql::Integer(limit));
        (format!("SELECT seq, record, body FROM entry WHERE {wheres} ORDER BY seq DESC LIMIT ?"), self.values)
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
