use super::*;

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), Overrides::default())
}

#[test]
fn an_empty_file_is_a_config() {
    let config = load("").unwrap();
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:8700");
    assert!(config.policy.defaults && config.servers.is_empty());
}

#[test]
fn every_problem_is_told_with_its_line_and_key() {
    let problems = load(
        "[listen]\naddress = 7\nport = 1\n\n[server.\"a.b\"]\ncommand = [\"x\"]\n\n[server.files]\ncomand = [\"x\"]\nscope = [\"relative\"]\n\n[hold]\nhigh = \"soon\"\n[surprise]\n",
    )
    .err()
    .unwrap();
    let told: Vec<_> = problems.iter().map(|problem| (problem.line.unwrap(), problem.key.as_str())).collect();
    for expected in [
        (2, "listen.address"),
        (3, "listen.port"),
        (5, "server.a.b"),
        (8, "server.files.command"),
        (9, "server.files.comand"),
        (10, "server.files.scope"),
        (13, "hold.high"),
        (14, "surprise"),
    ] {
        assert!(told.contains(&expected), "{expected:?} not in {told:?}");
    }
}

#[test]
fn off_loopback_needs_tls() {
    let problems = load("[listen]\naddress = \"0.0.0.0:8700\"\n").err().unwrap();
    assert!(problems[0].wanted.contains("tls"), "{problems:?}");
    assert!(load("[listen]\naddress = \"0.0.0.0:8700\"\n[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\n").is_ok());
}

#[test]
fn the_command_line_adds_servers() {
    let servers = vec![("files".to_owned(), "cat -n 'a b'".to_owned()), ("a.b".to_owned(), "ftp://x".to_owned())];
    let problems = Config::load(None, Overrides { servers, ..Overrides::default() }).err().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].key.starts_with("--server a.b"));
}

#[test]
fn the_example_in_the_reference_is_a_config() {
    let page = include_str!("../../../docs/reference/config.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = load(example).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(config.servers.len(), 2);
    let narrowed = config.profile(&ServerName::parse("files").unwrap(), "write_file");
    assert_eq!(narrowed.scope().unwrap()[0].as_str(), "/srv/data/drafts");
}
