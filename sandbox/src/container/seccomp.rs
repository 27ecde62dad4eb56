//! The system calls that a container may make: what programs need, by purpose, and no other.

use serde_json::{Value, json};

/// Files and folders.
const FILES: &str = "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 \
    fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr \
    fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 \
    inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat \
    mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink \
    readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat \
    sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes write writev";

/// Memory.
const MEMORY: &str = "brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock \
    munlockall munmap pkey_alloc pkey_free pkey_mprotect shmat shmctl shmdt shmget";

/// Processes and threads. `clone` is below: it can make namespaces.
const PROCESSES: &str = "arch_prctl capget capset execve execveat exit exit_group fork futex futex_wait futex_waitv futex_wake \
    futex_requeue get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid \
    getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get kill landlock_add_rule \
    landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 rseq sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval \
    sched_setaffinity sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups \
    setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sysinfo tgkill times tkill uname vfork \
    wait4 waitid";

/// Signals, waiting and time. Nothing that sets a clock.
const WAITING: &str = "alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait \
    epoll_pwait2 epoll_wait eventfd eventfd2 getitimer getrandom gettimeofday nanosleep pause pipe pipe2 poll ppoll pselect6 \
    restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
    rt_tgsigqueueinfo select setitimer sigaltstack signalfd signalfd4 time timer_create timer_delete timer_getoverrun \
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime";

/// Sockets, once one was made. `socket` is below: not every family.
const SOCKETS: &str = "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg \
    sendmsg sendto setsockopt shutdown socketpair";

/// Queues and semaphores of its own IPC namespace, and the older way of doing I/O at a later time.
const QUEUES: &str = "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit mq_getsetattr mq_notify mq_open \
    mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop";

/// `AF_UNIX`, `AF_INET`, `AF_INET6`: no vsock, packet, Bluetooth, kernel crypto, or whatever comes next.
const FAMILIES: [u32; 3] = [1, 2, 10];

/// Every `CLONE_NEW…`.
const NAMESPACES: u32 = 0x7e02_0080;

/// The profile, as engines take it.
pub(super) fn profile() -> Value {
    let groups = [FILES, MEMORY, PROCESSES, WAITING, SOCKETS, QUEUES];
    let names: Vec<&str> = groups.iter().flat_map(|group| group.split_whitespace()).collect();
    let mut calls = vec![json!({"names": names, "action": "SCMP_ACT_ALLOW"})];
    calls.extend(FAMILIES.map(|family| when("socket", 0, family, "SCMP_CMP_EQ", 0)));
    // Routing messages alone: libc asks them which addresses it has.
    calls.push(json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 0, "op": "SCMP_CMP_EQ"}]}));
    calls.push(when("clone", 0, NAMESPACES, "SCMP_CMP_MASKED_EQ", 0));
    calls.push(when("personality", 0, 0, "SCMP_CMP_EQ", 0));
    calls.push(when("personality", 0, u32::MAX, "SCMP_CMP_EQ", 0));
    // Its flags lie in memory, where no filter sees them: libc falls back to `clone` when there is no such call.
    calls.push(json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}));
    json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
    ], "syscalls": calls})
}

fn when(name: &str, index: u32, value: u32, op: &str, other: u32) -> Value {
    json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{"index": index, "value": value, "valueTwo": other, "op": op}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_deep_into_the_kernel_is_not_in_it() {
        let text = profile().to_string();
        for call in [
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "bpf",
            "keyctl",
            "add_key",
            "request_key",
            "userfaultfd",
            "mount",
            "umount2",
            "move_mount",
            "open_tree",
            "fsopen",
            "pivot_root",
            "chroot",
            "setns",
            "unshare",
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "perf_event_open",
            "kexec_load",
            "init_module",
            "open_by_handle_at",
            "name_to_handle_at",
            "clock_settime",
            "settimeofday",
            "reboot",
            "swapon",
            "iopl",
            "pidfd_getfd",
            "quotactl",
            "fanotify_init",
            "syslog",
            "personality_",
            "modify_ldt",
            "vmsplice",
            "remap_file_pages",
        ] {
            assert!(!text.contains(&format!("\"{call}\"")), "{call}");
        }
        assert!(text.contains("\"execve\""));
    }
}
