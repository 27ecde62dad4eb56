//! A vault over a log and a state folder of its own, and calls that are decided and recorded the real way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audit::{Audit, Entry, Filter, Outcome, Raw, Redactor};
use jiff::Timestamp;
use policies::decision::Source;
use policies::profile::{Ceilings, Isolation, Placement, Profile, Resources, Way};
use policies::{
    AgentId, Call, CallId, Circumstances, HoldTimes, Limits, Method, Policies, ServerName, Session, SessionKey,
    Standing, Tool, Value, Verdict,
};
use serde_json::Map;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Around, Config, KeepError, LeaseError, Leases, OpenError, Problem, Tables, Vault};

/// Twenty-four characters that nothing else has.
pub(crate) const VALUE: &str = "k7Qp-Zr2x_Vn9wLtB4mJc6Hd";
pub(crate) const NEXT: &str = "Yd3s-Tk8g_Ub5eXfR1oWa0Qi";

pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(crate) struct World {
    pub(crate) state: TempDir,
    pub(crate) audit: Audit,
    pub(crate) vault: Vault,
    tasks: TaskTracker,
    halt: CancellationToken,
    policies: Policies,
}

/// The config of a text such as stands in `portcullis.toml`.
pub(crate) fn config(text: &str, folder: &Path) -> Result<Config, Vec<Problem>> {
    let table: Map<String, serde_json::Value> = toml::from_str(text).unwrap();
    let of = |name: &str| table.get(name).and_then(|table| table.as_object()).cloned().unwrap_or_default();
    let (vault, secret) = (of("vault"), of("secret"));
    Config::parse(&Tables { vault: &vault, secret: &secret, base: folder, state: folder })
}

impl World {
    pub(crate) fn start(text: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), text).unwrap()
    }

    pub(crate) fn start_in(state: TempDir, text: &str) -> Result<Self, OpenError> {
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let redactor = Arc::new(Redactor::new(&[7; 32]).with_grace(Duration::from_mins(15)));
        let (audit, _) = Audit::start(audit::Config::new(state.path(), || NOW), redactor).unwrap();
        let (tasks, halt) = (TaskTracker::new(), CancellationToken::new());
        let around = Around::new(tasks.clone(), halt.clone(), || NOW);
        let vault = Vault::open(config(text, state.path()).unwrap(), &audit, &around)?;
        let anything = r#"@id("anything") permit (principal, action, resource);"#;
        let source = Source { name: "test".to_owned(), text: anything.to_owned() };
        let policies = Policies::load_without_defaults(&[source]).unwrap();
        Ok(Self { state, audit, vault, tasks, halt, policies })
    }

    /// Stops, in order.
    pub(crate) async fn stop(self) -> TempDir {
        self.halt.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        assert!(self.audit.stop().await);
        self.state
    }

    pub(crate) async fn set(&self, name: &str, value: &str) -> Result<u64, KeepError> {
        let recipient = self.vault.recipient(name)?;
        let sealed = vault::seal(value.as_bytes(), &recipient)?;
        self.vault.set(&self.audit, name, &sealed, false, None).await
    }

    /// A recorded call of a tool whose server has these placements.
    pub(crate) async fn entry(&self, placements: Vec<Placement>, named: &[&str]) -> Entry {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let mut id = [0; 10];
        id[..8].copy_from_slice(&NEXT_ID.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let resources = Resources {
            sandbox: Isolation::Jail,
            digest: None,
            folders: Vec::new(),
            egress: Vec::new(),
            secrets: placements,
            limits: Ceilings::default(),
        };
        let profile = Profile::default().with_secrets(named.iter().map(|name| (*name).to_owned()).collect());
        let profile = profile.with_resources(Arc::new(resources));
        let standing = Standing { pinned: true, vouched: true, profile: Arc::new(profile) };
        let definition = Value::parse(br#"{"name":"read"}"#, &Limits::ANSWER).unwrap();
        let tool = Tool::new(ServerName::parse("files").unwrap(), Method::CallTool, definition, standing).unwrap();
        let (agent, session) = (AgentId::authenticated("ann"), SessionKey::parse("session-1").unwrap());
        let arguments = Value::parse(b"{}", &Limits::ANSWER).unwrap();
        let call = Call::new(CallId::from_random(id), agent, session, Arc::new(tool), arguments);
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
            Verdict::Allow(permit) => self.audit.open(permit, NOW).await.unwrap(),
            Verdict::Deny(denial) => panic!("denied: {:?}", denial.refusal()),
            Verdict::Hold(held) => panic!("held: {:?}", held.assessment().reasons),
        }
    }

    pub(crate) async fn lease(&self, entry: &Entry) -> Result<Leases, LeaseError> {
        self.vault.lease(entry, Instant::now() + Duration::from_secs(5)).await
    }

    /// Ends the leases and the call, which answered this.
    pub(crate) async fn close(&self, entry: Entry, leases: Leases, answer: &str) {
        let loans = leases.end(&entry).await;
        let answer = Outcome::Answered(Raw::new(Value::parse(answer.as_bytes(), &Limits::ANSWER).unwrap()));
        drop(self.audit.close(entry, loans, answer, NOW).await.unwrap());
    }

    /// Every record, as text.
    pub(crate) fn records(&self) -> String {
        serde_json::to_string(&self.audit.reader().unwrap().list(&Filter::default()).unwrap()).unwrap()
    }

    pub(crate) fn redacted(&self, text: &str) -> String {
        self.audit.redactor().redact_text(text).into_owned()
    }
}

/// A secret that the tool gets in a file.
pub(crate) fn in_a_file(secret: &str) -> Placement {
    Placement { secret: secret.to_owned(), way: Way::File { at: "/run/secrets/one".to_owned(), to: None } }
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
