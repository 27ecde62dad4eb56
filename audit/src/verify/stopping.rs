//! Questions that `SQLite` answers in one go, and that must end when whoever waits says so.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::QueryError;

/// How often whoever waits is asked.
const LOOK: Duration = Duration::from_millis(50);

/// Asks this in a thread of its own; `None` if `go_on` said no before there was an answer.
pub(super) fn unless_stopped<T: Send>(
    db: Connection,
    go_on: &mut dyn FnMut() -> bool,
    ask: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send,
) -> Result<Option<T>, QueryError> {
    let (stop, (answer, answered)) = (db.get_interrupt_handle(), channel());
    thread::scope(|scope| {
        // Whoever waits has gone only where this thread panics too.
        scope.spawn(move || answer.send(ask(&db)).ok());
        let mut stopped = false;
        loop {
            match answered.recv_timeout(LOOK) {
                Ok(_) | Err(RecvTimeoutError::Disconnected) if stopped => return Ok(None),
                Ok(found) => return Ok(Some(found?)),
                Err(RecvTimeoutError::Disconnected) => return Err(rusqlite::Error::InvalidQuery.into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            stopped = stopped || !go_on();
            // Again and again: a statement that has not begun is not interrupted.
            if stopped {
                stop.interrupt();
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";

    fn ask(sql: &'static str, go_on: &mut dyn FnMut() -> bool) -> Result<Option<i64>, QueryError> {
        unless_stopped(Connection::open_in_memory().unwrap(), go_on, |db| db.query_row(sql, [], |row| row.get(0)))
    }

    #[test]
    fn a_question_without_an_end_ends_when_whoever_waits_says_so() {
        let mut asked = 0;
        let stopped = ask(ENDLESS, &mut || {
            asked += 1;
            asked < 3
        });
        assert_eq!((stopped.unwrap(), asked), (None, 3));
    }

    #[test]
    fn a_question_that_nobody_stops_is_answered() {
        assert_eq!(ask("SELECT 7", &mut || true).unwrap(), Some(7));
        assert!(ask("SELECT 1 FROM nowhere", &mut || true).is_err());
    }
}
