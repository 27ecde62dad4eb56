//! A log in a folder of its own, and calls to record in it.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use audit::{Audit, Config, Entry, Loans, Outcome, Raw, Receipt, Recovered, Redactor};
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Hold, Step};
use policies::decision::{Circumstances, Held, HoldTimes, Permit, Policies, Refused, Source, Verdict};
use policies::{
    AgentId, Call, CallId, HoldId, Limits, Method, OperatorId, ServerName, Session, SessionKey, Standing, Tool, Value,
};
use tempfile::TempDir;

/// Reads run, deletes are held: no classifier in the way of tests of the log.
const RULES: &str = r#"
@id("test-allow") permit(principal, action == Action::"call", resource);
@id("test-unattended") permit(principal, action == Action::"call_unattended", resource);
"#;

pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    noon().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
}

pub(crate) fn raw(text: &str) -> Raw {
    Raw::new(json(text))
}

pub(crate) fn redactor() -> Arc<Redactor> {
    Arc::new(Redactor::new(&[7; 32]))
}

pub(crate) fn start(state: &Path) -> (Audit, Recovered) {
    try_start(state).unwrap()
}

pub(crate) fn try_start(state: &Path) -> Result<(Audit, Recovered), audit::StartError> {
    Audit::start(Config::new(state, noon).reserve(1 << 20), redactor())
}

/// One that waits for a disk that others keep busy.
pub(crate) fn patient(state: &Path) -> Audit {
    let config = Config::new(state, noon).reserve(1 << 20).wait(Duration::from_mins(5));
    Audit::start(config, redactor()).unwrap().0
}

pub(crate) struct World {
    pub(crate) audit: Audit,
    pub(crate) state: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (audit, _) = start(state.path());
        Self { audit, state }
    }

    /// One that waits for a disk that others keep busy.
    pub(crate) fn patient() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { audit: patient(state.path()), state }
    }

    /// Stops and starts again.
    pub(crate) async fn restart(&mut self) -> Recovered {
        assert!(self.audit.stop().await);
        let (audit, recovered) = start(self.state.path());
        self.audit = audit;
        recovered
    }

    pub(crate) async fn entry(&self, arguments: &str) -> Entry {
        self.audit.open(permit("ann", "read", arguments), noon()).await.unwrap()
    }

    pub(crate) async fn answer(&self, entry: Entry, result: &str) -> Receipt {
        let loans = Loans::none(&entry);
        self.audit.close(entry, loans, Outcome::Answered(raw(result)), noon()).await.unwrap()
    }

    /// One call, from intent to outcome.
    pub(crate) async fn call(&self, arguments: &str, result: &str) -> Receipt {
        let entry = self.entry(arguments).await;
        self.answer(entry, result).await
    }

    /// A held call with an open hold.
    pub(crate) async fn hold(&self, arguments: &str) -> Hold {
        let held = held("ann", "delete", arguments);
        let hold = Hold::open(HoldId::from_random(random()), &held, 1, noon());
        self.audit.hold(&held, hold.clone(), noon()).await.unwrap();
        hold
    }

    pub(crate) fn verify(&self) -> Result<audit::Verified, audit::VerifyError> {
        audit::verify(self.state.path())
    }

    /// Every byte that is in the state folder.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.state.path()).unwrap();
        // A file may go while they are read: one of SQLite's, or a checkpoint's before it has its name.
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default()).collect()
    }

    pub(crate) fn holds_text(&self, text: &str) -> bool {
        self.bytes().windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Ten bytes that differ each time, in every process.
pub(crate) fn random() -> [u8; 10] {
    // The standard library's hasher is keyed at random for each process.
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&KEYS.hash_one(number).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes()[6..]);
    bytes
}

pub(crate) fn call(agent: &str, tool: &str, arguments: &str) -> Call {
    call_with(CallId::from_random(random()), agent, tool, arguments)
}

pub(crate) fn call_with(id: CallId, agent: &str, tool: &str, arguments: &str) -> Call {
    let definition = json(&format!(r#"{{"name":"{tool}","annotations":{{"readOnlyHint":true}}}}"#));
    let standing = Standing { pinned: true, vouched: true, ..Standing::default() };
    let tool = Tool::new(ServerName::parse("files").unwrap(), Method::CallTool, definition, standing).unwrap();
    Call::new(
        id,
        AgentId::authenticated(agent),
        SessionKey::parse("session-1").unwrap(),
        Arc::new(tool),
        json(arguments),
    )
}

pub(crate) fn decide(call: Call, now: Timestamp) -> Verdict {
    let session = Session::fresh();
    let around = Circumstances {
        session: &session,
        first_use: false,
        anomaly: false,
        undeclared: false,
        live_secret: false,
        now,
        hold_for: HoldTimes::default(),
    };
    policies().decide(call, &around)
}

fn policies() -> &'static Policies {
    static POLICIES: std::sync::LazyLock<Policies> = std::sync::LazyLock::new(|| {
        let held = r#"@id("test-hold") forbid(principal, action == Action::"call_unattended", resource) when { context.risk == 4 };"#;
        let source = Source { name: "test.cedar".to_owned(), text: format!("{RULES}\n{held}") };
        Policies::load(std::slice::from_ref(&source))
            .or_else(|_| Policies::load_without_defaults(&[source]))
            .unwrap_or_else(|_| Policies::builtin())
    });
    &POLICIES
}

pub(crate) fn permit(agent: &str, tool: &str, arguments: &str) -> Permit {
    permit_for(call(agent, tool, arguments))
}

pub(crate) fn permit_for(call: Call) -> Permit {
    match decide(call, noon()) {
        Verdict::Allow(permit) => permit,
        Verdict::Deny(denial) => panic!("denied: {:?}", denial.refusal()),
        Verdict::Hold(held) => panic!("held: {:?}", held.assessment().reasons),
    }
}

pub(crate) fn held(agent: &str, tool: &str, arguments: &str) -> Held {
    held_for(call(agent, tool, arguments))
}

pub(crate) fn held_for(call: Call) -> Held {
    match decide(call, noon()) {
        Verdict::Hold(held) => held,
        Verdict::Allow(permit) => panic!("allowed: {:?}", permit.assessment()),
        Verdict::Deny(denial) => panic!("denied: {:?}", denial.refusal()),
    }
}

pub(crate) fn refused(rule: &str) -> Refused {
    Refused { rule: rule.to_owned(), reason: "It may not run.".to_owned(), next: "Do something else.".to_owned() }
}

pub(crate) fn approve(by: &str) -> Step {
    Step::approve(OperatorId::authenticated(by))
}
