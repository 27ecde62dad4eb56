use policies::{Object, Value};

use super::*;

fn tool(server: &str, name: &str) -> Tool {
    let definition = [("name", Value::from(name))].into_iter().collect::<Object>();
    let standing = policies::Standing { pinned: true, vouched: false, profile: Arc::default() };
    Tool::new(ServerName::parse(server).unwrap(), policies::Method::CallTool, definition.into(), standing).unwrap()
}

fn redactor() -> audit::Redactor {
    audit::Redactor::new(&[7; 32])
}

/// The lines of one figure.
fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = text::write(metrics.families(&redactor())).unwrap();
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

#[test]
fn a_server_that_invents_names_makes_no_more_than_so_many_series() {
    let metrics = Metrics::new(["tools/call"].into_iter());
    for number in 0..2 * MOST {
        metrics.of(&tool("mad", &format!("tool-{number}"))).add(Decided::Allow, Risk::Low);
    }
    metrics.of(&tool("sane", "read")).add(Decided::Hold, Risk::High);
    let lines = lines(&metrics, "portcullis_tool_calls_total{");
    assert_eq!(lines.len(), MOST + 1, "{lines:?}");
    let other = lines.iter().find(|line| line.contains("tool=\"other\"")).unwrap();
    assert!(other.ends_with(&format!(" {}", MOST + 1)), "{other}");
    assert!(lines.contains(
        &"portcullis_tool_calls_total{server=\"sane\",tool=\"read\",verdict=\"hold\",risk=\"HIGH\"} 1".to_owned()
    ));
}

#[test]
fn names_are_escaped_and_redacted() {
    let metrics = Metrics::new(["tools/call"].into_iter());
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for name in ["say \"hi\"\\", secret] {
        metrics.of(&tool("odd", name)).add(Decided::Allow, Risk::Low);
    }
    let lines = lines(&metrics, "portcullis_tool_calls_total{");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains(r#"tool="say \"hi\"\\""#)), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(secret)), "{lines:?}");
}

#[test]
fn a_method_that_does_not_exist_is_nobodys() {
    let metrics = Metrics::new(["ping", "subscriptions/listen"].into_iter());
    for number in 0..10_000 {
        metrics.answered(&format!("made/up{number}"), Duration::from_millis(1));
    }
    metrics.answered("ping", Duration::from_micros(30));
    metrics.answered("subscriptions/listen", Duration::from_hours(1));
    let counts = lines(&metrics, "mcp_server_operation_duration_seconds_count");
    assert_eq!(
        counts,
        [
            "mcp_server_operation_duration_seconds_count{mcp_method_name=\"ping\"} 1",
            "mcp_server_operation_duration_seconds_count{mcp_method_name=\"unknown\"} 10000",
        ]
    );
    assert_eq!((metrics.method("subscriptions/listen"), metrics.method("made/up")), ("subscriptions/listen", UNKNOWN));
    let within = lines(&metrics, "mcp_server_operation_duration_seconds_bucket{mcp_method_name=\"ping\",le=\"5e-05\"");
    assert!(
        within.first().is_some_and(|line| line.ends_with(" 1")),
        "{:?}",
        lines(&metrics, "mcp_server_operation_duration")
    );
}
