//! Programs that reach another host or a database.

use super::{Effect, Shell, line, shown};
use crate::facts::sql::Sql;
use crate::facts::url::Address;

impl Shell {
    pub(super) fn network(&mut self, name: &str, arguments: &[&str]) {
        self.egress = true;
        let valued = [
            "-o",
            "-O",
            "--output",
            "-H",
            "--header",
            "-A",
            "--user-agent",
            "-m",
            "--max-time",
            "--connect-timeout",
            "-w",
            "--write-out",
        ];
        let mut skip = false;
        let addresses: Vec<Address> = arguments
            .iter()
            .filter(|word| {
                let value = std::mem::replace(&mut skip, valued.contains(*word));
                !value && !word.starts_with('-')
            })
            .filter_map(|word| {
                let host = word.split_once(':').map_or(*word, |(host, _)| host);
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                if word.contains("://") {
                    Address::parse(word)
                } else if host.contains('.') || host == "localhost" {
                    Address::of_host(host.split('/').next().unwrap_or_default())
                } else {
                    None
                }
            })
            .collect();
        let has = |wanted: &[&str]| {
            arguments.iter().any(|word| {
                wanted.iter().any(|start| {
                    word == start
                        || (start.starts_with("--") && word.starts_with(&format!("{start}=")))
                        || (start.len() == 2 && !start.starts_with("--") && word.starts_with(start) && name == "curl")
                })
            })
        };
        let sends = match name {
            "curl" => {
                has(&[
                    "-d",
                    "--data",
                    "--data-binary",
                    "--data-raw",
                    "--data-urlencode",
                    "-F",
                    "--form",
                    "-T",
                    "--upload-file",
                    "--json",
                ]) || method(arguments).is_some_and(|method| matches!(method.as_str(), "POST" | "PUT" | "PATCH"))
            }
            "wget" => arguments
                .iter()
                .any(|word| word.starts_with("--post") || word.starts_with("--body") || word.starts_with("--method")),
            "nc" | "ncat" | "netcat" | "socat" | "telnet" | "scp" | "sftp" | "ftp" | "lftp" | "rsync" | "rclone"
            | "tftp" | "croc" | "gsutil" => true,
            "http" | "https" | "xh" | "httpie" => {
                arguments.iter().any(|word| matches!(*word, "POST" | "PUT" | "PATCH") || word.contains('='))
            }
            _ => false,
        };
        let runs = matches!(name, "ssh" | "openssl" | "ngrok" | "cloudflared")
            && !(name == "openssl"
                && arguments.first().is_some_and(|first| matches!(*first, "version" | "x509" | "dgst" | "rand")))
            || (matches!(name, "nc" | "ncat" | "netcat")
                && arguments.iter().any(|word| word.starts_with('-') && word.contains(['e', 'c'])))
            || (name == "socat" && arguments.iter().any(|word| word.to_ascii_lowercase().contains("exec")));
        if runs {
            self.find(Effect::RunsCode, &format!("runs code at or for another host by `{name}`"));
        }
        if name == "curl" && method(arguments).as_deref() == Some("DELETE") {
            self.find(Effect::Deletes, "asks another host to delete");
        }
        if sends {
            self.find(Effect::Sends, &format!("sends data by `{name}`"));
        } else {
            self.find(Effect::NewDestination, &format!("reaches the network by `{}`", shown(&line(name, arguments))));
        }
        if let Some(at) = arguments.iter().position(|word| matches!(*word, "-o" | "--output" | "-O") && name != "nc") {
            self.written.push(arguments.get(at + 1).copied().unwrap_or(".").to_owned());
        }
        self.hosts.extend(addresses);
    }

    pub(super) fn database(&mut self, name: &str, arguments: &[&str]) {
        let flagged = arguments.iter().position(|word| {
            matches!(*word, "-c" | "-e" | "--command" | "--execute" | "-q" | "--query" | "--eval" | "-Q")
        });
        let text = flagged
            .and_then(|at| arguments.get(at + 1))
            .copied()
            .or_else(|| arguments.last().copied().filter(|word| Sql::looks_like(word)));
        match text.filter(|_| !name.starts_with("mongo")) {
            Some(text) => {
                let sql = Sql::of(text);
                self.private |= sql.private;
                sql.found.into_iter().for_each(|(effect, text)| self.find(effect, &text));
            }
            None => self.find(Effect::RunsCode, &format!("runs statements by `{name}` that are not shown")),
        }
    }
}

fn method(arguments: &[&str]) -> Option<String> {
    let at = arguments.iter().position(|word| matches!(*word, "-X" | "--request"));
    let split = at.and_then(|at| arguments.get(at + 1)).copied();
    split
        .or_else(|| {
            arguments.iter().find_map(|word| word.strip_prefix("-X").or_else(|| word.strip_prefix("--request=")))
        })
        .map(str::to_ascii_uppercase)
}
