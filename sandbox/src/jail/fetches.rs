//! Programs that fetch what they run, and what to do instead: a jail has no network while its server starts.

use std::path::Path;

use crate::config::Program;

/// What keeps them from trying, so that they say at once what is missing instead of waiting for a network.
/// npm tries again for a minute although it is told to be offline, unless it is told not to.
pub(super) const OFFLINE: [(&str, &str); 3] =
    [("npm_config_offline", "true"), ("npm_config_fetch_retries", "0"), ("UV_OFFLINE", "1")];

const NODE: &str = "`npx` fetches the package that it runs, and a jail has no network while its server starts: install the \
    package once with `npm install --prefix FOLDER PACKAGE` and set `cwd = \"FOLDER\"` for the server";

const PYTHON: &str = "`uvx` fetches the package that it runs, and a jail has no network while its server starts: install the \
    package once with `uv tool install PACKAGE` or in a virtual environment, and name its program in `command`";

/// What to do, where the program is one that fetches what it runs.
pub(super) fn instead(program: &Program) -> Option<&'static str> {
    let words: Vec<&str> = std::iter::once(&program.command).chain(&program.arguments).map(|word| name(word)).collect();
    match words.as_slice() {
        // Some are scripts that an interpreter is given.
        ["npx" | "npx-cli.js" | "bunx" | "pnpx", ..]
        | ["node", "npx-cli.js" | "npx", ..]
        | ["npm", "exec" | "x", ..]
        | ["pnpm" | "yarn", "dlx", ..]
        | ["bun", "x", ..] => Some(NODE),
        ["uvx" | "pipx", ..] | ["uv", "run" | "x", ..] | ["uv", "tool", "run", ..] => Some(PYTHON),
        _ => None,
    }
}

fn name(word: &str) -> &str {
    Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use policies::profile::{Ceilings, Isolation, Resources};

    use super::*;

    fn advice(words: &[&str]) -> Option<&'static str> {
        let resources = Resources {
            sandbox: Isolation::Jail,
            digest: None,
            folders: Vec::new(),
            egress: Vec::new(),
            secrets: Vec::new(),
            limits: Ceilings::default(),
        };
        instead(&Program {
            command: words[0].to_owned(),
            arguments: words[1..].iter().map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            folder: None,
            jail: true,
            read: Vec::new(),
            resources: resources.into(),
        })
    }

    #[test]
    fn programs_that_fetch_are_known_by_how_they_are_called() {
        for words in [&["npx", "-y", "x"][..], &["/usr/bin/npx", "x"], &["node", "/npm/bin/npx-cli.js", "x"]] {
            assert_eq!(advice(words), Some(NODE), "{words:?}");
        }
        for words in [&["uvx", "x"][..], &["/opt/uv", "tool", "run", "x"]] {
            assert_eq!(advice(words), Some(PYTHON), "{words:?}");
        }
        for words in [&["node", "server.js", "npx"][..], &["uv", "--version"], &["server-npx"]] {
            assert_eq!(advice(words), None, "{words:?}");
        }
    }
}
