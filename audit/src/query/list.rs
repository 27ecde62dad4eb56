//! A page of records: those that the index does not have yet one by one, and those before by the index.

use std::ops::RangeInclusive;

use rusqlite::params_from_iter;
use tracing::warn;

use super::filter::Question;
use super::{Filter, Found, QueryError, Reader, read};
use crate::index::Index;
use crate::index::terms::Sought;
use crate::log::pen::signed;

impl Reader {
    /// The records that a filter lets through, the newest first.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Found>, QueryError> {
        let Some(question) = filter.question(&self.db)? else { return Ok(Vec::new()) };
        let limit = filter.limit.unwrap_or(Filter::PAGE);
        let mut page = Page { filter, sought: filter.sought(), limit, found: Vec::new() };
        let last = filter.before.map_or(u64::MAX, |before| before.saturating_sub(1));
        let covered = self.searchable();
        self.scan(&question, covered + 1..=last, &mut page)?;
        let Some(index) = self.index().filter(|_| covered > 0 && !page.is_full()) else { return Ok(page.found) };
        let (recent, older) = (page.found.len(), 1..=last.min(covered));
        match self.search(index, &question, older.clone(), &mut page) {
            Ok(()) => {}
            // A trail that answers slowly is better than none.
            Err(QueryError::Database(error)) => {
                warn!(%error, "the search index does not answer: records are read one by one");
                page.found.truncate(recent);
                self.scan(&question, older, &mut page)?;
            }
            Err(error) => return Err(error),
        }
        Ok(page.found)
    }

    /// The last record that the index has, with all before it: what came after is read one by one.
    #[must_use]
    pub fn searchable(&self) -> u64 {
        self.index().and_then(|index| index.covers(&self.db).ok()).unwrap_or(0)
    }

    fn search(
        &self,
        index: &Index,
        question: &Question,
        numbers: RangeInclusive<u64>,
        page: &mut Page<'_>,
    ) -> Result<(), QueryError> {
        let of_time = index.numbers(question.since, question.until)?;
        let numbers = *numbers.start().max(of_time.start())..=*numbers.end().min(of_time.end());
        let Question { terms, beginnings, .. } = question;
        if terms.is_empty() && beginnings.is_empty() {
            return self.scan(question, numbers, page);
        }
        index.found((terms, beginnings), numbers, |seq| {
            let (sql, values) = question.of_one(signed(seq));
            self.take(&sql, params_from_iter(values), page)?;
            Ok(page.is_full())
        })
    }

    fn scan(&self, question: &Question, numbers: RangeInclusive<u64>, page: &mut Page<'_>) -> Result<(), QueryError> {
        let (sql, values) = question.of_range(signed(*numbers.start()), signed(*numbers.end()));
        self.take(&sql, params_from_iter(values), page)
    }

    fn take(&self, sql: &str, values: impl rusqlite::Params, page: &mut Page<'_>) -> Result<(), QueryError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while !page.is_full()
            && let Some(row) = rows.next()?
        {
            page.add(read(row)?);
        }
        Ok(())
    }
}

struct Page<'a> {
    filter: &'a Filter,
    sought: Option<Sought>,
    limit: usize,
    found: Vec<Found>,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    /// Whoever found it, the record itself says whether it belongs here.
    fn add(&mut self, found: Found) {
        if self.filter.fits(&found, self.sought.as_ref()) {
            self.found.push(found);
        }
    }
}
