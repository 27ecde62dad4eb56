//! The manual: a page for each command, which the programs that show manuals read without a complaint; and what shells propose.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tests::components;
use tests::program::{command, run};
use tests::world::portcullis;

const LIMIT: Duration = Duration::from_mins(2);

/// Every command that the reference describes, which the program itself holds to what it says.
fn commands() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/cli.md");
    let text = fs::read_to_string(file).unwrap();
    let titles = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(" portcullis"));
    titles.map(|rest| format!("portcullis{}.1", rest.replace(' ', "-"))).collect()
}

#[test]
fn every_command_has_a_page_that_renders_without_a_warning() {
    components::folder();
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    drop(run(command(portcullis()).arg("man").arg(&pages), LIMIT).success());
    let names = || fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let commands = commands();
    assert!(commands.len() > 60, "the reference was not read: {commands:?}");
    assert_eq!(names().collect::<BTreeSet<_>>(), commands);
    for name in names() {
        let page = pages.join(&name);
        // The pages bear no date: they would differ from build to build.
        let lint = run(command("mandoc").args(["-Tlint", "-Wwarning"]).arg(&page), LIMIT);
        let said = format!("{}{}", lint.stdout, lint.stderr);
        let wrong: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        let groff = run(command("groff").args(["-man", "-Tutf8", "-ww"]).arg(&page), LIMIT);
        assert!(groff.status.success() && groff.stderr.is_empty(), "{name}: {}", groff.stderr);
        assert!(groff.stdout.lines().count() > 20, "{name}: {}", groff.stdout);
    }
    let shown = run(command("mandoc").arg("-Thtml").arg(pages.join("portcullis-holds-deny.1")), LIMIT).success();
    assert!(shown.contains("--reason") && shown.contains("portcullis holds deny"), "{shown}");
}

#[test]
fn every_shell_has_completions_that_know_the_commands_and_bash_reads_its_own() {
    components::folder();
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(command(portcullis()).args(["completions", shell]), LIMIT).success();
        assert!(script.lines().count() > 500, "{shell}: {script}");
        for word in ["holds", "approve", "break-glass", "whoami", "--pin-stdin"] {
            // Fish knows options without their dashes.
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        fs::write(folder.path().join(shell), script).unwrap();
    }
    let bash = folder.path().join("bash");
    drop(run(command("bash").arg("-n").arg(&bash), LIMIT).success());
    // As readline asks: what may follow `portcullis holds app`?
    let ask = format!(
        "source {}; COMP_WORDS=(portcullis holds app); COMP_CWORD=2; _portcullis portcullis app holds; echo \"${{COMPREPLY[*]}}\"",
        bash.display()
    );
    let proposed = run(command("bash").args(["--norc", "-c", &ask]), LIMIT).success();
    assert_eq!(proposed.trim(), "approve");
    let wrong = run(command(portcullis()).args(["completions", "tcsh"]), LIMIT);
    assert_eq!(wrong.status.code(), Some(2));
}
