//! The tools that come with the gateway do their work for real clients, without any config; what deletes is decided before anybody
//! looks, and what fetches reaches the hosts that were granted.

#[path = "wasm/bypass.rs"]
mod bypass;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};
use tests::agent::Answer;
use tests::client::{Client, Reach};
use tests::internet::internet;
use tests::ledger::{Kind, Ledger};
use tests::world::{Setup, World, portcullis};

use crate::approval::poll;

const BUNDLED: [&str; 8] =
    ["files.delete", "files.list", "files.move", "files.read", "files.search", "files.write", "http.fetch", "time.now"];

fn started(setup: Setup) -> World {
    let world = setup.bundled().start();
    world.eventually("the bundled tools", || (world.modern().names().len() == BUNDLED.len()).then_some(()));
    world
}

/// Calls a tool and lets a person approve it.
#[track_caller]
fn approved(world: &World, tool: &str, arguments: &Value) -> Answer {
    let agent = world.modern();
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, tool, arguments));
        drop(world.cli(&["holds", "approve", &world.hold()]).success());
        call.join().unwrap()
    })
}

/// An agent's first change is shown to a person, whatever the tool; those after it are not.
fn first_uses(world: &World) {
    let first = json!({"path": "first.txt", "content": "x"});
    assert!(approved(world, "files.write", &first).ran());
    assert!(approved(world, "files.move", &json!({"path": "first.txt", "new_path": "second.txt"})).ran());
}

fn files(world: &World) -> PathBuf {
    world.state().join("files")
}

fn http(world: &World) -> Reach {
    Reach::Http(world.endpoint().to_owned(), world.token().to_owned())
}

/// Calls that need nobody, in a folder of their own, and what each answer must contain.
fn work(folder: &str) -> Vec<(&'static str, Value, &'static str)> {
    let (note, moved) = (format!("{folder}/note.txt"), format!("{folder}/old/note.txt"));
    vec![
        ("files.write", json!({"path": note, "content": "bring milk"}), "wrote 10 bytes"),
        ("files.list", json!({"path": folder}), "note.txt (10 bytes)"),
        ("files.read", json!({"path": note}), "bring milk"),
        ("files.search", json!({"text": "MILK", "path": folder}), "note.txt:1: bring milk"),
        ("files.move", json!({"path": note, "new_path": moved}), "moved"),
        ("time.now", json!({}), "Z"),
    ]
}

#[track_caller]
fn works(world: &World, reach: &Reach, client: Client, era: &str) {
    let mut listed = client.list(reach, era);
    listed.sort();
    assert_eq!(listed, BUNDLED, "{client:?} {era}");
    let folder = format!("{client:?}-{era}");
    for (tool, arguments, expected) in work(&folder) {
        let answer = client.call(reach, era, tool, &arguments);
        assert!(
            answer["isError"] != true && answer.to_string().contains(expected),
            "{client:?} {era} {tool}: {answer}"
        );
    }
    let folder = files(world).join(folder);
    assert_eq!(fs::read_to_string(folder.join("old/note.txt")).unwrap(), "bring milk", "{client:?} {era}");
    assert!(!folder.join("note.txt").exists(), "{client:?} {era}");
}

#[test]
fn a_newcomer_without_a_config_has_tools_that_work_with_every_client() {
    let world = started(Setup::new().newcomer());
    first_uses(&world);
    for client in Client::ALL {
        for era in client.eras() {
            works(&world, &http(&world), client, era);
        }
    }
    let words = [portcullis(), "stdio".into(), "--state".into(), world.state().to_str().unwrap().to_owned()];
    let reach = Reach::Stdio(words.to_vec(), vec![("PORTCULLIS_TOKEN".to_owned(), world.token().to_owned())]);
    fs::remove_dir_all(files(&world)).unwrap();
    fs::create_dir(files(&world)).unwrap();
    for client in Client::ALL {
        works(&world, &reach, client, client.eras()[0]);
    }
    world.verify();
}

#[test]
fn a_delete_is_gone_only_after_approval_with_every_client() {
    let world = started(Setup::new());
    for client in Client::ALL {
        for era in client.eras() {
            let name = format!("{client:?}-{era}.txt");
            let file = files(&world).join(&name);
            fs::write(&file, "still here").unwrap();
            let (reach, arguments) = (http(&world), json!({ "path": name }));
            let call = thread::spawn(move || client.call(&reach, era, "files.delete", &arguments));
            let hold = world.hold();
            assert_eq!(
                fs::read_to_string(&file).unwrap(),
                "still here",
                "{client:?} {era}: gone before anyone approved"
            );
            drop(world.cli(&["holds", "approve", &hold]).success());
            let answer = call.join().unwrap();
            assert!(answer["isError"] != true && answer.to_string().contains("deleted"), "{client:?} {era}: {answer}");
            assert!(!file.exists(), "{client:?} {era}");
        }
    }
    world.verify();
}

/// What the operator, the log and the agent learn of a delete that somebody denies.
fn denied(world: &World, path: &str) -> [Value; 3] {
    let agent = world.modern();
    let (answer, card) = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "files.delete", &json!({ "path": path })));
        let hold = world.hold();
        let card = world.holds().remove(0);
        drop(world.cli(&["holds", "deny", &hold, "--reason", "no"]).success());
        (call.join().unwrap(), card)
    });
    assert!(!answer.ran(), "{}", answer.text);
    let record = Ledger::open(world.state()).unwrap().entries(Kind::Hold).pop().unwrap().record;
    [card, record["detail"]["assessment"].clone(), answer.said().into()]
}

/// What is no call's but this one's: when it came and what it is called.
fn alike(mut value: Value, path: &str) -> String {
    if let Some(members) = value.as_object_mut() {
        for key in ["id", "call", "opened", "expires", "digest", "canonical"] {
            members.remove(key);
        }
    }
    value.to_string().replace(path, "PATH")
}

#[test]
fn a_delete_is_decided_before_anyone_looks_whether_the_file_exists() {
    let world = started(Setup::new());
    // So that neither is the agent's first.
    drop(denied(&world, "warm-up"));
    fs::write(files(&world).join("there"), "x").unwrap();
    let there = denied(&world, "there");
    let nowhere = denied(&world, "nope!");
    for (there, nowhere) in there.into_iter().zip(nowhere) {
        assert_eq!(alike(there, "there"), alike(nowhere, "nope!"), "this tells whether the file exists");
    }
    assert!(files(&world).join("there").exists());
    world.verify();
}

#[test]
fn a_delete_that_nobody_answers_leaves_the_file() {
    let world = started(Setup::new().config("[hold]\nhigh = \"2s\"\ncritical = \"2s\"\n"));
    let file = files(&world).join("kept");
    fs::write(&file, "x").unwrap();
    let answer = poll(&world.modern(), "files.delete", &json!({"path": "kept"}));
    assert!(!answer.ran() && file.exists(), "{}", answer.text);
    assert_eq!(Ledger::open(world.state()).unwrap().count(Kind::Intent), 0, "nothing ran");
    world.verify();
}

fn outcome(world: &World) -> Value {
    Ledger::open(world.state()).unwrap().entries(Kind::Outcome).pop().unwrap().record["detail"]["sandbox"].clone()
}

#[test]
fn fetching_reaches_a_granted_host_and_no_other_and_the_record_says_so() {
    let net = internet();
    let grant = "[bundled]\nhttp = { egress = [{ host = \"web.test\", protocol = \"http\" }] }\n";
    let world = started(Setup::new().config(grant).config(&net.config()));
    let fetch = |host: &str, mark: &str| json!({ "url": format!("http://{host}/{mark}") });
    for client in Client::ALL {
        let (era, mark) = (client.eras()[0], format!("fetched-by-{client:?}"));
        let answer = client.call(&http(&world), era, "http.fetch", &fetch("web.test", &mark));
        assert!(answer["isError"] != true && answer.to_string().contains("HTTP 200"), "{client:?} {era}: {answer}");
        let seen = outcome(&world)["observed"].clone();
        assert!(seen[0]["host"] == "web.test" && seen[0]["denied"].is_null(), "{seen}");
        assert!(!net.sees(&mark).is_empty());
    }
    // A person who says yes to it does not widen what was granted.
    let answer = approved(&world, "http.fetch", &fetch("evil.test", "fetched-elsewhere"));
    assert!(answer.result()["isError"] == true && answer.text.contains("was not declared"), "{}", answer.text);
    let seen = outcome(&world);
    assert!(seen["observed"][0]["host"] == "evil.test" && seen["observed"][0]["denied"].is_string(), "{seen}");
    assert_eq!(net.saw("fetched-elsewhere"), Vec::<String>::new());
    world.verify();
}

/// Where nothing is granted, nothing is reached: that is how the gateway comes.
#[test]
fn fetching_reaches_nothing_unless_it_was_granted() {
    let net = internet();
    let world = started(Setup::new().config(&net.config()));
    let answer = world.modern().call("http.fetch", &json!({"url": "http://web.test/ungranted"}));
    assert!(!answer.ran() && answer.text.contains("was not declared"), "{}", answer.text);
    assert!(outcome(&world)["observed"][0]["denied"].is_string(), "{}", outcome(&world));
    assert_eq!(net.saw("ungranted"), Vec::<String>::new());
}

/// A folder that only the gateway's user can enter.
#[test]
fn the_folder_of_the_bundled_files_is_the_gateways_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = started(Setup::new());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files(&world)) & 0o077 & mode(world.state()), 0);
}
