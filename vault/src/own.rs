//! `Own`: where the gateway's own credential comes from: a file for its owner alone, or a variable; never the config.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// Where the gateway's own credential comes from.
#[derive(Clone)]
pub(crate) enum Own {
    /// Read each time that it is needed: whoever rotates it writes a new file.
    File(PathBuf),
    /// The same, of a file that the platform keeps: who else may read it is the platform's to say.
    Platform(PathBuf),
    /// What a variable held when the config was read.
    Held(std::sync::Arc<Zeroizing<String>>),
}

/// Why the credential cannot be used; never what it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct BadCredential(pub(crate) String);

impl Own {
    /// One word, as it becomes a header's value.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, BadCredential> {
        let text = match self {
            Self::Held(text) => Zeroizing::new(text.trim().to_owned()),
            Self::File(path) => read(path, true)?,
            Self::Platform(path) => read(path, false)?,
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadCredential("the gateway's own credential is empty, or more than one word".to_owned()));
        }
        Ok(text)
    }
}

/// What a file holds but for the white space around it; where it is to be `private`, its owner alone may read it.
pub(crate) fn read(path: &Path, private: bool) -> Result<Zeroizing<String>, BadCredential> {
    let fault = |error: std::io::Error| BadCredential(format!("cannot read `{}`: {}", path.display(), error.kind()));
    let mut file = fs::File::open(path).map_err(fault)?;
    if private && file.metadata().map_err(fault)?.permissions().mode() & 0o077 != 0 {
        let open = format!("`{}` is open to others: `chmod 600` it, and consider it known", path.display());
        return Err(BadCredential(open));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    (&mut file).take(LONGEST as u64).read_to_string(&mut text).map_err(fault)?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Longer than any token or service account's.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_one_word_of_a_file_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Own::File(path.clone()).read().map(|text| text.to_string())
        };
        assert_eq!(write("s.abc\n", 0o600), Ok("s.abc".to_owned()));
        assert!(write("s.abc", 0o640).unwrap_err().to_string().contains("open to others"));
        assert!(write("s.abc", 0o604).unwrap_err().to_string().contains("open to others"));
        for bad in ["", "two words", "line\nline"] {
            let error = write(bad, 0o600).unwrap_err().to_string();
            assert!(error.contains("more than one word") && !error.contains("line\nline"), "{error}");
        }
        assert_eq!(write("s.abc", 0o400), Ok("s.abc".to_owned()));
        fs::remove_file(&path).unwrap();
        assert!(Own::File(path).read().unwrap_err().to_string().contains("cannot read"));
    }
}
