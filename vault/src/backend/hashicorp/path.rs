//! What can be a path of a secret: `kv/data/github`.

use thiserror::Error;

/// Why something is no path.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a path has names between single slashes, without `..`, spaces, `?`, `%` or `\\`")]
pub(crate) struct BadPath;

/// Refuses what would be read as another path than it is written, or as more than a path.
pub(crate) fn check(path: &str) -> Result<(), BadPath> {
    if path.split('/').all(is_name) { Ok(()) } else { Err(BadPath) }
}

/// What can stand between two slashes: no step up, and nothing that would end a path or start a query.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '?' | '#' | '%' | '\\');
    !matches!(name, "" | "." | "..") && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_between_slashes_and_nothing_else() {
        for path in ["kv/data/github", "kv1/github", "database/creds/reader", "kv/data/…/a.b:c"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for path in ["", "/kv/a", "kv//a", "kv/a/", "kv/../sys/raw", "kv/.", "kv/a?version=1", "kv/%2e%2e/a", "kv/a#b"]
        {
            assert_eq!(check(path), Err(BadPath), "{path}");
        }
    }
}
