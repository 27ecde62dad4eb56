//! `Holding`: what lies at a place, by its names.

use super::ends;
use crate::facts::words::among;

/// What lies at a path, the weightier the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::facts) enum Holding {
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
    /// What a normalised path holds.
    pub(in crate::facts) fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let names: Vec<&str> = lower.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.last().copied().unwrap_or_default();
        if is_credential(&lower, &names, last) {
            Self::Credential
        } else if is_private(&lower, &names, last) {
            Self::Private
        } else if names.iter().any(|name| among(RECEIVED_FOLDERS, name)) || has_extension(last, RECEIVED_EXTENSIONS) {
            Self::Received
        } else {
            Self::Plain
        }
    }
}

fn is_credential(path: &str, names: &[&str], last: &str) -> bool {
    if has_extension(last, "pub crt csr") || last == "known_hosts" {
        return false;
    }
    // Certificates are shown to everyone; the rest of what is in PEM is not.
    let pem = has_extension(last, "pem") && !last.contains("cert") && !last.contains("ca");
    among(KEY_FILES, last)
        || last == "login data"
        || names.iter().any(|name| among(KEY_FOLDERS, name))
        || has_extension(last, KEY_EXTENSIONS)
        || (has_extension(last, "key") && is_tls_key(names, last))
        || pem
        || KEY_ENDS.split_ascii_whitespace().any(|end| ends(path, end))
}

/// `server.key` in a folder of keys; `Talk.key` is a presentation.
fn is_tls_key(names: &[&str], last: &str) -> bool {
    let folder = names.iter().any(|name| among("ssl tls certs keys private pki etc nginx secrets", name));
    let stem = last
        .split(|letter: char| !letter.is_alphanumeric())
        .any(|word| among("server private tls ssl client host signing master root seal domain", word));
    folder || stem
}

fn is_private(path: &str, names: &[&str], last: &str) -> bool {
    let example = EXAMPLES.split_ascii_whitespace().any(|end| last.ends_with(end));
    let dotenv = last == ".env" || (last.starts_with(".env.") && !example) || has_extension(last, "env");
    dotenv
        || among(PRIVATE_FILES, last)
        || last == "web data"
        || PRIVATE_ENDS.split_ascii_whitespace().any(|end| ends(path, end))
        || has_extension(last, "tfvars tfstate ovpn pgpass key gpg")
        || names.iter().any(|name| among(PRIVATE_FOLDERS, name))
        || stem_says(last)
}

fn has_extension(name: &str, extensions: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && among(extensions, extension))
}

/// `customer_passwords.xlsx`, `payroll-2025.csv`: names that say what is in them. Source code about passwords is not it.
fn stem_says(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let data = extension.is_empty() || among(DATA_EXTENSIONS, extension);
    data && stem.split(|letter: char| !letter.is_alphanumeric()).any(|word| among(PRIVATE_WORDS, word))
}

const KEY_FILES: &str = "id_rsa id_dsa id_ecdsa id_ed25519 .netrc _netrc .pgpass .git-credentials ntds.dit logins.json \
    key4.db cookies.sqlite wallet.dat .vault-token master.key credentials.json client_secret.json service-account.json \
    service_account.json serviceaccount.json .htpasswd secring.gpg kubeconfig unattend.xml sudoers seal.key keystore.jks \
    application_default_credentials.json secrets.yaml secrets.yml secrets.json secrets.toml seed.txt seed_phrase.txt \
    mnemonic.txt private_key privatekey private.key";
const KEY_FOLDERS: &str = ".ssh .gnupg .password-store keychains";
const KEY_EXTENSIONS: &str = "p12 pfx jks keystore ppk kdbx wallet keychain keychain-db";
const KEY_ENDS: &str = ".aws/credentials .docker/config.json .kube/config .azure/accesstokens.json \
    gcloud/credentials.db .config/gh/hosts.yml proc/self/environ proc/1/environ serviceaccount/token \
    .cargo/credentials.toml .cargo/credentials etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_ed25519_key etc/krb5.keytab \
    etc/shadow etc/shadow- etc/gshadow system32/config/sam system32/config/system .config/rclone/rclone.conf";
const PRIVATE_FILES: &str = ".npmrc .pypirc .bash_history .zsh_history .python_history .psql_history .mysql_history \
    passwd environ wp-config.php database.yml local.settings.json appsettings.production.json .envrc portcullis.db \
    .mcp.json mcp.json claude_desktop_config.json .my.cnf .s3cfg .boto secrets auth.json token.json tokens.json .dockercfg \
    gradle.properties crontab";
const PRIVATE_ENDS: &str =
    ".aws/config etc/passwd etc/group proc/self/cmdline proc/self/maps default/history default/cookies";
const PRIVATE_FOLDERS: &str = ".aws .azure .gcloud secrets confidential payroll medical .mozilla passwords credentials";
const PRIVATE_WORDS: &str = "password passwords passwd credential credentials secret secrets payroll salary salaries ssn \
    passport passports patients medical confidential apikey apikeys tax taxes bank customers employees contacts pii \
    diagnosis creditcards";
const DATA_EXTENSIONS: &str =
    "txt csv xlsx xls json yaml yml toml ini conf cfg pdf docx db sqlite sql bak zip md log parquet numbers";
const EXAMPLES: &str = "example sample template dist defaults";
const RECEIVED_FOLDERS: &str = "downloads attachments inbox uploads";
const RECEIVED_EXTENSIONS: &str = "eml msg mbox";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_settings_are_known_by_name() {
        for path in [
            "/home/a/.ssh/id_rsa",
            "/etc/shadow",
            "/root/.aws/credentials",
            "~/.kube/config",
            "/etc/nginx/server.key",
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
            "/private/tmp/a.txt",
            "/app/docs/history",
        ] {
            assert_eq!(Holding::of(path), Holding::Plain, "{path}");
        }
    }
}
