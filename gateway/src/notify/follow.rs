//! `Follower`: tells one channel of every hold that is open, of broken glass that nobody has looked at, and of a gate that
//! does not hold, each once.
//!
//! ```text
//! holds ── a change, a start ─► current, not told ─► send ── taken ─► kept in `STATE/notified/NAME`: never again
//!                                      ▲              └─ not taken ─► later, twice as late each time ─┐
//!                                      └────────────── until it is answered or its time is over ──────┘
//! ```
//!
//! No call waits for this. There is no queue: what is to be told is what is current and not told, so that nothing is lost in a
//! flood, an outage or a crash. What was taken just before a crash is sent again, with the same id.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use policies::approval::HoldState;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::message::Subject;
use super::told::Told;
use super::{Channel, SendError};
use crate::clock;
use crate::endpoint::pause;
use crate::hold::Holds;
use crate::liveness::{self, Pulse};
use crate::witness::{Stand, Standing};

/// What all channels share.
#[derive(Clone)]
pub struct Desk {
    /// The calls that wait.
    pub holds: Arc<Holds>,
    /// How the gateway fared when it last tried itself.
    pub pulse: Arc<Pulse>,
    /// How the log's witnesses stand.
    pub witnesses: Arc<Standing>,
    /// Where a browser finds the console, where it is on.
    pub console: Option<String>,
    /// Where it is kept who was told of what.
    pub folder: PathBuf,
}

/// Tells one channel of every hold that is open, and of a gate that does not hold, each once.
pub struct Follower {
    channel: Channel,
    desk: Desk,
    told: Told,
    /// By the subject's id.
    late: HashMap<String, Late>,
    /// The channel wants to be left alone until then.
    quiet: Option<Instant>,
}

/// A subject that was sent and not taken.
struct Late {
    failures: u32,
    due: Instant,
}

/// How long a message that is on its way may take when the gateway stops: cut off, it might be sent twice.
const LAST: Duration = Duration::from_secs(3);

impl Follower {
    /// Reads what the channel was told before.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn new(channel: Channel, desk: Desk) -> io::Result<Self> {
        let told = Told::open(&desk.folder, channel.name())?;
        Ok(Self { channel, desk, told, late: HashMap::new(), quiet: None })
    }

    /// Tells until it is told to stop. Not cancel-safe.
    pub async fn run(mut self, stop: CancellationToken) {
        // Before the lists are read: what comes in between wakes this at once.
        let (mut changes, mut pulse) = (self.desk.holds.changes(), self.desk.pulse.changes());
        let mut witnesses = self.desk.witnesses.changes();
        loop {
            let due = match self.next(Instant::now()) {
                Some((due, subject)) if due <= Instant::now() => {
                    if !self.tell_until(&subject, &stop).await {
                        return;
                    }
                    continue;
                }
                Some((due, _)) => Some(due),
                None => None,
            };
            tokio::select! {
                changed = changes.recv() => if matches!(changed, Err(RecvError::Closed)) { return },
                changed = pulse.changed() => if changed.is_err() { return },
                changed = witnesses.changed() => if changed.is_err() { return },
                () = until(due) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// What there is to tell of: a gate that does not hold, a log that a witness knows otherwise, broken glass until it is
    /// reviewed, then the holds, the nearest deadline first.
    fn current(&self) -> Vec<Subject> {
        let mut holds = self.desk.holds.list();
        // Nobody is to answer the gateway's own trials, nor what is approved.
        holds.retain(|hold| *hold.state() == HoldState::Pending && !liveness::is_synthetic(hold));
        let gate = self.desk.pulse.failing().map(Subject::Gate);
        let conflict = |stand: Stand| Some(Subject::Log(stand.name, stand.conflict?));
        let log = self.desk.witnesses.list().into_iter().filter_map(conflict);
        let glass = self.desk.holds.reviews().into_iter().map(|review| Subject::Glass(Box::new(review)));
        let holds = holds.into_iter().map(|hold| Subject::Hold(Box::new(hold)));
        gate.into_iter().chain(log).chain(glass).chain(holds).collect()
    }

    /// What is to be told first, and when.
    fn next(&mut self, now: Instant) -> Option<(Instant, Subject)> {
        let current = self.current();
        let ids: BTreeSet<String> = current.iter().map(Subject::id).collect();
        self.late.retain(|id, _| ids.contains(id));
        let untold = current.into_iter().filter(|subject| !self.told.contains(&subject.id()));
        let due = |id: &str| self.late.get(id).map_or(now, |late| late.due).max(self.quiet.unwrap_or(now)).max(now);
        // The first of equals stays first.
        untold.map(|subject| (due(&subject.id()), subject)).min_by_key(|(due, _)| *due)
    }

    /// Tells, and says whether to go on.
    async fn tell_until(&mut self, subject: &Subject, stop: &CancellationToken) -> bool {
        let cut = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        tokio::select! {
            () = self.tell(subject) => !stop.is_cancelled(),
            () = cut => false,
        }
    }

    async fn tell(&mut self, subject: &Subject) {
        let message = self.channel.message(subject, self.desk.console.as_deref());
        match self.channel.send(&message).await {
            Ok(()) => self.taken(subject.id()).await,
            Err(error) => self.failed(subject.id(), &error),
        }
    }

    async fn taken(&mut self, id: String) {
        self.late.remove(&id);
        let current = self.current().iter().map(Subject::id).collect();
        let channel = self.channel.name();
        tracing::info!(channel, id, "told");
        if let Err(error) = self.told.insert(id, &current).await {
            tracing::error!(channel, %error, "what was told cannot be kept: it is told again after a restart");
        }
    }

    fn failed(&mut self, id: String, error: &SendError) {
        let (now, channel) = (Instant::now(), self.channel.name());
        self.quiet = error.after().map(|after| now + after.min(pause::QUIET)).or(self.quiet);
        let failures = self.late.get(&id).map_or(0, |late| late.failures).saturating_add(1);
        tracing::warn!(channel, id, failures, error = pause::chain(error), "not told, and tried again");
        let due = now + pause::after(failures, u16::from_be_bytes(clock::random()));
        self.late.insert(id, Late { failures, due });
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
