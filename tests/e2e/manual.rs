//! The manual: a page for each command, which the programs that show manuals read without a complaint.

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
