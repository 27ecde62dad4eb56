//! `Helper`: the gateway's hold on one jail. The jail ends when it is dropped, and when the gateway is killed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit::{Failure, FailureKind};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::drops::Drops;
use super::inside::TERM;
use super::spec::{Doors, Frame, Said, Spec};
use super::talk::{self, Opened, no_jail};
use crate::instance::{Body, Ended, Streams};

/// One jail.
pub(super) struct Helper {
    /// Everything in the jail ends when this is closed.
    control: Option<tokio::net::unix::OwnedWriteHalf>,
    /// How it ended, once it has.
    ended: watch::Receiver<Option<Ended>>,
    child: Option<Child>,
    /// What its firewall dropped, if it has one.
    drops: Option<Arc<Drops>>,
    tasks: TaskTracker,
}

/// How long each step of ending a jail may take before the next, harsher one.
const GRACE: Duration = Duration::from_secs(2);

/// The kernel ends a whole jail at once; a helper that takes longer is stuck.
const STUCK: Duration = Duration::from_millis(500);

/// What is not there after this long does not come: a jail is built in some 20 ms.
const BUILT: Duration = Duration::from_secs(20);

/// Names of control groups are never used twice by one gateway.
static JAILS: AtomicU64 = AtomicU64::new(0);

impl Helper {
    /// Builds a jail and starts the program in it. Dropping the future leaves nothing behind.
    pub(super) async fn start(
        spec: &Spec,
        lent: &[File],
        tasks: &TaskTracker,
    ) -> Result<(Self, Streams, Option<Opened>), Failure> {
        let building = Self::build(spec, lent, tasks);
        let late = |_| no_jail(&"the helper does not answer");
        tokio::time::timeout(BUILT, building).await.map_err(late)?
    }

    async fn build(
        spec: &Spec,
        lent: &[File],
        tasks: &TaskTracker,
    ) -> Result<(Self, Streams, Option<Opened>), Failure> {
        let (mut control, child) = outside().map_err(|error| no_jail(&error))?;
        // From here on a drop ends it.
        let reaped = Reaped { child: Some(child), tasks: tasks.clone() };
        let serial = JAILS.fetch_add(1, Ordering::Relaxed);
        let frame = Frame { name: format!("{}-{serial}", std::process::id()), bounds: spec.bounds };
        talk::send(&mut control, &frame, &[]).await.map_err(|error| no_jail(&error))?;
        let Said::Placed { bounded } = said(&mut control).await?.0 else { return Err(no_jail(&"it is not placed")) };
        let (streams, theirs) = pipes().map_err(|error| no_jail(&error))?;
        let files: Vec<_> = theirs.iter().map(AsFd::as_fd).chain(lent.iter().map(AsFd::as_fd)).collect();
        talk::send(&mut control, &(spec, bounded), &files).await.map_err(|error| no_jail(&error))?;
        drop(theirs);
        let (Said::Ready(doors), files) = said(&mut control).await? else { return Err(no_jail(&"it is not ready")) };
        let opened = doors.map(|doors: Doors| Opened::new(doors, files));
        let (hears, control) = control.into_split();
        let (tells, ended) = watch::channel(None);
        tasks.spawn(async move { tells.send_replace(Some(listen(hears).await)) });
        let helper = Self { control: Some(control), ended, child: reaped.keep(), drops: None, tasks: tasks.clone() };
        Ok((helper, streams, opened))
    }

    /// This is to be told before a call is closed.
    pub(super) fn tells(&mut self, drops: Option<Arc<Drops>>) {
        self.drops = drops;
    }

    /// Waits until all of it has ended. Cancel-safe.
    async fn gone(&mut self) -> Ended {
        let ended = self.ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or_else(|| Ended::exited("it was lost"))
    }
}

impl Body for Helper {
    fn ended(&mut self) -> BoxFuture<'_, Ended> {
        self.gone().boxed()
    }

    fn settle(&self) {
        if let Some(drops) = &self.drops {
            drops.tell();
        }
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        async {
            if tokio::time::timeout(GRACE, self.gone()).await.is_ok() {
                return;
            }
            if let Some(control) = &mut self.control {
                // An error means that it has just ended.
                control.write_all(&[TERM]).await.ok();
            }
            if tokio::time::timeout(GRACE, self.gone()).await.is_ok() {
                return;
            }
            self.control = None;
            tokio::time::timeout(STUCK, self.gone()).await.ok();
        }
        .boxed()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.control = None;
        drop(Reaped { child: self.child.take(), tasks: self.tasks.clone() });
    }
}

/// A helper that is waited for, wherever it is dropped: its end clears up behind the jail.
struct Reaped {
    child: Option<Child>,
    tasks: TaskTracker,
}

impl Reaped {
    fn keep(mut self) -> Option<Child> {
        self.child.take()
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.tasks.spawn(async move {
            if tokio::time::timeout(STUCK, child.wait()).await.is_err() {
                // With it the jail's first process dies, and with that one everything else.
                child.kill().await.ok();
            }
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the place where jails are started")]
fn outside() -> io::Result<(UnixStream, Child)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new("/proc/self/exe")
        .args(["jail", "outside"])
        .env_clear()
        // Ctrl-C at a terminal is for the gateway, which ends its jails in order.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((UnixStream::from_std(ours)?, child))
}

async fn said(control: &mut UnixStream) -> Result<(Said, Vec<OwnedFd>), Failure> {
    match talk::receive::<Said>(control).await {
        Ok((Said::Refused(why), _)) => Err(no_jail(&why)),
        Ok(said) => Ok(said),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(no_jail(&"the helper ended")),
        Err(error) => Err(no_jail(&error)),
    }
}

/// The program's three streams: our ends, and the program's.
fn pipes() -> io::Result<(Streams, [OwnedFd; 3])> {
    let (stdin, ours) = io::pipe()?;
    let stdin_ours = Sender::from_owned_fd(ours.into())?;
    let (out, stdout) = io::pipe()?;
    let (err, stderr) = io::pipe()?;
    let (out, err) = (Receiver::from_owned_fd(out.into())?, Receiver::from_owned_fd(err.into())?);
    let streams = Streams { stdin: Box::new(stdin_ours), stdout: Box::new(out), stderr: Some(Box::new(err)) };
    Ok((streams, [stdin.into(), stdout.into(), stderr.into()]))
}

/// Until both processes of the helper are gone: only then is everything said, and nothing of the jail left.
async fn listen(hears: tokio::net::unix::OwnedReadHalf) -> Ended {
    let mut ended = None;
    let mut out_of_memory = false;
    while let Ok(said) = talk::hear(&hears).await {
        match said {
            Said::Ended { code, signal } => ended = Some((code, signal)),
            Said::OutOfMemory => out_of_memory = true,
            Said::Placed { .. } | Said::Ready(_) | Said::Refused(_) => {}
        }
    }
    match ended {
        Some((Some(code), _)) => Ended::status(code),
        _ if out_of_memory => Ended::new(FailureKind::OutOfMemory, "it used more memory than it was granted"),
        Some((None, Some(signal))) => Ended::exited(format!("it was ended by signal {signal}")),
        Some((None, None)) | None => Ended::exited("it was ended"),
    }
}
