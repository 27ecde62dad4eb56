//! `Feeder`: the thread that adds new records to the index, after they were acknowledged.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::warn;

use super::IndexError;
use super::tables::{self, Store};
use crate::log::files::Files;
use crate::log::retention::erased;
use crate::query;

/// How long it works at a time. The writer calls it at most so often too: with much to add it takes half of one core.
const TURN: Duration = Duration::from_millis(200);

/// Ends its thread when it is dropped, and waits for that: nothing reads the log's files after it.
pub(crate) struct Feeder {
    work: Option<SyncSender<Files>>,
    thread: Option<JoinHandle<()>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    /// The last record that the index has.
    covered: AtomicU64,
    /// Up to which record bodies were gone when it was begun.
    erased: AtomicU64,
}

impl Feeder {
    pub(crate) fn start(state: PathBuf) -> io::Result<Self> {
        // One turn is enough to wait: it adds all that there is then.
        let (work, turns) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        let theirs = Arc::clone(&progress);
        let thread =
            std::thread::Builder::new().name("index".to_owned()).spawn(move || run(&state, &turns, &theirs))?;
        Ok(Self { work: Some(work), thread: Some(thread), progress })
    }

    /// There are records up to one number, in these files, and the bodies up to another are gone.
    pub(crate) fn feed(&self, (last, erased): (u64, u64), files: &Files) {
        if (last > self.progress.covered.load(Ordering::Acquire)
            || erased != self.progress.erased.load(Ordering::Acquire))
            && let Some(work) = &self.work
        {
            match work.try_send(files.clone()) {
                // It is at work, or has ended: what is asked of the log is answered without it.
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.progress.stop.store(true, Ordering::Release);
        drop(self.work.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            warn!("the thread of the search index ended badly");
        }
    }
}

fn run(state: &Path, turns: &Receiver<Files>, progress: &Progress) {
    let mut fails = false;
    while let Ok(files) = turns.recv() {
        match turn(state, &files, progress) {
            Ok(()) => fails = false,
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                // Said once: a full disk would have it said five times a second.
                if !fails {
                    warn!(error = cause, "the search index does not grow: newer records are read one by one");
                }
                fails = true;
            }
        }
    }
}

fn turn(state: &Path, files: &Files, progress: &Progress) -> Result<(), IndexError> {
    // Opening another file in the database's place would share the write-ahead log that is still open for the first.
    if files.check().is_err() {
        return Ok(());
    }
    let log = query::open(state)?;
    let store = Store::open(state, &log)?;
    progress.erased.store(erased(&log)?, Ordering::Release);
    let started = Instant::now();
    while !progress.stop.load(Ordering::Acquire) && started.elapsed() < TURN {
        let (last, more) = store.add(&log).map_err(|error| given_up(state, error))?;
        progress.covered.store(last, Ordering::Release);
        if !more {
            break;
        }
    }
    Ok(())
}

/// An index that cannot be read is no use: the next turn makes it anew.
fn given_up(state: &Path, error: IndexError) -> IndexError {
    match &error {
        IndexError::Database(cause) if tables::is_spoilt(cause) => match tables::remove(state) {
            Ok(()) => error,
            Err(failed) => failed.into(),
        },
        IndexError::Database(_) | IndexError::File(_) | IndexError::Log(_) => error,
    }
}
