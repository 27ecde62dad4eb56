use std::time::Instant;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::lab::{Answer, Lab, Server, exchange, find, refused, resources, soon};
use crate::egress::Packet;

/// A grant of plain TCP to a server on this machine.
fn plain(server: &Server) -> String {
    format!(r#"[{{"host":"a.test","protocol":"tcp","ports":[{}],"addresses":["127.0.0.0/8"]}}]"#, server.port)
}

async fn nothing_comes_back(lab: &Lab, target: &str, bytes: &[u8]) {
    let (_, stream) = lab.connect(target).await;
    assert_eq!(exchange(stream, bytes).await, "", "{target}");
}

#[tokio::test]
async fn names_are_answered_only_while_a_call_runs() {
    let lab = Lab::new().await;
    assert_eq!(lab.ask("a.test.", RecordType::A).await.0, ResponseCode::Refused);
    let opening = lab.open(r#"[{"host":"a.test"}]"#);
    let (code, addresses) = lab.ask("A.Test.", RecordType::A).await;
    assert_eq!((code, addresses.len()), (ResponseCode::NoError, 1));
    assert!(addresses[0].octets()[0] == 198 && addresses[0].octets()[1] & 0xfe == 18);
    assert_eq!(lab.ask("a.test.", RecordType::AAAA).await, (ResponseCode::NoError, Vec::new()));
    for (name, kind) in [
        ("a.test.", RecordType::TXT),
        ("a.test.", RecordType::ANY),
        ("b.test.", RecordType::A),
        ("x.a.test.", RecordType::A),
        ("secret.leak.evil.test.", RecordType::A),
        ("127.0.0.1.", RecordType::A),
        (".", RecordType::NS),
    ] {
        assert_eq!(lab.ask(name, kind).await.0, ResponseCode::Refused, "{name} {kind}");
    }
    let observed = opening.close();
    assert!(find(&observed, |attempt| attempt.at_rest).denied.is_some());
    assert_eq!(
        find(&observed, |attempt| attempt.host.as_deref() == Some("a.test")).denied.as_deref(),
        Some("no call runs")
    );
    assert!(find(&observed, |attempt| attempt.host.as_deref() == Some("secret.leak.evil.test")).denied.is_some());
    assert!(find(&observed, |attempt| attempt.host.as_deref() == Some("a.test (TXT)")).denied.is_some());
    assert_eq!(lab.ask("a.test.", RecordType::A).await.0, ResponseCode::Refused);
    assert_eq!(*lab.asked.lock().unwrap(), Vec::<String>::new(), "nothing is asked of the world");
}

#[tokio::test]
async fn a_tunnel_of_names_below_a_wildcard_is_bounded() {
    let lab = Lab::new().await;
    let opening = lab.open(r#"[{"host":"*.b.test"}]"#);
    let mut answered = 0;
    for n in 0..100 {
        answered += usize::from(lab.ask(&format!("s{n}.b.test."), RecordType::A).await.0 == ResponseCode::NoError);
    }
    assert_eq!(answered, 64);
    assert_eq!(lab.ask("s1.b.test.", RecordType::A).await.0, ResponseCode::NoError, "a known one may be asked again");
    assert!(refused(&opening.close()).iter().any(|why| why.contains("too many names")));
}

#[tokio::test]
async fn a_call_has_its_exit_to_itself() {
    let lab = Lab::new().await;
    let opening = lab.open("[]");
    assert!(lab.exit.open(&resources("[]"), vault::Placer::default()).is_err());
    drop(opening);
    assert!(lab.exit.open(&resources("[]"), vault::Placer::default()).is_ok());
}

#[tokio::test]
async fn a_connection_is_cut_with_its_call() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let server = lab.echo().await;
    let opening = lab.open(&plain(&server));
    let (status, mut stream) = lab.connect(&format!("a.test:{}", server.port)).await;
    assert_eq!(status, 200);
    stream.write_all(b"hello\r\n").await.unwrap();
    let mut back = [0; 7];
    soon(stream.read_exact(&mut back)).await.unwrap();
    let observed = opening.close();
    let flow = find(&observed, |attempt| attempt.host.as_deref() == Some("a.test"));
    assert_eq!((flow.denied.as_deref(), flow.address), (None, Some("127.0.0.1".parse().unwrap())));
    assert!(flow.sent >= 7 && flow.received >= 7);
    stream.write_all(b"after").await.ok();
    assert!(!matches!(soon(stream.read(&mut back)).await, Ok(1..)), "nothing comes any more");
    assert_eq!(server.saw(), "hello\r\n");
    let (status, _) = lab.connect(&format!("a.test:{}", server.port)).await;
    assert_eq!(status, 0, "and nothing connects");
    let observed = lab.open("[]").close();
    assert!(find(&observed, |attempt| attempt.at_rest).denied.is_some());
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_noted() {
    let lab = Lab::new().await;
    lab.local("a.test");
    lab.local("b.test");
    let server = lab.echo().await;
    let opening = lab.open(&plain(&server));
    for target in [
        format!("b.test:{}", server.port),
        format!("127.0.0.1:{}", server.port),
        format!("2130706433:{}", server.port),
        format!("[::1]:{}", server.port),
        "a.test:1".to_owned(),
        "169.254.169.254:80".to_owned(),
    ] {
        assert_eq!(lab.connect(&target).await.0, 403, "{target}");
    }
    for target in ["a.test", "http://a.test/", "a.test:1:2"] {
        assert_eq!(lab.connect(target).await.0, 405, "{target}");
    }
    assert_eq!(exchange(TcpStream::connect(lab.edge).await.unwrap(), b"hello").await, "");
    let observed = opening.close();
    assert!(observed.undeclared());
    let direct = find(&observed, |attempt| attempt.port == Some(lab.edge.port()));
    assert_eq!(direct.denied.as_deref(), Some("the host was not declared"));
    assert_eq!(server.saw(), "");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_dialled() {
    let lab = Lab::new().await;
    let server = lab.echo().await;
    let local = "127.0.0.1".parse().unwrap();
    lab.name("private.test", Answer::Addresses(vec![local]));
    lab.name("mixed.test", Answer::Addresses(vec!["198.51.100.7".parse().unwrap(), local]));
    lab.name("alias.test", Answer::Alias("inside.test", local));
    lab.name("metadata.test", Answer::Addresses(vec!["169.254.169.254".parse().unwrap()]));
    lab.name("synthetic.test", Answer::Addresses(vec!["198.18.0.20".parse().unwrap()]));
    let port = server.port;
    let grant = format!(
        r#"[{{"host":"*.test.test","protocol":"tcp","ports":[{port}]}},{{"host":"private.test","protocol":"tcp","ports":[{port}]}},
            {{"host":"mixed.test","protocol":"tcp","ports":[{port}]}},{{"host":"alias.test","protocol":"tcp","ports":[{port}]}},
            {{"host":"metadata.test","protocol":"tcp","ports":[{port}],"addresses":["0.0.0.0/0"]}},
            {{"host":"synthetic.test","protocol":"tcp","ports":[{port}],"addresses":["0.0.0.0/0"]}}]"#
    );
    let opening = lab.open(&grant);
    for name in ["private", "mixed", "alias", "metadata", "synthetic"] {
        nothing_comes_back(&lab, &format!("{name}.test:{port}"), b"hello").await;
    }
    let observed = opening.close();
    assert_eq!(refused(&observed).len(), 5, "{observed:#?}");
    assert!(refused(&observed).iter().any(|why| why.contains("metadata")));
    assert_eq!(server.saw(), "");
}

#[tokio::test]
async fn a_name_that_changes_between_check_and_use_is_checked_each_time() {
    let lab = Lab::new().await;
    let server = lab.echo().await;
    let port = server.port;
    lab.name("r.test", Answer::Addresses(vec!["127.0.0.1".parse().unwrap()]));
    lab.name("r.test", Answer::Addresses(vec!["127.1.0.1".parse().unwrap()]));
    let grant = format!(r#"[{{"host":"r.test","protocol":"tcp","ports":[{port}],"addresses":["127.0.0.0/24"]}}]"#);
    let opening = lab.open(&grant);
    let mut answers = Vec::new();
    for _ in 0..4 {
        let (_, stream) = lab.connect(&format!("r.test:{port}")).await;
        answers.push(exchange(stream, b"hello\r\n").await);
    }
    let observed = opening.close();
    let refused = observed.attempts().iter().filter(|attempt| attempt.denied.is_some()).map(|attempt| attempt.times);
    let passed = answers.iter().filter(|answer| answer.as_str() == "hello\r\n").count();
    assert_eq!(passed as u64 + refused.sum::<u64>(), 4, "{observed:#?}");
    assert!(passed < 4 && passed > 0, "{answers:?}");
}

#[tokio::test]
async fn what_begins_like_http_or_tls_is_no_plain_tcp() {
    let lab = Lab::new().await;
    lab.local("a.test");
    let server = lab.echo().await;
    let opening = lab.open(&plain(&server));
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\r\nPRI * HTTP/2.0\r\n\r\n", &[22, 3, 1, 0, 5, 1]] {
        nothing_comes_back(&lab, &format!("a.test:{}", server.port), bytes).await;
    }
    assert_eq!(refused(&opening.close()).len(), 2, "HTTP twice, TLS once");
    assert_eq!(server.saw(), "");
}

#[tokio::test]
async fn connections_of_a_call_are_bounded() {
    let lab = Lab::new().await;
    let opening = lab.open(r#"[{"host":"a.test"}]"#);
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(TcpStream::connect(lab.proxy).await.ok());
    }
    soon(async {
        let (status, _) = lab.connect("a.test:443").await;
        assert_eq!(status, 0);
    })
    .await;
    assert!(refused(&opening.close()).iter().any(|why| why.contains("too many connections")));
}

#[tokio::test]
async fn dropped_packets_belong_to_the_call_that_runs() {
    let lab = Lab::new().await;
    let packet = Packet { protocol: 17, to: "203.0.113.1".parse().unwrap(), port: Some(53) };
    lab.exit.dropped(packet);
    let opening = lab.open("[]");
    lab.exit.dropped(Packet { port: Some(9999), ..packet });
    let observed = opening.close();
    assert!(find(&observed, |attempt| attempt.port == Some(53)).at_rest);
    assert!(!find(&observed, |attempt| attempt.port == Some(9999)).at_rest);
}

#[tokio::test]
#[ignore = "`just bench sandbox`"]
async fn what_an_exit_costs() {
    let lab = Lab::new().await;
    let resources = resources(r#"[{"host":"a.test"},{"host":"*.b.test"}]"#);
    let mut times: Vec<_> = (0..10_000)
        .map(|_| {
            let begun = Instant::now();
            drop(lab.exit.open(&resources, vault::Placer::default()).unwrap().close());
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("a grant, opened and closed: n {}, p50 {:?}, p99 {:?}", times.len(), times[5_000], times[9_900]);
}
