//! `Internet`: a network namespace with names, servers and attackers of its own, that logs everything it is sent.
//!
//! ```text
//! host ── 198.51.100.N+1 ══ veth ══ N+2 namespace: N+3 DNS, N+4 web.test, N+5 evil.test
//! ```

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::program::{self, Program};

/// A network namespace with names, servers and attackers of its own.
pub struct Internet {
    /// The first of its sixteen addresses.
    base: Ipv4Addr,
    folder: PathBuf,
    /// Its end is the namespace's end.
    _servers: Mutex<Program>,
    /// Nobody else has these addresses while it is locked.
    _lock: File,
}

/// Addresses that nobody on the real internet has (RFC 5737), in blocks of sixteen, one for each process that tests.
const NETWORKS: [[u8; 3]; 3] = [[198, 51, 100], [203, 0, 113], [192, 0, 2]];

const SOON: Duration = Duration::from_secs(30);

/// The one of this process, made where it is first needed and gone when the process is. Needs root.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn internet() -> &'static Internet {
    static INTERNET: OnceLock<Internet> = OnceLock::new();
    INTERNET.get_or_init(Internet::start)
}

impl Internet {
    fn start() -> Self {
        let (block, lock) = claim();
        let [a, b, c] = NETWORKS[usize::from(block / 16)];
        let base = Ipv4Addr::new(a, b, c, block % 16 * 16);
        let folder = home().join(block.to_string());
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("a folder for what the servers saw");
        let (space, veth) = (format!("pcnet-{block}"), format!("pcn{block}"));
        let at = |host| Ipv4Addr::from(u32::from(base) + host);
        // What another process left that was killed: the lock says that it is gone.
        let script = format!(
            "ip netns del {space} 2>/dev/null; ip link del {veth} 2>/dev/null; set -e\n\
             ip netns add {space}\n\
             ip link add {veth} type veth peer name uplink netns {space}\n\
             ip addr add {host}/28 dev {veth}; ip link set {veth} up\n\
             ip -n {space} link set lo up; ip -n {space} link set uplink up\n\
             for address in {gateway} {dns} {web} {evil}; do ip -n {space} addr add $address/28 dev uplink; done\n\
             ip -n {space} route add default via {host}\n\
             set +e; ip netns exec {space} {server} {folder} {dns} {web} {evil} {host}\n\
             ip netns del {space}; ip link del {veth} 2>/dev/null; rm -rf {folder}",
            host = at(1),
            gateway = at(2),
            dns = at(3),
            web = at(4),
            evil = at(5),
            server = server().display(),
            folder = folder.display(),
        );
        let mut command = program::command("sh");
        command.args(["-c", &script]).stdin(Stdio::piped());
        let mut servers = Program::start(&mut command);
        assert_eq!(servers.line(SOON), "ready");
        Self { base, folder, _servers: Mutex::new(servers), _lock: lock }
    }

    fn at(&self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + host)
    }

    /// The host's own address on the way there.
    #[must_use]
    pub fn host(&self) -> Ipv4Addr {
        self.at(1)
    }

    /// Who knows its names.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        (self.at(3), 53).into()
    }

    /// Where `web.test`, everything below it, and `cdn.test` are: HTTP at 80, HTTPS at 443, echoes at TCP 7 and UDP 7.
    #[must_use]
    pub fn web(&self) -> Ipv4Addr {
        self.at(4)
    }

    /// Where `evil.test` and everything below it are: the same, and a resolver of its own.
    #[must_use]
    pub fn evil(&self) -> Ipv4Addr {
        self.at(5)
    }

    /// The certificate (PEM) of the authority that signed its servers'.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The `[egress]` table of a gateway that lives in it.
    #[must_use]
    pub fn config(&self) -> String {
        format!("[egress]\nresolvers = [\"{}\"]\nauthorities = [\"{}\"]\n", self.resolver(), self.authority().display())
    }

    /// Every line of what its servers saw in which a word stands. Words of one test keep it apart from others.
    #[must_use]
    pub fn saw(&self, word: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
    }

    /// The same, once there is such a line.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    #[track_caller]
    pub fn sees(&self, word: &str) -> Vec<String> {
        let end = Instant::now() + SOON;
        loop {
            let seen = self.saw(word);
            if !seen.is_empty() {
                return seen;
            }
            assert!(Instant::now() < end, "no server saw `{word}`");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn home() -> &'static Path {
    Path::new("/run/portcullis-internet")
}

/// Takes a block of addresses that nobody uses.
fn claim() -> (u8, File) {
    fs::create_dir_all(home()).expect("the tests run as root");
    for block in 0..48 {
        let file = File::options().create(true).append(true).open(home().join(format!("{block}.lock")));
        let file = file.expect("a lock file");
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return (block, file);
        }
    }
    panic!("48 other processes test on this machine");
}

/// The program that stands beside the tests.
fn server() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let folder = own.ancestors().find(|folder| folder.join("internet-server").exists());
    folder.expect("`internet-server` is built with the tests").join("internet-server")
}
