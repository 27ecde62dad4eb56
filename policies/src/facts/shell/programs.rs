//! Programs: what each does by its name and its first words.

use super::super::Verb;
use super::super::lexicon::thing;
use super::super::verb::{Reading, read};
use super::super::words::words;

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

fn by_name(name: &str, arguments: &[&str]) -> Program {
    let tables: [(&[&str], Program); 14] = [
        (LOOKS, Program::Looks),
        (SECRETS, Program::ShowsSecrets),
        (WRAPS, Program::Wraps),
        (SHELLS, Program::Shell),
        (NETWORK, Program::Network),
        (DATABASES, Program::Database),
        (WRITES, Program::Does(Verb::Write)),
        (REMOVES, Program::Does(Verb::Delete)),
        (OVERWRITES, Program::Does(Verb::Overwrite)),
        (OPERATES, Program::Does(Verb::Operate)),
        (IDENTIFIES, Program::Does(Verb::Identity)),
        (GOVERNS, Program::Does(Verb::Govern)),
        (SENDS, Program::Does(Verb::Send)),
        (CLOUD, Program::Looks),
    ];
    match tables.iter().find(|(list, _)| list.contains(&name)) {
        Some((list, _)) if list.as_ptr() == CLOUD.as_ptr() => cloud(arguments),
        Some((_, program)) => *program,
        None => Program::Does(Verb::Execute),
    }
}

/// The words that say what a program with subcommands does.
fn subcommands<'a>(arguments: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    arguments.iter().copied().filter(|word| !word.starts_with('-'))
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

fn git(arguments: &[&str]) -> Program {
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
        "clean" => Verb::Delete,
        "reset" if has(&["--hard", "--merge", "--keep"]) => Verb::Overwrite,
        "checkout" | "switch" if has(&["-f", "--force", "--", ".", "--discard-changes"]) => Verb::Overwrite,
        "restore" if !has(&["--staged"]) => Verb::Overwrite,
        "filter-branch" | "filter-repo" | "gc" | "prune" | "update-ref" | "rm" => Verb::Delete,
        "rebase" if arguments.iter().any(|word| *word == "-x" || word.starts_with("--exec")) => Verb::Execute,
        "add" | "commit" | "checkout" | "switch" | "merge" | "rebase" | "cherry-pick" | "revert" | "init" | "mv"
        | "reset" | "restore" | "apply" | "am" | "format-patch" | "archive" => Verb::Write,
        "send-email" | "request-pull" => Verb::Send,
        _ => Verb::Execute,
    };
    Program::Does(verb)
}

fn skip_values<'a>(arguments: &[&'a str], valued: &[&str]) -> Vec<&'a str> {
    let mut skip = false;
    let keep = |word: &&&'a str| {
        let value = std::mem::replace(&mut skip, valued.contains(*word));
        !value && !word.starts_with('-')
    };
    arguments.iter().filter(keep).copied().collect()
}

fn docker(arguments: &[&str]) -> Program {
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

fn kubectl(arguments: &[&str]) -> Program {
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

fn packages(arguments: &[&str]) -> Program {
    let mut words = subcommands(arguments);
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        (
            "list" | "ls" | "view" | "info" | "show" | "outdated" | "search" | "freeze" | "tree" | "metadata"
            | "version" | "env" | "why" | "audit" | "policy" | "deps" | "help" | "root" | "prefix" | "doc",
            _,
        ) => Program::Looks,
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

fn infrastructure(arguments: &[&str]) -> Program {
    let mut words = subcommands(arguments);
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        (
            "plan" | "show" | "output" | "validate" | "fmt" | "version" | "providers" | "graph" | "preview" | "diff"
            | "synth" | "ls" | "list",
            _,
        )
        | ("state", "list" | "show")
        | ("workspace", "list" | "show") => Program::Looks,
        ("destroy" | "taint", _) | ("state", _) | ("workspace", "delete") => Program::Does(Verb::Delete),
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

fn redis(arguments: &[&str]) -> Program {
    let valued = ["-h", "-p", "-a", "-n", "-u", "--user", "--pass"];
    let command = skip_values(arguments, &valued).first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    redis_command(&command)
}

/// What a Redis command does.
pub(super) fn redis_command(command: &str) -> Program {
    match command {
        "get" | "mget" | "hget" | "hgetall" | "hmget" | "keys" | "scan" | "hscan" | "sscan" | "zscan" | "exists"
        | "ttl" | "pttl" | "type" | "strlen" | "llen" | "lrange" | "lindex" | "smembers" | "scard" | "sismember"
        | "zrange" | "zcard" | "zscore" | "info" | "ping" | "dbsize" | "time" | "memory" | "object" | "xrange"
        | "xlen" | "hkeys" | "hvals" | "hlen" | "getrange" | "command" | "echo" => Program::Looks,
        "del" | "unlink" | "flushall" | "flushdb" | "hdel" | "srem" | "zrem" | "lrem" | "xdel" | "ltrim" | "getdel"
        | "lpop" | "rpop" | "spop" => Program::Does(Verb::Delete),
        "eval" | "evalsha" | "script" | "function" | "module" | "fcall" => Program::Does(Verb::Execute),
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
fn cloud(arguments: &[&str]) -> Program {
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

const LOOKS: &[&str] = &[
    "ls",
    "cat",
    "head",
    "tail",
    "wc",
    "grep",
    "rg",
    "ripgrep",
    "egrep",
    "fgrep",
    "zgrep",
    "zcat",
    "find",
    "fd",
    "pwd",
    "whoami",
    "id",
    "groups",
    "date",
    "echo",
    "printf",
    "uname",
    "hostname",
    "df",
    "du",
    "free",
    "uptime",
    "ps",
    "pgrep",
    "top",
    "htop",
    "which",
    "type",
    "whereis",
    "file",
    "stat",
    "tree",
    "less",
    "more",
    "sort",
    "uniq",
    "cut",
    "tr",
    "awk",
    "gawk",
    "diff",
    "cmp",
    "comm",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "shasum",
    "cksum",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "seq",
    "sleep",
    "true",
    "false",
    "test",
    "[",
    "[[",
    "jq",
    "yq",
    "column",
    "nl",
    "tac",
    "rev",
    "xxd",
    "hexdump",
    "od",
    "strings",
    "base64",
    "lsof",
    "ss",
    "netstat",
    "cd",
    "pushd",
    "popd",
    "export",
    "set",
    "unset",
    "exit",
    "return",
    "wait",
    "read",
    "local",
    "shift",
    "break",
    "continue",
    "lscpu",
    "lsblk",
    "nproc",
    "arch",
    "man",
    "info",
    "cal",
    "bc",
    "expr",
    "let",
    "locale",
    "tty",
    "who",
    "w",
    "last",
    "dmesg",
    "journalctl",
    "lsusb",
    "lspci",
    "ip",
    "ifconfig",
    "vmstat",
    "iostat",
    "sw_vers",
    "system_profiler",
    "dir",
    "ver",
    "systeminfo",
    "tasklist",
    "get-childitem",
    "get-content",
    "get-process",
    "get-location",
    "get-item",
    "select-string",
    "measure-object",
    "get-service",
    "get-date",
    "gci",
    "gc",
    "findstr",
    "where",
    "fold",
    "paste",
    "join",
    "split_view",
    "bat",
    "exa",
    "eza",
    "lsd",
    "tokei",
    "cloc",
    "scc",
    "ag",
    "ack",
    "command_v",
    "getent",
    "nm",
    "objdump",
    "ldd",
    "size",
    "clear",
    "tput",
    "stty",
    "umask",
    "ulimit",
    "alias",
    "declare",
    "typeset",
    "mapfile",
    "printf",
    "numfmt",
    "factor",
    "tsort",
    "shuf",
    "expand",
    "fmt",
    "pr",
    "look",
    "zless",
    "xmllint",
    "csvlook",
    "csvstat",
    "identify",
    "exiftool",
    "ffprobe",
    "mediainfo",
    "pdfinfo",
    "pdftotext",
    "ipcs",
    "pstree",
    "lsb_release",
    "node_version",
    "sum",
    "b2sum",
    "mount",
    "sysctl",
    "date",
    "route",
    "arp",
];
const SECRETS: &[&str] = &[
    "printenv",
    "history",
    "security",
    "secret-tool",
    "pass",
    "op",
    "bw",
    "lpass",
    "ssh-add",
    "gpg",
    "vault",
    "sops",
    "age",
    "keyctl",
    "get-credential",
    "cmdkey",
    "getfacl_secrets",
];
const WRAPS: &[&str] = &[
    "nohup",
    "time",
    "nice",
    "ionice",
    "timeout",
    "xargs",
    "command",
    "builtin",
    "stdbuf",
    "setsid",
    "watch",
    "env",
    "parallel",
    "unbuffer",
    "caffeinate",
    "chronic",
    "taskset",
];
const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "fish",
    "ash",
    "eval",
    "pwsh",
    "powershell",
    "powershell.exe",
    "cmd",
    "cmd.exe",
    "busybox",
    "source",
    ".",
    "exec",
    "su",
    "sudo",
    "doas",
    "chroot",
    "iex",
    "invoke-expression",
];
const NETWORK: &[&str] = &[
    "curl",
    "wget",
    "http",
    "https",
    "httpie",
    "xh",
    "nc",
    "ncat",
    "netcat",
    "socat",
    "telnet",
    "ssh",
    "scp",
    "sftp",
    "ftp",
    "lftp",
    "rsync",
    "rclone",
    "aria2c",
    "ping",
    "ping6",
    "traceroute",
    "tracepath",
    "mtr",
    "dig",
    "nslookup",
    "host",
    "whois",
    "nmap",
    "openssl",
    "invoke-webrequest",
    "iwr",
    "invoke-restmethod",
    "irm",
    "certutil",
    "bitsadmin",
    "tftp",
    "grpcurl",
    "websocat",
    "wscat",
    "masscan",
    "croc",
    "ngrok",
    "cloudflared",
    "gsutil",
];
const DATABASES: &[&str] = &[
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "duckdb",
    "sqlcmd",
    "bq",
    "clickhouse-client",
    "snowsql",
    "cockroach",
    "usql",
    "mongosh",
    "mongo",
    "cypher-shell",
];
const WRITES: &[&str] = &[
    "mkdir",
    "touch",
    "cp",
    "mv",
    "ln",
    "tee",
    "install",
    "unzip",
    "zip",
    "gzip",
    "gunzip",
    "bzip2",
    "xz",
    "7z",
    "patch",
    "md",
    "copy",
    "xcopy",
    "new-item",
    "set-content",
    "add-content",
    "out-file",
    "copy-item",
    "move-item",
    "mktemp",
    "split",
    "csplit",
    "convert",
    "ffmpeg",
    "pandoc",
    "prettier",
    "gofmt",
    "rustfmt",
    "black",
    "iconv",
    "dos2unix",
    "robocopy",
    "mkfifo",
];
const REMOVES: &[&str] = &[
    "rm",
    "rmdir",
    "unlink",
    "shred",
    "srm",
    "del",
    "erase",
    "rd",
    "remove-item",
    "ri",
    "wipe",
    "wipefs",
    "dropdb",
    "trash",
    "trash-put",
    "rimraf",
    "clear-content",
    "userdel_home",
    "lvremove",
    "vgremove",
    "zpool",
    "diskutil",
    "vssadmin",
    "wbadmin",
];
const OVERWRITES: &[&str] = &[
    "dd",
    "mkfs",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.vfat",
    "mkswap",
    "fdisk",
    "sfdisk",
    "parted",
    "truncate",
    "format",
    "format-volume",
    "pg_restore",
    "mongorestore",
    "flashrom",
    "hdparm",
    "badblocks",
    "cryptsetup",
    "blkdiscard",
];
const OPERATES: &[&str] = &[
    "kill",
    "killall",
    "pkill",
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "stop-process",
    "taskkill",
    "restart-service",
    "stop-service",
    "start-service",
    "renice",
    "swapoff",
    "umount",
    "mount",
    "insmod",
    "rmmod",
    "modprobe",
    "init",
    "telinit",
    "stop-computer",
    "restart-computer",
    "pm2",
    "supervisorctl",
    "wall",
    "date_set",
];
const IDENTIFIES: &[&str] = &[
    "passwd",
    "useradd",
    "adduser",
    "usermod",
    "userdel",
    "deluser",
    "groupadd",
    "groupmod",
    "groupdel",
    "chpasswd",
    "visudo",
    "ssh-keygen",
    "ssh-copy-id",
    "chmod",
    "chown",
    "chgrp",
    "setfacl",
    "chattr",
    "htpasswd",
    "kinit",
    "net",
    "icacls",
    "takeown",
    "dscl",
    "gpasswd",
    "chage",
    "setcap",
    "newgrp",
    "login",
    "new-localuser",
    "add-localgroupmember",
    "attrib",
    "runas",
];
const GOVERNS: &[&str] = &[
    "iptables",
    "ip6tables",
    "nft",
    "ufw",
    "firewall-cmd",
    "setenforce",
    "auditctl",
    "portcullis",
    "netsh",
    "set-executionpolicy",
    "set-mppreference",
    "spctl",
    "csrutil",
    "apparmor_parser",
    "aa-disable",
    "semanage",
    "setsebool",
    "wevtutil",
    "reg",
];
const SENDS: &[&str] = &[
    "mail",
    "mailx",
    "mutt",
    "sendmail",
    "msmtp",
    "swaks",
    "slack",
    "telegram-send",
    "ntfy",
    "wall",
    "write",
    "lp",
    "lpr",
    "twine",
];
const CLOUD: &[&str] = &[
    "aws",
    "gcloud",
    "az",
    "gh",
    "glab",
    "hub",
    "heroku",
    "vercel",
    "netlify",
    "flyctl",
    "fly",
    "doctl",
    "helm",
    "eksctl",
    "stripe",
    "linode-cli",
    "ibmcloud",
    "oci",
    "wrangler",
    "firebase",
    "supabase",
    "railway",
    "argocd",
    "flux",
    "istioctl",
    "velero",
    "minikube",
    "kind",
    "k3d",
    "s3cmd",
    "mc",
];
