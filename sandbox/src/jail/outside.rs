//! The helper outside of the jail: takes new namespaces, starts the first process in them, bounds it, and stays to clear up.
//!
//! ```text
//! gateway ─ portcullis jail outside ─ unshare ─ portcullis jail inside (pid 1 in there) ─ the program
//!    └──────── one socket ───────────────┴──────────────┘
//! ```

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

use super::group::Group;
use super::spec::{Frame, Said, Step, Stuck};
use super::wire;

/// Whom the program is when the gateway is root: nobody.
pub(super) const NOBODY: u32 = 65_534;

/// Runs a jail until it ends.
pub(super) fn run() -> Result<(), Stuck> {
    let control = control().step("the socket to the gateway")?;
    let ran = jail(&control);
    if let Err(stuck) = &ran {
        // An error means that the gateway is gone.
        wire::send(&control, &Said::Refused(stuck.to_string()), &[]).ok();
    }
    ran
}

/// The socket that stands where a program's input would be.
pub(super) fn control() -> io::Result<UnixStream> {
    io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from)
}

fn jail(control: &UnixStream) -> Result<(), Stuck> {
    let (frame, _): (Frame, _) = wire::receive(control).step("what the gateway asks for")?;
    let root = geteuid().is_root();
    let group = if root { Group::make(&frame.name, &frame.bounds) } else { None };
    let user = enter()?;
    let mut first = start(control, user).step("the jail's first process")?;
    let bounded = group.as_ref().is_some_and(|group| group.add(first.id()));
    wire::send(control, &Said::Placed { bounded }, &[]).step("the socket to the gateway")?;
    // It ends with the program, with the gateway, and with us.
    first.wait().step("the jail's first process")?;
    if group.as_ref().is_some_and(Group::ran_out) {
        wire::send(control, &Said::OutOfMemory, &[]).ok();
    }
    drop(group);
    Ok(())
}

/// The first process takes its view of the files itself: ours must stay, to clear up.
const SPACES: CloneFlags = CloneFlags::CLONE_NEWPID
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS);

/// Takes new namespaces. As root they belong to root, who leaves later; anyone else, who is told, is root of a user
/// namespace meanwhile, since a program that is started keeps its privileges only as root.
fn enter() -> Result<Option<(Uid, Gid)>, Stuck> {
    if geteuid().is_root() {
        match unshare(SPACES) {
            Ok(()) => return Ok(None),
            // Root in a container may be root in name only.
            Err(Errno::EPERM) => become_nobody()?,
            Err(error) => return Err(error).step("new namespaces"),
        }
    }
    let (uid, gid) = (geteuid(), getegid());
    unshare(SPACES | CloneFlags::CLONE_NEWUSER).step("new namespaces without privileges")?;
    map((0, uid.as_raw()), (0, gid.as_raw()))?;
    Ok(Some((uid, gid)))
}

/// Leaves root for good.
pub(super) fn become_nobody() -> Result<(), Stuck> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[]).step("no groups")?;
    setresgid(gid, gid, gid).step("another group")?;
    setresuid(uid, uid, uid).step("another user")?;
    // The change took our own `/proc` away from us.
    nix::sys::prctl::set_dumpable(true).step("our own /proc")
}

/// In a new user namespace there is one user and one group: what they are called inside, and outside.
pub(super) fn map(user: (u32, u32), group: (u32, u32)) -> Result<(), Stuck> {
    // Without privileges this must be given up first; where it was already, it stays so.
    fs::write("/proc/self/setgroups", "deny").step("no groups")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1)).step("the user's own number")?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1)).step("the group's own number")
}

/// The first child after [`enter`] is the first process of the new namespaces.
#[expect(clippy::disallowed_methods, reason = "starts ourselves again, in new namespaces")]
fn start(control: &UnixStream, user: Option<(Uid, Gid)>) -> io::Result<Child> {
    let control = OwnedFd::from(control.try_clone()?);
    Command::new("/proc/self/exe")
        .args(["jail", "inside"])
        .args(user.map(|(uid, gid)| format!("{uid}:{gid}")))
        .env_clear()
        .stdin(Stdio::from(control))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
}
