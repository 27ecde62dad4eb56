//! `Vault`: lends recorded calls what their tools were declared to need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use audit::{Audit, Entry, Learned};
use futures_util::future::join_all;
use jiff::Timestamp;
use policies::profile::Placement;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::file::{FileStore, Passphrase};
use crate::backend::{BackendError, Fetched, Stores};
use crate::config::{Config, Source};
use crate::health::Health;
use crate::known::Known;
use crate::lease::{LeaseError, Leases, Why};
use crate::lent::{Desk, Lent, Shared};
use crate::open::{OpenError, Opened};
use crate::outbox::{Borrowed, Outbox};
use crate::secret::Secret;

/// What time it is.
pub type Clock = fn() -> Timestamp;

/// Lends recorded calls what their tools were declared to need. Clones lend the same; the default lends nothing.
#[derive(Clone, Default)]
pub struct Vault(pub(crate) Option<Arc<Lender>>);

/// What a vault needs of the process around it.
pub struct Around {
    /// Owns the work beside the calls.
    pub(crate) tasks: TaskTracker,
    /// Ends it.
    pub(crate) halt: CancellationToken,
    pub(crate) clock: Clock,
    pub(crate) grace: Duration,
    pub(crate) passphrase: Option<Passphrase>,
}

impl Around {
    /// Work beside the calls belongs to `tasks` and ends with `halt`.
    #[must_use]
    pub fn new(tasks: TaskTracker, halt: CancellationToken, clock: Clock) -> Self {
        Self { tasks, halt, clock, grace: Duration::from_mins(15), passphrase: None }
    }

    /// How long what was replaced is still redacted.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Who can be asked for a passphrase.
    #[must_use]
    pub fn passphrase(self, passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), ..self }
    }
}

pub(crate) struct Lender {
    pub(crate) stores: Arc<Stores>,
    /// The backends that this program writes.
    pub(crate) files: BTreeMap<String, Arc<FileStore>>,
    pub(crate) secrets: BTreeMap<String, Source>,
    pub(crate) known: Known,
    pub(crate) health: Health,
    pub(crate) clock: Clock,
    outbox: Arc<Outbox>,
    /// What running calls hold.
    out: Mutex<Vec<Weak<Shared>>>,
}

/// What is fetched at once: one path of one backend, and the secrets that are made of it.
struct Errand<'a> {
    backend: &'a str,
    path: &'a str,
    secrets: BTreeMap<&'a str, Option<&'a str>>,
}

/// One secret that was fetched, and that the redactor knows.
type Loot = (Arc<Secret>, String, Arc<Learned>);

impl Vault {
    /// Opens every backend, lets the redactor learn what they keep, and begins to revoke what a crash left.
    ///
    /// # Errors
    /// [`OpenError`], if one can never give anything as it is configured. One that is only down is asked again.
    pub fn open(config: Config, audit: &Audit, around: &Around) -> Result<Self, OpenError> {
        hide();
        let Opened { stores, files, stored } = Opened::open(&config, around)?;
        let known = Known::new(Arc::clone(audit.redactor()));
        for (place, value) in stored {
            // One that nobody holds stays known for the grace time.
            drop(known.learn(Some(place), &value));
        }
        let stores = Arc::new(stores);
        let outbox = Outbox::new(Arc::clone(&stores), audit.clone(), around.clock);
        let (halt, revoking) = (around.halt.clone(), Arc::clone(&outbox).run());
        around.tasks.spawn(async move { halt.run_until_cancelled(revoking).await });
        let (halt, kept) = (around.halt.clone(), files.values().cloned().collect());
        around.tasks.spawn(async move { keep_used(kept, halt).await });
        let (secrets, clock) = (config.secrets, around.clock);
        let (health, out) = (Health::default(), Mutex::default());
        Ok(Self(Some(Arc::new(Lender { stores, files, secrets, known, health, clock, outbox, out }))))
    }

    /// Lends a recorded call every secret that its tool's profile names, before this instant, and within ten seconds.
    ///
    /// Not cancel-safe: dropped midway, what was made for the call is revoked by the outbox, or ends by itself.
    ///
    /// # Errors
    /// [`LeaseError`] where one cannot be lent; then the call does not run.
    pub async fn lease(&self, entry: &Entry, by: Instant) -> Result<Leases, LeaseError> {
        let placements = placements(entry).map_err(LeaseError)?;
        match (&self.0, placements.first()) {
            (_, None) => Ok(Leases::new(Shared::new([], None), Vec::new())),
            (None, Some(first)) => Err(LeaseError(Why::Unknown { secret: first.secret.clone() })),
            (Some(lender), Some(_)) => {
                let by = by.min(Instant::now() + LONGEST_WAIT);
                lender.lend(entry, placements, by).await.map_err(LeaseError)
            }
        }
    }
}

/// Keeps this process's memory from other programs of its user, an agent's shell among them, and out of core files.
fn hide() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other programs of this user can read the secrets in memory");
    }
}

/// Writes now and then when secrets were last used.
async fn keep_used(files: Vec<Arc<FileStore>>, halt: CancellationToken) {
    loop {
        let over = halt.run_until_cancelled(tokio::time::sleep(BETWEEN_WRITES)).await.is_none();
        for file in &files {
            let file = Arc::clone(file);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || file.flush()).await {
                tracing::warn!(%error, "when secrets were last used could not be written");
            }
        }
        if over {
            return;
        }
    }
}

/// When a secret was last used need not be told to the second after a crash.
const BETWEEN_WRITES: Duration = Duration::from_mins(1);

/// However much time a call has: an agent should hear of a backend that is down.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The redactor cannot find what is shorter.
const SHORTEST: usize = 4;

/// What a call is lent: the placements of the secrets that its profile names, or all where it names none.
fn placements(entry: &Entry) -> Result<Vec<Placement>, Why> {
    let profile = &entry.call().tool().standing().profile;
    let placed = profile.resources().map(|resources| resources.secrets.as_slice()).unwrap_or_default();
    let named = profile.secrets();
    if let Some(secret) = named.iter().find(|name| placed.iter().all(|placement| placement.secret != **name)) {
        return Err(Why::Unknown { secret: secret.clone() });
    }
    let wanted = placed.iter().filter(|placement| named.is_empty() || named.contains(&placement.secret));
    Ok(wanted.cloned().collect())
}

impl Lender {
    async fn lend(&self, entry: &Entry, placements: Vec<Placement>, by: Instant) -> Result<Leases, Why> {
        let errands = self.errands(&placements)?;
        // All are waited for: one that was dropped while its backend made something could leave it there.
        let done = join_all(errands.iter().map(|errand| self.run(errand, entry, by))).await;
        let (mut loot, mut borrowed) = (BTreeMap::new(), Vec::new());
        for done in done {
            let (secrets, made) = done?;
            loot.extend(secrets);
            borrowed.extend(made);
        }
        let lent = placements.into_iter().filter_map(|placement| {
            let (value, version, known) = loot.get(&placement.secret)?;
            Some(Lent::new(placement, Arc::clone(value), version.clone(), Arc::clone(known)))
        });
        let desk = Desk { redactor: self.known.redactor(), clock: self.clock };
        let shared = Shared::new(lent, Some(desk));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.retain(|one| one.strong_count() > 0);
        out.push(Arc::downgrade(&shared));
        Ok(Leases::new(shared, borrowed))
    }

    /// Takes a secret from every call that holds it; the calls must end. Answers how many there were.
    pub(crate) fn revoke(&self, secret: &str) -> usize {
        let out: Vec<Arc<Shared>> =
            self.out.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        let holding = out.iter().filter(|shared| shared.holds(secret));
        holding.map(|shared| shared.revoke()).count()
    }

    fn errands(&self, placements: &[Placement]) -> Result<Vec<Errand<'_>>, Why> {
        let mut errands: BTreeMap<(&str, &str), Errand<'_>> = BTreeMap::new();
        for secret in placements.iter().map(|placement| &placement.secret).collect::<BTreeSet<_>>() {
            let unknown = || Why::Unknown { secret: secret.clone() };
            let (name, source) = self.secrets.get_key_value(secret).ok_or_else(unknown)?;
            let (backend, path) = (source.backend.as_str(), source.path.as_str());
            let errand = Errand { backend, path, secrets: BTreeMap::new() };
            let errand = errands.entry((backend, path)).or_insert(errand);
            errand.secrets.insert(name, source.field.as_deref());
        }
        Ok(errands.into_values().collect())
    }

    /// Fetches, lets the redactor learn, records what was made; only then is anything of it to be had.
    async fn run(
        &self,
        errand: &Errand<'_>,
        entry: &Entry,
        by: Instant,
    ) -> Result<(BTreeMap<String, Loot>, Option<Borrowed>), Why> {
        let fault = |source| Self::fault(errand, source);
        let fetched = self.fetch(errand, by).await;
        self.health.note(errand.backend, (self.clock)(), &fetched);
        let mut fetched = fetched.map_err(fault)?;
        let lease = fetched.lease.take();
        let loot = self.learn(errand, fetched, lease.is_none()).map_err(fault);
        let borrowed = match lease {
            Some(lease) => Some(self.outbox.take(errand.backend, lease, entry.seq()).await.map_err(Why::Audit)?),
            None => None,
        };
        Ok((loot?, borrowed))
    }

    async fn fetch(&self, errand: &Errand<'_>, by: Instant) -> Result<Fetched, BackendError> {
        let store = self.stores.get(errand.backend).ok_or(BackendError::Missing)?;
        let fetching = store.backend.fetch(errand.path, by);
        tokio::time::timeout_at(by.into(), fetching).await.unwrap_or(Err(BackendError::Late))
    }

    /// Every field, also those that nobody asked for: they were in this process.
    fn learn(&self, errand: &Errand<'_>, fetched: Fetched, kept: bool) -> Result<BTreeMap<String, Loot>, BackendError> {
        let mut fields = BTreeMap::new();
        for (field, value) in fetched.fields {
            let place = kept.then(|| format!("{}/{}#{field}", errand.backend, errand.path));
            let known = self.known.learn(place, &value);
            fields.insert(field, (Arc::new(value), known));
        }
        let pick = |field: Option<&str>| match field {
            Some(field) => fields.get(field),
            None => fields.values().next().filter(|_| fields.len() == 1),
        };
        let mut loot = BTreeMap::new();
        for (name, field) in &errand.secrets {
            let (value, known) = pick(*field).ok_or(BackendError::Missing)?;
            if value.expose().len() < SHORTEST {
                return Err(BackendError::Short);
            }
            loot.insert((*name).to_owned(), (Arc::clone(value), fetched.version.clone(), Arc::clone(known)));
        }
        Ok(loot)
    }

    fn fault(errand: &Errand<'_>, source: BackendError) -> Why {
        let secret = errand.secrets.keys().next().copied().unwrap_or_default().to_owned();
        tracing::warn!(backend = errand.backend, secret, error = %source, "a secret could not be lent");
        Why::Backend { backend: errand.backend.to_owned(), secret, source }
    }
}
