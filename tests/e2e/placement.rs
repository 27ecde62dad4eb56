//! A secret reaches the service that it is for, and nobody else: not the tool at the edge, not the agent, not the log.
//!
//! Where the tool holds it itself, whatever of its encodings can be undone is stopped on each way out that is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::attacker;
use tests::engine::{Engine, Guard, Runtime, package};
use tests::internet::{Internet, internet};
use tests::ledger::{Kind, Ledger};
use tests::openbao::OpenBao;
use tests::program::{self, Program};
use tests::world::{Setup, World};

/// A secret that nothing else has: tests beside each other look into memory.
fn fresh() -> String {
    let mut bytes = [0; 15];
    SystemRandom::new().fill(&mut bytes).unwrap();
    format!("Q-z_{}x", URL_SAFE_NO_PAD.encode(bytes))
}

/// What keeps the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    Jail,
    Container(Runtime),
}

const ALL: [Sandbox; 3] = [Sandbox::Jail, Sandbox::Container(Runtime::RunscCurrent), Sandbox::Container(Runtime::Runc)];

struct Yard {
    world: World,
    _guard: Option<Guard<'static>>,
    net: &'static Internet,
    folder: TempDir,
    value: String,
}

impl Yard {
    /// `placements`: tables of one secret each, as config and manifest both write them.
    fn open(sandbox: Sandbox, placements: &str, egress: &str) -> Self {
        Self::lending(sandbox, placements, egress, |setup, value| {
            let secret = "[secret.token]\nfrom = \"env\"\npath = \"THE_SECRET\"\n";
            setup.environment("THE_SECRET", value).config(secret)
        })
    }

    /// The secret is kept as `keep` says.
    fn lending(sandbox: Sandbox, placements: &str, egress: &str, keep: impl FnOnce(Setup, &str) -> Setup) -> Self {
        let net = internet();
        let folder = TempDir::with_prefix("portcullis-placed-").unwrap();
        let (setup, guard) = match sandbox {
            Sandbox::Jail => (jailed(&folder, placements, egress), None),
            Sandbox::Container(runtime) => contained(&folder, runtime, placements, egress),
        };
        let value = fresh();
        let world = keep(setup, &value).config(&net.config()).start();
        let yard = Self { world, _guard: guard, net, folder, value };
        yard.world.eventually("the tools", || (yard.world.modern().names().len() > 20).then_some(()));
        yard
    }

    /// All that the agent is told.
    fn attack(&self, tool: &str, arguments: &Value) -> String {
        self.world.modern().call(&format!("hostile.{tool}"), arguments).text
    }

    /// What the sandbox of the last call saw, and what was lent to it.
    fn record(&self) -> String {
        let last = Ledger::open(self.world.state()).unwrap().entries(Kind::Outcome).pop();
        last.map(|entry| entry.record.to_string()).unwrap_or_default()
    }

    /// Neither in the log, nor in anything that the gateway said, nor in any of its files.
    fn stays_unseen(&self) {
        self.world.verify();
        let said = self.world.said();
        assert!(!said.contains(&self.value), "{said}");
        for folder in [self.world.folder(), self.folder.path()] {
            assert_eq!(holding(folder, &self.value), Vec::<PathBuf>::new());
        }
    }
}

fn jailed(folder: &TempDir, placements: &str, egress: &str) -> Setup {
    let tool = folder.path().join("hostile-tool");
    fs::copy(attacker::tool(), &tool).unwrap();
    let placed = placements.replace("[[secret]]", "[[server.hostile.secret]]");
    let keys = format!("vouched = true\ncall_timeout = \"60s\"\negress = [{egress}]\n{placed}");
    Setup::new().allow_all().command_with("hostile", &[tool.to_str().unwrap()], &keys)
}

fn contained(folder: &TempDir, runtime: Runtime, placements: &str, egress: &str) -> (Setup, Option<Guard<'static>>) {
    let root = fs::canonicalize(folder.path()).unwrap();
    let recipe = format!("files = [{{ from = {:?}, to = \"/hostile-tool\" }}]", attacker::tool());
    let manifest =
        format!("egress = [{egress}]\n[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\n{placements}");
    let package = package(&root, "hostile", &recipe, &manifest);
    let guard = Guard::start(Engine::shared(), runtime, &root, "");
    let keys = "vouched = true\ncall_timeout = \"60s\"\nstart_timeout = \"60s\"\n";
    let server = format!("[server.hostile]\npackage = {package:?}\n{keys}");
    (Setup::new().allow_all().config(&server).config(&guard.setting(runtime)), Some(guard))
}

/// Files below a folder that hold the value.
fn holding(folder: &Path, value: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(holding(&path, value));
        } else if path.is_file() && holds(&fs::read(&path).unwrap_or_default(), value) {
            found.push(path);
        }
    }
    found
}

fn holds(bytes: &[u8], value: &str) -> bool {
    memchr::memmem::find(bytes, value.as_bytes()).is_some()
}

/// Where a request of the tool goes, in plain: the edge alone speaks TLS for it, or nobody does.
const EDGE: &str = "[[secret]]\nname = \"token\"\nhost = \"web.test\"\nprotocol = \"http\"\nmethods = [\"GET\"]\n\
    header = \"authorization\"\nprefix = \"Bearer \"\nplaceholder = \"GITHUB_TOKEN\"\n";

const OTHER: &str = "{ host = \"web.test\", protocol = \"http\" }, { host = \"other.web.test\", protocol = \"http\" }";

fn private(value: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, format!("Bearer {value}").as_bytes());
    let hash = hash.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("/private/{hash}")
}

fn request(method: &str, host: &str, path: &str, more: &str) -> Value {
    let send = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
    json!({"name": host, "send": send})
}

#[test]
fn a_secret_at_the_edge_lets_a_tool_in_that_never_sees_it() {
    let bao = OpenBao::start();
    for sandbox in ALL {
        let yard = Yard::lending(sandbox, EDGE, OTHER, |setup, value| {
            bao.keep("the-place-of-it", value);
            let secret = "[secret.token]\nfrom = \"team\"\npath = \"kv/data/the-place-of-it#token\"\n";
            setup.config(&bao.table()).config(secret)
        });
        let path = private(&yard.value);
        let theirs = "authorization: Bearer theirs\r\nAuthorization: again\r\n";
        let said = yard.attack("request", &request("GET", "web.test", &path, theirs));
        assert!(said.contains("let in"), "{sandbox:?}: {said}");
        let record = yard.record();
        assert!(record.contains("header authorization to web.test:80"), "{sandbox:?}: {record}");
        // Everything else goes without it.
        for (method, host) in [("POST", "web.test"), ("GET", "other.web.test")] {
            let said = yard.attack("request", &request(method, host, &path, ""));
            assert!(said.contains("401") || said.contains("who are you"), "{sandbox:?} {method} {host}: {said}");
        }
        let variables = yard.attack("variables", &json!({}));
        assert!(variables.contains("GITHUB_TOKEN") && !variables.contains(&yard.value), "{sandbox:?}: {variables}");
        assert_eq!(in_memory(&yard), Vec::<String>::new(), "{sandbox:?}");
        yard.stays_unseen();
    }
}

#[test]
fn what_a_service_reflects_is_scrubbed_before_the_tool_sees_it() {
    let yard = Yard::open(Sandbox::Jail, EDGE, OTHER);
    let said = yard.attack("request", &request("GET", "web.test", "/reflect", "x-asked: harmless\r\n"));
    assert!(said.contains("x-asked: harmless") && said.contains("[secret:"), "{said}");
    for form in forms(&yard.value) {
        assert!(!said.contains(&form), "`{form}` came back: {said}");
    }
    let said = yard.attack("request", &request("GET", "web.test", "/reflect/gzip", ""));
    assert!(said.contains("502"), "what cannot be searched is not shown: {said}");
    assert_eq!(in_memory(&yard), Vec::<String>::new());
    yard.stays_unseen();
}

/// What the service made of it.
fn forms(value: &str) -> Vec<String> {
    let hex = value.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let spaced: String = value.chars().flat_map(|c| [c, ' ']).collect();
    let base64 = STANDARD.encode(value);
    vec![value.to_owned(), hex, spaced, base64, value.chars().rev().collect()]
}

#[test]
fn a_placeholder_sent_anywhere_else_is_refused_and_recorded() {
    let yard = Yard::open(Sandbox::Jail, EDGE, OTHER);
    let send = |method: &str, host: &str, path: &str, more: &str, body: &str| {
        let send = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len() + if body.contains("{}") { 42 } else { 0 }
        );
        let said = yard.attack("send", &json!({"name": host, "variable": "GITHUB_TOKEN", "send": send}));
        (said, yard.record())
    };
    let path = private(&yard.value);
    let (said, _) = send("GET", "web.test", &path, "authorization: Bearer {}\r\n", "");
    assert!(said.contains("let in"), "where it belongs: {said}");
    for (what, (said, record)) in [
        ("another header", send("GET", "web.test", "/", "x-token: {}\r\n", "")),
        ("the query", send("GET", "web.test", "/?q={}", "", "")),
        ("another method", send("POST", "web.test", "/", "authorization: Bearer {}\r\n", "")),
        ("a body", send("POST", "web.test", "/", "", "token={}&")),
        ("another host", send("GET", "other.web.test", "/", "authorization: Bearer {}\r\n", "")),
    ] {
        assert!(!said.contains("200 OK"), "{what}: {said}");
        assert!(record.contains("attempted leak"), "{what}: {record}");
    }
    assert_eq!(yard.net.saw("x-token: placeholder-"), Vec::<String>::new());
    yard.stays_unseen();
}

#[test]
fn a_file_that_is_lent_is_there_for_one_call_and_its_user_alone() {
    let placed =
        "[[secret]]\nname = \"token\"\nfile = \"/run/secrets/token\"\nhost = \"web.test\"\nprotocol = \"http\"\n";
    for sandbox in ALL {
        let yard = Yard::open(sandbox, placed, OTHER);
        let from = json!({"from": "/run/secrets/token"});
        let mode = yard.attack("mode", &from);
        assert!(mode.contains("DONE 400 of"), "{sandbox:?}: {mode}");
        let send = |host: &str| {
            let head = format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nauthorization: Bearer {{}}\r\n\r\n",
                private(&yard.value)
            );
            let arguments = json!({"name": host, "from": "/run/secrets/token", "send": head});
            (yard.attack("send", &arguments), yard.record())
        };
        assert!(send("web.test").0.contains("let in"), "{sandbox:?}: it cannot use what it was lent");
        let (said, record) = send("other.web.test");
        assert!(!said.contains("200") && record.contains("attempted leak"), "{sandbox:?}: {said} {record}");
        yard.stays_unseen();
    }
}

#[test]
fn what_a_tool_holds_passes_no_way_out_that_is_read() {
    let ways = [
        ("[[secret]]\nname = \"token\"\nfile = \"/run/secrets/token\"\n", json!({"from": "/run/secrets/token"})),
        ("[[secret]]\nname = \"token\"\nenvironment = \"TOKEN\"\n", json!({"variable": "TOKEN"})),
    ];
    for (placed, source) in ways {
        let wild = "{ host = \"*.web.test\", protocol = \"http\" }";
        let yard = Yard::open(Sandbox::Jail, placed, wild);
        let letters: Vec<char> = yard.value.chars().collect();
        let parts: Vec<String> = letters.windows(12).map(|part| part.iter().collect()).collect();
        for by in
            ["answer", "blocks", "first", "second", "listing", "error", "resource", "structured", "stderr", "progress"]
        {
            let mut arguments = source.clone();
            arguments["by"] = by.into();
            let said = yard.attack("give", &arguments);
            assert!(!parts.iter().any(|part| said.contains(part)), "{by}: {said}");
        }
        for (name, send) in [
            ("{}.web.test", "GET / HTTP/1.1\r\nHost: x.web.test\r\n\r\n"),
            ("x.web.test", "GET /{} HTTP/1.1\r\nHost: x.web.test\r\n\r\n"),
            ("x.web.test", "POST / HTTP/1.1\r\nHost: x.web.test\r\nContent-Length: 24\r\n\r\n{}"),
        ] {
            let mut arguments = source.clone();
            (arguments["name"], arguments["send"]) = (name.into(), send.into());
            let said = yard.attack("send", &arguments);
            assert!(!said.contains("200 OK"), "{name} {send}: {said}");
            assert!(yard.record().contains("attempted leak"), "{name} {send}: {}", yard.record());
        }
        assert_eq!(yard.net.saw(&yard.value).iter().filter(|line| line.contains("x.web.test")).count(), 0);
        yard.stays_unseen();
    }
}

#[test]
fn what_is_lent_on_standard_input_is_read_before_the_first_message() {
    for sandbox in ALL {
        let yard = Yard::open(sandbox, "[[secret]]\nname = \"token\"\nstdin = true\n", "");
        let heard = yard.attack("heard", &json!({}));
        assert!(!heard.contains(&yard.value) && heard.contains("[secret:"), "{sandbox:?}: {heard}");
        yard.stays_unseen();
    }
}

#[test]
fn no_listed_encoding_of_what_a_tool_holds_reaches_its_agent() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/encodings/encode.py");
    let rows = program::run(program::command("python3").args([script, "1", "7"]), Duration::from_mins(1)).success();
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let folder = TempDir::with_prefix("portcullis-placed-").unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::copy(attacker::tool(), at("hostile-tool")).unwrap();
    // What the tool would make of the secret, were it to encode by itself.
    for (number, row) in rows.iter().enumerate() {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        fs::write(at(&format!("row-{number}")), text("before") + &text("encoded") + &text("after")).unwrap();
    }
    let keys = format!(
        "vouched = true\nread = [{:?}]\n[[server.hostile.secret]]\nname = \"token\"\nfile = \"/run/secrets/token\"\n",
        folder.path()
    );
    let secret = "[secret.token]\nfrom = \"env\"\npath = \"THE_SECRET\"\n";
    let setup = Setup::new().allow_all().command_with("hostile", &[&at("hostile-tool")], &keys).config(secret);
    let world = setup.environment("THE_SECRET", rows[0]["secret"].as_str().unwrap()).start();
    world.eventually("the tools", || (world.modern().names().len() > 20).then_some(()));
    for (number, row) in rows.iter().enumerate() {
        let said = world.modern().call("hostile.give", &json!({"from": at(&format!("row-{number}"))}));
        assert!(said.ran(), "{row}: {}", said.text);
        assert!(said.text.contains("[secret:") || said.text.contains("withheld"), "{row}: {}", said.text);
        let shown = serde_json::to_string(row["encoded"].as_str().unwrap()).unwrap();
        assert!(!said.text.contains(shown.trim_matches('"')), "{row}: {}", said.text);
    }
    world.verify();
}

/// Memory, environment and arguments of everything that runs the tool, but for the gateway, which lends.
fn in_memory(yard: &Yard) -> Vec<String> {
    let gateway = yard.world.id();
    let mut found = Vec::new();
    for process in processes(gateway) {
        for part in ["environ", "cmdline"] {
            if holds(&fs::read(format!("/proc/{process}/{part}")).unwrap_or_default(), &yard.value) {
                found.push(format!("{part} of {process}"));
            }
        }
        if scan(process, &yard.value) {
            found.push(format!("memory of {process}: {}", name(process)));
        }
    }
    found
}

#[test]
fn neither_a_tool_that_is_lent_a_secret_nor_the_gateway_leaves_it_in_a_core_file() {
    let placed = "[[secret]]\nname = \"token\"\nenvironment = \"TOKEN\"\n";
    let mut yard = Yard::open(Sandbox::Jail, placed, OTHER);
    unlimited(yard.world.id());
    let said = yard.attack("give", &json!({"variable": "TOKEN"}));
    assert!(said.contains("[secret:"), "it holds what it was lent: {said}");
    assert!(!yard.world.modern().call("hostile.abort", &json!({})).ran());
    yard.stays_unseen();

    // What this machine does with a program that allows it.
    let folder = yard.folder.path().join("other");
    fs::create_dir(&folder).unwrap();
    let mut other = Program::start(program::command("sleep").arg("60").current_dir(&folder));
    unlimited(other.id());
    assert!(dumped(&mut other), "nothing here leaves a core file, so nothing is shown");

    assert!(!dumped(yard.world.gateway()), "the gateway's memory was written to a core file");
    assert_eq!(holding(yard.world.folder(), &yard.value), Vec::<PathBuf>::new());
}

/// As far as its limits go, a process leaves a core file.
fn unlimited(process: u32) {
    let process = Pid::from_raw(i32::try_from(process).unwrap());
    prlimit(process, Resource::Core, Rlimit { current: None, maximum: None }).unwrap();
}

/// Whether its memory was written out at its end.
fn dumped(program: &mut Program) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    program.signal(Signal::ABORT);
    program.wait(Duration::from_secs(30)).core_dumped()
}

/// What the gateway started, what the engine started, and every kernel of a sandbox.
fn processes(gateway: u32) -> Vec<u32> {
    let all: Vec<u32> =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    let below = |process: u32| {
        let mut at = process;
        for _ in 0..64 {
            match parent(at) {
                Some(above) if above == gateway => return true,
                Some(above) if above > 1 => at = above,
                Some(_) | None => return false,
            }
        }
        false
    };
    let tool = |process: u32| {
        let (name, line) = (name(process), fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default());
        name.contains("hostile-tool")
            || name.contains("runsc")
            || line.contains("runsc")
            || line.contains("hostile-tool")
    };
    all.into_iter()
        .filter(|process| *process != gateway && *process != std::process::id())
        .filter(|process| below(*process) || tool(*process))
        .collect()
}

fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn name(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned()
}

/// Whether any page of a process holds the value.
fn scan(process: u32, value: &str) -> bool {
    use std::os::unix::fs::FileExt as _;
    let Ok(maps) = fs::read_to_string(format!("/proc/{process}/maps")) else { return false };
    let Ok(memory) = fs::File::open(format!("/proc/{process}/mem")) else { return false };
    let mut chunk = vec![0; 1 << 20];
    for line in maps.lines().filter(|line| line.contains(" r") && !line.contains("[v")) {
        let Some((start, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) else { continue };
        let (Ok(mut at), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)) else { continue };
        while at < end {
            let length = usize::try_from((end - at).min(1 << 20)).unwrap();
            // What is reserved and was never touched cannot be read, or is zeros.
            match memory.read_at(&mut chunk[..length], at) {
                Ok(read) if read > 0 => {
                    if holds(&chunk[..read], value) {
                        return true;
                    }
                    at += u64::try_from(read).unwrap();
                    // A value that lies across two pieces is found in the second.
                    if read == 1 << 20 && at < end {
                        at -= 64;
                    }
                }
                Ok(_) | Err(_) => at += 4096,
            }
        }
    }
    false
}

#[test]
fn a_wasm_tool_is_let_in_over_tls_and_never_sees_the_secret() {
    let net = internet();
    let folder = TempDir::with_prefix("portcullis-placed-").unwrap();
    let package = folder.path().join("fetch");
    fs::create_dir(&package).unwrap();
    fs::copy(component(), package.join("http.wasm")).unwrap();
    let placed = EDGE.replace("protocol = \"http\"\n", "");
    let manifest = format!("name = \"fetch\"\nkind = \"wasm\"\n[wasm]\ncomponent = \"http.wasm\"\n{placed}");
    fs::write(package.join("portcullis-tool.toml"), manifest).unwrap();
    let config = format!(
        "[server.fetch]\npackage = {package:?}\nvouched = true\n[secret.token]\nfrom = \"env\"\npath = \"THE_SECRET\"\n"
    );
    let value = fresh();
    let world =
        Setup::new().allow_all().environment("THE_SECRET", &value).config(&net.config()).config(&config).start();
    let tool =
        world.eventually("a tool", || world.modern().names().into_iter().find(|name| name.starts_with("fetch.")));
    let fetch = |path: &str, headers: Value| {
        world.modern().call(&tool, &json!({"url": format!("https://web.test{path}"), "headers": headers})).text
    };
    let said = fetch(&private(&value), json!({"authorization": "theirs"}));
    assert!(said.contains("let in"), "{said}");
    let said = fetch("/reflect", json!({}));
    assert!(said.contains("[secret:"), "{said}");
    for form in forms(&value) {
        assert!(!said.contains(&form), "`{form}` came back: {said}");
    }
    assert!(!world.said().contains(&value));
    assert_eq!(holding(world.folder(), &value), Vec::<PathBuf>::new());
    world.verify();
}

/// The bundled `http`, as the build made it.
fn component() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().find(|folder| folder.join("build").is_dir()).unwrap().join("build");
    let built = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path().join("out/http.wasm"));
    let newest = built.filter(|file| file.exists()).max_by_key(|file| fs::metadata(file).unwrap().modified().unwrap());
    newest.expect("the bundled tools are built with the gateway")
}

#[test]
fn every_problem_of_a_placement_is_told_before_anything_runs() {
    let folder = TempDir::with_prefix("portcullis-placed-").unwrap();
    let check = |placed: &str| {
        let path = folder.path().join("portcullis.toml");
        let secret = "[secret.token]\nfrom = \"env\"\npath = \"THE_SECRET\"\n";
        fs::write(&path, format!("{secret}[server.tool]\ncommand = [\"true\"]\n{placed}")).unwrap();
        let mut command = program::command(tests::world::portcullis());
        command.args(["check", "--config"]).arg(&path).arg("--state").arg(folder.path().join("state"));
        let output = program::run(&mut command, Duration::from_secs(30));
        (output.status.success(), format!("{}{}", output.stdout, output.stderr))
    };
    let table = |keys: &str| format!("[[server.tool.secret]]\nname = \"token\"\n{keys}\n");
    let (good, said) = check(&table("host = \"web.test\"\nheader = \"authorization\""));
    assert!(good, "{said}");
    for (keys, named) in [
        ("host = \"web.test\"\nheader = \"content-length\"", "content-length"),
        ("header = \"authorization\"", "host"),
        ("host = \"web.test\"", "header, basic"),
        ("host = \"web.test\"\nheader = \"a\"\nquery = \"b\"", "together"),
        ("host = \"web.test\"\nprotocol = \"tls\"\nheader = \"a\"", "tls"),
        ("file = \"/proc/self/x\"", "/proc/self/x"),
        ("environment = \"PATH\"", "PATH"),
        ("environment = \"TOKEN\"\nsurprise = 1", "surprise"),
    ] {
        let (good, said) = check(&table(keys));
        assert!(!good && said.contains(named), "{keys}: {said}");
    }
    let twice = table("host = \"web.test\"\nheader = \"authorization\"").repeat(2);
    assert!(!check(&twice).0, "two secrets in one place");
    let (good, said) = check(&table("environment = \"TOKEN\""));
    assert!(good && said.contains("weakest"), "{said}");
}
