//! Programs: what each does by its name and its first words.

mod names;
mod subcommands;

use names::by_name;
pub(super) use subcommands::redis_command;
use subcommands::{docker, git, infrastructure, kubectl, packages, redis, subcommands};

use crate::facts::Verb;

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Looks, and writes nothing anywhere.
    Looks,
    /// Shows secrets of the session it runs in.
    ShowsSecrets,
    /// Starts the program that its words name.
    Wraps,
    /// Is a shell or reads a script.
    Shell,
    /// Speaks to another host.
    Network,
    /// Reads SQL.
    Database,
    /// Does this.
    Does(Verb),
}

/// What a program does, by its name without folders and its words.
pub(super) fn program(name: &str, arguments: &[&str]) -> Program {
    let has = |wanted: &[&str]| arguments.iter().any(|word| wanted.contains(word));
    let starts = |wanted: &str| arguments.iter().any(|word| word.starts_with(wanted));
    if matches!(arguments, ["--version" | "-V" | "--help" | "-version"]) {
        return Program::Looks;
    }
    match name {
        "find" | "fd" if has(&["-delete"]) => Program::Does(Verb::Delete),
        "find" | "fd"
            if has(&["-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"])
                || starts("-fprint")
                || starts("-fls") =>
        {
            Program::Does(Verb::Execute)
        }
        "sort" if has(&["-o"]) || starts("--output") || starts("--compress-program") => Program::Does(Verb::Write),
        "sed" | "gsed" => stream(arguments),
        "awk" | "gawk" | "mawk"
            if arguments
                .iter()
                .any(|word| ["system", "|", ">", "getline", "-i"].iter().any(|part| word.contains(part))) =>
        {
            Program::Does(Verb::Execute)
        }
        "date" if has(&["-s"]) || starts("--set") => Program::Does(Verb::Operate),
        "hostname" if !arguments.is_empty() && !starts("-") => Program::Does(Verb::Operate),
        "env" if arguments.iter().all(|word| word.starts_with('-')) => Program::ShowsSecrets,
        "rg" | "ripgrep" if starts("--pre") => Program::Does(Verb::Execute),
        "tar" | "bsdtar" => archive(arguments),
        "unzip" if has(&["-l", "-t", "-v"]) => Program::Looks,
        "crontab" if has(&["-l"]) => Program::Looks,
        "systemctl" | "service" | "launchctl" | "sc" => service(arguments),
        "git" => git(arguments),
        "docker" | "podman" | "nerdctl" => docker(arguments),
        "kubectl" | "oc" => kubectl(arguments),
        "npm" | "pnpm" | "yarn" | "pip" | "pip3" | "cargo" | "go" | "gem" | "brew" | "apt" | "apt-get" | "dnf"
        | "yum" | "poetry" | "uv" | "bun" | "conda" | "composer" | "apk" | "snap" => packages(arguments),
        "terraform" | "tofu" | "pulumi" | "cdk" => infrastructure(arguments),
        "redis-cli" => redis(arguments),
        "mv" | "move" | "rename" | "ren" => Program::Does(Verb::Write),
        "sysctl" if has(&["-w"]) => Program::Does(Verb::Govern),
        "mount" if arguments.is_empty() => Program::Looks,
        "ip" | "ifconfig" | "route" | "nmcli" if has(&["set", "add", "del", "delete", "up", "down", "flush"]) => {
            Program::Does(Verb::Operate)
        }
        "journalctl" if starts("--vacuum") || starts("--rotate") => Program::Does(Verb::Delete),
        _ => by_name(name, arguments),
    }
}

fn stream(arguments: &[&str]) -> Program {
    let in_place = arguments.iter().any(|word| {
        *word == "--in-place"
            || word.starts_with("--in-place=")
            || (word.starts_with("-i")
                || (word.starts_with('-') && !word.starts_with("--") && word.contains('i') && word.len() <= 4))
    });
    // `w file` and `e command` hide in the script.
    let script = arguments.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    let hides = script.ends_with("/e")
        || script.contains("/w ")
        || script.contains("/e;")
        || script.starts_with("e ")
        || script.starts_with("w ")
        || script.contains(";w ")
        || script.contains(";e ")
        || script.contains("ge") && script.ends_with('e');
    if hides {
        Program::Does(Verb::Execute)
    } else if in_place {
        Program::Does(Verb::Write)
    } else {
        Program::Looks
    }
}

fn archive(arguments: &[&str]) -> Program {
    let flags = arguments.first().copied().unwrap_or_default();
    if arguments.iter().any(|word| {
        word.starts_with("--to-command")
            || word.starts_with("--checkpoint-action")
            || word.starts_with("--use-compress-program")
            || *word == "-I"
    }) {
        Program::Does(Verb::Execute)
    } else if flags.contains('t') && !flags.contains('x') && !flags.starts_with("--") {
        Program::Looks
    } else {
        Program::Does(Verb::Write)
    }
}

fn service(arguments: &[&str]) -> Program {
    let looks = [
        "status",
        "list",
        "list-units",
        "list-unit-files",
        "is-active",
        "is-enabled",
        "show",
        "cat",
        "list-timers",
        "query",
    ];
    if subcommands(arguments).any(|word| looks.contains(&word)) { Program::Looks } else { Program::Does(Verb::Operate) }
}
