//! `Reader`: the vault's, with what only servers and packages have.

use std::ops::{Deref, DerefMut};

use super::Problem;

pub(crate) use vault::kind;

/// Takes values out of a table and keeps every problem it meets.
#[derive(Default)]
pub(crate) struct Reader(vault::Reader);

impl Reader {
    /// What was read, unless there was a problem anywhere.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<Problem>> {
        self.0.finish(read)
    }
}

impl Deref for Reader {
    type Target = vault::Reader;

    fn deref(&self) -> &vault::Reader {
        &self.0
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut vault::Reader {
        &mut self.0
    }
}
