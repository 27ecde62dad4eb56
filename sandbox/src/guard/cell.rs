//! `Cell`: one sandbox in the guard, from the order to the removal of its last trace.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::engine::{EngineError, Exit, Making};
use super::network::{Listeners, Place};
use super::protocol::{Folder, NetworkOrder, Order, Runtime, Told};
use super::serve::{Gateway, Guard};
use crate::container::spec::{Bind, Spec};
use crate::egress::nft::FirewallError;
use crate::instance::hand::Lending;

/// One sandbox.
pub(super) struct Cell {
    guard: Arc<Guard>,
    gateway: Gateway,
    /// The gateway's name for it.
    id: u64,
    /// Ours: of its container, its network and its folder.
    name: String,
    order: Order,
    /// What is lent, until it is laid where the sandbox finds it.
    lent: Vec<File>,
    /// What the engine was told to make and has not said it did.
    making: Option<JoinHandle<Result<(), EngineError>>>,
    place: Option<Place>,
    interface: Option<u32>,
}

/// Why a sandbox could not be made.
#[derive(Debug, Error)]
enum CellError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{}", .0.chain())]
    Firewall(#[from] FirewallError),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("every address of the guard's `network` is taken")]
    NoPlace,
}

/// How long a sandbox may take to come up.
const MAKING: Duration = Duration::from_mins(2);

/// How often what could not be removed is tried again, and how often at most once the guard stops.
const AGAIN: Duration = Duration::from_secs(1);
const LAST_TRIES: u32 = 5;

/// Where distributions keep whom they trust.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Where the sandbox finds whom to trust, and by which names its programs look for it.
const TRUST: &str = "/etc/portcullis-trust.pem";
const TRUST_NAMES: [&str; 6] =
    ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT"];

impl Cell {
    pub(super) fn new(guard: Arc<Guard>, gateway: Gateway, id: u64, (order, lent): (Order, Vec<File>)) -> Self {
        let digits = random();
        guard.born(&digits);
        let name = format!("{}-{digits}", guard.config.name);
        Self { guard, gateway, id, name, order, lent, making: None, place: None, interface: None }
    }

    /// Its whole life. Ends when nothing is left of it.
    pub(super) async fn live(mut self, stop: CancellationToken) {
        let making = stop.run_until_cancelled(tokio::time::timeout(MAKING, self.make())).await;
        match making {
            Some(Ok(Ok(()))) => self.run(&stop).await,
            Some(Ok(Err(error))) => self.failed(error.to_string()).await,
            Some(Err(_)) => self.failed(format!("it did not come up within {} s", MAKING.as_secs())).await,
            None => {}
        }
        self.remove().await;
        self.gateway.tell(Told::Gone { id: self.id }, Vec::new()).await;
    }

    async fn failed(&self, why: String) {
        tracing::warn!(server = self.order.server, why, "a sandbox could not be made");
        self.gateway.tell(Told::Failed { id: self.id, why }, Vec::new()).await;
    }

    async fn make(&mut self) -> Result<(), CellError> {
        let engine = Arc::clone(&self.guard.engine);
        let image = engine.image(&self.order.image, self.order.digest).await?;
        let folder = self.folder();
        fs::DirBuilder::new().mode(0o711).create(&folder).map_err(system("its folder cannot be made"))?;
        let listeners = if self.order.network.is_some() { Some(self.network().await?) } else { None };
        let mut mounts = self.binds(&folder)?;
        mounts.extend(self.files(&folder)?);
        let (files, variables) = self.lent(&folder)?;
        mounts.extend(files);
        let body = self.spec(image, mounts, variables).body();
        self.whole(engine.create(&self.name, body)).await?;
        let streams = engine.attach(&self.name).await?;
        self.verify().await?;
        engine.start(&self.name).await?;
        self.hand_over(streams, listeners).await;
        Ok(())
    }

    /// Has the engine make something. Whoever waits for it may go away; it does not: what the engine makes after it was looked for,
    /// to be removed, would stay.
    async fn whole(&mut self, making: impl Making) -> Result<(), CellError> {
        let made = self.making.insert(self.guard.spawn(making)).await;
        self.making = None;
        Ok(made.map_err(|_| EngineError::Failed { what: "make anything", why: "the guard stops".to_owned() })??)
    }

    /// The rules are in force before anything can send.
    async fn network(&mut self) -> Result<Listeners, CellError> {
        let guard = Arc::clone(&self.guard);
        let place = guard.networks.place(self.digits()).ok_or(CellError::NoPlace)?;
        let (member, firewall) = (place.member(), Arc::clone(&guard.networks.firewall));
        let place = self.place.insert(place);
        blocking(move || firewall.admit(member)).await?;
        let making = guard.engine.make_network(place);
        self.whole(making).await?;
        let place = self.place.as_ref().ok_or(CellError::NoPlace)?;
        let interface = place.seal().map_err(system("its bridge cannot be sealed"))?;
        let listeners = place.listen().map_err(system("its doors cannot be opened"))?;
        self.interface = Some(interface);
        guard.watch(interface, self.id, &self.gateway);
        Ok(listeners)
    }

    async fn verify(&self) -> Result<(), CellError> {
        if self.place.is_some() {
            let firewall = Arc::clone(&self.guard.networks.firewall);
            blocking(move || firewall.verify()).await?;
        }
        Ok(())
    }

    fn spec(&self, image: String, mounts: Vec<Bind>, variables: Vec<(String, String)>) -> Spec {
        let (order, config) = (&self.order, &self.guard.config);
        let trust =
            TRUST_NAMES.iter().filter(|_| self.place.is_some()).map(|name| ((*name).to_owned(), TRUST.to_owned()));
        Spec {
            image,
            runtime: self.guard.engine.runtime(order.runtime).to_owned(),
            own_kernel: order.runtime == Runtime::Gvisor,
            command: order.command.clone(),
            environment: trust.chain(order.environment.iter().cloned()).chain(variables).collect(),
            mounts,
            user: config.user,
            memory: order.cost.memory,
            cpu: order.cost.cpu,
            processes: order.cost.processes,
            disk: order.cost.disk,
            network: self.place.as_ref().map(|place| (place.bridge.clone(), place.inside())),
            labels: self.guard.engine.labels(&order.server),
        }
    }

    async fn hand_over(&self, streams: OwnedFd, listeners: Option<Listeners>) {
        let mut fds = vec![streams];
        if let Some(Listeners { udp, dns, edge }) = listeners {
            fds.extend([udp.into(), dns.into(), edge.into()]);
        }
        let address: Option<Ipv4Addr> = self.place.as_ref().map(Place::inside);
        self.gateway.tell(Told::Started { id: self.id, address }, fds).await;
    }

    /// Until it ends, or is to end.
    async fn run(&self, stop: &CancellationToken) {
        let Some(ended) = stop.run_until_cancelled(self.guard.engine.ended(&self.name)).await else { return };
        // An engine that went away took the container with it, or will: nothing of it is used again.
        let Exit { code, out_of_memory } = ended.unwrap_or(Exit { code: -1, out_of_memory: false });
        self.gateway.tell(Told::Ended { id: self.id, code, out_of_memory }, Vec::new()).await;
    }

    /// Removes everything, as often as it takes: what an engine that is away still has, it has when it comes back.
    async fn remove(&mut self) {
        if let Some(making) = self.making.take() {
            // However it ended: what is there is removed.
            drop(making.await);
        }
        let mut tries = 0;
        while let Err(error) = self.try_remove().await {
            tries += 1;
            if self.guard.stopping() && tries >= LAST_TRIES {
                tracing::error!(sandbox = self.name, %error, "a sandbox is left behind; the next guard removes it");
                return;
            }
            tracing::warn!(sandbox = self.name, %error, "a sandbox could not be removed; it is tried again");
            tokio::time::sleep(AGAIN).await;
        }
        if let Some(interface) = self.interface.take() {
            self.guard.unwatch(interface);
        }
        self.place = None;
        self.guard.gone(self.digits());
    }

    /// What its names end with.
    fn digits(&self) -> &str {
        self.name.rsplit('-').next().unwrap_or_default()
    }

    async fn try_remove(&self) -> Result<(), CellError> {
        let engine = &self.guard.engine;
        engine.remove(&self.name).await?;
        if let Some(place) = &self.place {
            let (member, firewall) = (place.member(), Arc::clone(&self.guard.networks.firewall));
            blocking(move || firewall.dismiss(&member)).await?;
            engine.remove_network(&place.bridge).await?;
        }
        remove_folder(&self.folder()).map_err(system("its folder cannot be removed"))
    }

    fn folder(&self) -> PathBuf {
        self.guard.config.folder.join(&self.name)
    }

    /// The declared folders, each mounted where only root can change what it is: a path below a folder of the gateway's user could
    /// be swapped for a link between the check and the engine's mount.
    fn binds(&self, folder: &Path) -> Result<Vec<Bind>, CellError> {
        let bind = |(number, declared): (usize, &Folder)| {
            let host = folder.join(format!("folder-{number}"));
            pin(&declared.host, &host).map_err(system("a folder cannot be mounted"))?;
            Ok(Bind { host, at: declared.at.clone(), writable: declared.writable })
        };
        self.order.folders.iter().enumerate().map(bind).collect()
    }

    /// What is lent: each file in memory, for the sandbox's user alone, until the sandbox is removed. A variable cannot be set
    /// but through the engine, which shows it to whoever may ask it.
    fn lent(&mut self, folder: &Path) -> Result<Lent, CellError> {
        let (mut binds, mut variables) = (Vec::new(), Vec::new());
        if self.lent.is_empty() {
            return Ok((binds, variables));
        }
        let memory = folder.join("lent");
        fs::create_dir(&memory).map_err(system("a place for what is lent cannot be made"))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let options = Some("size=1m,nr_inodes=64,mode=0711,noswap");
        let mounted = mount(Some("tmpfs"), &memory, Some("tmpfs"), flags, options);
        // Older kernels do not know `noswap`.
        let plain = || mount(Some("tmpfs"), &memory, Some("tmpfs"), flags, Some("size=1m,nr_inodes=64,mode=0711"));
        mounted.or_else(|_| plain()).map_err(io::Error::from).map_err(system("memory cannot be mounted"))?;
        let lent = std::mem::take(&mut self.lent);
        for (number, (lending, mut file)) in self.order.lent.iter().zip(lent).enumerate() {
            let laid = match lending {
                Lending::File { at } => {
                    let host = memory.join(number.to_string());
                    let at = at.display().to_string();
                    lay(&host, &mut file, self.guard.config.user)
                        .map(|()| binds.push(Bind { host, at, writable: false }))
                }
                Lending::Variable { name } => {
                    let mut value = String::new();
                    file.read_to_string(&mut value).map(|_| variables.push((name.clone(), value)))
                }
            };
            laid.map_err(system("what is lent cannot be laid out"))?;
        }
        Ok((binds, variables))
    }

    /// Its resolver's address, and whom to trust. Without a network it has an empty one: the engine would put the host's there.
    fn files(&self, folder: &Path) -> Result<Vec<Bind>, CellError> {
        let write = |name: &str, at: &str, text: &str| {
            let host = folder.join(name);
            fs::write(&host, text).map_err(system("its files cannot be written"))?;
            Ok::<_, CellError>(Bind { host, at: at.to_owned(), writable: false })
        };
        let resolver =
            self.place.as_ref().map(|place| format!("nameserver {}\noptions timeout:2 attempts:1\n", place.door()));
        let mut files = vec![write("resolv.conf", "/etc/resolv.conf", &resolver.unwrap_or_default())?];
        if let Some(NetworkOrder { authority }) = &self.order.network {
            let trusted = TRUSTED.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
            files.push(write("trust.pem", TRUST, &format!("{trusted}\n{authority}\n"))?);
        }
        Ok(files)
    }
}

type Lent = (Vec<Bind>, Vec<(String, String)>);

fn lay(host: &Path, lent: &mut File, user: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(host)?;
    io::copy(lent, &mut file)?;
    std::os::unix::fs::fchown(&file, Some(user), Some(user))
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> CellError {
    move |source| CellError::System { what, source }
}

fn random() -> String {
    let mut bytes = [0; 4];
    // Without randomness there is still a number that no container has: names are unique to the engine.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the system gives no randomness");
    }
    format!("{:08x}", u32::from_be_bytes(bytes))
}

/// Mounts a folder at a place of ours, by what it is and not by what its path says later.
fn pin(folder: &Path, at: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)?;
    fs::create_dir(at)?;
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    mount(Some(source.as_str()), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    Ok(())
}

/// Removes a sandbox's folder; what is mounted in it is let go, not emptied.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            // Until there is nothing mounted any more: EINVAL.
            while umount2(&path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).is_ok() {}
            // Never recursively: were it still mounted, it would be somebody's folder.
            fs::remove_dir(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    fs::remove_dir(folder)
}
