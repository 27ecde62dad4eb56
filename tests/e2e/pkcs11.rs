//! A log that is signed by a key on a PKCS#11 token: while it answers, where it does not, and when keys change.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tests::program::{self, Output};
use tests::softhsm::{LABEL, PIN, Token};
use tests::world::{Setup, World, portcullis};

/// A gateway whose config names a key on this token; it is not started.
fn world(token: &Token, audit: &str) -> World {
    token.beside(Setup::new().config(audit)).prepare()
}

fn make(world: &World) -> String {
    let made = world.json(&["log", "key", "make", "--config", "portcullis.toml"]);
    made["key"].as_str().unwrap().to_owned()
}

/// How many records the newest checkpoint covers.
fn signed(world: &World) -> u64 {
    let note = fs::read_to_string(world.state().join("checkpoint")).unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

fn records(world: &World) -> u64 {
    world.log().last().unwrap()["seq"].as_u64().unwrap()
}

/// Everything that is recorded is signed.
fn is_signed(world: &World) {
    let wanted = records(world);
    world.eventually("a checkpoint over all records", || (signed(world) >= wanted).then_some(()));
}

/// By somebody who has the state folder and the public key, and no token.
fn verify(world: &World, key: &str) -> Output {
    let mut command = program::command(portcullis());
    command.args(["log", "verify", "--key", key, "--state"]).arg(world.state());
    program::run(&mut command, Duration::from_secs(30))
}

fn serve(world: &World) -> Output {
    let refused = world.cli(&["serve", "--listen", "127.0.0.1:0", "--config", "portcullis.toml"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(!refused.stderr.contains(PIN) && !refused.stdout.contains(PIN), "{refused:?}");
    refused
}

/// Whether any file below holds the PIN.
fn holds_pin(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_pin(&path);
        }
        fs::read(&path).is_ok_and(|bytes| bytes.windows(PIN.len()).any(|window| window == PIN.as_bytes()))
    })
}

#[test]
fn a_log_is_signed_by_a_key_that_never_leaves_its_token() {
    let token = Token::start();
    let mut world = world(&token, &token.audit("log"));
    assert!(serve(&world).stderr.contains("log key make"), "it says how a key is made");
    let key = make(&world);
    let again = world.cli(&["log", "key", "make", "--config", "portcullis.toml"]);
    assert!(!again.status.success() && again.stderr.contains("holds a key of that label already"), "{again:?}");

    world.start();
    drop(world.add_agent("other"));
    is_signed(&world);
    assert!(!world.state().join("log.key").exists());
    assert_eq!(world.json(&["log", "key"])["key"], key.as_str());
    let doctor = world.cli(&["doctor", "--config", "portcullis.toml"]).stdout;
    assert!(doctor.contains(&format!("it signs: {key}")), "{doctor}");
    drop(world.cli(&["log", "prove", "1"]).success());
    assert!(!world.said().contains(PIN) && !holds_pin(world.state()));
    world.restart();
    is_signed(&world);
    world.kill();
    drop(verify(&world, &key).success());

    // What another key signed is not this log's.
    let other = Token::start();
    let stranger = self::world(&other, &other.audit("log"));
    assert!(!verify(&world, &make(&stranger)).status.success());
}

#[test]
fn a_token_that_cannot_be_used_is_refused_with_what_to_do_and_its_pin_is_tried_once() {
    let token = Token::start();
    let hostile = token.hostile();
    let audit = token.audit_by(&hostile, LABEL, "log");
    let mut world = world(&token, &audit);
    drop(make(&world));
    let refused = |world: &World, audit: &str, why: &str| {
        world.configure(audit);
        let told = serve(world).stderr;
        assert!(told.contains(why), "wanted {why:?}: {told}");
        assert!(!world.state().join("portcullis.db").exists(), "{why}: nothing was begun");
    };
    refused(&world, &token.audit_by(Path::new("/usr/lib/nothing.so"), LABEL, "log"), "there is no such file");
    refused(&world, &token.audit_by(Path::new("/etc/hostname"), LABEL, "log"), "cannot load the PKCS#11 module");
    refused(&world, &token.audit_by(Path::new("hostile.so"), LABEL, "log"), "the absolute path");
    refused(&world, &token.audit_by(&hostile, "another", "log"), &format!("the module shows `{LABEL}`"));
    refused(&world, &token.audit_by(&hostile, LABEL, "another"), "portcullis log key make");
    refused(&world, &audit.replace("pin = { file", "pin = { value"), "the PIN itself never stands here");
    token.write_pin(PIN, 0o644);
    refused(&world, &audit, "chmod 600");
    token.lose_pin();
    refused(&world, &audit, "cannot read");

    let before = token.logins();
    token.write_pin("pin-of-another-token", 0o600);
    refused(&world, &audit, "the token refuses the PIN (PinIncorrect)");
    assert_eq!(token.logins(), before + 1, "a wrong PIN is tried once a start");
    let doctor = world.cli(&["doctor", "--config", "portcullis.toml"]).stdout;
    assert!(doctor.contains("was told a wrong PIN last"), "{doctor}");
    assert_eq!(token.logins(), before + 1, "and never by those who only look");
    // Corrected, it is tried, and the count is clear again.
    token.write_pin(PIN, 0o600);
    world.start();
    let doctor = world.cli(&["doctor", "--config", "portcullis.toml"]).stdout;
    assert!(doctor.contains("it signs: "), "{doctor}");
}

#[test]
fn a_token_that_is_pulled_out_leaves_records_without_a_signature_until_it_is_back() {
    let token = Token::start();
    let mut world = world(&token, &token.audit("log"));
    let key = make(&world);
    world.start();
    is_signed(&world);
    token.pull();
    drop(world.add_agent("while-it-is-gone"));
    world.eventually("a complaint", || world.said().contains("does not sign").then_some(()));
    drop(world.add_agent("still-gone"));
    assert!(signed(&world) < records(&world));
    drop(verify(&world, &key).success());
    token.plug();
    is_signed(&world);
    world.kill();
    drop(verify(&world, &key).success());

    // A gateway does not start without it.
    token.pull();
    let told = serve(&world).stderr;
    assert!(told.contains("there is no token") && told.contains("is it plugged in"), "{told}");
    token.plug();
    world.start();
}

#[test]
fn a_token_that_signs_wrongly_hangs_or_forgets_its_session_stops_no_call_and_gets_nothing_wrong_signed() {
    let token = Token::start();
    let audit = token.audit_by(&token.hostile(), LABEL, "log");
    let mut world = world(&token, &audit);
    let key = make(&world);
    token.mood("wrong");
    assert!(serve(&world).stderr.contains("the token's signature is wrong"));
    token.mood("");
    world.start();
    is_signed(&world);

    // Restarted under the gateway: one new session, by one login, and nothing is missing.
    let logins = token.logins();
    token.mood("lost");
    drop(world.add_agent("lost"));
    is_signed(&world);
    assert_eq!(token.logins(), logins + 1);
    assert!(!world.said().contains("does not sign"), "{}", world.said());

    for (mood, why) in [("hang", "did not answer in time"), ("wrong", "signature is wrong")] {
        token.mood(mood);
        drop(world.add_agent(mood));
        world.eventually(why, || world.said().contains(why).then_some(()));
        drop(world.add_agent(&format!("{mood}-again")));
        assert!(signed(&world) < records(&world), "{mood}");
        drop(verify(&world, &key).success());
        token.mood("");
        is_signed(&world);
    }
    world.kill();
    drop(verify(&world, &key).success());
}

#[test]
fn keys_change_from_a_file_to_a_token_and_back_and_each_vouches_for_the_next() {
    let token = Token::start();
    let plain = "[audit]\nwait = \"30s\"\n";
    let mut world = world(&token, plain);
    world.start();
    is_signed(&world);
    world.kill();
    let first = world.json(&["log", "key"])["key"].as_str().unwrap().to_owned();

    world.configure(&token.audit("log"));
    let second = make(&world);
    assert!(serve(&world).stderr.contains("portcullis log key rotate"), "another key than the log's");
    drop(world.cli(&["log", "key", "rotate", "--config", "portcullis.toml"]).success());
    assert!(!world.state().join("log.key").exists());
    world.start();
    drop(world.add_agent("of-the-token"));
    is_signed(&world);
    world.kill();

    // From one key on the token to another, and to a file.
    let file = |name: &str, audit: &str| fs::write(world.folder().join(name), audit).unwrap();
    file("old.toml", &token.audit("log"));
    world.configure(&token.audit("next"));
    let third = make(&world);
    drop(world.cli(&["log", "key", "rotate", "--config", "portcullis.toml", "--from", "old.toml"]).success());
    let again = world.cli(&["log", "key", "rotate", "--config", "portcullis.toml", "--from", "portcullis.toml"]);
    assert!(!again.status.success() && again.stderr.contains("signs the log already"), "{again:?}");
    let stale = world.cli(&["log", "key", "rotate", "--from", "old.toml"]);
    assert!(!stale.status.success(), "a key that signs no more vouches for none: {stale:?}");
    file("old.toml", &token.audit("next"));
    let renewed = world.json(&["log", "key", "rotate", "--from", "old.toml"]);
    assert_eq!(renewed["before"], third.as_str());
    let fourth = renewed["now"].as_str().unwrap().to_owned();
    world.configure(plain);
    world.start();
    is_signed(&world);
    world.kill();
    for key in [first, second, third, fourth] {
        drop(verify(&world, &key).success());
    }
}

#[test]
fn a_key_that_can_be_taken_from_its_token_signs_no_log() {
    for mood in ["loose", "plain"] {
        let token = Token::start();
        let hostile = token.hostile();
        let world = world(&token, &token.audit_by(&hostile, LABEL, "log"));
        token.mood(mood);
        let made = world.cli(&["log", "key", "make", "--config", "portcullis.toml"]);
        assert!(!made.status.success() && made.stderr.contains("gives this private key away"), "{mood}: {made:?}");
        // It is the token that says so, asked by its own module.
        token.mood("");
        world.configure(&token.audit("log"));
        let told = serve(&world).stderr;
        assert!(told.contains("gives this private key away") && told.contains("log key make"), "{mood}: {told}");
        assert!(!world.state().join("portcullis.db").exists(), "{mood}: nothing was begun");
        world.configure(&token.audit("another"));
        drop(make(&world));
    }
}

#[test]
fn a_login_that_fails_for_whatever_reason_is_not_tried_again_by_a_gateway_that_runs() {
    let token = Token::start();
    let mut world = world(&token, &token.audit_by(&token.hostile(), LABEL, "log"));
    drop(make(&world));
    world.start();
    is_signed(&world);
    let before = token.logins();
    token.mood("sour");
    drop(world.add_agent("sour"));
    let why = "which some say of a wrong PIN";
    world.eventually(why, || world.said().contains(why).then_some(()));
    // It rests for ten seconds after a failure: within these it would have asked twice.
    for round in 0..5 {
        thread::sleep(Duration::from_secs(5));
        drop(world.add_agent(&format!("sour-{round}")));
    }
    assert_eq!(token.logins(), before + 1, "the PIN was told again");
    token.mood("");
    world.restart();
    is_signed(&world);
}

#[test]
fn another_token_of_the_same_label_is_told_no_pin_by_a_gateway_that_runs() {
    let token = Token::start();
    let mut world = world(&token, &token.audit_by(&token.hostile(), LABEL, "log"));
    drop(make(&world));
    world.start();
    is_signed(&world);
    let before = token.logins();
    token.swap();
    drop(world.add_agent("swapped"));
    let why = "is another one than at the start";
    world.eventually(why, || world.said().contains(why).then_some(()));
    assert_eq!(token.logins(), before, "another token was told the PIN");
    token.plug();
    is_signed(&world);
}

#[test]
fn a_token_that_never_makes_its_key_is_given_up() {
    let token = Token::start();
    let world = world(&token, &token.audit_by(&token.hostile(), LABEL, "log"));
    token.mood("stall");
    let made = world.cli(&["log", "key", "make", "--config", "portcullis.toml"]);
    assert!(!made.status.success() && made.stderr.contains("did not answer in time"), "{made:?}");
}

#[test]
fn a_log_goes_to_no_key_whose_pin_is_wrong_though_the_token_knows_the_old_one() {
    let token = Token::start();
    let mut world = world(&token, &token.audit("log"));
    let key = make(&world);
    world.start();
    is_signed(&world);
    world.kill();
    let file = |name: &str, text: &str| fs::write(world.folder().join(name), text).unwrap();
    file("old.toml", &token.audit("log"));
    world.configure(&token.audit("next"));
    drop(make(&world));
    let wrong = world.folder().join("wrong-pin");
    fs::write(&wrong, "pin-of-another-token").unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    file("wrong.toml", &token.audit("next").replace(&token.pin_file(), wrong.to_str().unwrap()));
    let rotated = world.cli(&["log", "key", "rotate", "--config", "wrong.toml", "--from", "old.toml"]);
    assert!(!rotated.status.success() && rotated.stderr.contains("refuses the PIN"), "{rotated:?}");
    assert_eq!(world.json(&["log", "key"])["key"], key.as_str());
    drop(verify(&world, &key).success());
}
