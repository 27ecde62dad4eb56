//! `Holds`: calls that wait for a person.
//!
//! A hold is durable; waiting for it is not. Whoever waits (an open request, a task, an identical retry) may leave and
//! come back: the hold stays, and the first who waits when it is approved runs the call, once. A denial stands for
//! identical calls until the hold's time is over, so that an agent cannot wear its operator down.

mod answer;
mod delegated;
mod glass;
mod outdated;
mod passes;
mod reach;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audit::{Audit, AuditError, StepRefused};
use policies::approval::{Approved, Approver, Hold, HoldState, Quorums, Step};
use policies::decision::{Denial, Held, NotApproved, Refused};
use policies::{AgentId, HoldId, Role, Value};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::app::Reloadable;
use crate::clock;
use crate::liveness::is_synthetic;
use crate::metrics::{Answered, Metrics};
use crate::operator::people::{People, Person};

use answer::not_allowed;
use delegated::Right;

pub use answer::{Answer, AnswerError};
pub use glass::Reasons;

/// How many calls of one agent may wait: more is a flood in which a person overlooks the one that matters.
const MOST_OPEN: usize = 64;

/// Calls that wait for a person.
pub struct Holds {
    audit: Audit,
    policies: Arc<Reloadable>,
    people: Arc<People>,
    quorums: Quorums,
    metrics: Arc<Metrics>,
    known: Mutex<HashMap<HoldId, Arc<Waiting>>>,
    changes: broadcast::Sender<Hold>,
}

struct Waiting {
    hold: watch::Sender<Hold>,
    taken: AtomicBool,
}

/// How a hold ended for the one who waited.
#[must_use]
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
pub enum Settled {
    /// People approved it. The place is to be kept until the intent is durable: an identical call that arrives meanwhile
    /// is a second call.
    Approved(Held, Approved, Place),
    /// It may not run.
    Refused(Denial),
    /// Still open when the one who waited left.
    Open(HoldId),
}

/// The one place of those who wait for a hold; dropping it leaves the hold to the next.
pub struct Place(Arc<Waiting>);

impl Place {
    /// The place, unless it is taken: an identical call that arrives meanwhile is a second call.
    fn take(waiting: Arc<Waiting>) -> Option<Self> {
        (!waiting.taken.swap(true, Ordering::AcqRel)).then(|| Self(waiting))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}

impl Holds {
    /// The holds that still stood when the gateway last stopped (open, or denied and not over), and those to come, which so many
    /// of the `people` have to approve.
    #[must_use]
    pub fn new(
        audit: Audit,
        policies: Arc<Reloadable>,
        (people, quorums): (Arc<People>, Quorums),
        metrics: Arc<Metrics>,
        standing: Vec<Hold>,
    ) -> Self {
        let known = standing.into_iter().map(|hold| (hold.id().clone(), Waiting::new(hold, false))).collect();
        let (known, changes) = (Mutex::new(known), broadcast::channel(256).0);
        Self { audit, policies, people, quorums, metrics, known, changes }
    }

    /// Waits until the call may run, may not, or its agent has gone: who has gone is handed no approval. `opened`
    /// hears of the hold as soon as it is durable. A call of a `task` waits for that hold and no other.
    ///
    /// # Errors
    /// If the hold, or the end of it, cannot be recorded.
    pub async fn settle(
        &self,
        held: Held,
        task: Option<&HoldId>,
        [leave, cancel]: [&CancellationToken; 2],
        opened: impl FnOnce(&Hold),
    ) -> Result<Settled, AuditError> {
        let place = match self.join(&held, task) {
            Some(place) => {
                self.passed(&held, &place.0).await?;
                place
            }
            None => match (self.supersede(&held, task).await?, task) {
                (Some(field), _) => return Ok(refused(held, NotApproved::Another { field })),
                (None, Some(task)) => return Ok(Settled::Open(task.clone())),
                (None, None) if self.open_of(held.call().agent()) >= MOST_OPEN => {
                    return Ok(Settled::Refused(too_many(held)));
                }
                (None, None) => self.open(&held).await?,
            },
        };
        let mut hold = place.0.hold.subscribe();
        let id = hold.borrow_and_update().id().clone();
        opened(&place.0.hold.borrow().clone());
        loop {
            let (state, left) = {
                let hold = hold.borrow_and_update();
                (hold.state().clone(), clock::now().duration_until(hold.expires()))
            };
            if leave.is_cancelled() || cancel.is_cancelled() {
                return Ok(Settled::Open(id));
            }
            if state == HoldState::Approved {
                return Ok(approved(held, place));
            }
            if let Some(why) = ended(state) {
                return Ok(refused(held, why));
            }
            let left = Duration::try_from(left).unwrap_or_default();
            tokio::select! {
                changed = hold.changed() => if changed.is_err() { return Ok(Settled::Open(id)) },
                () = leave.cancelled() => {}
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(left) => self.expire(&id).await?,
            }
        }
    }

    /// Every hold that is open, oldest deadline first.
    #[must_use]
    pub fn list(&self) -> Vec<Hold> {
        let mut open: Vec<Hold> = self.all().iter().map(|waiting| waiting.hold.borrow().clone()).collect();
        open.retain(|hold| hold.state().is_open());
        open.sort_by(|a, b| a.expires().cmp(&b.expires()).then_with(|| a.id().cmp(b.id())));
        open
    }

    /// A hold by its id: one that is open or ended not long ago.
    #[must_use]
    pub fn get(&self, id: &HoldId) -> Option<Hold> {
        self.waiting(id).map(|waiting| waiting.hold.borrow().clone())
    }

    /// Why a hold lets nothing run any more; `None` while it is open, or once it is forgotten.
    #[must_use]
    pub fn ended(&self, id: &HoldId) -> Option<NotApproved> {
        ended(self.stored(id)?.state().clone())
    }

    /// Every change of a hold from now on. A listener that lags must ask [`Holds::list`] again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Hold> {
        self.changes.subscribe()
    }

    /// The complete arguments of an open hold, redacted, for a person to read.
    #[must_use]
    pub fn arguments(&self, id: &HoldId) -> Option<Value> {
        let call = self.audit.held_call(id).ok()?;
        Some(self.audit.redactor().redact_value(&call.arguments).0)
    }

    /// An operator answers. Each state change happens once, whoever asks first.
    ///
    /// # Errors
    /// [`AnswerError`]; then nothing changed.
    pub async fn answer(&self, id: &HoldId, by: &Person, answer: Answer) -> Result<Hold, AnswerError> {
        let waiting = self.waiting(id).ok_or_else(|| AnswerError::Unknown(id.clone()))?;
        let (step, pass) = match answer {
            Answer::Approve { reason, digest, pass } => {
                let hold = waiting.hold.borrow().clone();
                if digest.is_some_and(|digest| digest != hold.binding().digest()) {
                    return Err(AnswerError::Another(id.clone()));
                }
                let approver = self.people.approver(by, &hold);
                let approver = Approver { reasoned: reason.is_some(), pass: pass.is_some(), ..approver };
                let Right { lent, role, observed } = self.right(by, &approver, &hold)?;
                let pass = pass.map(|leeway| self.pass(&hold, by, reason.as_deref(), &leeway)).transpose()?;
                let proof = by.proof();
                (Step::Approve { by: by.id.clone(), reason, proof, pass: None, lent, role, observed }, pass)
            }
            Answer::Deny { reason } => (Step::Deny { by: by.id.clone(), reason }, None),
        };
        let audit = self.audit.by(Some(&by.author));
        let hold = match pass {
            Some(pass) => audit.approve_with(id.clone(), step, pass, clock::now()).await?,
            None => audit.step(id.clone(), step, clock::now()).await?,
        };
        self.count(&hold);
        self.publish(&waiting, hold.clone());
        Ok(hold)
    }

    /// Ends what ran out of time, delegations too, and forgets what ended before it. Called every few seconds.
    pub async fn sweep(&self) {
        self.sweep_delegations().await;
        let now = clock::now();
        for waiting in self.all() {
            let (id, open, over) = {
                let hold = waiting.hold.borrow();
                (hold.id().clone(), hold.state().is_open(), hold.expires() <= now)
            };
            if over && open {
                if let Err(error) = self.expire(&id).await {
                    tracing::error!(%id, %error, "a hold that ran out of time could not be recorded");
                }
            } else if over && !waiting.taken.load(Ordering::Acquire) {
                self.lock().remove(&id);
            }
        }
    }

    /// The call ran (its intent is durable): the approval is used up.
    pub fn consumed(&self, id: &HoldId) {
        self.forget(id, self.stored(id));
    }

    fn forget(&self, id: &HoldId, last: Option<Hold>) {
        let waiting = self.lock().remove(id);
        if let (Some(waiting), Some(hold)) = (waiting, last) {
            self.publish(&waiting, hold);
        }
    }

    /// An identical call's hold that nobody waits for: open, and for no less risk than the call has by now; or denied and not
    /// yet over.
    fn join(&self, held: &Held, task: Option<&HoldId>) -> Option<Place> {
        self.take(task, |hold| {
            let open = || hold.state().is_open() && held.first_difference(hold.binding(), hold.risk()).is_none();
            open() || hold.state().denied().is_some() && hold.binding() == held.binding()
        })
    }

    /// Takes the place of a hold that has time left and that nobody waits for.
    fn take(&self, id: Option<&HoldId>, wanted: impl Fn(&Hold) -> bool) -> Option<Place> {
        let now = clock::now();
        let fits = |hold: &Hold| id.is_none_or(|id| id == hold.id()) && now < hold.expires() && wanted(hold);
        self.all().into_iter().filter(|waiting| fits(&waiting.hold.borrow())).find_map(Place::take)
    }

    fn open_of(&self, agent: &AgentId) -> usize {
        let open = |waiting: &&Arc<Waiting>| {
            let hold = waiting.hold.borrow();
            hold.state().is_open() && hold.agent() == agent
        };
        self.all().iter().filter(open).count()
    }

    async fn open(&self, held: &Held) -> Result<Place, AuditError> {
        let now = clock::now();
        let id = clock::hold_id();
        let people = self.people.count_for(&self.policies.current(), &Hold::open(id.clone(), held, 1, now));
        let hold = Hold::open(id, held, self.quorums.of(held.assessment().risk, people), now);
        self.audit.hold(held, hold.clone(), now).await?;
        let place = Place(Waiting::new(hold.clone(), true));
        // Before anyone hears of it: what a pass approves asks nobody.
        let passed = self.passed(held, &place.0).await;
        self.lock().insert(hold.id().clone(), Arc::clone(&place.0));
        self.publish(&place.0, hold);
        passed.map(|()| place)
    }

    async fn expire(&self, id: &HoldId) -> Result<(), AuditError> {
        match self.audit.step(id.clone(), Step::Expire, clock::now()).await {
            Ok(hold) => {
                self.count(&hold);
                if let Some(waiting) = self.waiting(id) {
                    self.publish(&waiting, hold);
                }
                Ok(())
            }
            Err(StepRefused::Audit(error)) => Err(error),
            // Someone else ended it, or the clock has not reached it by a hair: what is stored is what counts.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if let (Some(waiting), Some(hold)) = (self.waiting(id), self.stored(id)) {
                    self.publish(&waiting, hold);
                }
                Ok(())
            }
        }
    }

    /// How long people were waited for, once they have said all that is needed, or their time is over.
    fn count(&self, hold: &Hold) {
        let how = match hold.state() {
            HoldState::Approved => Answered::Approved,
            HoldState::Denied { .. } => Answered::Denied,
            HoldState::Expired => Answered::Expired,
            HoldState::Pending | HoldState::Cancelled | HoldState::Consumed { .. } => return,
        };
        if !is_synthetic(hold) {
            let took = clock::now().duration_since(hold.opened());
            self.metrics.waited(how, Duration::try_from(took).unwrap_or_default());
        }
    }

    /// Something else changed a hold: who waits for it hears.
    pub fn changed(&self, hold: Hold) {
        if let Some(waiting) = self.waiting(hold.id()) {
            self.publish(&waiting, hold);
        }
    }

    /// A hold as it is stored, open or ended.
    #[must_use]
    pub fn stored(&self, id: &HoldId) -> Option<Hold> {
        self.audit.find_hold(id).ok().flatten()
    }

    /// Two answers that were recorded one after the other may arrive here in the other order: what is older never
    /// replaces what is newer. Nothing leads back from approved to pending.
    fn publish(&self, waiting: &Waiting, hold: Hold) {
        let newer = waiting.hold.send_if_modified(|known| {
            let newer = known.state().is_open()
                && (!hold.state().is_open() || hold.approvals().len() >= known.approvals().len())
                && (*known.state() == HoldState::Pending || *hold.state() != HoldState::Pending);
            if newer {
                known.clone_from(&hold);
            }
            newer
        });
        if !newer {
            return;
        }
        // No listener is no error: holds wait for people who are not there yet.
        self.changes.send(hold).ok();
    }

    fn waiting(&self, id: &HoldId) -> Option<Arc<Waiting>> {
        self.lock().get(id).cloned()
    }

    fn all(&self) -> Vec<Arc<Waiting>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<HoldId, Arc<Waiting>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn new(hold: Hold, taken: bool) -> Arc<Self> {
        Arc::new(Self { hold: watch::Sender::new(hold), taken: AtomicBool::new(taken) })
    }
}

/// The role that somebody's approval counts for, where the hold asks for one.
fn asked(hold: &Hold, role: Role) -> Option<Role> {
    hold.of_role().map(|_| role)
}

fn ended(state: HoldState) -> Option<NotApproved> {
    match state {
        HoldState::Pending | HoldState::Approved => None,
        HoldState::Denied { by, reason } => Some(NotApproved::Denied { by, reason }),
        HoldState::Expired => Some(NotApproved::Expired),
        HoldState::Cancelled | HoldState::Consumed { .. } => Some(NotApproved::Cancelled),
    }
}

fn approved(held: Held, place: Place) -> Settled {
    let approved = place.0.hold.borrow().approved(clock::now());
    match approved {
        Some(approved) => Settled::Approved(held, approved, place),
        None => refused(held, NotApproved::Expired),
    }
}

fn too_many(held: Held) -> Denial {
    let refused = Refused {
        rule: "too-many-holds".to_owned(),
        reason: format!("{MOST_OPEN} calls of this agent wait for a person already."),
        next: "Wait until some are answered, or ask for less at once.".to_owned(),
    };
    let assessment = held.assessment().clone();
    Denial::new(held.into_call(), assessment, refused)
}

fn refused(held: Held, why: NotApproved) -> Settled {
    Settled::Refused(held.refuse(why))
}
