//! What an operator writes for folders, hosts and recipients: born valid.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a declaration cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeclarationError {
    /// A folder is relative, or holds `.`, `..`, a pattern, or a control character.
    #[error("`{0}` is not a whole path: name folders from the root, without `..` and without patterns")]
    Folder(String),
    /// A host is empty, or more than a name, an address, or `*.` before a name.
    #[error(
        "`{0}` is not a host: write `api.example.com`, `*.example.com` or an address, without scheme, path or port"
    )]
    Host(String),
    /// A recipient is empty or too long.
    #[error("`{0}` is not a recipient: write an address, `@example.com`, or a channel's name")]
    Recipient(String),
}

/// A folder and everything below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Folder(String);

impl Folder {
    /// A folder by its path from the root (`/` or a drive such as `C:\`).
    ///
    /// # Errors
    /// [`DeclarationError::Folder`] where the path could mean more than one place.
    pub fn parse(path: &str) -> Result<Self, DeclarationError> {
        let refused = || DeclarationError::Folder(path.to_owned());
        let slashed = path.replace('\\', "/");
        let mut bytes = slashed.bytes();
        let drive = matches!((bytes.next(), bytes.next()), (Some(letter), Some(b':')) if letter.is_ascii_alphabetic());
        let ambiguous = slashed.split('/').any(|part| part == "." || part == "..")
            || slashed.contains(['*', '?', '\0'])
            || slashed.chars().any(char::is_control);
        if ambiguous || !(slashed.starts_with('/') || drive) {
            return Err(refused());
        }
        let parts: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty()).collect();
        Ok(Self(if drive { parts.join("/") } else { format!("/{}", parts.join("/")) }))
    }

    /// The path, with `/` between names and none at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a normalised path from the root lies in this folder, or is it.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        let root = self.0.trim_end_matches('/');
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(super) fn holds(&self, inner: &Self) -> bool {
        self.contains(&inner.0)
    }
}

impl TryFrom<String> for Folder {
    type Error = DeclarationError;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        Self::parse(&path)
    }
}

impl From<Folder> for String {
    fn from(folder: Folder) -> Self {
        folder.0
    }
}

/// A host, or all hosts below a name (`*.example.com`, which is not `example.com` itself).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// A host as the URL parser writes it: lower case, IDNs in ASCII.
    ///
    /// # Errors
    /// [`DeclarationError::Host`] where it is more or less than a host.
    pub fn parse(host: &str) -> Result<Self, DeclarationError> {
        let refused = || DeclarationError::Host(host.to_owned());
        let (wild, name) = host.strip_prefix("*.").map_or((false, host), |name| (true, name));
        let parsed = url::Host::parse(name).map_err(|_| refused())?;
        match (&parsed, wild) {
            // `*.com` would be half the net; a wildcard below an address means nothing.
            (url::Host::Domain(domain), true) if domain.contains('.') => Ok(Self(format!("*.{domain}"))),
            (_, true) => Err(refused()),
            (url::Host::Domain(_) | url::Host::Ipv4(_) | url::Host::Ipv6(_), false) => {
                Ok(Self(parsed.to_string().trim_end_matches('.').to_owned()))
            }
        }
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host, as the URL parser writes it, is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }

    /// Whether every host that the other one means is meant.
    #[must_use]
    pub fn holds(&self, inner: &Self) -> bool {
        self == inner || self.matches(inner.0.trim_start_matches("*."))
    }
}

impl TryFrom<String> for HostPattern {
    type Error = DeclarationError;

    fn try_from(host: String) -> Result<Self, Self::Error> {
        Self::parse(&host)
    }
}

impl From<HostPattern> for String {
    fn from(host: HostPattern) -> Self {
        host.0
    }
}

/// A mail address, everyone at a domain (`@example.com`), a channel, or an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RecipientPattern(String);

impl RecipientPattern {
    /// A recipient, compared without regard to ASCII case.
    ///
    /// # Errors
    /// [`DeclarationError::Recipient`] where it is empty or longer than 256 bytes.
    pub fn parse(who: &str) -> Result<Self, DeclarationError> {
        let name = who.trim().to_ascii_lowercase();
        if name.is_empty() || name == "@" || name.len() > 256 || name.chars().any(char::is_control) {
            return Err(DeclarationError::Recipient(who.to_owned()));
        }
        Ok(Self(name))
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this one is meant.
    #[must_use]
    pub fn matches(&self, who: &str) -> bool {
        let who = who.trim().to_ascii_lowercase();
        if who == self.0 {
            return true;
        }
        // `@example.com` as a domain: only of an address with one `@`, since `a@example.com@evil.test` goes elsewhere.
        self.0.starts_with('@')
            && self.0.contains('.')
            && who.matches('@').count() == 1
            && who.len() > self.0.len()
            && who.ends_with(&self.0)
    }

    pub(super) fn holds(&self, inner: &Self) -> bool {
        self.matches(&inner.0)
    }
}

impl TryFrom<String> for RecipientPattern {
    type Error = DeclarationError;

    fn try_from(who: String) -> Result<Self, Self::Error> {
        Self::parse(&who)
    }
}

impl From<RecipientPattern> for String {
    fn from(who: RecipientPattern) -> Self {
        who.0
    }
}
