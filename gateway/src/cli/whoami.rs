//! `portcullis whoami`: whom the gateway takes you for.

use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out};
use crate::operator::client::Client;
use crate::operator::rows::Whoami;

/// See whom the gateway takes you for.
#[derive(Args)]
#[command(
    about = "See whom the gateway takes you for, and what you may do",
    long_about = "Says whom the running gateway takes you for: the operator whose user you are, or whom you name with --as, which takes \
        their PIN. Whoever is no operator reads, as a reviewer.",
    after_help = "Examples:\n  portcullis whoami\n  portcullis whoami --as bob"
)]
pub(crate) struct WhoamiCommand {}

impl WhoamiCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let Self {} = self;
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let who: Whoami = global.ask(&client, "whoami", &[]).await?;
            if global.json {
                print::json(&who)?;
            } else {
                out.line(&told(&who))?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn told(who: &Whoami) -> Line {
    let pin = if who.pin { "approving takes a PIN" } else { "without a PIN" };
    let people = match who.people {
        1 => "1 person approves calls".to_owned(),
        people => format!("{people} people approve calls"),
    };
    Line::new().theirs_in(Ink::Strong, who.name.as_str()).ours(format!(", {}, {pin}; {people}", who.role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_who_as_what_and_among_how_many() {
        let who = r#"{"name":"ann","role":"admin","pin":true,"people":2}"#;
        let line = told(&serde_json::from_str(who).unwrap());
        assert_eq!(line.to_string(), "ann, admin, approving takes a PIN; 2 people approve calls");
    }
}
