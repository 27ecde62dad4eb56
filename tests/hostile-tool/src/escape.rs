//! Attacks on what keeps the tool in.

use std::ffi::CString;
use std::fs;
use std::io::{Error, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::{Attack, text, told};

type Arguments = Map<String, Value>;

pub(crate) const ATTACKS: &[Attack] = &[
    ("hello", |_| format!("hello from uid {}", unsafe { libc::getuid() })),
    ("whole", |_| whole()),
    ("read", |arguments| told(fs::read_to_string(text(arguments, "path")), |text| text)),
    ("list", |arguments| told(list(text(arguments, "path")), |names| names.join(" "))),
    ("write", |arguments| told(fs::write(text(arguments, "path"), "left by the tool"), |()| "written".into())),
    ("remove", |arguments| told(fs::remove_file(text(arguments, "path")), |()| "removed".into())),
    ("symlink", |arguments| symlink(text(arguments, "at"), text(arguments, "to"))),
    ("hardlink", |arguments| told(fs::hard_link(text(arguments, "to"), text(arguments, "at")), |()| "linked".into())),
    ("race", |arguments| race(text(arguments, "at"), text(arguments, "to"))),
    ("environment", |_| std::env::vars().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")),
    ("processes", |_| told(processes(), |found| found.join("\n"))),
    ("mount", |_| told(mount(), |()| "mounted".into())),
    ("remount", |_| told(remount(), |()| "writable".into())),
    ("ptrace", |_| told(os(unsafe { libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0) }), |_| "attached to pid 1".into())),
    ("read_init", |_| told(fs::File::open("/proc/1/mem"), |_| "opened the memory of pid 1".into())),
    ("setuid", |_| told(os(i64::from(unsafe { libc::setuid(0) })), |_| "root".into())),
    ("capabilities", |_| capabilities()),
    ("unshare", |_| told(call(libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0]), |_| "new user namespace".into())),
    ("clone", |_| told(clone(), |_| "new user namespace".into())),
    ("clone3", |_| told(call(libc::SYS_clone3, [0, 0, 0]), |_| "clone3".into())),
    ("setns", |_| told(setns(), |_| "joined".into())),
    ("bpf", |_| kernel(libc::SYS_bpf, "bpf")),
    ("keyctl", |_| kernel(libc::SYS_keyctl, "keyctl")),
    ("add_key", |_| kernel(libc::SYS_add_key, "add_key")),
    ("userfaultfd", |_| kernel(libc::SYS_userfaultfd, "userfaultfd")),
    ("io_uring", |_| kernel(libc::SYS_io_uring_setup, "io_uring_setup")),
    ("perf", |_| kernel(libc::SYS_perf_event_open, "perf_event_open")),
    ("kexec", |_| kernel(libc::SYS_kexec_load, "kexec_load")),
    ("process_vm", |_| kernel(libc::SYS_process_vm_readv, "process_vm_readv")),
    ("personality", |_| told(call(libc::SYS_personality, [0x0004_0000, 0, 0]), |_| "no randomisation".into())),
    ("x32", |_| told(call(0x4000_0000 | libc::SYS_getpid, [0; 3]), |_| "x32".into())),
    ("clock", |_| told(clock(), |()| "set the clock".into())),
    ("socket", |arguments| socket(arguments)),
    ("socketpair_dgram", |_| told(socketpair(), |()| "a datagram socket that can be sent from anywhere".into())),
    ("connect_unix", |arguments| told(connect(text(arguments, "path")), |_| "connected".into())),
    ("dial", |arguments| dial(text(arguments, "to"))),
    ("datagram", |arguments| datagram(text(arguments, "to"))),
    ("fork_bomb", |_| fork_bomb()),
    ("memory_bomb", |_| memory_bomb(1 << 40)),
    ("memory_bomb_many", |_| memory_bomb_many()),
    ("disk_fill", |arguments| disk_fill(text(arguments, "path"))),
    ("inode_fill", |arguments| inode_fill(text(arguments, "path"))),
    ("file_size", |_| file_size()),
    ("output_flood", |_| output_flood()),
    ("stderr_flood", |_| stderr_flood()),
    ("descriptors", |_| descriptors()),
    ("spin", |_| spin()),
    ("sleep", |_| nap(600)),
    ("stubborn", |_| stubborn()),
    ("double_fork", |arguments| double_fork(text(arguments, "mark"))),
    ("crash", |_| std::process::abort()),
    ("exit", |_| std::process::exit(3)),
];

/// What the process does that was started again with this word.
pub(crate) fn child(word: &str) {
    match word {
        "sleep" => drop(nap(3600)),
        "eat" => drop(memory_bomb(1 << 40)),
        _ => {}
    }
}

fn whole() -> String {
    "x".repeat(1000)
}

fn list(path: &str) -> Result<Vec<String>, Error> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn symlink(at: &str, to: &str) -> String {
    let _ = fs::remove_file(at);
    if let Err(error) = std::os::unix::fs::symlink(to, at) {
        return format!("refused: {error}");
    }
    told(fs::read_to_string(at), |text| text)
}

/// Swaps a folder for a link while a path through it is opened.
fn race(at: &str, to: &str) -> String {
    let folder = Path::new(at).join("raced");
    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        let _ = fs::remove_dir(&folder);
        let _ = std::os::unix::fs::symlink(to, &folder);
        if let Ok(text) = fs::read_to_string(folder.join("secret")) {
            return format!("DONE {text}");
        }
        let _ = fs::remove_file(&folder);
        let _ = fs::create_dir(&folder);
    }
    "refused: every time".into()
}

/// Every process that can be seen, with its environment where that can be read.
fn processes() -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for name in list("/proc")?.into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let command = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
        let environment = fs::read(format!("/proc/{name}/environ")).map_or(0, |bytes| bytes.len());
        found.push(format!("{name} {} environ={environment}", String::from_utf8_lossy(&command).replace('\0', " ")));
    }
    Ok(found)
}

fn os(result: impl Into<i64>) -> Result<i64, Error> {
    let result = result.into();
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

fn call(number: libc::c_long, [a, b, c]: [u64; 3]) -> Result<i64, Error> {
    os(unsafe { libc::syscall(number, a, b, c, 0, 0, 0) })
}

/// An interface of the kernel: refused is only what the filter refused, not what the kernel found wrong with the arguments.
fn kernel(number: libc::c_long, name: &str) -> String {
    match call(number, [0; 3]) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::EACCES)) => {
            format!("refused: {error}")
        }
        Err(error) => format!("DONE {name} was reached: {error}"),
        Ok(_) => format!("DONE {name}"),
    }
}

fn path(path: &str) -> CString {
    CString::new(Path::new(path).as_os_str().as_bytes()).unwrap_or_default()
}

fn mount() -> Result<(), Error> {
    let (kind, at) = (path("tmpfs"), path("/tmp"));
    os(unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) }).map(drop)
}

fn remount() -> Result<(), Error> {
    let (none, at) = (path("none"), path("/usr"));
    let flags = libc::MS_REMOUNT | libc::MS_BIND;
    os(unsafe { libc::mount(none.as_ptr(), at.as_ptr(), std::ptr::null(), flags, std::ptr::null()) }).map(drop)
}

fn capabilities() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    ["CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp:"].map(line).join("\n")
}

fn clone() -> Result<i64, Error> {
    let flags = (libc::CLONE_NEWUSER | libc::SIGCHLD) as u64;
    let pid = call(libc::SYS_clone, [flags, 0, 0])?;
    if pid == 0 {
        unsafe { libc::_exit(0) };
    }
    Ok(pid)
}

fn setns() -> Result<i64, Error> {
    let own = fs::File::open("/proc/self/ns/net")?;
    call(libc::SYS_setns, [std::os::fd::AsRawFd::as_raw_fd(&own) as u64, 0, 0])
}

fn clock() -> Result<(), Error> {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    os(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) }).map(drop)
}

fn socket(arguments: &Arguments) -> String {
    let number = |name| arguments.get(name).and_then(Value::as_i64).unwrap_or_default() as i32;
    told(os(unsafe { libc::socket(number("family"), number("type"), number("protocol")) }), |_| "a socket".into())
}

fn socketpair() -> Result<(), Error> {
    let mut pair = [0; 2];
    os(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM, 0, pair.as_mut_ptr()) }).map(drop)
}

fn connect(path: &str) -> Result<std::os::unix::net::UnixStream, Error> {
    std::os::unix::net::UnixStream::connect(path)
}

/// An answer is what counts: whoever accepts a connection only to end it has let nothing through.
fn dial(to: &str) -> String {
    let Ok(address) = to.parse() else { return "refused: no address".into() };
    let mut bytes = [0; 64];
    let answered = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(3)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        std::io::Read::read(&mut stream, &mut bytes)
    });
    match answered {
        Ok(0) => "refused: ended".into(),
        Ok(length) => format!("DONE {}", String::from_utf8_lossy(bytes.get(..length).unwrap_or_default())),
        Err(error) => format!("refused: {error}"),
    }
}

fn datagram(to: &str) -> String {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    told(std::net::UdpSocket::bind(any).and_then(|socket| socket.send_to(b"x", to)), |_| "sent".into())
}

fn myself(word: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(word).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn fork_bomb() -> String {
    let mut children = Vec::new();
    let error = loop {
        match myself("sleep").spawn() {
            Ok(child) => children.push(child),
            Err(error) => break error,
        }
        if children.len() >= 20_000 {
            return "DONE 20000 processes".into();
        }
    };
    let count = children.len();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    format!("refused after {count}: {error}")
}

fn memory_bomb(bytes: usize) -> String {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let step = 8 << 20;
    while blocks.len() * step < bytes {
        let mut block: Vec<u8> = Vec::new();
        if let Err(error) = block.try_reserve_exact(step) {
            return format!("refused after {} MiB: {error}", blocks.len() * 8);
        }
        block.resize(step, 1);
        blocks.push(block);
    }
    format!("DONE {} MiB", blocks.len() * 8)
}

fn memory_bomb_many() -> String {
    let children: Vec<_> = (0..8).filter_map(|_| myself("eat").spawn().ok()).collect();
    for mut child in children {
        let _ = child.wait();
    }
    "refused: every child ended".into()
}

fn disk_fill(path: &str) -> String {
    let file = Path::new(path).join("fill");
    let Ok(mut out) = fs::File::create(&file) else { return "refused: cannot create".into() };
    let block = vec![1; 1 << 20];
    for written in 0..4096 {
        if let Err(error) = out.write_all(&block) {
            let _ = fs::remove_file(&file);
            return format!("refused after {written} MiB: {error}");
        }
    }
    "DONE 4 GiB".into()
}

fn inode_fill(path: &str) -> String {
    let folder = Path::new(path).join("inodes");
    let _ = fs::create_dir(&folder);
    let mut made = 0;
    let error = loop {
        if let Err(error) = fs::File::create(folder.join(made.to_string())) {
            break error;
        }
        made += 1;
        if made >= 1_000_000 {
            return "DONE 1000000 files".into();
        }
    };
    let _ = fs::remove_dir_all(&folder);
    format!("refused after {made}: {error}")
}

fn file_size() -> String {
    let file = fs::File::create("/tmp/large");
    told(file.and_then(|file| file.set_len(1 << 42)), |()| "a file of 4 TiB".into())
}

fn output_flood() -> String {
    let mut out = std::io::stdout().lock();
    let block = vec![b'x'; 1 << 20];
    while out.write_all(&block).is_ok() {}
    "refused: nobody reads".into()
}

fn stderr_flood() -> String {
    let mut out = std::io::stderr().lock();
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end && out.write_all(b"flood\n").is_ok() {}
    "DONE".into()
}

fn descriptors() -> String {
    let mut files = Vec::new();
    loop {
        match fs::File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => return format!("refused after {}: {error}", files.len()),
        }
        if files.len() >= 1_000_000 {
            return "DONE 1000000 descriptors".into();
        }
    }
}

fn spin() -> String {
    loop {
        std::hint::spin_loop();
    }
}

fn nap(seconds: u64) -> String {
    std::thread::sleep(Duration::from_secs(seconds));
    "DONE slept".into()
}

fn stubborn() -> String {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    nap(600)
}

/// Leaves a process behind that belongs to nobody, with a name to find it by.
fn double_fork(mark: &str) -> String {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(format!("left-behind-{mark}")).arg("sleep").stdin(Stdio::null()).process_group(0);
    told(command.spawn(), |_| "left behind".into())
}
