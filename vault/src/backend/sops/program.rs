//! What the `sops` program reads.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use policies::Value;
use zeroize::Zeroizing;

use super::{LIMITS, Settings, SopsError};

/// The document without its encryption. When it was written stands only in the sealed one; the program does not say it.
pub(super) fn decrypt(program: &Path, settings: &Settings, deadline: Instant) -> Result<(Value, String), SopsError> {
    #[expect(clippy::disallowed_methods, reason = "this backend is that program")]
    let mut command = Command::new(program);
    command.args(["--decrypt", "--output-type", "json"]).arg(&settings.file);
    // It looks for keys in many places; these are all that it is told of.
    command
        .env_clear()
        .env("SOPS_AGE_KEY_FILE", &settings.key)
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(SopsError::Program)?;
    let written = gather(&mut child, deadline);
    // Its end is waited for below, whatever happened; one that has ended cannot be killed.
    child.kill().ok();
    let status = child.wait().map_err(SopsError::Program)?;
    let written = written?;
    if written.is_empty() && !status.success() {
        return Err(SopsError::NoKey);
    }
    let document = Value::parse(&written, &LIMITS).map_err(|_| SopsError::Form("what `sops` made of it"))?;
    Ok((document, "sops".to_owned()))
}

/// All that it writes: the reading ends with the program, which ends with the deadline.
fn gather(child: &mut Child, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, SopsError> {
    let pipe = child.stdout.take().ok_or_else(|| SopsError::Program(io::Error::other("it has no output")))?;
    let reading = thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        pipe.take(LIMITS.bytes as u64).read_to_end(&mut bytes).map(|_| bytes)
    });
    while !reading.is_finished() {
        if Instant::now() >= deadline {
            return Err(SopsError::Late);
        }
        thread::sleep(LOOK);
    }
    reading.join().map_err(|_| SopsError::Form("its output"))?.map_err(SopsError::Program)
}

/// How often it is looked whether the program is done.
const LOOK: Duration = Duration::from_millis(5);
