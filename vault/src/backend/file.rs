//! `FileStore`: the embedded default, one file encrypted by `age`, which the tools of the same name read too.

mod disk;
mod key;
mod sheet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use age::x25519::Identity;
use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;

use super::{Backend, BackendError, Fetched};
use crate::secret::Secret;
use disk::Lock;
pub(crate) use key::KeySource;
pub use key::{FileError, Passphrase};
use sheet::Sheet;
pub(crate) use sheet::Written;

/// Where the file lies, and what opens it.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) key: KeySource,
}

impl Settings {
    /// Where they lie unless said otherwise.
    pub(crate) fn in_state(state: &Path) -> Self {
        Self { path: state.join("secrets.age"), key: KeySource::File(state.join("secrets.key")) }
    }
}

/// One file of secrets. This process alone writes it.
pub(crate) struct FileStore {
    settings: Settings,
    passphrase: Option<Passphrase>,
    clock: fn() -> Timestamp,
    /// How long an old value is kept to be redacted.
    grace: Duration,
    open: Mutex<Open>,
    _lock: Lock,
}

struct Open {
    sheet: Sheet,
    /// `None` until there is something to keep.
    identity: Option<Identity>,
    /// A secret was used since the file was written.
    touched: bool,
}

impl FileStore {
    /// Opens the file, or begins an empty one, which is written as soon as there is something to keep.
    pub(crate) fn open(
        settings: Settings,
        passphrase: Option<Passphrase>,
        clock: fn() -> Timestamp,
        grace: Duration,
    ) -> Result<Self, FileError> {
        let lock = Lock::take(&settings.path)?;
        let open = match disk::read(&settings.path)? {
            None => Open { sheet: Sheet::default(), identity: None, touched: false },
            Some(sealed) => {
                let identity = settings.key.find(passphrase.as_ref())?;
                Open { sheet: Sheet::unseal(&sealed, &identity)?, identity: Some(identity), touched: false }
            }
        };
        Ok(Self { settings, passphrase, clock, grace, open: Mutex::new(open), _lock: lock })
    }

    /// Every value that is kept, and those that were replaced a short while ago: the redactor must know them.
    pub(crate) fn values(&self) -> Vec<(String, Secret)> {
        let now = (self.clock)();
        self.lock().sheet.values(now, self.grace)
    }

    /// What is kept, without values.
    pub(crate) fn list(&self) -> BTreeMap<String, Written> {
        self.lock().sheet.list()
    }

    /// Keeps a new version; answers its number.
    pub(crate) fn set(&self, name: &str, value: &Secret) -> Result<u64, FileError> {
        self.change(|sheet, now| Some(sheet.set(name, value, now))).map(Option::unwrap_or_default)
    }

    /// Forgets all versions. Answers whether there was one.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, FileError> {
        self.change(|sheet, _| sheet.remove(name).then_some(())).map(|removed| removed.is_some())
    }

    /// Writes when secrets were last used, if any was.
    pub(crate) fn flush(&self) -> Result<(), FileError> {
        let mut open = self.lock();
        if open.touched {
            let Open { sheet, identity: Some(identity), .. } = &*open else { return Ok(()) };
            disk::replace(&self.settings.path, &sheet.seal(identity)?)?;
            open.touched = false;
        }
        Ok(())
    }

    /// The key that a value is sealed to on its way here, so that nothing else can read it.
    pub(crate) fn recipient(&self) -> Result<String, FileError> {
        let mut open = self.lock();
        self.identity(&mut open).map(|identity| identity.to_public().to_string())
    }

    /// Reads a value that was sealed to [`FileStore::recipient`].
    pub(crate) fn unseal(&self, sealed: &str) -> Result<Secret, FileError> {
        let mut open = self.lock();
        let identity = self.identity(&mut open)?;
        age::decrypt(identity, sealed.as_bytes()).map(Secret::new).map_err(FileError::sealed)
    }

    /// Changes what is kept, on disk first: what could not be written has not changed.
    fn change<T>(&self, change: impl FnOnce(&mut Sheet, Timestamp) -> Option<T>) -> Result<Option<T>, FileError> {
        let mut open = self.lock();
        let now = (self.clock)();
        let mut next = open.sheet.clone();
        let Some(changed) = change(&mut next, now) else { return Ok(None) };
        next.wipe(now, self.grace);
        let sealed = next.seal(self.identity(&mut open)?)?;
        disk::replace(&self.settings.path, &sealed)?;
        open.sheet = next;
        open.touched = false;
        Ok(Some(changed))
    }

    fn identity<'a>(&self, open: &'a mut Open) -> Result<&'a Identity, FileError> {
        let identity = match open.identity.take() {
            Some(identity) => identity,
            None => self.settings.key.find_or_make(self.passphrase.as_ref())?,
        };
        Ok(open.identity.insert(identity))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for FileStore {
    fn fetch<'a>(&'a self, path: &'a str, _deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>> {
        let mut open = self.lock();
        let fetched = open.sheet.newest(path, (self.clock)());
        open.touched |= fetched.is_some();
        Box::pin(ready(
            fetched.map(|(value, number)| Fetched::kept(value, number.to_string())).ok_or(BackendError::Missing),
        ))
    }
}
