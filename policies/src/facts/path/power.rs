//! `Power`: what writing to a place would change beyond the file.

use super::{Holding, ends};
use crate::facts::words::among;

/// What writing to a place would change beyond the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::facts) enum Power {
    /// The file alone.
    None,
    /// Who may log in, or as whom.
    Identity,
    /// What an agent or its gateway may do or is told.
    Policy,
    /// What runs by itself, later.
    Code,
}

impl Power {
    /// What a normalised path has power over, by its names.
    pub(in crate::facts) fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let names: Vec<&str> = lower.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.last().copied().unwrap_or_default();
        let any = |list: &str| names.iter().any(|name| among(list, name));
        let holds = |list: &str| list.split_ascii_whitespace().any(|part| lower.contains(part));
        let accounts = "etc/passwd etc/group".split_ascii_whitespace().any(|end| ends(&lower, end));
        if any(".ssh sudoers.d sudoers") || accounts || Holding::of(path) == Holding::Credential {
            Self::Identity
        } else if among(AGENT_FILES, last) || any(AGENT_FOLDERS) || ends_with(last, ".cedar") || holds(OUR_FOLDERS) {
            Self::Policy
        } else if among(STARTED_FILES, last)
            || any(STARTED_FOLDERS)
            || holds(HOOKS)
            || ends(&lower, ".git/config")
            || SYSTEM_ROOTS.split_ascii_whitespace().any(|root| lower.starts_with(root))
        {
            Self::Code
        } else {
            Self::None
        }
    }
}

fn ends_with(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some()
}

const AGENT_FILES: &str = "portcullis.toml .mcp.json mcp.json claude_desktop_config.json claude.md agents.md .cursorrules \
    .windsurfrules gemini.md copilot-instructions.md codeowners mcp_settings.json cline_mcp_settings.json";
const AGENT_FOLDERS: &str = ".claude .cursor .codex .gemini .continue .portcullis";
const OUR_FOLDERS: &str = "etc/portcullis/ .config/portcullis/ state/portcullis/";
const STARTED_FILES: &str = ".bashrc .bash_profile .zshrc .zprofile .zshenv .profile .bash_login config.fish .envrc crontab \
    rc.local .xinitrc .gitconfig ld.so.preload sitecustomize.py authorized_keys .npmrc .pre-commit-config.yaml \
    jenkinsfile .gitlab-ci.yml microsoft.powershell_profile.ps1";
const STARTED_FOLDERS: &str = "cron.d cron.daily cron.hourly cron.weekly cron.monthly init.d systemd launchagents \
    launchdaemons profile.d autostart sbin .husky";
const HOOKS: &str =
    ".git/hooks/ .github/workflows/ .github/actions/ spool/cron .circleci/ .vscode/tasks.json menu/programs/startup/";
const SYSTEM_ROOTS: &str = "/etc/ /usr/ /bin/ /boot/ /lib/ c:/windows/ /system/ /library/launch";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_decide_more_than_their_content_are_known() {
        for (path, power) in [
            ("/home/me/.ssh/authorized_keys", Power::Identity),
            ("/etc/sudoers.d/me", Power::Identity),
            ("/p/CLAUDE.md", Power::Policy),
            ("/p/.cursor/mcp.json", Power::Policy),
            ("/home/me/.config/portcullis/policies/a.cedar", Power::Policy),
            ("/home/me/.bashrc", Power::Code),
            ("/p/.git/hooks/pre-push", Power::Code),
            (".github/workflows/ci.yml", Power::Code),
            ("/etc/cron.d/x", Power::Code),
            ("/p/src/main.rs", Power::None),
            ("/p/startup/plan.md", Power::None),
            ("/p/portcullis/src/lib.rs", Power::None),
        ] {
            assert_eq!(Power::of(path), power, "{path}");
        }
    }
}
