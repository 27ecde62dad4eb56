//! Secrets in the encodings of Python's standard library.

use std::process::Command;

use audit::Redactor;

pub(crate) fn redactor() -> Redactor {
    Redactor::new(&[7; 32])
}

/// Rows of `tests/encodings/encode.py`.
pub(crate) fn encoded(secrets: usize, seed: u64) -> Vec<serde_json::Value> {
    rows(&[secrets.to_string(), seed.to_string()])
}

/// The same, of encodings that are laid one upon the other.
pub(crate) fn nested(secrets: usize, seed: u64, depth: usize) -> Vec<serde_json::Value> {
    rows(&[secrets.to_string(), seed.to_string(), depth.to_string()])
}

#[expect(clippy::disallowed_methods, reason = "the encoders are Python's: a test starts it")]
fn rows(arguments: &[String]) -> Vec<serde_json::Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/encodings/encode.py");
    let output = Command::new("python3").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}
