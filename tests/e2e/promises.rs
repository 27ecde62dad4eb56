//! The documents keep to the tree: every test that a promise names exists, every link leads somewhere.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of the tree with this ending, but for what is hidden or built.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn all(ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), ending, &mut found);
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let sources = all(".rs");
    let promises = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let rows: Vec<&str> =
        promises.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(rows.len() > 30, "the table was not found");
    for row in rows.into_iter().filter(|row| !row.starts_with("| ---")) {
        let tests = row.trim_end_matches('|').rsplit(" | ").next().unwrap();
        if tests.contains("[no test yet]") {
            continue;
        }
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "a promise without a test: {row}");
        for test in named {
            let declared = format!("fn {test}(");
            assert!(sources.iter().any(|(_, text)| text.contains(&declared)), "no test `{test}`: {row}");
        }
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut links = 0;
    for (path, text) in all(".md") {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                links += 1;
                assert!(path.parent().unwrap().join(file).exists(), "{}: `{target}` leads nowhere", path.display());
            }
        }
    }
    assert!(links > 10, "the links were not found");
}
