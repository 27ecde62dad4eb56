//! Each client lists and calls tools of each server, through the gateway, on the default policies.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::client::{Client, Reach};
use tests::components::{module, node, python};
use tests::program::{command, run};
use tests::world::{Setup, World, open_to_everyone, portcullis};

/// One tool of each real server: a call that reads, and what its answer must contain.
fn calls(folder: &Path) -> Vec<(&'static str, Value, &'static str)> {
    let file = folder.join("inside/hello.txt");
    let repository = folder.join("repository");
    vec![
        ("files.read_text_file", json!({"path": file}), "hello from disk"),
        ("everything.echo", json!({"message": "round trip"}), "Echo: round trip"),
        ("time.get_current_time", json!({"timezone": "UTC"}), "UTC"),
        ("git.git_log", json!({"repo_path": repository, "max_count": 1}), "The first commit"),
    ]
}

/// A gateway in front of the four real servers; `inside` is the folder that may be written.
pub(crate) fn real_servers() -> World {
    let mut world = Setup::new().prepare();
    let folder = world.folder().canonicalize().unwrap();
    for name in ["inside", "outside", "repository"] {
        fs::create_dir(folder.join(name)).unwrap();
        open_to_everyone(&folder.join(name));
    }
    open_to_everyone(&folder);
    fs::write(folder.join("inside/hello.txt"), "hello from disk").unwrap();
    repository(&folder.join("repository"));
    let [inside, outside, repository] = ["inside", "outside", "repository"].map(|name| text(&folder.join(name)));
    let filesystem = module("@modelcontextprotocol/server-filesystem/dist/index.js");
    let everything = module("@modelcontextprotocol/server-everything/dist/index.js");
    let config = [
        server(
            "files",
            &[&node(), &filesystem, &inside, &outside],
            &format!(
                "scope = [{0}]\nfolders = {{ {0} = {{ folder = {0}, writable = true }}, {1} = {{ folder = {1}, writable = true }} }}",
                Value::from(inside.as_str()),
                Value::from(outside.as_str())
            ),
        ),
        server("everything", &[&node(), &everything], ""),
        server("time", &[&python("mcp-server-time")], ""),
        server("git", &[&python("mcp-server-git"), "--repository", &repository], &git_environment(&folder)),
    ];
    world.configure(&config.join("\n"));
    world.start();
    world.eventually("full list of tools", || {
        let names = world.modern().names();
        ["files.", "everything.", "time.", "git."]
            .iter()
            .all(|prefix| names.iter().any(|name| name.starts_with(prefix)))
            .then_some(())
    });
    world
}

fn server(name: &str, words: &[&str], keys: &str) -> String {
    format!("[server.{name}]\ncommand = {}\n{keys}\n", json!(words))
}

/// The server's environment is cleared, and git needs a home and a path.
fn git_environment(folder: &Path) -> String {
    // In the jail it is another user than the repository's.
    format!(
        "env = {{ PATH = \"/usr/bin:/bin\", HOME = {}, GIT_CONFIG_COUNT = \"1\", GIT_CONFIG_KEY_0 = \"safe.directory\", \
         GIT_CONFIG_VALUE_0 = \"*\" }}",
        Value::from(text(folder))
    )
}

fn repository(folder: &Path) {
    let git = |arguments: &[&str]| {
        let mut git = command("git");
        git.arg("-C").arg(folder).args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]).args(arguments);
        drop(run(&mut git, std::time::Duration::from_secs(20)).success());
    };
    git(&["init", "--quiet"]);
    fs::write(folder.join("file.txt"), "content").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "The first commit"]);
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn check(world: &World, reach: &Reach, client: Client, era: &str) {
    let listed = client.list(reach, era);
    for (tool, arguments, expected) in calls(&world.folder().canonicalize().unwrap()) {
        assert!(listed.iter().any(|name| name == tool), "{client:?} {era} does not see {tool} in {listed:?}");
        let answer = client.call(reach, era, tool, &arguments);
        assert!(answer.to_string().contains(expected), "{client:?} {era} {tool} got {answer}");
        assert!(answer["isError"] != true, "{client:?} {era} {tool} got {answer}");
    }
}

#[test]
fn every_client_lists_and_calls_tools_of_every_server_over_http() {
    let world = real_servers();
    let reach = Reach::Http(world.endpoint().to_owned(), world.token().to_owned());
    for client in Client::ALL {
        for era in client.eras() {
            check(&world, &reach, client, era);
        }
    }
    world.verify();
}

#[test]
fn every_client_lists_and_calls_tools_of_every_server_over_stdio() {
    let world = real_servers();
    let words = [portcullis(), "stdio".into(), "--state".into(), text(world.state())];
    let reach = Reach::Stdio(words.to_vec(), vec![("PORTCULLIS_TOKEN".to_owned(), world.token().to_owned())]);
    for client in Client::ALL {
        check(&world, &reach, client, client.eras()[0]);
    }
    world.verify();
}
