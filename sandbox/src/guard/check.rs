//! What the guard's config holds, and what it does not: each order is checked against it before anything is made.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{GuardConfig, plain};
use super::protocol::{Folder, Order, Runtime};
use crate::instance::hand::Lending;

/// The longest command line, environment, and list of folders.
const WORDS: usize = 64 << 10;
const FOLDERS: usize = 32;

/// As many open files come with one message.
const LENT: usize = super::wire::FDS;

/// The least memory of a container: engines refuse less than 6 MiB.
const MEMORY: u64 = 8 << 20;

impl GuardConfig {
    /// Whether an order is within the config.
    ///
    /// # Errors
    /// With a sentence that says what is not.
    pub(super) fn allows(&self, order: &Order) -> Result<(), String> {
        self.image(order)?;
        self.runs(order.runtime)?;
        let cost = &order.cost;
        if cost.memory < MEMORY || cost.memory > self.memory_mib << 20 || cost.disk > self.memory_mib << 20 {
            return Err(format!(
                "memory and scratch space of {} and {} bytes are not within 8 to {} MiB",
                cost.memory, cost.disk, self.memory_mib
            ));
        }
        if cost.processes == 0 || cost.processes > self.processes || cost.cpu == 0 || cost.cpu > 64_000 {
            return Err(format!("{} processes are not within 1 to {}", cost.processes, self.processes));
        }
        let environment = order.environment.iter().map(|(name, value)| name.len() + value.len());
        let words: usize = order.command.iter().map(String::len).chain(environment).sum();
        let named = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
        if words > WORDS || !order.environment.iter().all(|(name, _)| named(name)) || !label(&order.server) {
            return Err("the command line, the environment or the name is not usable".to_owned());
        }
        let named = |lending: &Lending| match lending {
            Lending::File { at } => is_free(at) && !order.folders.iter().any(|folder| at.starts_with(&folder.at)),
            Lending::Variable { name } => !name.is_empty() && !name.contains(['=', '\0']),
        };
        if order.lent.len() > LENT || !order.lent.iter().all(named) {
            return Err("what is lent cannot be put there inside a container".to_owned());
        }
        if order.folders.len() > FOLDERS {
            return Err(format!("more than {FOLDERS} folders"));
        }
        order.folders.iter().try_for_each(|folder| self.folder(folder))
    }

    /// Whether containers may have this kernel.
    ///
    /// # Errors
    /// With a sentence, where not.
    pub(super) fn runs(&self, runtime: Runtime) -> Result<(), String> {
        if self.runtimes.contains(&runtime) {
            return Ok(());
        }
        Err(match runtime {
            Runtime::Runc => "containers on the host's kernel (`runc`) are not in the guard's `runtimes`".to_owned(),
            Runtime::Gvisor => "gVisor is not in the guard's `runtimes`".to_owned(),
        })
    }

    fn image(&self, order: &Order) -> Result<(), String> {
        let held = plain(&order.image) && self.images.iter().any(|images| order.image.starts_with(images));
        if !held {
            return Err(format!("the image {} is not below a folder of the guard's `images`", order.image.display()));
        }
        match &self.digests {
            Some(digests) if !digests.contains(&order.digest) => {
                Err(format!("the image {} is not in the guard's `digests`", order.digest))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn folder(&self, folder: &Folder) -> Result<(), String> {
        let refused = |why: &str| Err(format!("the folder {} {why}", folder.host.display()));
        let at = Path::new(&folder.at);
        if !is_free(at) || folder.at.contains(['\0', '\n']) {
            return refused("cannot be put there inside a container");
        }
        let grants = |path: &Path| {
            self.folders.iter().any(|grant| path.starts_with(&grant.path) && (grant.writable || !folder.writable))
        };
        if !plain(&folder.host) || !grants(&folder.host) {
            return refused("is not held by a `[[folder_grant]]` of the guard's config");
        }
        let real: PathBuf = match fs::canonicalize(&folder.host) {
            Ok(real) => real,
            Err(error) => return refused(&format!("cannot be used: {}", error.kind())),
        };
        // A link would lead out of what was granted.
        if real == folder.host && real.is_dir() { Ok(()) } else { refused("is a link, or no folder") }
    }
}

/// What the container itself consists of is not to be covered.
fn is_free(at: &Path) -> bool {
    let covers = ["/", "/proc", "/sys", "/dev", "/etc", "/tmp"].map(Path::new);
    plain(at) && !covers.contains(&at) && !covers.iter().skip(1).take(3).any(|system| at.starts_with(system))
}

fn label(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use policies::Hash;

    use super::*;
    use crate::guard::protocol::{Cost, NetworkOrder};

    fn config(more: &str) -> GuardConfig {
        toml::from_str(&format!("uids = [1]\nimages = [\"/srv/images\"]\n{more}")).unwrap()
    }

    fn order() -> Order {
        Order {
            server: "notes".into(),
            image: "/srv/images/notes".into(),
            digest: Hash::of(b"x"),
            command: vec!["/tool".into()],
            environment: Vec::new(),
            folders: Vec::new(),
            lent: Vec::new(),
            runtime: Runtime::Gvisor,
            cost: Cost { memory: 64 << 20, cpu: 1000, processes: 16, disk: 1 << 20 },
            network: Some(NetworkOrder { authority: String::new() }),
        }
    }

    #[test]
    fn what_the_config_does_not_hold_is_refused() {
        let plain = config("");
        assert_eq!(plain.allows(&order()), Ok(()));
        for image in ["/srv/other", "/srv/images/../other", "srv/images", "/srv/images2/x"] {
            assert!(plain.allows(&Order { image: image.into(), ..order() }).is_err(), "{image}");
        }
        assert!(plain.allows(&Order { runtime: Runtime::Runc, ..order() }).is_err());
        assert!(config("runtimes = [\"runc\"]").allows(&order()).is_err());
        let cost = Cost { memory: 1 << 40, ..order().cost };
        assert!(plain.allows(&Order { cost, ..order() }).is_err());
        let digests = format!("digests = [\"{}\"]", Hash::of(b"y"));
        assert!(config(&digests).allows(&order()).is_err());
    }

    #[test]
    fn a_folder_is_given_only_where_it_is_granted_and_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("data")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let config = config(&format!("[[folder_grant]]\npath = \"{}\"", root.display()));
        let with = |host: PathBuf, at: &str, writable| Order {
            folders: vec![Folder { host, at: at.into(), writable }],
            ..order()
        };
        assert_eq!(config.allows(&with(root.join("data"), "/data", false)), Ok(()));
        for (host, at, writable) in [
            (root.join("data"), "/data", true),
            (root.join("link"), "/data", false),
            (root.join("data/../../etc"), "/data", false),
            ("/etc".into(), "/data", false),
            (root.join("data"), "/", false),
            (root.join("data"), "/proc/self", false),
            (root.join("data"), "/a/../b", false),
        ] {
            assert!(config.allows(&with(host.clone(), at, writable)).is_err(), "{} {at}", host.display());
        }
    }
}
