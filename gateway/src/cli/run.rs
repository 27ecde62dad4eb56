//! `portcullis run`: calls a tool from a terminal, the whole way that an agent's call goes.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use policies::{Limits, Value};
use serde_json::value::RawValue;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use crate::operator::card::Progress;
use crate::operator::client::Client;

/// Call a tool from a terminal.
#[derive(Args)]
#[command(
    about = "Call a tool from a terminal, the whole way that an agent's call goes",
    long_about = "Calls a tool of the running gateway as the agent `operator:NAME`, the whole way that an agent's call goes: it is \
        classified, decided, held if it must be, recorded, run in its sandbox, redacted and answered.\n\n\
        A held call is answered in another terminal; where two people are asked for, you are not one of the two. Ctrl-C gives \
        the call up.\n\nExits with 1 if the call was refused or the tool failed.",
    after_help = "Examples:\n  portcullis run time.now\n  portcullis run files.read --args '{\"path\":\"notes.txt\"}'\n  \
        portcullis run http.fetch --args @request.json --json"
)]
pub(crate) struct RunCommand {
    /// The tool's name as agents see it
    #[arg(value_name = "TOOL")]
    tool: String,
    /// The arguments: a JSON object, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,
}

impl RunCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let arguments = arguments(&self.args)?;
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let mut events = client.run(&self.tool, &arguments).await?;
            while let Some(event) = events.next().await {
                let event = event.context("the gateway sent something that cannot be read")?;
                if global.json {
                    print::json(&event)?;
                } else {
                    tell(&out, &event)?;
                }
                if let Progress::Ended { ok, .. } = event {
                    return Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                }
            }
            Err(Trouble::new("the gateway went away before the call was over")
                .next("`portcullis log list` shows what became of it")
                .into())
        })
    }
}

/// As they were written: no number is rounded on the way.
fn arguments(given: &str) -> anyhow::Result<Box<RawValue>> {
    let text = match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        None if given == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            text
        }
        None => given.to_owned(),
    };
    let wrong = || Trouble::new("the arguments are not JSON").next("write an object: --args '{\"path\":\"a.txt\"}'");
    RawValue::from_string(text).map_err(|error| wrong().because(error).into())
}

fn tell(out: &Out, event: &Progress) -> anyhow::Result<()> {
    match event {
        Progress::Held { hold } => {
            print::aside(format!("held ({}): a person must allow it, in another terminal:", hold.risk));
            print::aside(format!("  portcullis holds show {id}\n  portcullis holds approve {id}", id = hold.id));
        }
        Progress::Running => print::aside("allowed; it runs"),
        Progress::Notice { params } => print::aside(params.get()),
        Progress::Ended { ok, answer } => {
            let bounds = Limits { bytes: 32 << 20, depth: 512, values: 4 << 20 };
            let answer = Value::parse(answer.get().as_bytes(), &bounds).context("the answer cannot be read")?;
            return show(out, *ok, &answer);
        }
    }
    Ok(())
}

/// Texts as they are, line by line; everything else as JSON.
fn show(out: &Out, ok: bool, answer: &Value) -> anyhow::Result<()> {
    let ink = if ok { Ink::Plain } else { Ink::Danger };
    let blocks = answer.get("content").and_then(Value::as_array).unwrap_or_default();
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    let message = answer.get("message").and_then(Value::as_str);
    if texts.len() == blocks.len() && !texts.is_empty() || message.is_some() {
        let mut lines = texts.iter().copied().chain(message).flat_map(str::lines);
        return lines.try_for_each(|line| out.line(&Line::new().theirs_in(ink, line))).map_err(Into::into);
    }
    Ok(out.line(&Line::new().theirs_in(ink, &answer.to_string()))?)
}
