//! Tools that a package declares itself: each call is one command in a sandbox of its own, which keeps nothing for the next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Answer;
use tests::attacker;
use tests::engine::{Engine, Guard, Runtime, package};
use tests::world::{Setup, World};

use crate::rows::{Attacked, Must};

const TOOLS: &str = r#"
[[tool]]
name = "attack"
description = "Tries something."
arguments = ["run", "{name}"]
[tool.input]
type = "object"
required = ["name"]
[tool.input.properties]
name = { type = "string" }

[[tool]]
name = "attack_with"
description = "Tries something with arguments."

[[tool]]
name = "say"
description = "Says its words."
arguments = ["say", "plain", "{text}", "--flag={flag}"]
annotations = { readOnlyHint = true }
[tool.input]
type = "object"
[tool.input.properties]
text = { type = "string" }
flag = { type = "boolean" }
"#;

const LIMITS: &str =
    "\n[limits]\ntime = \"10s\"\nmemory = \"96 MiB\"\nprocesses = 32\ndisk = \"8 MiB\"\noutput = \"1 MiB\"\n";

/// What the commands run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Container(Runtime),
    Jail,
}

struct Yard<'a> {
    world: World,
    _guard: Option<Guard<'a>>,
    _folder: TempDir,
}

impl Yard<'_> {
    fn open(engine: Option<&'static Engine>, room: Room, more: &str) -> Self {
        let folder = TempDir::with_prefix("portcullis-yard-").unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let manifest = format!("{more}{TOOLS}{LIMITS}");
        let (package, guard) = match (room, engine) {
            (Room::Container(runtime), Some(engine)) => {
                let recipe = format!("files = [{{ from = '{}', to = '/hostile-tool' }}]", attacker::tool().display());
                let manifest = format!(
                    "[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\nenv = {{ ONCE = \"1\" }}\n{manifest}"
                );
                let package = package(&root, "hostile", &recipe, &manifest);
                (package, Some((Guard::start(engine, runtime, &root, ""), runtime)))
            }
            (Room::Container(_) | Room::Jail, _) => (jailed(&root, &manifest), None),
        };
        let server = format!("[server.hostile]\npackage = {package:?}\nvouched = true\n");
        let setup = Setup::new().allow_all().config(&server);
        let setting = guard.as_ref().map(|(guard, runtime)| guard.setting(*runtime)).unwrap_or_default();
        let world = setup.config(&setting).start();
        world.eventually("the tools", || (world.modern().names().len() == 3).then_some(()));
        Self { world, _guard: guard.map(|(guard, _)| guard), _folder: folder }
    }
}

impl Attacked for Yard<'_> {
    fn world(&self) -> &World {
        &self.world
    }

    fn attack(&self, tool: &str, arguments: &Value) -> Answer {
        let mut given = arguments.clone();
        given["name"] = tool.into();
        self.call("attack_with", &given)
    }
}

impl Yard<'_> {
    fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.world.modern().call(&format!("hostile.{tool}"), arguments)
    }
}

fn jailed(root: &std::path::Path, manifest: &str) -> PathBuf {
    let package = root.join("hostile");
    fs::create_dir(&package).unwrap();
    fs::copy(attacker::tool(), package.join("hostile-tool")).unwrap();
    let manifest = format!(
        "name = \"hostile\"\nkind = \"process\"\nversion = \"1.0.0\"\ndescription = \"A tool\"\n[process]\ncommand = [\"hostile-tool\"]\nenv = {{ ONCE = \"1\" }}\n{manifest}"
    );
    fs::write(package.join("portcullis-tool.toml"), manifest).unwrap();
    package
}

/// Arguments reach it as declared, and what it says and how it ends is the answer.
fn runs(room: Room) {
    let yard = Yard::open(engine(room), room, "");
    let hostile = "a b; $(id) `id` \" ' \\ {text} \u{1F980}\nz";
    let answer = yard.call("say", &json!({"text": hostile, "flag": true}));
    assert_eq!(serde_json::from_str::<Value>(&answer.said()).unwrap(), json!(["plain", hostile, "--flag=true"]));
    assert_eq!(serde_json::from_str::<Value>(&yard.call("say", &json!({})).said()).unwrap(), json!(["plain"]));
    let option = yard.call("say", &json!({"text": "--output=/etc/x"}));
    assert!(option.said().contains("take it for an option"), "{}", option.text);
    assert_eq!(option.result()["isError"], true);
    // No words of its own: the arguments come as JSON.
    let answer = yard.attack("read", &json!({"path": "/etc/shadow"}));
    assert!(answer.said().starts_with("refused"), "{}", answer.text);
    // A status is a tool's error, and an agent reads it.
    let failed = yard.call("attack", &json!({"name": "exit"}));
    assert_eq!(failed.result()["isError"], true, "{}", failed.text);
    assert!(failed.text.contains("exited with status 3"), "{}", failed.text);
    yard.world.verify();
}

/// What one call leaves, the next does not find; what goes over a limit ends with its name.
fn keeps_nothing(room: Room) {
    let yard = Yard::open(engine(room), room, "");
    let left = json!({"path": "/tmp/left"});
    let rows = vec![("write", left.clone(), Must::Say("written")), ("read", left, Must::Fail)];
    let mut wrong = yard.wrong(rows);
    let limits: [(&str, &[&str]); 5] = [
        ("output_flood", &["too-large"]),
        ("memory_bomb", &["out-of-memory", "crashed"]),
        ("crash", &["crashed", "exited"]),
        ("sleep", &["out-of-time"]),
        ("stubborn", &["out-of-time"]),
    ];
    wrong.extend(yard.unnamed(&limits, Duration::from_secs(40)));
    assert!(wrong.is_empty(), "{room:?}: {wrong:#?}");
    if let Some(engine) = engine(room) {
        yard.world.eventually("an empty engine", || engine.left().is_empty().then_some(()));
    }
}

fn engine(room: Room) -> Option<&'static Engine> {
    (room != Room::Jail).then(|| {
        static OWN: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
        OWN.get_or_init(Engine::start)
    })
}

#[test]
fn a_declared_tool_is_one_command_in_a_container() {
    runs(Room::Container(Runtime::Runc));
}

#[test]
fn a_declared_tool_is_one_command_on_gvisor() {
    runs(Room::Container(Runtime::Runsc));
}

#[test]
fn a_declared_tool_is_one_command_in_a_jail() {
    runs(Room::Jail);
}

#[test]
fn a_command_in_a_container_leaves_nothing_for_the_next_call() {
    keeps_nothing(Room::Container(Runtime::Runc));
}

#[test]
fn a_command_in_a_jail_leaves_nothing_for_the_next_call() {
    keeps_nothing(Room::Jail);
}

#[test]
fn what_a_command_tries_to_reach_is_in_the_record_of_its_call() {
    let egress = "[[egress]]\nhost = \"web.test\"\n";
    for room in [Room::Jail, Room::Container(Runtime::Runc)] {
        let yard = Yard::open(engine(room), room, egress);
        let answer = yard.attack("dial", &json!({"to": "192.0.2.7:81"}));
        let outcome = yard.outcome();
        assert!(answer.said().starts_with("refused"), "{room:?} {}", answer.text);
        assert!(outcome.contains("192.0.2.7") && outcome.contains("\"port\":81"), "{room:?} {outcome}");
    }
}

#[test]
fn adding_a_package_shows_the_tools_that_it_declares() {
    let folder = TempDir::with_prefix("portcullis-yard-").unwrap();
    let package = jailed(folder.path(), TOOLS);
    let world = Setup::new().prepare();
    let shown = world.cli(&["tools", "add", package.to_str().unwrap(), "--yes"]).success();
    assert!(shown.contains("say") && shown.contains("Says its words."), "{shown}");
    assert!(shown.contains("say plain {text} --flag={flag}"), "{shown}");
    assert!(!shown.contains("asked for when it runs"), "{shown}");
}
