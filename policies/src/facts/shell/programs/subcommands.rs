//! Programs with subcommands: what each does by its first words.

use super::Program;
use crate::facts::Verb;
use crate::facts::lexicon::thing;
use crate::facts::verb::{Reading, read};
use crate::facts::words::{among, words};

pub(super) fn git(arguments: &[&str]) -> Program {
    let has = |wanted: &[&str]| arguments.iter().any(|word| wanted.contains(word));
    // Settings for one command can name programs to run.
    if has(&["-c", "--exec-path", "--config-env"])
        || arguments.iter().any(|word| {
            word.starts_with("--upload-pack")
                || word.starts_with("--receive-pack")
                || word.starts_with("--exec")
                || word.starts_with("ext::")
                || word.starts_with("--output")
        })
    {
        return Program::Does(Verb::Execute);
    }
    let words: Vec<&str> = skip_values(arguments, &["-C", "--git-dir", "--work-tree"]);
    let (first, second) = (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default());
    let force = has(&["-f", "--force", "--force-with-lease", "--mirror", "--delete", "-d", "-D", "--prune"]);
    let verb = match first {
        "status" | "log" | "diff" | "show" | "blame" | "grep" | "ls-files" | "ls-tree" | "rev-parse" | "describe"
        | "shortlog" | "cat-file" | "reflog" | "version" | "help" | "whatchanged" | "rev-list" | "name-rev"
        | "merge-base" | "count-objects" | "check-ignore" | "diff-tree" | "for-each-ref" | "var" | "" => {
            return if second == "expire" || second == "delete" { Program::Does(Verb::Delete) } else { Program::Looks };
        }
        "branch" | "tag" | "stash" | "remote" | "worktree" | "config" | "notes" | "submodule" | "bisect"
        | "sparse-checkout" => {
            let looks = words.len() == 1 && !has(&["-m", "-M", "-f"]) && first != "stash"
                || matches!(second, "list" | "show" | "get-url" | "status" | "view" | "log")
                || has(&["-l", "--list", "-v", "-vv", "-a", "-r", "--get", "--show-current", "--get-all"]);
            let removes = force || matches!(second, "drop" | "clear" | "remove" | "rm" | "prune" | "deinit");
            match (removes, looks) {
                (true, _) => Verb::Delete,
                (false, true) => return Program::Looks,
                // `core.pager`, `alias.*`, `core.hooksPath` run programs.
                (false, false) if first == "config" || first == "submodule" || first == "bisect" => Verb::Execute,
                (false, false) => Verb::Write,
            }
        }
        "push"
            if force
                || arguments
                    .iter()
                    .any(|word| word.starts_with('+') || word.starts_with(':') || word.starts_with("--force")) =>
        {
            Verb::Overwrite
        }
        "push" => return Program::Does(Verb::Send),
        "fetch" | "pull" | "clone" | "ls-remote" => return Program::Network,
        "reset" if has(&["--hard", "--merge", "--keep"]) => Verb::Overwrite,
        "checkout" | "switch" if has(&["-f", "--force", "--", ".", "--discard-changes"]) => Verb::Overwrite,
        "restore" if !has(&["--staged"]) => Verb::Overwrite,
        "clean" | "filter-branch" | "filter-repo" | "gc" | "prune" | "update-ref" | "rm" => Verb::Delete,
        "rebase" if arguments.iter().any(|word| *word == "-x" || word.starts_with("--exec")) => Verb::Execute,
        "add" | "commit" | "checkout" | "switch" | "merge" | "rebase" | "cherry-pick" | "revert" | "init" | "mv"
        | "reset" | "restore" | "apply" | "am" | "format-patch" | "archive" => Verb::Write,
        "send-email" | "request-pull" => Verb::Send,
        _ => Verb::Execute,
    };
    Program::Does(verb)
}

pub(super) fn docker(arguments: &[&str]) -> Program {
    let words: Vec<&str> = skip_values(arguments, &["-H", "--host", "--context", "-f", "--file"]);
    let has = |wanted: &[&str]| words.iter().take(3).any(|word| wanted.contains(word));
    let looks = [
        "ps", "images", "logs", "inspect", "stats", "top", "version", "info", "port", "diff", "history", "ls", "list",
        "search", "events", "config", "df",
    ];
    if has(&["rm", "rmi", "prune", "down", "kill", "remove"]) {
        Program::Does(if has(&["kill"]) { Verb::Operate } else { Verb::Delete })
    } else if has(&["run", "exec", "build", "up", "create", "start", "buildx", "restart", "attach", "load", "import"]) {
        Program::Does(if has(&["start", "restart"]) { Verb::Operate } else { Verb::Execute })
    } else if has(&["push", "login", "save", "export", "cp", "commit", "tag", "pull"]) {
        Program::Does(if has(&["push"]) {
            Verb::Send
        } else if has(&["login"]) {
            Verb::Identity
        } else {
            Verb::Write
        })
    } else if has(&looks) {
        Program::Looks
    } else {
        Program::Does(Verb::Operate)
    }
}

pub(super) fn kubectl(arguments: &[&str]) -> Program {
    let words: Vec<&str> = skip_values(
        arguments,
        &["-n", "--namespace", "--context", "-o", "--output", "-l", "--selector", "--kubeconfig", "-f", "--filename"],
    );
    let (first, second) = (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default());
    match first {
        "get" | "describe" if second.starts_with("secret") => Program::ShowsSecrets,
        "get" | "describe" | "logs" | "top" | "explain" | "version" | "api-resources" | "api-versions"
        | "cluster-info" | "diff" | "events" | "wait" => Program::Looks,
        "config" if matches!(second, "view" | "get-contexts" | "current-context" | "get-clusters") => Program::Looks,
        "rollout" if matches!(second, "status" | "history") => Program::Looks,
        "auth" if matches!(second, "can-i" | "whoami") => Program::Looks,
        "delete" | "drain" => Program::Does(Verb::Delete),
        "replace" if arguments.contains(&"--force") => Program::Does(Verb::Overwrite),
        "exec" | "run" | "debug" | "attach" | "cp" => Program::Does(Verb::Execute),
        "auth" | "certificate" | "config" => Program::Does(Verb::Identity),
        "apply" | "create" | "edit" | "patch" | "replace" | "set" | "label" | "annotate"
            if second.contains("role") || second.contains("serviceaccount") =>
        {
            Program::Does(Verb::Grant)
        }
        _ => Program::Does(Verb::Operate),
    }
}

pub(super) fn packages(arguments: &[&str]) -> Program {
    let mut words = subcommands(arguments);
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        (first, _) if among(PACKAGES_LOOK, first) => Program::Looks,
        ("config", "get" | "list") => Program::Looks,
        ("publish", _) => Program::Does(Verb::Send),
        ("uninstall" | "remove" | "rm" | "purge" | "autoremove" | "clean" | "unpublish", _) => {
            Program::Does(Verb::Delete)
        }
        ("login" | "adduser" | "token", _) => Program::Does(Verb::Identity),
        // `install` and the rest run what the packages bring.
        _ => Program::Does(Verb::Execute),
    }
}

pub(super) fn infrastructure(arguments: &[&str]) -> Program {
    let mut words = subcommands(arguments);
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        (
            "plan" | "show" | "output" | "validate" | "fmt" | "version" | "providers" | "graph" | "preview" | "diff"
            | "synth" | "ls" | "list",
            _,
        )
        | ("state" | "workspace", "list" | "show") => Program::Looks,
        ("destroy" | "taint" | "state", _) | ("workspace", "delete") => Program::Does(Verb::Delete),
        ("apply" | "up" | "deploy", _)
            if arguments.iter().any(|word| {
                matches!(
                    *word,
                    "-auto-approve" | "--auto-approve" | "--yes" | "-y" | "-destroy" | "--require-approval=never"
                )
            }) =>
        {
            Program::Does(Verb::Overwrite)
        }
        _ => Program::Does(Verb::Operate),
    }
}

pub(super) fn redis(arguments: &[&str]) -> Program {
    let valued = ["-h", "-p", "-a", "-n", "-u", "--user", "--pass"];
    let command = skip_values(arguments, &valued).first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    redis_command(&command)
}

/// What a Redis command does.
pub(in crate::facts::shell) fn redis_command(command: &str) -> Program {
    match command {
        "get" | "mget" | "hget" | "hgetall" | "hmget" | "keys" | "scan" | "hscan" | "sscan" | "zscan" | "exists"
        | "ttl" | "pttl" | "type" | "strlen" | "llen" | "lrange" | "lindex" | "smembers" | "scard" | "sismember"
        | "zrange" | "zcard" | "zscore" | "info" | "ping" | "dbsize" | "time" | "memory" | "object" | "xrange"
        | "xlen" | "hkeys" | "hvals" | "hlen" | "getrange" | "command" | "echo" => Program::Looks,
        "del" | "unlink" | "flushall" | "flushdb" | "hdel" | "srem" | "zrem" | "lrem" | "xdel" | "ltrim" | "getdel"
        | "lpop" | "rpop" | "spop" => Program::Does(Verb::Delete),
        "config" | "acl" => Program::Does(Verb::Govern),
        "slaveof" | "replicaof" | "migrate" | "shutdown" | "debug" | "save" | "bgsave" | "failover" | "client"
        | "cluster" => Program::Does(Verb::Operate),
        "publish" => Program::Does(Verb::Send),
        "auth" => Program::Does(Verb::Identity),
        "set" | "mset" | "hset" | "hmset" | "lpush" | "rpush" | "sadd" | "zadd" | "expire" | "incr" | "decr"
        | "append" | "setex" | "incrby" | "rename" | "persist" | "xadd" | "setnx" | "hincrby" => {
            Program::Does(Verb::Write)
        }
        _ => Program::Does(Verb::Execute),
    }
}

/// Clouds and code hosts: their subcommands are verbs as tool names are.
pub(super) fn cloud(arguments: &[&str]) -> Program {
    let named: Vec<String> = subcommands(arguments).take(4).flat_map(words).collect();
    let tokens: Vec<&str> = named.iter().map(String::as_str).collect();
    let known = tokens.iter().enumerate().find_map(|(at, token)| match *token {
        "ls" | "ps" | "logs" | "images" | "status" | "view" | "whoami" if at > 0 || tokens.len() == 1 => {
            Some(Program::Looks)
        }
        "rb" | "rm" | "destroy" => Some(Program::Does(Verb::Delete)),
        "cp" | "sync" | "mb" | "presign" => Some(Program::Does(Verb::Send)),
        "ssh" | "exec" | "console" => Some(Program::Does(Verb::Execute)),
        "secrets" | "secretsmanager" | "ssm" | "sts" | "iam"
            if tokens.iter().any(|token| matches!(*token, "get" | "value" | "session" | "token")) =>
        {
            Some(Program::ShowsSecrets)
        }
        _ => None,
    });
    known.unwrap_or_else(|| match read(&tokens, thing::CLOUD) {
        Some(Reading { verb: Verb::Read, .. }) => Program::Looks,
        Some(Reading { verb, .. }) => Program::Does(verb),
        None => Program::Does(Verb::Unknown),
    })
}

fn skip_values<'a>(arguments: &[&'a str], valued: &[&str]) -> Vec<&'a str> {
    let mut skip = false;
    let keep = |word: &&&'a str| {
        let value = std::mem::replace(&mut skip, valued.contains(*word));
        !value && !word.starts_with('-')
    };
    arguments.iter().filter(keep).copied().collect()
}

/// The words that say what a program with subcommands does.
pub(super) fn subcommands<'a>(arguments: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    arguments.iter().copied().filter(|word| !word.starts_with('-'))
}

const PACKAGES_LOOK: &str = "list ls view info show outdated search freeze tree metadata version env why audit policy deps help \
    root prefix doc";
