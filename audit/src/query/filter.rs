//! `Filter`: which records are listed, and what the log and its index are asked for them.

use jiff::Timestamp;
use policies::Risk;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension};

use super::Found;
use super::activity::NAME;
use crate::index::terms::{self, Sought, Term};
use crate::log::pen::micros;
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
    /// With all of these words in the record or its body, in any case and order; `invo*` is the beginning of one.
    pub text: Option<String>,
    /// Before this record: the last one of the page before.
    pub before: Option<u64>,
    /// At most so many; [`Filter::PAGE`] if not set.
    pub limit: Option<usize>,
}

impl Filter {
    /// How many records a page has.
    pub const PAGE: usize = 50;

    /// Whether it lets this record through, which is not asked of the log.
    #[must_use]
    pub fn matches(&self, found: &Found) -> bool {
        self.fits(found, self.sought().as_ref())
    }

    /// What its text looks for.
    pub(super) fn sought(&self) -> Option<Sought> {
        self.text.as_deref().filter(|text| !text.trim().is_empty()).map(Sought::parse)
    }

    pub(super) fn fits(&self, found: &Found, sought: Option<&Sought>) -> bool {
        let record = &found.record;
        let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let by = |name: &String| terms::operators(record).contains(&name.as_str());
        is(&self.agent, &record.agent)
            && is(&self.server, &record.server)
            && is(&self.tool, &record.tool)
            && self.operator.as_ref().is_none_or(by)
            && self.risk.is_none_or(|least| record.risk.is_some_and(|risk| risk >= least))
            && self.verdict.is_none_or(|verdict| record.verdict == Some(verdict))
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && sought.is_none_or(|sought| sought.fits(&terms::of(record, found.body.as_ref())))
    }

    /// What to ask; `None` if a name was never recorded or a text has no words, so nothing can match.
    pub(super) fn question(&self, db: &Connection) -> rusqlite::Result<Option<Question>> {
        let mut question =
            Question { since: self.since.map(micros), until: self.until.map(micros), ..Question::default() };
        for (column, name, term) in [
            ("agent", &self.agent, Term::Agent as fn(i64) -> Term),
            ("server", &self.server, Term::Server),
            ("tool", &self.tool, Term::Tool),
        ] {
            if let Some(name) = name {
                let Some(id) = db.prepare_cached(NAME)?.query_row([name], |row| row.get::<_, i64>(0)).optional()?
                else {
                    return Ok(None);
                };
                question.and(&format!("{column} = ?"), id, [term(id)]);
            }
        }
        if let Some(risk) = self.risk {
            // One level goes by the partial index, which is used only where its own condition stands in the query. Over
            // several it would have to sort: the newest come first by number.
            let partial = if risk == Risk::Critical { "risk > 2 AND risk = ?" } else { "+risk >= ?" };
            question.and(partial, risk.level(), (risk.level()..=Risk::Critical.level()).map(Term::Risk));
        }
        if let Some(verdict) = self.verdict {
            let partial = if verdict == Decided::Allow { "verdict = ?" } else { "verdict > 1 AND verdict = ?" };
            question.and(partial, verdict.code(), [Term::Verdict(verdict.code())]);
        }
        if !self.kinds.is_empty() {
            let codes: Vec<String> = self.kinds.iter().map(|kind| kind.code().to_string()).collect();
            question.conditions.push(format!("kind IN ({})", codes.join(",")));
            question.terms.push(terms::any(self.kinds.iter().map(|kind| Term::Kind(kind.code()))));
        }
        if let Some(operator) = &self.operator {
            question.conditions.push(format!("kind IN ({},{})", Kind::Step.code(), Kind::Event.code()));
            question.terms.push(terms::any([Term::operator(operator)]));
        }
        if let Some(since) = question.since {
            question.only("at >= ?", since);
        }
        if let Some(until) = question.until {
            question.only("at < ?", until);
        }
        match self.sought() {
            Some(sought) if sought.is_empty() => return Ok(None),
            Some(sought) => {
                question.terms.extend(sought.expressions());
                question.beginnings.extend(sought.beginnings());
            }
            None => {}
        }
        Ok(Some(question))
    }
}

/// What is asked of the log, and of the index. Words and operators are asked of the index, or compared one by one.
#[derive(Debug, Default)]
pub(super) struct Question {
    conditions: Vec<String>,
    values: Vec<Sql>,
    /// All of them, as the index is asked.
    pub(super) terms: Vec<String>,
    /// And a word for each of these that begins so.
    pub(super) beginnings: Vec<String>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
}

impl Question {
    fn only(&mut self, condition: &str, value: i64) {
        self.conditions.push(condition.to_owned());
        self.values.push(Sql::Integer(value));
    }

    fn and(&mut self, condition: &str, value: i64, any: impl IntoIterator<Item = Term>) {
        self.only(condition, value);
        self.terms.push(terms::any(any));
    }

    /// Of the records of a range, the newest first.
    pub(super) fn of_range(&self, first: i64, last: i64) -> (String, Vec<Sql>) {
        self.sql("seq BETWEEN ? AND ?", [first, last])
    }

    /// Of one record that the index has found.
    pub(super) fn of_one(&self, seq: i64) -> (String, Vec<Sql>) {
        self.sql("seq = ?", [seq])
    }

    fn sql<const N: usize>(&self, numbers: &str, values: [i64; N]) -> (String, Vec<Sql>) {
        let wheres: Vec<&str> = std::iter::once(numbers).chain(self.conditions.iter().map(String::as_str)).collect();
        let values = values.into_iter().map(Sql::Integer).chain(self.values.iter().cloned());
        let wheres = wheres.join(" AND ");
        (format!("SELECT seq, record, body FROM entry WHERE {wheres} ORDER BY seq DESC"), values.collect())
    }
}
