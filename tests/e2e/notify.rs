//! Notifications: people are told of held calls, each once, whatever the channel does, and learn nothing of the arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::receiver::{Heard, Mood, Receiver};
use tests::server::Server;
use tests::world::{Setup, World};

const KEY: &str = "whsec_cG9ydGN1bGxpcyB0ZXN0cyBzaWduIHdpdGggdGhpcw==";
const NTFY: &str = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2";
const TELEGRAM: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const PASSWORD: &str = "correct-horse-battery-staple";

/// What stands in every call, and must stand in no notification.
const ARGUMENT: &str = "the plan for the takeover";

/// A gateway with these channels, in front of a server named `notes` that counts.
struct Bench {
    world: World,
    _notes: Server,
    _folder: TempDir,
}

impl Bench {
    fn start(config: &str) -> Self {
        Self::prepare("notes", config).started()
    }

    fn started(mut self) -> Self {
        self.world.start();
        self.ready();
        self
    }

    fn ready(&self) {
        self.world.eventually("the tools", || (self.world.modern().names().len() == 2).then_some(()));
    }

    fn prepare(server: &str, config: &str) -> Self {
        let config = format!("[operator]\nconsole_hosts = [\"console.example:7733\"]\n{config}");
        let folder = TempDir::new().unwrap();
        let notes = Server::hostile(Mode::Count, &folder.path().join("record"));
        let world = Setup::new().config(&config).remote(server, notes.endpoint()).prepare();
        credentials(world.folder());
        Self { world, _notes: notes, _folder: folder }
    }

    /// A call that waits for a person, whose agent has gone; the hold.
    fn hold(&self, note: &str) -> Value {
        let before = self.world.holds();
        let tool = self.world.modern().names().into_iter().find(|name| name.ends_with("delete_note")).unwrap();
        let arguments = json!({"note": format!("{note}: {ARGUMENT}")});
        let wire = self.world.modern().begin("tools/call", json!({"name": tool, "arguments": arguments})).unwrap();
        let new = |hold: &Value| !before.iter().any(|known| known["id"] == hold["id"]);
        let hold = self.world.eventually("another hold", || self.world.holds().into_iter().find(new));
        drop(wire);
        hold
    }

    /// What a channel was sent, once there is as much.
    fn heard(&self, receiver: &Receiver, count: usize) -> Vec<Heard> {
        self.world.eventually("a notification", || Some(receiver.heard()).filter(|heard| heard.len() >= count))
    }
}

/// Every credential that a channel may name, for its owner alone.
pub(crate) fn credentials(folder: &Path) {
    for (name, word) in [("hook.key", KEY), ("ntfy.token", NTFY), ("bot.token", TELEGRAM), ("password", PASSWORD)] {
        write(&folder.join(name), word, 0o600);
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn webhook(name: &str, receiver: &Receiver) -> String {
    let url = format!("http://127.0.0.1:{}/hook?of=portcullis", receiver.port());
    format!("[notify.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\nkey = {{ file = \"hook.key\" }}\n")
}

/// More of a table: long enough for a machine that is busy, short enough to wait for one that hangs.
const HASTY: &str = "timeout = \"3s\"\n";

fn id(hold: &Value) -> &str {
    hold["id"].as_str().unwrap()
}

fn link(hold: &Value) -> String {
    format!("http://console.example:7733/#holds/{}", id(hold))
}

/// What people read, without its first line.
fn lines(hold: &Value) -> String {
    let until = hold["expires"].as_str().unwrap().replace('T', " ");
    let until = until.split(['.', 'Z']).next().unwrap();
    format!("Agent: default\nTool: notes.delete_note\nRisk: CRITICAL\nUntil: {until} UTC\nAnswer: {}", link(hold))
}

const TITLE: &str = "CRITICAL: default wants to call notes.delete_note";

/// Body and headers as every adapter over HTTP sends them.
fn posted(target: &str, port: u16, more: &str, body: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: portcullis/{version}\r\n\
         content-type: application/json\r\nconnection: close\r\n{more}content-length: {length}\r\n\r\n{body}"
    )
}

/// The value of a header.
fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_webhook_is_told_of_a_hold_in_just_these_bytes_signed_with_id_and_time() {
    let receiver = Receiver::http();
    let bench = Bench::start(&webhook("pager", &receiver));
    let hold = bench.hold("a");
    let text = bench.heard(&receiver, 1).remove(0).text;
    let body = format!(
        "{{\"type\":\"hold.opened\",\"timestamp\":{},\"data\":{{\"hold\":{},\"agent\":\"default\",\
         \"tool\":\"notes.delete_note\",\"risk\":\"CRITICAL\",\"expires\":{},\"link\":\"{}\"}}}}",
        hold["opened"],
        hold["id"],
        hold["expires"],
        link(&hold),
    );
    let (message, seconds) = (format!("{}-pager", id(&hold)), header(&text, "webhook-timestamp"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(KEY.trim_start_matches("whsec_")).unwrap());
    let signature = hmac::sign(&key, format!("{message}.{seconds}.{body}").as_bytes());
    let signature = BASE64.encode(signature);
    let more =
        format!("webhook-id: {message}\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: v1,{signature}\r\n");
    assert_eq!(text, posted("/hook?of=portcullis", receiver.port(), &more, &body));
}

#[test]
fn ntfy_slack_telegram_and_mail_are_told_of_a_hold_in_just_these_bytes() {
    let [ntfy, slack, telegram] = [(); 3].map(|()| Receiver::http());
    let mail = Receiver::smtp();
    let bench = Bench::prepare(
        "notes",
        &format!(
            "[notify.ntfy]\nurl = \"http://127.0.0.1:{}\"\ntopic = \"holds\"\ntoken = {{ file = \"ntfy.token\" }}\n\
         [notify.slack]\nurl = {{ file = \"slack.url\" }}\n\
         [notify.telegram]\nurl = \"http://127.0.0.1:{}\"\ntoken = {{ file = \"bot.token\" }}\nchat = \"-1001\"\n\
         [notify.mail]\nkind = \"smtp\"\nserver = \"127.0.0.1:{}\"\ntls = \"none\"\nfrom = \"Portcullis <gate@a.example>\"\n\
         to = \"ann@b.example\"\nuser = \"gate\"\npassword = {{ file = \"password\" }}\n",
            ntfy.port(),
            telegram.port(),
            mail.port(),
        ),
    );
    let path = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
    write(&bench.world.folder().join("slack.url"), &format!("http://127.0.0.1:{}{path}", slack.port()), 0o600);
    let bench = bench.started();
    let hold = bench.hold("a");
    let (text, link) = (lines(&hold), link(&hold));

    let body = format!(
        "{{\"topic\":\"holds\",\"title\":\"{TITLE}\",\"message\":{},\"priority\":5,\"click\":\"{link}\",\
         \"sequence_id\":\"{}-ntfy\"}}",
        Value::from(text.as_str()),
        id(&hold),
    );
    let bearer = format!("authorization: Bearer {NTFY}\r\n");
    assert_eq!(bench.heard(&ntfy, 1)[0].text, posted("/", ntfy.port(), &bearer, &body));

    let said = Value::from(format!("{TITLE}\n{text}\n"));
    let body = format!(
        "{{\"text\":\"{TITLE}\",\"blocks\":[{{\"type\":\"rich_text\",\"elements\":[{{\"type\":\"rich_text_section\",\
         \"elements\":[{{\"type\":\"text\",\"text\":{said}}},{{\"type\":\"link\",\"url\":\"{link}\",\
         \"text\":\"Open the console\"}}]}}]}}],\"unfurl_links\":false,\"unfurl_media\":false}}"
    );
    assert_eq!(bench.heard(&slack, 1)[0].text, posted(path, slack.port(), "", &body));

    let said = Value::from(format!("{TITLE}\n{text}"));
    let body = format!("{{\"chat_id\":\"-1001\",\"text\":{said},\"link_preview_options\":{{\"is_disabled\":true}}}}");
    let target = format!("/bot{TELEGRAM}/sendMessage");
    assert_eq!(bench.heard(&telegram, 1)[0].text, posted(&target, telegram.port(), "", &body));

    let said = bench.heard(&mail, 1).remove(0).text;
    let date = said.lines().find(|line| line.starts_with("Date: ")).unwrap();
    let plain = BASE64.encode(format!("\0gate\0{PASSWORD}"));
    let letter = format!(
        "From: Portcullis <gate@a.example>\nTo: ann@b.example\n{date}\nMessage-ID: <{}-mail@a.example>\n\
         Subject: {TITLE}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\
         Content-Transfer-Encoding: 7bit\n\n{text}",
        id(&hold),
    );
    let expected = format!(
        "EHLO [127.0.0.1]\nAUTH PLAIN {plain}\nMAIL FROM:<gate@a.example>\nRCPT TO:<ann@b.example>\nDATA\n{letter}\n.\n"
    );
    assert_eq!(said, expected.replace('\n', "\r\n"));
}

#[test]
fn a_channel_that_is_busy_fails_hangs_resets_or_sends_elsewhere_is_told_in_the_end_and_once() {
    let [receiver, elsewhere, calm] = [(); 3].map(|()| Receiver::http());
    let moved = format!("Location: http://127.0.0.1:{}/", elsewhere.port());
    let moved: &'static str = moved.leak();
    let bench = Bench::start(&(webhook("pager", &receiver) + HASTY + &webhook("calm", &calm)));
    let busy = Mood::Refuse(429, "Retry-After: 1");
    let moods = [busy, Mood::Refuse(500, ""), Mood::Hang, Mood::Reset, Mood::Refuse(302, moved), Mood::Take];
    receiver.set(&moods);
    let hold = bench.hold("a");
    let heard = bench.heard(&receiver, moods.len());
    let once = bench.heard(&calm, 1);
    assert!(once.len() == 1 && once[0].taken, "one channel's trouble is another's: {once:?}");
    // A later hold that was told says that nothing of the earlier one is still to come.
    let later = bench.hold("b");
    let all = bench.heard(&receiver, moods.len() + 1);
    assert_eq!(all.len(), moods.len() + 1, "{all:?}");
    assert_eq!(header(&all.last().unwrap().text, "webhook-id"), format!("{}-pager", id(&later)));
    for (attempt, mood) in heard.iter().zip(&moods) {
        assert_eq!(header(&attempt.text, "webhook-id"), format!("{}-pager", id(&hold)));
        assert_eq!(attempt.taken, *mood == Mood::Take);
        assert_eq!(attempt.text.split("\r\n\r\n").nth(1), heard[0].text.split("\r\n\r\n").nth(1));
    }
    assert!(elsewhere.heard().is_empty(), "a redirect was followed");
}

/// The same for the channels that are told by other means; all at once, as each has its own trouble.
#[test]
fn ntfy_slack_and_telegram_are_told_in_the_end_and_once_whatever_they_answered() {
    let [ntfy, slack, telegram, elsewhere] = [(); 4].map(|()| Receiver::http());
    let bench = Bench::prepare(
        "notes",
        &format!(
            "[notify.ntfy]\nurl = \"http://127.0.0.1:{}\"\ntopic = \"holds\"\n{HASTY}[notify.slack]\n\
             url = {{ file = \"slack.url\" }}\n{HASTY}[notify.telegram]\nurl = \"http://127.0.0.1:{}\"\n\
             token = {{ file = \"bot.token\" }}\nchat = \"-1001\"\n{HASTY}",
            ntfy.port(),
            telegram.port(),
        ),
    );
    write(&bench.world.folder().join("slack.url"), &format!("http://127.0.0.1:{}/services/T/B/X", slack.port()), 0o600);
    let moved: &'static str = format!("Location: http://127.0.0.1:{}/", elsewhere.port()).leak();
    let busy = Mood::Refuse(429, "Retry-After: 1");
    let moods = [busy, Mood::Refuse(500, ""), Mood::Hang, Mood::Reset, Mood::Refuse(302, moved), Mood::Take];
    let channels = [("ntfy", &ntfy), ("slack", &slack), ("telegram", &telegram)];
    for (_, receiver) in channels {
        receiver.set(&moods);
    }
    let bench = bench.started();
    let hold = bench.hold("a");
    for (_, receiver) in channels {
        drop(bench.heard(receiver, moods.len()));
    }
    // A later hold that was told says that nothing of the earlier one is still to come.
    let later = bench.hold("b");
    for (name, receiver) in channels {
        let heard = bench.heard(receiver, moods.len() + 1);
        assert_eq!(heard.len(), moods.len() + 1, "{name}: {heard:?}");
        let (last, tries) = heard.split_last().unwrap();
        assert!(last.text.contains(id(&later)), "{name}: {}", last.text);
        for (attempt, mood) in tries.iter().zip(&moods) {
            assert!(attempt.text == tries[0].text && attempt.text.contains(id(&hold)), "{name}: {}", attempt.text);
            assert_eq!(attempt.taken, *mood == Mood::Take, "{name}");
        }
    }
    assert!(elsewhere.heard().is_empty(), "a redirect was followed");
}

#[test]
fn a_mail_server_that_defers_hangs_or_resets_gets_the_mail_in_the_end_and_once() {
    let mail = Receiver::smtp();
    let bench = Bench::start(&format!(
        "[notify.smtp]\nserver = \"127.0.0.1:{}\"\ntls = \"none\"\nfrom = \"gate@a.example\"\nto = \"ann@b.example\"\n\
         {HASTY}",
        mail.port(),
    ));
    let moods = [Mood::Refuse(451, "later"), Mood::Hang, Mood::Reset, Mood::Take];
    mail.set(&moods);
    let hold = bench.hold("a");
    let heard = bench.heard(&mail, moods.len());
    let later = bench.hold("b");
    let all = bench.heard(&mail, moods.len() + 1);
    assert_eq!(all.len(), moods.len() + 1, "{all:?}");
    assert!(all.last().unwrap().text.contains(id(&later)));
    for attempt in heard {
        assert_eq!(header(&attempt.text, "Message-ID"), format!("<{}-smtp@a.example>", id(&hold)));
    }
}

#[test]
fn a_killed_gateway_loses_no_notification_and_sends_none_twice() {
    let receiver = Receiver::http();
    let mut bench = Bench::start(&webhook("pager", &receiver));
    let told = bench.hold("told");
    bench.heard(&receiver, 1);
    // Taken, and kept: the file is there before the next is asked for.
    let kept = bench.world.state().join("notified/pager");
    bench.world.eventually("what was told", || fs::read_to_string(&kept).ok().filter(|text| text.contains(id(&told))));
    receiver.set(&[Mood::Refuse(503, "")]);
    let untold = bench.hold("untold");
    bench.heard(&receiver, 2);
    bench.world.kill();
    receiver.set(&[Mood::Take]);
    bench.world.start();
    let taken = |receiver: &Receiver| -> Vec<String> {
        let taken = receiver.heard().into_iter().filter(|heard| heard.taken);
        taken.map(|heard| header(&heard.text, "webhook-id").to_owned()).collect()
    };
    bench.world.eventually("the second hold", || (taken(&receiver).len() == 2).then_some(()));
    bench
        .world
        .eventually("what was told", || fs::read_to_string(&kept).ok().filter(|text| text.contains(id(&untold))));
    bench.world.restart();
    bench.ready();
    let third = bench.hold("third");
    bench.world.eventually("the third hold", || (taken(&receiver).len() >= 3).then_some(()));
    let expected = [&told, &untold, &third].map(|hold| format!("{}-pager", id(hold)));
    assert_eq!(taken(&receiver), expected);
}

#[test]
fn nobody_is_told_of_what_was_answered_meanwhile() {
    let receiver = Receiver::http();
    let bench = Bench::start(&webhook("pager", &receiver));
    receiver.set(&[Mood::Refuse(503, "Retry-After: 2"), Mood::Take]);
    let answered = bench.hold("answered");
    bench.heard(&receiver, 1);
    drop(bench.world.cli(&["holds", "deny", id(&answered), "--reason", "no"]).success());
    let open = bench.hold("open");
    let heard = bench.heard(&receiver, 2);
    assert_eq!(header(&heard[1].text, "webhook-id"), format!("{}-pager", id(&open)));
}

#[test]
fn a_notification_holds_no_argument_and_what_looks_like_a_credential_is_redacted() {
    let receiver = Receiver::http();
    // A server's name, too, may hold what it should not.
    let name = "ghp_Zx8vQ2mN4kL6jH1gF3dS5aP7oI9uY0tRwEqB";
    let bench = Bench::prepare(name, &webhook("pager", &receiver)).started();
    bench.hold("a");
    let text = bench.heard(&receiver, 1).remove(0).text;
    assert!(text.contains("[secret:github") && text.contains("delete_note"), "{text}");
    assert!(!text.contains(name) && !text.contains(ARGUMENT), "{text}");
}

#[test]
fn a_call_is_held_at_once_though_no_channel_answers() {
    let receiver = Receiver::http();
    receiver.set(&[Mood::Hang]);
    let bench = Bench::start(&webhook("pager", &receiver));
    let agent = bench.world.modern();
    let answered = thread::scope(|scope| {
        let call = scope.spawn(|| crate::approval::poll(&agent, "notes.delete_note", &json!({"note": "a"})));
        drop(bench.world.cli(&["holds", "approve", &bench.world.hold()]).success());
        call.join().unwrap()
    });
    assert!(answered.ran(), "{}", answered.text);
    assert!(receiver.heard().iter().all(|heard| !heard.taken));
}

#[test]
fn a_channel_speaks_tls_with_whom_its_config_trusts_and_with_nobody_else() {
    let folder = TempDir::new().unwrap();
    let [ours, theirs] = ["ours.pem", "theirs.pem"].map(|name| folder.path().join(name));
    let (trusted, stranger) = (Receiver::https(&ours), Receiver::https(&theirs));
    let (mail, imposter) = (Receiver::smtps(&ours.with_extension("mail")), Receiver::smtps(&theirs));
    let hook = |name: &str, port: u16| {
        let url = format!("https://127.0.0.1:{port}/");
        let ca = ours.display();
        format!(
            "[notify.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\nkey = {{ file = \"hook.key\" }}\nca = \"{ca}\"\n"
        )
    };
    let smtp = |name: &str, port: u16| {
        let ca = ours.with_extension("mail");
        format!(
            "[notify.{name}]\nkind = \"smtp\"\nserver = \"127.0.0.1:{port}\"\nfrom = \"gate@a.example\"\nto = \"ann@b.example\"\n\
             ca = \"{}\"\n",
            ca.display(),
        )
    };
    let config = [
        hook("trusted", trusted.port()),
        hook("stranger", stranger.port()),
        smtp("mail", mail.port()),
        smtp("imposter", imposter.port()),
    ];
    let bench = Bench::prepare("notes", &config.concat());
    let test = |name: &str| bench.world.cli(&["notify", "test", name, "--config", "portcullis.toml"]);
    for (name, receiver) in [("trusted", &trusted), ("mail", &mail)] {
        drop(test(name).success());
        assert!(receiver.heard()[0].taken);
    }
    for (name, receiver) in [("stranger", &stranger), ("imposter", &imposter)] {
        let output = test(name);
        assert!(!output.status.success() && output.stderr.contains("certificate"), "{}", output.stderr);
        assert!(receiver.heard().is_empty());
    }
}

#[test]
fn a_mail_server_gets_neither_password_nor_mail_before_tls() {
    let folder = TempDir::new().unwrap();
    let certificate = folder.path().join("mail.pem");
    let (mail, plain) = (Receiver::starttls(&certificate), Receiver::smtp());
    let smtp = |name: &str, port: u16| {
        let ca = certificate.display();
        format!(
            "[notify.{name}]\nkind = \"smtp\"\nserver = \"127.0.0.1:{port}\"\ntls = \"starttls\"\nca = \"{ca}\"\n\
             from = \"gate@a.example\"\nto = \"ann@b.example\"\nuser = \"gate\"\npassword = {{ file = \"password\" }}\n"
        )
    };
    let bench = Bench::prepare("notes", &(smtp("mail", mail.port()) + &smtp("plain", plain.port())));
    let test = |name: &str| bench.world.cli(&["notify", "test", name, "--config", "portcullis.toml"]);
    drop(test("mail").success());
    let said = mail.heard().remove(0).text;
    let before = "EHLO [127.0.0.1]\r\nSTARTTLS\r\nEHLO [127.0.0.1]\r\nAUTH PLAIN ";
    assert!(said.starts_with(before), "{said}");
    let output = test("plain");
    assert!(!output.status.success() && output.stderr.contains("STARTTLS"), "{}", output.stderr);
    assert!(plain.heard().is_empty());
}

#[test]
fn a_channel_is_tried_out_from_a_terminal() {
    let receiver = Receiver::http();
    let bench = Bench::prepare("notes", &webhook("pager", &receiver));
    let test = |name: &str| bench.world.cli(&["notify", "test", name, "--config", "portcullis.toml", "--json"]);
    let told: Value = serde_json::from_str(&test("pager").success()).unwrap();
    let text = receiver.heard().remove(0).text;
    assert_eq!((&told["channel"], &told["kind"]), (&json!("pager"), &json!("webhook")));
    assert_eq!(told["id"], header(&text, "webhook-id"));
    // A server that answers with what it was sent shows it to nobody.
    let echo: &'static str = format!("\n\nunknown key {KEY}\u{1b}[31m").leak();
    receiver.set(&[Mood::Refuse(403, echo)]);
    let output = test("pager");
    assert!(!output.status.success());
    assert!(output.stderr.contains("403") && output.stderr.contains("unknown key [secret:"), "{}", output.stderr);
    assert!(!output.stderr.contains(KEY) && !output.stderr.contains('\u{1b}'), "{}", output.stderr);
    let output = test("nobody");
    assert!(!output.status.success() && output.stderr.contains("take one of: pager"), "{}", output.stderr);
}

#[test]
fn a_channel_that_cannot_be_used_is_told_before_and_stops_the_start() {
    let receiver = Receiver::http();
    let bench = Bench::prepare("notes", &webhook("pager", &receiver));
    write(&bench.world.folder().join("hook.key"), KEY, 0o644);
    let checked = bench.world.cli(&["check", "--config", "portcullis.toml"]).success();
    assert!(checked.contains("channel `pager`") && checked.contains("open to others"), "{checked}");
    let served = bench.world.cli(&["serve", "--config", "portcullis.toml", "--listen", "127.0.0.1:0"]);
    assert!(!served.status.success() && served.stderr.contains("open to others"), "{}", served.stderr);
}

#[test]
fn a_gate_that_does_not_hold_is_told_once_however_often_it_is_tried() {
    let receiver = Receiver::http();
    let shut = "@id(\"nobody-calls\")\nforbid (principal, action == Action::\"call\", resource);\n";
    let world = Setup::new().liveness("5s").policies(shut).config(&webhook("pager", &receiver)).prepare();
    credentials(world.folder());
    let mut world = world;
    world.start();
    let tried = || world.list(&["log", "list", "--agent", "portcullis:liveness", "--limit", "100"]).len();
    // A component is compiled first, in a debug build.
    let end = Instant::now() + Duration::from_mins(2);
    while tried() < 3 && Instant::now() < end {
        thread::sleep(Duration::from_millis(500));
    }
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1, "{heard:?}\n{}", world.said());
    let body: Value = serde_json::from_str(heard[0].text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["type"], "gate.failing");
    assert!(body["data"]["failures"][0].as_str().unwrap().contains("nobody-calls"), "{body}");
    assert!(body["data"]["link"].as_str().unwrap().ends_with("/#now"), "{body}");
}

#[test]
fn a_start_that_reaches_nobody_says_so() {
    let alone = Setup::new().config("[operator]\nconsole = false").start();
    alone.eventually("the warning", || alone.said().contains("no channel reaches a person").then_some(()));
    let receiver = Receiver::http();
    let bench = Bench::start(&webhook("pager", &receiver));
    thread::sleep(Duration::from_millis(100));
    assert!(!bench.world.said().contains("no channel reaches a person"), "{}", bench.world.said());
}
