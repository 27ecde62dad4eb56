//! What a jailed program sees of the machine: the system, itself with what is around it, and what it was granted.

mod around;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid};

use super::lacks::nft;
use super::outside::NOBODY;
use super::spec::{Bind, Bounds, Doorway, HOME, RESOLVER, Spec};
use crate::config::Program;
use crate::egress::Exit;
use around::Around;

/// What every program needs of the system: a folder, or a link as most systems have it.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs read of `/etc`, none of it about people or secrets. The rest is not there.
const SETTINGS: [&str; 15] = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust",
    "ca-certificates",
    "localtime",
    "timezone",
    "mime.types",
    "protocols",
    "services",
    "fonts",
];

/// Where systems keep the authorities that they trust, as one file.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Ours, with the exit's own authority, and the names by which programs are told of it.
const BUNDLE: &str = "/etc/portcullis/authorities.pem";
const TRUST: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
];

/// A whole jail for this program.
///
/// # Errors
/// With a sentence, where the program cannot be found.
pub(super) fn spec(program: &Program, exit: Option<&Exit>) -> Result<Spec, String> {
    let around = Around::of(program)?;
    let mut view = View::default();
    view.system();
    for mount in &program.resources.folders {
        view.show(Path::new(mount.folder.as_str()), Path::new(&mount.at), mount.writable)?;
    }
    for path in around.paths.iter().chain(&program.read) {
        view.read(path);
    }
    // Where the edge stands in the middle, the program must know its authority.
    let intercepted = |to: &policies::profile::Destination| to.reads_requests() || !to.pins.is_empty();
    let intercepted = program.resources.egress.iter().any(intercepted) || !program.resources.secrets.is_empty();
    let authority = exit.filter(|_| intercepted).map(Exit::authority_pem);
    Ok(Spec {
        folder: view.start(&around.folder),
        command: around.command,
        arguments: program.arguments.clone(),
        environment: environment(program, authority.is_some()),
        binds: view.binds.into_values().collect(),
        links: view.links,
        files: files(exit.is_some(), authority),
        lent: Vec::new(),
        bounds: bounds(program),
        network: exit.map(|_| doorway(program)),
    })
}

#[derive(Default)]
struct View {
    /// By where they are seen: a parent comes before what lies in it.
    binds: BTreeMap<PathBuf, Bind>,
    links: Vec<(PathBuf, PathBuf)>,
}

impl View {
    fn system(&mut self) {
        for at in SYSTEM.map(Path::new) {
            match fs::read_link(at) {
                Ok(to) => self.links.push((at.to_owned(), to)),
                Err(_) if at.is_dir() => self.add(at, at.to_owned(), false),
                Err(_) => {}
            }
        }
        for name in SETTINGS {
            self.read(&Path::new("/etc").join(name));
        }
    }

    /// What was granted by name must be there.
    fn show(&mut self, source: &Path, at: &Path, writable: bool) -> Result<(), String> {
        let found = source.canonicalize();
        let found = found.map_err(|_| format!("the folder `{}` that it was granted is not there", source.display()))?;
        self.add(at, found, writable);
        Ok(())
    }

    /// What it runs from, where it is and where it really is. What is seen already stays as it was granted.
    fn read(&mut self, path: &Path) {
        let Ok(found) = path.canonicalize() else { return };
        for at in [path, &found] {
            if !self.is_seen(at) {
                self.add(at, found.clone(), false);
            }
        }
    }

    fn add(&mut self, at: &Path, source: PathBuf, writable: bool) {
        // These are the jail's own; and everything at once is not a grant.
        if ["/", "/proc", "/dev", "/sys", "/run", "/tmp", HOME].iter().any(|own| at == Path::new(own)) {
            return;
        }
        let bind = self.binds.entry(at.to_owned()).or_insert_with(|| Bind { at: at.to_owned(), source, writable });
        bind.writable |= writable;
    }

    fn is_seen(&self, at: &Path) -> bool {
        let linked = |link: &PathBuf| at.starts_with(link);
        self.links.iter().any(|(link, _)| linked(link))
            || at.ancestors().any(|above| {
                let rest = at.strip_prefix(above).unwrap_or(at);
                self.binds
                    .get(above)
                    .is_some_and(|bind| at.canonicalize().is_ok_and(|found| found == bind.source.join(rest)))
            })
    }

    /// Where it was to start, if it can be seen.
    fn start(&self, folder: &Path) -> PathBuf {
        if self.is_seen(folder) { folder.to_owned() } else { HOME.into() }
    }
}

/// Nothing of the gateway's own environment but how programs are found and what language is spoken.
fn environment(program: &Program, intercepted: bool) -> Vec<(String, String)> {
    let inherited = ["PATH", "LANG"].into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let own = [("HOME", HOME), ("TMPDIR", "/tmp"), ("USER", "tool")].map(|(name, value)| (name.into(), value.into()));
    let trust = TRUST.iter().filter(|_| intercepted).map(|name| ((*name).to_owned(), BUNDLE.to_owned()));
    let offline = super::fetches::instead(program).filter(|_| program.resources.egress.is_empty());
    let offline = super::fetches::OFFLINE.into_iter().filter(|_| offline.is_some());
    let offline = offline.map(|(name, value)| (name.to_owned(), value.to_owned()));
    inherited.chain(own).chain(trust).chain(offline).chain(program.environment.iter().cloned()).collect()
}

/// What is not the machine's business to tell, and what must lead to the edge.
fn files(network: bool, authority: Option<&str>) -> Vec<(PathBuf, String)> {
    let (uid, gid) = if geteuid().is_root() { (NOBODY, NOBODY) } else { (geteuid().as_raw(), getegid().as_raw()) };
    let resolver =
        if network { format!("nameserver {RESOLVER}\noptions timeout:2 attempts:2\n") } else { String::new() };
    let mut files = vec![
        ("/etc/passwd".into(), format!("tool:x:{uid}:{gid}:tool:{HOME}:/bin/sh\n")),
        ("/etc/group".into(), format!("tool:x:{gid}:\n")),
        ("/etc/hosts".into(), "127.0.0.1 localhost\n::1 localhost\n".into()),
        ("/etc/nsswitch.conf".into(), "passwd: files\ngroup: files\nhosts: files dns\n".into()),
        ("/etc/resolv.conf".into(), resolver),
    ];
    if let Some(authority) = authority {
        let system = BUNDLES.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        files.push((BUNDLE.into(), format!("{system}\n{authority}")));
    }
    files
}

fn bounds(program: &Program) -> Bounds {
    let limits = &program.resources.limits;
    Bounds { memory: limits.memory, processes: limits.processes, cpu: limits.cpu, disk: limits.disk }
}

fn doorway(program: &Program) -> Doorway {
    let mut ports: Vec<u16> = program.resources.egress.iter().flat_map(|to| to.ports().to_vec()).collect();
    ports.sort_unstable();
    ports.dedup();
    // What does not fit is refused as any other port is.
    ports.truncate(super::wire::MOST - 3);
    Doorway { ports, nft: nft() }
}
