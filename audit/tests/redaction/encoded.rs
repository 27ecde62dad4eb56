//! Secrets in the encodings of Python's standard library.

use std::process::Command;

use audit::Redactor;

pub(crate) fn redactor() -> Redactor {
    Redactor::new(&[7; 32])
}

/// Rows of `tests/encodings/encode.py`.
#[expect(clippy::disallowed_methods, reason = "the encoders are Python's: a test starts it")]
pub(crate) fn encoded(secrets: usize, seed: u64) -> Vec<serde_json::Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/encodings/encode.py");
    let output = Command::new("python3").args([script, &secrets.to_string(), &seed.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}
