//! A real MCP server, packed into an image from what is on this machine, does its work in a container for real clients, under each
//! runtime; and what leads out of its folder waits for a person, and finds nothing there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::client::{Client, Reach};
use tests::components;
use tests::engine::{Engine, Guard, Runtime, package, runsc_current};
use tests::ledger::{Kind, Ledger};
use tests::world::{Setup, World, open_to_everyone};

const SERVER: &str = "@modelcontextprotocol/server-filesystem";

/// Node, what it is linked with, the server, and everything that the server imports.
fn recipe() -> String {
    let mut files = String::new();
    let mut add = |from: &Path, to: &str| {
        // What a link leads to, not the link.
        writeln!(files, "{{ from = {:?}, to = {to:?} }},", from.canonicalize().unwrap()).unwrap();
    };
    add(Path::new(&components::node()), "/bin/node");
    for library in components::libraries(&components::node()) {
        add(Path::new(&library), &library);
    }
    for package in components::packages(SERVER) {
        add(Path::new(&components::module(&package)), &format!("/app/node_modules/{package}"));
    }
    format!("files = [\n{files}]\n")
}

const MANIFEST: &str = r#"
[container]
image = "image"
command = ["/bin/node", "/app/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", "/data"]
[[folder]]
at = "/data"
writable = true
[limits]
memory = "512 MiB"
processes = 64
"#;

/// A gateway in front of the packed server.
struct Packed {
    world: World,
    /// Granted as `/data`.
    data: PathBuf,
    _guard: Guard<'static>,
    _folder: TempDir,
}

impl Packed {
    fn start(runtime: Runtime) -> Self {
        let folder = TempDir::with_prefix("portcullis-packed-").unwrap();
        open_to_everyone(folder.path());
        let root = folder.path().canonicalize().unwrap();
        let data = root.join("data");
        fs::create_dir(&data).unwrap();
        open_to_everyone(&data);
        fs::write(data.join("hello.txt"), "hello from the host").unwrap();
        fs::write(root.join("secret.txt"), "not for the server").unwrap();
        let package = package(&root, "files", &recipe(), MANIFEST);
        let granted = format!("[[folder_grant]]\npath = {data:?}\nwritable = true\n");
        let guard = Guard::start(Engine::shared(), runtime, &root, &granted);
        let server = format!(
            "[server.files]\npackage = {package:?}\nvouched = true\nstart_timeout = \"120s\"\ncall_timeout = \"60s\"\n\
             folders = {{ \"/data\" = {{ folder = {data:?}, writable = true }} }}\n"
        );
        let world = Setup::new().config(&server).config(&guard.setting(runtime)).start();
        let packed = Self { world, data, _guard: guard, _folder: folder };
        packed.world.eventually("the server's tools", || (packed.world.modern().names().len() > 10).then_some(()));
        packed
    }

    fn call(&self, client: Client, tool: &str, arguments: &Value) -> Value {
        let reach = Reach::Http(self.world.endpoint().to_owned(), self.world.token().to_owned());
        client.call(&reach, client.eras()[0], tool, arguments)
    }

    fn reads(&self, client: Client) {
        let answer = self.call(client, "files.read_text_file", &json!({"path": "/data/hello.txt"}));
        assert!(answer["isError"] != true && answer.to_string().contains("hello from the host"), "{client:?} {answer}");
        let answer = self.call(client, "files.list_directory", &json!({"path": "/data"}));
        assert!(answer.to_string().contains("hello.txt"), "{client:?} {answer}");
    }

    /// A call that waits for a person, who says yes.
    fn approved(&self, client: Client, tool: &str, arguments: &Value, meanwhile: impl FnOnce()) -> Value {
        thread::scope(|scope| {
            let call = scope.spawn(|| self.call(client, tool, arguments));
            let hold = self.world.hold();
            meanwhile();
            drop(self.world.cli(&["holds", "approve", &hold]).success());
            call.join().unwrap()
        })
    }

    /// Inside the folder that is declared for it: a person is asked the first time that the agent uses the tool, no more.
    fn writes(&self, client: Client) {
        let name = format!("{client:?}.txt");
        let file = self.data.join(&name);
        let arguments = json!({"path": format!("/data/{name}"), "content": "written once"});
        let answer = if client == Client::ALL[0] {
            self.approved(client, "files.write_file", &arguments, || assert!(!file.exists(), "nobody approved it"))
        } else {
            self.call(client, "files.write_file", &arguments)
        };
        assert!(answer["isError"] != true, "{client:?} {answer}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "written once", "{client:?}");
    }
}

fn works(runtime: Runtime, isolation: &str) {
    let packed = Packed::start(runtime);
    for client in Client::ALL {
        packed.reads(client);
        packed.writes(client);
    }
    // Whoever says yes to more gives it no more: what lies beside the folder on the host is not in the container.
    let secret = packed.data.with_file_name("secret.txt");
    let outside = json!({"path": secret, "content": "by the server"});
    let answer = packed.approved(Client::Python, "files.write_file", &outside, || {});
    assert!(answer["isError"] == true, "{answer}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "not for the server");
    let outcome = Ledger::open(packed.world.state()).unwrap().entries(Kind::Outcome).pop().unwrap();
    assert!(outcome.record["detail"]["sandbox"].to_string().contains(isolation), "{}", outcome.record);
    packed.world.verify();
}

#[test]
fn a_filesystem_server_in_a_container_on_gvisor_works_with_every_client() {
    works(Runtime::Runsc, "gvisor");
}

#[test]
fn a_filesystem_server_in_a_container_on_this_years_gvisor_works_with_every_client() {
    if runsc_current().is_some() {
        works(Runtime::RunscCurrent, "gvisor");
    }
}

#[test]
fn a_filesystem_server_in_a_container_on_runc_works_with_every_client() {
    works(Runtime::Runc, "runc");
}
