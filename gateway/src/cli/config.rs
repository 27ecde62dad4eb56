//! `--config`: the config that a command reads, and what is said where it has not what was asked for.

use std::path::PathBuf;

use clap::Args;

use super::Global;
use super::print::Trouble;
use super::serve::refused;
use crate::config::{Config, Overrides, Problem};

/// The config that a command reads.
#[derive(Args)]
pub(super) struct ConfigFile {
    #[arg(
        long,
        value_name = "FILE",
        help = "The config [default: $XDG_CONFIG_HOME/portcullis/portcullis.toml, if there]"
    )]
    config: Option<PathBuf>,
}

/// What is one table each in the config: `[notify.NAME]`, `[export.NAME]`.
pub(super) struct Table {
    /// What each of them is, in a word.
    pub(super) what: &'static str,
    /// The tables' name.
    pub(super) name: &'static str,
    /// Where it is written how one is added.
    pub(super) guide: &'static str,
}

impl ConfigFile {
    /// The config.
    ///
    /// # Errors
    /// Every problem that it has.
    pub(super) fn read(&self, global: &Global) -> Result<Config, Vec<Problem>> {
        let overrides = Overrides { state: global.state.clone(), ..Overrides::default() };
        Config::load(self.config.as_deref(), overrides)
    }

    /// The config. Where it has problems, they are told.
    pub(super) fn load(&self, global: &Global) -> anyhow::Result<Config> {
        self.read(global).map_err(|problems| refused(&problems))
    }
}

impl Table {
    /// What is said where the config has none of this name, but these.
    pub(super) fn lacks<'a>(&self, name: &str, known: impl Iterator<Item = &'a String>) -> anyhow::Error {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let next = match known.as_slice() {
            [] => format!("add {} [{}.NAME] to the config; docs/guide/{}", self.article(), self.name, self.guide),
            known => format!("take one of: {}", known.join(", ")),
        };
        Trouble::new(format!("the config has no {} `{name}`", self.what)).next(next).into()
    }

    fn article(&self) -> &'static str {
        if self.name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_config_lacks_is_said_with_what_it_has_or_how_one_is_added() {
        let table = Table { what: "exporter", name: "export", guide: "siem.md" };
        let said = |known: &[String]| format!("{:?}", table.lacks("siem", known.iter()).downcast_ref::<Trouble>());
        assert!(said(&[]).contains("the config has no exporter `siem`"));
        assert!(said(&[]).contains("add an [export.NAME] to the config; docs/guide/siem.md"));
        assert!(said(&["a".to_owned(), "b".to_owned()]).contains("take one of: a, b"));
    }
}
