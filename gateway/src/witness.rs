//! `Cosigner`: has witnesses sign the log's newest checkpoint, beside the calls and never in their way.
//!
//! ```text
//! every few seconds, if there is something new ─► ask ─┬ signed: kept for proofs ─► again when there is more
//!                                                      ├ silent, or it refuses: later, twice as late each time
//!                                                      └ it signed more, or something else: ALERT, a record, people are told
//! ```
//!
//! A witness that signed more records than there are, or others, says that the log was put back or rewritten. It may lie; it
//! is believed enough to wake people, and not enough to stop calls: else whoever runs a witness could. The alert stays until
//! the gateway is started again, once for each witness: one that says so every other time wakes nobody twice.

mod ask;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::{Audit, Event, Submission, SubmitError, WitnessAddress};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;

pub(crate) use ask::{Http, ask, client};

/// How often a checkpoint is offered while the log grows.
const EVERY: Duration = Duration::from_secs(5);

/// How long one answer may take: witnesses are asked one after the other.
const WITHIN: Duration = Duration::from_secs(5);

/// The longest pause after failures.
const LONGEST: Duration = Duration::from_mins(5);

/// How each witness stands.
pub struct Standing(watch::Sender<Vec<Stand>>);

/// How one witness stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The witness's name.
    pub name: String,
    /// How many records it signed last, and when.
    pub signed: Option<(u64, Timestamp)>,
    /// How many records of the log had a checkpoint when it was looked at last.
    pub size: u64,
    /// Why it does not sign.
    pub failing: Option<String>,
    /// What it knew of the log that is not so here, and when it first said that.
    pub conflict: Option<(Timestamp, String)>,
}

impl Standing {
    /// Nobody was asked yet.
    #[must_use]
    pub fn new(witnesses: &[WitnessAddress]) -> Self {
        let stand = |witness: &WitnessAddress| Stand {
            name: witness.key.name().to_owned(),
            signed: None,
            size: 0,
            failing: None,
            conflict: None,
        };
        Self(watch::Sender::new(witnesses.iter().map(stand).collect()))
    }

    /// All of them, in the config's order.
    #[must_use]
    pub fn list(&self) -> Vec<Stand> {
        self.0.borrow().clone()
    }

    /// Every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Vec<Stand>> {
        self.0.subscribe()
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut Stand)) {
        self.0.send_modify(|all| {
            if let Some(stand) = all.get_mut(place) {
                change(stand);
            }
        });
    }
}

/// What came of asking one witness.
enum Asked {
    Signed,
    Conflict(String),
    Failed(String),
}

/// One witness, and when it is asked next.
struct Due {
    witness: WitnessAddress,
    at: Instant,
    failures: u32,
}

/// Has witnesses sign the log's newest checkpoint.
pub struct Cosigner {
    state: PathBuf,
    witnesses: Vec<Due>,
    http: Http,
    audit: Audit,
    standing: Arc<Standing>,
}

impl Cosigner {
    /// For these witnesses, in the same order as in `standing`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        state: PathBuf,
        witnesses: &[WitnessAddress],
        audit: Audit,
        standing: Arc<Standing>,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        let due = |witness: &WitnessAddress| Due { witness: witness.clone(), at: now, failures: 0 };
        Ok(Self { state, witnesses: witnesses.iter().map(due).collect(), http: client()?, audit, standing })
    }

    /// Asks until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            loop {
                self.round().await;
                tokio::time::sleep(EVERY).await;
            }
        })
        .await;
    }

    async fn round(&mut self) {
        let mut submission = match self.newest().await {
            Ok(submission) => submission,
            Err(error) => return tracing::warn!(error = %format!("{error:#}"), "no checkpoint for the witnesses"),
        };
        let size = submission.checkpoint().size;
        for place in 0..self.witnesses.len() {
            self.standing.change(place, |stand| stand.size = size);
            let stand = self.standing.list().into_iter().nth(place);
            let done = stand.is_some_and(|stand| stand.signed.is_some_and(|(signed, _)| signed == size));
            if !done && self.witnesses.get(place).is_some_and(|due| due.at <= Instant::now()) {
                let asked = self.ask(place, &mut submission).await;
                // Kept before it counts: whoever sees that it signed can have the proof.
                if matches!(asked, Asked::Signed) {
                    self.keep(submission.clone()).await;
                }
                self.settle(place, submission.checkpoint().size, asked).await;
            }
        }
    }

    async fn newest(&self) -> anyhow::Result<Submission> {
        let state = self.state.clone();
        Ok(tokio::task::spawn_blocking(move || Submission::newest(&state)).await??)
    }

    async fn keep(&self, submission: Submission) {
        let state = self.state.clone();
        let kept = tokio::task::spawn_blocking(move || submission.keep(&state)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(%error, "the witnesses' signatures cannot be kept");
        }
    }

    async fn ask(&self, place: usize, submission: &mut Submission) -> Asked {
        let Some(Due { witness, .. }) = self.witnesses.get(place) else { return Asked::Signed };
        let Err(error) = ask(&self.http, &self.state, submission, witness, WITHIN).await else { return Asked::Signed };
        match error.downcast_ref::<SubmitError>() {
            Some(SubmitError::RolledBack { known, .. }) if self.reaches(*known).await => {
                // Someone else had it sign a newer checkpoint meanwhile: `portcullis log submit`.
                Asked::Failed("it was asked by someone else at the same time".to_owned())
            }
            Some(SubmitError::RolledBack { .. } | SubmitError::SplitView) => Asked::Conflict(error.to_string()),
            Some(_) | None => Asked::Failed(format!("{error:#}")),
        }
    }

    /// Whether the log goes so far by now: it is written before anyone is asked to sign it.
    async fn reaches(&self, size: u64) -> bool {
        self.newest().await.is_ok_and(|newest| newest.checkpoint().size >= size)
    }

    async fn settle(&mut self, place: usize, size: u64, asked: Asked) {
        let Some(due) = self.witnesses.get_mut(place) else { return };
        due.failures = if matches!(asked, Asked::Signed) { 0 } else { due.failures.saturating_add(1) };
        due.at = Instant::now() + pause(due.failures);
        let (now, name) = (clock::now(), due.witness.key.name().to_owned());
        let known = self.standing.list().into_iter().nth(place).is_some_and(|stand| stand.conflict.is_some());
        match asked {
            Asked::Signed => {
                self.standing.change(place, |stand| (stand.signed, stand.failing) = (Some((size, now)), None));
            }
            Asked::Failed(why) => {
                tracing::warn!(witness = name, why, "the witness does not sign, and is asked again");
                self.standing.change(place, |stand| stand.failing = Some(why));
            }
            Asked::Conflict(why) => {
                tracing::error!(witness = name, why, "ALERT: the witness knows another log");
                self.standing.change(place, |stand| {
                    stand.conflict.get_or_insert_with(|| (now, why.clone()));
                    stand.failing = Some(why.clone());
                });
                if !known {
                    self.note(name, why).await;
                }
            }
        }
    }

    async fn note(&self, witness: String, why: String) {
        let event = Event::WitnessConflict { witness, why };
        if let Err(error) = self.audit.note(event, clock::now()).await {
            tracing::error!(%error, "what the witness said could not be recorded");
        }
    }
}

/// Twice as long each time.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => EVERY.saturating_mul(1 << failures.min(16).saturating_sub(1)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_that_does_not_sign_is_asked_less_and_less_and_never_given_up() {
        assert_eq!([pause(0), pause(1), pause(2)], [Duration::ZERO, EVERY, EVERY * 2]);
        assert_eq!([pause(7), pause(u32::MAX)], [LONGEST, LONGEST]);
    }
}
