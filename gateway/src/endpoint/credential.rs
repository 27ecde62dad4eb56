//! What proves to a channel who writes: one word in a file for its owner alone.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::OpenError;

/// Longer than any token, key or URL.
const LONGEST: u64 = 4 << 10;

/// The word that a file holds.
pub(crate) fn read(path: &Path, wanted: &'static str) -> Result<Zeroizing<String>, OpenError> {
    let word = line(path, wanted)?;
    if word.contains(' ') { Err(none(path, wanted)) } else { Ok(word) }
}

/// The line that a variable of the gateway's environment holds.
pub(crate) fn variable(name: &str) -> Result<Zeroizing<String>, OpenError> {
    let text = std::env::var(name).map(Zeroizing::new).unwrap_or_default();
    if is_line(&text) { Ok(text) } else { Err(OpenError::Variable(name.to_owned())) }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// The line that a file holds: words with spaces between them.
pub(crate) fn line(path: &Path, wanted: &'static str) -> Result<Zeroizing<String>, OpenError> {
    let fault = |source| OpenError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(fault)?;
    if file.metadata().map_err(fault)?.permissions().mode() & 0o077 != 0 {
        return Err(OpenError::Exposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(fault)?;
    let line = Zeroizing::new(text.trim().to_owned());
    if is_line(&line) { Ok(line) } else { Err(none(path, wanted)) }
}

/// The file holds something else.
pub(crate) fn none(path: &Path, wanted: &'static str) -> OpenError {
    OpenError::Credential { path: path.to_owned(), wanted }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_credential_is_one_word_of_a_file_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read(&path, "a token").map(|word| word.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(write("tk_abc\n", 0o600), Ok("tk_abc".to_owned()));
        for mode in [0o640, 0o604] {
            assert!(write("tk_abc", mode).unwrap_err().contains("open to others"));
        }
        for bad in ["", "two words", "line\nline", "ключ"] {
            let error = write(bad, 0o600).unwrap_err();
            assert!(error.ends_with("does not hold a token"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&path, "a token").unwrap_err().to_string().starts_with("cannot read"));
    }
}
