//! The jail's own view of the file system: an empty root, and in it only what was granted.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Gid, Uid, chdir, chown, pivot_root};

use zeroize::Zeroizing;

use super::spec::{Bind, HOME, Spec, Step, Stuck};
use crate::instance::hand::Lending;

/// Where the new root is put together. It must be there on every machine; what it holds is reached through [`OLD`].
const STAGE: &str = "/tmp";
const OLD: &str = "/old";
const NEW: &str = "/new";

/// Every file needs one; this is a bound of the program's files in number.
const FILES: u32 = 16_384;

const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// What of `/proc` tells of the host, or changes it. Most of it is root's alone anyway.
const HIDDEN: [&str; 8] =
    ["kcore", "keys", "key-users", "timer_list", "sched_debug", "sysrq-trigger", "kpagecount", "kallsyms"];

/// Makes the new root and enters it. The old one is gone after it.
///
/// Answers the variables that are lent.
pub(super) fn enter(
    spec: &Spec,
    lent: Vec<File>,
    (uid, gid): (Uid, Gid),
) -> Result<Vec<(String, Zeroizing<String>)>, Stuck> {
    stage()?;
    tmpfs(Path::new(NEW), "size=4m,nr_inodes=4096,mode=0755").step("an empty root")?;
    let new = Path::new(NEW);
    for (at, to) in &spec.links {
        symlink(to, inside(new, at)).step("a link of the root")?;
    }
    scratch(new, spec, uid, gid)?;
    proc(new)?;
    devices(new)?;
    for bind in &spec.binds {
        bound(new, bind).step(format!("`{}`", bind.source.display()))?;
    }
    for (at, text) in &spec.files {
        let at = inside(new, at);
        parents(&at).and_then(|()| fs::write(&at, text)).step("a file of the root")?;
    }
    let mut variables = Vec::new();
    for (lending, file) in spec.lent.iter().zip(lent) {
        match lending {
            Lending::File { at } => lay(&inside(new, at), file, (uid, gid)).step("a file that is lent")?,
            Lending::Variable { name } => variables.push((name.clone(), read(file).step("a variable that is lent")?)),
        }
    }
    leave(new)?;
    Ok(variables)
}

/// Lays what is lent where the program finds it: in memory, for itself alone, until the jail ends.
fn lay(at: &Path, mut lent: File, (uid, gid): (Uid, Gid)) -> io::Result<()> {
    parents(at)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(at)?;
    io::copy(&mut lent, &mut file)?;
    Ok(chown(at, Some(uid), Some(gid))?)
}

fn read(mut lent: File) -> io::Result<Zeroizing<String>> {
    // Never grown: what it left behind would not be wiped.
    let length = usize::try_from(lent.metadata()?.len()).unwrap_or_default();
    let mut text = Zeroizing::new(String::with_capacity(length + 1));
    lent.read_to_string(&mut text)?;
    Ok(text)
}

/// Moves the old root aside, so that every path of it can be named, also those below the stage.
fn stage() -> Result<(), Stuck> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).step("mounts of our own")?;
    tmpfs(Path::new(STAGE), "size=1m,nr_inodes=64,mode=0755").step("a place for the new root")?;
    for name in [OLD, NEW] {
        fs::create_dir(format!("{STAGE}{name}")).step("a place for the new root")?;
    }
    pivot_root(STAGE, format!("{STAGE}{OLD}").as_str()).step("the old root")?;
    chdir("/").step("the old root")
}

fn tmpfs(at: &Path, options: &str) -> nix::Result<()> {
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))
}

/// One space for all that the program writes, so that one number bounds it.
fn scratch(new: &Path, spec: &Spec, uid: Uid, gid: Gid) -> Result<(), Stuck> {
    let space = new.join("run/scratch");
    fs::create_dir_all(&space).step("scratch space")?;
    let options = format!("size={},nr_inodes={FILES},mode=0711", spec.bounds.disk.max(4096));
    tmpfs(&space, &options).step("scratch space")?;
    for (name, at, mode) in [("tmp", "/tmp", 0o1777), ("home", HOME, 0o700), ("shm", "/dev/shm", 0o1777)] {
        let (own, at) = (space.join(name), inside(new, Path::new(at)));
        let made = fs::create_dir(&own)
            .and_then(|()| fs::set_permissions(&own, fs::Permissions::from_mode(mode)))
            .and_then(|()| Ok(chown(&own, Some(uid), Some(gid))?))
            .and_then(|()| fs::create_dir_all(&at))
            .and_then(|()| Ok(bind(&own, &at)?));
        made.step(format!("`/{name}`"))?;
    }
    fs::create_dir_all(new.join("var")).and_then(|()| symlink("/tmp", new.join("var/tmp"))).step("`/var/tmp`")
}

fn proc(new: &Path) -> Result<(), Stuck> {
    let at = new.join("proc");
    fs::create_dir_all(&at).step("`/proc`")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &at, Some("proc"), flags, None::<&str>).step("`/proc` of its own processes")?;
    let null = Path::new(OLD).join("dev/null");
    for name in HIDDEN {
        let hidden = at.join(name);
        if hidden.exists() {
            bind(&null, &hidden).step("`/proc` of its own processes")?;
        }
    }
    read_only(&at.join("sys"), &at.join("sys"))
}

/// Binds a folder over itself, read-only.
fn read_only(source: &Path, at: &Path) -> Result<(), Stuck> {
    if source.exists() {
        bind(source, at).and_then(|()| seal(at, MsFlags::MS_RDONLY)).step(format!("`{}` read-only", at.display()))?;
    }
    Ok(())
}

fn devices(new: &Path) -> Result<(), Stuck> {
    let at = new.join("dev");
    for name in DEVICES {
        let (source, at) = (Path::new(OLD).join("dev").join(name), at.join(name));
        fs::write(&at, "").and_then(|()| Ok(bind(&source, &at)?)).step(format!("`/dev/{name}`"))?;
    }
    for (name, to) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(to, at.join(name)).step("`/dev`")?;
    }
    Ok(())
}

/// What was granted. Links were followed by whoever granted it: here there are none.
fn bound(new: &Path, granted: &Bind) -> Result<(), Stuck> {
    let (source, at) = (inside(Path::new(OLD), &granted.source), inside(new, &granted.at));
    let folder = fs::symlink_metadata(&source).step("it is not there")?.is_dir();
    // What lies in something already granted is there already, unless it is to be writable.
    let place = if folder { fs::create_dir_all(&at) } else { parents(&at).and_then(|()| file(&at)) };
    if !at.exists() {
        place.step("a place for it")?;
    }
    bind(&source, &at).step("it cannot be shown")?;
    let sealed = if granted.writable { MsFlags::empty() } else { MsFlags::MS_RDONLY };
    for below in mounts(&at).step("its mounts")? {
        seal(&below, sealed | MsFlags::MS_NOSUID | MsFlags::MS_NODEV).step("it cannot be sealed")?;
    }
    Ok(())
}

fn bind(source: &Path, at: &Path) -> nix::Result<()> {
    mount(Some(source), at, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
}

/// Adds flags to a mount; what it has stays, since none of it may be taken away without privileges.
fn seal(at: &Path, flags: MsFlags) -> nix::Result<()> {
    let kept = flags_of(at).unwrap_or(MsFlags::empty());
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | kept | flags;
    mount(None::<&str>, at, None::<&str>, flags, None::<&str>)
}

/// Each line of `mountinfo`: where it is, and its flags.
fn table() -> io::Result<Vec<(PathBuf, MsFlags)>> {
    let text = fs::read_to_string(Path::new(OLD).join("proc/self/mountinfo"))?;
    let line = |line: &str| {
        let mut words = line.split(' ');
        Some((PathBuf::from(unescaped(words.nth(4)?)), options(words.next()?)))
    };
    Ok(text.lines().filter_map(line).collect())
}

fn mounts(at: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        table()?.into_iter().map(|(at, _)| at).filter(|below| below.starts_with(at)).collect();
    found.dedup();
    Ok(found)
}

fn flags_of(at: &Path) -> Option<MsFlags> {
    table().ok()?.into_iter().rev().find(|(mounted, _)| mounted == at).map(|(_, flags)| flags)
}

fn options(words: &str) -> MsFlags {
    let flag = |word| match word {
        "ro" => MsFlags::MS_RDONLY,
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    };
    words.split(',').map(flag).collect()
}

/// The kernel writes space, tab, line feed and backslash as octal.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

/// Leaves the old root, of which nothing can be reached after it.
fn leave(new: &Path) -> Result<(), Stuck> {
    umount2(OLD, MntFlags::MNT_DETACH).step("the old root")?;
    chdir(new).step("the new root")?;
    pivot_root(".", ".").step("the new root")?;
    umount2(".", MntFlags::MNT_DETACH).step("the stage")?;
    chdir("/").step("the new root")?;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).step("the new root read-only")
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn parents(at: &Path) -> io::Result<()> {
    at.parent().map_or(Ok(()), fs::create_dir_all)
}

fn file(at: &Path) -> io::Result<()> {
    if at.exists() { Ok(()) } else { fs::write(at, "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_of_a_mount_is_read_back() {
        assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
        assert_eq!(options("ro,nosuid,relatime"), MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_RELATIME);
    }
}
