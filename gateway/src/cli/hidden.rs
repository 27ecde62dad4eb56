//! What is typed without being shown.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The terminal with its echo off, until this is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    saved: Termios,
}

/// Asks at the terminal, whatever standard input is.
pub(crate) fn ask(what: &str) -> io::Result<Zeroizing<String>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    write!(terminal, "{what}: ")?;
    let line = {
        let _quiet = Quiet::begin(&terminal)?;
        let mut line = Zeroizing::new(String::new());
        BufReader::new(&terminal).read_line(&mut line)?;
        line
    };
    writeln!(terminal)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The passphrase of the file of secrets; a new one twice.
pub(crate) fn passphrase(fresh: bool) -> io::Result<Zeroizing<String>> {
    let typed = ask(if fresh { "new passphrase for the secrets" } else { "passphrase of the secrets" })?;
    if fresh && *ask("the same again")? != *typed {
        return Err(io::Error::other("the two are not the same"));
    }
    if typed.is_empty() { Err(io::Error::other("it is empty")) } else { Ok(typed) }
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let saved = tcgetattr(terminal)?;
        let mut modes = saved.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, saved })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        let _gone = tcsetattr(self.terminal, OptionalActions::Now, &self.saved);
    }
}
