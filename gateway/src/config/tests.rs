use policies::{Risk, Role};

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
    assert!(config.policy.defaults);
    let bundled: Vec<&str> = config.servers.keys().map(ServerName::as_str).collect();
    assert_eq!(bundled, ["files", "http", "time"]);
    assert!(load("[bundled]\nfiles = false\nhttp = false\ntime = false\n").unwrap().servers.is_empty());
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
fn a_quorum_is_read_by_risk_and_one_that_nobody_reaches_is_refused() {
    assert_eq!(load("").unwrap().quorums, Quorums::default());
    let read = load(
        "[approve]\nhigh = { people = 2, role = \"admin\" }\n[approve.critical]\npeople = 3\nrole = \"admin\"\nof_role = 1\n",
    );
    let quorums = read.unwrap().quorums;
    let of = |risk| quorums.set(risk).map(|set| (set.people(), set.of_role().map(|of| (of.people, of.role))));
    let (high, critical) = (Some((2, Some((2, Role::Admin)))), Some((3, Some((1, Role::Admin)))));
    assert_eq!([Risk::Low, Risk::Medium, Risk::High, Risk::Critical].map(of), [None, None, high, critical]);
    for (text, key) in [
        ("high = 2", "approve.high"),
        ("high = {}", "approve.high.people"),
        ("high = { people = 0 }", "approve.high.people"),
        ("high = { people = 17 }", "approve.high.people"),
        ("high = { people = 1, role = \"chief\" }", "approve.high.role"),
        ("high = { people = 1, role = \"reviewer\" }", "approve.high"),
        ("high = { people = 1, role = \"admin\", of_role = 2 }", "approve.high"),
        ("high = { people = 2, of_role = 1 }", "approve.high.of_role"),
        ("high = { people = 2, roles = \"admin\" }", "approve.high.roles"),
        ("severe = { people = 2 }", "approve.severe"),
    ] {
        let problems = load(&format!("[approve]\n{text}\n")).err().unwrap();
        let told: Vec<_> = problems.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
        assert_eq!(told, [(Some(2), key)], "{text}: {problems:?}");
    }
}

#[test]
fn the_logs_disk_is_waited_for_as_long_as_the_config_says() {
    assert_eq!(load("").unwrap().log.wait, None);
    assert_eq!(load("[audit]\nwait = \"2500ms\"\n").unwrap().log.wait, Some(std::time::Duration::from_millis(2_500)));
    for wrong in ["\"2m\"", "\"10ms\"", "\"-1s\"", "\"soon\"", "2"] {
        let problems = load(&format!("[audit]\nwait = {wrong}\n")).err().unwrap();
        assert!(problems[0].wanted.contains("100ms"), "{problems:?}");
    }
}

#[test]
fn off_loopback_needs_tls() {
    let problems = load("[listen]\naddress = \"0.0.0.0:8700\"\n").err().unwrap();
    assert!(problems[0].wanted.contains("tls"), "{problems:?}");
    assert!(load("[listen]\naddress = \"0.0.0.0:8700\"\n[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\n").is_ok());
}

#[test]
fn the_console_is_on_loopback_unless_it_has_tls_and_can_be_off() {
    let usual = load("").unwrap().console.unwrap();
    assert_eq!((usual.address.to_string().as_str(), usual.chosen), ("127.0.0.1:7733", false));
    assert!(load("[operator]\nconsole = false\n").unwrap().console.is_none());
    let asked = load("[operator]\nconsole = \"127.0.0.1:7744\"\n").unwrap().console.unwrap();
    assert!(asked.chosen && asked.address.port() == 7744);
    let problems = load("[operator]\nconsole = \"0.0.0.0:7733\"\n").err().unwrap();
    assert!(problems[0].wanted.contains("tls"), "{problems:?}");
    assert!(load("[operator]\nconsole = 7733\n").is_err());
    let tls = "[operator]\nconsole = \"0.0.0.0:7733\"\nconsole_hosts = [\"c.example:7733\"]\n\
        tls = { certificate = \"c\", key = \"k\" }\n";
    assert_eq!(load(tls).unwrap().console.unwrap().hosts, ["c.example:7733"]);
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
    assert_eq!(config.servers.len(), 4, "two of its own, and the bundled ones but `files`");
    let narrowed = config.profile(&ServerName::parse("files").unwrap(), "write_file");
    assert_eq!(narrowed.scope().unwrap()[0].as_str(), "/srv/data/drafts");
}

#[test]
fn a_server_of_the_same_name_replaces_a_bundled_one() {
    let config = load("[server.files]\ncommand = [\"x\"]\n[bundled]\nhttp = { egress = [\"a.test\"] }\n").unwrap();
    let name = |name: &str| ServerName::parse(name).unwrap();
    assert_eq!(config.servers[&name("files")].origin, Origin::Config);
    let http = config.servers[&name("http")].reach.resources().unwrap();
    assert_eq!(http.egress[0].to_string(), "https://a.test:443");
}

#[test]
fn what_is_declared_is_what_a_jail_opens_and_what_an_approval_is_bound_to() {
    let text = "[server.a]\ncommand = [\"x\"]\nscope = [\"/srv/a\"]\nhosts = [\"a.test\"]\n";
    let config = load(text).unwrap();
    let name = ServerName::parse("a").unwrap();
    let resources = config.profile(&name, "tool").resources().unwrap().clone();
    assert_eq!(resources.folders[0].at, "/srv/a");
    assert!(resources.folders[0].writable && resources.egress.len() == 2);
    let free = load(&format!("{text}jail = false\n")).unwrap();
    assert_ne!(free.profile(&name, "tool").hash(), config.profile(&name, "tool").hash());
}

#[test]
fn liveness_is_seldom_or_off_and_never_nonsense() {
    assert!(load("[liveness]\nevery = \"off\"\n").unwrap().liveness.is_none());
    assert_eq!(load("").unwrap().liveness.unwrap().as_secs(), 60);
    for wrong in ["1s", "2d", "soon"] {
        assert!(load(&format!("[liveness]\nevery = \"{wrong}\"\n")).is_err(), "{wrong}");
    }
}

#[test]
fn an_exporter_names_files_for_its_credentials_and_is_encrypted_off_this_machine() {
    let config = load(
        "[export.file]\npath = \"a\"\n[export.a]\nkind = \"syslog\"\naddress = \"tls://siem.test\"\nformat = \"cef\"\n\
         [export.b]\nkind = \"syslog\"\naddress = \"udp://[2001:db8::1]\"\ninsecure = true\nfacility = 4\n\
         [export.c]\nkind = \"syslog\"\naddress = \"unix:/dev/log\"\n\
         [export.elasticsearch]\nurl = \"https://e.test\"\n",
    );
    let exporters = config.unwrap_or_else(|problems| panic!("{problems:?}")).export;
    let sink = |name: &str| exporters[name].sink.clone();
    let to = |to, facility| Sink::Syslog { to, facility };
    assert_eq!(sink("a"), to(Collector::Tls("siem.test".into(), 6514), 13));
    assert_eq!(sink("b"), to(Collector::Udp("2001:db8::1".into(), 514), 4));
    assert_eq!(sink("c"), to(Collector::Unix("/dev/log".into()), 13));
    assert_eq!((exporters["a"].format, exporters["elasticsearch"].format), (Format::Cef, Format::Ecs));
    for (wrong, key) in [
        ("[export.x]\n", "export.x.kind"),
        ("[export.\"a/b\"]\nkind = \"file\"\npath = \"a\"\n", "export.a/b"),
        ("[export.file]\n", "export.file.path"),
        ("[export.file]\npath = \"a\"\nformat = \"xml\"\n", "export.file.format"),
        ("[export.file]\npath = \"a\"\nca = \"b\"\n", "export.file.ca"),
        ("[export.syslog]\naddress = \"siem.test:514\"\n", "export.syslog.address"),
        ("[export.syslog]\naddress = \"udp://siem.test\"\n", "export.syslog.address"),
        ("[export.syslog]\naddress = \"tls://u:inline@siem.test\"\n", "export.syslog.address"),
        ("[export.syslog]\naddress = \"tls://siem.test\"\nfacility = 24\n", "export.syslog.facility"),
        ("[export.splunk]\nurl = \"https://s.test\"\n", "export.splunk.token"),
        ("[export.splunk]\nurl = \"https://s.test\"\ntoken = \"inline\"\n", "export.splunk.token"),
        ("[export.splunk]\nurl = \"http://s.test\"\ntoken = { file = \"t\" }\n", "export.splunk.url"),
        ("[export.elasticsearch]\nurl = \"https://e.test\"\nindex = \"../x\"\n", "export.elasticsearch.index"),
        ("[export.elasticsearch]\nurl = \"https://e.test\"\nformat = \"cef\"\n", "export.elasticsearch.format"),
        ("[export.elasticsearch]\nurl = \"https://e.test\"\nuser = \"u\"\n", "export.elasticsearch.password"),
        ("[export.datadog]\nkey = { file = \"k\", value = \"inline\" }\n", "export.datadog.key"),
        ("[export.datadog]\nkey = { file = \"k\" }\ntimeout = \"5m\"\n", "export.datadog.timeout"),
    ] {
        let problems = load(wrong).err().unwrap_or_else(|| panic!("{wrong}"));
        assert_eq!(problems[0].key, key, "{wrong}: {problems:?}");
        assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
    }
}

#[test]
fn a_witness_is_an_address_and_the_key_of_a_witness_and_stands_there_once() {
    let key = "witness.example/w1+1453f628+BCaOqP2bc+HHTO8OnM9ufMPGANssqR9mpY9i8Crp363B";
    let load_with = |witnesses: &str| load(&format!("[audit]\nwitness = [{witnesses}]\nbodies = \"90d\"\n"));
    let one = |url: &str| format!("{{ url = \"{url}\", key = \"{key}\" }}");
    let log = load_with(&one("https://witness.example")).unwrap().log;
    assert_eq!((log.witness.len(), log.bodies.unwrap().as_hours()), (1, 90 * 24));
    let twice = format!("{}, {}", one("https://a.example"), one("https://b.example"));
    for wrong in [one("ftp://a.example"), one("a.example"), twice, "{ url = \"https://a.example\" }".to_owned()] {
        let problems = load_with(&wrong).err().unwrap_or_else(|| panic!("{wrong}"));
        assert_eq!((problems.len(), problems[0].key.as_str()), (1, "audit.witness"), "{wrong}: {problems:?}");
    }
    assert_eq!(load("[audit]\nbodies = \"soon\"\n").err().unwrap()[0].key, "audit.bodies");
}

#[test]
fn a_channel_names_files_for_its_credentials_and_is_encrypted_off_this_machine() {
    let config = load(
        "[notify.ntfy]\ntopic = \"t\"\n[notify.a]\nkind = \"smtp\"\nserver = \"m.test\"\nfrom = \"a@b.test\"\nto = \"c@d.test\"\n",
    );
    let channels = config.unwrap().notify;
    let kinds: Vec<_> = channels.iter().map(|(name, channel)| (name.as_str(), channel.way.kind())).collect();
    assert_eq!(kinds, [("a", "smtp"), ("ntfy", "ntfy")]);
    assert!(matches!(&channels["a"].way, Way::Smtp(mail) if mail.port == 465 && mail.security == Security::Tls));
    for (wrong, key) in [
        ("[notify.x]\n", "notify.x.kind"),
        ("[notify.\"a/b\"]\nkind = \"ntfy\"\ntopic = \"t\"\n", "notify.a/b"),
        ("[notify.webhook]\nurl = \"https://a.test\"\n", "notify.webhook.key"),
        ("[notify.webhook]\nurl = \"https://a.test\"\nkey = \"whsec_inline\"\n", "notify.webhook.key"),
        ("[notify.webhook]\nurl = \"http://a.test/inline\"\nkey = { file = \"k\" }\n", "notify.webhook.url"),
        ("[notify.webhook]\nurl = \"https://u:inline@a.test\"\nkey = { file = \"k\" }\n", "notify.webhook.url"),
        ("[notify.slack]\nurl = \"https://hooks.slack.com/services/inline\"\n", "notify.slack.url"),
        ("[notify.telegram]\ntoken = { file = \"t\" }\n", "notify.telegram.chat"),
        ("[notify.ntfy]\ntopic = \"t\"\ntimeout = \"5m\"\n", "notify.ntfy.timeout"),
        ("[notify.ntfy]\ntopic = \"t\"\nbutton = true\n", "notify.ntfy.button"),
        (
            "[notify.smtp]\nserver = \"m.test\"\ntls = \"none\"\nfrom = \"a@b.test\"\nto = \"c@d.test\"\n",
            "notify.smtp.server",
        ),
        ("[notify.smtp]\nserver = \"m.test/x\"\nfrom = \"a@b.test\"\nto = \"c@d.test\"\n", "notify.smtp.server"),
        ("[notify.smtp]\nserver = \"m.test\"\nfrom = \"nobody\"\nto = \"c@d.test\"\n", "notify.smtp.from"),
        (
            "[notify.smtp]\nserver = \"m.test\"\nfrom = \"a@b.test\"\nto = \"c@d.test\"\nuser = \"u\"\n",
            "notify.smtp.password",
        ),
    ] {
        let problems = load(wrong).err().unwrap_or_else(|| panic!("{wrong}"));
        assert_eq!(problems[0].key, key, "{wrong}: {problems:?}");
        assert!(problems.len() == 1 && !problems[0].to_string().contains("inline"), "{problems:?}");
    }
}

#[test]
fn metrics_are_off_unless_written_and_a_port_is_one_of_loopback() {
    let at = |text: &str| load(text).map(|config| config.metrics.map(|at| at.address.to_string()));
    assert_eq!(at("").unwrap(), None);
    assert_eq!(at("[listen]\nmetrics = false\n").unwrap(), None);
    assert_eq!(at("[listen]\nmetrics = 9464\n").unwrap().as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(at("[listen]\nmetrics = \"10.0.0.5:9464\"\n").unwrap().as_deref(), Some("10.0.0.5:9464"));
    assert!(at("[listen]\nmetrics = \"0.0.0.0:9464\"\nmetrics_hosts = [\"gw.test:9464\"]\n").unwrap().is_some());
    for wrong in ["true", "99999", "-1", "\"9464\"", "\"gw.test:9464\"", "\"0.0.0.0:9464\"", "[]"] {
        let problems = at(&format!("[listen]\nmetrics = {wrong}\n")).err().unwrap_or_else(|| panic!("{wrong}"));
        assert_eq!(problems[0].key, "listen.metrics", "{problems:?}");
    }
}

#[test]
fn a_collector_is_encrypted_off_this_machine_and_its_credentials_are_elsewhere() {
    let telemetry = |text: &str| load(&format!("[telemetry]\n{text}")).map(|config| config.telemetry);
    assert_eq!(load("").unwrap().telemetry, None);
    let usual = telemetry("endpoint = \"http://127.0.0.1:4318\"\n").unwrap().unwrap();
    assert_eq!((usual.service.as_str(), usual.sample, usual.every.as_secs()), ("portcullis", 1_000_000, 60));
    let tenth = telemetry("endpoint = \"https://o.test\"\nsample = 0.1\nheaders = { a = { env = \"B\" } }\n").unwrap();
    let tenth = tenth.unwrap();
    assert_eq!((tenth.sample, &tenth.headers[0].1), (100_000, &Word::Env("B".to_owned())));
    for (wrong, key) in [
        ("sample = 0.5", "telemetry.endpoint"),
        ("endpoint = \"http://o.test/inline\"", "telemetry.endpoint"),
        ("endpoint = \"https://u:inline@o.test\"", "telemetry.endpoint"),
        ("endpoint = \"https://o.test\"\nsample = 1.5", "telemetry.sample"),
        ("endpoint = \"https://o.test\"\nevery = \"1d\"", "telemetry.every"),
        ("endpoint = \"https://o.test\"\nheaders = { authorization = \"inline\" }", "telemetry.headers.authorization"),
        ("endpoint = \"https://o.test\"\nheaders = { host = { env = \"B\" } }", "telemetry.headers.host"),
        ("endpoint = \"https://o.test\"\nprotocol = \"grpc\"", "telemetry.protocol"),
    ] {
        let problems = telemetry(wrong).err().unwrap_or_else(|| panic!("{wrong}"));
        assert_eq!(problems[0].key, key, "{problems:?}");
        assert!(problems.len() == 1 && !problems[0].to_string().contains("inline"), "{problems:?}");
    }
}
