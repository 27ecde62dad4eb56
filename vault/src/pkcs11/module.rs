//! The modules that are loaded: a module is initialised once a process, however many keys are on its tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::Pkcs11Error;

/// Never unloaded: foreign code may have left threads and handlers behind.
static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// Loads a module, or finds it loaded.
pub(super) fn load(path: &Path) -> Result<Pkcs11, Pkcs11Error> {
    let bad = |why: String| Pkcs11Error::Module { path: path.display().to_string(), why };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(path) {
        return Ok(module.clone());
    }
    // Said before the loader is asked, whose text is of another matter where a library that the module needs is missing.
    if !path.is_file() {
        return Err(bad("there is no such file".to_owned()));
    }
    let module = Pkcs11::new(path).map_err(|error| bad(error.to_string()))?;
    initialise(&module).map_err(|error| bad(error.to_string()))?;
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// Has a module look for its tokens anew: some read which there are when they are initialised, and never again. Sessions of
/// other keys are lost with it; they begin new ones as after a restart of the token.
pub(super) fn renew(path: &Path) -> Result<(), Pkcs11Error> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(module) = loaded.get(path) else { return Ok(()) };
    // It fails where the last try to initialise it did.
    drop(module.clone().finalize());
    initialise(module)
}

fn initialise(module: &Pkcs11) -> Result<(), Pkcs11Error> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // By another path to the same file.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
