//! A jailed tool server reaches nothing that it was not granted, and whatever it does ends in an outcome with a name.
//!
//! Each row of the table is an attack of `hostile-tool` through a real gateway; the whole table runs twice, with a gateway that
//! is root and with one that is nobody in particular.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::components;
use tests::world::{Setup, World};
use tests::{attacker, program};

use crate::rows::{Attacked, Must, Row};

/// Who runs the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Root, as in CI; the test's own user where that is somebody else.
    Own,
    /// A user without any privilege.
    Nobody,
}

/// A user that owns nothing.
const UID: &str = "54321";

const KEYS: &str = "vouched = true\ncall_timeout = \"60s\"\n\
    limits = { memory = \"192 MiB\", processes = 32, disk = \"8 MiB\" }\n";

/// A gateway with the hostile tool in a jail, and around it what the tool is after.
struct Yard {
    world: World,
    /// Secrets, another tool's folder and somebody's socket; not granted.
    outside: TempDir,
    /// Granted, to be written.
    granted: PathBuf,
    _socket: UnixListener,
}

impl Yard {
    fn open(who: Who, keys: &str) -> Self {
        let outside = TempDir::with_prefix("portcullis-yard-").unwrap();
        let at = |name: &str| outside.path().join(name);
        let granted = at("granted");
        for folder in ["granted", "other", "bin"] {
            fs::create_dir(at(folder)).unwrap();
        }
        fs::write(at("secret"), "the-secret").unwrap();
        fs::write(at("other/notes"), "the-secret").unwrap();
        fs::write(granted.join("mine"), "to be read").unwrap();
        fs::copy(attacker::tool(), at("bin/hostile-tool")).unwrap();
        let socket = UnixListener::bind(at("engine.sock")).unwrap();
        open_to_all(outside.path());
        let folder = Value::from(granted.to_str().unwrap());
        let folders = format!("folders = {{ {folder} = {{ folder = {folder}, writable = true }} }}\n");
        let tool = at("bin/hostile-tool");
        let setup = Setup::new().allow_all().environment("GATEWAY_SECRET", "the-secret");
        let setup = setup.command_with("hostile", &[tool.to_str().unwrap()], &format!("{folders}{keys}"));
        let world = start(setup, who, outside.path());
        world.eventually("the tools", || (world.modern().names().len() > 20).then_some(()));
        Self { world, outside, granted, _socket: socket }
    }

    fn at(&self, name: &str) -> String {
        self.outside.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Attacked for Yard {
    fn world(&self) -> &World {
        &self.world
    }
}

/// Every user may walk and read here, and write where it is granted.
fn open_to_all(folder: &Path) {
    drop(program::run(program::command("chmod").args(["-R", "a+rwX"]).arg(folder), Duration::from_secs(10)).success());
}

fn start(setup: Setup, who: Who, folder: &Path) -> World {
    if who == Who::Own || !rustix::process::geteuid().is_root() {
        return setup.start();
    }
    // The binary and the state folder must be within this user's reach.
    let binary = folder.join("bin/portcullis");
    let script = format!(
        "{{ [ -e {0} ] || cp \"$1\" {0}; }} && chmod 755 {0} && chown -R {UID}:{UID} . && shift && \
         exec setpriv --reuid={UID} --regid={UID} --clear-groups --inh-caps=-all {0} \"$@\"",
        binary.display()
    );
    setup.wrapped(&["sh", "-c", &script, "sh"]).start()
}

fn table(yard: &Yard) -> Vec<Row> {
    use Must::{Fail, NotSay, Say};
    let path = |name: &str| json!({ "path": yard.at(name) });
    let socket = |family, kind, protocol| json!({"family": family, "type": kind, "protocol": protocol});
    let granted = yard.granted.to_str().unwrap();
    let link = |to: &str| json!({"at": format!("{granted}/link"), "to": yard.at(to)});
    vec![
        ("read", json!({"path": format!("{granted}/mine")}), Say("to be read")),
        ("write", json!({"path": format!("{granted}/new")}), Say("written")),
        // Files that it was not granted: the host's, another tool's, and its own surroundings.
        ("read", path("secret"), Fail),
        ("read", path("other/notes"), Fail),
        ("list", path("other"), Fail),
        ("read", json!({"path": "/etc/shadow"}), Fail),
        ("read", json!({"path": yard.world.state().join("portcullis.db")}), Fail),
        ("read", json!({"path": format!("{granted}/../secret")}), Fail),
        ("list", json!({"path": "/proc/1/root"}), Fail),
        ("list", json!({"path": "/proc/self/root/../../.."}), NotSay("root")),
        ("write", json!({"path": "/usr/left"}), Fail),
        ("write", json!({"path": "/etc/left"}), Fail),
        ("write", json!({"path": "/left"}), Fail),
        ("write", json!({"path": yard.at("bin/hostile-tool")}), Fail),
        ("write", json!({"path": "/proc/sys/kernel/core_pattern"}), Fail),
        ("symlink", link("secret"), Fail),
        ("hardlink", link("secret"), Fail),
        ("race", json!({"at": granted, "to": yard.outside.path()}), Fail),
        // What the gateway knows, and whoever else runs.
        ("environment", json!({}), NotSay("the-secret")),
        ("processes", json!({}), NotSay("serve")),
        ("read_init", json!({}), Fail),
        ("ptrace", json!({}), Fail),
        ("process_vm", json!({}), Fail),
        ("connect_unix", path("engine.sock"), Fail),
        ("connect_unix", json!({"path": "/var/run/docker.sock"}), Fail),
        // Powers.
        ("mount", json!({}), Fail),
        ("remount", json!({}), Fail),
        ("setuid", json!({}), Fail),
        ("capabilities", json!({}), Say("CapEff:\t0000000000000000")),
        ("capabilities", json!({}), Say("NoNewPrivs:\t1")),
        ("capabilities", json!({}), Say("Seccomp:\t2")),
        ("unshare", json!({}), Fail),
        ("clone", json!({}), Fail),
        ("clone3", json!({}), Fail),
        ("setns", json!({}), Fail),
        ("clock", json!({}), Fail),
        ("personality", json!({}), Fail),
        ("x32", json!({}), Fail),
        // Interfaces of the kernel.
        ("bpf", json!({}), Fail),
        ("keyctl", json!({}), Fail),
        ("add_key", json!({}), Fail),
        ("userfaultfd", json!({}), Fail),
        ("io_uring", json!({}), Fail),
        ("perf", json!({}), Fail),
        ("kexec", json!({}), Fail),
        // Sockets: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK; raw ones, and ICMP.
        ("socket", socket(1, 1, 0), Fail),
        ("socket", socket(2, 1, 0), Fail),
        ("socket", socket(2, 2, 0), Fail),
        ("socket", socket(2, 3, 1), Fail),
        ("socket", socket(2, 2, 1), Fail),
        ("socket", socket(10, 1, 0), Fail),
        ("socket", socket(16, 3, 0), Fail),
        ("socket", socket(17, 3, 0), Fail),
        ("socket", socket(40, 1, 0), Fail),
        ("socketpair_dgram", json!({}), Fail),
        // Using up what others need.
        ("descriptors", json!({}), Fail),
        ("fork_bomb", json!({}), Fail),
        ("disk_fill", json!({"path": "/tmp"}), Fail),
        ("disk_fill", json!({"path": "/dev/shm"}), Fail),
        ("inode_fill", json!({"path": "/tmp"}), Fail),
        ("stderr_flood", json!({}), Say("DONE")),
        ("hello", json!({}), Say("hello")),
    ]
}

fn escape(who: Who) {
    let yard = Yard::open(who, KEYS);
    let wrong = yard.wrong(table(&yard));
    assert!(wrong.is_empty(), "{who:?}: {wrong:#?}");
    assert!(!Path::new("/usr/left").exists() && !Path::new("/left").exists());
    yard.world.verify();
}

#[test]
fn a_tool_in_the_jail_of_roots_gateway_gets_nowhere() {
    escape(Who::Own);
}

#[test]
fn a_tool_in_the_jail_of_a_gateway_without_privileges_gets_nowhere() {
    escape(Who::Nobody);
}

/// Each ends the call with its name, in time, and the server is there again for the next.
fn over_the_limit(who: Who) {
    let keys = KEYS.replace("60s", "15s").replace("disk =", "output = \"1 MiB\", disk =");
    let yard = Yard::open(who, &keys);
    let rows: [(&str, &[&str]); 5] = [
        ("memory_bomb", &["out-of-memory"]),
        ("exit", &["exited"]),
        ("crash", &["exited"]),
        ("output_flood", &["too-large"]),
        ("sleep", &["out-of-time"]),
    ];
    let wrong = yard.unnamed(&rows, Duration::from_secs(30));
    assert!(wrong.is_empty(), "{who:?}: {wrong:#?}");
}

#[test]
fn going_over_a_limit_is_an_outcome_with_its_name() {
    over_the_limit(Who::Own);
}

#[test]
fn going_over_a_limit_is_an_outcome_with_its_name_without_privileges_too() {
    over_the_limit(Who::Nobody);
}

/// With a way out as well as without: nothing but the edge is there, and it knows what was tried.
fn attempts(who: Who) {
    let yard = Yard::open(who, &format!("{KEYS}egress = [\"api.example.com\"]\n"));
    let mut wrong = Vec::new();
    for (tool, to, protocol, address, port) in [
        ("dial", "192.0.2.7:81", "tcp", "192.0.2.7", 81),
        ("dial", "[2001:db8::7]:443", "tcp", "2001:db8::7", 443),
        ("dial", "127.0.0.1:8700", "tcp", "127.0.0.1", 8700),
        ("datagram", "192.0.2.8:53", "udp", "192.0.2.8", 53),
        ("datagram", "[2001:db8::8]:443", "udp", "2001:db8::8", 443),
    ] {
        let answer = yard.attack(tool, &json!({ "to": to }));
        let outcome = yard.outcome();
        let told = [&format!("\"{protocol}\""), &format!("\"{address}\""), &format!("\"port\":{port}")];
        if !answer.said().starts_with("refused") || !told.iter().all(|part| outcome.contains(part.as_str())) {
            wrong.push(format!("{tool} {to}: {} {outcome}", answer.text));
        }
    }
    for (family, kind, protocol) in [(1, 1, 0), (2, 3, 1), (2, 2, 1), (10, 2, 58), (16, 3, 0), (17, 3, 0), (40, 1, 0)] {
        let answer = yard.attack("socket", &json!({"family": family, "type": kind, "protocol": protocol}));
        if !answer.said().starts_with("refused") {
            wrong.push(format!("socket {family} {kind} {protocol}: {}", answer.text));
        }
    }
    assert!(wrong.is_empty(), "{who:?}: {wrong:#?}");
}

#[test]
fn what_a_jailed_tool_tries_to_reach_is_refused_and_in_the_record_of_its_call() {
    attempts(Who::Own);
}

#[test]
fn what_a_jailed_tool_tries_to_reach_is_in_the_record_without_privileges_too() {
    attempts(Who::Nobody);
}

/// Processes whose command line has this in it.
fn running(mark: &str) -> Vec<String> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let lines = folders.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(mark)).collect()
}

#[test]
fn a_killed_gateway_leaves_no_process_and_no_control_group_behind() {
    for who in [Who::Own, Who::Nobody] {
        let mut yard = Yard::open(who, KEYS);
        let mark = format!("{who:?}-{}", std::process::id());
        assert!(yard.attack("double_fork", &json!({ "mark": mark })).said().starts_with("DONE"));
        let tool = yard.at("bin/hostile-tool");
        let gateway = yard.world.id();
        assert_eq!((running(&mark).len(), !running(&tool).is_empty()), (1, true), "{:?}", running(&mark));
        yard.world.kill();
        yard.world.eventually("the end of everything in the jail", || {
            (running(&mark).is_empty() && running(&tool).iter().all(|line| line.contains("serve"))).then_some(())
        });
        let groups = Path::new("/sys/fs/cgroup/memory/portcullis");
        let ours = format!("{gateway}-");
        yard.world.eventually("the end of its control groups", || {
            let left = fs::read_dir(groups).map_or(0, |groups| {
                groups.flatten().filter(|group| group.file_name().to_string_lossy().starts_with(&ours)).count()
            });
            (left == 0).then_some(())
        });
    }
}

#[test]
fn a_server_that_forks_away_and_ends_takes_its_children_with_it() {
    let yard = Yard::open(Who::Own, KEYS);
    let mark = format!("away-{}", std::process::id());
    assert!(yard.attack("double_fork", &json!({ "mark": mark })).said().starts_with("DONE"));
    assert_eq!(running(&mark).len(), 1);
    assert!(!yard.attack("exit", &json!({})).ran());
    yard.world.eventually("the end of what was left behind", || running(&mark).is_empty().then_some(()));
}

#[test]
fn a_call_that_is_given_up_ends_what_it_ran_in_within_a_second() {
    let yard = Yard::open(Who::Own, &KEYS.replace("60s", "1s"));
    for tool in ["sleep", "spin", "stubborn"] {
        yard.world.eventually("the tool", || yard.attack("hello", &json!({})).ran().then_some(()));
        let path = yard.at("bin/hostile-tool");
        let before = programs(&path);
        assert_eq!(before.len(), 1, "{before:?}");
        assert!(!yard.attack(tool, &json!({})).ran());
        let given_up = Instant::now();
        yard.world.eventually("its end", || programs(&path).iter().all(|id| !before.contains(id)).then_some(()));
        assert!(given_up.elapsed() < Duration::from_secs(1), "{tool} went on for {:?}", given_up.elapsed());
    }
}

/// The ids of processes that run this program.
fn programs(path: &str) -> Vec<String> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let runs = |entry: &fs::DirEntry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).next() == Some(path.as_bytes()))
    };
    folders.filter(runs).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn npx_runs_an_installed_server_in_the_jail_without_any_network() {
    let folder = components::folder().to_str().unwrap();
    let (path, node) = (components::search_path(), components::node());
    // Node as a wheel has it: its npm lies beside it.
    let real = Path::new(&node).canonicalize().unwrap();
    let npx = real.ancestors().nth(2).unwrap().join("lib/node_modules/npm/bin/npx-cli.js");
    let keys = format!("vouched = true\ncwd = {folder:?}\nenv = {{ PATH = {path:?} }}\nstart_timeout = \"60s\"");
    let command = [&node, npx.to_str().unwrap(), "-y", "@modelcontextprotocol/server-everything"];
    let world = Setup::new().allow_all().command_with("everything", &command, &keys).start();
    world.eventually("the tools", || world.modern().names().contains(&"everything.echo".to_owned()).then_some(()));
    let answer = world.modern().call("everything.echo", &json!({"message": "from inside"}));
    assert!(answer.said().contains("from inside"), "{}", answer.text);
}

#[test]
fn a_server_that_would_have_to_be_fetched_says_what_to_do_instead() {
    let (path, node) = (components::search_path(), components::node());
    let real = Path::new(&node).canonicalize().unwrap();
    let npx = real.ancestors().nth(2).unwrap().join("lib/node_modules/npm/bin/npx-cli.js");
    let keys = format!("vouched = true\nenv = {{ PATH = {path:?} }}\nstart_timeout = \"60s\"");
    let command = [&node, npx.to_str().unwrap(), "-y", "@example/never-installed"];
    let world = Setup::new().allow_all().command_with("fetched", &command, &keys).start();
    let told = world.eventually("a reason", || {
        let list = world.cli(&["tools", "list"]).stdout;
        list.contains("down").then(|| world.said())
    });
    assert!(told.contains("npm install --prefix FOLDER PACKAGE") && told.contains("no network"), "{told}");
    // An agent that calls it all the same is told, too.
    assert!(world.modern().names().is_empty());
}
