//! A real `SoftHSM` token for one test, as Debian packs it, and a module that has it fail.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::program;
use crate::world::Setup;

/// A token of its own for one test.
pub struct Token {
    folder: TempDir,
}

/// Its label.
pub const LABEL: &str = "portcullis-test";

/// Its PIN.
pub const PIN: &str = "pin-of-the-token-8315";

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

impl Token {
    /// Makes one, without keys.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-softhsm-").expect("a folder for the test");
        let token = Self { folder };
        fs::create_dir(token.at("tokens")).expect("it is our folder");
        let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\n", token.at("tokens").display());
        fs::write(token.at("softhsm2.conf"), conf).expect("it is our folder");
        token.write_pin(PIN, 0o600);
        token.initialise();
        token
    }

    /// A token of this label, without keys, beside those that there are.
    fn initialise(&self) {
        let mut made = program::command("softhsm2-util");
        made.args(["--init-token", "--free", "--label", LABEL, "--so-pin", "of-the-officer", "--pin", PIN]);
        made.env("SOFTHSM2_CONF", self.at("softhsm2.conf"));
        drop(program::run(&mut made, Duration::from_secs(30)).success());
    }

    /// The `[audit]` table that names a key on it.
    #[must_use]
    pub fn audit(&self, key: &str) -> String {
        self.audit_by(Path::new(MODULE), LABEL, key)
    }

    /// The same, by another module or a token of another label.
    #[must_use]
    pub fn audit_by(&self, module: &Path, label: &str, key: &str) -> String {
        let (module, pin) = (module.display(), self.at("pin"));
        format!(
            "[audit]\nwait = \"30s\"\nkey = {{ pkcs11 = \"{module}\", token = \"{label}\", key = \"{key}\", pin = {{ file = \"{}\" }} }}\n",
            pin.display()
        )
    }

    /// A gateway that finds it.
    #[must_use]
    pub fn beside(&self, setup: Setup) -> Setup {
        let path = |name: &str| self.at(name).to_str().expect("the path is UTF-8").to_owned();
        setup.environment("SOFTHSM2_CONF", &path("softhsm2.conf")).environment("HOSTILE_TOKEN", &path("mood"))
    }

    /// Writes the file of the PIN.
    pub fn write_pin(&self, pin: &str, mode: u32) {
        fs::write(self.at("pin"), pin).expect("it is our folder");
        fs::set_permissions(self.at("pin"), fs::Permissions::from_mode(mode)).expect("it is our file");
    }

    /// Where the PIN stands.
    #[must_use]
    pub fn pin_file(&self) -> String {
        self.at("pin").display().to_string()
    }

    /// Takes the file of the PIN away.
    pub fn lose_pin(&self) {
        fs::remove_file(self.at("pin")).expect("it is our file");
    }

    /// Pulls it out.
    pub fn pull(&self) {
        fs::rename(self.at("tokens"), self.at("pulled")).expect("it is our folder");
        // Without its folder, the module itself would be broken.
        fs::create_dir(self.at("tokens")).expect("it is our folder");
    }

    /// Another token of the same label and PIN, in its place.
    pub fn swap(&self) {
        self.pull();
        self.initialise();
    }

    /// Plugs it in again, where another may be by now.
    pub fn plug(&self) {
        fs::remove_dir_all(self.at("tokens")).expect("it is our folder");
        fs::rename(self.at("pulled"), self.at("tokens")).expect("it is our folder");
    }

    /// A module that passes everything on to this token, but for its mood.
    #[must_use]
    pub fn hostile(&self) -> PathBuf {
        let (source, module) =
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("hostile-token/module.c"), self.at("hostile.so"));
        let mut build = program::command("cc");
        build.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&module).arg(source).arg("-ldl");
        drop(program::run(&mut build, Duration::from_mins(1)).success());
        module
    }

    /// What the hostile module does from here on: one of the words that it knows, or nothing.
    pub fn mood(&self, word: &str) {
        let fresh = self.at("mood.new");
        fs::write(&fresh, word).and_then(|()| fs::rename(&fresh, self.at("mood"))).expect("it is our folder");
    }

    /// How often somebody logged in by the hostile module.
    #[must_use]
    pub fn logins(&self) -> usize {
        fs::read_to_string(self.at("mood.logins")).map_or(0, |text| text.lines().count())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
