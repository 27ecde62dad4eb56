//! Attempts on folders.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use wasip2::filesystem::preopens::get_directories;

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| format!("refused: {error}"))
}

pub(crate) fn write(path: &str, content: &str) -> String {
    fs::write(path, content).map_or_else(|error| format!("refused: {error}"), |()| "written".to_owned())
}

pub(crate) fn list(path: &str) -> String {
    let names =
        |entries: fs::ReadDir| entries.flatten().map(|entry| entry.path().display().to_string()).collect::<Vec<_>>();
    fs::read_dir(path).map_or_else(|error| format!("refused: {error}"), |entries| names(entries).join(" "))
}

pub(crate) fn link(from: &str, to: &str) -> String {
    fs::hard_link(from, to).map_or_else(|error| format!("refused: {error}"), |()| "linked".to_owned())
}

/// Makes a symbolic link below the first folder, by the host's own function: `std` would refuse some targets by itself.
pub(crate) fn symlink(target: &str, name: &str) -> String {
    let folders = get_directories();
    let Some((folder, _)) = folders.first() else { return "refused: no folder".to_owned() };
    folder.symlink_at(target, name).map_or_else(|error| format!("refused: {error:?}"), |()| "linked".to_owned())
}

/// Reads again and again while somebody swaps what lies there.
pub(crate) fn race(path: &str, times: u64) -> String {
    let mut seen: Vec<String> = (0..times).filter_map(|_| fs::read_to_string(path).ok()).collect();
    let count = seen.len();
    seen.sort();
    seen.dedup();
    format!("{count} {}", seen.join(","))
}

/// Writes until nothing fits any more.
pub(crate) fn fill(path: &str) -> String {
    let Ok(mut file) = File::create(path) else { return "refused".to_owned() };
    let chunk = vec![7; 64 << 10];
    let mut chunks = 0_u64;
    loop {
        match file.write_all(&chunk) {
            Ok(()) => chunks += 1,
            Err(error) => return format!("{} bytes, then {error}", chunks * (64 << 10)),
        }
    }
}

/// Makes a file that is all hole.
pub(crate) fn hole(path: &str, size: u64) -> String {
    let made =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).and_then(|file| file.set_len(size));
    made.map_or_else(|error| format!("refused: {error}"), |()| "made".to_owned())
}

/// Makes names until no more can be made.
pub(crate) fn names(path: &str) -> String {
    for number in 0_u64.. {
        let name = Path::new(path).join(number.to_string());
        let made = if number % 2 == 0 { fs::create_dir(&name) } else { File::create(&name).map(drop) };
        if let Err(error) = made {
            return format!("{number} names, then {error}");
        }
    }
    unreachable!()
}

/// Opens a file as often as it can.
pub(crate) fn hold(path: &str) -> String {
    let mut held = Vec::new();
    loop {
        match File::open(path) {
            Ok(file) => held.push(file),
            Err(error) => return format!("{} files, then {error}", held.len()),
        }
    }
}
