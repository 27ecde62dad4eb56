//! What the kernel says of this process: memory and descriptors, under the names that every dashboard knows.

use super::family::{Family, double};

/// What the kernel says; nothing where it says nothing.
pub(super) fn families() -> Vec<Family> {
    let memory = std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident);
    let memory = memory.map(|bytes| Family::level("process_resident_memory_bytes", "Memory in use", double(bytes)));
    let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok().and_then(|open| u64::try_from(open).ok());
    let open = open.map(|open| Family::level("process_open_fds", "Open file descriptors", double(open)));
    memory.into_iter().chain(open).collect()
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(resident("VmPeak:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident("VmRSS: many kB\n"), None);
    }
}
