//! A sandbox with one server, and calls that come to it the real way: decided, recorded, run, recorded.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit::{Answer, Audit, Entry, FailureKind, Loans, Observed, Ran, Redactor};
use policies::decision::Source;
use policies::{
    AgentId, Call, CallId, Circumstances, HoldTimes, Limits, Method, Permit, Policies, ServerName, Session, SessionKey,
    Standing, Tool, Value, Verdict,
};
use sandbox::{Era, Event, Greeting, Line, Sandbox, ServerConfig, Settings, Status};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Leases, Vault};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    audit: Audit,
    policies: Policies,
    /// What the sandbox saw of the last call.
    pub(crate) observed: Mutex<Observed>,
    pub(crate) state: tempfile::TempDir,
    /// Where its server lies.
    pub(crate) keeps: Option<tempfile::TempDir>,
}

const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

/// Everything may run: what is tested here comes after the decision.
const ANYTHING: &str = r#"@id("anything") permit (principal, action, resource);"#;

pub(crate) fn server() -> ServerName {
    ServerName::parse("under-test").unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
}

/// The config of a server among `tests/servers/`.
pub(crate) fn python(words: &[&str], more: &str) -> ServerConfig {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
    let (program, rest) = words.split_first().unwrap();
    // `-B`: no compiled copies in the source tree.
    let mut command = vec!["python3".to_owned(), "-B".to_owned(), folder.join(program).display().to_string()];
    command.extend(rest.iter().map(|word| (*word).to_owned()));
    config(&format!("command = {command:?}\njail = false\n{more}")) // the helper of a jail is the gateway's binary
}

pub(crate) fn config(table: &str) -> ServerConfig {
    ServerConfig::parse(toml::from_str(table).unwrap()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A line to an agent that asks for nothing and can do nothing.
pub(crate) fn line() -> (Line, mpsc::Receiver<Event>) {
    let (events, receiver) = mpsc::channel(64);
    let line = Line {
        agent_era: Era::Legacy("2025-11-25"),
        events,
        cancel: CancellationToken::new(),
        deadline: Instant::now() + Duration::from_secs(30),
        progress: false,
        capabilities: Value::Null,
        resume: None,
        trace: Vec::new(),
        log_level: None,
    };
    (line, receiver)
}

impl World {
    pub(crate) fn start(config: ServerConfig) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    /// In a state folder that was prepared.
    pub(crate) fn start_in(state: tempfile::TempDir, config: ServerConfig) -> Self {
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let redactor = Arc::new(Redactor::new(&[0; 32]));
        let (audit, _) = Audit::start(audit::Config::new(state.path(), || NOW), redactor).unwrap();
        let source = Source { name: "test".to_owned(), text: ANYTHING.to_owned() };
        let policies = Policies::load_without_defaults(&[source]).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let guard = std::env::var_os("PORTCULLIS_BENCH_GUARD").map(Into::into);
        let settings = Settings { cache: state.path().join("wasm"), guard, ..Settings::default() };
        let sandbox = Sandbox::start(vec![(server(), config)], settings, tasks.clone(), stop.clone());
        Self { sandbox, stop, tasks, audit, policies, observed: Mutex::default(), state, keeps: None }
    }

    pub(crate) async fn ready(&self) -> Greeting {
        let mut changes = self.sandbox.changes();
        tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                if let Some(Status::Ready(greeting)) = self.sandbox.server(&server()).map(|state| state.status) {
                    return greeting;
                }
                tokio::time::timeout(Duration::from_millis(100), changes.recv()).await.ok();
            }
        })
        .await
        .unwrap()
    }

    /// Waits until the server is down, and says why.
    pub(crate) async fn down(&self) -> String {
        tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                if let Some(Status::Down { why, .. }) = self.sandbox.server(&server()).map(|state| state.status) {
                    return why;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> Answer {
        self.call_on(tool, arguments, line().0).await
    }

    pub(crate) async fn call_on(&self, tool: &str, arguments: &str, line: Line) -> Answer {
        let definition = format!(r#"{{"name":"{tool}","annotations":{{"readOnlyHint":true}}}}"#);
        self.call_of(Method::CallTool, &definition, arguments, line).await
    }

    pub(crate) async fn call_of(&self, method: Method, definition: &str, arguments: &str, line: Line) -> Answer {
        let (entry, leases) = self.open(method, definition, arguments).await;
        let outcome = self.sandbox.run(&entry, &leases, line).await;
        *self.observed.lock().unwrap() = outcome.observed.clone();
        self.close((entry, leases), outcome).await
    }

    /// Records a call that is about to run.
    pub(crate) async fn open(&self, method: Method, definition: &str, arguments: &str) -> (Entry, Leases) {
        let permit = self.permit(method, definition, arguments);
        let entry = self.audit.open(permit, NOW).await.unwrap();
        let by = std::time::Instant::now() + Duration::from_secs(10);
        let leases = Vault::default().lease(&entry, by).await.unwrap();
        (entry, leases)
    }

    /// Records what came of it.
    pub(crate) async fn close(&self, (entry, leases): (Entry, Leases), outcome: Ran) -> Answer {
        let loans: Loans = leases.end(&entry).await;
        self.audit.close(entry, loans, outcome, NOW).await.unwrap().into_answer()
    }

    /// The text of a call's first content block.
    pub(crate) async fn text(&self, tool: &str, arguments: &str) -> String {
        text(&self.call(tool, arguments).await)
    }

    /// Ends everything, and says how long it took.
    pub(crate) async fn end(self) -> Duration {
        let began = Instant::now();
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(20), self.tasks.wait()).await.unwrap();
        drop(self.state);
        began.elapsed()
    }

    fn permit(&self, method: Method, definition: &str, arguments: &str) -> Permit {
        let standing = Standing { pinned: true, vouched: true, ..Standing::default() };
        let tool = Arc::new(Tool::new(server(), method, json(definition), standing).unwrap());
        let (agent, session) = (AgentId::authenticated("agent"), SessionKey::parse("session").unwrap());
        let call = Call::new(CallId::from_random(random()), agent, session, tool, json(arguments));
        let session = Session::fresh();
        let around = Circumstances {
            session: &session,
            first_use: false,
            anomaly: false,
            undeclared: false,
            live_secret: false,
            now: NOW,
            hold_for: HoldTimes::default(),
        };
        match self.policies.decide(call, &around) {
            Verdict::Allow(permit) => permit,
            other @ (Verdict::Deny(_) | Verdict::Hold(_)) => panic!("{other:?}"),
        }
    }
}

fn random() -> [u8; 10] {
    use std::hash::BuildHasher;
    let bits = || std::collections::hash_map::RandomState::new().hash_one(0).to_le_bytes();
    let mut id = [0; 10];
    id.iter_mut().zip(bits().into_iter().chain(bits())).for_each(|(byte, random)| *byte = random);
    id
}

pub(crate) fn text(answer: &Answer) -> String {
    let Answer::Result(result) = answer else { panic!("{answer:?}") };
    result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_else(|| panic!("{result}")).to_owned()
}

pub(crate) fn failure(answer: &Answer) -> FailureKind {
    let Answer::Failed(failure) = answer else { panic!("{answer:?}") };
    failure.kind
}

/// Whether a process still runs (a zombie does not).
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
