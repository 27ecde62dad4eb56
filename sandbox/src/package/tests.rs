use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use policies::profile::Resources;
use tempfile::TempDir;

use super::*;
use crate::ServerConfig;

const NOTES: &str = r#"
name = "notes"
kind = "process"
version = "1.0.0"
[process]
command = ["server.py"]
[[folder]]
at = "/data"
writable = true
[[folder]]
at = "/dict"
[[egress]]
host = "*.example.com"
methods = ["GET", "POST"]
paths = ["/v1/*"]
[limits]
time = "30s"
memory = "64 MiB"
"#;

fn package(manifest: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(MANIFEST), manifest).unwrap();
    fs::write(folder.path().join("server.py"), "print()").unwrap();
    folder
}

fn keys(problems: Result<impl Sized, Vec<Problem>>) -> Vec<String> {
    problems.err().unwrap_or_default().into_iter().map(|problem| problem.key).collect()
}

fn configured(folder: &TempDir, more: &str) -> Result<ServerConfig, Vec<Problem>> {
    let table = format!("package = '{}'\n{more}", folder.path().display());
    ServerConfig::parse(toml::from_str(&table).unwrap())
}

fn granted(folder: &TempDir, more: &str) -> Resources {
    let config = configured(folder, more).unwrap_or_else(|problems| panic!("{problems:?}"));
    config.resources().unwrap().as_ref().clone()
}

#[test]
fn a_package_is_granted_what_it_asks_for_but_folders_of_the_host() {
    let folder = package(NOTES);
    let resources = granted(&folder, "");
    assert_eq!(resources.sandbox, Isolation::Jail);
    assert_eq!(resources.digest, Some(Package::read(folder.path()).unwrap().digest()));
    assert_eq!(resources.limits.memory, 64 << 20);
    assert_eq!(resources.egress[0].to_string(), "https://*.example.com:443/v1/* (GET, POST)");
    assert!(resources.folders.is_empty());
}

#[test]
fn a_config_narrows_each_grant() {
    let (folder, data) = (package(NOTES), tempfile::tempdir().unwrap());
    let data = data.path().display();
    let more = format!(
        "folders = {{ '/data' = {{ folder = '{data}', writable = false }}, '/dict' = '{data}' }}\nlimits = {{ memory = '1 MiB' }}\negress = [{{ host = 'a.example.com', paths = ['/v1/x'] }}]"
    );
    let resources = granted(&folder, &more);
    assert_eq!(resources.limits.memory, 1 << 20);
    assert_eq!(resources.egress[0].to_string(), "https://a.example.com:443/v1/x (GET, POST)");
    assert!(resources.folders.iter().all(|mount| !mount.writable) && resources.folders.len() == 2);
    assert!(granted(&folder, &format!("folders = {{ '/data' = '{data}' }}")).folders[0].writable);
    assert!(granted(&folder, "egress = []").egress.is_empty());
}

#[test]
fn what_would_widen_a_package_is_a_problem_with_its_key() {
    let (folder, data) = (package(NOTES), tempfile::tempdir().unwrap());
    let data = data.path().display();
    for (more, key) in [
        ("limits = { memory = '65 MiB' }".to_owned(), "limits"),
        ("limits = { time = '31s' }".to_owned(), "limits"),
        ("egress = ['evil.test']".to_owned(), "egress[0]"),
        ("egress = ['example.com']".to_owned(), "egress[0]"),
        ("egress = [{ host = 'a.example.com', ports = [8443] }]".to_owned(), "egress[0]"),
        ("egress = [{ host = 'a.example.com', protocol = 'http' }]".to_owned(), "egress[0]"),
        ("egress = [{ host = 'a.example.com', methods = ['DELETE'] }]".to_owned(), "egress[0]"),
        ("egress = [{ host = 'a.example.com', paths = ['/v2'] }]".to_owned(), "egress[0]"),
        ("egress = [{ host = 'a.example.com', addresses = ['10.0.0.0/8'] }]".to_owned(), "egress[0]"),
        (format!("folders = {{ '/etc' = '{data}' }}"), "folders./etc"),
        (format!("folders = {{ '/dict' = {{ folder = '{data}', writable = true }} }}"), "folders./dict"),
        ("cwd = '/'".to_owned(), "cwd"),
        ("read = ['/']".to_owned(), "read"),
        (format!("digest = '{}'", "0".repeat(64)), "digest"),
    ] {
        assert_eq!(keys(configured(&folder, &more)), [key], "{more}");
    }
}

#[test]
fn every_problem_of_a_manifest_is_told_at_once() {
    let folder = package(
        "name = 'a.b'\nkind = 'process'\nsurprise = 1\n[process]\ncommand = 'x'\nenv = { A = { env = 'HOME' } }\n[wasm]\n[[tool]]\nluck = 1\n[[folder]]\nat = '/'\n[[egress]]\nhost = 'a.test'\nprotocol = 'tcp'\n[limits]\nmemory = 'much'\nluck = 1\n[[secret]]\nname = 'x'",
    );
    let found = keys(Package::read(folder.path()));
    let expected = [
        "surprise",
        "name",
        "wasm",
        "process.command",
        "tool[0].luck",
        "tool[0].name",
        "tool[0].description",
        "folder[0].at",
        "egress[0]",
        "limits.luck",
        "limits.memory",
        "secret[0]",
    ];
    assert_eq!(found, expected);
    assert_eq!(keys(Package::read(package("name =").path())), [MANIFEST]);
    assert_eq!(keys(Package::read(package("name = 'a'\nkind = 'virtual'").path())), ["kind"]);
}

#[test]
fn a_tool_that_is_declared_says_all_that_it_is() {
    let declared = |more: &str| {
        let manifest = format!(
            "name = 'a'\nkind = 'process'\n[process]\ncommand = ['x']\n[[tool]]\nname = 'count'\ndescription = 'Counts.'\n{more}"
        );
        Package::read(package(&manifest).path())
    };
    let package = declared("annotations = { readOnlyHint = true }").unwrap_or_else(|problems| panic!("{problems:?}"));
    let tool = &package.manifest().tools[0];
    let definition = r#"{"annotations":{"readOnlyHint":true},"description":"Counts.","inputSchema":{"type":"object"},"name":"count"}"#;
    assert_eq!(tool.definition.canonical().as_str(), definition);
    for (more, key) in [
        ("shell = true", "tool[0].shell"),
        ("annotations = { safe = true }", "tool[0].annotations.safe"),
        ("annotations = { readOnlyHint = 'yes' }", "tool[0].annotations.readOnlyHint"),
        ("input = { type = 'string' }", "tool[0].input"),
        ("arguments = 'count {path}'", "tool[0].arguments"),
        ("arguments = ['{path}']", "tool[0].arguments[0]"),
        ("arguments = ['{a}{b}']", "tool[0].arguments[0]"),
        ("[[tool]]\nname = 'count'\ndescription = 'Counts.'", "tool[1].name"),
        ("[[tool]]\nname = 'a/b'\ndescription = 'Counts.'", "tool[1].name"),
    ] {
        assert_eq!(keys(declared(more)), [key], "{more}");
    }
}

#[test]
fn what_declares_its_tools_has_a_program_to_run() {
    let tool = "[[tool]]\nname = 'x'\ndescription = 'x'";
    let folder = package(&format!("name = 'a'\nkind = 'container'\n[container]\nimage = 'image'\n{tool}"));
    fs::create_dir(folder.path().join("image")).unwrap();
    assert_eq!(keys(Package::read(folder.path())), ["container.command"]);
    let folder = package(&format!("name = 'a'\nkind = 'wasm'\n[wasm]\ncomponent = 'server.py'\n{tool}"));
    assert_eq!(keys(Package::read(folder.path())), ["tool"]);
}

#[test]
fn what_runs_is_inside_the_package() {
    for path in ["/etc/passwd", "../x.wasm", "a/../../x", "gone.wasm", ""] {
        let manifest = format!("name = 'a'\nkind = 'wasm'\n[wasm]\ncomponent = '{path}'");
        assert_eq!(keys(Package::read(package(&manifest).path())), ["wasm.component"], "{path}");
    }
}

#[test]
fn a_variable_of_the_gateway_cannot_be_asked_for() {
    let folder = package("name = 'a'\nkind = 'process'\n[process]\ncommand = ['x']\nenv = { A = { env = 'HOME' } }");
    assert_eq!(keys(Package::read(folder.path())), ["process.env.A"]);
}

#[test]
fn the_digest_covers_names_modes_and_contents() {
    let folder = package(NOTES);
    let digest = || Package::read(folder.path()).unwrap().digest();
    let (first, script) = (digest(), folder.path().join("server.py"));
    assert_eq!(first, digest());
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let executable = digest();
    fs::write(folder.path().join("server.pyx"), "print()").unwrap();
    let more = digest();
    fs::write(&script, "evil()").unwrap();
    let all = [first, executable, more, digest()];
    assert!((0..4).all(|a| (0..a).all(|b| all[a] != all[b])));
}

#[test]
fn a_package_holds_no_link() {
    let folder = package(NOTES);
    symlink("/etc/passwd", folder.path().join("data")).unwrap();
    assert_eq!(keys(Package::read(folder.path())), ["data"]);
}

fn tar(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Result<(TempDir, PathBuf), Problem> {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    build(&mut builder);
    let file = folder.path().join("package.tar");
    fs::write(&file, builder.into_inner().unwrap()).unwrap();
    let into = folder.path().join("unpacked");
    unpack(&file, &into).map(|()| (folder, into))
}

fn entry(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, link: &str, data: &[u8]) {
    let mut header = tar::Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o4755);
    header.set_cksum();
    builder.append(&header, data).unwrap();
}

#[test]
fn a_tar_unpacks_to_plain_files() {
    let (_keep, into) = tar(|builder| {
        entry(builder, "./a/", tar::EntryType::Directory, "", b"");
        entry(builder, "./a/b", tar::EntryType::Regular, "", b"content");
    })
    .unwrap();
    let file = into.join("a/b");
    assert_eq!(fs::read(&file).unwrap(), b"content");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7000, 0, "no setuid");
}

#[test]
fn a_malicious_tar_leaves_nothing_behind() {
    use tar::EntryType::{Block, Char, Fifo, GNULongName, Link, Regular, Symlink, XHeader};
    let outside = tempfile::tempdir().unwrap();
    let goal = outside.path().join("x");
    for (name, kind, link, data) in [
        ("../x", Regular, "", b"".as_slice()),
        (goal.to_str().unwrap(), Regular, "", b""),
        ("a/../../x", Regular, "", b""),
        ("link", Symlink, "/etc", b""),
        ("link", Link, "/etc/passwd", b""),
        ("device", Char, "", b""),
        ("device", Block, "", b""),
        ("pipe", Fifo, "", b""),
        ("a\u{1b}[2J", Regular, "", b""),
        ("long", GNULongName, "", b"../../x"),
        ("header", XHeader, "", b"18 path=../../../x\n"),
    ] {
        let found = tar(|builder| {
            entry(builder, "first", Regular, "", b"1");
            entry(builder, name, kind, link, data);
        });
        assert!(found.is_err(), "{name} {kind:?}");
        assert!(!goal.exists());
    }
    let twice = tar(|builder| (0..2).for_each(|_| entry(builder, "a", Regular, "", b"")));
    assert!(twice.is_err());
}

#[test]
fn a_tar_that_lies_about_its_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("bomb").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let file = folder.path().join("package.tar");
    fs::write(&file, header.as_bytes()).unwrap();
    let into = folder.path().join("unpacked");
    assert!(unpack(&file, &into).unwrap_err().found.contains("4 GiB"));
    assert!(!into.exists());
}
