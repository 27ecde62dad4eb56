//! A console over a log of its own, and the browsers that ask it.

use jsonrpsee::ws_client::{HeaderMap, HeaderValue, WsClient, WsClientBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::operator::people::Person;

pub(super) const PIN: &str = "294017";

pub(super) struct World {
    pub(super) _folder: TempDir,
    pub(super) state: std::path::PathBuf,
    pub(super) audit: Audit,
    pub(super) front: Arc<Front>,
    pub(super) people: Arc<People>,
    pub(super) address: SocketAddr,
    pub(super) methods: BTreeSet<&'static str>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// An answer, taken apart.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    pub(super) fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie is set");
        line.split(';').next().unwrap().to_owned()
    }
}

/// A browser that is signed in.
#[derive(Clone)]
pub(super) struct Browser {
    pub(super) cookie: String,
    pub(super) csrf: String,
}

impl World {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let audit = open_log(&state).unwrap();
        let at = ConsoleAt { address: "127.0.0.1:0".parse().unwrap(), chosen: true, hosts: vec![], tls: None };
        let console = Console::bind(&at, None).unwrap();
        let (front, address) = (console.front(), console.listener.local_addr().unwrap());
        let all = Operators { console: Some(Arc::clone(&front)), ..operators(Path::new(&state), &audit) };
        let people = Arc::clone(&all.people);
        let server = Server::bind(&state, all).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let methods = server.methods();
        let names = methods.method_names().collect();
        let run = console.run(Arc::clone(&people), audit.clone(), methods, tasks.clone(), stop.clone());
        tasks.spawn(async move { run.await.unwrap() });
        tasks.spawn(server.run(tasks.clone(), stop.clone()));
        Self { _folder: folder, state, audit, front, people, address, methods: names, tasks, stop }
    }

    pub(super) async fn add(&self, name: &str, role: Role) {
        let (name, pin) = (OperatorId::authenticated(name), Pin::typed(PIN).quick_verifier());
        let event = || Event::OperatorAdded { name: name.clone(), role, uid: None, pin: pin.clone(), by: None };
        // A loaded machine's disk may be late.
        while self.audit.operator(&name).is_none() {
            self.audit.note(event(), clock::now()).await.ok();
        }
    }

    pub(super) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    /// What a program of any kind could send.
    pub(super) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let host = self.host();
        let given = headers.iter().any(|(name, _)| *name == "Host");
        let headers = headers.iter().copied().chain((!given).then_some(("Host", host.as_str())));
        for (name, value) in headers {
            request += name;
            request += ": ";
            request += value;
            request += "\r\n";
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lines = head.lines().map(|line| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        });
        Answer { status, head: lines.collect::<Vec<_>>().join("\n"), body: body.to_owned() }
    }

    /// As a page of the console sends it.
    pub(super) async fn post(&self, path: &str, browser: Option<&Browser>, body: &Value) -> Answer {
        let origin = self.origin();
        let mut headers = vec![("Origin", origin.as_str()), ("Content-Type", "application/json")];
        if let Some(browser) = browser {
            headers.extend([("Cookie", browser.cookie.as_str()), ("X-CSRF-Token", browser.csrf.as_str())]);
        }
        self.send(&format!("POST {path}"), &headers, &body.to_string()).await
    }

    pub(super) fn code(&self, name: &str, role: Role) -> String {
        let id = OperatorId::authenticated(name);
        let operator = self.audit.operator(&id);
        let who = operator.map_or_else(|| Who::person(&Person::user(id, role)), |operator| Who::operator(&operator));
        self.front.link(who, false).split_once('#').unwrap().1.to_owned()
    }

    /// Signed in by a link.
    pub(super) async fn browser(&self, name: &str, role: Role) -> Browser {
        let answer = self.post("/sign-in", None, &json!({ "code": self.code(name, role) })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    /// Whoever has this person's PIN, in a session of their own.
    pub(super) async fn by_pin(&self, name: &str) -> Browser {
        let answer = self.post("/sign-in", None, &json!({ "name": name, "pin": PIN })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    pub(super) async fn call(&self, browser: &Browser, method: &str, params: &Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.post("/api", Some(browser), &body).await.json()
    }

    pub(super) async fn socket(&self, browser: &Browser, origin: Option<&str>, csrf: &str) -> Result<WsClient, String> {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_str(&browser.cookie).unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        let url = format!("ws://{}/api?csrf={csrf}", self.host());
        let opened = WsClientBuilder::new().set_headers(headers).build(url).await;
        opened.map_err(|error| error.to_string())
    }

    pub(super) fn recorded(&self) -> String {
        serde_json::to_string(&self.audit.reader().unwrap().list(&audit::Filter::default()).unwrap()).unwrap()
    }
}

pub(super) fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or(0)
}
