//! The system calls that a jailed program can make, and those that it cannot.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::spec::{Step, Stuck};

/// Refused whatever they are asked: other processes, other namespaces, mounts, the kernel itself, and interfaces whose own
/// faults have let programs out before.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_nfsservctl,
    libc::SYS_memfd_secret,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
];

/// Numbers from 0 to this one were there before kernel 5.1, which went on at [`NEWER`].
#[cfg(target_arch = "x86_64")]
const OLDER: i64 = 334;
#[cfg(not(target_arch = "x86_64"))]
const OLDER: i64 = 293;

/// Those that were known when this was written, `pidfd_send_signal` to `mseal`. What newer kernels add is not there until
/// somebody has looked at it, and neither is another numbering (x32) of the same calls.
const NEWER: std::ops::RangeInclusive<i64> = 424..=462;

/// Puts the filters on this thread and all that come after it. There is no way back.
pub(super) fn apply(sockets: bool) -> Result<(), Stuck> {
    // First the one that says "not there": where both refuse, the later one's word counts.
    for filter in [known()?, refused(sockets)?] {
        seccompiler::apply_filter(&filter).step("the filter of system calls")?;
    }
    Ok(())
}

/// Everything known is there; `clone3` is not, since a filter cannot see what it is asked for.
fn known() -> Result<BpfProgram, Stuck> {
    let numbers = (0..=OLDER).chain(NEWER).filter(|number| *number != libc::SYS_clone3);
    let rules = numbers.map(|number| (number, Vec::new())).collect();
    program(rules, errno(libc::ENOSYS), SeccompAction::Allow)
}

fn refused(sockets: bool) -> Result<BpfProgram, Stuck> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|number| (*number, Vec::new())).collect();
    rules.insert(libc::SYS_clone, namespaces()?);
    rules.insert(libc::SYS_socket, if sockets { families()? } else { Vec::new() });
    rules.insert(libc::SYS_socketpair, pairs()?);
    rules.insert(libc::SYS_personality, personalities()?);
    // What is typed into a terminal that someone else reads.
    rules.insert(libc::SYS_ioctl, vec![rule([equal(1, libc::TIOCSTI)])?, rule([equal(1, TIOCLINUX)])?]);
    program(rules, SeccompAction::Allow, errno(libc::EPERM))
}

const TIOCLINUX: libc::Ioctl = 0x541C;

/// A child in namespaces of its own, where it would be root.
fn namespaces() -> Result<Vec<SeccompRule>, Stuck> {
    let flags = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    flags.into_iter().map(|flag| rule([masked(0, word(flag), word(flag))])).collect()
}

/// Only streams and datagrams of the internet: no packets made by hand, no `AF_UNIX` (Landlock does not keep it from
/// another's socket), no netlink, no VSOCK.
fn families() -> Result<Vec<SeccompRule>, Stuck> {
    let other = rule([unlike(0, libc::AF_INET), unlike(0, libc::AF_INET6)]);
    let kinds = (0..=KIND).filter(|kind| ![libc::SOCK_STREAM, libc::SOCK_DGRAM].map(word).contains(kind));
    // A datagram socket for ICMP is one that pings.
    let ping = |protocol| rule([equal(2, protocol)]);
    let named = [other, ping(libc::IPPROTO_ICMP), ping(libc::IPPROTO_ICMPV6)].into_iter();
    kinds.map(|kind| rule([masked(1, KIND, kind)])).chain(named).collect()
}

/// The type's own bits, beside which flags stand.
const KIND: u64 = 0xf;

/// A pair whose ends know only each other; one for datagrams can be pointed elsewhere.
fn pairs() -> Result<Vec<SeccompRule>, Stuck> {
    let kinds = (0..=KIND).filter(|kind| ![libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(word).contains(kind));
    kinds.map(|kind| rule([masked(1, KIND, kind)])).chain([rule([unlike(0, libc::AF_UNIX)])]).collect()
}

/// The usual one, and asking which it is.
fn personalities() -> Result<Vec<SeccompRule>, Stuck> {
    Ok(vec![rule([unlike(0, 0), unlike(0, -1)])?])
}

fn word(value: libc::c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

fn rule(conditions: impl IntoIterator<Item = Result<SeccompCondition, Stuck>>) -> Result<SeccompRule, Stuck> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?).step("a rule of the filter")
}

fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Stuck> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value).step("a condition of the filter")
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, Stuck> {
    condition(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn unlike(argument: u8, value: libc::c_int) -> Result<SeccompCondition, Stuck> {
    condition(argument, SeccompCmpOp::Ne, word(value))
}

fn equal(argument: u8, value: impl TryInto<u32>) -> Result<SeccompCondition, Stuck> {
    condition(argument, SeccompCmpOp::Eq, value.try_into().map_or(0, u64::from))
}

fn errno(number: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(number.cast_unsigned())
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, Stuck> {
    let machine = ARCH.try_into().step("a filter for this processor")?;
    let filter = SeccompFilter::new(rules, otherwise, matched, machine).step("the filter of system calls")?;
    filter.try_into().map_err(|error: seccompiler::BackendError| error).step("the filter of system calls")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_the_kernel() {
        for sockets in [false, true] {
            let lengths = [known().unwrap().len(), refused(sockets).unwrap().len()];
            assert!(lengths.iter().all(|length| *length < 4096), "{lengths:?}");
        }
    }

    #[test]
    fn what_is_refused_was_known() {
        let is_known = |number: &&libc::c_long| (0..=OLDER).contains(*number) || NEWER.contains(*number);
        assert!(REFUSED.iter().all(|number| is_known(&number)));
    }
}
