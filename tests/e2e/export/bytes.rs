//! What collectors are sent, to the byte.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::receiver::{Heard, Receiver};
use tests::world::World;

use super::{SUCCESS, TOKEN, body, caught_up, elasticsearch, lines, objects, prepare, some, splunk, start, write};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The machine's name, as exporters give it.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// All bodies, one after the other.
fn bodies(heard: &[Heard]) -> String {
    heard.iter().map(|heard| body(&heard.text)).collect()
}

/// Every request begins with this, and has the length that it says.
#[track_caller]
fn assert_heads(heard: &[Heard], expected: &str) {
    for heard in heard {
        let (head, body) = heard.text.split_once("\r\n\r\n").unwrap();
        assert_eq!(head, format!("{expected}content-length: {}", body.len()));
    }
}

fn head(target: &str, port: u16, content: &str, more: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: portcullis/{VERSION}\r\n\
         content-type: {content}\r\nconnection: close\r\n{more}"
    )
}

fn seconds(line: &Value) -> String {
    let at = line["at"].as_str().unwrap();
    let fraction = at.trim_end_matches('Z').split_once('.').map_or("", |(_, fraction)| fraction);
    format!("{fraction:0<6}")
}

#[test]
fn splunk_is_sent_just_these_bytes() {
    let receiver = Receiver::saying(200, SUCCESS);
    let world = start(&(splunk("siem", &receiver) + "index = \"security\"\n"));
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    let channel = heard[0].text.lines().find_map(|line| line.strip_prefix("x-splunk-request-channel: ")).unwrap();
    assert_eq!(channel.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let more = format!("authorization: Splunk {TOKEN}\r\nx-splunk-request-channel: {channel}\r\n");
    assert_heads(&heard, &head("/services/collector/event", receiver.port(), "application/json", &more));
    let mut rest = bodies(&heard);
    for line in lines(&world, "json") {
        let record: Value = serde_json::from_str(&line).unwrap();
        let time = rest.strip_prefix("{\"time\":").unwrap().split(',').next().unwrap().to_owned();
        assert_eq!(time.split_once('.').unwrap().1, seconds(&record));
        let expected = format!(
            "{{\"time\":{time},\"host\":\"{}\",\"source\":\"portcullis\",\"sourcetype\":\"portcullis:audit\",\
             \"index\":\"security\",\"event\":{line},\"fields\":{{\"portcullis_leaf\":{}}}}}",
            host(),
            record["leaf"],
        );
        rest = rest.strip_prefix(&expected).unwrap_or_else(|| panic!("{expected}\n{rest}")).to_owned();
    }
    assert_eq!(rest, "");
}

#[test]
fn elasticsearch_is_sent_a_create_for_each_leaf() {
    let receiver = Receiver::bulk();
    let login = "user = \"gate\"\npassword = { file = \"token\" }\n";
    let world = start(&(elasticsearch(&receiver) + login));
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("gate:{TOKEN}"));
    let target = "/audit/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason";
    let expected = head(target, receiver.port(), "application/x-ndjson", &format!("authorization: Basic {basic}\r\n"));
    assert_heads(&heard, &expected);
    let documents = objects(&world).into_iter().zip(lines(&world, "ecs"));
    let pair = |(record, line): (Value, String)| format!("{{\"create\":{{\"_id\":{}}}}}\n{line}\n", record["leaf"]);
    assert_eq!(bodies(&heard), documents.map(pair).collect::<Vec<_>>().concat());
}

#[test]
fn datadog_is_sent_arrays_of_logs_with_its_key() {
    let receiver = Receiver::saying(202, "{}");
    let world = start(&format!(
        "[export.datadog]\nurl = \"http://127.0.0.1:{}\"\nkey = {{ file = \"token\" }}\nformat = \"ocsf\"\n",
        receiver.port(),
    ));
    some(&world, "a");
    caught_up(&world);
    let heard = receiver.heard();
    let expected = head("/api/v2/logs", receiver.port(), "application/json", &format!("dd-api-key: {TOKEN}\r\n"));
    assert_heads(&heard, &expected);
    let mut sent = Vec::new();
    for heard in &heard {
        let logs: Vec<Value> = serde_json::from_str(body(&heard.text)).unwrap();
        assert!(heard.text.len() < 5_000_000 && logs.len() <= 1_000);
        sent.extend(logs);
    }
    let log = objects(&world);
    assert_eq!(sent.len(), log.len());
    for ((log, record), line) in sent.iter().zip(&log).zip(lines(&world, "ocsf")) {
        assert_eq!(log["message"], line);
        assert_eq!((&log["ddsource"], &log["service"]), (&json!("portcullis"), &json!("portcullis")));
        assert_eq!((&log["leaf"], &log["seq"], &log["hostname"]), (&record["leaf"], &record["seq"], &json!(host())));
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(log["timestamp"], event["time"]);
        assert_eq!(log["status"], if event["severity_id"] == 1 { "info" } else { "warn" }, "{event}");
    }
}

/// The messages as RFC 5424 has them, in order.
fn messages(world: &World, format: &str, facility: u32) -> Vec<String> {
    let id = world.id();
    let message = |(record, line): (Value, String)| {
        let at = record["at"].as_str().unwrap();
        let time = at.trim_end_matches('Z').split('.').next().unwrap();
        let severity = if line.contains("\"verdict\"") { 4 } else { 6 };
        let priority = facility * 8 + severity;
        format!(
            "<{priority}>1 {time}.{}Z {} portcullis {id} {} [meta sequenceId=\"{}\"][origin software=\"Portcullis\" \
             swVersion=\"{VERSION}\"] {line}",
            seconds(&record),
            host(),
            record["kind"].as_str().unwrap(),
            record["seq"],
        )
    };
    objects(world).into_iter().zip(lines(world, format)).map(message).collect()
}

/// A number, a space, and as many bytes, again and again.
fn counted(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (length, after) = rest.split_once(' ').unwrap();
        let (message, after) = after.split_at(length.parse().unwrap());
        found.push(message.to_owned());
        rest = after;
    }
    found
}

#[test]
fn syslog_counts_its_octets_over_tcp_and_tls_and_a_stranger_is_sent_nothing() {
    let folder = TempDir::new().unwrap();
    let [ours, theirs] = ["ours.pem", "theirs.pem"].map(|name| folder.path().join(name));
    let (plain, tls, stranger) = (Receiver::stream(), Receiver::stream_tls(&ours), Receiver::stream_tls(&theirs));
    let table = |name: &str, scheme: &str, port: u16| {
        format!("[export.{name}]\nkind = \"syslog\"\naddress = \"{scheme}://127.0.0.1:{port}\"\nfacility = 16\n")
    };
    let ca = format!("ca = \"{}\"\n", ours.display());
    let config = [table("plain", "tcp", plain.port()), table("tls", "tls", tls.port()) + &ca];
    let world = start(&config.concat());
    some(&world, "a");
    caught_up(&world);
    for receiver in [&plain, &tls] {
        let text: String = receiver.heard().into_iter().map(|heard| heard.text).collect();
        assert_eq!(counted(&text), messages(&world, "json", 16));
    }
    let world = prepare(&(table("stranger", "tls", stranger.port()) + &ca));
    let output = world.cli(&["export", "test", "stranger", "--config", "portcullis.toml"]);
    assert!(!output.status.success() && output.stderr.contains("certificate"), "{}", output.stderr);
    assert!(stranger.heard().is_empty());
}

#[test]
fn syslog_sends_a_datagram_a_record_over_udp_and_to_a_socket_of_this_machine() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let (udp, unix) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UnixDatagram::bind(&path).unwrap());
    udp.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    unix.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let world = start(&format!(
        "[export.udp]\nkind = \"syslog\"\naddress = \"udp://127.0.0.1:{}\"\nformat = \"cef\"\n\
         [export.unix]\nkind = \"syslog\"\naddress = \"unix:{}\"\n",
        udp.local_addr().unwrap().port(),
        path.display(),
    ));
    // A socket of this machine holds few datagrams: whoever sends waits for whoever reads.
    let expected = |format| messages(&world, format, 13);
    let mut buffer = vec![0; 65_536];
    let mut take = |read: &dyn Fn(&mut [u8]) -> usize| {
        let length = read(&mut buffer);
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    for number in 0..3 {
        let (sent, kept) = (take(&|bytes| udp.recv(bytes).unwrap()), take(&|bytes| unix.recv(bytes).unwrap()));
        assert_eq!(sent, expected("cef")[number]);
        assert_eq!(kept, expected("json")[number]);
    }
}

#[test]
fn a_record_is_sent_to_whom_its_config_names_alone() {
    // Off this machine nothing goes without TLS, unless the config says so.
    let world = prepare("[export.syslog]\naddress = \"udp://192.0.2.1:514\"\n");
    write(&world.folder().join("token"), TOKEN, 0o600);
    let checked = world.cli(&["check", "--config", "portcullis.toml"]);
    assert!(!checked.status.success() && checked.stdout.contains("insecure = true"), "{}", checked.stdout);
}
