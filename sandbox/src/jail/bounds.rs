//! What each process of the jail may use, and the watch over memory where the kernel does not bound it.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};

use super::spec::{Bounds, Step, Stuck};

/// Open files of one process.
const FILES: u64 = 4096;

/// Bytes of a core file: too few for any, and the one number that also keeps the kernel from handing the memory to a program
/// of the host, which it does at 0.
const CORE: u64 = 1;

/// A program reserves more than it uses: the limit of one process is a backstop for the moment between two looks.
const RESERVE: u64 = 2;
const LEAST: u64 = 1 << 30;

/// Beside the program there are our own: the first process and its two threads.
const OURS: u32 = 3;

/// How often memory is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Bounds this process and all that come after it.
pub(super) fn set(bounds: &Bounds, bounded: bool) -> Result<(), Stuck> {
    let processes = u64::from(bounds.processes + OURS);
    let mut limits = vec![
        (Resource::RLIMIT_CORE, CORE),
        (Resource::RLIMIT_NOFILE, FILES),
        (Resource::RLIMIT_NPROC, processes),
        (Resource::RLIMIT_MEMLOCK, 64 << 10),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_FSIZE, bounds.disk.max(LEAST)),
    ];
    if !bounded {
        limits.push((Resource::RLIMIT_DATA, (bounds.memory * RESERVE).max(LEAST)));
    }
    limits.into_iter().try_for_each(|(what, most)| setrlimit(what, most, most).step("a limit"))
}

/// Bytes that the processes of this jail have to themselves, all together.
pub(super) fn used() -> u64 {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let processes = names.filter(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    processes.filter_map(|name| own(&fs::read_to_string(format!("/proc/{}/statm", name.display())).ok()?)).sum()
}

/// Resident pages less those that are shared with others or with a file.
fn own(statm: &str) -> Option<u64> {
    let mut pages = statm.split(' ').skip(1).map(|number| number.trim().parse::<u64>().ok());
    let (resident, shared) = (pages.next()??, pages.next()??);
    Some(resident.saturating_sub(shared) * PAGE)
}

/// Where pages are larger, more is counted as used: never less.
const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_ones_own_is_what_is_not_shared() {
        assert_eq!(own("5000 300 100 1 0 200 0\n"), Some(200 * 4096));
        assert_eq!(own("gone"), None);
        assert!(used() > 1 << 20);
    }
}
