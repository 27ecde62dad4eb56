//! The kernel, and what jails need of it.

use std::fs;
use std::path::Path;

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    vec![kernel(), landlock(), namespaces(), seccomp(), jail(), clock()]
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The oldest kernel that jails were made for: Landlock came with it.
const OLDEST: (u32, u32) = (5, 13);

fn kernel() -> Check {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Check::ok("kernel", release),
        (_, _) => Check::warning("kernel", release, "jails want 5.13 or newer; Wasm tools run on any"),
    }
}

fn landlock() -> Check {
    match sandbox::probe::landlock() {
        Some(version) => Check::ok("landlock", format!("ABI {version}")),
        None => {
            Check::warning("landlock", "not there", "add `landlock` to the kernel's `lsm=`; jails have one wall less")
        }
    }
}

fn namespaces() -> Check {
    let root = rustix::process::geteuid().is_root();
    let off = read("/proc/sys/user/max_user_namespaces").as_deref() == Some("0")
        || read("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0");
    let kinds = fs::read_dir("/proc/self/ns").map_or(0, std::iter::Iterator::count);
    match (root, off) {
        (true, _) => Check::ok("namespaces", format!("{kinds} kinds, made as root")),
        (false, false) => Check::ok("namespaces", format!("{kinds} kinds, made without privileges")),
        (false, true) => Check::warning(
            "namespaces",
            "only root may make them",
            "sysctl user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1",
        ),
    }
}

fn seccomp() -> Check {
    match read("/proc/sys/kernel/seccomp/actions_avail") {
        Some(actions) if Path::new("/proc/self/status").exists() => Check::ok("seccomp", actions),
        Some(_) | None => {
            Check::warning("seccomp", "not there", "use a kernel with CONFIG_SECCOMP_FILTER; no jail without it")
        }
    }
}

fn jail() -> Check {
    let lacks = sandbox::jail::lacks();
    if lacks.is_empty() {
        return Check::ok("jail", "nothing is missing");
    }
    Check::warning("jail", format!("{} missing", lacks.len()), lacks.join("; "))
}

/// No tool, certificate or approval is older than the gateway: a clock before this is wrong.
const BUILT: i64 = 1_764_000_000;

fn clock() -> Check {
    let now = crate::clock::now();
    if now.as_second() < BUILT {
        return Check::broken("clock", now.to_string(), "set the clock: approvals and certificates end by it");
    }
    Check::ok("clock", now.to_string())
}
