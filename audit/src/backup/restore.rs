//! Makes a log of a backup, and says so in it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use policies::approval::{Hold, Step};
use policies::{AgentId, HoldId, OperatorId};
use serde_json::json;

use super::listing::{Listing, hash};
use super::make::take;
use super::{Progress, REPLACED, RESTORER, RESTORING, RestoreError, Watch};
use crate::checkpoint::{COSIGNED, Checkpoint, newest};
use crate::entry::{Config, Ready};
use crate::event::{DelegationEnd, Event};
use crate::log::files::{DATABASE, LOCK, Lock, prepare};
use crate::log::recover;
use crate::log::renew::{Renewed, restored};
use crate::log::work::Work;
use crate::note::Note;
use crate::query;
use crate::record::{Draft, Kind};
use crate::verify::{Trusted, VerifyError, verify_while};

/// What is to be restored, and how.
pub struct Order<'a> {
    /// The backup.
    pub from: &'a Path,
    /// The log that it becomes; its state folder is empty, unless `aside`.
    pub config: Config,
    /// What is in the state folder moves to a folder in it.
    pub aside: bool,
    /// The agents' tokens end too: one that was removed after the backup was made would be good again.
    pub revoke_agents: bool,
    /// The log's public key and a checkpoint, as they were kept elsewhere.
    pub trusted: Trusted,
    /// Why, for the record.
    pub reason: &'a str,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The backup's own listing.
    pub listing: Listing,
    /// The number of the record that says so.
    pub record: u64,
    /// The log's keys before and from now on.
    pub renewed: Renewed,
    /// The newest checkpoint that was found of records that are lost.
    pub lost: Option<Checkpoint>,
    /// How many holds were cancelled.
    pub holds: usize,
    /// How many passes were revoked.
    pub passes: usize,
    /// How many delegations ended.
    pub delegations: usize,
    /// The agents that can connect.
    pub agents: Vec<AgentId>,
    /// The operators.
    pub operators: Vec<OperatorId>,
    /// Where what was there before is.
    pub replaced: Option<PathBuf>,
}

/// Makes a log of a backup. Nothing of the state folder is touched before all of the backup is copied beside it and
/// verified; until the record of it is written, no gateway starts.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(order: &Order<'_>, watch: Watch<'_>) -> Result<Restored, RestoreError> {
    let state = order.config.state().to_owned();
    let failed = |source| RestoreError::File { path: state.clone(), source };
    let listing = Listing::read(order.from).map_err(|what| no_backup(order.from, what))?;
    let there = occupants(&state).map_err(failed)?;
    if !there.is_empty() && !order.aside {
        return Err(RestoreError::Occupied(state));
    }
    prepare(&state).map_err(failed)?;
    let lock = Lock::take(&state).map_err(failed)?.ok_or_else(|| RestoreError::Running(state.clone()))?;
    let stage = Stage::fill(&state, order.from, &listing)?;
    stage.verify(&listing, &order.trusted, watch)?;
    let lost = lost(&state, order, &listing);
    let replaced = aside(&state, there, (order.config.clock())()).map_err(failed)?;
    stage.place(&state).map_err(failed)?;
    let done = declare(order, &listing, lost.as_ref(), lock)?;
    fs::remove_dir(state.join(RESTORING)).map_err(failed)?;
    let lost = lost.and_then(|note| Checkpoint::of(&note).ok());
    let Declared { renewed, record, holds, passes, delegations, agents, operators } = done;
    Ok(Restored { listing, record, renewed, lost, holds, passes, delegations, agents, operators, replaced })
}

fn no_backup(path: &Path, what: impl Into<String>) -> RestoreError {
    RestoreError::NoBackup { path: path.to_owned(), what: what.into() }
}

/// What is in a state folder, but for what every start leaves and what earlier restores moved aside.
fn occupants(state: &Path) -> io::Result<Vec<OsString>> {
    let found = match fs::read_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let names = found.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        name == LOCK || name == RESTORING || name.starts_with(REPLACED)
    };
    Ok(names.into_iter().filter(|name| !ours(name)).collect())
}

/// The copy beside what is there, until it takes its place. Dropped before that, it is removed.
struct Stage {
    folder: PathBuf,
    placing: bool,
}

impl Stage {
    /// Copies all that is listed, and compares what was copied.
    fn fill(state: &Path, from: &Path, listing: &Listing) -> Result<Self, RestoreError> {
        let stage = Self { folder: state.join(RESTORING), placing: false };
        let failed = |path: &Path, source| RestoreError::File { path: path.to_owned(), source };
        match fs::remove_dir_all(&stage.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&stage.folder, error)),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().mode(0o700).create(&stage.folder).map_err(|source| failed(&stage.folder, source))?;
        for file in &listing.files {
            let to = stage.folder.join(&file.path);
            let parent = to.parent().unwrap_or(&stage.folder);
            let copied = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            copied.and_then(|()| take(&from.join(&file.path), &to)).map_err(|source| failed(&file.path, source))?;
            let (bytes, sha256) = hash(&to).map_err(|source| failed(&file.path, source))?;
            if (bytes, sha256) != (file.bytes, file.sha256) {
                return Err(no_backup(from, format!("`{}` is not what was backed up", file.path.display())));
            }
        }
        Ok(stage)
    }

    fn verify(&self, listing: &Listing, trusted: &Trusted, watch: Watch<'_>) -> Result<(), RestoreError> {
        let mut watch = |done| watch(Progress::Verified(done, listing.records));
        match verify_while(&self.folder, trusted, &mut watch) {
            Ok(_) => Ok(()),
            Err(VerifyError::Stopped) => Err(RestoreError::Stopped),
            Err(error @ (VerifyError::Broken(_) | VerifyError::Read(_))) => Err(RestoreError::Unsound(error)),
        }
    }

    /// Moves all of it into the state folder, the database last. The folder stays, empty, until the restore is recorded.
    fn place(mut self, state: &Path) -> io::Result<()> {
        self.placing = true;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if name != DATABASE {
                fs::rename(self.folder.join(&name), state.join(&name))?;
            }
        }
        fs::rename(self.folder.join(DATABASE), state.join(DATABASE))?;
        File::open(state)?.sync_all()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.placing
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(%error, folder = %self.folder.display(), "an unfinished restore is left");
        }
    }
}

/// Moves what is there into a folder of its own, which nothing removes.
fn aside(state: &Path, there: Vec<OsString>, now: jiff::Timestamp) -> io::Result<Option<PathBuf>> {
    if there.is_empty() {
        return Ok(None);
    }
    let folder = state.join(format!("{REPLACED}{}", now.strftime("%Y%m%dT%H%M%S%.6fZ")));
    DirBuilder::new().mode(0o700).create(&folder)?;
    for name in there {
        fs::rename(state.join(&name), folder.join(&name))?;
    }
    Ok(Some(folder))
}

/// The newest checkpoint of this log that says more than the backup: in the state folder that is replaced, or where the
/// config keeps it.
fn lost(state: &Path, order: &Order<'_>, listing: &Listing) -> Option<Note> {
    let note = |text: String| Note::parse(&text).ok();
    let own = note(listing.checkpoint.clone()?).and_then(|note| Checkpoint::of(&note).ok())?;
    let anchor = order.config.anchor().read().ok().flatten().and_then(note);
    let cosigned = fs::read_to_string(state.join(COSIGNED)).ok().and_then(note);
    let stored = query::open(state).ok().and_then(|db| newest(&db).ok().flatten()).and_then(|(_, text)| note(text));
    let size =
        |note: &Note| Checkpoint::of(note).ok().filter(|found| found.origin == own.origin).map(|found| found.size);
    let found = [anchor, cosigned, stored].into_iter().flatten().filter_map(|note| Some((size(&note)?, note)));
    found.filter(|(size, _)| *size > listing.records).max_by_key(|(size, _)| *size).map(|(_, note)| note)
}

/// What the record of a restore did.
struct Declared {
    renewed: Renewed,
    record: u64,
    holds: usize,
    passes: usize,
    delegations: usize,
    agents: Vec<AgentId>,
    operators: Vec<OperatorId>,
}

/// Writes the record, and ends what is open, in one transaction.
fn declare(order: &Order<'_>, listing: &Listing, lost: Option<&Note>, lock: Lock) -> Result<Declared, RestoreError> {
    let ready = Ready::of_backup(order.config.clone(), lock)?;
    let views = recover::views(&ready.db).map_err(crate::entry::StartError::from)?;
    let (now, record) = ((order.config.clock())(), ready.head.seq + 1);
    let mut agents: Vec<AgentId> = views.agents.keys().cloned().collect();
    agents.sort();
    let mut works: Vec<Work> = views.holds.values().map(|hold| cancelled(hold, now)).collect();
    works.extend(views.passes.keys().map(|hold| revoked(hold, now)));
    works.extend(views.delegations.keys().map(|id| ended(*id, now)));
    if order.revoke_agents {
        works.extend(agents.drain(..).map(|name| removed(name, now)));
    }
    let (holds, passes, delegations) = (views.holds.len(), views.passes.len(), views.delegations.len());
    let detail = json!({ "event": "log-restored", "reason": order.reason, "made": listing.made,
        "records": listing.records, "checkpoint": listing.checkpoint, "lost": lost.map(Note::to_string),
        "holds": holds, "passes": passes, "delegations": delegations });
    let renewed = restored(ready, detail, works)?.ok_or(RestoreError::StillOpen)?;
    let operators = views.operators.keys().cloned().collect();
    Ok(Declared { renewed, record, holds, passes, delegations, agents, operators })
}

/// An approval in the copy may have been used since.
fn cancelled(hold: &Hold, now: jiff::Timestamp) -> Work {
    let why = "the log was restored from a backup: what was approved in it may have run since".to_owned();
    Work::Step { hold: hold.id().clone(), step: Step::Cancel { why }, pass: None, at: now }
}

fn revoked(hold: &HoldId, now: jiff::Timestamp) -> Work {
    let event = Event::PassRevoked { hold: hold.clone(), by: Some(OperatorId::authenticated(RESTORER)) };
    Work::NoPass { draft: draft(&event, now), hold: hold.clone() }
}

/// It may have been taken back since, or whoever lent it be gone.
fn ended(id: u64, now: jiff::Timestamp) -> Work {
    let (why, by) = (DelegationEnd::Restored, Some(OperatorId::authenticated(RESTORER)));
    Work::NoDelegation { draft: draft(&Event::DelegationEnded { delegation: id, why, by }, now), id }
}

fn removed(name: AgentId, now: jiff::Timestamp) -> Work {
    let event = Event::AgentRemoved { name: name.clone(), by: Some(OperatorId::authenticated(RESTORER)) };
    let mut draft = draft(&event, now);
    draft.agent = Some(name.to_string());
    Work::NoAgent { draft, name }
}

fn draft(event: &Event, at: jiff::Timestamp) -> Draft {
    Draft::new(Kind::Event, at, serde_json::to_vec(event).unwrap_or_else(|_| b"{}".to_vec()))
}
