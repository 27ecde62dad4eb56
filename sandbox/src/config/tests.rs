use super::*;

fn parse(table: &str) -> Result<ServerConfig, Vec<Problem>> {
    ServerConfig::parse(toml::from_str(table).unwrap())
}

fn keys(result: Result<ServerConfig, Vec<Problem>>) -> Vec<String> {
    result.err().unwrap_or_default().into_iter().map(|problem| problem.key).collect()
}

#[test]
fn a_command_and_an_url_are_read() {
    let config =
        parse("command = ['prog', 'a b']\nenv = { K = 'v' }\ncall_timeout = '2m'\nmax_answer = '4 MiB'").unwrap();
    assert_eq!(config.limits.call.as_secs(), 120);
    assert_eq!(config.limits.answer, 4 << 20);
    let Reach::Process(program) = config.reach else { panic!() };
    assert_eq!((program.command.as_str(), program.arguments), ("prog", vec!["a b".to_owned()]));
    assert_eq!(program.environment, [("K".to_owned(), "v".to_owned())]);

    let config = parse("url = 'https://example.org/mcp'\nheaders = { X-Key = 'v' }").unwrap();
    assert_eq!(config.kind(), Kind::Remote);
}

#[test]
fn every_problem_is_reported_at_once() {
    let found = keys(parse(
        "command = 'prog'\nenv = { A = 1, B = { env = 'SURELY_NOT_SET_ANYWHERE' } }\ncwd = '/no/such'\nheaders = {}\nstart_timeout = 'soon'\nmax_in_flight = 0",
    ));
    assert_eq!(found, ["start_timeout", "max_in_flight", "headers", "command", "env.A", "env.B", "cwd"]);
}

#[test]
fn either_a_command_or_an_url_is_wanted() {
    assert_eq!(keys(parse("")), ["command"]);
    assert_eq!(keys(parse("command = ['x']\nurl = 'http://localhost/'")), ["command"]);
}

#[test]
fn plain_http_stays_on_this_machine_unless_asked_for() {
    for good in ["http://127.0.0.1:1/", "http://[::1]/mcp", "http://localhost/", "http://127.1/", "https://example.org"]
    {
        assert!(ServerConfig::parse_argument(good).is_ok(), "{good}");
    }
    for bad in ["http://example.org/", "http://10.0.0.1/", "http://localhost.example.org/", "https://u:p@example.org/"]
    {
        assert_eq!(keys(ServerConfig::parse_argument(bad)), ["url"], "{bad}");
    }
    assert!(parse("url = 'http://10.0.0.1/'\ninsecure = true").is_ok());
    assert_eq!(keys(parse("url = 'ftp://localhost/'")), ["url"]);
}

#[test]
fn a_config_cannot_set_the_headers_that_frame_a_request() {
    for name in ["Host", "Mcp-Name", "mcp-session-id", "Content-Length", "Transfer-Encoding", "Last-Event-ID"] {
        let table = format!("url = 'https://example.org/'\nheaders = {{ {name} = 'x' }}");
        assert_eq!(keys(parse(&table)), [format!("headers.{name}")]);
    }
    assert_eq!(keys(parse("url = 'https://example.org/'\nheaders = { A = \"x\\ny\" }")), ["headers.A"]);
}

#[test]
fn a_command_line_is_split_as_a_shell_splits_it() {
    assert_eq!(words::split(r#"a 'b c' "d \"e\" \n" f\ g ''"#).unwrap(), ["a", "b c", "d \"e\" \\n", "f g", ""]);
    assert_eq!(words::split("$HOME *").unwrap(), ["$HOME", "*"]);
    assert!(words::split("a 'b").is_err());
    assert_eq!(keys(ServerConfig::parse_argument("  ")), ["command"]);
}

#[test]
fn keys_flatten_into_a_table_that_refuses_unknown_ones() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        prefix: String,
        #[serde(flatten)]
        keys: ServerKeys,
    }
    let table: Table = toml::from_str("prefix = ''\ncommand = ['x']").unwrap();
    assert!(table.prefix.is_empty() && ServerConfig::parse(table.keys).is_ok());
    assert!(toml::from_str::<Table>("prefix = ''\ncommand = ['x']\nunknown = 1").is_err());
    let every = ServerKeys::NAMES.map(|name| format!("{name} = 1")).join("\n");
    assert!(toml::from_str::<Table>(&format!("prefix = ''\n{every}")).is_ok());
}
