//! Proves the block with a real attempt: a program in a sandbox that was granted nothing tries to reach this machine and the
//! world, and says who answered; and what it tried must have been noticed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use audit::Attempt;
use policies::ServerName;
use policies::profile::{Ceilings, Isolation, Resources};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use vault::Placer;

use crate::config::Program;
use crate::container::GUARD;
use crate::egress::{Egress, EgressConfig};
use crate::guard::protocol::{Reach, Runtime};
use crate::guard::visit::Visit;
use crate::instance::{Spawn as _, Spawned};
use crate::jail::Jail;

/// What a sandbox that was granted nothing tried, and what came of it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What it tried, as `tcp:198.51.100.77:80`.
    pub tried: Vec<String>,
    /// Who answered: nobody may.
    pub answered: Vec<String>,
    /// What the firewall and the edge noticed of it.
    pub noticed: Vec<String>,
}

/// What the guard says of itself.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The engine and its runtimes, in words.
    pub engine: String,
    /// What may run containers.
    pub runtimes: Vec<Isolation>,
    /// Its tables in the firewall.
    pub tables: Vec<String>,
    /// Whether their rules were what they must be, or why that is not known.
    pub rules: Result<bool, String>,
}

/// The program, as `build.rs` made it.
pub(crate) const REACH: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reach"));

/// Nobody's (RFC 5737).
const WORLD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);

/// How long a probe may take from start to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was dropped is told a moment later.
const NOTICE: Duration = Duration::from_millis(500);

impl Proof {
    /// Whether nobody answered, and each attempt was noticed.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.tried.is_empty()
            && self.answered.is_empty()
            && self.tried.iter().all(|tried| self.noticed.contains(tried))
    }
}

/// Tries it in a jail.
///
/// # Errors
/// Why it could not be tried.
pub async fn jail() -> Result<Proof, String> {
    let attempt = attempt().await?;
    let program = program().map_err(|error| format!("the probe cannot be written: {error}"))?;
    let jailed = Program {
        command: program.0.join("reach").display().to_string(),
        arguments: attempt.reach.iter().map(ToString::to_string).collect(),
        environment: Vec::new(),
        folder: None,
        jail: true,
        read: Vec::new(),
        resources: nothing(),
    };
    let jail = Jail::new(jailed, Some(Arc::clone(&attempt.egress)), attempt.tasks.clone());
    let spawned = jail.spawn(&attempt.name, &Placer::default()).await.map_err(|failure| failure.detail)?;
    attempt.prove(spawned).await
}

/// Tries it in a container that the guard makes.
///
/// # Errors
/// Why it could not be tried.
pub async fn container(socket: Option<&Path>, isolation: Isolation) -> Result<Proof, String> {
    let runtime = match isolation {
        Isolation::Gvisor => Runtime::Gvisor,
        Isolation::Runc => Runtime::Runc,
        Isolation::Wasm | Isolation::Jail | Isolation::None => return Err("it is no container".to_owned()),
    };
    let attempt = attempt().await?;
    let probing = async {
        let visit = visit(socket).await?;
        let exit = attempt.egress.exit(&attempt.name);
        visit.probe(runtime, attempt.reach.clone(), exit, &attempt.tasks).await
    };
    let spawned = tokio::time::timeout(PATIENCE, probing).await.map_err(|_| LATE)??;
    attempt.prove(spawned).await
}

/// How the guard fares.
///
/// # Errors
/// Why there is none.
pub async fn guard(socket: Option<&Path>) -> Result<Guarded, String> {
    let asking = async {
        let visit = visit(socket).await?;
        let state = visit.state().await?;
        let isolation = |runtime: &Runtime| match runtime {
            Runtime::Gvisor => Isolation::Gvisor,
            Runtime::Runc => Isolation::Runc,
        };
        let runtimes = visit.runtimes.iter().map(isolation).collect();
        Ok(Guarded { engine: state.engine, runtimes, tables: state.tables, rules: state.rules })
    };
    tokio::time::timeout(PATIENCE, asking).await.map_err(|_| LATE)?
}

const LATE: &str = "it did not answer in time";

async fn visit(socket: Option<&Path>) -> Result<Visit, String> {
    Visit::begin(socket.unwrap_or(Path::new(GUARD))).await
}

/// Everything that one attempt needs. It ends with this value.
struct Tried {
    name: ServerName,
    reach: Vec<Reach>,
    /// How often somebody knocked here.
    knocks: Arc<AtomicUsize>,
    egress: Arc<Egress>,
    tasks: TaskTracker,
    _stop: DropGuard,
}

async fn attempt() -> Result<Tried, String> {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let name = ServerName::parse("portcullis-probe").map_err(|error| error.to_string())?;
    let egress =
        Egress::new(&EgressConfig::default(), tasks.clone(), stop.clone()).map_err(|error| error.to_string())?;
    let knocks = Arc::new(AtomicUsize::new(0));
    let here = witness(&knocks, &tasks, &stop).await.map_err(|error| format!("nothing can listen here: {error}"))?;
    let mut reach = vec![Reach::Tcp(SocketAddrV4::new(WORLD, 80)), Reach::Udp(SocketAddrV4::new(WORLD, 53))];
    reach.extend(here.into_iter().flat_map(|here| [Reach::Tcp(here), Reach::Udp(here)]));
    Ok(Tried { name, reach, knocks, egress, tasks, _stop: stop.drop_guard() })
}

/// Somebody on this machine who would answer.
async fn witness(
    knocks: &Arc<AtomicUsize>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> io::Result<Option<SocketAddrV4>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let port = listener.local_addr()?.port();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let counted = (Arc::clone(knocks), Arc::clone(knocks));
    let (first, second) = (stop.clone(), stop.clone());
    tasks.spawn(async move {
        first
            .run_until_cancelled(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    counted.0.fetch_add(1, Ordering::Relaxed);
                    stream.write_all(b"here\n").await.ok();
                }
            })
            .await
    });
    tasks.spawn(async move {
        second
            .run_until_cancelled(async move {
                while let Ok((_, from)) = socket.recv_from(&mut [0; 64]).await {
                    counted.1.fetch_add(1, Ordering::Relaxed);
                    socket.send_to(b"here\n", from).await.ok();
                }
            })
            .await
    });
    Ok(own().await.map(|own| SocketAddrV4::new(own, port)))
}

/// The address by which others know this machine, if any do: nothing is sent to find out.
async fn own() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect((WORLD, 53)).await.ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) if !address.ip().is_loopback() => Some(*address.ip()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => None,
    }
}

impl Tried {
    async fn prove(&self, spawned: Spawned) -> Result<Proof, String> {
        let Spawned { streams, mut body, exit } = spawned;
        let exit = exit.ok_or("it has no network to be tried")?;
        let opening = exit.open(&nothing(), Placer::default()).map_err(|error| error.to_string())?;
        let mut said = String::new();
        let mut stdout = streams.stdout.take(64 << 10);
        let ended = tokio::time::timeout(PATIENCE, stdout.read_to_string(&mut said)).await;
        ended.map_err(|_| LATE)?.map_err(|error| format!("the probe's output cannot be read: {error}"))?;
        tokio::time::sleep(NOTICE).await;
        body.settle();
        body.end().await;
        let observed = opening.close();
        let mut proof = self.proof(&said, observed.attempts());
        if proof.tried.len() < self.reach.len() {
            return Err(format!("the probe did not run to its end: it said `{}`", said.trim()));
        }
        if self.knocks.load(Ordering::Relaxed) > 0 {
            proof.answered.push("this machine was reached".to_owned());
        }
        Ok(proof)
    }

    fn proof(&self, said: &str, seen: &[Attempt]) -> Proof {
        let (mut tried, mut answered) = (Vec::new(), Vec::new());
        for line in said.lines() {
            let Some((what, how)) = line.split_once(' ') else { continue };
            tried.push(what.to_owned());
            if how != "nobody" {
                answered.push(what.to_owned());
            }
        }
        let noticed = |reach: &&Reach| {
            let (udp, at) = match reach {
                Reach::Tcp(at) => (false, at),
                Reach::Udp(at) => (true, at),
            };
            seen.iter().any(|attempt| {
                let there = attempt.address == Some((*at.ip()).into()) && attempt.port == Some(at.port());
                there && attempt.denied.is_some() && (attempt.protocol == "udp") == udp
            })
        };
        Proof { tried, answered, noticed: self.reach.iter().filter(noticed).map(ToString::to_string).collect() }
    }
}

/// What it was granted.
fn nothing() -> Arc<Resources> {
    Arc::new(Resources {
        sandbox: Isolation::Jail,
        digest: None,
        folders: Vec::new(),
        egress: Vec::new(),
        secrets: Vec::new(),
        limits: Ceilings::default(),
    })
}

/// A folder with the program in it, where a user with few rights can start it.
struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        // What cannot be removed is a few kilobytes among other temporary files.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn program() -> io::Result<Written> {
    if REACH.is_empty() {
        return Err(io::Error::other("there is none for this processor"));
    }
    let mut random = [0; 8];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    filled.map_err(|_| io::Error::other("the system gives no randomness"))?;
    let name = format!("portcullis-probe-{:016x}", u64::from_be_bytes(random));
    let folder = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o755).create(&folder)?;
    let written = Written(folder);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(written.0.join("reach"))?;
    io::Write::write_all(&mut file, REACH)?;
    // Whatever this user's mask is, another one is to start it.
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&written.0, everyone.clone())?;
    file.set_permissions(everyone)?;
    Ok(written)
}
