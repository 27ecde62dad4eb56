//! Gate liveness: the gateway tries itself. A call goes the whole way of a call, must be held, must be denied when nobody
//! answers, and must reach neither the secret nor the listener that it asks for.
//!
//! The call is real: the tool is the bundled `http`, granted nothing but a tripwire on loopback. If the gate ever let it
//! through, the tripwire would be touched. Its records bear the agent `portcullis:liveness`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use audit::{Audit, AuditError, Event};
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Hold, HoldState};
use policies::decision::HoldTimes;
use policies::profile::Profile;
use policies::{AgentId, Call, HoldId, Object, ServerName, Value};
use sandbox::Era;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::tools::session_key;
use crate::call::{Caller, Calls, End, Heard, Terms};
use crate::clock;
use crate::config::{Origin, Server};
use crate::telemetry::Trace;

/// The server that only the gateway itself sees. `guard.cedar` names it too.
pub(crate) const SERVER: &str = "portcullis-liveness";

/// Who calls. No agent can be added under this name, and `guard.cedar` names it too.
const AGENT: &str = "portcullis:liveness";

/// The tool that is called.
const TOOL: &str = "portcullis-liveness.fetch";

/// A secret that nobody has: a call that got as far as its leases is told so.
const CANARY: &str = "portcullis-canary";

/// How long the call is held.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(2);

/// How long a trial may take: a disk that takes longer to record three things is a failure too.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a component may take to be compiled before its absence is a failure.
const SETTLE: Duration = Duration::from_mins(1);

/// Whether a hold is the gateway's own trial: nobody is to answer it.
#[must_use]
pub fn is_synthetic(hold: &Hold) -> bool {
    hold.server().as_str() == SERVER
}

/// How the gateway fared when it last tried itself.
pub struct Pulse(watch::Sender<State>);

/// How the gateway fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not try itself.
    Off,
    /// It has not yet.
    Untried,
    /// The gate holds.
    Passed,
    /// It does not.
    Failed(Failing),
}

/// What does not hold, and since when something does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first trial failed of those that have failed without a pause.
    pub since: Timestamp,
    /// What the last one found.
    pub failures: Vec<String>,
}

impl Pulse {
    /// Not tried yet, or never to be.
    #[must_use]
    pub fn new(tried: bool) -> Self {
        Self(watch::Sender::new(if tried { State::Untried } else { State::Off }))
    }

    /// `ok`, `off`, `not tried yet`, or what did not hold.
    #[must_use]
    pub fn state(&self) -> String {
        match &*self.0.borrow() {
            State::Off => "off".to_owned(),
            State::Untried => "not tried yet".to_owned(),
            State::Passed => "ok".to_owned(),
            State::Failed(failing) => failing.failures.join("; "),
        }
    }

    /// Whether the gate held when it was last tried; `None` where it was not.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        match &*self.0.borrow() {
            State::Off | State::Untried => None,
            State::Passed => Some(true),
            State::Failed(_) => Some(false),
        }
    }

    /// What does not hold, if anything.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        match &*self.0.borrow() {
            State::Failed(failing) => Some(failing.clone()),
            State::Off | State::Untried | State::Passed => None,
        }
    }

    /// Every other end from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// Whether this is another end than the last one.
    fn enter(&self, failures: &[String], now: Timestamp) -> bool {
        self.0.send_if_modified(|state| {
            let since = match state {
                State::Failed(before) => before.since,
                State::Off | State::Untried | State::Passed => now,
            };
            let next = match failures {
                [] => State::Passed,
                failures => State::Failed(Failing { since, failures: failures.to_vec() }),
            };
            let another = *state != next;
            *state = next;
            another
        })
    }
}

/// What would be reached if the gate were open.
pub struct Tripwire(TcpListener);

impl Tripwire {
    /// A listener that nobody has a reason to connect to.
    ///
    /// # Errors
    /// If the machine gives none.
    pub fn set() -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    fn port(&self) -> u16 {
        self.0.local_addr().map_or(0, |address| address.port())
    }

    /// Whether anyone connected since the last time.
    fn touched(&self) -> bool {
        !matches!(self.0.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// The server that is tried: granted the tripwire and nothing else.
    ///
    /// # Errors
    /// If the grant cannot be written, which never happens.
    pub fn server(&self) -> anyhow::Result<(ServerName, Server)> {
        let name = ServerName::parse(SERVER)?;
        let egress = serde_json::from_value(serde_json::json!([{
            "host": "127.0.0.1", "ports": [self.port()], "protocol": "http", "addresses": ["127.0.0.1/32"],
        }]))?;
        let reach = sandbox::bundled_http(egress);
        let profile = reach.profile(Profile::default().with_secrets(vec![CANARY.to_owned()]));
        Ok((name.clone(), Server { profile, origin: Origin::Hidden, ..Server::new(&name, reach) }))
    }
}

/// Tries the gate again and again.
pub struct Trial {
    /// The real path, but for how long a call is held and whose session it is.
    pub calls: Arc<Calls>,
    /// What must not be reached.
    pub tripwire: Tripwire,
    /// Where the end is told.
    pub pulse: Arc<Pulse>,
    /// Owns the calls.
    pub tracker: TaskTracker,
}

/// The times of the trial's holds.
#[must_use]
pub fn hold_times() -> HoldTimes {
    HoldTimes { low: HELD_FOR, medium: HELD_FOR, high: HELD_FOR, critical: HELD_FOR }
}

impl Trial {
    /// Tries until it is dropped.
    pub async fn run(&self, every: Duration) {
        let ready = Instant::now() + SETTLE;
        while self.calls.catalog.hidden(TOOL).await.is_none() && Instant::now() < ready {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        loop {
            let failures = self.once().await;
            self.tell(failures).await;
            tokio::time::sleep(every).await;
        }
    }

    /// Everything that did not hold.
    async fn once(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let (hears, mut heard) = mpsc::channel(8);
        match self.start(hears).await {
            Err(why) => failures.push(why),
            Ok(run) => match tokio::time::timeout(PATIENCE, run).await {
                Ok(Ok(end)) => failures.extend(self.wrong(end, &mut heard)),
                Ok(Err(_)) => failures.push("the call came to an unexpected end".to_owned()),
                Err(_) => failures.push(format!("the call did not end within {} s", PATIENCE.as_secs())),
            },
        }
        if self.tripwire.touched() {
            failures.push("the call reached the network".to_owned());
        }
        failures
    }

    async fn start(
        &self,
        hears: mpsc::Sender<Heard>,
    ) -> Result<tokio::task::JoinHandle<Result<End, AuditError>>, String> {
        let offered = self.calls.catalog.hidden(TOOL).await;
        let offered = offered.ok_or("the tool that is tried is not there")?;
        let url = format!("http://127.0.0.1:{}/", self.tripwire.port());
        let arguments = [("url", url)].into_iter().collect::<Object>();
        let session = session_key().map_err(|_| "no session")?;
        let tool = Arc::clone(&offered.tool);
        let call = Call::new(clock::call_id(), AgentId::authenticated(AGENT), session, tool, arguments.into());
        let caller =
            Caller { hears, leave: CancellationToken::new(), cancel: CancellationToken::new(), terms: terms() };
        let calls = Arc::clone(&self.calls);
        Ok(self.tracker.spawn(async move { calls.run(call, caller).await }))
    }

    fn wrong(&self, end: Result<End, AuditError>, heard: &mut mpsc::Receiver<Heard>) -> Vec<String> {
        let held = match heard.try_recv() {
            Ok(Heard::Held(hold)) => Some(hold.id().clone()),
            Ok(Heard::Running | Heard::Notice { .. } | Heard::Ask { .. }) | Err(_) => None,
        };
        let mut wrong = Vec::new();
        match end {
            Ok(End::Refused(refusal)) if held.is_none() => {
                wrong.push(format!("the call was not held: rule `{}` refused it", refusal.refused().rule));
            }
            // No entry was opened for it, so nothing was lent and nothing ran: a refusal is the proof.
            Ok(End::Refused(_)) => {}
            Ok(End::Answered { .. }) => wrong.push("the call ran".to_owned()),
            Ok(End::Held(_)) => wrong.push("the call was not denied when its time was over".to_owned()),
            Err(error) => wrong.push(format!("the call could not be recorded: {error}")),
        }
        if held.is_some_and(|hold| !expired(&self.calls.audit, &hold)) {
            wrong.push("the hold did not end by its time".to_owned());
        }
        wrong
    }

    async fn tell(&self, failures: Vec<String>) {
        let changed = self.pulse.enter(&failures, clock::now());
        if !failures.is_empty() {
            tracing::error!(failures = failures.join("; "), "ALERT: the gate does not hold");
        }
        if changed {
            let event = Event::LivenessChecked { passed: failures.is_empty(), failures };
            if let Err(error) = self.calls.audit.note(event, clock::now()).await {
                tracing::error!(%error, "the gate's trial could not be recorded");
            }
        }
    }
}

fn expired(audit: &Audit, hold: &HoldId) -> bool {
    audit.find_hold(hold).is_ok_and(|hold| hold.is_some_and(|hold| matches!(hold.state(), HoldState::Expired)))
}

fn terms() -> Terms {
    Terms {
        era: Era::Modern,
        deadline: Instant::now() + PATIENCE,
        progress: false,
        capabilities: Value::from(Object::new()),
        trace: Trace::default(),
        log_level: None,
        resume: None,
        task: None,
        author: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once() {
        let pulse = Pulse::new(true);
        assert_eq!(pulse.state(), "not tried yet");
        let [noon, later] = ["12:00", "12:01"].map(|time| format!("2026-11-27T{time}:00Z").parse().unwrap());
        assert!(pulse.enter(&[], noon) && !pulse.enter(&[], noon));
        assert_eq!(pulse.state(), "ok");
        let failed = ["the call ran".to_owned()];
        assert!(pulse.enter(&failed, noon) && !pulse.enter(&failed, later));
        assert_eq!(pulse.state(), "the call ran");
        // Another failure is a change, of one and the same trouble.
        assert!(pulse.enter(&["the call reached the network".to_owned()], later));
        assert_eq!(pulse.failing().unwrap().since, noon);
        assert_eq!(Pulse::new(false).state(), "off");
    }

    #[test]
    fn a_tripwire_knows_whether_it_was_touched() {
        let tripwire = Tripwire::set().unwrap();
        assert!(!tripwire.touched());
        let _touch = std::net::TcpStream::connect(("127.0.0.1", tripwire.port())).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert!(tripwire.touched());
    }
}
