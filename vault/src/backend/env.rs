//! `EnvStore`: for development: variables of the environment that the gateway was started in.
//!
//! A process cannot forget its environment: what it was started with stays readable in `/proc/PID/environ`, and changing it
//! is not safe once there are threads. So the gateway takes the values out, and becomes itself again without them
//! ([`forget`]): same process, same descriptors, new memory. They cross over in a memory file that is emptied and sealed
//! as soon as it has been read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use futures_util::future::{BoxFuture, ready};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use zeroize::Zeroizing;

use super::{Backend, BackendError, Fetched};
use crate::config::Config;
use crate::secret::Secret;

/// What was taken out of the environment.
pub(crate) struct EnvStore {
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl EnvStore {
    /// Takes what [`forget`] handed over.
    pub(crate) fn take() -> io::Result<Self> {
        match std::env::var(HANDED) {
            Ok(descriptor) => Ok(Self { values: receive(&descriptor)? }),
            Err(_) => Ok(Self { values: BTreeMap::new() }),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Option<Secret> {
        self.values.get(name).map(|value| Secret::new(value.to_vec()))
    }
}

impl Backend for EnvStore {
    fn fetch<'a>(&'a self, path: &'a str, _deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>> {
        let value = self.value(path).ok_or(BackendError::Missing);
        Box::pin(ready(value.map(|value| Fetched::kept(value, "start"))))
    }
}

/// Becomes the same program again, without the variables that are secrets; returns where none of them is set.
///
/// # Errors
/// If the system does not let it.
pub fn forget(config: &Config) -> io::Result<()> {
    let names: Vec<&str> = config.variables().collect();
    let found: Vec<(&str, Zeroizing<Vec<u8>>)> =
        names.iter().filter_map(|name| Some((*name, Zeroizing::new(std::env::var_os(name)?.into_vec())))).collect();
    if found.is_empty() {
        return Ok(());
    }
    // Not closed on exec: that is what it is for.
    let memory = File::from(memfd_create("secrets", MemfdFlags::ALLOW_SEALING)?);
    send(&memory, &found)?;
    let mut arguments = std::env::args_os();
    #[expect(clippy::disallowed_methods, reason = "starts nothing else: this process becomes itself again")]
    let mut again = Command::new(program());
    again.arg0(arguments.next().unwrap_or_else(|| OsString::from("portcullis"))).args(arguments);
    for (name, _) in &found {
        again.env_remove(name);
    }
    again.env(HANDED, memory.as_raw_fd().to_string());
    Err(again.exec())
}

/// This program by its own name, which is what a list of processes shows; by what runs where the file has gone.
fn program() -> PathBuf {
    let own = std::env::current_exe().ok().filter(|path| path.is_file());
    own.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Name, NUL, value, NUL: neither can hold one.
fn send(mut memory: &File, found: &[(&str, Zeroizing<Vec<u8>>)]) -> io::Result<()> {
    for (name, value) in found {
        for part in [name.as_bytes(), b"\0", value.as_slice(), b"\0"] {
            memory.write_all(part)?;
        }
    }
    Ok(())
}

/// The descriptor stays open, empty and sealed: nothing can be hidden in it.
fn receive(descriptor: &str) -> io::Result<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let number: u32 = descriptor.parse().map_err(|_| io::Error::other("no file descriptor was handed over"))?;
    let mut memory = OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{number}"))?;
    let mut bytes = Zeroizing::new(Vec::new());
    memory.read_to_end(&mut bytes)?;
    memory.set_len(0)?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut values = BTreeMap::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        values.insert(String::from_utf8_lossy(name).into_owned(), Zeroizing::new(value.to_vec()));
    }
    Ok(values)
}

/// The variable with the number of the descriptor.
const HANDED: &str = "PORTCULLIS_HANDED_SECRETS";
