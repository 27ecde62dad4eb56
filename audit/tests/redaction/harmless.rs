//! Text that holds no secret is not touched, however much of it there is.

use std::fs;
use std::path::{Path, PathBuf};

use super::encoded::{encoded, redactor};

/// Source code and JSON of what this build depends on.
fn corpus(bytes: usize) -> Vec<(PathBuf, String)> {
    let home = std::env::var_os("CARGO_HOME")
        .map_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cargo"), PathBuf::from);
    let mut folders = vec![home.join("registry/src")];
    let (mut files, mut size) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let kind = path.extension().and_then(|kind| kind.to_str());
            if !matches!(kind, Some("rs" | "json" | "toml" | "md" | "js" | "py" | "c" | "h")) {
                continue;
            }
            if let Ok(text) = fs::read_to_string(&path) {
                size += text.len();
                files.push((path, text));
            }
            if size >= bytes {
                return files;
            }
        }
    }
    files
}

#[test]
fn no_live_secret_is_seen_in_ten_megabytes_of_code() {
    let corpus = corpus(10 << 20);
    let size: usize = corpus.iter().map(|(_, text)| text.len()).sum();
    assert!(size >= 10 << 20, "only {size} bytes of source code are here");
    let redactor = redactor();
    let mut secrets: Vec<String> =
        encoded(100, 45).iter().map(|row| row["secret"].as_str().unwrap().to_owned()).collect();
    secrets.dedup();
    let _learned: Vec<_> = secrets.iter().map(|secret| redactor.learn(secret.as_bytes())).collect();
    for (path, text) in corpus {
        let found = redactor.find(&text).unwrap();
        let live: Vec<&str> = found
            .iter()
            .filter(|finding| finding.kind == "live")
            .map(|finding| text.get(finding.start..finding.end).unwrap())
            .collect();
        assert!(live.is_empty(), "{}: {live:?}", path.display());
    }
}
