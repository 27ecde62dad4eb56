//! `Keys`: single keys from a terminal, which is given back as it was on every way out.

use std::io::{self, Read as _};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use tokio::sync::mpsc;

/// The terminal, delivering keys at once and without showing them.
pub(crate) struct Keys {
    read: mpsc::Receiver<io::Result<Vec<u8>>>,
    saved: Termios,
    partial: Vec<u8>,
}

/// Reads that nobody has looked at: a person types slower, and a paste is no answer.
const UNREAD: usize = 16;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Backspace,
    Escape,
    /// Ctrl-U: the line is to be empty.
    Clear,
    /// Ctrl-D: no more.
    End,
    /// Arrows, function keys and whatever else.
    Other,
}

impl Keys {
    /// Takes the terminal. Signals keep their keys, so Ctrl-C arrives as SIGINT, which the caller waits for.
    pub(crate) fn take() -> io::Result<Self> {
        let saved = tcgetattr(io::stdin())?;
        let (bytes, read) = mpsc::channel(UNREAD);
        // From here on drop gives it back.
        let keys = Self { read, saved, partial: Vec::new() };
        single(&keys.saved)?;
        // A terminal cannot be read without blocking unless every program that shares it is told. The thread sleeps in
        // its read until the process ends.
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || pump(&bytes))?;
        Ok(keys)
    }

    /// Takes the terminal again: after a suspension the shell has set it as it likes it.
    pub(crate) fn retake(&self) -> io::Result<()> {
        single(&self.saved)
    }

    /// Forgets what was typed so far: it was meant for something else than what is asked now.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        self.partial.clear();
        while self.read.try_recv().is_ok() {}
        Ok(tcflush(io::stdin(), QueueSelector::IFlush)?)
    }

    /// The keys that arrived together; more than one at a time is a paste or a stuck key. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<Key>> {
        loop {
            let Some(bytes) = self.read.recv().await else { return Ok(vec![Key::End]) };
            self.partial.extend_from_slice(&bytes?);
            let keys = keys(&mut self.partial);
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.saved);
    }
}

fn pump(bytes: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let mut buffer = [0; 256];
    loop {
        let read = match io::stdin().lock().read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer.get(..read).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let over = read.is_err();
        if bytes.blocking_send(read).is_err() || over {
            return;
        }
    }
}

/// No line editing and no echo; a read returns at once with what there is. Output and signals stay as they were.
fn single(saved: &Termios) -> io::Result<()> {
    let mut modes = saved.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    Ok(tcsetattr(io::stdin(), OptionalActions::Now, &modes)?)
}

/// Takes whole keys off the front; an incomplete character stays for the next read.
fn keys(bytes: &mut Vec<u8>) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((key, length)) = first(bytes) {
        bytes.drain(..length.min(bytes.len()));
        keys.push(key);
    }
    keys
}

fn first(bytes: &[u8]) -> Option<(Key, usize)> {
    match *bytes.first()? {
        b'\r' | b'\n' => Some((Key::Enter, 1)),
        0x7f | 0x08 => Some((Key::Backspace, 1)),
        0x15 => Some((Key::Clear, 1)),
        0x04 => Some((Key::End, 1)),
        0x1b => Some(escape(bytes)),
        0..0x20 => Some((Key::Other, 1)),
        lead => character(bytes, lead),
    }
}

/// An escape key stands alone; an arrow or function key brings a sequence. Its letters must not count as keys.
fn escape(bytes: &[u8]) -> (Key, usize) {
    match bytes.get(1) {
        None => (Key::Escape, 1),
        Some(b'[') => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte));
            (Key::Other, end.map_or(bytes.len(), |end| end + 3))
        }
        Some(b'O') => (Key::Other, 3.min(bytes.len())),
        Some(_) => (Key::Other, 2),
    }
}

fn character(bytes: &[u8], lead: u8) -> Option<(Key, usize)> {
    let length = match lead {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        0x80..0xc2 | 0xf5..=0xff => return Some((Key::Other, 1)),
    };
    let text = bytes.get(..length)?;
    let key = std::str::from_utf8(text).ok().and_then(|text| text.chars().next()).map_or(Key::Other, Key::Char);
    Some((key, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Vec<Key>, usize) {
        let mut bytes = text.to_vec();
        (keys(&mut bytes), bytes.len())
    }

    #[test]
    fn an_arrow_is_no_letter() {
        assert_eq!(read(b"\x1b[A").0, [Key::Other]);
        assert_eq!(read(b"\x1b[1;5a").0, [Key::Other]);
        assert_eq!(read(b"\x1bOa").0, [Key::Other]);
        assert_eq!(read(b"\x1ba").0, [Key::Other]);
        assert_eq!(read(b"\x1b").0, [Key::Escape]);
    }

    #[test]
    fn letters_of_several_bytes_are_one_key() {
        assert_eq!(read("aé日".as_bytes()).0, [Key::Char('a'), Key::Char('é'), Key::Char('日')]);
        assert_eq!(read(&"日".as_bytes()[..2]), (vec![], 2));
        assert_eq!(read(b"\xff\x80").0, [Key::Other, Key::Other]);
    }

    #[test]
    fn editing_keys_are_told_apart() {
        assert_eq!(read(b"\r\x7f\x15\x04\x01").0, [Key::Enter, Key::Backspace, Key::Clear, Key::End, Key::Other]);
    }
}
