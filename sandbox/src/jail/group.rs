//! `Group`: a control group, where the kernel lets us make one: it bounds memory, processes and processor time of a whole jail.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::spec::Bounds;

/// The control group of one jail. Dropping it removes it.
pub(super) struct Group {
    /// One folder for each controller (version 1), or one for all.
    folders: Vec<PathBuf>,
    memory: Option<PathBuf>,
}

const ROOT: &str = "/sys/fs/cgroup";

/// Beside the program there are our own: the first process and its two threads.
const OURS: u32 = 3;

/// The kernel accounts processor time in spans of this many microseconds.
const SPAN: u64 = 100_000;

impl Group {
    /// `None` where memory cannot be bounded this way.
    pub(super) fn make(name: &str, bounds: &Bounds) -> Option<Self> {
        let made = if Path::new(ROOT).join("cgroup.controllers").exists() {
            Self::unified(name, bounds)
        } else {
            Self::separate(name, bounds)
        };
        made.ok().filter(|group| group.memory.is_some())
    }

    fn unified(name: &str, bounds: &Bounds) -> io::Result<Self> {
        let ours = Path::new(ROOT).join("portcullis");
        fs::create_dir_all(&ours)?;
        for above in [Path::new(ROOT), &ours] {
            for controller in ["+memory", "+pids", "+cpu"] {
                // One that is not there is not needed by the others.
                fs::write(above.join("cgroup.subtree_control"), controller).ok();
            }
        }
        let folder = ours.join(name);
        fresh(&folder)?;
        let mut group = Self { folders: vec![folder.clone()], memory: None };
        fs::write(folder.join("memory.max"), bounds.memory.to_string())?;
        fs::write(folder.join("memory.swap.max"), "0").ok();
        fs::write(folder.join("memory.oom.group"), "1").ok();
        fs::write(folder.join("pids.max"), (bounds.processes + OURS).to_string()).ok();
        fs::write(folder.join("cpu.max"), format!("{} {SPAN}", quota(bounds))).ok();
        group.memory = Some(folder);
        Ok(group)
    }

    fn separate(name: &str, bounds: &Bounds) -> io::Result<Self> {
        let mut group = Self { folders: Vec::new(), memory: None };
        let memory = group.folder("memory", name)?;
        fs::write(memory.join("memory.limit_in_bytes"), bounds.memory.to_string())?;
        // Not there where the kernel does not account swap.
        fs::write(memory.join("memory.memsw.limit_in_bytes"), bounds.memory.to_string()).ok();
        group.memory = Some(memory);
        if let Ok(pids) = group.folder("pids", name) {
            fs::write(pids.join("pids.max"), (bounds.processes + OURS).to_string()).ok();
        }
        if let Ok(cpu) = group.folder("cpu", name) {
            fs::write(cpu.join("cpu.cfs_period_us"), SPAN.to_string()).ok();
            fs::write(cpu.join("cpu.cfs_quota_us"), quota(bounds).to_string()).ok();
        }
        Ok(group)
    }

    fn folder(&mut self, controller: &str, name: &str) -> io::Result<PathBuf> {
        let ours = Path::new(ROOT).join(controller).join("portcullis");
        fs::create_dir_all(&ours)?;
        let folder = ours.join(name);
        fresh(&folder)?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// Puts a process, which has no children yet, under its bounds. Says whether its memory is bounded.
    pub(super) fn add(&self, pid: u32) -> bool {
        let add = |folder: &PathBuf| fs::write(folder.join("cgroup.procs"), pid.to_string()).is_ok();
        self.folders.iter().map(add).fold(true, |all, added| all & added)
    }

    /// Whether the kernel ended a process of it for want of memory.
    pub(super) fn ran_out(&self) -> bool {
        let Some(memory) = &self.memory else { return false };
        let counts = ["memory.events", "memory.oom_control"].map(|file| fs::read_to_string(memory.join(file)));
        let killed = |line: &str| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0");
        counts.iter().flatten().any(|text| text.lines().any(killed))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Its processes are gone: their namespace was waited for. What fails is empty and costs nothing.
            fs::remove_dir(folder).ok();
        }
    }
}

/// One of this name may be left of a gateway that had our number, whose helper was killed: it is empty, or it stays.
fn fresh(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder).or_else(|_| fs::remove_dir(folder).and_then(|()| fs::create_dir(folder)))
}

fn quota(bounds: &Bounds) -> u64 {
    (u64::from(bounds.cpu) * SPAN / 1000).max(1000)
}
