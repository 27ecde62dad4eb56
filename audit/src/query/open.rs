//! How the database is opened by those who only read.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::QueryError;
use crate::log::files::DATABASE;
use crate::log::tables;

/// Opens the database in a state folder, to read only.
pub(crate) fn open(state: &Path) -> Result<Connection, QueryError> {
    let path = state.join(DATABASE);
    if !path.exists() {
        return Err(QueryError::Missing);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&path, flags)?;
    db.busy_timeout(Duration::from_secs(2))?;
    tables::distrust(&db)?;
    let db = match tables::layout(&db) {
        Ok(_) => db,
        // A copy in a folder that cannot be written: SQLite would need its shared-memory file. Without a write-ahead log
        // beside it, the file is all there is.
        Err(_) if !state.join(format!("{DATABASE}-wal")).exists() => immutable(&path)?,
        Err(error) => return Err(error.into()),
    };
    match tables::layout(&db)? {
        tables::TREELESS | tables::LAYOUT => Ok(db),
        // The file is made before its tables: a gateway is starting, or never did.
        0 => Err(QueryError::Missing),
        other => Err(QueryError::Layout(other)),
    }
}

fn immutable(path: &Path) -> Result<Connection, QueryError> {
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    tables::distrust(&db)?;
    Ok(db)
}
