//! The operators' socket as it is, over a real log.

mod authors;

use std::os::unix::fs::PermissionsExt;

use audit::Recovered;
use policies::decision::{Circumstances, HoldTimes, Verdict};
use policies::{
    AgentId, Call, HoldId, Method, OperatorId, Policies, Role, ServerName, Session, SessionKey, Standing, Tool,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::card::{Card, Event as Told};
use super::client::{AskError, Client, ConnectError};
use super::health::Health;
use super::rows::{AgentRow, NewAgent};
use super::*;
use crate::app::{Around, Reloadable, assemble, open_log};
use crate::config::{Config, Overrides};
use crate::hold::Settled;

struct World {
    _folder: TempDir,
    state: PathBuf,
    audit: Audit,
    holds: Arc<Holds>,
    people: Arc<People>,
    methods: Vec<&'static str>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

pub(crate) fn operators(folder: &Path, audit: &Audit) -> Operators {
    let overrides = Overrides { state: Some(folder.to_owned()), ..Overrides::default() };
    let config = Arc::new(Config::load(Some(Path::new("/dev/null")), overrides).ok().unwrap());
    let policies = Arc::new(Reloadable::load(config.policy.clone()).ok().unwrap());
    let (stop, halt) = (CancellationToken::new(), CancellationToken::new());
    let around = Around { background: TaskTracker::new(), stop, halt, tracer: None };
    let agents = assemble(config, Arc::clone(&policies), audit.clone(), Recovered::default(), &around).unwrap();
    Operators {
        audit: audit.clone(),
        holds: Arc::clone(&agents.calls.holds),
        catalog: Arc::clone(&agents.catalog),
        people: Arc::clone(&agents.people),
        agents,
        liveness: Arc::new(Pulse::new(false)),
        witnesses: Arc::new(crate::witness::Standing::new(&[])),
        console: None,
        reload: Arc::new(move || policies.reload()),
    }
}

impl World {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(uids: &[u32]) -> Self {
        Self::of(Peers::new(uids))
    }

    fn of(peers: Peers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let audit = open_log(&state).unwrap();
        let people = Arc::new(People::new(audit.clone(), peers));
        let operators = Operators { people: Arc::clone(&people), ..operators(&state, &audit) };
        let holds = Arc::clone(&operators.holds);
        let server = Server::bind(&state, operators).unwrap();
        let methods = server.methods().method_names().collect();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(server.run(tasks.clone(), stop.clone()));
        Self { _folder: folder, state, audit, holds, people, methods, tasks, stop }
    }

    /// An operator who is this user, if any.
    async fn add(&self, name: &str, role: Role, uid: Option<u32>) {
        let (name, pin) = (OperatorId::authenticated(name), pin::Pin::typed("294017").quick_verifier());
        let event = Event::OperatorAdded { name, role, uid, pin, by: None };
        self.audit.note(event, clock::now()).await.unwrap();
    }

    /// A call that waits for people, whose agent has gone.
    async fn hold(&self, path: &str) -> HoldId {
        let standing = Standing { pinned: true, ..Standing::default() };
        let (server, definition) = (ServerName::parse("files").unwrap(), json!({ "name": "delete_file" }));
        let tool = Arc::new(Tool::new(server, Method::CallTool, definition.into(), standing).unwrap());
        let (agent, session) = (AgentId::authenticated("ci"), SessionKey::parse("s").unwrap());
        let call = Call::new(clock::call_id(), agent, session, tool, json!({ "path": path }).into());
        let around = Circumstances {
            session: &Session::fresh(),
            first_use: false,
            anomaly: false,
            undeclared: false,
            live_secret: false,
            now: clock::now(),
            hold_for: HoldTimes::default(),
        };
        let Verdict::Hold(held) = Policies::builtin().decide(call, &around) else { panic!("the call is not held") };
        let (gone, cancel) = (CancellationToken::new(), CancellationToken::new());
        gone.cancel();
        match self.holds.settle(held, None, [&gone, &cancel], |_| ()).await.unwrap() {
            Settled::Open(id) => id,
            Settled::Approved(..) | Settled::Refused(_) => panic!("nobody answered"),
        }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.state).await.unwrap()
    }

    /// One HTTP request as a program of any kind could send it; the status and the body.
    async fn post(&self, headers: &str, body: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(socket(&self.state)).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        // A server that has read enough may hang up before the rest is sent.
        let mut answer = String::new();
        let sent = stream.write_all(request.as_bytes()).await.and(stream.read_to_string(&mut answer).await);
        let status = answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        assert!(sent.is_ok() || status != 200, "{sent:?}");
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    }

    fn recorded(&self) -> String {
        let found = self.audit.reader().unwrap().list(&audit::Filter::default()).unwrap();
        serde_json::to_string(&found).unwrap()
    }
}

fn call(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

#[tokio::test]
async fn the_reference_names_every_method_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let audit = open_log(&state).unwrap();
    let server = Server::bind(&state, operators(&state, &audit)).unwrap();
    let methods = server.methods();
    let page = include_str!("../../../docs/reference/operator-api.md");
    let (_, methods_on) = page.split_once("## Methods").unwrap();
    let (table, _) = methods_on.split_once("\n| needs |").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // What a subscription ends by stands in its row.
    let ends = ["holds_unsubscribe", "calls_leave"];
    assert!(ends.iter().all(|end| table.contains(&format!("`{end}`"))));
    let named: std::collections::BTreeSet<&str> = rows.chain(ends).collect();
    assert_eq!(named, methods.method_names().collect());
}

#[tokio::test]
async fn an_agent_is_added_and_removed_by_a_named_operator() {
    let world = World::start();
    let client = world.client().await;
    let added: NewAgent = client.ask("agents_add", &[("name", "ci")]).await.unwrap();
    assert!(added.token.starts_with("pcl_"));
    let again = client.ask::<NewAgent>("agents_add", &[("name", "ci")]).await;
    assert!(matches!(again, Err(AskError::Refused { next: Some(_), .. })));
    let listed: Vec<AgentRow> = client.ask("agents_list", &[]).await.unwrap();
    assert_eq!(listed.len(), 1);
    let _removed: AgentRow = client.ask("agents_remove", &[("name", "ci")]).await.unwrap();

    let own = Peers::new(&[]).own();
    let records = world.recorded();
    assert_eq!(records.matches(&format!("\"by\":\"{own}\"")).count(), 2, "{records}");
    assert!(!records.contains(&added.token));
}

#[tokio::test]
async fn a_token_cannot_end_before_it_begins() {
    let world = World::start();
    let params = [("name", "ci"), ("expires", "2001-01-01T00:00:00Z")];
    let refused = world.client().await.ask::<NewAgent>("agents_add", &params).await;
    assert!(matches!(refused, Err(AskError::Refused { .. })));
}

#[tokio::test]
async fn an_answer_to_no_hold_says_where_to_look() {
    let world = World::start();
    let client = world.client().await;
    for id in ["hold-aaaaaaaaaaaaaaaa", "aaaaaa", "abc"] {
        let Err(AskError::Refused { next, .. }) = client.ask::<Card>("holds_approve", &[("id", id)]).await else {
            panic!("{id} was approved")
        };
        assert!(next.unwrap().contains("portcullis"));
    }
    let unreasoned = client.ask::<Card>("holds_deny", &[("id", "hold-aaaaaaaaaaaaaaaa"), ("reason", " ")]).await;
    assert!(unreasoned.err().unwrap().to_string().contains("reason"));
}

#[tokio::test]
async fn a_subscriber_hears_of_the_open_holds_first() {
    let world = World::start();
    let mut holds = world.client().await.holds().await.unwrap();
    assert!(matches!(holds.next().await, Some(Ok(Told::Open { holds })) if holds.is_empty()));
}

#[tokio::test]
async fn a_subscriber_hears_nothing_once_the_socket_does_not_serve_them() {
    let world = World::of(Peers::nobody());
    world.add("ann", Role::Reviewer, Some(rustix::process::geteuid().as_raw())).await;
    let client = world.client().await;
    let mut holds = client.holds().await.unwrap();
    assert!(matches!(holds.next().await, Some(Ok(Told::Open { .. }))));
    let first = world.hold("/a").await;
    assert!(matches!(holds.next().await, Some(Ok(Told::Changed { hold })) if hold.id == first));
    let event = Event::OperatorRemoved { name: OperatorId::authenticated("ann"), by: None };
    world.audit.note(event, clock::now()).await.unwrap();
    let second = world.hold("/b").await;
    let minute = Duration::from_mins(1);
    while let Some(told) = tokio::time::timeout(minute, holds.next()).await.expect("the subscription goes on") {
        assert!(matches!(&told, Ok(Told::Changed { hold }) if hold.id != second), "{told:?}");
    }
    assert!(client.ask::<Health>("health", &[]).await.is_err());
}

#[tokio::test]
async fn of_a_flood_of_requests_that_a_role_does_not_allow_a_few_a_second_are_recorded() {
    let world = World::start();
    // From now on whoever runs the gateway only reads.
    world.add("ann", Role::Admin, None).await;
    let client = world.client().await;
    let asked = 1_000;
    for _ in 0..asked {
        let refused = client.ask::<Card>("holds_approve", &[("id", "hold-aaaaaaaaaaaaaaaa")]).await;
        assert!(matches!(refused, Err(AskError::Refused { code: 1403, .. })), "{refused:?}");
    }
    let recorded = world.recorded();
    let count = recorded.matches("was refused holds_approve").count();
    assert!((1..asked / 2).contains(&count), "{count} records");
    assert!(recorded.contains("since the last record"), "how many there were is not said");
}

#[tokio::test]
async fn a_reload_is_recorded_with_who_asked() {
    let world = World::start();
    let _now: String = world.client().await.ask("policies_reload", &[]).await.unwrap();
    assert!(world.recorded().contains("reload policies"));
    let health: Health = world.client().await.ask("health", &[]).await.unwrap();
    assert_eq!(health.log, "ok");
}

#[tokio::test]
async fn what_no_operator_s_program_sends_is_refused() {
    let world = World::start();
    assert_eq!(world.post("", &call("health", &json!({}))).await.0, 200);
    assert_eq!(world.post("Origin: http://evil.example\r\n", &call("health", &json!({}))).await.0, 403);
    assert_ne!(world.post("", &"x".repeat(REQUEST_BYTES as usize + 1)).await.0, 200);
    let batch = format!("[{0},{0}]", call("health", &json!({})));
    assert!(world.post("", &batch).await.1.contains("\"error\""));
    let unknown = world.post("", &call("agents_add", &json!({ "name": "ci", "admin": true }))).await.1;
    assert!(unknown.contains("unknown field"), "{unknown}");
    assert!(world.audit.agents().is_empty());
}

#[tokio::test]
async fn the_socket_is_private_and_goes_with_its_gateway() {
    let world = World::start();
    let socket = socket(&world.state);
    assert_eq!((mode(&socket), mode(&world.state)), (0o600, 0o700));
    let _client = world.client().await;
    world.stop.cancel();
    world.tasks.close();
    tokio::time::timeout(Duration::from_secs(5), world.tasks.wait()).await.unwrap();
    assert!(!socket.exists());
    assert!(matches!(Client::connect(&world.state).await, Err(ConnectError::NotRunning { .. })));
}

#[tokio::test]
async fn further_operators_can_reach_the_socket_and_nothing_else() {
    let world = World::with(&[4711]);
    assert_eq!((mode(&socket(&world.state)), mode(&world.state)), (0o666, 0o711));
    let others = std::fs::read_dir(&world.state).unwrap().map(|entry| entry.unwrap().path());
    for file in others.filter(|file| *file != socket(&world.state)) {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_dead_gateway_s_socket_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket(folder.path());
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(listen(&path).is_ok());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(listen(&path), Err(BindError::Occupied(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    let long = folder.path().join("x".repeat(120));
    assert!(matches!(listen(&long), Err(BindError::TooLong(_))));
}
