//! Secrets that an OpenBao keeps, and those that it makes for one call: lent while it is there, refused while it is not.

use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;
use tempfile::TempDir;
use tests::double::{Double, Mood};
use tests::invocations;
use tests::ledger::{Kind, Ledger};
use tests::openbao::{OpenBao, table};
use tests::operator::Operator;
use tests::postgres::Postgres;
use tests::world::{Setup, World, built};

const TOKEN: &str = "ghp-of-the-store-0123456789abcdefXYZ";

/// Where a gateway's secret stands. Neither agents nor logs read it.
const PLACE: &str = "kv/data/the-place-of-it";

/// A gateway with one server that is lent a secret of the backend `team`, and one that needs none.
struct Yard {
    world: World,
    record: PathBuf,
    _folder: TempDir,
}

impl Yard {
    fn open(team: &str) -> Self {
        let secret = format!("[secret.github]\nfrom = \"team\"\npath = \"{PLACE}#token\"\n");
        Self::lending(
            &format!("{team}{secret}"),
            "name = \"github\"\nhost = \"api.web.test\"\nheader = \"authorization\"",
        )
    }

    fn lending(tables: &str, placements: &str) -> Self {
        let folder = TempDir::with_prefix("portcullis-lent-").unwrap();
        let record = folder.path().join("record");
        let (fixture, path) = (built("fixture-server"), record.to_str().unwrap().to_owned());
        let placed = placements
            .split("\n\n")
            .fold(String::new(), |text, one| text + &format!("[[server.lent.secret]]\n{one}\n"));
        let world = Setup::new()
            .allow_all()
            .command_with("free", &[&fixture], "vouched = true\n")
            .command_with("lent", &[&fixture, "--record", &path], &format!("vouched = true\n{placed}"))
            .config(tables)
            .start();
        let yard = Self { world, record, _folder: folder };
        yard.ready();
        yard
    }

    /// Once it is in the log that something dynamic was lent: a role is in the database before its answer is here.
    fn eventually_taken(&self) {
        let taken = |record: &serde_json::Value| record["detail"]["event"] == "lease-taken";
        self.world.eventually("the record of a role", || self.world.log().iter().any(taken).then_some(()));
    }

    fn ready(&self) {
        let names = || self.world.modern().names();
        let both = ["free.echo", "lent.echo"].map(ToOwned::to_owned);
        self.world.eventually("both servers", || both.iter().all(|name| names().contains(name)).then_some(()));
    }

    /// A call that needs the secret; whether it ran, and all that the agent saw.
    fn call(&self, note: &str) -> (bool, String) {
        let answer = self.world.modern().call("lent.slow", &json!({ "ms": 1, "note": note }));
        (answer.ran(), answer.text)
    }

    /// It did not run, the agent knows which backend, and neither it nor the operator's log knows more.
    fn refused(&self, why: &str) {
        let (ran, told) = self.call(why);
        assert!(!ran && told.contains("`team`"), "{why}: {told}");
        assert_eq!(invocations::count(&self.record, "start", why), 0, "{why}: it ran without its secret");
        for hidden in [TOKEN, PLACE, "the-place-of-it"] {
            assert!(!told.contains(hidden), "{why}: {told}");
            assert!(!self.world.said().contains(hidden), "{why}: {}", self.world.said());
        }
        assert!(self.world.modern().call("free.echo", &json!({ "text": "on" })).ran(), "{why}: others wait");
    }

    /// Operators are told how it answered last.
    fn is_said_to_be(&self, state: &str) {
        let health = Operator::connect(self.world.state()).unwrap().ask("health", &json!({})).unwrap().unwrap();
        let backends = health["backends"].as_array().unwrap();
        assert!(backends.len() == 1 && backends[0]["name"] == "team" && backends[0]["state"] == state, "{health}");
    }

    /// It runs again, by itself.
    fn recovers(&self, why: &str) {
        let note = format!("after {why}");
        self.world.eventually(&note, || self.call(&note).0.then_some(()));
    }
}

#[test]
fn a_backend_that_answers_badly_is_named_and_nothing_that_it_said_is() {
    let double = Double::start(TOKEN);
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    private(&token, "s.of-the-gateway");
    let yard = Yard::open(&table(&double.address(), &token));
    yard.recovers("the start");
    let moods = [Mood::Silent, Mood::Slow, Mood::Malformed, Mood::Strange, Mood::Cut, Mood::Failing, Mood::Redirecting];
    for mood in moods {
        double.set(mood);
        yard.refused(&format!("{mood:?}"));
        double.set(Mood::Good);
        yard.recovers(&format!("{mood:?}"));
    }
    yard.world.verify();
}

#[test]
fn openbao_that_is_down_sealed_or_closed_to_us_lends_nothing_and_lends_again_when_it_is_not() {
    let mut bao = OpenBao::start();
    bao.keep("the-place-of-it", TOKEN);
    let yard = Yard::open(&bao.table());
    yard.is_said_to_be("not asked yet");
    yard.recovers("the start");
    yard.is_said_to_be("ok");

    bao.seal();
    yard.refused("sealed");
    yard.is_said_to_be("it is sealed");
    let checks = yard.world.cli(&["doctor", "--json"]);
    assert!(checks.stdout.contains("team: it is sealed"), "{checks:?}");
    bao.unseal();
    yard.recovers("sealed");
    yard.is_said_to_be("ok");

    bao.stop();
    yard.refused("down");
    bao.run();
    yard.refused("up, and sealed still");
    bao.unseal();
    yard.recovers("down");

    bao.admin(
        "PUT",
        "sys/policies/acl/gateway",
        &json!({ "policy": "path \"kv/data/other\" { capabilities = [\"read\"] }" }),
    );
    yard.refused("403");
    bao.allow();
    yard.recovers("403");

    // Its own token: revoked, and then a new one in the file.
    let token = std::fs::read_to_string(bao.credential_file()).unwrap();
    bao.admin("POST", "auth/token/revoke", &json!({ "token": token }));
    yard.refused("revoked");
    drop(bao.token());
    yard.recovers("revoked");

    // A token that is over.
    let short = bao.admin(
        "POST",
        "auth/token/create",
        &json!({ "policies": ["gateway"], "ttl": "1s", "explicit_max_ttl": "1s" }),
    );
    let before = std::fs::read_to_string(bao.credential_file()).unwrap();
    bao.admin("POST", "auth/token/revoke", &json!({ "token": before }));
    drop(bao.credential(short["auth"]["client_token"].as_str().unwrap()));
    yard.world.eventually("the end of the token", || (!yard.call("while it lasts").0).then_some(()));
    yard.refused("expired");
    drop(bao.token());
    yard.recovers("expired");
    yard.world.verify();
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_spoken_to() {
    let bao = OpenBao::start();
    bao.keep("the-place-of-it", TOKEN);
    let mut yard = Yard::open(&table(&bao.untrusted(), &bao.token()));
    yard.refused("an unknown authority");
    let config = yard.world.folder().join("portcullis.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let trusted =
        text.replace("kind = \"hashicorp\"\n", &format!("kind = \"hashicorp\"\nca = {:?}\n", bao.authority()));
    std::fs::write(config, trusted).unwrap();
    yard.world.restart();
    yard.ready();
    yard.recovers("the authority is named");
}

#[test]
fn a_version_that_was_rotated_is_lent_to_the_next_call() {
    let bao = OpenBao::start();
    bao.keep("the-place-of-it", TOKEN);
    let yard = Yard::open(&bao.table());
    yard.recovers("the start");
    bao.keep("the-place-of-it", "another-of-the-store-9876543210");
    assert!(yard.call("rotated").0);
    let outcomes = Ledger::open(yard.world.state()).unwrap().entries(Kind::Outcome);
    let versions: Vec<String> = outcomes.iter().flat_map(|entry| lent(&entry.record)).collect();
    assert!(versions.contains(&"1".to_owned()) && versions.last() == Some(&"2".to_owned()), "{versions:?}");
}

/// The versions that a record says were lent.
fn lent(record: &serde_json::Value) -> Vec<String> {
    let loans = record["detail"]["lent"].as_array().cloned().unwrap_or_default();
    loans.iter().filter_map(|loan| loan["version"].as_str().map(ToOwned::to_owned)).collect()
}

const ROLE: &str = "[secret.db-user]\nfrom = \"team\"\npath = \"database/creds/reader#username\"\n\
                    [secret.db-password]\nfrom = \"team\"\npath = \"database/creds/reader#password\"\n";

const HELD: &str =
    "name = \"db-user\"\nfile = \"/run/secrets/user\"\n\nname = \"db-password\"\nfile = \"/run/secrets/password\"";

#[test]
fn a_role_is_made_for_one_call_lives_as_long_as_it_and_is_gone_when_it_has_ended() {
    let (bao, postgres) = (OpenBao::start(), Postgres::start());
    // Shorter than the call: it is renewed while the call runs.
    postgres.behind(&bao, "4s");
    let yard = Yard::lending(&format!("{}{ROLE}", bao.table()), HELD);
    thread::scope(|scope| {
        let agent = yard.world.modern();
        let call = scope.spawn(move || agent.call("lent.slow", &json!({ "ms": 10_000, "note": "long" })));
        yard.world.eventually("a role", || (postgres.made().len() == 1).then_some(()));
        let made = postgres.made();
        thread::sleep(std::time::Duration::from_secs(8));
        assert_eq!(postgres.made(), made, "user and password are of one role, and it lives as long as the call");
        let answer = call.join().unwrap();
        assert!(answer.ran(), "{}", answer.text);
        assert!(postgres.made().is_empty(), "the answer comes after the role has gone: {:?}", postgres.made());
    });
    // A call that fails gives back what it was lent as well.
    assert!(!yard.world.modern().call("lent.test_error_handling", &json!({})).ran());
    assert!(postgres.made().is_empty());
    yard.world.verify();
}

#[test]
fn a_role_of_a_gateway_that_was_killed_is_gone_when_it_is_back() {
    let (bao, postgres) = (OpenBao::start(), Postgres::start());
    postgres.behind(&bao, "1h");
    let mut yard = Yard::lending(&format!("{}{ROLE}", bao.table()), HELD);
    let agent = yard.world.modern();
    let call = thread::spawn(move || {
        agent.try_ask("tools/call", json!({ "name": "lent.slow", "arguments": { "ms": 60_000, "note": "killed" } }))
    });
    // Killed before that, it leaves a role that only its time ends: docs/guide/openbao.md.
    yard.eventually_taken();
    yard.world.kill();
    call.join().unwrap().ok();
    assert_eq!(postgres.made().len(), 1, "nobody else ends it");
    yard.world.start();
    yard.world.eventually("the end of the role", || postgres.made().is_empty().then_some(()));
    yard.world.verify();
}

#[test]
fn a_role_that_openbao_cannot_end_now_is_ended_when_it_can() {
    let (mut bao, postgres) = (OpenBao::start(), Postgres::start());
    postgres.behind(&bao, "1h");
    let yard = Yard::lending(&format!("{}{ROLE}", bao.table()), HELD);
    thread::scope(|scope| {
        let agent = yard.world.modern();
        let call = scope.spawn(move || agent.call("lent.slow", &json!({ "ms": 3_000, "note": "sealed meanwhile" })));
        // Not only made: its answer is here.
        yard.eventually_taken();
        assert_eq!(postgres.made().len(), 1);
        bao.stop();
        assert!(call.join().unwrap().ran(), "what was lent before is good");
    });
    assert_eq!(postgres.made().len(), 1);
    bao.run();
    bao.unseal();
    yard.world.eventually("the end of the role", || postgres.made().is_empty().then_some(()));
    yard.world.verify();
}

#[test]
fn a_role_that_openbao_revokes_under_a_running_call_ends_nothing_else() {
    let (bao, postgres) = (OpenBao::start(), Postgres::start());
    postgres.behind(&bao, "1h");
    let yard = Yard::lending(&format!("{}{ROLE}", bao.table()), HELD);
    thread::scope(|scope| {
        let agent = yard.world.modern();
        let call = scope.spawn(move || agent.call("lent.slow", &json!({ "ms": 3_000, "note": "revoked meanwhile" })));
        yard.eventually_taken();
        bao.admin("PUT", "sys/leases/revoke-prefix/database/creds", &json!({}));
        assert!(postgres.made().is_empty());
        assert!(call.join().unwrap().ran());
    });
    // The next call gets one of its own.
    assert!(yard.call("after it").0);
    assert!(postgres.made().is_empty());
    yard.world.verify();
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_wasm_tool_uses_a_credential_that_openbao_keeps_and_nobody_sees_it() {
    let net = tests::internet::internet();
    let bao = OpenBao::start();
    bao.keep("the-place-of-it", TOKEN);
    let host = "openbao.web.test";
    let secret = format!(
        "[secret.github]\nfrom = \"team\"\npath = \"{PLACE}#token\"\n[bundled]\nfiles = false\ntime = false\n\
         http = {{ secret = [{{ name = \"github\", host = \"{host}\", header = \"authorization\", \
         prefix = \"Bearer \" }}] }}\n"
    );
    let setup = Setup::new().bundled().allow_all().config(&bao.table()).config(&secret).config(&net.config());
    let world = setup.start();
    world.eventually("the tool", || world.modern().names().contains(&"http.fetch".to_owned()).then_some(()));
    let get = |url: &str| world.modern().call("http.fetch", &json!({ "url": url }));

    let answer = get(&format!("https://{host}/of-the-wasm-tool"));
    assert!(answer.ran(), "{}", answer.text);
    let credential = format!("Bearer {TOKEN}");
    assert!(!net.sees(&credential).is_empty(), "the service did not get it");
    // Nor does another host, of the same site: it was not granted at all.
    assert!(!get("https://other.web.test/of-the-wasm-tool").ran());
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains("github") && log.contains(host), "the record says what went where: {log}");
    for (what, text) in [("answer", answer.text), ("log", log), ("operator's log", world.said())] {
        assert!(!text.contains(TOKEN) && !text.contains("the-place-of-it"), "{what}: {text}");
    }
    world.verify();
}
