//! Paths: where they lead by their text alone, and what lies there.

/// A path as a tool was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Normalised: `/` between names, `.` and `..` resolved, no `/` at the end.
    pub(super) path: String,
    /// From the root, from a drive, or from a home folder.
    pub(super) absolute: bool,
    /// Whether `..` stands in it.
    pub(super) dotted: bool,
    /// Why it is refused, if it climbs or hides.
    pub(super) climbs: Option<&'static str>,
}

impl Place {
    /// What a path means, read as the most lenient tool would read it.
    pub(super) fn of(given: &str) -> Self {
        let given = given.get(..given.floor_char_boundary(MAX_PATH)).unwrap_or_default();
        let bare = given.strip_prefix("file://").map_or(given, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
        let (decoded, encoded) = decoded(bare);
        let slashed = decoded.replace('\\', "/");
        let drive = drive(&slashed);
        let absolute = slashed.starts_with(['/', '~']) || drive || slashed.starts_with("$HOME");
        let mut parts: Vec<&str> = Vec::with_capacity(8);
        let (mut floor, mut climbs) = (false, None);
        for part in slashed.split('/') {
            // `..;` is how some servers are told `..`; three and more dots are what a filter makes of `....//`.
            let dots = part.split(';').next().unwrap_or_default().trim_end();
            match dots {
                "" | "." => {}
                ".." => {
                    let last = parts.pop();
                    floor |= last.is_none() || (absolute && parts.is_empty());
                    if last == Some("..") || (last.is_none() && !absolute) {
                        parts.extend(last);
                        parts.push("..");
                    }
                    if encoded {
                        climbs = Some("hides `..` in an encoding");
                    }
                }
                dots if dots.len() > 3 && dots.bytes().all(|byte| byte == b'.') => {
                    climbs = Some("holds a run of dots that filters turn into `..`")
                }
                _ => parts.push(part),
            }
        }
        if floor {
            climbs = climbs.or(Some("climbs above where it starts"));
        }
        if decoded.contains('\0') {
            climbs = Some("holds a NUL, where tools in C end the path");
        }
        let joined = parts.join("/");
        let path = if slashed.starts_with('/') { format!("/{joined}") } else { joined };
        let climbed = slashed.split('/').any(|part| part == "..");
        if climbed && climbs.is_none() && Holding::of(&path) >= Holding::Private {
            climbs = Some("climbs to where secrets are kept");
        }
        Self { path, absolute, dotted: climbed, climbs }
    }
}

fn drive(path: &str) -> bool {
    let mut bytes = path.bytes();
    matches!((bytes.next(), bytes.next()), (Some(letter), Some(b':')) if letter.is_ascii_alphabetic())
}

/// Percent-decoded until nothing changes, with look-alikes of dots and slashes folded; whether a dot or a slash was hidden.
fn decoded(given: &str) -> (String, bool) {
    let mut text = given.to_owned();
    let mut hidden = false;
    // Twice encoded is an attack that is known; four times is beyond any tool.
    for _ in 0..4 {
        if !text.contains('%') {
            break;
        }
        let lower = text.to_ascii_lowercase();
        hidden |= ["%2e", "%2f", "%5c", "%00", "%252", "%c0%a", "%c0%2", "%e0%80%a", "%c1%9c", "%u002", "%u221"]
            .iter()
            .any(|code| lower.contains(code));
        let next = percent(&text);
        if next == text {
            break;
        }
        text = next;
    }
    let folded: String = text
        .chars()
        .map(|letter| match letter {
            '\u{ff0e}' | '\u{2024}' | '\u{fe52}' => '.',
            '\u{ff0f}' | '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
            '\u{ff3c}' | '\u{fe68}' => '\\',
            other => other,
        })
        .collect();
    hidden |= folded != text;
    (folded, hidden)
}

/// One round of percent-decoding; overlong UTF-8 forms of `.` and `/` become what lenient decoders make of them.
fn percent(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out: Vec<u8> = Vec::with_capacity(lower.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let two = (*first == b'%').then(|| Some((hex(*tail.first()?)?, hex(*tail.get(1)?)?))).flatten();
        if let Some((high, low)) = two {
            out.push(high * 16 + low);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    for (overlong, plain) in [
        (&[0xc0, 0xae][..], b'.'),
        (&[0xc0, 0xaf][..], b'/'),
        (&[0xc1, 0x9c][..], b'\\'),
        (&[0xe0, 0x80, 0xae][..], b'.'),
    ] {
        while let Some(at) = out.windows(overlong.len()).position(|window| window == overlong) {
            out.splice(at..at + overlong.len(), [plain]);
        }
    }
    String::from_utf8(out).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What lies at a path, the weightier the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holding {
    /// Nothing that its name would tell.
    Plain,
    /// What others sent: downloads, attachments.
    Received,
    /// Settings with secrets among them, personal records, system accounts.
    Private,
    /// A private key, a credential store, a password file.
    Credential,
}

impl Holding {
    /// What a normalised path holds, by its names.
    pub(super) fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let names: Vec<&str> = lower.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.last().copied().unwrap_or_default();
        let public = has_extension(last, &["pub", "crt", "csr"]) || last == "known_hosts";
        let key = !public
            && (KEY_FILES.contains(&last)
                || KEY_FOLDERS.iter().any(|folder| names.contains(folder))
                || has_extension(
                    last,
                    &[
                        "key",
                        "p12",
                        "pfx",
                        "jks",
                        "keystore",
                        "ppk",
                        "kdbx",
                        "wallet",
                        "keychain",
                        "keychain-db",
                        "asc",
                        "gpg",
                    ],
                )
                || (has_extension(last, &["pem"]) && !last.contains("cert") && !last.contains("ca"))
                || KEY_ENDS.iter().any(|end| ends(&lower, end)));
        if key {
            return Self::Credential;
        }
        let dotenv = last == ".env"
            || (last.starts_with(".env.") && !EXAMPLES.iter().any(|end| last.ends_with(end)))
            || has_extension(last, &["env"]);
        let private = dotenv
            || PRIVATE_FILES.contains(&last)
            || PRIVATE_ENDS.iter().any(|end| ends(&lower, end))
            || has_extension(last, &["tfvars", "tfstate", "ovpn", "pgpass"])
            || names.iter().any(|name| PRIVATE_FOLDERS.contains(name))
            || names.iter().take(names.len()).any(|name| stem_says(name));
        if private {
            return Self::Private;
        }
        let received = names.iter().any(|name| matches!(*name, "downloads" | "attachments" | "inbox" | "uploads"))
            || has_extension(last, &["eml", "msg", "mbox"]);
        if received { Self::Received } else { Self::Plain }
    }
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && extensions.contains(&extension))
}

fn ends(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// `customer_passwords.xlsx`, `payroll-2025.csv`: names that say what is in them. Source code about passwords is not it.
fn stem_says(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let data = matches!(
        extension,
        "" | "txt"
            | "csv"
            | "xlsx"
            | "xls"
            | "json"
            | "yaml"
            | "yml"
            | "toml"
            | "ini"
            | "conf"
            | "cfg"
            | "pdf"
            | "docx"
            | "db"
            | "sqlite"
            | "sql"
            | "bak"
            | "zip"
            | "md"
            | "log"
            | "parquet"
            | "numbers"
    );
    data && stem.split(|letter: char| !letter.is_alphanumeric()).any(|word| PRIVATE_WORDS.contains(&word))
}

const KEY_FILES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "identity",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".git-credentials",
    "shadow",
    "gshadow",
    "shadow-",
    "sam",
    "ntds.dit",
    "login data",
    "logins.json",
    "key4.db",
    "cookies.sqlite",
    "wallet.dat",
    ".vault-token",
    "master.key",
    "credentials.json",
    "client_secret.json",
    "service-account.json",
    "service_account.json",
    "serviceaccount.json",
    ".htpasswd",
    "secring.gpg",
    "kubeconfig",
    "hosts.yml",
    "unattend.xml",
    "sudoers",
    "seal.key",
    "keystore.jks",
    "application_default_credentials.json",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.toml",
    "seed.txt",
    "seed_phrase.txt",
    "mnemonic.txt",
    "private_key",
    "privatekey",
    "private.key",
    "terraform.rc",
    "access_tokens.db",
];
const KEY_FOLDERS: &[&str] = &[".ssh", ".gnupg", ".password-store", "keychains"];
const KEY_ENDS: &[&str] = &[
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".azure/accesstokens.json",
    "gcloud/credentials.db",
    ".config/gh/hosts.yml",
    "proc/self/environ",
    "proc/1/environ",
    "run/secrets/kubernetes.io/serviceaccount/token",
    "serviceaccount/token",
    ".cargo/credentials.toml",
    ".cargo/credentials",
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/krb5.keytab",
    "etc/shadow",
    "system32/config/sam",
    "system32/config/system",
    ".config/rclone/rclone.conf",
];
const PRIVATE_FILES: &[&str] = &[
    ".npmrc",
    ".pypirc",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".mysql_history",
    "passwd",
    "group",
    "environ",
    "wp-config.php",
    "database.yml",
    "local.settings.json",
    "appsettings.production.json",
    ".envrc",
    "cookies",
    "web data",
    "history",
    "portcullis.db",
    "config.tfstate",
    ".mcp.json",
    "mcp.json",
    "claude_desktop_config.json",
    ".my.cnf",
    ".s3cfg",
    ".boto",
    "secrets",
    "auth.json",
    "token.json",
    "tokens.json",
    ".dockercfg",
    "gradle.properties",
    "crontab",
];
const PRIVATE_ENDS: &[&str] = &[
    ".aws/config",
    "etc/passwd",
    "etc/hosts.allow",
    ".config/gcloud/properties",
    "proc/self/cmdline",
    "proc/self/maps",
];
const PRIVATE_FOLDERS: &[&str] = &[
    ".aws",
    ".azure",
    ".gcloud",
    "secrets",
    "private",
    "confidential",
    "payroll",
    "medical",
    ".mozilla",
    "passwords",
    "credentials",
];
const PRIVATE_WORDS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "credential",
    "credentials",
    "secret",
    "secrets",
    "payroll",
    "salary",
    "salaries",
    "ssn",
    "passport",
    "passports",
    "patients",
    "medical",
    "confidential",
    "apikey",
    "apikeys",
    "tax",
    "taxes",
    "bank",
    "customers",
    "employees",
    "contacts",
    "pii",
    "private",
    "diagnosis",
    "creditcards",
];
const EXAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults"];

/// What writing to a place would change beyond the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Power {
    /// The file alone.
    None,
    /// Who may log in, or as whom.
    Identity,
    /// What an agent or its gateway may do or is told.
    Policy,
    /// What runs by itself, later.
    Code,
}

impl Power {
    /// What a normalised path has power over, by its names.
    pub(super) fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let names: Vec<&str> = lower.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.last().copied().unwrap_or_default();
        if names.contains(&".ssh")
            || ["etc/passwd", "etc/shadow", "etc/group"].iter().any(|end| ends(&lower, end))
            || names.contains(&"sudoers.d")
            || last == "sudoers"
            || Holding::of(path) == Holding::Credential
        {
            return Self::Identity;
        }
        let policy = [
            "portcullis.toml",
            ".mcp.json",
            "mcp.json",
            "claude_desktop_config.json",
            "claude.md",
            "agents.md",
            ".cursorrules",
            ".windsurfrules",
            "gemini.md",
            "copilot-instructions.md",
            "codeowners",
            "mcp_settings.json",
            "cline_mcp_settings.json",
        ];
        let agent =
            names.iter().any(|name| matches!(*name, ".claude" | ".cursor" | ".codex" | ".gemini" | ".continue"))
                || lower.ends_with(".cedar")
                || lower.contains("portcullis/");
        if policy.contains(&last) || agent {
            return Self::Policy;
        }
        let starts = [
            ".bashrc",
            ".bash_profile",
            ".zshrc",
            ".zprofile",
            ".zshenv",
            ".profile",
            ".bash_login",
            "config.fish",
            ".envrc",
            "crontab",
            "rc.local",
            ".xinitrc",
            ".gitconfig",
            "ld.so.preload",
            "sitecustomize.py",
            "conftest.py",
            ".vimrc",
            "authorized_keys",
            ".npmrc",
            ".pre-commit-config.yaml",
            "jenkinsfile",
            ".gitlab-ci.yml",
            "microsoft.powershell_profile.ps1",
        ];
        let folders = [
            "cron.d",
            "cron.daily",
            "cron.hourly",
            "cron.weekly",
            "cron.monthly",
            "init.d",
            "systemd",
            "launchagents",
            "launchdaemons",
            "profile.d",
            "startup",
            "autostart",
            "sbin",
            ".husky",
            "workflows",
        ];
        let hook = lower.contains(".git/hooks/")
            || lower.contains(".github/actions/")
            || lower.ends_with(".git/config")
            || lower.contains("spool/cron")
            || lower.contains(".circleci/")
            || lower.contains(".vscode/tasks.json");
        let system = ["/etc/", "/usr/", "/bin/", "/boot/", "/lib/", "c:/windows/", "/system/", "/library/launch"]
            .iter()
            .any(|root| lower.starts_with(root));
        let flows = names.contains(&"workflows") && !names.contains(&".github");
        if starts.contains(&last) || (names.iter().any(|name| folders.contains(name)) && !flows) || hook || system {
            return Self::Code;
        }
        Self::None
    }
}

pub(super) const MAX_PATH: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_climb_is_seen() {
        for path in [
            "../etc/passwd",
            "../../x",
            "a/../../b",
            "/srv/../../etc/passwd",
            "..\\..\\windows",
            "%2e%2e/%2e%2e/x",
            "/a/%2e%2e/b",
            "%252e%252e%252fx",
            "..%2f..%2fx",
            "..%c0%af..%c0%afx",
            "%c0%ae%c0%ae/x",
            "....//....//x",
            "..;/..;/x",
            "\u{ff0e}\u{ff0e}/x",
            "a\0b",
            "a%00b",
            "/home/me/../you/.ssh/id_rsa",
            "file:///../../x",
            "C:\\..\\..\\x",
            "..",
            "./..",
            "/..",
            "..%5c..%5cx",
            "..\u{2215}x",
        ] {
            assert!(Place::of(path).climbs.is_some(), "{path}");
        }
    }

    #[test]
    fn dots_that_stay_inside_are_no_climb() {
        for (path, normal) in [
            ("/home/me/src/../lib/x.rs", "/home/me/lib/x.rs"),
            ("src/./a/../b", "src/b"),
            ("/a/b/", "/a/b"),
            ("a..b/c...d", "a..b/c...d"),
            ("100%.txt", "100%.txt"),
            ("my%20file", "my file"),
            ("...", "..."),
        ] {
            let place = Place::of(path);
            assert_eq!(place.climbs, None, "{path}");
            assert_eq!(place.path, normal);
        }
    }

    #[test]
    fn keys_and_settings_are_known_by_name() {
        for path in [
            "/home/a/.ssh/id_rsa",
            "/etc/shadow",
            "/root/.aws/credentials",
            "~/.kube/config",
            "/x/server.key",
            "/proc/self/environ",
        ] {
            assert_eq!(Holding::of(path), Holding::Credential, "{path}");
        }
        for path in ["/app/.env", "/app/.env.production", "/etc/passwd", "/hr/payroll-2025.csv", "/x/secrets/db"] {
            assert_eq!(Holding::of(path), Holding::Private, "{path}");
        }
        for path in [
            "/app/README.md",
            "/app/.env.example",
            "/app/src/password.rs",
            "/home/a/.ssh.md",
            "/x/key.rs",
            "/app/src/tokenizer.ts",
        ] {
            assert_eq!(Holding::of(path), Holding::Plain, "{path}");
        }
    }
}
