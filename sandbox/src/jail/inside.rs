//! The jail's first process: builds the jail around itself, starts the program in it, and stays to bury the dead.
//!
//! It gives up every privilege before the program starts, so the program finds nothing in it to take. It ends with the
//! program, with the gateway's end of the socket, and with the helper outside; the kernel ends everything else in the jail
//! with it, whatever that has forked and whichever signals it ignores.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{Gid, Pid, Uid, sethostname};
use zeroize::Zeroizing;

use super::network::{self, Open};
use super::outside::{NOBODY, become_nobody, control, map};
use super::spec::{Doors, Said, Spec, Step, Stuck};
use super::{bounds, filter, mounts, walls, wire};

/// The byte by which the gateway asks for a gentle end.
pub(super) const TERM: u8 = b't';

/// Runs the program until it ends, as this user; without one as nobody, whom root becomes.
pub(super) fn run(user: Option<&str>) -> Result<(), Stuck> {
    let control = control().step("the socket to the gateway")?;
    let user = user.map(parse).transpose();
    let ran = user.and_then(|user| jail(&control, user));
    if let Err(stuck) = &ran {
        wire::send(&control, &Said::Refused(stuck.to_string()), &[]).ok();
    }
    ran
}

fn parse(user: &str) -> Result<(u32, u32), Stuck> {
    let parts = user.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    parts.ok_or("not two numbers").step("the user")
}

fn jail(control: &UnixStream, user: Option<(u32, u32)>) -> Result<(), Stuck> {
    // Whoever kills the helper outside must not have to know of us.
    prctl::set_pdeathsig(Signal::SIGKILL).step("an end with the helper")?;
    let ((spec, bounded), files): ((Spec, bool), _) = wire::receive(control).step("what is to run")?;
    let (streams, lent) = parted(files)?;
    if lent.len() != spec.lent.len() {
        return Err("not one for each").step("what is lent");
    }
    sethostname("jail").step("a name of its own")?;
    // Whatever the gateway's is: the program must be let through the folders on its way.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // By now we are where we are bounded, and see that as the top.
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP).step("views of its own")?;
    // Without privileges the user is called root until it is confined.
    let (uid, gid) = if user.is_some() { (0, 0) } else { (NOBODY, NOBODY) };
    let who = (Uid::from_raw(uid), Gid::from_raw(gid));
    let open = spec.network.as_ref().map(network::open).transpose()?;
    let variables = mounts::enter(&spec, lent, who)?;
    bounds::set(&spec.bounds, bounded)?;
    confine(user)?;
    prctl::set_no_new_privs().step("no new privileges")?;
    walls::raise(&spec)?;
    filter::apply(spec.network.is_some())?;
    // Nothing of ours can be read or traced by the program, which has the same user.
    prctl::set_dumpable(false).step("a memory of our own")?;
    let child = start(&spec, &variables, streams).step(format!("`{}` cannot be started", spec.command.display()))?;
    drop(variables);
    ready(control, open.as_ref())?;
    // The gateway has them now; ours would keep them open behind it.
    drop(open);
    watch(control, &spec, bounded, &child)?;
    bury(control, &child)
}

/// The program's three streams, and what is lent.
fn parted(mut files: Vec<OwnedFd>) -> Result<([OwnedFd; 3], Vec<File>), Stuck> {
    let lent = files.split_off(files.len().min(3)).into_iter().map(File::from).collect();
    let streams = files.try_into().map_err(|_| "not three streams").step("the program's streams")?;
    Ok((streams, lent))
}

/// From root, in whichever sense, to a user who is alone in a user namespace.
fn confine(user: Option<(u32, u32)>) -> Result<(), Stuck> {
    let Some((uid, gid)) = user else {
        become_nobody()?;
        // Root is gone for good either way; with this one even the namespaces of the jail are out of reach.
        if unshare(CloneFlags::CLONE_NEWUSER).is_ok() {
            map((NOBODY, NOBODY), (NOBODY, NOBODY))?;
        }
        // The change of user took the death signal away.
        return prctl::set_pdeathsig(Signal::SIGKILL).step("an end with the helper");
    };
    unshare(CloneFlags::CLONE_NEWUSER).step("a user namespace for the program")?;
    map((uid, 0), (gid, 0))
}

#[expect(clippy::disallowed_methods, reason = "the place where tool servers are started in their jail")]
fn start(
    spec: &Spec,
    lent: &[(String, Zeroizing<String>)],
    [stdin, stdout, stderr]: [OwnedFd; 3],
) -> std::io::Result<Child> {
    Command::new(&spec.command)
        .args(&spec.arguments)
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .envs(lent.iter().map(|(name, value)| (name, value.as_str())))
        .current_dir(&spec.folder)
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .spawn()
}

fn ready(control: &UnixStream, open: Option<&Open>) -> Result<(), Stuck> {
    let doors = open.map(Open::doors);
    let files = open.map(Open::files).unwrap_or_default();
    wire::send(control, &Said::Ready(doors), &files).step("the socket to the gateway")
}

/// Ends with the gateway, and at the limit of memory.
fn watch(control: &UnixStream, spec: &Spec, bounded: bool, child: &Child) -> Result<(), Stuck> {
    let program = pid(child);
    let mut gateway = control.try_clone().step("the socket to the gateway")?;
    spawn(move || {
        let mut word = [0];
        while matches!(gateway.read(&mut word), Ok(1)) {
            if word == [TERM] {
                // An error means that it is gone.
                kill(program, Signal::SIGTERM).ok();
            }
        }
        end();
    })?;
    if !bounded {
        let (most, gateway) = (spec.bounds.memory, control.try_clone().step("the socket to the gateway")?);
        spawn(move || {
            loop {
                thread::sleep(bounds::LOOK);
                if bounds::used() > most {
                    wire::send(&gateway, &Said::OutOfMemory, &[]).ok();
                    end();
                }
            }
        })?;
    }
    Ok(())
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Stuck> {
    // Little stack: it counts as the jail's memory.
    thread::Builder::new().stack_size(128 << 10).spawn(work).map(drop).step("a thread of ours")
}

/// With the first process the kernel ends the whole jail.
#[expect(clippy::exit, reason = "the one way for a thread to end the process, and with it the jail")]
fn end() {
    std::process::exit(1)
}

/// Waits for everything that ends in the jail, until the program itself did.
fn bury(control: &UnixStream, child: &Child) -> Result<(), Stuck> {
    let program = pid(child);
    loop {
        let status = wait().step("the program's end")?;
        if status.pid() != Some(program) {
            continue;
        }
        let (code, signal) = if let WaitStatus::Exited(_, code) = status {
            (Some(code), None)
        } else if let WaitStatus::Signaled(_, signal, _) = status {
            (None, Some(signal as i32))
        } else {
            continue;
        };
        return wire::send(control, &Said::Ended { code, signal }, &[]).step("the socket to the gateway");
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// What is told of the doors.
impl Open {
    fn doors(&self) -> Doors {
        Doors { listeners: self.listeners.len(), redirected: self.dropped.is_some() }
    }
}
