//! `portcullis man`: a page of the manual for each command, made from the command line itself so that none is out of date.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::{Resettable, StyledStr};
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::print::Out;
use super::{Cli, Global, print};

/// Write the manual.
#[derive(Args)]
#[command(
    about = "Write the manual: a page for each command",
    after_help = "Examples:\n  portcullis man ~/.local/share/man/man1\n  man portcullis-holds-approve"
)]
pub(crate) struct ManCommand {
    /// The folder that the pages go into; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl ManCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let failed = || format!("cannot write the manual into {}", self.folder.display());
        fs::create_dir_all(&self.folder).with_context(failed)?;
        let pages = pages().with_context(failed)?;
        for page in &pages {
            fs::write(self.folder.join(&page.file), &page.text).with_context(failed)?;
        }
        if global.json {
            pages.iter().try_for_each(|page| print::json(&page.file))?;
        } else {
            let first = self.folder.join("portcullis.1");
            Out::stdout().say(format!("wrote {} pages; the first: man -l {}", pages.len(), first.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One command's page.
struct Page {
    file: String,
    text: String,
}

fn pages() -> io::Result<Vec<Page>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    write(&command, None, &mut pages)?;
    Ok(pages)
}

fn write(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    // Filled as a paragraph, examples could not be told from what is said of them: they get a section of their own.
    let plain = command.clone().after_help(Resettable::<StyledStr>::Reset);
    let source = format!("portcullis {}", env!("CARGO_PKG_VERSION"));
    // An empty date would be left out, and the source stand in its place: two quotes are one that is empty.
    let man = Man::new(plain).date("\"\"").source(source).manual("Portcullis");
    let mut text = Vec::new();
    man.render(&mut text)?;
    more(command, above).to_writer(&mut text)?;
    pages.push(Page { file: man.get_filename(), text: tidied(&String::from_utf8_lossy(&text)) });
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| write(below, Some(&name), pages))
}

/// What stands below a command's help, as it was written; and the page of the command that this one is part of.
fn more(command: &Command, above: Option<&str>) -> Roff {
    let mut roff = Roff::new();
    if let Some(notes) = command.get_after_help() {
        roff.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.to_string().lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    if let Some(above) = above {
        roff.control("SH", ["SEE ALSO"]).text([bold(above), roman("(1)")]);
    }
    roff
}

/// Of what programs that show manuals stumble over: letters that are not ASCII are named by number, an empty line is asked
/// for as such, and lines end where words do, since options and paths cannot be stretched.
fn tidied(text: &str) -> String {
    let text = text.replace(".br\n\n.br\n", ".sp\n").replacen("\n.SH", "\n.ad l\n.SH", 1);
    let named = |letter: char| {
        if letter.is_ascii() { letter.to_string() } else { format!("\\[u{:04X}]", u32::from(letter)) }
    };
    text.chars().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_each_page_leads_to_the_one_above() {
        let pages = pages().unwrap();
        let page = |file: &str| &pages.iter().find(|page| page.file == file).unwrap().text;
        let revoke = page("portcullis-passes-revoke.1");
        assert!(revoke.contains(".SH \"SEE ALSO\"\n\\fBportcullis\\-passes\\fR(1)\n"), "{revoke}");
        let man = page("portcullis-man.1");
        assert!(man.contains(".nf\nExamples:\n  portcullis man ~/.local"), "{man}");
        assert!(!man.contains("EXTRA") && man.contains(" 1 \"\" \"portcullis "), "{man}");
        assert!(pages.iter().all(|page| page.text.is_ascii()), "a letter is not named by its number");
        assert!(!pages.iter().any(|page| page.file.contains("reference") || page.file.contains("help")));
    }
}
