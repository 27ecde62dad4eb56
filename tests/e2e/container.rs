//! A tool in a container reaches nothing that it was not granted, under each runtime, and nothing of it stays behind, whoever is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tests::engine::{Engine, Guard, Runtime, package, runsc_current};
use tests::ledger::{Kind, Ledger};
use tests::world::{Setup, World};
use tests::{attacker, soak};

use crate::rows::{Attacked, Must, Row};

/// A gateway with the hostile tool in a container, the guard that makes it, and what the tool is after.
struct Yard<'a> {
    world: World,
    guard: Guard<'a>,
    /// Granted, to be written.
    granted: PathBuf,
    _outside: TempDir,
}

const LIMITS: &str =
    "[limits]\ntime = \"60s\"\nmemory = \"96 MiB\"\nprocesses = 32\ndisk = \"8 MiB\"\noutput = \"4 MiB\"\n";

const KEYS: &str = "vouched = true\ncall_timeout = \"60s\"\nstart_timeout = \"60s\"\n";

fn recipe() -> String {
    format!("files = [{{ from = {:?}, to = \"/hostile-tool\" }}]", attacker::tool())
}

impl<'a> Yard<'a> {
    fn open(engine: &'a Engine, runtime: Runtime, limits: &str, egress: &str) -> Self {
        let outside = TempDir::with_prefix("portcullis-yard-").unwrap();
        let root = fs::canonicalize(outside.path()).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(root.join("secret"), "the-secret").unwrap();
        let granted = root.join("granted");
        fs::create_dir(&granted).unwrap();
        fs::set_permissions(&granted, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(granted.join("mine"), "to be read").unwrap();
        let manifest = format!(
            "[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\n[[folder]]\nat = \"/data\"\nwritable = true\n{egress}\n{limits}"
        );
        let package = package(&root, "hostile", &recipe(), &manifest);
        let grant = format!("[[folder_grant]]\npath = {granted:?}\nwritable = true\n");
        let guard = Guard::start(engine, runtime, &root, &grant);
        let setup = Setup::new().allow_all().environment("GATEWAY_SECRET", "the-secret");
        let folders = format!("folders = {{ \"/data\" = {{ folder = {granted:?}, writable = true }} }}\n");
        let server = format!("[server.hostile]\npackage = {package:?}\n{folders}{KEYS}");
        let world = setup.config(&server).config(&guard.setting(runtime)).start();
        let yard = Self { world, guard, granted, _outside: outside };
        yard.ready();
        yard
    }

    fn ready(&self) {
        let end = Instant::now() + Duration::from_mins(1);
        while self.world.modern().names().len() < 20 {
            let said = (self.world.said(), self.guard.said());
            assert!(Instant::now() < end, "no tools\ngateway: {}\nguard: {}", said.0, said.1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Attacked for Yard<'_> {
    fn world(&self) -> &World {
        &self.world
    }
}

/// What holds under every runtime.
fn table() -> Vec<Row> {
    use Must::{Fail, NotSay, Say};
    let path = |path: &str| json!({ "path": path });
    let socket = |family, kind, protocol| json!({"family": family, "type": kind, "protocol": protocol});
    vec![
        ("hello", json!({}), Say("uid 65534")),
        ("read", path("/data/mine"), Say("to be read")),
        ("write", path("/data/new"), Say("written")),
        ("write", path("/tmp/new"), Say("written")),
        // The host is not there.
        ("read", path("/etc/shadow"), Fail),
        ("read", path("/data/../secret"), Fail),
        ("list", path("/var/run"), Fail),
        ("list", path("/proc/1/root/home"), Fail),
        ("connect_unix", path("/var/run/docker.sock"), Fail),
        ("connect_unix", path("/run/portcullis.sock"), Fail),
        ("environment", json!({}), NotSay("the-secret")),
        ("processes", json!({}), NotSay("serve")),
        // Its own surroundings are not to be changed.
        ("write", path("/left"), Fail),
        ("write", path("/etc/left"), Fail),
        ("write", path("/hostile-tool"), Fail),
        ("write", path("/etc/resolv.conf"), Fail),
        ("write", path("/proc/sys/kernel/core_pattern"), Fail),
        // Powers.
        ("mount", json!({}), Fail),
        ("remount", json!({}), Fail),
        ("setuid", json!({}), Fail),
        ("ptrace", json!({}), Fail),
        ("clock", json!({}), Fail),
        ("setns", json!({}), Fail),
        // Interfaces of the kernel.
        ("bpf", json!({}), Fail),
        ("userfaultfd", json!({}), Fail),
        ("kexec", json!({}), Fail),
        // Raw and packet sockets, and those of virtual machines.
        ("socket", socket(2, 3, 1), Fail),
        ("socket", socket(17, 3, 0), Fail),
        ("socket", socket(40, 1, 0), Fail),
        // Using up what others need.
        ("descriptors", json!({}), Fail),
        ("disk_fill", path("/tmp"), Fail),
        ("stderr_flood", json!({}), Say("DONE")),
        ("hello", json!({}), Say("hello")),
    ]
}

/// What holds where the filter of system calls meets the tool itself. Under gVisor it meets gVisor, and the tool meets a kernel that
/// is gVisor's own.
fn host_kernel() -> Vec<Row> {
    use Must::{Fail, Say};
    vec![
        ("capabilities", json!({}), Say("CapEff:\t0000000000000000")),
        ("capabilities", json!({}), Say("NoNewPrivs:\t1")),
        ("capabilities", json!({}), Say("Seccomp:\t2")),
        ("unshare", json!({}), Fail),
        ("clone", json!({}), Fail),
        ("clone3", json!({}), Fail),
        ("keyctl", json!({}), Fail),
        ("add_key", json!({}), Fail),
        ("io_uring", json!({}), Fail),
        ("process_vm", json!({}), Fail),
        ("perf", json!({}), Fail),
        ("personality", json!({}), Fail),
        ("inode_fill", json!({"path": "/tmp"}), Fail),
        ("fork_bomb", json!({}), Fail),
    ]
}

fn escape(runtime: Runtime) {
    let yard = Yard::open(Engine::shared(), runtime, LIMITS, "");
    let mut rows = table();
    if runtime == Runtime::Runc {
        rows.extend(host_kernel());
    }
    let wrong = yard.wrong(rows);
    assert!(wrong.is_empty(), "{runtime:?}: {wrong:#?}\n{}", yard.guard.said());
    assert!(yard.granted.join("new").exists() && !Path::new("/left").exists());
    yard.world.verify();
}

#[test]
fn a_tool_on_gvisor_gets_nowhere() {
    escape(Runtime::Runsc);
}

#[test]
fn a_tool_on_this_years_gvisor_gets_nowhere() {
    if runsc_current().is_some() {
        escape(Runtime::RunscCurrent);
    }
}

#[test]
fn a_tool_on_runc_gets_nowhere() {
    escape(Runtime::Runc);
}

/// Each ends the call with its name, in time, and the server is there again for the next.
fn over_the_limit(runtime: Runtime) {
    let limits = LIMITS.replace("60s", "5s");
    let yard = Yard::open(Engine::shared(), runtime, &limits, "");
    let rows: [(&str, &[&str]); 5] = [
        ("memory_bomb", &["out-of-memory", "crashed"]),
        ("exit", &["exited"]),
        ("crash", &["crashed", "exited"]),
        ("output_flood", &["too-large"]),
        ("sleep", &["out-of-time"]),
    ];
    let wrong = yard.unnamed(&rows, Duration::from_secs(40));
    assert!(wrong.is_empty(), "{runtime:?}: {wrong:#?}");
}

#[test]
fn going_over_a_limit_on_gvisor_is_an_outcome_with_its_name() {
    over_the_limit(Runtime::Runsc);
}

#[test]
fn going_over_a_limit_on_runc_is_an_outcome_with_its_name() {
    over_the_limit(Runtime::Runc);
}

/// Waits until nothing is left of what a guard made.
fn nothing_left(yard: &Yard<'_>, engine: &Engine) {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let (left, mounts) = (engine.left(), yard.guard.mounts());
        if left.is_empty() && mounts.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "left behind: {left:#?} {mounts:#?}\n{}", yard.guard.said());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A call that is running when somebody is killed: it comes to an end, and its record with it.
fn while_a_call_runs(yard: &mut Yard<'_>, kill: impl FnOnce(&mut Yard<'_>)) {
    let ledger = |yard: &Yard<'_>| Ledger::open(yard.world.state()).unwrap();
    let (intents, agent) = (ledger(yard).count(Kind::Intent), yard.world.modern());
    let call =
        std::thread::spawn(move || agent.try_ask("tools/call", json!({"name": "hostile.sleep", "arguments": {}})));
    yard.world.eventually("a call that runs", || (ledger(yard).count(Kind::Intent) > intents).then_some(()));
    kill(yard);
    if let Ok(answer) = call.join().unwrap() {
        assert!(!answer.ran(), "{}", answer.text);
    }
    yard.ready();
    yard.hello();
    yard.world.eventually("every record closed", || {
        let ledger = ledger(yard);
        (ledger.count(Kind::Intent) == ledger.count(Kind::Outcome)).then_some(())
    });
    yard.world.verify();
}

fn kill_gateway(yard: &mut Yard<'_>, engine: &Engine) {
    assert!(!engine.left().is_empty());
    yard.world.kill();
    // Its sandboxes go with its connection.
    nothing_left(yard, engine);
    yard.world.start();
}

fn kill_tool(engine: &Engine) {
    let names = engine.docker(&["ps", "--quiet"]);
    names.lines().for_each(|name| drop(engine.docker(&["kill", name])));
}

/// What a guard leaves, the next one finds; until then, nothing is answered.
fn kill_guard(yard: &mut Yard<'_>) {
    yard.guard.kill();
    assert!(yard.guard.rules().contains("table inet test"), "the rules stay");
    yard.world.eventually("a refusal", || (!yard.attack("hello", &json!({})).ran()).then_some(()));
    yard.guard.restart();
}

#[test]
fn nothing_is_left_behind_whoever_is_killed() {
    let engine = Engine::start();
    let mut yard = Yard::open(&engine, Runtime::Runc, LIMITS, "[[egress]]\nhost = \"web.test\"\n");
    yard.hello();
    for round in 1..=soak::times() {
        while_a_call_runs(&mut yard, |yard| kill_gateway(yard, &engine));
        while_a_call_runs(&mut yard, |_| kill_tool(&engine));
        while_a_call_runs(&mut yard, kill_guard);
        while_a_call_runs(&mut yard, |_| {
            engine.kill();
            engine.restart();
        });
        println!("round {round}: gateway, tool, guard and engine killed, each while a call ran");
    }
    yard.world.kill();
    nothing_left(&yard, &engine);
    yard.guard.stop();
    assert!(!yard.guard.rules().contains("table inet test"), "its rules go with it");
}

#[test]
fn rules_that_another_program_flushes_are_put_back() {
    let engine = Engine::start();
    let yard = Yard::open(&engine, Runtime::Runc, LIMITS, "[[egress]]\nhost = \"web.test\"\n");
    yard.hello();
    let before = yard.guard.rules();
    for _ in 0..3 {
        drop(engine.inside(&["nft", "flush", "ruleset"]).success());
        yard.world.eventually("the rules", || (yard.guard.rules() == before).then_some(()));
    }
    // Somebody else's are left alone.
    drop(engine.inside(&["nft", "add table ip others; add chain ip others c"]).success());
    drop(engine.inside(&["nft", "delete table inet test0"]));
    yard.world.eventually("the rules", || yard.guard.rules().contains("doorway").then_some(()));
    assert!(yard.guard.rules().contains("table ip others"));
}

#[test]
fn a_thousand_calls_leave_nothing_behind() {
    let engine = Engine::start();
    let mut yard = Yard::open(&engine, Runtime::Runc, LIMITS, "[[egress]]\nhost = \"web.test\"\n");
    yard.hello();
    let answered: usize = std::thread::scope(|scope| {
        let calls = || (0..20).filter(|_| yard.attack("hello", &json!({})).ran()).count();
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(answered, 1000, "{}", yard.world.said());
    yard.world.kill();
    nothing_left(&yard, &engine);
    let zombies = yard.guard.zombies();
    assert!(zombies.is_empty(), "{zombies:?}");
}

#[test]
fn the_guard_refuses_whom_and_what_its_config_does_not_hold() {
    let engine = Engine::shared();
    let folder = TempDir::with_prefix("portcullis-yard-").unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    let manifest = "[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\n[[folder]]\nat = \"/data\"\n";
    let package = package(&root, "hostile", &recipe(), manifest);
    let why = |guard: &Guard<'_>, runtime: Runtime, keys: &str| {
        let server = format!("[server.hostile]\npackage = {package:?}\n{KEYS}{keys}");
        let world = Setup::new().allow_all().config(&server).config(&guard.setting(runtime)).start();
        let told = world.eventually("a reason", || {
            let said = world.said();
            said.lines().find(|line| line.contains("server is down")).map(ToOwned::to_owned)
        });
        drop(world);
        told
    };
    // A folder that was not granted.
    let guard = Guard::start(engine, Runtime::Runc, &root, "");
    let told = why(&guard, Runtime::Runc, "folders = { \"/data\" = { folder = \"/etc\" } }\n");
    assert!(told.contains("folder_grant"), "{told}");
    // A runtime that was not allowed.
    let told = why(&guard, Runtime::Runsc, "");
    assert!(told.contains("`runtimes`"), "{told}");
    // An image from elsewhere.
    let elsewhere = Guard::start(engine, Runtime::Runc, Path::new("/nowhere"), "");
    let told = why(&elsewhere, Runtime::Runc, "");
    assert!(told.contains("`images`"), "{told}");
    // Another user.
    let others = Guard::start(engine, Runtime::Runc, &root, "uids = [12345]\n");
    let told = why(&others, Runtime::Runc, "");
    assert!(told.contains("`uids`"), "{told}");
    assert!(others.said().contains("turned away"), "{}", others.said());
    // An image that was changed after it was pinned.
    let blobs = fs::read_dir(package.join("image/blobs/sha256")).unwrap().flatten().map(|entry| entry.path());
    let layer = blobs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&layer, bytes).unwrap();
    let fresh = Engine::start();
    let strict = Guard::start(&fresh, Runtime::Runc, &root, "");
    let told = why(&strict, Runtime::Runc, "");
    assert!(told.contains("not what its digest says"), "{told}");
}
