//! What this machine lacks for a jail.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::ABI;
use nix::unistd::geteuid;

use super::walls;

/// What this kernel and user lack for a jail, each in one sentence with what to do. What begins with "no jail" cannot be
/// done without.
#[must_use]
pub fn lacks() -> Vec<String> {
    let mut lacks = Vec::new();
    if !Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() {
        lacks.push("no jail: the kernel has no seccomp filters; use one with CONFIG_SECCOMP_FILTER".to_owned());
    }
    if !geteuid().is_root() {
        lacks.extend(namespaces());
        let memory = "a jail's memory is watched, not bounded by the kernel, since control groups are root's";
        lacks.push(memory.to_owned());
    }
    match walls::version() {
        None => lacks.push(
            "a jail has no second wall: the kernel has no Landlock; use 5.13 or newer with `landlock` in `lsm=`"
                .to_owned(),
        ),
        Some(version) if version < ABI::V6 => lacks.push(
            "a jail's second wall is an older one: kernel 6.12 or newer has all of Landlock that is known here"
                .to_owned(),
        ),
        Some(_) => {}
    }
    if nft().is_none() {
        lacks.push(
            "what a jailed program sends elsewhere than it may fails and is not recorded: install nftables".to_owned(),
        );
    }
    lacks
}

/// The version of Landlock's interface.
#[must_use]
pub fn landlock() -> Option<u32> {
    walls::version().map(|version| version as u32)
}

/// Whether anyone may make user namespaces.
fn namespaces() -> Option<String> {
    let number = |file: &str| fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Some("no jail: user namespaces are off; sysctl user.max_user_namespaces=10000".to_owned());
    }
    if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Some("no jail: only root may make namespaces; sysctl kernel.unprivileged_userns_clone=1".to_owned());
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "no jail: AppArmor keeps namespaces from programs without a profile; give portcullis one with `userns,`"
                .to_owned(),
        );
    }
    None
}

/// The program that makes firewall rules. It runs in the jail's network before the tool does.
pub(super) fn nft() -> Option<PathBuf> {
    ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"].map(PathBuf::from).into_iter().find(|path| path.is_file())
}
